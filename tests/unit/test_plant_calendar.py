"""Shifts in local wall time, across clock changes, holidays and planned stops."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.plant.calendar import Calendar, Hours, PlannedStop, ShiftPattern

BERLIN = ZoneInfo("Europe/Berlin")
DAILY = frozenset(range(7))
EARLY = ShiftPattern("early", Hours(6 * 60, 14 * 60), DAILY)
LATE = ShiftPattern("late", Hours(14 * 60, 22 * 60), DAILY)
NIGHT = ShiftPattern("night", Hours(22 * 60, 6 * 60), DAILY)


def calendar(*patterns, holidays=(), stops=(), timezone="Europe/Berlin"):
    return Calendar("test", timezone, patterns or (EARLY, LATE, NIGHT), frozenset(holidays), tuple(stops))


def berlin(*fields, fold=0):
    return datetime(*fields, tzinfo=BERLIN, fold=fold)


def test_a_shift_is_found_by_local_time_and_given_in_utc():
    shift = calendar().shift_at(berlin(2026, 7, 1, 9, 30))
    assert shift is not None
    assert (shift.name, shift.planned) == ("early", True)
    assert shift.started_at == datetime(2026, 7, 1, 4, tzinfo=UTC)
    assert shift.started_at.tzinfo is UTC
    assert shift.ends_at == datetime(2026, 7, 1, 12, tzinfo=UTC)


def test_a_night_shift_belongs_to_the_day_on_which_it_starts():
    shift = calendar().shift_at(berlin(2026, 7, 2, 3))
    assert shift is not None
    assert shift.name == "night"
    assert shift.started_at == berlin(2026, 7, 1, 22)


@pytest.mark.parametrize(("morning", "hours"), [((2026, 3, 29), 7), ((2026, 10, 25), 9), ((2026, 6, 1), 8)])
def test_the_night_of_a_clock_change_is_an_hour_shorter_or_longer(morning, hours):
    shift = calendar().shift_at(berlin(*morning, 1))
    assert shift is not None
    assert shift.ends_at - shift.started_at == timedelta(hours=hours)


def test_both_passes_of_the_doubled_hour_are_in_the_same_night_shift():
    first = calendar().shift_at(berlin(2026, 10, 25, 2, 30, fold=0))
    second = calendar().shift_at(berlin(2026, 10, 25, 2, 30, fold=1))
    assert first == second
    assert first is not None


def test_a_shift_that_starts_in_the_skipped_hour_starts_when_the_clock_jumps():
    odd = ShiftPattern("odd", Hours(2 * 60 + 30, 10 * 60), DAILY)
    shift = calendar(odd).shift_at(datetime(2026, 3, 29, 2, tzinfo=UTC))
    assert shift is not None
    assert shift.started_at == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_the_end_of_a_shift_is_the_start_of_the_next():
    assert calendar().shift_at(berlin(2026, 7, 1, 14)).name == "late"
    before = berlin(2026, 7, 1, 14) - timedelta(microseconds=1)
    assert calendar().shift_at(before).name == "early"


def test_between_shifts_there_is_none():
    weekdays = ShiftPattern("day", Hours(8 * 60, 16 * 60), frozenset(range(5)))
    assert calendar(weekdays).shift_at(berlin(2026, 7, 4, 9)) is None  # a Saturday
    assert calendar(weekdays).shift_at(berlin(2026, 7, 3, 16)) is None


def test_a_holiday_has_its_shifts_but_none_is_planned():
    plain = calendar(holidays=[date(2026, 12, 25)])
    assert plain.shift_at(berlin(2026, 12, 25, 9)).planned is False
    assert plain.shift_at(berlin(2026, 12, 26, 5)).planned is False  # the night that starts on the holiday
    assert plain.shift_at(berlin(2026, 12, 26, 6)).planned is True


def test_inside_a_planned_stop_the_shift_is_not_planned():
    stop = PlannedStop("cleaning", Hours(10 * 60, 12 * 60), frozenset({6}), None)
    once = PlannedStop("audit", Hours(23 * 60, 60), frozenset(), date(2026, 7, 6))
    plain = calendar(stops=[stop, once])
    assert plain.shift_at(berlin(2026, 7, 5, 9, 59)).planned is True
    assert plain.shift_at(berlin(2026, 7, 5, 10)).planned is False
    assert plain.shift_at(berlin(2026, 7, 5, 12)).planned is True
    assert plain.shift_at(berlin(2026, 7, 7, 0, 30)).planned is False  # past midnight


def test_planned_seconds_leave_out_stops_and_holidays_once():
    cleaning = PlannedStop("cleaning", Hours(10 * 60, 12 * 60), frozenset({6}), None)
    overlapping = PlannedStop("also", Hours(11 * 60, 13 * 60), frozenset({6}), None)
    plain = calendar(stops=[cleaning, overlapping], holidays=[date(2026, 7, 6)])
    sunday, tuesday = berlin(2026, 7, 5, 6), berlin(2026, 7, 7, 6)
    assert plain.planned_s(sunday, tuesday) == (24 - 3) * 3600


def test_a_day_of_three_shifts_has_as_many_planned_hours_as_the_clock_gives():
    for day, hours in ((date(2026, 3, 28), 23), (date(2026, 10, 24), 25), (date(2026, 5, 5), 24)):
        start = datetime(day.year, day.month, day.day, 6, tzinfo=BERLIN)
        end = start + timedelta(days=1)  # wall-clock arithmetic: 06:00 on the next day
        assert calendar().planned_s(start, end) == hours * 3600


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
)
def test_three_shifts_cover_every_instant_exactly_once(at, timezone):
    plain = calendar(timezone=timezone)
    shift = plain.shift_at(at)
    assert shift is not None
    assert shift.started_at <= at < shift.ends_at
    assert len(list(plain.shifts_between(at, at + timedelta(microseconds=1)))) == 1
