"""The plan by the hour, and which series a plant has."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from twin.forecast.hours import HOUR, OUTSIDE, hours_of, periods_ahead
from twin.forecast.reconcile import sums_of
from twin.forecast.series import places, series_of
from twin.learn.forecasts import producing
from twin.plant.calendar import Calendar, Hours, PlannedStop, ShiftPattern
from twin.plant.load import load_plant

ROOT = "configs/plant.yaml"


def calendar(*, stops=(), holidays=frozenset(), timezone="Europe/Berlin") -> Calendar:
    week = frozenset(range(5))
    patterns = (
        ShiftPattern("early", Hours(6 * 60, 14 * 60), week),
        ShiftPattern("late", Hours(14 * 60, 22 * 60), week),
    )
    return Calendar("two-shifts", timezone, patterns, holidays, stops)


MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def test_hours_outside_every_shift_are_not_planned():
    hours = hours_of(calendar(), MONDAY, 24)
    assert hours.planned.tolist() == [0.0] * 5 + [1.0] * 16 + [0.0] * 3  # 06:00 in Berlin is 05:00 UTC
    assert (hours.kind == OUTSIDE).tolist() == [planned == 0 for planned in hours.planned]
    assert hours.kind[5:13].tolist() == [1] * 8
    assert hours.kind[13:21].tolist() == [2] * 8


def test_planned_stops_and_holidays_are_taken_out_of_the_hour():
    stop = PlannedStop("cleaning", Hours(9 * 60 + 30, 10 * 60 + 15), frozenset(range(7)), None)
    hours = hours_of(calendar(stops=(stop,)), MONDAY, 24)
    assert hours.planned[8] == 0.5
    assert hours.planned[9] == 0.75
    free = hours_of(calendar(holidays=frozenset({date(2026, 11, 23)})), MONDAY, 24)
    assert (free.planned == 0).all()


def test_the_hours_of_a_long_span_are_those_of_its_parts():
    whole = hours_of(calendar(), MONDAY - timedelta(days=40), 24 * 80)  # over the end of summer time
    for first in (0, 300, 24 * 30, 24 * 79):
        part = hours_of(calendar(), MONDAY - timedelta(days=40) + first * HOUR, 24)
        np.testing.assert_array_equal(whole.planned[first : first + 24], part.planned)
        np.testing.assert_array_equal(whole.kind[first : first + 24], part.kind)


def test_periods_ahead_begin_at_the_origin_and_end_within_the_horizon():
    origin = MONDAY + 10 * HOUR  # in the middle of the early shift
    periods = periods_ahead(calendar(), origin, 192)
    first = next(period for period, _ in periods if period.by == "shift")
    assert (first.name, first.whole, first.start) == ("early", False, origin)
    assert first.end == MONDAY + 13 * HOUR
    for period, inside in periods:
        assert origin <= period.start < period.end <= origin + 192 * HOUR
        assert [origin + int(number) * HOUR for number in inside] == [
            period.start + number * HOUR for number in range(len(inside))
        ]
        assert period.end == period.start + len(inside) * HOUR
    days = [period for period, _ in periods if period.by == "day"]
    assert [day.name for day in days] == [f"2026-11-{day}" for day in range(23, 31)]
    assert [day.whole for day in days] == [False] + [True] * 7
    assert [len(inside) for period, inside in periods if period.by == "week"] == [168]


def test_the_day_on_which_the_clock_is_set_back_has_25_hours():
    origin = datetime(2026, 10, 24, 22, tzinfo=UTC)  # local midnight
    day, inside = next(
        (period, inside) for period, inside in periods_ahead(calendar(), origin, 48) if period.by == "day"
    )
    assert (day.name, len(inside)) == ("2026-10-25", 25)


@pytest.fixture(scope="module")
def plant():
    return load_plant(Path(ROOT))


def downstream(plant, path):
    """Everything that gets, at once or later, what `path` finishes."""
    after, waiting = set(), [path]
    while waiting:
        at = waiting.pop()
        fed = {link.target for link in plant.flow if link.source == at} - after
        after |= fed
        waiting += fed
    return after - {path}


def test_a_part_that_passes_three_machines_is_counted_once(plant):
    units = producing(plant)
    series = {one.asset: one for one in series_of(plant, units)}
    for one in series.values():
        if one.parts != (one.asset,):
            for part in one.parts:
                assert not downstream(plant, part) & set(one.parts)
    assert series["factory"].unit == "parts"
    assert len(series["factory"].parts) < sum(path.startswith("factory/") for path in units)


def test_every_sum_names_units_that_are_series_themselves(plant):
    series = series_of(plant, producing(plant))
    summing = sums_of(places(series))
    assert summing.shape == (len(series), len(producing(plant)))
    for row, one in zip(summing, series, strict=True):
        assert row.sum() == len(one.parts)
