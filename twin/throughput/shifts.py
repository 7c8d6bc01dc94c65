"""Where the shifts of every calendar begin and end, as sorted columns for the counter kernel.

In: the days that a batch touches. Out: for each calendar the instants at which a new total begins. Time outside every
shift is cut at midnight UTC, so that the interval of an instant depends on the calendar only, never on the batch.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from twin.plant.calendar import Calendar

DAY_NS = 86_400_000_000_000
_REACH = 3  # days around a sample, so that the bounds before and after it are always known
_KEEP = 800  # days
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_ns(at: datetime) -> int:
    """Nanoseconds UTC since 1970 of an aware instant."""
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000


def from_ns(time_ns: int) -> datetime:
    """The instant, to the microsecond, aware UTC."""
    return _EPOCH + timedelta(microseconds=time_ns // 1000)


class ShiftBounds:
    """The bounds of all calendars around the days that were asked for; grows as time goes on."""

    def __init__(self, calendars: Sequence[Calendar]) -> None:
        self._calendars = calendars
        self._days: set[int] = set()
        self.bounds: NDArray[np.int64] = np.zeros(0, np.int64)
        self.start: NDArray[np.int32] = np.zeros(len(calendars) + 1, np.int32)

    def cover(self, time: NDArray[np.int64]) -> None:
        """Make sure that the bounds around each of these instants (ns UTC) are known."""
        if len(time) == 0:
            return
        first, last = int(time.min()) // DAY_NS, int(time.max()) // DAY_NS
        touched: Iterable[int] = range(first, last + 1) if last - first < 2 else np.unique(time // DAY_NS).tolist()
        wanted = {day + offset for day in touched for offset in range(-_REACH, _REACH + 1)}
        if wanted <= self._days:
            return
        self._days = wanted if len(self._days) > _KEEP else self._days | wanted
        columns = [self._of(calendar) for calendar in self._calendars]
        self.start = np.cumsum([0, *map(len, columns)], dtype=np.int32)
        self.bounds = np.array([bound for column in columns for bound in column], np.int64)

    def _of(self, calendar: Calendar) -> list[int]:
        found: set[int] = set()
        for day in self._days:
            midnight = _EPOCH + timedelta(days=day)
            shifts = list(calendar.shifts_between(midnight, midnight + timedelta(days=1)))
            for shift in shifts:
                found |= {to_ns(shift.started_at), to_ns(shift.ends_at)}
            if not any(shift.started_at < midnight < shift.ends_at for shift in shifts):
                found.add(to_ns(midnight))
        return sorted(found)
