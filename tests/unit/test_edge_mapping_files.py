"""Mappings by name: what the configuration says goes before what they say; a mistake is told where it stands."""

import pytest

from edge.config import load_agent, node_schema
from edge.mapping_files import merge, shipped_mappings
from tests.unit.dialects import HEAD, Dialect
from twin.errors import ConfigError

OWN = """\
description: ours
topic: our/{device}/{signal}
time: { at: /t, format: ms }
every_signal: { value: /v }
signals:
  load: { unit: N }
  mode: { kind: text }
"""
ENTRY = "      - { mapping: ./own.yaml, asset: 'site/area/{device}', where: { device: [a] } }\n"


def load(folder, entry=ENTRY, own=OWN):
    (folder / "own.yaml").write_text(own, encoding="utf-8")
    (folder / "edge.yaml").write_text(HEAD + entry, encoding="utf-8")
    return load_agent(folder / "edge.yaml")


def problems(folder, entry=ENTRY, own=OWN):
    with pytest.raises(ConfigError) as caught:
        load(folder, entry, own)
    return [problem.removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_every_shipped_mapping_says_what_it_is_and_works_with_one_signal(tmp_path):
    shipped = shipped_mappings()
    assert len(shipped) >= 19
    for one in shipped:
        assert one.description, one.name
        capture = "che" if one.name.startswith("tic4") else "node" if one.name == "neuron" else "device"
        capture = {"vda5050": "serial", "siemens-industrial-edge": "connection"}.get(one.name, capture)
        capture = "unit" if one.name.startswith("umh") else capture
        text = f"- {{ mapping: {one.name}, asset: 'a/{{{capture}}}', where: {{ {capture}: [x] }}"
        text += ", topic: 't/{device}/{signal}'" if "\ntopic:" not in one.path.read_text(encoding="utf-8") else ""
        text += ", signals: { load: } }" if "\nsignals:" not in one.path.read_text(encoding="utf-8") else " }"
        folder = tmp_path / one.name
        folder.mkdir()
        if one.name.startswith("tic4") or one.name in ("opcua-pubsub", "thingsboard"):
            text = text.replace("t/{device}/{signal}", "t/{device}")
        assert Dialect(folder, text).paths


def test_without_a_choice_every_signal_of_the_mapping_is_read(tmp_path):
    schema = node_schema(load(tmp_path))
    assert [(entry.path, entry.kind, entry.unit) for entry in schema.entries] == [
        ("site/area/a/load", "measurement", "N"),
        ("site/area/a/mode", "text", ""),
    ]


def test_a_choice_is_what_is_read_and_may_say_more(tmp_path):
    chosen = ENTRY.replace(" }\n", ", signals: { load: { unit: kN, deadband: 1 }, extra: { value: /e } } }\n")
    (source,) = load(tmp_path, chosen).sources
    signals = source.topics[0].signals
    assert list(signals) == ["load", "extra"]
    assert (signals["load"].value, signals["load"].unit, signals["load"].source_unit) == (("/v",), "kN", "N")
    assert (signals["load"].deadband, signals["extra"].value) == (1, ("/e",))


def test_what_the_entry_says_goes_before_the_mapping_key_by_key():
    mapping = {
        "time": {"at": "/t", "format": "ms"},
        "each": ["/a"],
        "where": {"c": ["0"]},
        "signals": {"x": {"unit": "m"}},
    }
    entry = {"mapping": "x", "time": {"timezone": "Asia/Tokyo"}, "each": "/b", "where": {"d": ["1"]}}
    assert merge(mapping, entry) == {
        "time": {"at": "/t", "format": "ms", "timezone": "Asia/Tokyo"},
        "each": "/b",
        "where": {"c": ["0"], "d": ["1"]},
        "signals": {"x": {"unit": "m"}},
    }


@pytest.mark.parametrize(
    ("entry", "own", "expected"),
    [
        (("./own.yaml", "vda505"), (), "edge.yaml:9: sources.0.topics.0.mapping: there is no mapping 'vda505'; did you mean vda5050?"),
        (("./own.yaml", "./none.yaml"), (), "none.yaml: cannot be read (No such file or directory); check the path"),
        (("./own.yaml", "[x]"), (), "edge.yaml:9: sources.0.topics.0.mapping: name a mapping"),
        ((" }\n", ", signals: { laod: } }\n"), (), "edge.yaml:9: sources.0.topics.0.signals.laod: own has no signal 'laod'; did you mean load?"),
        ((), ("every_signal", "every_signa"), "own.yaml:4: every_signa: unknown key; did you mean every_signal?"),
        ((), ("format: ms", "format: month"), "own.yaml:3: time.format: 'month' is not a format of times"),
        ((), ("unit: N", "unti: N"), "own.yaml:6: signals.load.unti: unknown key"),
        ((), ("value: /v", "value: v"), "own.yaml:4: every_signal.value: 'v' is not a JSON pointer"),
        ((" }\n", ", time: { format: month } }\n"), (), "edge.yaml:9: sources.0.topics.0.time.format: 'month' is not a format"),
        (("site/area/{device}", "site/area/{devise}"), (), "edge.yaml:9: sources.0.topics.0: asset: {devise} is not captured"),
        ((), ("topic: our/{device}/{signal}\n", ""), "edge.yaml:9: sources.0.topics.0.topic: is missing; add it"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_where_it_stands(tmp_path, entry, own, expected):
    found = problems(tmp_path, ENTRY.replace(*entry) if entry else ENTRY, OWN.replace(*own) if own else OWN)
    assert found[0].startswith(expected)


def test_the_revision_changes_with_the_mapping(tmp_path):
    first = load(tmp_path).revision
    assert load(tmp_path).revision == first
    assert load(tmp_path, own=OWN.replace("unit: N", "unit: kN")).revision != first
