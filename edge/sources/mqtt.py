"""Hop *sense*, MQTT: one broker that devices publish to → readings.

In: QoS 1 messages of a session that the broker keeps for us. Out: `Reading`s and `Gap`s for the sink; a message is
acknowledged only after the sink has it on disk. What cannot be understood goes to the dead letters, the rest flows on.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from edge.dead_letters import DeadLetters
from edge.deadband import Thinner, thin_keys
from edge.last_read import LastRead
from edge.mapping import TopicMapping
from edge.sources.mqtt_harvest import Harvest, Harvester
from edge.sources.mqtt_metadata import RememberedMetadata
from edge.sources.mqtt_restart import broker_began_ns
from edge.sources.mqtt_settings import MqttSettings
from edge.sources.mqtt_signals import bands, unqueued
from edge.sources.mqtt_unnamed import Unnamed
from edge.sources.source import Memory, Sink, SourceState, SourceStatus
from twin.errors import Retryable
from twin.wire.backoff import Backoff
from twin.wire.mqtt import Client, Message, connect
from twin.wire.reading import Gap, GapCause

logger = logging.getLogger(__name__)

_MOST_INBOUND = 2_000  # messages that wait in memory; beyond it the socket is not read
_MOST_AT_ONCE = 1_000  # messages that share one call of the sink
_LOOK_S = 1.0  # how often heartbeats and silence are looked at


class MqttSource:
    """One broker that is read.

    Args:
        settings: of this source.
        handles: every signal path of its topics → the signal's place in the node's schema.
        client_id: names our session at the broker; the same after a restart.
        dead_letters: where to log what is not understood.
        last_read: until when each of its signals is accounted for, by this process or an earlier one.
        memory: where to remember that a session at the broker may be one that lacks our subscriptions.
        clock: nanoseconds UTC.
    """

    kind: str = "mqtt"

    def __init__(
        self,
        settings: MqttSettings,
        handles: Mapping[str, int],
        *,
        client_id: str,
        dead_letters: Path,
        last_read: LastRead | None = None,
        memory: Memory | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._settings = settings
        self._client_id = settings.client_id or client_id
        self._clock = clock
        self._mapping = TopicMapping(settings.topics, handles)
        self._handles = tuple(sorted(handles[path] for topic in settings.topics for path, _ in topic.feeds()))
        self._thinner = Thinner(bands(settings, handles), thin_keys(settings.name, handles))
        self._letters = DeadLetters(settings.dead_letters or dead_letters, settings.dead_letters_max_bytes)
        self._last_read = LastRead(self._handles) if last_read is None else last_read
        self._memory = memory
        self._metadata = RememberedMetadata(settings.name, self._mapping, memory)
        self._unnamed = Unnamed(settings.name, self._mapping, self._last_read, memory)
        self._doubted = False  # a session was begun by us and what went before it is not accounted for yet
        self._heard_ns = 0  # when the broker was last known to live
        self._harvester = Harvester(self._mapping, self._unnamed, unqueued(settings, handles))
        self._state = SourceState.CONNECTING
        self._detail = ""
        self._since_ns = clock()
        self._silent_since_ns = 0
        self._session_resumed = False
        self._counts = self._harvester.counts
        self._values = 0
        self._newest_ns = 0

    @property
    def name(self) -> str:
        """Unique within the agent."""
        return self._settings.name

    async def run(self, sink: Sink) -> None:
        """Read for ever; see `Source.run`."""
        await self._thinner.resume(self._memory, sink, self._clock())
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look(sink), name=f"{self.name} heartbeat")
            group.create_task(self._read_forever(sink), name=f"{self.name} read")

    def status(self) -> SourceStatus:
        """What the health report says of it."""
        detail = self._detail
        if self._silent_since_ns and self._state is SourceState.CONNECTED:
            since = datetime.fromtimestamp(self._silent_since_ns // 1_000_000_000, UTC)
            detail = f"no message since {since:%Y-%m-%dT%H:%M:%SZ}"
        elif self._unnamed.waits and self._state is SourceState.CONNECTED:
            detail = "values come whose metadata has not come: see that this agent may read its topic"
        facts = {**self._counts, "withheld": self._thinner.withheld, "session_resumed": self._session_resumed}
        return SourceStatus(
            self.name, self.kind, self._state, detail, self._since_ns, self._values, self._newest_ns, facts
        )

    async def _read_forever(self, sink: Sink) -> None:
        backoff = Backoff(most_s=5.0)
        key = f"session-doubted/{self.name}"
        self._doubted = self._memory is not None and bool(await self._memory.recall(key))
        await self._metadata.recall()
        await self._unnamed.recall()
        while True:
            try:
                if self._memory is not None:  # a kill from here on must not make a new session look like the old one
                    await self._memory.remember(key, b"1")
                async with connect(
                    self._settings.broker,
                    client_id=self._client_id,
                    clean_session=self._settings.clean_session,
                    session_expiry_s=self._settings.session_expiry_s,
                    max_inbound=_MOST_INBOUND,
                    manual_ack=True,
                    receive_maximum=self._settings.in_flight,
                ) as client:
                    self._doubted = self._doubted or not client.session_present
                    if self._doubted:
                        await client.subscribe(self._mapping.subscriptions())  # until then we may have missed something
                    else:
                        client.subscribe_nowait(self._mapping.subscriptions())
                    await self._account_for_absence(client, sink)
                    self._doubted = False
                    if self._memory is not None:
                        await self._memory.remember(key, b"")
                    backoff.reset()
                    await self._receive(client, sink)
            except Retryable as error:
                self._lose(str(error))
            await backoff.wait()

    async def _receive(self, client: Client, sink: Sink) -> None:
        messages: list[Message] = []
        async for message in client.messages():
            messages.append(message)
            if client.waiting() and len(messages) < _MOST_AT_ONCE:
                continue
            await self._keep(self._understand(messages), sink)
            await self._metadata.remember()
            await self._unnamed.remember()
            for kept in messages:
                client.acknowledge(kept)
            messages = []

    async def _keep(self, harvest: Harvest, sink: Sink) -> None:
        readings = self._thinner.thin(harvest.readings)
        lines = self._thinner.unsaved()
        if readings or harvest.gaps or lines:
            await sink.keep(readings, harvest.gaps, remembered=lines)
        self._last_read.take(harvest.readings)
        if harvest.letters:
            await asyncio.to_thread(self._letters.write, harvest.letters)
        self._values += len(readings)
        self._counts["gaps"] += len(harvest.gaps)
        if readings:
            self._newest_ns = max(self._newest_ns, max(reading.source_ns for reading in readings))

    def _understand(self, messages: Sequence[Message]) -> Harvest:
        self._heard_ns = self._clock()
        if self._silent_since_ns:
            self._silent_since_ns = 0
            logger.info("source %s: messages come again", self.name)
        return self._harvester.understand(messages, self._heard_ns)

    async def _account_for_absence(self, client: Client, sink: Sink) -> None:
        """Record what the broker cannot have kept for us since the last message."""
        now_ns = self._clock()
        self._session_resumed = not self._doubted and not self._settings.clean_session
        gaps = self._absence(now_ns)
        if self._session_resumed and self._settings.redelivers:
            gaps += await self._restart()
        if gaps:
            self._counts["gaps"] += len(gaps)
            await sink.keep((), gaps)
        self._last_read.begin(now_ns)
        self._heard_ns = now_ns
        how = "session resumed" if self._session_resumed else "new session"
        logger.info("source %s is connected (MQTT %s, %s)", self.name, client.protocol, how)
        self._enter(SourceState.CONNECTED, "")

    def _absence(self, now_ns: int) -> list[Gap]:
        last_read = self._last_read
        if self._settings.clean_session:
            detail = "not connected; clean_session keeps nothing"
            return last_read.gaps(now_ns, GapCause.DEVICE_UNREACHABLE, detail)
        if self._session_resumed and not self._settings.redelivers:
            detail = "the broker does not send again what was on its way to us"
            return last_read.gaps(now_ns, GapCause.SESSION_LOST, detail)
        if not self._session_resumed:
            return last_read.gaps(now_ns, GapCause.SESSION_LOST, "the broker does not know our session")
        detail = "the broker keeps no QoS 0 messages for us"
        return last_read.gaps(now_ns, GapCause.DEVICE_UNREACHABLE, detail, sorted(self._harvester.unqueued))

    async def _restart(self) -> list[Gap]:
        """What a broker that was restarted since we last heard of it may have taken from the devices and not saved."""
        topic = self._settings.uptime_topic
        if topic is None:
            return []
        client_id = f"{self._client_id}-uptime"
        began_ns = await broker_began_ns(self._settings.broker, topic, client_id=client_id, clock=self._clock)
        if began_ns is None:
            logger.info("source %s: the broker says nothing on %s; a restart of it goes unnoticed", self.name, topic)
            return []
        if began_ns <= max(self._heard_ns, self._last_read.newest_ns):
            return []
        detail = "the broker was restarted; what it had taken from the devices and not saved is gone"
        return self._last_read.gaps(began_ns, GapCause.SESSION_LOST, detail)

    async def _look(self, sink: Sink) -> None:
        silent_after_ns = round(self._settings.silent_after_s * 1e9)
        while True:
            await asyncio.sleep(_LOOK_S)
            now_ns = self._clock()
            beats = self._thinner.due(now_ns)
            if beats:
                await sink.keep(beats, remembered=self._thinner.unsaved())
                self._values += len(beats)
            unnamed = self._unnamed.due(now_ns)
            if unnamed:
                await sink.keep((), unnamed)
                self._counts["gaps"] += len(unnamed)
            if self._state is not SourceState.CONNECTED or now_ns - self._heard_ns <= silent_after_ns:
                continue
            if not self._silent_since_ns:
                logger.warning("source %s: no message for %g s", self.name, self._settings.silent_after_s)
            self._silent_since_ns = self._heard_ns

    def _lose(self, reason: str) -> None:
        if self._state is not SourceState.DOWN or reason != self._detail:
            broker = self._settings.broker
            logger.warning("source %s: broker %s:%d is away: %s", self.name, broker.host, broker.port, reason)
        self._enter(SourceState.DOWN, reason)

    def _enter(self, state: SourceState, detail: str) -> None:
        if state is not self._state:
            self._since_ns = self._clock()
        self._state, self._detail = state, detail
