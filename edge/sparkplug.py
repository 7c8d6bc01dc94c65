"""Hop *send*, once more: what the agent reads, published as a Sparkplug B 3.0 edge node, so that others can read it.

In: readings that are in the spool already. Out: NBIRTH, DBIRTH, DDATA, DDEATH (QoS 0, as the specification wants) and
NDEATH (the will). Best effort by nature; with a `SpoolFeed` the node is the way to the twin itself, and the spool
forgets nothing without the twin's receipt. A Rebirth is obeyed, any other command is not.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from edge.sources.source import Memory, SourceState, SourceStatus
from edge.sparkplug_batch import Part
from edge.sparkplug_feed import SpoolFeed
from edge.sparkplug_node import REBIRTH, NodeMetrics, node_death
from edge.sparkplug_settings import SparkplugNodeSettings
from twin.errors import Rejected, Retryable
from twin.wire.backoff import Backoff
from twin.wire.mqtt import BrokerSettings, Client, Message, connect
from twin.wire.reading import Reading
from twin.wire.sparkplug import Payload, decode, encode
from twin.wire.sparkplug_receipt import COMMITTED
from twin.wire.sparkplug_topic import Address, HostState, Kind, state
from twin.wire.together import together

logger = logging.getLogger(__name__)

_SESSIONS = 256
_MEMORY = "sparkplug-bd-seq"


class _HostGone(Retryable):
    """The primary host is offline: the specification wants us to disconnect, and to wait for it."""


class SparkplugNode:
    """The edge node.

    Args:
        settings: group, names, patience.
        node: our name, where the settings give none.
        broker: where to publish, where the settings give none.
        metrics: what there is to say.
        statuses: of the sources, our devices.
        memory: keeps the number of the session.
        feed: where the values come from instead of `offer`, when the twin is to get them this way.
        clock: nanoseconds UTC.
    """

    def __init__(
        self,
        settings: SparkplugNodeSettings,
        node: str,
        broker: BrokerSettings,
        metrics: NodeMetrics,
        statuses: Callable[[], Sequence[SourceStatus]],
        memory: Memory,
        feed: SpoolFeed | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._settings = settings
        self._node = settings.node or node
        self._broker = settings.broker or broker
        self._metrics = metrics
        self._statuses = statuses
        self._memory = memory
        self._feed = feed
        self._clock = clock
        self._born: dict[str, bool] = {}  # device → whether it is there; of this session
        self._is_born = False
        self._rebirth = False
        self._host = HostState(settings.primary_host is None, 0)
        self._wake = asyncio.Event()
        self._published = 0
        self._detail = "not connected yet"

    def offer(self, readings: Sequence[Reading]) -> None:
        """Readings that are on disk; never waits."""
        (self._metrics.offer if self._feed is None else self._metrics.note)(readings)

    def status(self) -> Mapping[str, object]:
        """What the health report says of it."""
        return {
            "online": self._is_born,
            "detail": self._detail,
            "values": self._published,
            "waiting": self._metrics.waiting() if self._feed is None else self._feed.waiting(),
            "dropped": self._metrics.dropped,
        }

    async def run(self) -> None:
        """Until cancelled; a lost broker or host is waited for."""
        backoff = Backoff(most_s=5.0)
        told = await self._memory.recall(_MEMORY)
        bd_seq = int(told or b"255")
        while True:
            following = (bd_seq + 1) % _SESSIONS
            death = encode(node_death(following, self._now_ms()))
            will = Message(self._topic(Kind.NDEATH), death, 1)
            name = f"fabriquay-node-{self._settings.group}-{self._node}"
            try:
                async with connect(self._broker, client_id=name, will=will) as client:
                    bd_seq = following
                    await self._memory.remember(_MEMORY, str(bd_seq).encode())
                    backoff.reset()
                    await self._session(client, bd_seq)
            except* Retryable as group:
                self._lose(_first(group))
            await backoff.wait()

    async def _session(self, client: Client, bd_seq: int) -> None:
        host = self._settings.primary_host
        self._detail = f"waiting for the primary host {host}" if host else ""
        self._host = HostState(host is None, 0)
        self._rebirth = False
        wanted = [self._topic(Kind.NCMD), *([state(host)] if host else [])]
        await client.subscribe([(topic, 1) for topic in wanted])
        try:
            tasks = {
                "Sparkplug node: receive": self._receive(client),
                "Sparkplug node: publish": self._publish(client, bd_seq),
            }
            if self._feed is not None:
                tasks["Sparkplug node: settle"] = self._feed.settle(self._wake)
                tasks["Sparkplug node: watch"] = self._feed.watch(self._wake)
            await together(tasks)
        except asyncio.CancelledError:
            with suppress(Retryable):
                await self._die(client, bd_seq)
            raise

    # --- out -----------------------------------------------------------------------------------------------------

    async def _publish(self, client: Client, bd_seq: int) -> None:
        while not self._host.online:
            await self._rest(None)
        await self._bear(client, bd_seq)
        while True:
            await self._rest(self._pause_s())
            if not self._host.online:
                await self._die(client, bd_seq)
                raise _HostGone(f"the primary host {self._settings.primary_host} is offline")
            if self._rebirth:
                await self._bear(client, bd_seq)
            await (self._tell(client) if self._feed is None else self._tell_batches(self._feed))
            await self._devices(client)

    def _pause_s(self) -> float:
        period_s = self._settings.period_ms / 1000
        return period_s if self._feed is None else min(period_s, self._feed.rest_s())

    async def _bear(self, client: Client, bd_seq: int) -> None:
        self._rebirth = False
        more = () if self._feed is None else await self._feed.birth(self._now_ms(), partial(self._tell_part, client))
        await self._send(client, Kind.NBIRTH, "", self._metrics.node_birth(bd_seq, self._now_ms(), more))
        if not self._is_born:
            logger.info("Sparkplug node %s/%s is online", self._settings.group, self._node)
        self._is_born, self._detail = True, ""
        self._born.clear()
        await self._devices(client)

    async def _devices(self, client: Client) -> None:
        """Birth and death of devices, as their sources come and go."""
        for source in self._statuses():
            there = source.state is SourceState.CONNECTED
            if there and not self._born.get(source.name, False):
                await self._bear_device(client, source.name)
            elif not there and self._born.get(source.name, False):
                await self._send(client, Kind.DDEATH, source.name, self._metrics.device_death(self._now_ms()))
            self._born[source.name] = there

    async def _bear_device(self, client: Client, name: str) -> None:
        await self._send(client, Kind.DBIRTH, name, self._metrics.device_birth(name, self._now_ms()))
        self._born[name] = True

    async def _tell(self, client: Client) -> None:
        for name in [name for name, there in self._born.items() if there]:
            while self._host.online and not self._rebirth:
                found = self._metrics.data(name, self._now_ms())
                if found is None:
                    break
                payload, count = found
                await self._send(client, Kind.DDATA, name, payload)
                self._metrics.sent(name, count)
                self._published += count

    async def _tell_batches(self, feed: SpoolFeed) -> None:
        while self._host.online and not self._rebirth and await feed.step():
            pass

    async def _tell_part(self, client: Client, part: Part) -> None:
        """A device that is down has history, too: it is there for as long as that takes."""
        device, metrics = part
        if device and not self._born.get(device, False):
            await self._bear_device(client, device)
        if metrics:
            kind = Kind.DDATA if device else Kind.NDATA
            await self._send(client, kind, device, self._metrics.message(metrics, self._now_ms()))
        self._published += len(metrics) if device else 0

    async def _die(self, client: Client, bd_seq: int) -> None:
        if self._is_born:
            self._is_born = False
            death = encode(node_death(bd_seq, self._now_ms()))
            await client.publish(self._topic(Kind.NDEATH), death, qos=1, timeout_s=1)

    async def _send(self, client: Client, kind: Kind, device: str, payload: Payload) -> None:
        await client.publish(self._topic(kind, device), encode(payload))

    async def _rest(self, timeout_s: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        self._wake.clear()

    # --- in ------------------------------------------------------------------------------------------------------

    async def _receive(self, client: Client) -> None:
        async for message in client.messages():
            try:
                self._take(message)
            except Rejected as error:
                logger.warning("message on %s ignored: %s", message.topic, error)

    def _take(self, message: Message) -> None:
        if message.topic == self._topic(Kind.NCMD):
            for metric in decode(message.payload).metrics:
                if metric.name == REBIRTH and metric.value is True:
                    self._rebirth = True
                elif metric.name == COMMITTED and self._feed is not None:
                    self._feed.hear(metric)
                else:
                    logger.warning("Sparkplug command %s refused: this agent writes to nobody", metric.name)
        elif message.payload:
            said = HostState.from_json(message.payload)
            if said.timestamp_ms < self._host.timestamp_ms:
                return  # the will of an older connection of the host
            self._host = said
        self._wake.set()

    def _lose(self, error: BaseException) -> None:
        if self._detail != str(error):
            logger.warning("Sparkplug node %s/%s is offline: %s", self._settings.group, self._node, error)
        self._is_born, self._detail = False, str(error)
        self._born.clear()

    def _topic(self, kind: Kind, device: str = "") -> str:
        return Address(self._settings.group, kind, self._node, device).topic

    def _now_ms(self) -> int:
        return self._clock() // 1_000_000


def _first(errors: BaseExceptionGroup[Retryable]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
