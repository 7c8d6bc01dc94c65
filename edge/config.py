"""The configuration of one agent: which equipment it reads, what the signals are called, where it sends.

In: one YAML file. Out: frozen `AgentSettings` with every group written out, and the node's schema. No network; every
mistake of the file is reported at once with its line.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field, ValidationError, field_validator

from edge.desired_settings import DesiredSettings
from edge.mapping_files import write_out_mappings
from edge.mapping_settings import Kind
from edge.metrics import MetricsSettings
from edge.opcua_groups import OpcUaSection, grouped_items
from edge.priority import Priority, Word
from edge.sources.mqtt_settings import MqttSettings
from edge.sources.opcua_settings import OpcUaItem, OpcUaSettings
from edge.sources.replay_settings import ReplaySettings
from edge.sparkplug_settings import SparkplugNodeSettings
from edge.template import is_signal_path
from edge.uplink_settings import UplinkSettings
from twin.errors import ConfigError
from twin.settings import Document, Key, Settings
from twin.wire.broker import BrokerSettings
from twin.wire.schema import NodeSchema, SchemaEntry
from twin.wire.topic import NODE_NAME

SourceSettings = OpcUaSettings | MqttSettings | ReplaySettings


class SpoolSettings(Settings):
    """Where readings wait for the store's receipt."""

    path: Path  # the SQLite file; on a disk that survives a power cut
    max_bytes: Annotated[int, Field(ge=1_000_000)] = 2_000_000_000
    linger_ms: Annotated[float, Field(ge=0, le=10_000)] = 50.0  # between two fsyncs, so that readings share them
    keep_sent_h: Annotated[float, Field(ge=0, le=8_760)] = (
        24.0  # behind the receipt, for a store restored from a backup
    )
    keep_sent_bytes: Annotated[int, Field(ge=0)] = 256_000_000  # of them at most, within max_bytes


class AgentSettings(Settings):
    """One agent."""

    node: str
    broker: BrokerSettings  # the twin's, for the uplink
    spool: SpoolSettings
    uplink: UplinkSettings = UplinkSettings()
    metrics: MetricsSettings | None = None
    desired: DesiredSettings | None = None
    sources: tuple[SourceSettings, ...]
    sparkplug: SparkplugNodeSettings | None = None
    revision: str  # fingerprint of the file and the mappings that it names, 16 hex digits


class SignalFeed(NamedTuple):
    """One signal of a source."""

    path: str
    kind: Kind
    unit: str
    priority: Word = "normal"


Section = Annotated[OpcUaSection | MqttSettings | ReplaySettings, Field(discriminator="kind")]


class _AgentFile(Settings):
    """The file as it is written."""

    node: str
    broker: BrokerSettings
    spool: SpoolSettings
    uplink: UplinkSettings = UplinkSettings()
    metrics: MetricsSettings | None = None  # for Prometheus
    desired: DesiredSettings | None = None  # configurations that come signed
    sparkplug: SparkplugNodeSettings | None = None
    sources: Annotated[tuple[Section, ...], Field(min_length=1)]

    @field_validator("node")
    @classmethod
    def _is_a_node_name(cls, node: str) -> str:
        if not NODE_NAME.fullmatch(node):
            raise ValueError(f"{node!r} cannot name a node; use 1 to 63 lower-case letters, digits and hyphens")
        return node


def load_agent(path: Path) -> AgentSettings:
    """Read and check the configuration of an agent.

    Raises:
        ConfigError: with every problem that was found.
    """
    document = Document(path)
    mappings = write_out_mappings(document)
    file = document.model(_AgentFile)
    problems = list(_problems(document, file))
    if problems:
        raise ConfigError(problems)
    sources = tuple(_written_out(section) if isinstance(section, OpcUaSection) else section for section in file.sources)
    return AgentSettings(
        node=file.node,
        broker=file.broker,
        spool=file.spool,
        uplink=file.uplink,
        metrics=file.metrics,
        desired=file.desired,
        sources=sources,
        sparkplug=file.sparkplug,
        revision=hashlib.sha256(b"".join([path.read_bytes(), *mappings])).hexdigest()[:16],
    )


def signals_of(source: SourceSettings) -> tuple[SignalFeed, ...]:
    """The signals that a source feeds, in the order of the file."""
    if isinstance(source, OpcUaSettings):
        return tuple(SignalFeed(item.signal, item.kind, item.unit, item.priority) for item in source.items)
    if isinstance(source, ReplaySettings):
        return tuple(
            SignalFeed(path, source.signals[name].kind, source.signals[name].unit) for path, name in source.feeds()
        )
    return tuple(
        SignalFeed(path, topic.signals[name].kind, topic.signals[name].unit, topic.signals[name].priority)
        for topic in source.topics
        for path, name in topic.feeds()
    )


def node_schema(settings: AgentSettings) -> NodeSchema:
    """Every signal of the agent with its handle: its place in the file."""
    feeds = [feed for source in settings.sources for feed in signals_of(source)]
    entries = (SchemaEntry(handle, feed.path, feed.kind, feed.unit) for handle, feed in enumerate(feeds))
    return NodeSchema(settings.node, tuple(entries))


def priorities(settings: AgentSettings) -> dict[int, Priority]:
    """The handles of all signals whose priority is not the normal one."""
    feeds = (feed for source in settings.sources for feed in signals_of(source))
    return {handle: Priority.of(feed.priority) for handle, feed in enumerate(feeds) if feed.priority != "normal"}


def _written_out(section: OpcUaSection) -> OpcUaSettings:
    given = {name: getattr(section, name) for name in OpcUaSettings.model_fields if name in section.model_fields_set}
    items = [*section.items, *(item for _, item in _good_items(section))]
    return OpcUaSettings.model_validate({**given, "items": tuple(items)})


def _good_items(section: OpcUaSection) -> Iterator[tuple[list[Key], OpcUaItem]]:
    for keys, item in grouped_items(section):
        if isinstance(item, OpcUaItem):
            yield keys, item


def _problems(document: Document, file: _AgentFile) -> Iterator[str]:
    owners: dict[str, int] = {}
    names: set[str] = set()
    for index, source in enumerate(file.sources):
        here: list[Key] = ["sources", index]
        if source.name in names:
            yield document.problem([*here, "name"], f"another source is called {source.name}, too; choose another name")
        names.add(source.name)
        yield from _signal_problems(document, here, _signals(source), owners)


Place = tuple[list[Key], str | ValidationError]


def _signal_problems(
    document: Document, here: list[Key], found: Iterator[Place], owners: dict[str, int]
) -> Iterator[str]:
    """Paths that are none, and signals that are fed twice; one problem per line of the file."""
    told: set[int] = set()
    empty = True
    for keys, path in found:
        empty = False
        where = [*here, *keys]
        line = document.line(where)
        message = _complaint(path, line, owners)
        if message and line not in told:
            told.add(line)
            yield document.problem(where, message)
    if empty:
        yield document.problem(here, "reads nothing; give items or groups")


def _complaint(path: str | ValidationError, line: int, owners: dict[str, int]) -> str:
    if isinstance(path, ValidationError):
        first = path.errors()[0]
        return f"{first['msg'].removeprefix('Value error, ')}, not {first['input']!r}"
    if not is_signal_path(path):
        return f"{path!r} is not a signal path; use lower-case words like site/area/unit/signal-name"
    if path in owners:
        owner = "this very line" if owners[path] == line else f"line {owners[path]}"
        return f"signal {path} is fed by {owner} already; remove one of the two"
    owners[path] = line
    return ""


def _signals(source: Section) -> Iterator[Place]:
    if isinstance(source, OpcUaSection):
        yield from _opcua_signals(source)
    elif isinstance(source, MqttSettings):
        yield from _mqtt_signals(source)
    else:
        for path, name in source.feeds():
            yield ["signals", name], path


def _mqtt_signals(source: MqttSettings) -> Iterator[Place]:
    for index, topic in enumerate(source.topics):
        for path, name in topic.feeds():
            yield ["topics", index, "signals", name], path


def _opcua_signals(section: OpcUaSection) -> Iterator[Place]:
    for index, item in enumerate(section.items):
        yield ["items", index, "signal"], item.signal
    for keys, item in grouped_items(section):
        yield keys, item.signal if isinstance(item, OpcUaItem) else item
