"""When the hours of the week begin, per calendar, in its own time zone: columns for the seasonal kernel.

In: the days that a batch touches. Out: the instants at which the hour of the week changes, and to which one. An hour
that the clocks skip is skipped, one that they double is the same hour twice.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from twin.plant.calendar import Calendar
from twin.throughput.shifts import DAY_NS

_QUARTER = timedelta(minutes=15)  # no time zone begins its hours elsewhere
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEEP = 40  # days


class WeekHours:
    """The hours of all calendars around the days that were asked for."""

    def __init__(self, calendars: Sequence[Calendar]) -> None:
        self._zones = [ZoneInfo(calendar.timezone) for calendar in calendars]
        self._days: dict[int, list[list[tuple[int, int]]]] = {}
        self.at: NDArray[np.int64] = np.zeros(0, np.int64)
        self.slot: NDArray[np.int16] = np.zeros(0, np.int16)
        self.start: NDArray[np.int32] = np.zeros(len(calendars) + 1, np.int32)

    def cover(self, time: NDArray[np.int64]) -> None:
        """Make sure that the hours around each of these instants (ns UTC) are known."""
        if len(time) == 0:
            return
        wanted = {day + offset for day in np.unique(time // DAY_NS).tolist() for offset in (-1, 0, 1)}
        if wanted <= self._days.keys():
            return
        if len(self._days) > _KEEP:
            self._days = {day: found for day, found in self._days.items() if day in wanted}
        for day in wanted - self._days.keys():
            self._days[day] = [_hours(zone, day) for zone in self._zones]
        columns = [[pair for day in sorted(self._days) for pair in self._days[day][c]] for c in range(len(self._zones))]
        self.start = np.cumsum([0, *map(len, columns)], dtype=np.int32)
        self.at = np.array([at for column in columns for at, _ in column], np.int64)
        self.slot = np.array([slot for column in columns for _, slot in column], np.int16)


def _hours(zone: ZoneInfo, day: int) -> list[tuple[int, int]]:
    """(ns UTC, hour of the local week) of each change within one UTC day."""
    found: list[tuple[int, int]] = []
    midnight = _EPOCH + timedelta(days=day)
    before = -1
    for quarter in range(96):
        local = (midnight + quarter * _QUARTER).astimezone(zone)
        slot = local.weekday() * 24 + local.hour
        if slot != before:
            found.append((day * DAY_NS + quarter * (DAY_NS // 96), slot))
            before = slot
    return found
