"""One unit's time line and production → buckets: what is added up later, never averaged.

A bucket is the stretch of an hour in which shift, day and order stay the same. In: a time line that was cut at hours
and changes of order, increments per counter role. Out: columns, one row per bucket. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from twin.plant.elements import Element
from twin.throughput.counting import Made, RunTime, cycles_of, joined, linear, parts_by_slice, slow_s
from twin.throughput.elements import ELEMENTS, NUMBER, TimeLine
from twin.throughput.schedule import BUSY, NO_SHIFT, Schedule

SECONDS = tuple(f"{element.value.replace('-', '_')}_s" for element in ELEMENTS)
QUANTITIES = ("good", "scrap", "rework", "moves", "lifts", "boxes", "teu", "rehandles")
AMOUNTS = (
    *SECONDS,
    "busy_s",  # planned busy time of which something is known
    "allocated_s",  # with an order
    "allocated_delay_s",  # of these, broken down, delayed, maintained or in a planned stop
    *QUANTITIES,
    "dual_moves",
    "estimated",
    "failures",
    "minor_stops",
    "cycles",
    "cycle_s",
    "slow_s",
    "turns",
    "turn_s",
    "connected_s",
    "excursions",
    "excursion_s",
)
PLACE: Mapping[str, int] = {name: place for place, name in enumerate(AMOUNTS)}
_DELAYS = (Element.FAILURE, Element.DELAY, Element.MINOR_STOP, Element.MAINTENANCE, Element.PLANNED_STOP)


@dataclass(frozen=True, slots=True)
class Buckets:
    """n buckets of one unit, ascending, without hole."""

    start: NDArray[np.int64]  # [n] ns UTC
    end: NDArray[np.int64]  # [n] ns UTC
    hour: NDArray[np.int64]  # [n] when its hour began
    shift_start: NDArray[np.int64]  # [n] when its shift began
    day: NDArray[np.int32]  # [n] days since 1970-01-01
    shift: tuple[str, ...]  # [n] name, "" outside every shift
    order: tuple[str, ...]  # [n] "" = none
    amount: NDArray[np.float64]  # [n, len(AMOUNTS)]
    cycle_p10_s: NDArray[np.float64]  # [n] NaN without cycles
    cycle_median_s: NDArray[np.float64]  # [n]
    turn_times_s: tuple[tuple[float, ...], ...]  # [n]

    def __len__(self) -> int:
        return len(self.start)

    def total(self, name: str) -> float:
        """The sum of one amount."""
        return float(self.amount[:, PLACE[name]].sum())


@dataclass(frozen=True, slots=True)
class Spans:
    """Extra time of a unit that is counted per bucket, e.g. a reefer that is connected; no two overlap."""

    start: NDArray[np.int64]
    end: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class UnitEvents:
    """What a unit brought beside its time line."""

    made: Mapping[str, Made]  # by quantity, see QUANTITIES
    order_since: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))  # ns UTC, ascending
    order: Sequence[str] = ()
    dual_at: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    turn_at: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    turn_s: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    connected: Spans | None = None
    excursions: Spans | None = None


def bucket_up(
    line: TimeLine, schedule: Schedule, hours: NDArray[np.int64], events: UnitEvents, start_ns: int, end_ns: int
) -> Buckets:
    """The buckets of [start, end), both of which must be bounds of hours; the line may reach further.

    hours: the instants within (start, end) at which an hour begins, ns UTC.
    """
    bounds = _bounds(schedule, hours, events, start_ns, end_ns)
    start, end = bounds[:-1], bounds[1:]
    amount = np.zeros((len(start), len(AMOUNTS)))
    run = RunTime(line)
    _add_time(amount, line, bounds, _ordered(events, line.start))
    _add_production(amount, events, bounds, run)
    _add_spans(amount, events, bounds)
    p10, median = _add_cycles(amount, events, bounds, run)
    at = np.searchsorted(schedule.since, start, side="right") - 1
    all_hours = np.append(start_ns, hours)
    turn_slice = np.searchsorted(bounds, events.turn_at, side="right") - 1
    return Buckets(
        start=start,
        end=end,
        hour=all_hours[np.searchsorted(all_hours, start, side="right") - 1],
        shift_start=schedule.shift_start[at],
        day=schedule.day[at],
        shift=tuple(_shift_name(schedule, int(one)) for one in schedule.shift[at]),
        order=tuple(_order_at(events, int(one)) for one in start),
        amount=amount,
        cycle_p10_s=p10,
        cycle_median_s=median,
        turn_times_s=tuple(tuple(events.turn_s[turn_slice == one].tolist()) for one in range(len(start))),
    )


def _bounds(
    schedule: Schedule, hours: NDArray[np.int64], events: UnitEvents, start_ns: int, end_ns: int
) -> NDArray[np.int64]:
    changes = np.array([NO_SHIFT, NO_SHIFT], np.int64)
    if len(schedule.since):
        same = (schedule.shift_start[1:] == schedule.shift_start[:-1]) | (
            (schedule.shift[1:] == NO_SHIFT)
            & (schedule.shift[:-1] == NO_SHIFT)
            & (schedule.day[1:] == schedule.day[:-1])
        )
        changes = schedule.since[1:][~same]
    inner = np.unique(np.concatenate([hours, changes, events.order_since]))
    inner = inner[(inner > start_ns) & (inner < end_ns)]
    return np.concatenate([[start_ns], inner, [end_ns]]).astype(np.int64)


def _shift_name(schedule: Schedule, number: int) -> str:
    return "" if number == NO_SHIFT else schedule.names[number]


def _order_at(events: UnitEvents, at: int) -> str:
    place = int(np.searchsorted(events.order_since, at, side="right")) - 1
    return events.order[place] if place >= 0 else ""


def _ordered(events: UnitEvents, at: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether there is an order at each instant."""
    if not len(events.order_since):
        return np.zeros(len(at), np.bool_)
    some = np.array([bool(one) for one in events.order])
    place = np.searchsorted(events.order_since, at, side="right") - 1
    return (place >= 0) & some[np.maximum(place, 0)]


def _add_time(
    amount: NDArray[np.float64], line: TimeLine, bounds: NDArray[np.int64], ordered: NDArray[np.bool_]
) -> None:
    """The line is cut at every bound, so each interval lies in one bucket."""
    slices = np.searchsorted(bounds, line.start, side="right") - 1
    inside = (slices >= 0) & (slices < len(bounds) - 1)
    at, length_s, element = slices[inside], line.length_s[inside], line.element[inside]
    np.add.at(amount, (at, element), length_s)
    known_busy = (line.plan[inside] == BUSY) & (element != NUMBER[Element.UNKNOWN])
    np.add.at(amount[:, PLACE["busy_s"]], at[known_busy], length_s[known_busy])
    with_order = ordered[inside]
    np.add.at(amount[:, PLACE["allocated_s"]], at[with_order], length_s[with_order])
    delayed = with_order & np.isin(element, [NUMBER[one] for one in _DELAYS])
    np.add.at(amount[:, PLACE["allocated_delay_s"]], at[delayed], length_s[delayed])
    np.add.at(amount[:, PLACE["failures"]], at[line.begins_failure[inside]], 1.0)
    np.add.at(amount[:, PLACE["minor_stops"]], at[line.begins_minor[inside]], 1.0)


def _add_production(amount: NDArray[np.float64], events: UnitEvents, bounds: NDArray[np.int64], run: RunTime) -> None:
    for quantity, made in events.made.items():
        total, guessed = parts_by_slice(made, bounds, run)
        amount[:, PLACE[quantity]] += total
        if quantity in {"good", "scrap", "rework", "moves"}:
            amount[:, PLACE["estimated"]] += guessed
    amount[:, PLACE["dual_moves"]] += _count(events.dual_at, bounds)
    amount[:, PLACE["turns"]] += _count(events.turn_at, bounds)
    place = np.searchsorted(bounds, events.turn_at, side="right") - 1
    inside = (place >= 0) & (place < len(bounds) - 1)
    np.add.at(amount[:, PLACE["turn_s"]], place[inside], events.turn_s[inside])


def _count(at: NDArray[np.int64], bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.diff(np.searchsorted(np.sort(at), bounds, side="left"))


def _add_spans(amount: NDArray[np.float64], events: UnitEvents, bounds: NDArray[np.int64]) -> None:
    for name, spans in (("connected_s", events.connected), ("excursion_s", events.excursions)):
        if spans is not None and len(spans.start):
            amount[:, PLACE[name]] += _covered_s(spans, bounds)
    if events.excursions is not None:
        amount[:, PLACE["excursions"]] += _count(events.excursions.start, bounds)


def _covered_s(spans: Spans, bounds: NDArray[np.int64]) -> NDArray[np.float64]:
    edges = np.ravel(np.column_stack([spans.start, spans.end]))
    lengths = np.zeros(len(edges), np.int64)
    lengths[1::2] = spans.end - spans.start
    covered = linear(bounds - edges[0], edges - edges[0], np.cumsum(lengths) / 1e9)
    return covered[1:] - covered[:-1]


def _add_cycles(
    amount: NDArray[np.float64], events: UnitEvents, bounds: NDArray[np.int64], run: RunTime
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    cycles = cycles_of(
        joined([events.made[name] for name in ("good", "scrap", "rework", "moves") if name in events.made]), run
    )
    place = np.searchsorted(bounds, cycles.at, side="right") - 1
    p10, median = np.full(len(amount), np.nan), np.full(len(amount), np.nan)
    for one in np.unique(place[(place >= 0) & (place < len(amount))]).tolist():
        cycle_s, parts = cycles.cycle_s[place == one], cycles.parts[place == one]
        amount[one, PLACE["cycles"]] += len(cycle_s)
        amount[one, PLACE["cycle_s"]] += float((cycle_s * parts).sum())
        amount[one, PLACE["slow_s"]] += slow_s(cycle_s)
        p10[one], median[one] = np.quantile(cycle_s, 0.1), np.median(cycle_s)
    return p10, median
