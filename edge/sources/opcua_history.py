"""Fills holes from the server's own history (OPC UA Part 11, HistoryRead raw).

In: the gaps of one source. Out: backfilled readings for the history lane, and every such gap once more with what became
of it: backfilled, or lost and why. Asks at a bounded rate, one call at a time, beside the live subscription; no failure
here ends the connection.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from edge.sources.opcua_channel import Channel, Refused
from edge.sources.opcua_clock import ServerClock
from edge.sources.opcua_decode import Decoder
from edge.sources.opcua_history_answer import Answer, read_answers
from edge.sources.opcua_holes import Hole, Holes, told
from edge.sources.opcua_items import ItemTable
from edge.sources.opcua_library import TOO_MANY, Opaque, ua
from edge.sources.opcua_settings import OpcUaSettings
from edge.sources.source import Memory, Sink
from twin.errors import Retryable
from twin.wire.reading import Gap, GapCause, GapState, Lane, Quality, Reading

log = logging.getLogger(__name__)

MOST_NODES = 100  # in one call
_MOST_VALUES = 10_000  # in one answer, of all its nodes
_ATTEMPTS = 3
_RETRY_S = 10.0  # a dead connection is noticed before
_REMEMBER_EVERY_S = 5.0
_NOT_MISSED = frozenset((GapCause.SPOOL_DROP, GapCause.CLOCK_STEP))  # the server's history cannot help
_BAD_CONTINUATION = frozenset((ua.StatusCodes.BadNoContinuationPoints, ua.StatusCodes.BadContinuationPointInvalid))
_NO_HISTORY = frozenset(
    ua.StatusCodes.__dict__[name]
    for name in (
        "BadHistoryOperationUnsupported",
        "BadHistoryOperationInvalid",
        "BadServiceUnsupported",
        "BadNotSupported",
        "BadNotImplemented",
        "BadNotReadable",
        "BadUserAccessDenied",
        "BadSecurityModeInsufficient",
    )
)


@dataclass(frozen=True, slots=True)
class Historian:
    """The server that is asked, on one connection."""

    channel: Channel
    table: ItemTable
    clock: ServerClock
    most_nodes: int  # in one call
    started_ns: int  # when it was started, by our clock, 0 when it does not say: nobody has recorded since it stopped


@dataclass(slots=True)
class _Progress:
    """How far one hole of the round has come."""

    hole: Hole
    node: Opaque
    continuation: bytes = b""
    since_ns: int = 0  # where to go on when the server stopped at the number of values without a continuation point
    more: bool = True
    values: int = 0
    before_start_ns: int = 0  # the last value before the server was started
    reached: bool = False  # history holds the end of the hole


@dataclass(slots=True)
class _Outcome:
    """What a round has settled so far."""

    readings: list[Reading] = field(default_factory=list[Reading])
    settled: list[tuple[Hole, GapState, str]] = field(default_factory=list[tuple[Hole, GapState, str]])
    more: list[Gap] = field(default_factory=list[Gap])


class Backfill:
    """The holes of one source and how they are filled. It outlives connections, and by `memory` the agent."""

    def __init__(
        self,
        settings: OpcUaSettings,
        table: ItemTable,
        memory: Memory | None,
        clock: Callable[[], int],
    ) -> None:
        self._settings: OpcUaSettings = settings
        self._memory: Memory | None = memory
        self._clock: Callable[[], int] = clock
        self._decoder: Decoder = Decoder({item.handle: item.settings.kind == "text" for item in table.items})
        self._items: dict[int, int] = {item.handle: place for place, item in enumerate(table.items)}
        self._holes: Holes = Holes({item.handle: item.settings.signal for item in table.items})
        self._without: set[int] = {item.handle for item in table.items if item.settings.events}  # no history of values
        self._attempts: Counter[Hole] = Counter()
        self._waiting: asyncio.Event = asyncio.Event()
        self._turn: asyncio.Lock = asyncio.Lock()  # one server at a time
        self._remembered_s: float = 0.0
        self._most_nodes: int = MOST_NODES
        self.filled: int = 0  # readings
        self.backfilled: int = 0  # holes
        self.lost: int = 0  # holes

    def facts(self) -> dict[str, object]:
        """For the health report."""
        return {
            "history": self._settings.history,
            "history_unsupported": len(self._without),
            "holes_waiting": len(self._holes),
            "holes_backfilled": self.backfilled,
            "holes_lost": self.lost,
            "values_backfilled": self.filled,
        }

    async def recall(self) -> None:
        """Take over what an earlier run left undone."""
        known = await self._memory.recall(self._key) if self._memory else None
        if known and self._settings.history == "auto":
            self._holes.unpack(known)
        if self._holes:
            self._waiting.set()

    async def take_up(self, gaps: Sequence[Gap]) -> list[Gap]:
        """The same gaps, those that history may fill as open; they are on disk as work to do when this returns."""
        found: list[Gap] = []
        for gap in gaps:
            able = tuple(handle for handle in gap.handles if handle not in self._without)
            if self._settings.history == "off" or gap.cause in _NOT_MISSED or not able:
                found.append(gap)
                continue
            if not self._holes.add(gap._replace(handles=able)):
                found.append(gap._replace(detail=f"{gap.detail}; too many gaps wait for the server's history already"))
                continue
            found.append(gap._replace(handles=able, state=GapState.OPEN))
            if len(able) < len(gap.handles):
                found.append(gap._replace(handles=tuple(set(gap.handles) - set(able))))
        if any(gap.state is GapState.OPEN for gap in found):
            await self._remember()
            self._waiting.set()
        return found

    async def run(self, historian: Historian, sink: Sink) -> None:
        """Fill for as long as the connection lives; `sink` gets readings and gaps in the history lane."""
        async with self._turn:
            self._most_nodes = historian.most_nodes
            while True:
                await self._waiting.wait()
                await asyncio.sleep(self._settings.history_delay_s)  # a historian may write a little late
                while self._holes:
                    await self._round(historian, sink)
                await self._remember()
                if not self._holes:
                    self._waiting.clear()

    async def _round(self, historian: Historian, sink: Sink) -> None:
        """One call for the oldest holes, and as many more as their values take."""
        holes = self._holes.next_round(self._most_nodes)
        waiting = len(self._holes)
        try:
            await self._read(historian, sink, holes)
        except Retryable as error:
            if not self._narrower(error):
                await self._failed(sink, holes, error)
        else:
            if len(self._holes) == waiting:  # every node was refused for now
                await asyncio.sleep(_RETRY_S)

    async def _read(self, historian: Historian, sink: Sink, holes: Sequence[Hole]) -> None:
        table = historian.table
        begun: dict[Hole, Opaque] = {hole: table.resolve(table.items[self._items[hole.handle]]) for hole in holes}
        await self._give_up(sink, [hole for hole in holes if begun[hole] is None], "the server does not know the node")
        todo: list[_Progress] = [
            _Progress(hole, node, since_ns=hole.from_ns) for hole, node in begun.items() if node is not None
        ]
        while todo:
            asked_s = asyncio.get_running_loop().time()
            most = max(2, _MOST_VALUES // len(todo))
            shift_ns = historian.clock.correction_ns  # its history is in its own time
            since_ns, to_ns = min(one.since_ns for one in todo), max(one.hole.to_ns for one in todo)
            details = _raw(since_ns - shift_ns, to_ns - shift_ns, most)
            body = await historian.channel.read_history(details, [_wanted(one) for one in todo])
            answers = read_answers(body, [one.hole.handle for one in todo], self._decoder, self._clock(), shift_ns)
            outcome = _Outcome()
            for one, answer in zip(todo, answers, strict=True):
                one.more = False
                if answer.is_bad:
                    self._refused(one, answer.status, outcome)
                else:
                    _go_on(one, answer, most)
                    _take(one, answer, outcome, historian.started_ns)
            todo = [one for one in todo if one.more]
            await self._hand_over(sink, outcome)
            rate_s = len(outcome.readings) / self._settings.history_values_per_s
            await asyncio.sleep(asked_s + rate_s - asyncio.get_running_loop().time())

    def _refused(self, one: _Progress, status: int, outcome: _Outcome) -> None:
        name = ua.StatusCode(status).name
        if status in _NO_HISTORY:
            self._without.add(one.hole.handle)
        elif status in _BAD_CONTINUATION and self._most_nodes > 1:  # it cannot go on for so many nodes at once
            self._most_nodes //= 2
            return
        elif self._may_try_again(one.hole):
            return
        detail = f"{one.hole.detail}; the server's history says {name}"
        outcome.settled.append((one.hole, GapState.LOST, detail))

    def _may_try_again(self, hole: Hole) -> bool:
        self._attempts[hole] += 1
        return self._attempts[hole] < _ATTEMPTS

    def _narrower(self, error: Retryable) -> bool:
        """Whether the call was too large and the next one is smaller."""
        if not isinstance(error, Refused) or error.code not in TOO_MANY or self._most_nodes == 1:
            return False
        self._most_nodes = max(1, self._most_nodes // 2)
        return True

    async def _failed(self, sink: Sink, holes: Sequence[Hole], error: Retryable) -> None:
        """A whole call came to nothing: once more after a while, or never."""
        if isinstance(error, Refused) and error.code in _NO_HISTORY:
            log.warning("source %s: the server keeps no history for us: %s", self._settings.name, error)
            self._without.update(self._items)
            await self._give_up(sink, self._holes.next_round(len(self._items)), str(error))
            return
        await asyncio.sleep(_RETRY_S)
        log.warning("source %s: %s", self._settings.name, error)
        tired = [hole for hole in holes if not self._may_try_again(hole)]
        await self._give_up(sink, tired, str(error))

    async def _give_up(self, sink: Sink, holes: Sequence[Hole], why: str) -> None:
        await self._hand_over(
            sink, _Outcome(settled=[(hole, GapState.LOST, f"{hole.detail}; {why}") for hole in holes])
        )

    async def _hand_over(self, sink: Sink, outcome: _Outcome) -> None:
        gaps = [*told(outcome.settled), *outcome.more]
        if outcome.readings or gaps:
            await sink.keep(outcome.readings, gaps, lane=Lane.HISTORY)
        self.filled += len(outcome.readings)
        for hole, state, _ in outcome.settled:
            self._attempts.pop(hole, None)
            self.backfilled += state is GapState.BACKFILLED
            self.lost += state is GapState.LOST
        self._holes.settle(hole for hole, _, _ in outcome.settled)
        if outcome.settled and asyncio.get_running_loop().time() - self._remembered_s >= _REMEMBER_EVERY_S:
            await self._remember()

    async def _remember(self) -> None:
        self._remembered_s = asyncio.get_running_loop().time()
        if self._memory is not None:
            await self._memory.remember(self._key, self._holes.pack())

    @property
    def _key(self) -> str:
        return f"holes/{self._settings.name}"


def _go_on(one: _Progress, answer: Answer, asked: int) -> None:
    """Whether there is more, and where."""
    newest_ns = max((reading.source_ns for reading in answer.readings), default=0)
    stopped_short = len(answer.readings) >= asked and one.since_ns < newest_ns < one.hole.to_ns
    one.continuation = answer.continuation
    one.more = bool(answer.continuation) or stopped_short
    one.since_ns = max(one.since_ns, newest_ns)


def _take(one: _Progress, answer: Answer, outcome: _Outcome, started_ns: int) -> None:
    """The values that lie in the hole; after the last of them, what became of it."""
    hole = one.hole
    for reading in answer.readings:
        one.reached = one.reached or reading.source_ns >= hole.to_ns
        if hole.from_ns < reading.source_ns < hole.to_ns:
            one.values += 1
            if reading.source_ns < started_ns:
                one.before_start_ns = max(one.before_start_ns, reading.source_ns)
            outcome.readings.append(reading._replace(quality=reading.quality | Quality.BACKFILLED))
    if one.more:
        return
    if not one.values and not one.reached:
        detail = f"{hole.detail}; the server's history holds nothing of it"
        outcome.settled.append((hole, GapState.LOST, detail))
        return
    outcome.settled.append((hole, GapState.BACKFILLED, hole.detail))
    if hole.from_ns < started_ns < hole.to_ns:
        since_ns = max(hole.from_ns, one.before_start_ns)
        detail = "the server did not run, so that its history is empty"
        outcome.more.append(Gap((hole.handle,), since_ns, started_ns, GapCause.DEVICE_UNREACHABLE, detail))


def _raw(from_ns: int, to_ns: int, most: int) -> Opaque:
    details = ua.ReadRawModifiedDetails()
    details.IsReadModified = False
    details.StartTime = _instant(from_ns)
    details.EndTime = _instant(to_ns) + timedelta(microseconds=2)  # so that the value at the end itself comes, too
    details.NumValuesPerNode = most
    details.ReturnBounds = False
    return details


def _wanted(one: _Progress) -> Opaque:
    wanted = ua.HistoryReadValueId()
    wanted.NodeId = one.node
    wanted.ContinuationPoint = one.continuation or None
    return wanted


def _instant(time_ns: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=time_ns // 1000)
