"""Crane signals → lifts, boxes, TEU, dual cycles; reefers → connected time and temperature excursions. Pure.

Moves, lifts, boxes and TEU are four quantities (TIC 4.0): a twin lift is one lift, two boxes, two moves and 2 TEU.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.throughput.buckets import Spans
from twin.throughput.counting import Made
from twin.throughput.elements import UNKNOWN_CODE, Steps, value_at


class Spread(NamedTuple):
    """What a spreader takes in one lift."""

    boxes: int
    teu: int


SPREADS: Mapping[str, Spread] = {
    "twenty": Spread(1, 1),
    "forty": Spread(1, 2),
    "forty-five": Spread(1, 2),
    "twin-twenty": Spread(2, 2),
    "tandem-forty": Spread(2, 4),
}
"""By the name of the spreader-mode state; any other name counts as one box, and no TEU, because nobody knows."""

WATERSIDE_M = 12.0  # a quay crane's trolley beyond this is over the ship
MOST_LIFT_NS = 3_600_000_000_000  # longer between lock and unlock: a sample is missing


@dataclass(frozen=True, slots=True)
class Lifts:
    """n lifts: twist locks closed at `lock`, opened at `unlock`."""

    lock: NDArray[np.int64]  # [n] ns UTC
    unlock: NDArray[np.int64]  # [n] ns UTC
    boxes: NDArray[np.int64]  # [n]
    teu: NDArray[np.int64]  # [n]
    dual: NDArray[np.bool_]  # [n] one of a pair ashore and aboard, or aboard and ashore, without an empty way between


def lifts_of(
    lock_time: NDArray[np.int64],
    locked: NDArray[np.bool_],
    trolley_time: NDArray[np.int64],
    trolley_m: NDArray[np.float64],
    spreader: Steps,
    modes: Mapping[int, str],
) -> Lifts:
    """Lifts of one crane: samples of its twist locks and trolley, ascending in time.

    A lift that was under way when the samples begin or end is left out.
    """
    change = np.diff(locked.astype(np.int8))
    closes, opens = lock_time[1:][change == 1], lock_time[1:][change == -1]
    if len(opens) and len(closes) and opens[0] < closes[0]:
        opens = opens[1:]
    elif not len(closes):
        opens = opens[:0]
    closes = closes[: len(opens)]
    opens = opens[: len(closes)]
    whole = opens - closes <= MOST_LIFT_NS
    closes, opens = closes[whole], opens[whole]
    mode = value_at(spreader, closes, UNKNOWN_CODE)
    spreads = [SPREADS.get(modes.get(code, ""), Spread(1, 0)) for code in mode.tolist()]
    return Lifts(
        closes,
        opens,
        np.array([one.boxes for one in spreads], np.int64),
        np.array([one.teu for one in spreads], np.int64),
        _dual(closes, opens, trolley_time, trolley_m),
    )


def _dual(
    closes: NDArray[np.int64], opens: NDArray[np.int64], time: NDArray[np.int64], trolley_m: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Pair a lift with the next one when that goes the other way and begins on the side where this one ended."""
    dual = np.zeros(len(closes), np.bool_)
    if not len(time) or not len(closes):
        return dual
    origin = int(time[0])
    taken_at_sea = np.interp(closes - origin, time - origin, trolley_m) > WATERSIDE_M
    set_at_sea = np.interp(opens - origin, time - origin, trolley_m) > WATERSIDE_M
    crosses = taken_at_sea != set_at_sea
    at = 0
    while at + 1 < len(closes):
        if crosses[at] and crosses[at + 1] and set_at_sea[at] == taken_at_sea[at + 1]:
            dual[at] = dual[at + 1] = True
            at += 1
        at += 1
    return dual


def lift_quantities(lifts: Lifts) -> dict[str, Made]:
    """Lifts, boxes and TEU as increments, each at the instant the box stands."""

    def made(parts: NDArray[np.int64]) -> Made:
        some = parts > 0
        return Made(lifts.lock[some], lifts.unlock[some], parts[some], np.zeros(int(some.sum()), np.bool_))

    return {"lifts": made(np.ones(len(lifts.lock), np.int64)), "boxes": made(lifts.boxes), "teu": made(lifts.teu)}


def connected_spans(plugged: Steps, until_ns: int) -> Spans:
    """When a reefer hung on its plug; unknown time is not connected time."""
    return _where(plugged.since, plugged.value == 1, until_ns)


@dataclass(frozen=True, slots=True)
class Excursion:
    """When a temperature counts as an excursion."""

    limit_c: float = 3.0  # further from the set point
    for_s: float = 1800.0  # longer than this: a box that was plugged in warm has time to cool


def excursion_spans(
    time: NDArray[np.int64],
    deviation_c: NDArray[np.float64],
    connected: Spans,
    rule: Excursion,
    *,
    hold_ns: int,
) -> Spans:
    """Spans in which a connected reefer was outside its limit for longer than the rule allows, whole.

    deviation_c: return air minus set point at each instant of `time`, ascending; a value holds at most `hold_ns`.
    """
    if not len(time):
        return Spans(time, time)
    ends = np.minimum(np.append(time[1:], time[-1] + hold_ns), time + hold_ns)
    beyond = np.abs(deviation_c) > rule.limit_c
    place = np.searchsorted(connected.start, time, side="right") - 1
    on = (
        (place >= 0) & (time < connected.end[np.maximum(place, 0)])
        if len(connected.start)
        else np.zeros(len(time), np.bool_)
    )
    bad = beyond & on
    joins = np.append(False, bad[:-1] & (time[1:] <= ends[:-1])) & bad
    begins = np.flatnonzero(bad & ~joins)
    lasts = np.append(begins[1:], len(time)) if len(begins) else begins
    found = [
        (int(time[a]), int(ends[a:b][bad[a:b]].max())) for a, b in zip(begins.tolist(), lasts.tolist(), strict=True)
    ]
    kept = [(a, b) for a, b in found if b - a > rule.for_s * 1e9]
    return Spans(np.array([a for a, _ in kept], np.int64), np.array([b for _, b in kept], np.int64))


def _where(since: NDArray[np.int64], here: NDArray[np.bool_], until_ns: int) -> Spans:
    edges = np.diff(np.concatenate([[0], here.astype(np.int8), [0]]))
    bounds = np.append(since, max(until_ns, int(since[-1]) if len(since) else until_ns))
    return Spans(bounds[np.flatnonzero(edges == 1)], bounds[np.flatnonzero(edges == -1)])
