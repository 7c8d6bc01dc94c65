"""The plan of a calendar, hour by hour: how much of each hour is planned, in which shift, day and week it falls.

In: a calendar and the first hour. Out: columns for a `Panel` and the periods to which the hours ahead add up.
Hours are those of UTC; a shift is made of the hours that begin in it, a day and a week of those that begin in them
on the plant's clock. Pure.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from twin.forecast.panel import Array
from twin.plant.calendar import Calendar

HOUR = timedelta(hours=1)
OUTSIDE = 0  # the kind of an hour outside every shift


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of hours that is forecast as one; its first and last hour may be all of it that lies ahead."""

    by: str  # shift | day | week
    name: str  # of the shift; the local date; the ISO week
    start: datetime  # aware UTC, the first hour ahead that belongs to it
    end: datetime
    whole: bool  # False when its beginning lies before the origin


@dataclass(frozen=True)
class Hours:
    """n hours from `start`, aware UTC, on the hour."""

    start: datetime
    planned: Array  # [n] 0 to 1
    kind: NDArray[np.int64]  # [n] number of the shift pattern + 1, OUTSIDE outside


def hours_of(calendar: Calendar, start: datetime, count: int) -> Hours:
    """Planned shares and kinds of `count` hours."""
    names = {pattern.name: number + 1 for number, pattern in enumerate(calendar.patterns)}
    planned, kind = np.zeros(count), np.full(count, OUTSIDE, np.int64)
    end = start + count * HOUR
    for shift in calendar.shifts_between(start, end):
        first = max(0, -(-(shift.started_at - start) // HOUR))
        last = min(count, -(-(shift.ends_at - start) // HOUR))
        kind[first:last] = names[shift.name]
    for number in np.flatnonzero(_touched(calendar, start, count)):
        at = start + int(number) * HOUR
        planned[number] = calendar.planned_s(at, at + HOUR) / 3600
    return Hours(start, planned, kind)


def _touched(calendar: Calendar, start: datetime, count: int) -> NDArray[np.bool_]:
    """The hours that any shift touches: only these need a closer look."""
    touched = np.zeros(count, np.bool_)
    for shift in calendar.shifts_between(start, start + count * HOUR):
        first = max(0, (shift.started_at - start) // HOUR)
        touched[first : max(0, -(-(shift.ends_at - start) // HOUR))] = True
    return touched


def periods_ahead(calendar: Calendar, origin: datetime, count: int) -> list[tuple[Period, NDArray[np.int64]]]:
    """Shifts, days and weeks of the `count` hours from `origin` on, each with its hours; what does not end within
    them is left out.
    """
    zone = ZoneInfo(calendar.timezone)
    hours = [origin + number * HOUR for number in range(count)]
    found: list[tuple[Period, NDArray[np.int64]]] = []
    for shift in calendar.shifts_between(origin, origin + count * HOUR):
        if shift.ends_at <= origin + count * HOUR:
            inside = [number for number, at in enumerate(hours) if shift.started_at <= at < shift.ends_at]
            found += _period("shift", shift.name, hours, inside, whole=shift.started_at >= origin)
    days = [at.astimezone(zone).date() for at in hours]
    for day in dict.fromkeys(days[:-1]):
        inside = [number for number, one in enumerate(days) if one == day]
        if inside[-1] < count - 1 or _last_of_day(hours[-1], zone):
            before = (origin - HOUR).astimezone(zone).date()
            found += _period("day", day.isoformat(), hours, inside, whole=day != before)
    week = list(range(min(count, 7 * 24)))
    if len(week) == 7 * 24:
        found += _period("week", f"7 days from {days[0].isoformat()}", hours, week, whole=True)
    return found


def _last_of_day(at: datetime, zone: ZoneInfo) -> bool:
    return (at + HOUR).astimezone(zone).date() != at.astimezone(zone).date()


def _period(
    by: str, name: str, hours: list[datetime], inside: list[int], *, whole: bool
) -> list[tuple[Period, NDArray[np.int64]]]:
    if not inside:
        return []
    period = Period(by, name, hours[inside[0]], hours[inside[-1]] + HOUR, whole)
    return [(period, np.array(inside, np.int64))]
