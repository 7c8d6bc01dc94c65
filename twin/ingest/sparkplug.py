"""Hop *receive* for Sparkplug B 3.0: this twin as a host application.

In: births, data and deaths of edge nodes that others have built. Out: what they came to, to the desk; STATE (retained,
offline as the will), and requests for a Rebirth. DATA is QoS 0: what is lost on the way is lost, but it is noticed by
the sequence number and recorded as a gap.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from contextlib import suppress

from twin.errors import Rejected, Retryable
from twin.ingest.admit import Rejection
from twin.ingest.sparkplug_desk import Book, SparkplugDesk
from twin.ingest.sparkplug_outcome import Outcome
from twin.ingest.sparkplug_receipts import Receipts
from twin.ingest.sparkplug_session import Session
from twin.ingest.sparkplug_settings import Naming, SparkplugSettings
from twin.state.document import rfc3339
from twin.wire.backoff import Backoff
from twin.wire.mqtt import BrokerSettings, Client, Message, connect
from twin.wire.reading import GapCause
from twin.wire.sparkplug import DataType, Metric, Payload, decode, encode
from twin.wire.sparkplug_receipt import committed
from twin.wire.sparkplug_topic import NAMESPACE, Address, HostState, Kind, address, state
from twin.wire.together import together

logger = logging.getLogger(__name__)

MOST_NODES = 10_000
MOST_AT_ONCE = 500  # messages whose values may share a batch
LOOK_S = 0.25  # how often missing messages are looked for
_HEARD = (Kind.NBIRTH, Kind.NDEATH, Kind.NDATA, Kind.DBIRTH, Kind.DDEATH, Kind.DDATA)


class _Node:
    """One edge node: what is known of it, and when it was last asked for a Rebirth."""

    def __init__(self, group: str, name: str, naming: Naming, reorder_ns: int) -> None:
        self.group = group
        self.name = name
        self.session = Session(reorder_ns=reorder_ns)
        self.book = Book(group, name, naming)
        self.wanted = ""  # why a Rebirth is wanted
        self.asked_ns = 0
        self._told = (False, 0, 0)

    def tell(self) -> None:
        """Into the log, when there is news: once for births that come together."""
        news = (self.session.born, *self.book.counts)
        if news != self._told:
            self._told = news
            word = "online" if news[0] else "offline"
            text = "Sparkplug node %s is %s: %d of its metrics are signals, %d are not"
            logger.info(text, self.book.node, word, *self.book.counts)

    def health(self, now_ns: int) -> dict[str, object]:
        """As a gateway reports of itself; its devices are its sources."""
        since, session = rfc3339(self.session.since_ns), self.session
        signals, no_signals = self.book.counts
        return {
            "format": 1,
            "node": self.book.node,
            "status": "online" if session.born else "offline",
            "at": rfc3339(now_ns) if session.born else since,
            "version": "Sparkplug B",
            "signals": signals,
            "no_signals": no_signals,
            "sources": [
                {
                    "name": device,
                    "kind": "sparkplug",
                    "status": "connected" if there else "down",
                    "detail": "" if there else "its birth was not heard, or it has died",
                    "since": since,
                }
                for device, there in sorted(session.devices.items())
            ],
        }


class SparkplugHost:
    """The host application.

    Args:
        settings: who we are, which metrics are which signals.
        broker: where the edge nodes publish.
        desk: takes what they say.
        receipts: for nodes that number their batches.
        clock: nanoseconds UTC.
    """

    def __init__(
        self,
        settings: SparkplugSettings,
        broker: BrokerSettings,
        desk: SparkplugDesk,
        receipts: Receipts,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._settings = settings
        self._broker = broker
        self._desk = desk
        self._receipts = receipts
        self._clock = clock
        self._naming = Naming(settings.signals)
        self._nodes: dict[tuple[str, str], _Node] = {}
        self._named: dict[str, _Node] = {}  # the same by the name of their book
        self._busy = asyncio.Lock()  # messages and the look for missing ones take turns

    async def run(self) -> None:
        """Until cancelled; a lost broker is waited for with backoff."""
        backoff = Backoff()
        while True:
            ours = HostState(False, self._clock() // 1_000_000)
            try:
                will = Message(state(self._settings.host), ours.to_json(), 1, True)
                name = f"fabriquay-sparkplug-{self._settings.host}-{secrets.token_hex(4)}"
                async with connect(self._broker, client_id=name, will=will) as client:
                    await self._session(client, ours.timestamp_ms, backoff)
            except* Retryable as group:
                if backoff.fresh:
                    logger.warning("not hearing Sparkplug nodes: %s", group.exceptions[0])
            self._lose()
            await backoff.wait()

    async def _session(self, client: Client, timestamp_ms: int, backoff: Backoff) -> None:
        own = state(self._settings.host)
        groups = self._settings.groups or ("+",)
        nodes = [
            (f"{NAMESPACE}/{group}/{kind}/+{'/+' if kind.startswith('D') else ''}", 1)
            for group in groups
            for kind in _HEARD
        ]
        client.subscribe_nowait([(own, 1), *nodes])
        await client.publish(own, HostState(True, timestamp_ms).to_json(), qos=1, retain=True)
        where = f"{self._broker.host}:{self._broker.port}"
        logger.info("Sparkplug host %s is online at the broker %s", self._settings.host, where)
        backoff.reset()
        try:
            tasks = {
                "Sparkplug: look": self._look(client),
                "Sparkplug: receive": self._receive(client, own, timestamp_ms),
                "Sparkplug: receipts": self._tell_receipts(client),
            }
            await together(tasks)
        except asyncio.CancelledError:
            with suppress(Retryable):
                await client.publish(own, HostState(False, timestamp_ms).to_json(), qos=1, retain=True, timeout_s=1)
            raise

    # --- in ------------------------------------------------------------------------------------------------------

    async def _receive(self, client: Client, own: str, timestamp_ms: int) -> None:
        messages: list[Message] = []
        async for message in client.messages():
            if message.topic == own:
                await self._insist(client, message, timestamp_ms)
            else:
                messages.append(message)
            if client.waiting() and len(messages) < MOST_AT_ONCE:
                continue
            async with self._busy:
                await self._take(messages)
                await self._ask(client)
            messages = []

    async def _insist(self, client: Client, message: Message, timestamp_ms: int) -> None:
        """Another's word on us does not stay: the will of our last connection may come after the birth of this one."""
        with suppress(Rejected):
            if HostState.from_json(message.payload).online:
                return
        await client.publish(message.topic, HostState(True, timestamp_ms).to_json(), qos=1, retain=True)

    async def _take(self, messages: list[Message]) -> None:
        """Work on messages; what consecutive ones of one node say goes together."""
        gathered, of = Outcome(), None
        for message in messages:
            where = address(message.topic)
            node = None if where is None else self._node(where)
            if where is None or node is None:
                continue
            if of is not node or where.kind not in (Kind.NDATA, Kind.DDATA):
                await self._hand_over(of, gathered)
                gathered, of = Outcome(), node
            self._desk.counters.sparkplug_messages += 1
            await self._read(node, where, message, gathered)
        await self._hand_over(of, gathered)

    async def _read(self, node: _Node, where: Address, message: Message, gathered: Outcome) -> None:
        if message.retain:
            return  # nothing of a node may be retained: it would be from another time
        if where.kind in (Kind.NBIRTH, Kind.DBIRTH):
            node.book.forget_told()
        try:
            outcome = node.session.take(where.kind, where.device, decode(message.payload), self._clock())
        except Rejected as error:
            self._desk.counters.malformed += 1
            logger.warning("a message on %s is refused: %s", message.topic, error)
            await self._desk.refuse(node.book, Rejection(error.reason, f"{message.topic}: {error}"), self._clock())
            return
        if where.kind is Kind.NBIRTH:
            node.wanted = ""
            if node.session.epoch:
                self._receipts.want(node.book.node, node.session.epoch)
        _add(gathered, outcome)

    def _node(self, where: Address) -> _Node | None:
        key = (where.group, where.node)
        if key not in self._nodes:
            if len(self._nodes) >= MOST_NODES:
                return None
            node = self._nodes[key] = _Node(*key, self._naming, round(self._settings.reorder_s * 1e9))
            self._named[node.book.node] = node
        return self._nodes[key]

    async def _hand_over(self, node: _Node | None, outcome: Outcome) -> None:
        if node is None:
            return
        now_ns = self._clock()
        node.wanted = outcome.rebirth or node.wanted
        await self._desk.take(node.book, outcome, now_ns)
        if outcome.changed:
            self._desk.on_health(node.book.node, node.health(now_ns))

    # --- out -----------------------------------------------------------------------------------------------------

    async def _look(self, client: Client) -> None:
        while True:
            async with self._busy:
                for node in self._nodes.values():
                    await self._hand_over(node, node.session.tick(self._clock()))
                    node.tell()
                await self._ask(client)
            await asyncio.sleep(LOOK_S)

    async def _ask(self, client: Client) -> None:
        """Request the births that are wanted; one that does not come is asked for again while the node talks."""
        now_ns = self._clock()
        for node in self._nodes.values():
            if not node.wanted or now_ns - node.asked_ns < self._settings.rebirth_s * 1e9:
                continue
            logger.info("asking %s/%s for a Rebirth: %s", node.group, node.name, node.wanted)
            rebirth = Metric("Node Control/Rebirth", True, DataType.BOOLEAN, now_ns // 1_000_000)
            await self._command(client, node, rebirth)
            node.wanted, node.asked_ns = "", now_ns
            self._desk.counters.sparkplug_rebirths += 1

    async def _tell_receipts(self, client: Client) -> None:
        """Write what is committed to the nodes that number their batches; a lost one is mended by the next."""
        while True:
            for name, receipt in await self._receipts.news():
                node = self._named.get(name)
                if node is not None and node.session.epoch == receipt.epoch:
                    await self._command(client, node, committed(receipt, self._clock() // 1_000_000))

    async def _command(self, client: Client, node: _Node, metric: Metric) -> None:
        where = Address(node.group, Kind.NCMD, node.name).topic
        await client.publish(where, encode(Payload((metric,), metric.timestamp_ms)))

    def _lose(self) -> None:
        """The broker is away: whatever nodes publish now is not heard."""
        for node in self._nodes.values():
            if node.session.born:
                node.wanted = "the host application was away"
            now_ns, was_there = self._clock(), node.session.born
            node.session.lose(GapCause.SESSION_LOST, "the host application was not connected", now_ns)
            if was_there:
                self._desk.on_health(node.book.node, node.health(now_ns))


def _add(gathered: Outcome, outcome: Outcome) -> None:
    gathered.values += outcome.values
    gathered.holes += outcome.holes
    gathered.births += outcome.births
    gathered.refusals += outcome.refusals
    gathered.batches += outcome.batches
    gathered.rebirth = outcome.rebirth or gathered.rebirth
    gathered.changed = gathered.changed or outcome.changed
