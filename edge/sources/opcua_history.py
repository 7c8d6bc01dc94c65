"""Fills holes from the server's own history (OPC UA Part 11, HistoryRead raw).

In: the gaps of one source. Out: backfilled readings for the history lane, and every such gap once more with what became
of it: backfilled, or lost and why. Asks at a bounded rate, one call at a time, beside the live subscription; no failure
here ends the connection.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.sources.opcua_channel import Channel, Refused
from edge.sources.opcua_clock import ServerClock
from edge.sources.opcua_decode import Decoder
from edge.sources.opcua_history_answer import read_answers
from edge.sources.opcua_history_progress import LOOK_BACK_NS, Outcome, Progress, go_on, raw_details, take, wanted_value
from edge.sources.opcua_holes import Hole, Holes, told
from edge.sources.opcua_items import ItemTable
from edge.sources.opcua_library import TOO_MANY, Opaque, ua
from edge.sources.opcua_settings import OpcUaSettings
from edge.sources.source import Memory, Sink
from twin.errors import Retryable
from twin.wire.reading import Gap, GapCause, GapState, Lane

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
        todo: list[Progress] = [
            Progress(hole, node, since_ns=max(0, hole.from_ns - LOOK_BACK_NS))
            for hole, node in begun.items()
            if node is not None
        ]
        while todo:
            asked_s = asyncio.get_running_loop().time()
            most = max(2, _MOST_VALUES // len(todo))
            shift_ns = historian.clock.correction_ns  # its history is in its own time
            since_ns, to_ns = min(one.since_ns for one in todo), max(one.hole.to_ns for one in todo)
            details = raw_details(since_ns - shift_ns, to_ns - shift_ns, most)
            body = await historian.channel.read_history(details, [wanted_value(one) for one in todo])
            answers = read_answers(body, [one.hole.handle for one in todo], self._decoder, self._clock(), shift_ns)
            outcome = Outcome()
            for one, answer in zip(todo, answers, strict=True):
                one.more = False
                if answer.is_bad:
                    self._refused(one, answer.status, outcome)
                else:
                    go_on(one, answer, most)
                    take(one, answer, outcome, historian.started_ns)
            todo = [one for one in todo if one.more]
            await self._hand_over(sink, outcome)
            rate_s = len(outcome.readings) / self._settings.history_values_per_s
            await asyncio.sleep(asked_s + rate_s - asyncio.get_running_loop().time())

    def _refused(self, one: Progress, status: int, outcome: Outcome) -> None:
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
        await self._hand_over(sink, Outcome(settled=[(hole, GapState.LOST, f"{hole.detail}; {why}") for hole in holes]))

    async def _hand_over(self, sink: Sink, outcome: Outcome) -> None:
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
