"""A dialect as a gateway deployer meets it: a mapping by name in an edge configuration, and messages."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from edge.config import load_agent, node_schema
from edge.mapping import Incoming, MappedMessage, TopicMapping
from edge.sources.mqtt_settings import MqttSettings
from twin.wire.reading import Quality

NOW_NS = 1_893_456_000_000_000_000  # 2030-01-01T00:00:00Z: no sample is from the future
HEAD = """\
node: gate-7
broker: {host: broker.example}
spool: {path: spool.db}
sources:
  - kind: mqtt
    name: devices
    broker: {host: broker.example}
    topics:
"""


class Value(NamedTuple):
    """What came out for one signal."""

    value: float | str
    at: str  # UTC, RFC 3339
    quality: int = Quality.GOOD


class Dialect:
    """The topics of one source, as YAML under `topics:`."""

    def __init__(self, folder: Path, topics: str) -> None:
        path = folder / "edge.yaml"
        lines = "".join(f"      {line}\n" if line else "\n" for line in topics.strip("\n").splitlines())
        path.write_text(HEAD + lines, encoding="utf-8")
        agent = load_agent(path)
        (source,) = agent.sources
        assert isinstance(source, MqttSettings)
        entries = node_schema(agent).entries
        self.paths = [entry.path for entry in entries]
        self.units = {entry.path: entry.unit for entry in entries}
        self.mapping = TopicMapping(source.topics, {entry.path: entry.handle for entry in entries})

    def send(self, topic: str, payload: object, *, retained: bool = False, raw: bool = False) -> MappedMessage:
        text = payload if isinstance(payload, str) and raw else json.dumps(payload)
        return self.mapping.read(Incoming(topic, text.encode(), NOW_NS, retained))

    def listed(self, topic: str, payload: object, **how: Any) -> list[tuple[str, Value]]:
        mapped = self.send(topic, payload, **how)
        assert not mapped.rejected, [str(error) for error in mapped.rejected]
        return [(self.paths[one.handle], Value(one.value, utc(one.source_ns), one.quality)) for one in mapped.readings]

    def read(self, topic: str, payload: object, **how: Any) -> dict[str, Value]:
        found = self.listed(topic, payload, **how)
        assert len(dict(found)) == len(found), "one signal twice"
        return dict(found)


def utc(time_ns: int) -> str:
    """The instant as the samples write it: as few digits as it needs."""
    from datetime import UTC, datetime

    second, fraction = divmod(time_ns, 1_000_000_000)
    text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    digits = f"{fraction:09d}".rstrip("0")
    return f"{text}.{digits}Z" if digits else f"{text}Z"


NOW = utc(NOW_NS)
