"""`twin edge map` shows what a message gives, or why not."""

import json

import pytest
from typer.testing import CliRunner

from tests.unit.dialects import HEAD
from twin.commands.cli import app
from twin.commands.map_message import map_message
from twin.errors import ConfigError

TOPICS = """\
      - mapping: vda5050
        asset: terminal/transport/{serial}
        where: { serial: "agv-{1..2}" }
        signals: { battery: , speed: { unit: km/h }, order: }
      - mapping: siemens-industrial-edge
        asset: factory/pressing/{connection}
        where: { connection: { Plc/default: press-1 } }
        signals: { load: { unit: N } }
"""
STATE = {"headerId": 3, "timestamp": "2026-01-01T11:40:03.123Z", "velocity": {"vx": 2}, "orderId": "x"}

S7 = "ie/d/j/simatic/v1/{app}/dp/r/{connection...}"


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "edge.yaml"
    path.write_text(HEAD + TOPICS, encoding="utf-8")
    return path


def tried(config, topic, payload, **how):
    path = config.with_name("payload.json")
    path.write_text(json.dumps(payload), encoding="utf-8")
    return map_message(config, topic, str(path), **how)


def test_signals_values_units_and_times_are_shown_and_what_is_missing(config):
    found = tried(config, "uagv/v2/man/agv-1/state", {**STATE, "batteryState": {"batteryCharge": "full"}})
    assert found.useful
    assert found.lines == [
        "source devices",
        "  terminal/transport/agv-1/speed  7.2 km/h  2026-01-01T11:40:03.123Z  good",
        "  terminal/transport/agv-1/order       'x'  2026-01-01T11:40:03.123Z  good",
        "  refused (wrong-type): terminal/transport/agv-1/battery: 'full' is neither a number nor one of the configured words",
        "  sequence 3",
    ]
    partial = tried(config, "uagv/v2/man/agv-1/state", STATE)
    assert partial.lines[-1] == "  not in this message: terminal/transport/agv-1/battery"


def test_an_unknown_topic_is_refused_with_the_reason_of_every_rule(config):
    found = tried(config, "uagv/v2/man/agv-9/state", STATE)
    assert not found.useful
    assert found.lines == [
        "source devices",
        "  refused (unknown-topic): no signal is configured for this topic",
        "    {interface}/{version}/{manufacturer}/{serial}/state: {serial} would be 'agv-9', which is not under where",
        f"    {S7}: it does not look like {S7}",
    ]


def test_metadata_can_be_given_and_what_nobody_wants_is_listed(config, tmp_path):
    topic = "ie/d/j/simatic/v1/s7c1/dp/r/Plc/default"
    values = {"vals": [{"id": "101", "qc": 3, "val": 5}, {"id": "102", "qc": 3, "val": 6}]}
    assert "no metadata has come" in tried(config, topic, values).lines[1]
    names = [{"name": "load", "id": "101"}, {"name": "speed", "id": "102"}]
    points = [{"topic": topic, "dataPointDefinitions": names}]
    told = tmp_path / "metadata.json"
    told.write_text(json.dumps({"connections": [{"dataPoints": points}]}))
    metadata = f"ie/m/j/simatic/v1/s7c1/dp={told}"
    found = tried(config, topic, values, metadata=[metadata])
    assert found.lines[1].startswith("  factory/pressing/press-1/load  5 N  ")
    assert found.lines[1].endswith("  good, time of receipt")
    assert found.lines[2] == "  in this message and asked for by no signal: 102 speed = {…}"
    with pytest.raises(ConfigError, match="no mapping joins metadata of this topic"):
        tried(config, topic, values, metadata=[f"elsewhere={told}"])


def test_json_lines_are_for_programs(config):
    found = tried(config, "uagv/v2/man/agv-1/state", {**STATE, "velocity": {"vx": None}}, as_json=True)
    assert [json.loads(line) for line in found.lines] == [
        {
            "signal": "terminal/transport/agv-1/speed",
            "value": None,
            "unit": "km/h",
            "time": "2026-01-01T11:40:03.123Z",
            "quality": "bad",
        },
        {
            "signal": "terminal/transport/agv-1/order",
            "value": "x",
            "unit": "",
            "time": "2026-01-01T11:40:03.123Z",
            "quality": "good",
        },
    ]


def test_the_command_reads_stdin_and_ends_with_1_when_nothing_could_be_used(config):
    arguments = ["edge", "map", str(config), "--topic", "uagv/v2/man/agv-1/state"]
    good = CliRunner().invoke(app, arguments, input=json.dumps(STATE))
    assert good.exit_code == 0
    assert "7.2 km/h" in good.output
    bad = CliRunner().invoke(app, arguments, input="{")
    assert bad.exit_code == 1
    assert "refused (malformed)" in bad.output


def test_the_mappings_can_be_listed_and_shown():
    listed = CliRunner().invoke(app, ["edge", "mappings"])
    assert "vda5050 " in listed.output
    shown = CliRunner().invoke(app, ["edge", "mappings", "vda5050"])
    assert "batteryCharge" in shown.output
