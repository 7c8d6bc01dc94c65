"""One unit as the throughput sees it: its signals by role, and its stored series → time line, events, buckets.

In: columns of samples around a window, read by the store. Out: `Buckets` and `TimeLine`. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from twin.plant.calendar import Calendar
from twin.plant.tree import Asset, Plant, Signal
from twin.throughput.buckets import PLACE, SECONDS, Buckets, Spans, UnitEvents, bucket_up
from twin.throughput.counting import Made, joined
from twin.throughput.elements import Reclassified, Steps, TimeLine, UnitTime, held_steps, time_line
from twin.throughput.port import Excursion, connected_spans, excursion_spans, lift_quantities, lifts_of
from twin.throughput.schedule import hours_between, make_schedule

COUNTERS: Mapping[str, str] = {
    "good-count": "good",
    "scrap-count": "scrap",
    "rework-count": "rework",
    "total-count": "total",
    "move-count": "moves",
    "lift-count": "lifts",
    "box-count": "boxes",
    "teu-count": "teu",
    "rehandle-count": "rehandles",
}
"""Role of a counter → the quantity that it counts."""
STATES = ("machine-state", "operation-mode", "spreader-mode", "reefer-plugged")
COLUMNS = (*STATES, "twist-lock", "trolley-position", "turn-time", "reefer-setpoint", "reefer-return")
DECIDING = (*COUNTERS, *COLUMNS, "order")
"""Roles whose samples change a bucket."""
LIFT_MARGIN_NS = 900_000_000_000  # a lift or a pair of lifts may begin or end outside the window
GAP_MIN_S, GAP_PERIODS = 30.0, 10.0  # more silence of a counter makes an estimate, as in twin.monitor.plan
EXCURSION = Excursion()


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit with something to count or to time."""

    asset: Asset
    calendar: Calendar
    signals: Mapping[str, Signal]  # by role; one of each

    @property
    def works_on_calls(self) -> bool:
        """Whether it is a crane whose orders are vessel calls: only its hours and moves make crane rates."""
        return "order" in self.signals and bool({"twist-lock", "lift-count"} & set(self.signals))

    @property
    def margin_ns(self) -> int:
        """How far outside a window samples still decide about it."""
        stale_s = max((one.stale_after_s for role, one in self.signals.items() if role in STATES), default=0.0)
        excursion_s = EXCURSION.for_s if "reefer-return" in self.signals else 0.0
        return round((self.asset.microstop_s + stale_s + excursion_s) * 1e9) + 1


@dataclass(frozen=True, slots=True)
class Column:
    """Samples of one signal, ascending in time."""

    time: NDArray[np.int64]  # [n] ns UTC
    value: NDArray[np.float64]  # [n]
    good: NDArray[np.bool_]  # [n]


NO_COLUMN = Column(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.bool_))


@dataclass(frozen=True, slots=True)
class UnitSeries:
    """What is stored of one unit around a window."""

    columns: Mapping[str, Column]  # by role, those of COLUMNS; each from the last sample before the window on
    made: Mapping[str, Made]  # by quantity
    orders: Sequence[tuple[int, str]] = ()  # (since ns, order), ascending, from the last before the window on
    unheard: Sequence[tuple[int, int]] = ()  # gaps of the machine state, ns
    reclassified: Sequence[Reclassified] = field(default=())

    def column(self, role: str) -> Column:
        """The samples of a role, none when the unit has no such signal."""
        return self.columns.get(role, NO_COLUMN)


def unit_of(plant: Plant, path: str) -> Unit | None:
    """The unit at this path; None when it has no signal that decides about a bucket."""
    asset = plant.asset(path)
    roles: dict[str, Signal] = {}
    for one in map(plant.signal, asset.signals):
        if one.role in DECIDING and one.role not in roles:
            roles[one.role] = one
    if not set(roles) & {"machine-state", "turn-time", "reefer-plugged", *COUNTERS}:
        return None
    return Unit(asset, plant.calendar_of(path), roles)


def units_of(plant: Plant) -> dict[str, Unit]:
    """Every unit that has buckets, by path, in the order of the plant."""
    found = {asset.path: unit_of(plant, asset.path) for asset in plant.assets if asset.signals}
    return {path: unit for path, unit in found.items() if unit is not None}


def gap_ns(signal: Signal) -> int:
    """Longer silence of a counter makes the time of what it counted an estimate."""
    return round(max(GAP_MIN_S, GAP_PERIODS * signal.period_s) * 1e9)


def steps_of(unit: Unit, series: UnitSeries, role: str) -> Steps:
    """A state signal as a step function; silence ends it."""
    column = series.column(role)
    if role not in unit.signals:
        return Steps(column.time, column.time)
    hold_ns = round(unit.signals[role].stale_after_s * 1e9)
    unheard = series.unheard if role == "machine-state" else ()
    code = np.where(column.good, np.nan_to_num(column.value), 0).astype(np.int64)
    return held_steps(column.time, code, column.good, hold_ns, unheard)


def line_of(unit: Unit, series: UnitSeries, start_ns: int, end_ns: int) -> TimeLine:
    """The time line of [start, end), cut at hours and changes of order, judged with a margin on both sides."""
    order_since = np.array([since for since, _ in series.orders], np.int64)
    cuts = np.concatenate([hours_between(unit.calendar, start_ns, end_ns), [start_ns, end_ns], order_since])
    mode = unit.signals.get("operation-mode")
    state = unit.signals.get("machine-state")
    return time_line(
        UnitTime(
            states=state.states if state else {},
            state=steps_of(unit, series, "machine-state"),
            schedule=make_schedule(unit.calendar, start_ns - unit.margin_ns, end_ns + unit.margin_ns),
            microstop_s=unit.asset.microstop_s,
            modes=mode.states if mode else {},
            mode=steps_of(unit, series, "operation-mode"),
            reclassified=series.reclassified,
            cuts=cuts.astype(np.int64),
        ),
        start_ns - unit.margin_ns,
        end_ns + unit.margin_ns,
    )


def reach(series: UnitSeries, start_ns: int, end_ns: int) -> tuple[int, int]:
    """The window, extended over every estimate that reaches into it: their shares hang together."""
    for made in series.made.values():
        touching = made.estimated & (made.at > start_ns) & (made.since < end_ns)
        if touching.any():
            start_ns = min(start_ns, int(made.since[touching].min()))
            end_ns = max(end_ns, int(made.at[touching].max()))
    return start_ns, end_ns


def first_heard_ns(series: UnitSeries) -> int | None:
    """The oldest sample that was read; when it lies within the window, there is nothing before."""
    heard = [int(one.time[0]) for one in series.columns.values() if len(one.time)]
    heard += [int(one.since[0]) for one in series.made.values() if len(one)]
    return min(heard, default=None)


def buckets_of(unit: Unit, series: UnitSeries, start_ns: int, end_ns: int) -> Buckets:
    """The buckets of [start, end); start must be the beginning of an hour."""
    hours = hours_between(unit.calendar, start_ns, end_ns)
    first, last = reach(series, start_ns, end_ns)
    line = line_of(unit, series, first, last)
    cut = np.concatenate([[start_ns, end_ns], hours]).astype(np.int64)
    if not np.isin(cut, line.start).all():  # an estimate reached further than the window: cut there, too
        line = _cut(line, cut)
    schedule = make_schedule(unit.calendar, start_ns, end_ns)
    found = bucket_up(line, schedule, hours, _events(unit, series, end_ns), start_ns, end_ns)
    if "machine-state" not in unit.signals:
        found.amount[:, [PLACE[name] for name in (*SECONDS, "busy_s")]] = 0.0
    if not unit.works_on_calls:
        found.amount[:, [PLACE["allocated_s"], PLACE["allocated_delay_s"]]] = 0.0
    return found


def _cut(line: TimeLine, cuts: NDArray[np.int64]) -> TimeLine:
    inner = cuts[(cuts > line.start[0]) & (cuts < line.end[-1])]
    start = np.union1d(line.start, inner)
    place = np.searchsorted(line.start, start, side="right") - 1
    new = ~np.isin(start, line.start)
    return TimeLine(
        start,
        np.append(start[1:], line.end[-1]),
        line.element[place],
        line.code[place],
        line.reason[place],
        line.plan[place],
        line.begins_failure[place] & ~new,
        line.begins_minor[place] & ~new,
    )


def _events(unit: Unit, series: UnitSeries, end_ns: int) -> UnitEvents:
    made = dict(series.made)
    if "total" in made:
        made["good"] = _less(made.pop("total"), joined([made[name] for name in ("scrap", "rework") if name in made]))
    dual_at = np.zeros(0, np.int64)
    if "twist-lock" in unit.signals:
        lock, trolley = series.column("twist-lock"), series.column("trolley-position")
        spreader = unit.signals.get("spreader-mode")
        lifts = lifts_of(
            lock.time[lock.good],
            lock.value[lock.good] == 1,
            trolley.time[trolley.good],
            trolley.value[trolley.good],
            steps_of(unit, series, "spreader-mode"),
            {code: state.name for code, state in spreader.states.items()} if spreader else {},
        )
        made = {**lift_quantities(lifts), **made}
        dual_at = lifts.unlock[lifts.dual]
    turns = series.column("turn-time")
    changed = turns.good & np.append(False, turns.value[1:] != turns.value[:-1]) if len(turns.time) else turns.good
    return UnitEvents(
        made=made,
        order_since=np.array([since for since, _ in series.orders], np.int64),
        order=[order for _, order in series.orders],
        dual_at=dual_at,
        turn_at=turns.time[changed],
        turn_s=turns.value[changed],
        **_reefer(unit, series, end_ns),
    )


def _less(total: Made, bad: Made) -> Made:
    """Good parts where a machine counts all and the bad ones: negative at the instant at which a part turns out bad."""
    return joined([total, Made(bad.since, bad.at, -bad.parts, bad.estimated)])


def _reefer(unit: Unit, series: UnitSeries, end_ns: int) -> dict[str, Spans]:
    if "reefer-plugged" not in unit.signals:
        return {}
    connected = connected_spans(steps_of(unit, series, "reefer-plugged"), end_ns)
    air, wanted = series.column("reefer-return"), series.column("reefer-setpoint")
    if "reefer-return" not in unit.signals or not len(wanted.time):
        return {"connected": connected}
    known = air.good & (air.time >= wanted.time[0])
    at = np.searchsorted(wanted.time, air.time[known], side="right") - 1
    hold_ns = round(unit.signals["reefer-return"].stale_after_s * 1e9)
    deviation_c = air.value[known] - wanted.value[at]
    excursions = excursion_spans(air.time[known], deviation_c, connected, EXCURSION, hold_ns=hold_ns)
    return {"connected": connected, "excursions": excursions}
