"""Hop *sense*, OPC UA: one server → readings.

In: notifications of one subscription, over whatever connection there is. Out: `Reading`s and `Gap`s for the sink; a
message is acknowledged to the server only after the sink has it on disk. Never writes to the server, calls no method.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from operator import itemgetter

from edge.sources.opcua_channel import Channel, Refused, SessionMemory, door, open_channel
from edge.sources.opcua_decode import Decoder, Publication
from edge.sources.opcua_gaps import GapLedger
from edge.sources.opcua_items import ItemTable, item_table
from edge.sources.opcua_library import ua
from edge.sources.opcua_publish import PublishWindow
from edge.sources.opcua_security import Security, Untrusted
from edge.sources.opcua_settings import OpcUaSettings
from edge.sources.opcua_subscription import Subscription
from edge.sources.source import Sink, SourceState, SourceStatus
from twin.errors import ConfigError, Retryable
from twin.wire.backoff import Backoff
from twin.wire.reading import Gap, GapCause, Reading

log = logging.getLogger(__name__)

_MOST_UNKEPT = 8  # messages that may wait for the sink; then the server's queues have to hold
_MOST_AT_ONCE = 10_000  # readings in one call of the sink
_SLACK_S = 1.0  # that a keep-alive may be late
_MOST_LISTED = 20  # refused nodes in the status

_source_ns = itemgetter(1)
Kept = tuple[tuple[int, int] | None, list[Reading], list[Gap]]


class OpcUaSource:
    """One OPC UA server that is read.

    Args:
        settings: of this source.
        handles: every signal path of its items → the signal's place in the node's schema.
    """

    kind: str = "opcua"

    def __init__(
        self, settings: OpcUaSettings, handles: Mapping[str, int], *, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._settings: OpcUaSettings = settings
        self._clock: Callable[[], int] = clock
        self._table: ItemTable = item_table(settings, handles)
        self._handles: tuple[int, ...] = tuple(item.handle for item in self._table.items)
        decoder = Decoder({item.handle: item.settings.kind == "text" for item in self._table.items})
        self._subscription: Subscription = Subscription(settings, self._table, decoder, clock)
        self._security: Security = Security(settings, clock)
        self._ledger: GapLedger = GapLedger()
        self._memory: SessionMemory | None = None
        self._unkept: asyncio.Queue[Kept] = asyncio.Queue(_MOST_UNKEPT)
        self._after_outage: bool = False
        self._heard: bool = False  # on this connection
        self._rejected: set[int] = set()
        self._backoff: Backoff = Backoff(0.5, 5.0)
        self._state: SourceState = SourceState.CONNECTING
        self._detail: str = ""
        self._since_ns: int = clock()
        self._values: int = 0
        self._newest_ns: int = 0
        self._connects: int = 0

    @property
    def name(self) -> str:
        """Unique within the agent."""
        return self._settings.name

    async def run(self, sink: Sink) -> None:
        """Read for ever; see `Source.run`."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep(sink), name=f"{self.name} keep")
                group.create_task(self._connect_forever(), name=f"{self.name} connect")
        except ExceptionGroup as errors:
            mistakes = errors.subgroup(ConfigError)
            if mistakes is not None and isinstance(mistakes.exceptions[0], ConfigError):
                raise mistakes.exceptions[0] from None
            raise

    def status(self) -> SourceStatus:
        """What the health report says of it."""
        refused = self._table.refused
        detail = self._detail
        if self._state is SourceState.CONNECTED:
            notes = [f"{len(refused)} of {len(self._handles)} nodes are not monitored"] if refused else []
            detail = "; ".join(notes + self._security.warnings())
        return SourceStatus(
            self.name, self.kind, self._state, detail, self._since_ns, self._values, self._newest_ns, self._facts()
        )

    def _facts(self) -> dict[str, object]:
        monitored, refused = self._table.monitored, self._table.refused
        return {
            "url": self._settings.url,
            "items": len(self._handles),
            "monitored": len(monitored),
            "refused_items": [
                {"node": item.settings.node, "signal": item.settings.signal, "reason": item.refusal}
                for item in refused[:_MOST_LISTED]
            ],
            "connects": self._connects,
            "publishing_ms": self._subscription.publishing_ms,
            "keep_alive_s": self._subscription.keep_alive_s,
            "lifetime_s": self._subscription.lifetime_s,
            "tolerated_outage_s": min((item.tolerated_outage_s for item in monitored), default=0.0),
            "open_gaps": self._ledger.waiting,
            "security": self._security.facts(),
            **asdict(self._subscription.counters),
        }

    async def _connect_forever(self) -> None:
        while True:
            reason, new_trouble = "the connection ended", False
            try:
                await self._connected()
            except* Retryable as errors:
                error = _first(errors)
                reason = str(error)
                new_trouble |= isinstance(error, Untrusted) and reason != self._detail
            if new_trouble or self._state is not SourceState.DOWN:
                log.warning("source %s: %s is away: %s", self.name, self._settings.url, reason)
            self._enter(SourceState.DOWN, reason)
            await self._backoff.wait()

    async def _connected(self) -> None:
        async with open_channel(self._settings, self._memory, self._security) as channel:
            self._memory = channel.memory()
            self._heard = False
            outcome = await self._subscription.establish(channel, self)
            self._after_outage = outcome != "created"
            self._connects += 1
            log.info("source %s: connected, subscription %s", self.name, outcome)
            self._enter(SourceState.CONNECTED, "")
            async with asyncio.TaskGroup() as group:
                group.create_task(self._receive(channel), name=f"{self.name} receive")
                group.create_task(channel.keep_secure(), name=f"{self.name} secure")
                group.create_task(self._security.watch(), name=f"{self.name} trust")
                group.create_task(self._retry_items(channel), name=f"{self.name} items")

    async def _receive(self, channel: Channel) -> None:
        subscription = self._subscription
        window = PublishWindow(channel, self._settings.publishes_in_flight, self._clock)
        while True:
            window.fill(subscription.acknowledgements)
            answer = await self._next(window)
            if answer is None:
                continue
            received_ns, body = answer
            with door("read a publish response"):
                publication = subscription.decoder.publish_response(body, received_ns)
            self._heard = True
            self._backoff.reset()
            if publication.subscription_id != subscription.id or subscription.repeats(publication):
                continue
            await subscription.fill(channel, publication, self)
            await self.take(publication)

    async def _next(self, window: PublishWindow) -> tuple[int, bytes] | None:
        silence_s = self._settings.missed_keep_alives * self._subscription.keep_alive_s + _SLACK_S
        try:
            async with asyncio.timeout(silence_s):
                return await window.next()
        except TimeoutError:
            if not self._heard:  # the server took it up and publishes nothing: next time a new one
                self._subscription.usable = False
            raise Retryable(f"no keep-alive for {silence_s:g} s") from None
        except Refused as error:
            if error.code in (ua.StatusCodes.BadNoSubscription, ua.StatusCodes.BadSubscriptionIdInvalid):
                self._subscription.usable = False
            raise

    async def _retry_items(self, channel: Channel) -> None:
        while True:
            await asyncio.sleep(self._settings.retry_items_s)
            if self._table.refused and await self._table.create_missing(channel, self._subscription.id):
                log.info("source %s: %d nodes are monitored now", self.name, len(self._table.monitored))

    async def take(self, publication: Publication) -> None:
        """One message in sequence: note its gaps, hand it over to be kept."""
        for handle, why in publication.rejected:
            self._reject(handle, why)
        full = None
        if self._after_outage and publication.readings and self._state is SourceState.CONNECTED:
            full, self._after_outage = self._table.queues(), False
        gaps = self._ledger.observe(publication.readings, publication.overflowed, full)
        counters = self._subscription.counters
        counters.overflows += len(publication.overflowed)
        if publication.malformed:
            counters.malformed += 1
            log.warning("source %s: a message cannot be read: %s", self.name, publication.malformed)
            self.lose(GapCause.SEQUENCE_JUMP, "a message could not be read")
        acknowledgement = None
        if publication.carries_data:
            acknowledgement = (self._subscription.id, publication.sequence_number)
        if acknowledgement is not None or gaps:
            await self._unkept.put((acknowledgement, publication.readings, gaps))
        if publication.status is not None and publication.status >> 31:
            self._subscription.usable = False
            raise Refused("subscription", publication.status)

    def lose(self, cause: GapCause, detail: str) -> None:
        """Every item may have missed values since its last reading."""
        self._ledger.lose(self._handles, cause, detail)

    def _reject(self, handle: int, why: str) -> None:
        self._subscription.counters.rejected += 1
        if handle not in self._rejected:
            self._rejected.add(handle)
            log.warning("source %s: values of item %d are dropped: %s", self.name, handle, why)

    async def _keep(self, sink: Sink) -> None:
        while True:
            messages = [await self._unkept.get()]
            readings, gaps = messages[0][1], messages[0][2]
            while not self._unkept.empty() and len(readings) < _MOST_AT_ONCE:
                messages.append(self._unkept.get_nowait())
                readings = readings + messages[-1][1]
                gaps = gaps + messages[-1][2]
            if readings or gaps:
                await sink.keep(readings, gaps)
                self._values += len(readings)
                self._newest_ns = max(self._newest_ns, max(map(_source_ns, readings), default=0))
            self._subscription.acknowledgements += [found for found, _, _ in messages if found is not None]

    def _enter(self, state: SourceState, detail: str) -> None:
        if state is not self._state:
            self._state, self._since_ns = state, self._clock()
        self._detail = detail


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return error  # pyright: ignore[reportUnknownVariableType]
