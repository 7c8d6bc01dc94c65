"""The agent's file: every mistake with its line, groups written out, and the demo's two files against its plant."""

import subprocess
import sys
from pathlib import Path

import pytest

from edge.config import load_agent, node_schema, priorities
from edge.priority import Priority
from edge.sources.mqtt_settings import MqttSettings
from edge.sources.opcua_settings import OpcUaSettings
from twin.errors import ConfigError
from twin.plant.load import load_plant

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
HEAD = """\
node: gate-7
broker: {host: broker.example}
spool: {path: spool.db}
sources:
"""
OPCUA = """\
  - kind: opcua
    name: press
    url: opc.tcp://10.0.0.1:4840
    groups:
      - asset: factory/pressing/{unit}
        where: {unit: "press-{1..2}"}
        node: ns=2;s={unit}.{signal}
        sampling_ms: 50
        signals:
          temperature: {unit: °C}
          order: {kind: text, node: "ns=3;s=Order.{unit}"}
"""
MQTT = """\
  - kind: mqtt
    name: gates
    broker: {host: broker.example}
    topics:
      - topic: gates/{lane}/{signal}
        asset: terminal/gates/{lane}
        where: {lane: {G1: lane-1, G2: lane-2}}
        time: {at: /ts, format: ms}
        signals:
          queue: {value: /value}
          open: {value: /value, kind: state, words: {ON: 1, OFF: 0}, match: {signal: IsOpen}}
"""


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FABRIQUAY_BROKER_PASSWORD", "secret")


def write(folder: Path, text: str) -> Path:
    path = folder / "edge.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str) -> list[str]:
    path = write(folder, text)
    with pytest.raises(ConfigError) as caught:
        load_agent(path)
    return [problem.removeprefix(f"{path}:") for problem in caught.value.problems]


def test_metrics_are_off_unless_they_are_asked_for_and_stay_on_this_machine(tmp_path):
    assert load_agent(write(tmp_path, HEAD + MQTT)).metrics is None
    asked = load_agent(write(tmp_path, "metrics: {}\n" + HEAD + MQTT)).metrics
    assert asked is not None
    assert (asked.host, asked.port) == ("127.0.0.1", 9464)


def test_a_priority_comes_from_the_item_its_group_or_the_mqtt_signal(tmp_path):
    opcua = OPCUA.replace("        sampling_ms: 50", "        priority: low\n        sampling_ms: 50")
    opcua = opcua.replace("{unit: °C}", "{unit: °C, priority: high}")
    opcua += "    items: [{node: ns=2;s=a, signal: factory/pressing/load, priority: low}]\n"
    agent = load_agent(
        write(tmp_path, HEAD + opcua + MQTT.replace("{value: /value}", "{value: /value, priority: low}"))
    )
    names = {entry.handle: entry.path.rpartition("/")[2] for entry in node_schema(agent).entries}
    found = {(names[handle], priority) for handle, priority in priorities(agent).items()}
    low, high = Priority.LOW, Priority.HIGH
    assert found == {("temperature", high), ("order", low), ("load", low), ("queue", low)}


def test_groups_and_topics_stand_for_their_signals_in_the_order_of_the_file(tmp_path):
    agent = load_agent(write(tmp_path, HEAD + OPCUA + MQTT))
    schema = node_schema(agent)
    assert [(entry.handle, entry.path, entry.kind, entry.unit) for entry in schema.entries] == [
        (0, "factory/pressing/press-1/temperature", "measurement", "°C"),
        (1, "factory/pressing/press-1/order", "text", ""),
        (2, "factory/pressing/press-2/temperature", "measurement", "°C"),
        (3, "factory/pressing/press-2/order", "text", ""),
        (4, "terminal/gates/lane-1/queue", "measurement", ""),
        (5, "terminal/gates/lane-1/open", "state", ""),
        (6, "terminal/gates/lane-2/queue", "measurement", ""),
        (7, "terminal/gates/lane-2/open", "state", ""),
    ]
    assert isinstance(agent.sources[0], OpcUaSettings)
    assert isinstance(agent.sources[1], MqttSettings)
    assert [(item.node, item.sampling_ms) for item in agent.sources[0].items][:2] == [
        ("ns=2;s=press-1.temperature", 50),
        ("ns=3;s=Order.press-1", 50),
    ]
    assert agent.sources[1].topics[0].signals["open"].words == {"ON": 1, "OFF": 0}


def test_the_revision_changes_with_the_file_and_holds_no_secret(tmp_path):
    first = load_agent(write(tmp_path, HEAD + MQTT)).revision
    assert load_agent(write(tmp_path, HEAD + MQTT)).revision == first
    assert load_agent(write(tmp_path, HEAD + MQTT + "\n# a word\n")).revision != first


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            ("gate-7", "Gate 7"),
            "1: node: 'Gate 7' cannot name a node; use 1 to 63 lower-case letters, digits and hyphens",
        ),
        (
            ("asset: terminal/gates/{lane}", "asset: terminal/gates/{line}"),
            "20: sources.1.topics.0: asset: {line} is not captured by the topic or by each (they capture lane, signal)",
        ),
        (
            ("value: /value}", "value: value}"),
            "25: sources.1.topics.0.signals.queue.value: 'value' is not a JSON pointer; it must be empty or begin",
        ),
        (
            ("gates/{lane}/{signal}", "gates/{lane}/{signal"),
            "20: sources.1.topics.0.topic: level '{signal' of the topic is not understood; write text,",
        ),
        (
            ("order: {kind: text,", "order: {kind: text, unit: m,"),
            "15: sources.0.groups.0.signals.order: a text has no unit and no deadband; remove them",
        ),
        (
            ("where: {unit:", "where: {press:"),
            "9: sources.0.groups.0: 'factory/pressing/{unit}': say under where what {unit} may be",
        ),
        (
            ("node: ns=2;s={unit}.{signal}", "node: '{unit}.{signal}'"),
            "14: sources.0.groups.0.signals.temperature: must be a node id: nsu=<namespace uri>;s=<name>",
        ),
        (
            ("asset: terminal/gates/{lane}", "asset: Terminal/gates/{lane}"),
            "25: sources.1.topics.0.signals.queue: 'Terminal/gates/lane-1/queue' is not a signal path; use",
        ),
        (
            ("{G1: lane-1, G2: lane-2}", "{G1: lane-1, G2: lane-1}"),
            "25: sources.1.topics.0.signals.queue: signal terminal/gates/lane-1/queue is fed by this very line",
        ),
        (
            ("name: gates", "name: press"),
            "17: sources.1.name: another source is called press, too; choose another name",
        ),
        (
            ("format: ms", "format: month"),
            "23: sources.1.topics.0.time.format: 'month' is not a format of times; use iso, auto, s, ms, us, ns, filetime",
        ),
        (("kind: mqtt", "kind: modbus"), None),
        (("words: {ON: 1, OFF: 0}", "words: {ON: 1, ON: 0}"), "26: ON: this key stands here a second time; remove one"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_to_do(tmp_path, change, expected):
    text = HEAD + OPCUA + MQTT
    assert change[0] in text
    found = problems(tmp_path, text.replace(*change))
    if expected is None:
        assert found[0].startswith("16: sources.1: ")
    else:
        assert found[0].startswith(expected)


def test_a_signal_that_two_sources_feed_is_refused_with_both_lines(tmp_path):
    twice = MQTT.replace("name: gates", "name: more-gates").replace("G2: lane-2", "G3: lane-3")
    message = "signal terminal/gates/lane-1/{} is fed by line {} already; remove one of the two"
    assert problems(tmp_path, HEAD + MQTT + twice) == [
        f"25: sources.1.topics.0.signals.queue: {message.format('queue', 14)}",
        f"26: sources.1.topics.0.signals.open: {message.format('open', 15)}",
    ]


def test_several_mistakes_are_reported_at_once(tmp_path):
    text = (
        (HEAD + OPCUA + MQTT)
        .replace("gate-7", "Gate")
        .replace("format: ms", "format: x")
        .replace("kind: text,", "kind: y,")
    )
    assert len(problems(tmp_path, text)) == 3


def test_an_opcua_source_without_items_is_refused(tmp_path):
    text = HEAD + "  - kind: opcua\n    name: press\n    url: opc.tcp://10.0.0.1:4840\n"
    assert problems(tmp_path, text) == ["5: sources.0: reads nothing; give items or groups"]


def test_every_signal_of_the_demo_plant_is_mapped_exactly_once_and_nothing_else():
    plant = load_plant(CONFIGS / "plant.yaml")
    entries = [
        entry
        for name in ("factory", "terminal")
        for entry in node_schema(load_agent(CONFIGS / f"edge-{name}.yaml")).entries
    ]
    mapped = {entry.path: (entry.kind, entry.unit) for entry in entries}
    assert len(mapped) == len(entries)
    assert mapped == {signal.path: (str(signal.kind), signal.unit) for signal in plant.signals}


def test_the_demo_files_read_the_environment(monkeypatch):
    monkeypatch.setenv("FABRIQUAY_OPCUA_URL", "opc.tcp://10.9.8.7:4841/x")
    monkeypatch.setenv("FABRIQUAY_BROKER_PORT", "2883")
    monkeypatch.setenv("FABRIQUAY_STATE_DIR", "/var/lib/fabriquay")
    agent = load_agent(CONFIGS / "edge-factory.yaml")
    assert isinstance(agent.sources[0], OpcUaSettings)
    assert agent.sources[0].url == "opc.tcp://10.9.8.7:4841/x"
    assert agent.broker.port == 2883
    assert agent.broker.password == "secret"
    assert agent.spool.path == Path("/var/lib/fabriquay/edge-factory/spool.db")


def test_the_agent_starts_without_the_heavy_libraries():
    code = (
        "import sys, edge.agent, edge.config\n"
        "heavy = {'numpy', 'numba', 'psycopg', 'fastapi', 'asyncua', 'scipy', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
