"""Hop *sense*, OPC UA: one server → readings.

In: notifications of one subscription, over whatever connection there is. Out: `Reading`s and `Gap`s for the sink; a
message is acknowledged to the server only after the sink has it on disk. Never writes to the server; the only method
it calls is ConditionRefresh, where events are read.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from operator import itemgetter

from edge.deadband import Thinner, thin_keys
from edge.sources.opcua_channel import Channel, Refused, SessionMemory, door, open_channel
from edge.sources.opcua_clock import ServerClock
from edge.sources.opcua_decode import Decoder, Publication
from edge.sources.opcua_events import Events
from edge.sources.opcua_gaps import GapLedger
from edge.sources.opcua_granted import differences, outages, warning
from edge.sources.opcua_history import MOST_NODES, Backfill
from edge.sources.opcua_items import MOST_PER_CALL, ItemTable, item_table
from edge.sources.opcua_library import ua
from edge.sources.opcua_limits import Build, Limits, read_limits
from edge.sources.opcua_publish import PublishWindow
from edge.sources.opcua_security import Security, Untrusted
from edge.sources.opcua_settings import OpcUaSettings
from edge.sources.opcua_subscriptions import Subscriptions
from edge.sources.opcua_value import instant_ns
from edge.sources.source import Memory, Sink, SourceState, SourceStatus
from twin.errors import ConfigError, Retryable
from twin.wire.backoff import Backoff
from twin.wire.reading import Gap, GapCause, Reading

log = logging.getLogger(__name__)

_MOST_UNKEPT = 8  # messages that may wait for the sink; then the server's queues have to hold
_MOST_AT_ONCE = 10_000  # readings in one call of the sink
_SLACK_S = 1.0  # that a keep-alive may be late
_MOST_LISTED = 20  # refused nodes in the status

_MEASURE_EVERY_S = 30.0
_SUSPECT_EVERY_S = 1.0
_CURRENT_TIME = ua.NodeId(ua.ObjectIds.Server_ServerStatus_CurrentTime)
_WHO = (
    ua.NodeId(ua.ObjectIds.Server_NamespaceArray),
    ua.NodeId(ua.ObjectIds.Server_ServerStatus_StartTime),
    ua.NodeId(ua.ObjectIds.Server_ServiceLevel),
)
_NO_SERVICE = (0, 1)  # Part 4, ServiceLevel: maintenance, no data

_source_ns = itemgetter(1)
_LOOK_S = 1.0  # how often heartbeats are looked at
Kept = tuple[tuple[int, int] | None, list[Reading], list[Gap], dict[str, bytes]]


class OpcUaSource:
    """One OPC UA server that is read.

    Args:
        settings: of this source.
        handles: every signal path of its items → the signal's place in the node's schema.
        memory: keeps the gaps that are still to be filled from the server's history, and the lines of swinging doors.
        unread_since_ns: from then on its signals are unread; 0: from their first reading on.
    """

    kind: str = "opcua"

    def __init__(
        self,
        settings: OpcUaSettings,
        handles: Mapping[str, int],
        *,
        memory: Memory | None = None,
        unread_since_ns: int = 0,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._settings: OpcUaSettings = settings
        self._clock: Callable[[], int] = clock
        self._table: ItemTable = item_table(settings, handles)
        self._handles: tuple[int, ...] = tuple(item.handle for item in self._table.items)
        events = {item.handle: item.settings.least_severity for item in self._table.items if item.settings.events}
        texts = {item.handle: item.settings.kind == "text" for item in self._table.items}
        decoder = Decoder(texts, Events(events) if events else None)
        self._decoder: Decoder = decoder
        self._subscriptions: Subscriptions = Subscriptions(settings, self._table, decoder, clock)
        self._limits: Limits = Limits()
        self._build: Build = Build()
        self._server_started: object = None
        self._places: list[OpcUaSettings] = [
            settings.model_copy(update={"url": url}) for url in (settings.url, *settings.redundant_urls)
        ]
        self._securities: list[Security] = [Security(place, clock) for place in self._places]
        self._place: int = 0  # which of the redundant servers
        self._ledger: GapLedger = GapLedger()
        if unread_since_ns:
            self._ledger.begin(self._handles, unread_since_ns)
            self._ledger.lose(self._handles, GapCause.DEVICE_UNREACHABLE, "not read since the start")
        self._server_clock: ServerClock = ServerClock(settings.clock_tolerance_s, correct=settings.clock == "correct")
        self._measured_s: float = 0.0
        self.backfill: Backfill = Backfill(settings, self._table, memory, self._server_clock, clock)
        bands = {item.handle: item.settings.thin.band for item in self._table.items if item.settings.thin}
        self._thinner: Thinner = Thinner(bands, thin_keys(settings.name, handles))
        self._lines: Memory | None = memory
        self._memory: SessionMemory | None = None
        self._unkept: asyncio.Queue[Kept] = asyncio.Queue(_MOST_UNKEPT)
        self._rejected: set[int] = set()
        self._backoff: Backoff = Backoff(0.5, 5.0)
        self._state: SourceState = SourceState.CONNECTING
        self._detail: str = ""
        self._since_ns: int = clock()
        self._values: int = 0
        self._newest_ns: int = 0
        self._connects: int = 0
        self._asked_keep_alive_s: float = settings.keep_alive_count * settings.publishing_interval_ms / 1000

    @property
    def _security(self) -> Security:
        return self._securities[self._place]

    @property
    def name(self) -> str:
        """Unique within the agent."""
        return self._settings.name

    async def run(self, sink: Sink) -> None:
        """Read for ever; see `Source.run`."""
        try:
            await self._thinner.resume(self._lines, sink, self._clock())
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep(sink), name=f"{self.name} keep")
                group.create_task(self._beat(), name=f"{self.name} heartbeat")
                group.create_task(self._connect_forever(sink), name=f"{self.name} connect")
        except ExceptionGroup as errors:
            mistakes = errors.subgroup(ConfigError)
            if mistakes is not None and isinstance(mistakes.exceptions[0], ConfigError):
                raise mistakes.exceptions[0] from None
            raise

    def status(self) -> SourceStatus:
        """What the health report says of it."""
        detail = self._detail
        if self._state is SourceState.CONNECTED:
            detail = "; ".join([*self._warnings(), *self._security.warnings()])
        return SourceStatus(
            self.name, self.kind, self._state, detail, self._since_ns, self._values, self._newest_ns, self._facts()
        )

    def _warnings(self) -> list[str]:
        """What of a connected source is not as it should be."""
        refused = len(self._table.refused)
        short = warning(self._table.monitored, self._subscriptions.lifetime_s, self._settings.tolerated_outage_s)
        found = [one for one in (short, self._server_clock.warning()) if one]
        return [f"{refused} of {len(self._handles)} nodes are not monitored", *found] if refused else found

    def _facts(self) -> dict[str, object]:
        monitored, refused = self._table.monitored, self._table.refused
        living = self._subscriptions
        shortest = outages(monitored, living.lifetime_s)
        return {
            "url": self._places[self._place].url,
            "items": len(self._handles),
            "monitored": len(monitored),
            "refused_items": [
                {"node": item.settings.node, "signal": item.settings.signal, "reason": item.refusal}
                for item in refused[:_MOST_LISTED]
            ],
            "connects": self._connects,
            "server": str(self._build),
            "profile": self._limits.profile,
            "limits": self._limits.known(),
            "subscriptions_now": len(living),
            "publishing_ms": living.publishing_ms,
            "keep_alive_s": living.keep_alive_s,
            "lifetime_s": living.lifetime_s,
            "granted_less": differences(monitored, living.keep_alive_s, self._asked_keep_alive_s),
            "tolerated_outage_s": min(shortest.values(), default=None),
            "tolerated_outages_s": shortest,
            "open_gaps": self._ledger.waiting,
            "security": self._security.facts(),
            "certificate_days": self._security.days_left(),
            "withheld": self._thinner.withheld,
            **asdict(living.counters),
            **self._server_clock.facts(),
            **self.backfill.facts(),
        }

    async def _connect_forever(self, sink: Sink) -> None:
        while True:
            reason, new_trouble = "the connection ended", False
            try:
                await self._connected(sink)
            except* Retryable as errors:
                error = _first(errors)
                reason = str(error)
                new_trouble |= isinstance(error, Untrusted) and reason != self._detail
            if new_trouble or self._state is not SourceState.DOWN:
                log.warning("source %s: %s is away: %s", self.name, self._places[self._place].url, reason)
            self._enter(SourceState.DOWN, reason)
            if len(self._places) > 1:
                self._go_on_elsewhere()
            if self._place == 0:
                await self._backoff.wait()

    def _go_on_elsewhere(self) -> None:
        """The next of the redundant servers; it knows nothing of our session, and has a clock of its own."""
        self._place = (self._place + 1) % len(self._places)
        self._memory, self._server_started = None, None
        self._subscriptions.give_up()
        self._server_clock.forget()

    async def _connected(self, sink: Sink) -> None:
        security = self._security
        async with open_channel(self._places[self._place], self._memory, security) as channel:
            self._memory = channel.memory()
            started_ns, restarted = await self._meet(channel)
            await self._measure(channel)
            outcome = await self._subscriptions.establish(channel, self, self._limits, restarted=restarted)
            if outcome == "created":
                await self._subscriptions.refresh_conditions(channel)
            self._warn()
            self._connects += 1
            log.info("source %s: connected, subscription %s", self.name, outcome)
            self._enter(SourceState.CONNECTED, "")
            async with asyncio.TaskGroup() as group:
                group.create_task(self._receive(channel), name=f"{self.name} receive")
                group.create_task(channel.keep_secure(), name=f"{self.name} secure")
                group.create_task(security.watch(), name=f"{self.name} trust")
                group.create_task(self._retry_items(channel), name=f"{self.name} items")
                started_ns += self._server_clock.correction_ns if started_ns else 0
                filling = self.backfill.run(channel, sink, started_ns)
                group.create_task(filling, name=f"{self.name} history")
                group.create_task(self._watch_clock(channel), name=f"{self.name} clock")

    async def _meet(self, channel: Channel) -> tuple[int, bool]:
        """Learn who the server is and what it takes. Returns when it was started, and whether that is news."""
        namespaces, started, level = await channel.read(list(_WHO), "the server's status")
        if len(self._places) > 1 and level.Value and level.Value.Value in _NO_SERVICE:
            raise Retryable(f"the server's service level is {level.Value.Value}: another one of its set has the data")
        self._table.namespaces = tuple(namespaces.Value.Value or ()) if namespaces.Value else ()
        self._limits, self._build = await read_limits(channel, self._settings.profile)
        self._table.most_per_call = self._limits.items_per_call or MOST_PER_CALL
        self.backfill.most_nodes = self._limits.nodes_per_history_read or MOST_NODES
        started_at = started.Value.Value if started.Value else None
        restarted = started_at != self._server_started
        if restarted:
            self._subscriptions.give_up()  # the same numbers may be somebody else's now
        self._server_started = started_at
        return instant_ns(started_at), restarted

    async def _watch_clock(self, channel: Channel) -> None:
        while True:
            await asyncio.sleep(_MEASURE_EVERY_S)
            await self._measure(channel)

    async def _measure(self, channel: Channel) -> None:
        """Look at the server's clock; a step is a gap of every item, because times before and after do not agree."""
        self._measured_s = asyncio.get_running_loop().time()
        sent_ns = self._clock()
        (now,) = await channel.read([_CURRENT_TIME], "the server's clock")
        server_ns = instant_ns(now.Value.Value) if now.Value else 0
        if not server_ns:
            return
        stepped = self._server_clock.measure(sent_ns, server_ns, self._clock())
        if stepped:
            log.warning("source %s: %s", self.name, stepped)
            self.lose(self._handles, GapCause.CLOCK_STEP, stepped)

    async def _suspect(self, channel: Channel, publication: Publication) -> None:
        """Times that cannot be right: look at the server's clock before they are judged, but not all the time."""
        due = asyncio.get_running_loop().time() - self._measured_s >= _SUSPECT_EVERY_S
        if due and self._server_clock.suspects(publication.readings, self._ledger.last_ns):
            await self._measure(channel)

    def _warn(self) -> None:
        for one in self._warnings():
            log.warning("source %s: %s", self.name, one)

    async def _receive(self, channel: Channel) -> None:
        most = max(self._settings.publishes_in_flight, len(self._subscriptions) + 1)
        window = PublishWindow(channel, min(most, self._limits.publishes_in_flight or most), self._clock)
        while True:
            window.fill(self._subscriptions.acknowledgements)
            answer = await self._next(window)
            if answer is None:
                continue
            received_ns, body = answer
            with door("read a publish response"):
                publication = self._decoder.publish_response(body, received_ns)
            self._backoff.reset()
            subscription = self._subscriptions.find(publication.subscription_id)
            if subscription is None:
                continue
            subscription.heard, subscription.heard_s = True, asyncio.get_running_loop().time()
            if subscription.repeats(publication):
                continue
            await self._suspect(channel, publication)
            await subscription.fill(channel, publication, self)
            await self.take(publication)

    async def _next(self, window: PublishWindow) -> tuple[int, bytes] | None:
        missed = self._settings.missed_keep_alives
        try:
            async with asyncio.timeout(max(0.0, self._subscriptions.silence_s(missed, _SLACK_S))):
                return await window.next()
        except TimeoutError:
            self._subscriptions.give_up_silent(missed, _SLACK_S)  # taken up, but it publishes nothing: next time anew
            silence_s = missed * self._subscriptions.keep_alive_s + _SLACK_S
            raise Retryable(f"no keep-alive for {silence_s:g} s") from None
        except Refused as error:
            if error.code in (ua.StatusCodes.BadNoSubscription, ua.StatusCodes.BadSubscriptionIdInvalid):
                self._subscriptions.give_up()
            raise

    async def _retry_items(self, channel: Channel) -> None:
        while True:
            await asyncio.sleep(self._settings.retry_items_s)
            if self._table.refused and await self._subscriptions.create_missing(channel, self):
                log.info("source %s: %d nodes are monitored now", self.name, len(self._table.monitored))

    async def take(self, publication: Publication) -> None:
        """One message in sequence: note its gaps, hand it over to be kept."""
        self._adjust(publication)
        for handle, why in publication.rejected:
            self._reject(handle, why)
        full = None
        subscription = self._subscriptions.find(publication.subscription_id)
        if subscription is not None and subscription.after_outage and publication.readings:
            full, subscription.after_outage = subscription.queues(), False
        gaps = self._ledger.observe(publication.readings, publication.overflowed, full)
        counters = self._subscriptions.counters
        counters.overflows += len(publication.overflowed)
        if publication.malformed:
            counters.malformed += 1
            log.warning("source %s: a message cannot be read: %s", self.name, publication.malformed)
            items = self._table.items if subscription is None else subscription.items
            self.lose([item.handle for item in items], GapCause.SEQUENCE_JUMP, "a message could not be read")
        acknowledgement = None
        if publication.carries_data:
            acknowledgement = (publication.subscription_id, publication.sequence_number)
        if acknowledgement is not None or gaps:
            readings = self._thinner.thin(publication.readings)
            await self._unkept.put((acknowledgement, readings, gaps, self._thinner.unsaved()))
        if publication.status is not None and publication.status >> 31:
            if subscription is not None:
                subscription.usable = False
            raise Refused("subscription", publication.status)

    def _adjust(self, publication: Publication) -> None:
        """Give the readings their right times, in the order that overflows are told by."""
        publication.readings = self._server_clock.adjust(publication.readings, self._ledger.last_ns, self._ledger.lost)

    def lose(self, handles: Iterable[int], cause: GapCause, detail: str) -> None:
        """These items may have missed values since their last readings."""
        self._ledger.lose(handles, cause, detail)

    def _reject(self, handle: int, why: str) -> None:
        self._subscriptions.counters.rejected += 1
        if handle not in self._rejected:
            self._rejected.add(handle)
            log.warning("source %s: values of item %d are dropped: %s", self.name, handle, why)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            beats = self._thinner.due(self._clock())
            if beats:
                await self._unkept.put((None, beats, [], self._thinner.unsaved()))

    async def _keep(self, sink: Sink) -> None:
        while True:
            messages = [await self._unkept.get()]
            readings, gaps = messages[0][1], messages[0][2]
            while not self._unkept.empty() and len(readings) < _MOST_AT_ONCE:
                messages.append(self._unkept.get_nowait())
                readings = readings + messages[-1][1]
                gaps = gaps + messages[-1][2]
            lines = {key: state for message in messages for key, state in message[3].items()}
            if readings or gaps or lines:
                await sink.keep(readings, await self.backfill.take_up(gaps) if gaps else (), remembered=lines)
                self._values += len(readings)
                self._newest_ns = max(self._newest_ns, max(map(_source_ns, readings), default=0))
            self._subscriptions.acknowledgements += [found for found, _, _, _ in messages if found is not None]

    def _enter(self, state: SourceState, detail: str) -> None:
        if state is not self._state:
            self._state, self._since_ns = state, self._clock()
        self._detail = detail


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return error  # pyright: ignore[reportUnknownVariableType]
