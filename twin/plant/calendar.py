"""When the plant is meant to run: shifts in local wall time, holidays, planned stops.

In: an instant. Out: the shift it falls into, in UTC. A shift that spans a clock change is as much longer or shorter as
the clock is moved: 22:00 to 06:00 lasts 7 h in the spring night and 9 h in the autumn night.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Hours:
    """A span of local wall time, minutes since midnight; an end ≤ start means the next day."""

    start_min: int
    end_min: int

    @property
    def length_min(self) -> int:
        """Wall-clock length; 24 h when start and end are equal."""
        return self.end_min - self.start_min if self.end_min > self.start_min else self.end_min - self.start_min + 1440


@dataclass(frozen=True, slots=True)
class ShiftPattern:
    """A shift that starts on each of these weekdays (0 = Monday)."""

    name: str
    hours: Hours
    days: frozenset[int]


@dataclass(frozen=True, slots=True)
class PlannedStop:
    """A span in which nobody expects production: every week on `days`, or once on `on`."""

    title: str
    hours: Hours
    days: frozenset[int]
    on: date | None

    def starts_on(self, day: date) -> bool:
        """Whether the stop begins on this local date."""
        return day == self.on if self.on else day.weekday() in self.days


@dataclass(frozen=True, slots=True)
class Shift:
    """One shift that takes place; `planned` is False on a holiday and, from `shift_at`, inside a planned stop."""

    name: str
    started_at: datetime  # aware, UTC
    ends_at: datetime  # aware, UTC
    planned: bool


@dataclass(frozen=True, slots=True)
class Calendar:
    """Shift patterns of one place, in its time zone."""

    name: str
    timezone: str
    patterns: tuple[ShiftPattern, ...]
    holidays: frozenset[date]
    stops: tuple[PlannedStop, ...]

    def shift_at(self, at: datetime) -> Shift | None:
        """The shift that contains `at` (aware), or None between shifts."""
        for shift in self.shifts_between(at, at + timedelta(microseconds=1)):
            if shift.planned and any(start <= at < end for start, end in self.stops_between(at, at + _DAY)):
                return Shift(shift.name, shift.started_at, shift.ends_at, planned=False)
            return shift
        return None

    def shifts_between(self, start: datetime, end: datetime) -> Iterator[Shift]:
        """Every shift that touches [start, end), in order."""
        for day in self._days(start, end):
            for pattern in self.patterns:
                if day.weekday() in pattern.days:
                    began, ended = self._span(day, pattern.hours)
                    if began < end and start < ended:
                        yield Shift(pattern.name, began, ended, planned=day not in self.holidays)

    def stops_between(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Every planned stop that touches [start, end), whole, in UTC."""
        for day in self._days(start, end):
            for stop in self.stops:
                if stop.starts_on(day):
                    began, ended = self._span(day, stop.hours)
                    if began < end and start < ended:
                        yield began, ended

    def planned_s(self, start: datetime, end: datetime) -> float:
        """Seconds of [start, end) in which production is planned: in a shift, no holiday, no planned stop."""
        stops = sorted(self.stops_between(start, end))
        total = 0.0
        for shift in self.shifts_between(start, end):
            if shift.planned:
                since, until = max(shift.started_at, start), min(shift.ends_at, end)
                total += _uncovered_s(since, until, stops)
        return total

    def _days(self, start: datetime, end: datetime) -> Iterator[date]:
        zone = ZoneInfo(self.timezone)
        day, last = start.astimezone(zone).date() - _DAY, end.astimezone(zone).date()
        while day <= last:
            yield day
            day += _DAY

    def _span(self, day: date, hours: Hours) -> tuple[datetime, datetime]:
        return self._instant(day, hours.start_min), self._instant(day, hours.start_min + hours.length_min)

    def _instant(self, day: date, minutes: int) -> datetime:
        """Wall time → UTC. A time that the spring change skips is read on the old clock, a doubled one is the first."""
        extra_days, minute = divmod(minutes, 1440)
        wall = datetime.combine(day + extra_days * _DAY, datetime.min.time()) + timedelta(minutes=minute)
        return wall.replace(tzinfo=ZoneInfo(self.timezone)).astimezone(UTC)


def _uncovered_s(since: datetime, until: datetime, stops: list[tuple[datetime, datetime]]) -> float:
    """Seconds of [since, until) outside the sorted stops."""
    total = 0.0
    for began, ended in stops:
        if ended > since and began < until:
            total += max(0.0, (began - since).total_seconds())
            since = max(since, ended)
    return total + max(0.0, (until - since).total_seconds())
