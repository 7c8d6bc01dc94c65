"""From the hours that were produced to stored forecasts, and from what came to how right they were."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from psycopg.types.json import Jsonb

from twin.forecast.hours import hours_of
from twin.forecast.series import series_of
from twin.learn.forecasts import forecast_jobs, producing
from twin.learn.outlook import outlook_of
from twin.plant.load import load_plant
from twin.risk.statement import Assessment, Basis, Statement
from twin.store.times import to_ns
from twin.throughput.buckets import AMOUNTS

PLANT = load_plant(Path("configs/plant.yaml"))
UNITS = producing(PLANT)
NOW = datetime(2026, 11, 25, 10, 20, tzinfo=UTC)
TOP = NOW.replace(minute=0)
HOUR = timedelta(hours=1)
MILL = "factory/machining/mill-1"


def bucket(unit, at, good=0.0, moves=0.0, unknown_s=0.0, **more):
    return {
        **dict.fromkeys(AMOUNTS, 0.0),
        "asset": unit,
        "start_at": at.isoformat(),
        "end_at": (at + HOUR).isoformat(),
        "hour_at": at.isoformat(),
        "shift_at": at.isoformat(),
        "day": at.date().isoformat(),
        "shift": "",
        "order_name": "",
        "good": good,
        "moves": moves,
        "unknown_s": unknown_s,
        **more,
    }


async def fill(store, rows):
    sql = "INSERT INTO kpi_bucket SELECT * FROM jsonb_populate_recordset(NULL::kpi_bucket, %s)"
    async with store.database.connection() as connection:
        await connection.execute(sql, [Jsonb(rows)])


def history(weeks, seed=0):
    rng = np.random.default_rng(seed)
    rows = []
    for unit, made in UNITS.items():
        count = weeks * 168
        start = TOP - count * HOUR
        planned = hours_of(PLANT.calendar_of(unit), start, count).planned
        quantity = rng.poisson(40 * planned)
        rows += [
            bucket(unit, start + number * HOUR, **{"moves" if made == "moves" else "good": float(quantity[number])})
            for number in range(count)
        ]
    return rows


async def no_faults(units, _now_ns):
    return outlook_of(units, {}, {})


def jobs(store, outlook=no_faults):
    return {job.name: job for job in forecast_jobs(PLANT, store.production, outlook, store.forecasts)}


async def test_hours_are_summed_and_what_is_mostly_unknown_is_unknown(store):
    crane = next(unit for unit, made in UNITS.items() if made == "moves")
    half = bucket(MILL, TOP, good=3.0)
    half["end_at"] = (TOP + HOUR / 2).isoformat()
    other = {**bucket(MILL, TOP + HOUR / 2, good=4.0), "end_at": (TOP + HOUR).isoformat()}
    await fill(
        store, [half, other, bucket(MILL, TOP + HOUR, 9.0, unknown_s=2000.0), bucket(crane, TOP, good=1.0, moves=7.0)]
    )
    made = await store.production.hourly({MILL: "parts", crane: "moves"}, to_ns(TOP), to_ns(TOP + 3 * HOUR))
    np.testing.assert_array_equal(made[MILL], [7.0, np.nan, np.nan])
    np.testing.assert_array_equal(made[crane], [7.0, np.nan, np.nan])


async def test_failures_are_counted_with_their_hours(store):
    await fill(store, [bucket(MILL, TOP, failures=2.0, failure_s=1800.0, production_s=900.0)])
    (found,) = (await store.production.failures([MILL], to_ns(TOP), to_ns(TOP + HOUR))).values()
    assert (found.count, found.down_h, found.run_h) == (2.0, 0.5, 0.25)


async def test_a_plant_with_three_weeks_gets_a_forecast_that_adds_up_and_is_held_against_what_came(store):
    await fill(store, history(3))
    said = await jobs(store)["forecast"].run(to_ns(NOW))
    assert said.startswith("issued ")
    paths = [asset.path for asset in PLANT.assets]
    shifts = await store.forecasts.latest(paths, "shift", to_ns(NOW))
    by_start = {}
    for one in shifts:
        by_start.setdefault(one.start_ns, {})[one.asset] = one
    ends = [row for row in by_start.values() if "factory" in row]
    assert len(ends) >= 20
    site = ends[1]["factory"]
    parts = [one for path, one in ends[1].items() if path in _ends_of("factory")]
    assert site.centre == pytest.approx(sum(one.centre for one in parts))
    assert site.centre > 0
    assert site.quantiles[2] < site.centre < site.quantiles[6]
    assert site.adjusted_mean == site.centre
    hours = await store.forecasts.latest([MILL], "hour", to_ns(NOW))
    assert len(hours) == 48
    planned = hours_of(PLANT.calendar_of(MILL), TOP, 48).planned
    assert [one.centre == 0 and one.quantiles[-1] == 0 for one in hours] == [share == 0 for share in planned]

    shift = min((one for one in shifts if one.asset == MILL), key=lambda one: one.end_ns)
    later = range((shift.end_ns - to_ns(TOP)) // 3_600_000_000_000)
    await fill(store, [bucket(MILL, TOP + number * HOUR, good=40.0) for number in later])
    await jobs(store)["forecast-score"].run(shift.end_ns)
    (settled,) = [
        one for one in await store.forecasts.latest([MILL], "shift", to_ns(NOW)) if one.start_ns == shift.start_ns
    ]
    assert settled.actual == 40.0 * len(later)


async def test_a_machine_that_will_probably_fail_is_expected_to_make_less(store):
    await fill(store, history(3))

    async def mill_fails(units, now_ns):
        risk = Assessment(8.0, 0.9, 0.8, 0.95, Basis.CALIBRATED, 40)
        return outlook_of(units, {MILL: Statement(MILL, now_ns, (risk,), 1)}, {})

    await jobs(store, mill_fails)["forecast"].run(to_ns(NOW))
    mill, other = [
        (await store.forecasts.latest([path], "day", to_ns(NOW)))[1] for path in (MILL, "factory/machining/mill-2")
    ]
    assert mill.adjusted_mean < 0.9 * mill.centre
    assert other.adjusted_mean == other.centre
    assert mill.adjusted[1] <= mill.quantiles[1]


async def test_a_plant_of_which_nothing_was_heard_gets_no_forecast(store):
    await jobs(store)["forecast"].run(to_ns(NOW))
    assert await store.forecasts.latest([asset.path for asset in PLANT.assets], "shift", to_ns(NOW)) == []


async def test_a_new_plant_has_a_forecast_that_says_on_how_little_it_rests(store):
    start = TOP - 8 * HOUR
    await fill(store, [bucket(MILL, start + number * HOUR, good=30.0 + number) for number in range(8)])
    await jobs(store)["forecast"].run(to_ns(NOW))
    found = await store.forecasts.latest([MILL, "factory/machining/mill-2"], "shift", to_ns(NOW))
    assert {one.asset: one.maturity for one in found} == {MILL: "young", "factory/machining/mill-2": "prior"}
    assert all(
        one.centre > 0 for one in found if one.asset == MILL and one.end_ns - one.start_ns == 8 * 3_600_000_000_000
    )


def _ends_of(site):
    return next(one for one in series_of(PLANT, UNITS) if one.asset == site).parts
