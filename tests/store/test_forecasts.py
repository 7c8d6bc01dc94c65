"""Issued forecasts stay as they were issued; their truth comes later; accuracy is a query."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from twin.forecast.issued import LEVELS, Forecast, Outcome
from twin.store.queries import load_queries

HOUR_NS = 3_600_000_000_000
ORIGIN_NS = 1_795_000_000_000_000_000 // HOUR_NS * HOUR_NS


def stretch(
    asset: str = "factory/machining/mill-1", by: str = "shift", ahead_h: int = 0, length_h: int = 8
) -> Forecast:
    start_ns = ORIGIN_NS + ahead_h * HOUR_NS
    quantiles = tuple(100 * level for level in LEVELS)
    return Forecast(
        asset,
        by,
        ORIGIN_NS,
        start_ns,
        start_ns + length_h * HOUR_NS,
        "early",
        "parts",
        50.0,
        quantiles,
        40.0,
        quantiles,
        20.0,
        "mature",
    )


async def test_an_issue_that_is_saved_twice_stays_as_it_was(store):
    one = stretch()
    await store.forecasts.save([one])
    await store.forecasts.save([replace(one, centre=99.0)])
    assert await store.forecasts.latest([one.asset], "shift", ORIGIN_NS) == [one]


async def test_the_truth_is_put_beside_what_has_ended(store):
    near, far = stretch(), stretch(ahead_h=8)
    await store.forecasts.save([near, far])
    due = await store.forecasts.due(near.end_ns)
    assert due == [near]
    await store.forecasts.settle([replace(near, actual=30.0)])
    assert await store.forecasts.due(near.end_ns) == []
    assert await store.forecasts.due(far.end_ns) == [far]
    assert (await store.forecasts.latest([near.asset], "shift", ORIGIN_NS))[0].actual == 30.0


async def test_an_earlier_origin_shows_what_was_said_then(store):
    now, then = stretch(), replace(stretch(), origin_ns=ORIGIN_NS - HOUR_NS, centre=7.0)
    await store.forecasts.save([now, then])
    assert await store.forecasts.latest([now.asset], "shift", ORIGIN_NS - 1) == [then]
    assert await store.forecasts.latest([now.asset], "shift", ORIGIN_NS + HOUR_NS) == [now]


async def year_of_issues(connection, assets):
    """Every hour an issue of seven days ahead, of some assets, by SQL: rows as `save` makes them."""
    await connection.execute(
        """INSERT INTO forecast
           SELECT 'unit-' || unit, 'day', at, at + make_interval(days => ahead), at + make_interval(days => ahead + 1),
                  '', 'parts', 5, array_fill(5::float8, ARRAY[9]), 5, array_fill(5::float8, ARRAY[9]), 1, 'mature', NULL
             FROM generate_series(1, %(assets)s) AS unit,
                  generate_series('2026-01-01'::timestamptz, '2026-04-01', '1 hour') AS at,
                  generate_series(0, 6) AS ahead""",
        {"assets": assets},
    )
    await connection.execute("ANALYZE forecast")


async def test_the_newest_issue_is_read_by_the_key_and_nothing_else_is(store):
    values = {"assets": ["unit-2", "unit-3"], "by": "day", "origin": datetime(2026, 3, 1, 0, 30, tzinfo=UTC)}
    async with store.database.connection() as connection:
        await year_of_issues(connection, assets=3)
        query = "EXPLAIN (ANALYZE, FORMAT json) " + load_queries("forecasts")["latest"]
        (row,) = await (await connection.execute(query, values)).fetchall()
    plan = json.dumps(row[0])
    assert "Seq Scan" not in plan
    assert max(int(float(one)) for one in re.findall(r'"Actual Rows": ([0-9.]+)', plan)) <= 14
    found = await store.forecasts.latest(["unit-2"], "day", int(values["origin"].timestamp()) * 10**9)
    assert len(found) == 7
    assert {one.origin_ns for one in found} == {int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) * 10**9}


async def test_outcomes_count_each_stretch_once_with_its_last_word(store):
    now, then = stretch(), replace(stretch(), origin_ns=ORIGIN_NS - HOUR_NS, quantiles=(0.0,) * len(LEVELS))
    late = replace(stretch(), origin_ns=ORIGIN_NS + HOUR_NS, quantiles=(0.0,) * len(LEVELS))  # issued while it ran
    hour = stretch(by="hour", length_h=1)
    await store.forecasts.save([now, then, late, hour])
    await store.forecasts.settle([replace(one, actual=50.0) for one in (now, then, late, hour)])
    assert await store.forecasts.outcomes(ORIGIN_NS) == [Outcome(now.asset, "shift", False)]


async def test_accuracy_counts_what_lay_inside(store):
    shifts = [stretch(ahead_h=8 * number) for number in range(3)]
    await store.forecasts.save(shifts)
    actuals = (50.0, 8.0, 99.0)  # inside all, inside the 95 % interval only, outside all
    await store.forecasts.settle([replace(one, actual=actual) for one, actual in zip(shifts, actuals, strict=True)])
    (found,) = await store.forecasts.accuracy([shifts[0].asset], ORIGIN_NS)
    assert (found.days_ahead, found.count) == (0, 3)
    assert [found.inside_50, found.inside_80, found.inside_95] == pytest.approx([1 / 3, 1 / 3, 2 / 3])
    assert found.mean_error == pytest.approx((0 + 42 + 49) / 3)
    assert found.mase == pytest.approx(found.mean_error / 20)
    losses = [
        max(level * (actual - 100 * level), (level - 1) * (actual - 100 * level))
        for actual in actuals
        for level in LEVELS
    ]
    assert found.pinball == pytest.approx(sum(losses) / len(losses))


async def test_hours_are_forgotten_and_shifts_are_not(store):
    hour, shift = stretch(by="hour", length_h=1), stretch()
    await store.forecasts.save([hour, shift])
    later_ns = ORIGIN_NS + 100 * 24 * HOUR_NS
    await store.forecasts.save([replace(shift, origin_ns=later_ns, start_ns=later_ns, end_ns=later_ns + HOUR_NS)])
    assert await store.forecasts.latest([hour.asset], "hour", later_ns) == []
    assert await store.forecasts.latest([hour.asset], "shift", ORIGIN_NS) == [shift]
