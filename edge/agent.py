"""One gateway: every source → the spool → the uplink, under one TaskGroup; cancellation is the way to stop it.

In: `AgentSettings`. Out: nothing returns. A source that is away, or wrongly configured, never stops the rest; whatever
was not read between two runs of the agent is recorded as a gap.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edge.config import AgentSettings, SourceSettings, node_schema, priorities, signals_of
from edge.health import HealthReport, Remote
from edge.metrics import exposition
from edge.metrics_server import serve_metrics
from edge.source_sink import SourceSink
from edge.sources.mqtt import MqttSource
from edge.sources.mqtt_settings import MqttSettings
from edge.sources.replay_settings import ReplaySettings
from edge.sources.source import Source, SourceState, SourceStatus
from edge.spool import Spool, open_spool
from edge.spool_sent import KeepSent
from edge.systemd import status_line, tell_systemd
from edge.uplink import run_uplink
from edge.uplink_window import Drain
from twin.errors import ConfigError
from twin.wire.schema import NodeSchema

if TYPE_CHECKING:
    from edge.sparkplug import SparkplugNode

logger = logging.getLogger(__name__)


class Rollout(Remote, Protocol):
    """Configurations that come from elsewhere: `edge.rollout`."""

    def offer(self, payload: bytes) -> None:
        """One has come."""
        ...

    async def watch(self, statuses: Callable[[], Iterable[SourceStatus]]) -> None:
        """Run beside the sources, for ever."""
        ...


class _Supervised:
    """A source in its task; a mistake in its configuration ends this one and is told in its status."""

    def __init__(self, source: Source, sink: SourceSink) -> None:
        self._source = source
        self.sink = sink
        self._mistake: ConfigError | None = None

    async def run(self) -> None:
        try:
            await self._source.run(self.sink)
        except* ConfigError as errors:
            self._mistake = _first(errors)
        if self._mistake:
            logger.error("source %s does not run: %s", self._source.name, self._mistake)

    def status(self) -> SourceStatus:
        status = self._source.status()
        if self._mistake is None:
            return status
        return replace(status, state=SourceState.DOWN, detail=f"not configured rightly: {self._mistake}")


async def run_agent(
    settings: AgentSettings,
    *,
    clock: Callable[[], int] = time.time_ns,
    before_reading: Callable[[], object] = lambda: None,
    rollout: Rollout | None = None,
) -> None:
    """Read, keep and send until cancelled; `before_reading` is called once, when all is built.

    `rollout` hears of configurations that come over the uplink, and watches the sources.

    Raises:
        ConfigError: when the spool cannot be used at all.
    """
    schema = node_schema(settings)
    handles = {entry.path: entry.handle for entry in schema.entries}
    async with open_spool(
        settings.spool.path,
        schema=schema,
        max_bytes=settings.spool.max_bytes,
        linger_s=settings.spool.linger_ms / 1000,
        clock=clock,
        priorities=priorities(settings),
        keep_sent=KeepSent(int(settings.spool.keep_sent_h * 3_600e9), settings.spool.keep_sent_bytes),
    ) as spool:
        sources = [
            await _supervised(source, settings, spool, schema.hash, handles, clock) for source in settings.sources
        ]
        drain = Drain(settings.uplink.history_bytes_per_s)

        def statuses() -> list[SourceStatus]:
            return [source.status() for source in sources]

        node = None if settings.sparkplug is None else _sparkplug(settings, schema, statuses, spool, drain, clock)
        if node is not None:
            for source in sources:
                source.sink.also = node.offer
        health = HealthReport(
            settings.node,
            settings.revision,
            spool,
            statuses,
            clock,
            drain,
            rollout,
            sparkplug=None if node is None else node.status,
        )
        logger.info("node %s reads %d signals from %d sources", settings.node, len(handles), len(sources))
        before_reading()
        async with asyncio.TaskGroup() as group:
            for source in sources:
                group.create_task(source.run(), name=f"source {source.status().name}")
            uplink = run_uplink(
                settings.uplink,
                settings.broker,
                spool,
                health,
                node=settings.node,
                drain=drain,
                offer=None if rollout is None else rollout.offer,
                carries_batches=settings.sparkplug is None or not settings.sparkplug.receipts,
            )
            group.create_task(uplink, name="uplink")
            group.create_task(tell_systemd(spool.alive, lambda: status_line(health())), name="systemd")
            if rollout is not None:
                group.create_task(rollout.watch(statuses), name="rollout")
            if settings.metrics is not None:
                metrics = serve_metrics(settings.metrics, lambda: exposition(health()))
                group.create_task(metrics, name="metrics")
            if node is not None:
                group.create_task(node.run(), name="Sparkplug node")


def _sparkplug(
    settings: AgentSettings,
    schema: NodeSchema,
    statuses: Callable[[], Sequence[SourceStatus]],
    spool: Spool,
    drain: Drain,
    clock: Callable[[], int],
) -> "SparkplugNode":
    from edge.sparkplug import SparkplugNode  # protobuf costs memory that not every gateway need pay
    from edge.sparkplug_batch import BatchMetrics
    from edge.sparkplug_feed import SpoolFeed
    from edge.sparkplug_node import NodeMetrics

    assert settings.sparkplug is not None  # noqa: S101
    handles = {entry.path: entry.handle for entry in schema.entries}
    devices = {source.name: [handles[feed.path] for feed in signals_of(source)] for source in settings.sources}
    wanted = settings.sparkplug
    metrics = NodeMetrics(schema.entries, devices, wanted.keep_values, aliases=wanted.aliases)
    feed = SpoolFeed(settings.uplink, spool, BatchMetrics(metrics, schema.entries), drain, clock)
    return SparkplugNode(
        wanted, settings.node, settings.broker, metrics, statuses, spool, feed if wanted.receipts else None, clock
    )


async def _supervised(
    source: SourceSettings,
    settings: AgentSettings,
    spool: Spool,
    schema_hash: str,
    handles: Mapping[str, int],
    clock: Callable[[], int],
) -> _Supervised:
    own = tuple(sorted(handles[feed.path] for feed in signals_of(source)))
    sink = SourceSink(spool, source.name, own, schema_hash, clock)
    await sink.recall()
    if isinstance(source, MqttSettings):
        return await _mqtt(source, settings, sink, spool, handles, clock)
    if isinstance(source, ReplaySettings):
        return await _replay(source, settings, sink, spool, handles, clock)
    from edge.sources.opcua import OpcUaSource  # its library costs memory that an MQTT gateway need not pay

    now_ns = spool.salvaged_ns or clock()
    made = OpcUaSource(source, handles, memory=spool, unread_since_ns=now_ns, clock=clock)
    await made.backfill.recall()
    await sink.begin_anew(await made.backfill.take_up(sink.missed(now_ns)), now_ns)
    return _Supervised(made, sink)


async def _replay(
    source: ReplaySettings,
    settings: AgentSettings,
    sink: SourceSink,
    spool: Spool,
    handles: Mapping[str, int],
    clock: Callable[[], int],
) -> _Supervised:
    from edge.sources.replay import ReplaySource  # few gateways read recordings

    if source.time == "shifted":  # … which is as if it were live
        now_ns = spool.salvaged_ns or clock()
        await sink.begin_anew(sink.missed(now_ns), now_ns)
        sink.unread_since(now_ns)
    letters = _letters(settings, source.name)
    return _Supervised(ReplaySource(source, handles, dead_letters=letters, memory=spool, clock=clock), sink)


def _letters(settings: AgentSettings, source: str) -> Path:
    return settings.spool.path.with_name(f"{source}.dead-letters.jsonl")


async def _mqtt(
    source: MqttSettings,
    settings: AgentSettings,
    sink: SourceSink,
    spool: Spool,
    handles: Mapping[str, int],
    clock: Callable[[], int],
) -> _Supervised:
    if source.clean_session or not sink.last_read:
        now_ns = spool.salvaged_ns or clock()
        await sink.begin_anew(sink.missed(now_ns), now_ns)
        sink.unread_since(now_ns)
    made = MqttSource(
        source,
        handles,
        client_id=f"{settings.node}-{source.name}",
        dead_letters=_letters(settings, source.name),
        last_read=sink.last_read,
        memory=spool,
        clock=clock,
    )
    return _Supervised(made, sink)


def _first(errors: BaseExceptionGroup[ConfigError]) -> ConfigError:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, ConfigError)  # noqa: S101
    return error
