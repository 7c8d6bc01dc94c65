"""One OPC UA server that is read, over whatever connection there is (of a set, the one whose turn it is).

In: notifications of its subscriptions. Out: `Reading`s and `Gap`s for the sink; a message is acknowledged to the server
only after the sink has it on disk.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import cast

from edge.sources.opcua_channel import Channel, Refused, SessionMemory, door
from edge.sources.opcua_connect import open_channel
from edge.sources.opcua_cover import Cover
from edge.sources.opcua_gaps import Arrival
from edge.sources.opcua_history import MOST_NODES, Backfill, Historian
from edge.sources.opcua_library import ua
from edge.sources.opcua_message import Publication
from edge.sources.opcua_places import Places
from edge.sources.opcua_publish import PublishWindow
from edge.sources.opcua_security import Untrusted
from edge.sources.opcua_server import Server
from edge.sources.opcua_settings import OpcUaSettings
from edge.sources.opcua_unkept import Judge, Message, Unkept
from edge.sources.source import Sink, SourceState
from twin.errors import Retryable
from twin.wire.backoff import Backoff
from twin.wire.reading import GapCause
from twin.wire.together import together

log = logging.getLogger(__name__)

_SLACK_S = 1.0  # that a keep-alive may be late
_MEASURE_EVERY_S = 30.0
_REFRESH_EVERY_S = 5.0  # a server may require it with every event that it drops


class Reader:
    """It outlives connections.

    Args:
        settings: of the source; for one server of several that are read at once, with its address alone.
        handles: every signal path of its items → the signal's place in the node's schema.
        backfill: of the source.
        unread_since_ns: from then on its signals are unread; 0: from their first reading on.
        clock: nanoseconds UTC.
    """

    def __init__(
        self,
        settings: OpcUaSettings,
        handles: Mapping[str, int],
        backfill: Backfill,
        unread_since_ns: int,
        clock: Callable[[], int],
    ) -> None:
        self._settings: OpcUaSettings = settings
        self._clock: Callable[[], int] = clock
        self._backfill: Backfill = backfill
        self._places: Places = Places(settings, clock)
        self._server: Server = Server(settings, handles, unread_since_ns, clock)
        self._memory: SessionMemory | None = None
        self._unkept: Unkept = Unkept()
        self._rejected: set[int] = set()
        self._refresh: asyncio.Event = asyncio.Event()
        self._news: asyncio.Condition = asyncio.Condition()  # a message was taken, or the connection is gone
        self._backoff: Backoff = Backoff(0.5, 5.0)
        self._connects: int = 0
        self.cover: Cover = Cover(self._server.ledger)
        self.state: SourceState = SourceState.CONNECTING
        self.detail: str = ""
        self.since_ns: int = clock()
        self.redundant: bool = len(self._places) > 1  # there are others with the same nodes

    @property
    def url(self) -> str:
        """Of the server whose turn it is."""
        return self._places.settings.url

    async def run(self, sink: Sink, judge: Judge) -> None:
        """Read for ever. `judge` says what becomes of gaps."""
        keep = self._unkept.keep(sink, judge, self._server.subscriptions.acknowledgements)
        name = self._settings.name
        await together({f"{name} keep": keep, f"{name} connect": self._connect_forever(sink)})

    async def heard_since(self, asked_s: float) -> bool:
        """Whether all that it monitors has been heard of since that loop time; waits for it, but not long."""
        limit_s = self._settings.missed_keep_alives * self._server.subscriptions.keep_alive_s + _SLACK_S
        subscriptions = self._server.subscriptions
        try:
            async with asyncio.timeout(limit_s), self._news:
                await self._news.wait_for(
                    lambda: self.state is not SourceState.CONNECTED or subscriptions.taken_since(asked_s)
                )
        except TimeoutError:
            return False
        return self.state is SourceState.CONNECTED

    def warnings(self) -> list[str]:
        """What is not as it should be although it is connected."""
        return [*self._server.warnings(), *self._places.security.warnings()]

    def facts(self) -> dict[str, object]:
        """Figures for the health report."""
        security = self._places.security
        return {
            "url": self.url,
            "connects": self._connects,
            "security": security.facts(),
            "certificate_days": security.days_left(),
            **self._server.facts(),
        }

    async def _connect_forever(self, sink: Sink) -> None:
        while True:
            reason, new_trouble = "the connection ended", False
            try:
                await self._connected(sink)
            except* Retryable as errors:
                error = _first(errors)
                reason = str(error)
                new_trouble |= isinstance(error, Untrusted) and reason != self.detail
            if new_trouble or self.state is not SourceState.DOWN:
                log.warning("source %s: %s is away: %s", self._settings.name, self.url, reason)
            await self._enter(SourceState.DOWN, reason)
            if self._go_on_elsewhere():
                await self._backoff.wait()

    def _go_on_elsewhere(self) -> bool:
        """The next of the redundant servers; it knows nothing of our session. True when all have had their turn."""
        if len(self._places) > 1:
            self._memory = None
            self._server.replaced()
        return self._places.move_on()

    async def _connected(self, sink: Sink) -> None:
        server, security, name = self._server, self._places.security, self._settings.name
        async with open_channel(self._places.settings, self._memory, security) as channel:
            self._memory = channel.memory()
            started_ns, restarted = await server.meet(channel, one_of_several=self.redundant)
            await server.measure(channel)
            outcome = await server.subscriptions.establish(channel, self, server.limits, restarted=restarted)
            if outcome == "created":
                await server.subscriptions.refresh_conditions(channel)
            for one in server.warnings():
                log.warning("source %s: %s", name, one)
            self._connects += 1
            log.info("source %s: connected to %s, subscription %s", name, self.url, outcome)
            await self._enter(SourceState.CONNECTED, "")
            started_ns += server.clock.correction_ns if started_ns else 0
            most_nodes = server.limits.nodes_per_history_read or MOST_NODES
            historian = Historian(channel, server.table, server.clock, most_nodes, started_ns)
            await together(
                {
                    f"{name} receive": self._receive(channel),
                    f"{name} secure": channel.keep_secure(),
                    f"{name} trust": security.watch(),
                    f"{name} items": self._retry_items(channel),
                    f"{name} conditions": self._refresh_conditions(channel),
                    f"{name} history": self._backfill.run(historian, sink),
                    f"{name} clock": self._watch_clock(channel),
                }
            )

    async def _watch_clock(self, channel: Channel) -> None:
        while True:
            await asyncio.sleep(_MEASURE_EVERY_S)
            await self._server.measure(channel)

    async def _refresh_conditions(self, channel: Channel) -> None:
        """Where the server has missed changes of conditions it says so, and has to be asked for all of them."""
        while True:
            await self._refresh.wait()
            self._refresh.clear()
            log.info("source %s: the server requires a refresh of its conditions", self._settings.name)
            await self._server.subscriptions.refresh_conditions(channel)
            await asyncio.sleep(_REFRESH_EVERY_S)

    async def _retry_items(self, channel: Channel) -> None:
        table = self._server.table
        while True:
            await asyncio.sleep(self._settings.retry_items_s)
            if table.refused and await self._server.subscriptions.create_missing(channel, self):
                log.info("source %s: %d nodes are monitored now", self._settings.name, len(table.monitored))

    async def _receive(self, channel: Channel) -> None:
        server, subscriptions = self._server, self._server.subscriptions
        most = max(self._settings.publishes_in_flight, len(subscriptions) + 1)
        window = PublishWindow(channel, min(most, server.limits.publishes_in_flight or most), self._clock)
        while True:
            window.fill(subscriptions.acknowledgements)
            answer = await self._next(window)
            if answer is None:
                continue
            received_ns, body = answer
            with door("read a publish response"):
                publication = server.decoder.publish_response(body, received_ns)
            self._backoff.reset()
            subscription = subscriptions.find(publication.subscription_id)
            if subscription is None:
                continue
            subscription.heard, subscription.heard_s = True, asyncio.get_running_loop().time()
            if subscription.repeats(publication):
                continue
            await server.suspect(channel, publication.readings)
            await subscription.fill(channel, publication, self)
            await self.take(publication)
            subscription.taken(publication)
            await self._tell()

    async def _next(self, window: PublishWindow) -> tuple[int, bytes] | None:
        missed, subscriptions = self._settings.missed_keep_alives, self._server.subscriptions
        try:
            async with asyncio.timeout(max(0.0, subscriptions.silence_s(missed, _SLACK_S))):
                return await window.next()
        except TimeoutError:
            subscriptions.give_up_silent(missed, _SLACK_S)  # taken up, but it publishes nothing: next time anew
            silence_s = missed * subscriptions.keep_alive_s + _SLACK_S
            raise Retryable(f"no keep-alive for {silence_s:g} s") from None
        except Refused as error:
            if error.code in (ua.StatusCodes.BadNoSubscription, ua.StatusCodes.BadSubscriptionIdInvalid):
                subscriptions.give_up()
            raise

    async def take(self, publication: Publication) -> None:
        """One message in sequence, part by part: note its gaps, hand it over to be kept."""
        subscription = self._server.subscriptions.find(publication.subscription_id)
        arrival = None
        if subscription is not None and subscription.after_outage and publication.readings:
            arrival = Arrival(self._server.ledger, subscription.queues())
            subscription.after_outage = False
        part: Publication | None = publication
        while part is not None:
            await self._take_part(part, arrival)
            status, part = part.status, self._server.decoder.go_on(part)
            if status is not None and status >> 31:
                if subscription is not None:
                    subscription.usable = False
                raise Refused("subscription", status)

    async def _take_part(self, part: Publication, arrival: Arrival | None) -> None:
        server, counters = self._server, self._server.subscriptions.counters
        part.readings = server.clock.adjust(part.readings, server.ledger.last_ns, server.ledger.lost)
        for handle, why in part.rejected:
            self._reject(handle, why)
        gaps = server.ledger.observe(part.readings, part.overflowed)
        if arrival is not None:
            arrival.note(part.readings, gaps)
            gaps += arrival.gaps() if part.rest is None else []
        counters.overflows += len(part.overflowed)
        if part.malformed:
            counters.malformed += 1
            self._lose_all(part)
        if part.refresh_required:
            self._refresh.set()
        self.cover.note(gaps)
        last = part.carries_data and part.rest is None
        acknowledgement = (part.subscription_id, part.sequence_number) if last else None
        if acknowledgement is not None or part.readings or gaps:
            await self._unkept.put(Message(acknowledgement, part.readings, gaps))

    def _lose_all(self, part: Publication) -> None:
        log.warning("source %s: a message cannot be read: %s", self._settings.name, part.malformed)
        subscription = self._server.subscriptions.find(part.subscription_id)
        items = self._server.table.items if subscription is None else subscription.items
        self.lose([item.handle for item in items], GapCause.SEQUENCE_JUMP, "a message could not be read")

    def lose(self, handles: Iterable[int], cause: GapCause, detail: str) -> None:
        """These items may have missed values since their last readings."""
        self._server.lose(handles, cause, detail)

    def _reject(self, handle: int, why: str) -> None:
        self._server.subscriptions.counters.rejected += 1
        if handle not in self._rejected:
            self._rejected.add(handle)
            log.warning("source %s: values of item %d are dropped: %s", self._settings.name, handle, why)

    async def _enter(self, state: SourceState, detail: str) -> None:
        if state is not self.state:
            self.state, self.since_ns = state, self._clock()
        self.detail = detail
        await self._tell()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()


def _first(errors: BaseExceptionGroup[Retryable]) -> Retryable:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseException", error.exceptions[0])
    return cast("Retryable", error)
