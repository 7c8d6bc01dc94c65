"""The calendar of a unit as a step function: from which instant which shift, which day, and whether work is planned.

In: a calendar and a span. Out: sorted columns. A shift belongs to the day on which it began; time outside every shift
belongs to its own local date.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from twin.plant.calendar import Calendar
from twin.throughput.shifts import DAY_NS, from_ns, to_ns

HOUR_NS = 3_600_000_000_000
BUSY, STOP, NONE = range(3)
PLANS = ("busy", "stop", "none")  # as time_elements.yaml writes them
NO_SHIFT = -1


@dataclass(frozen=True, slots=True)
class Schedule:
    """Valid from `since[0]` on; row i holds in [since[i], since[i+1])."""

    since: NDArray[np.int64]  # [n] ns UTC
    plan: NDArray[np.int8]  # [n] BUSY, STOP or NONE
    shift: NDArray[np.int32]  # [n] index into `names`, NO_SHIFT outside
    shift_start: NDArray[np.int64]  # [n] ns UTC; of the interval itself outside every shift
    day: NDArray[np.int32]  # [n] days since 1970-01-01
    names: tuple[str, ...]


def make_schedule(calendar: Calendar, start_ns: int, end_ns: int) -> Schedule:
    """The steps that touch [start, end)."""
    start, end = from_ns(start_ns - DAY_NS), from_ns(end_ns + DAY_NS)
    shifts = sorted(calendar.shifts_between(start, end), key=lambda one: one.started_at)
    stops = sorted(calendar.stops_between(start, end))
    names = tuple(dict.fromkeys(shift.name for shift in shifts))
    zone = ZoneInfo(calendar.timezone)
    starts = np.array([to_ns(one.started_at) for one in shifts], np.int64)
    ends = np.array([to_ns(one.ends_at) for one in shifts], np.int64)
    planned = np.array([one.planned for one in shifts], np.bool_)
    numbers = np.array([names.index(one.name) for one in shifts], np.int32)
    days = np.array([_day(one.started_at, zone) for one in shifts], np.int32)
    stop_bounds = [to_ns(bound) for stop in stops for bound in stop]
    midnights = [to_ns(one) for one in _midnights(start, end, zone)]
    since = np.unique(np.concatenate([starts, ends, np.array(stop_bounds + midnights, np.int64)]))
    at = np.searchsorted(starts, since, side="right") - 1
    inside = (at >= 0) & (since < ends[at]) if len(starts) else np.zeros(len(since), np.bool_)
    stopped = np.zeros(len(since), np.bool_)
    for began, ended in stops:
        stopped |= (since >= to_ns(began)) & (since < to_ns(ended))
    at = np.where(inside, at, 0)
    own_day = np.array([_day(from_ns(int(one)), zone) for one in since], np.int32)
    if not len(starts):
        nothing = np.full(len(since), NONE, np.int8)
        return Schedule(since, nothing, np.full(len(since), NO_SHIFT, np.int32), since, own_day, names)
    plan = np.where(inside & planned[at], np.where(stopped, STOP, BUSY), NONE).astype(np.int8)
    shift = np.where(inside, numbers[at], NO_SHIFT).astype(np.int32)
    return Schedule(since, plan, shift, np.where(inside, starts[at], since), np.where(inside, days[at], own_day), names)


def hours_between(calendar: Calendar, start_ns: int, end_ns: int) -> NDArray[np.int64]:
    """The instants in (start, end) at which a local hour begins, ns UTC."""
    offset = from_ns(start_ns).astimezone(ZoneInfo(calendar.timezone)).utcoffset() or timedelta()
    shift_ns = round(offset.total_seconds()) * 1_000_000_000 % HOUR_NS
    first = (start_ns + shift_ns) // HOUR_NS * HOUR_NS - shift_ns
    return np.arange(first + HOUR_NS, end_ns, HOUR_NS, dtype=np.int64)


def hour_of(calendar: Calendar, time_ns: int) -> int:
    """When the local hour of this instant began, ns UTC."""
    before = hours_between(calendar, time_ns - HOUR_NS, time_ns + 1)
    return int(before[-1])


def _day(at: datetime, zone: ZoneInfo) -> int:
    return at.astimezone(zone).date().toordinal() - datetime(1970, 1, 1, tzinfo=UTC).date().toordinal()


def _midnights(start: datetime, end: datetime, zone: ZoneInfo) -> list[datetime]:
    day, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    found: list[datetime] = []
    while day <= last:
        found.append(datetime.combine(day, datetime.min.time(), zone).astimezone(UTC))
        day += timedelta(days=1)
    return found
