"""From a server's variables to a configuration: kinds, names, units; nothing a server says can break the file."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from edge.config import load_agent, signals_of
from edge.discover import Wish, agent_yaml, kind_of, propose, rate, signal_path
from edge.sources.opcua_settings import OpcUaSettings
from edge.sources.opcua_variable import Variable

PLAIN = Variable(
    node="nsu=urn:x;s=a", path=("Line 1", "Press3", "OilTemp"), type="Double", is_array=False, is_enumeration=False,
    readable=True, keeps_history=False, status="Good", value="41.5", unit="°C", low=0.0, high=120.0,
)  # fmt: skip
WISH = Wish("site/area")


@pytest.mark.parametrize(
    ("name", "type_", "enumeration", "kind"),
    [
        ("OilTemp", "Double", False, "measurement"),
        ("PartsCount", "UInt32", False, "counter"),
        ("GoodParts", "Int64", False, "counter"),
        ("TotalEnergy", "Double", False, "counter"),
        ("Speed", "Int32", False, "measurement"),
        ("MachineState", "Int32", False, "state"),
        ("Colour", "Int32", True, "state"),
        ("Running", "Boolean", False, "state"),
        ("Order", "String", False, "text"),
        ("Since", "DateTime", False, "text"),
    ],
)
def test_the_kind_follows_from_type_and_name(name: str, type_: str, enumeration: bool, kind: str) -> None:
    assert kind_of(replace(PLAIN, path=("M", name), type=type_, is_enumeration=enumeration)) == kind


@pytest.mark.parametrize(
    ("names", "path"),
    [
        (("Line 1", "Press3", "OilTemp"), "site/area/line-1/press-3/oil-temp"),
        (("PLC_1", "DB_Motor", "rSpeedRPM"), "site/area/plc-1/db-motor/r-speed-rpm"),
        (("Öltemperatur",), "site/area/oltemperatur"),
        (("温度",), "site/area"),
        (("HTTPServer2Load",), "site/area/http-server-2-load"),
    ],
)
def test_browse_names_become_signal_paths(names: tuple[str, ...], path: str) -> None:
    assert signal_path("site/area", names) == path


def test_what_cannot_be_read_is_left_out_with_its_reason() -> None:
    variables = [
        PLAIN,
        replace(PLAIN, readable=False),
        replace(PLAIN, readable=False, status="BadCommunicationError"),
        replace(PLAIN, is_array=True),
        replace(PLAIN, type="ExtensionObject"),
        replace(PLAIN, path=("Line 1", "Debug", "X")),
        replace(PLAIN, path=("Other", "Y")),
    ]
    chosen, left = propose(variables, replace(WISH, include=("Line 1/*",), exclude=("*/Debug/*",)))
    assert [one.signal for one in chosen] == ["site/area/line-1/press-3/oil-temp"]
    assert left == {
        "must not be read by this user": 1, "cannot be read (BadCommunicationError)": 1, "is an array": 1,
        "has type ExtensionObject": 1, "excluded": 1, "not included": 1,
    }  # fmt: skip


def test_equal_names_get_numbers_and_a_slow_node_its_own_interval() -> None:
    chosen, _ = propose([PLAIN, replace(PLAIN, minimum_sampling_ms=5000.0)], WISH)
    assert [(one.signal[-10:], one.sampling_ms) for one in chosen] == [("3/oil-temp", 1000.0), ("oil-temp-2", 5000.0)]
    assert rate(chosen, 10.0) == (1.2, 1.2 * 10 * 86_400)


def test_only_the_kinds_that_are_asked_for() -> None:
    chosen, left = propose([PLAIN, replace(PLAIN, type="String")], replace(WISH, kinds=("text",)))
    assert [one.kind for one in chosen] == ["text"]
    assert left == {"kind measurement was not asked for": 1}


words = st.text(max_size=30)
hostile = st.builds(
    lambda names, value, description, unit, type_: replace(
        PLAIN, node="nsu=urn:x;s=" + ("/".join(names) or "x"), path=tuple(names), value=value, description=description,
        unit=unit, type=type_,
    ),
    st.lists(words, min_size=1, max_size=4), words, words, st.sampled_from(["°C", "furlong", "", "\n"]),
    st.sampled_from(["Double", "String", "UInt32", "Boolean"]),
)  # fmt: skip


@given(st.lists(hostile, min_size=1, max_size=8), words)
def test_whatever_a_server_says_the_file_is_a_configuration(found: list[Variable], server: str) -> None:
    chosen, left = propose(found, WISH)
    written = agent_yaml("opc.tcp://host:4840", server, chosen, WISH, "edge-new")
    document = yaml.safe_load(written)
    assert len(document["sources"][0]["items"]) == len(chosen) == len(found) - left.total()
    nodes = [item["node"].replace("$${", "${") for item in document["sources"][0]["items"]]
    assert nodes == [one.variable.node for one in chosen]


def test_the_proposed_file_is_accepted_by_the_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FABRIQUAY_BROKER_PASSWORD", "x")
    counter = replace(PLAIN, node="nsu=urn:x;s=b", path=("Line 1", "Press3", "Parts"), type="UInt32", unit="parts")
    chosen, _ = propose([PLAIN, counter, replace(PLAIN, node="ns=0;i=5", path=("A", "Mode"), type="Boolean")], WISH)
    path = tmp_path / "edge.yaml"
    path.write_text(agent_yaml("opc.tcp://host:4840", "A server", chosen, WISH, "edge-new"), encoding="utf-8")
    (source,) = load_agent(path).sources
    assert isinstance(source, OpcUaSettings)
    assert [feed[1:3] for feed in signals_of(source)] == [("measurement", "°C"), ("counter", "parts"), ("state", "")]
