"""How far the holes of one round of HistoryRead have come: what to ask for next, and what an answer settles. Pure.

In: answers of the server, hole by hole. Out: the details of the next request, readings, and what became of the holes.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from edge.sources.opcua_history_answer import Answer
from edge.sources.opcua_holes import Hole
from edge.sources.opcua_library import Opaque, ua
from twin.wire.reading import Gap, GapCause, GapState, Quality, Reading

LOOK_BACK_NS = 60_000_000_000  # a value so long before a hole shows that the history had not begun to forget there


@dataclass(slots=True)
class Progress:
    """How far one hole of the round has come."""

    hole: Hole
    node: Opaque
    continuation: bytes = b""
    since_ns: int = 0  # where to go on when the server stopped at the number of values without a continuation point
    more: bool = True
    values: int = 0
    first_ns: int = 0  # the first of them, whatever order they come in
    before_start_ns: int = 0  # the last of them before the server was started
    remembers: bool = False  # history holds the beginning of the hole, or what came before it
    reached: bool = False  # … and the end of it


@dataclass(slots=True)
class Outcome:
    """What a round has settled so far."""

    readings: list[Reading] = field(default_factory=list[Reading])
    settled: list[tuple[Hole, GapState, str]] = field(default_factory=list[tuple[Hole, GapState, str]])
    more: list[Gap] = field(default_factory=list[Gap])


def go_on(one: Progress, answer: Answer, asked: int) -> None:
    """Whether there is more, and where."""
    newest_ns = max((reading.source_ns for reading in answer.readings), default=0)
    stopped_short = len(answer.readings) >= asked and one.since_ns < newest_ns < one.hole.to_ns
    one.continuation = answer.continuation
    one.more = bool(answer.continuation) or stopped_short
    one.since_ns = max(one.since_ns, newest_ns)


def take(one: Progress, answer: Answer, outcome: Outcome, started_ns: int) -> None:
    """The values that lie in the hole; after the last of them, what became of it.

    A history may have forgotten the beginning (it keeps so many values), or never had it: one that lives no longer than
    its server can still hold what its nodes were made with, just before the start. So the beginning counts as whole
    only where history holds a value of its time or before.
    """
    hole = one.hole
    for reading in answer.readings:
        one.remembers = one.remembers or reading.source_ns <= hole.from_ns
        one.reached = one.reached or reading.source_ns >= hole.to_ns
        if hole.from_ns < reading.source_ns < hole.to_ns:
            one.values += 1
            one.first_ns = min(one.first_ns or reading.source_ns, reading.source_ns)
            if reading.source_ns < started_ns:
                one.before_start_ns = max(one.before_start_ns, reading.source_ns)
            outcome.readings.append(reading._replace(quality=reading.quality | Quality.BACKFILLED))
    if not one.more:
        _settle(one, outcome, started_ns)


def _settle(one: Progress, outcome: Outcome, started_ns: int) -> None:
    hole = one.hole
    restarted = hole.from_ns < started_ns < hole.to_ns
    if not one.values and not one.reached:
        detail = f"{hole.detail}; the server's history holds nothing of it"
        outcome.settled.append((hole, GapState.LOST, detail))
        return
    later = f"{hole.detail}; the server's history begins later"
    if not one.values and not one.remembers and not restarted:
        outcome.settled.append((hole, GapState.LOST, later))
        return
    outcome.settled.append((hole, GapState.BACKFILLED, hole.detail))
    if restarted:
        since_ns = max(hole.from_ns, one.before_start_ns) if one.remembers else hole.from_ns
        detail = "the server did not run, so that its history is empty"
        outcome.more.append(Gap((hole.handle,), since_ns, started_ns, GapCause.DEVICE_UNREACHABLE, detail))
    elif not one.remembers:
        outcome.more.append(Gap((hole.handle,), hole.from_ns, one.first_ns, hole.cause, later))


def raw_details(from_ns: int, to_ns: int, most: int) -> Opaque:
    """Of one call: raw values of an interval, at most so many of each node."""
    details = ua.ReadRawModifiedDetails()
    details.IsReadModified = False
    details.StartTime = _instant(from_ns)
    details.EndTime = _instant(to_ns) + timedelta(microseconds=2)  # so that the value at the end itself comes, too
    details.NumValuesPerNode = most
    details.ReturnBounds = False
    return details


def wanted_value(one: Progress) -> Opaque:
    """One node of a call."""
    wanted = ua.HistoryReadValueId()
    wanted.NodeId = one.node
    wanted.ContinuationPoint = one.continuation or None
    return wanted


def _instant(time_ns: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=time_ns // 1000)
