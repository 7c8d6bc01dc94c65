"""Roll-ups: every row as a plain loop over the samples makes it, whatever comes late and in whatever order."""

import asyncio
import json

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.reference.rollups import WIDTHS_US
from tests.reference.rollups import rollups as reference
from tests.store.batches import DAY, T0, S, admitted
from twin.store.connect import open_store
from twin.store.queries import load_queries
from twin.store.rollups import bins_of
from twin.store.times import to_datetime, to_ns
from twin.wire.reading import Lane

SIGNALS = iter(range(1, 10**6))
NUMBERS = iter(range(1, 10**6))
HOUR = 3_600 * S
TINY = 1e-300  # what is nearer to zero than a double can say in full may become zero
COLUMNS = "start_at, samples, good, low, high, first, last, mean, covered_s"


async def commit(store, rows, lane=Lane.LIVE):
    """rows: (signal, time in ns, value, quality)."""
    signal, time, value, quality = (list(column) for column in zip(*sorted(rows), strict=True))
    await store.samples.commit(
        [admitted(signal, time, value, quality=quality, number=next(NUMBERS), node="late-and-never", lane=lane)]
    )


async def remake(store, holds_s):
    minutes = 0
    while piece := await store.rollups.remake(holds_s):
        minutes += piece.minutes
    return minutes


async def table(store, tier, signal=None):
    query = f"SELECT signal, {COLUMNS} FROM rollup_{tier} WHERE %(signal)s::int4 IS NULL OR signal = %(signal)s"
    async with store.database.connection() as connection:
        found = await (await connection.execute(query, {"signal": signal})).fetchall()
    return {(row[0], to_ns(row[1]) // 1000): row[2:] for row in found}


async def check(store, rows, holds_s):
    """Every row of every tier against the reference, and none beside."""
    for tier, width_us in WIDTHS_US.items():
        found = {}
        for signal, hold_s in holds_s.items():
            found |= await table(store, tier, signal)
            mine = [(at // 1000, value, quality) for number, at, value, quality in rows if number == signal]
            for start, row in reference(mine, round(hold_s * 1e6), width_us).items():
                samples, good, low, high, first, last, mean, covered_s = found.pop((signal, start))
                values = row.values
                assert (samples, good) == (row.samples, row.good)
                assert (low, high) == ((min(values), max(values)) if values else (None, None))
                assert (first, last) == ((values[0], values[-1]) if values else (None, None))
                assert covered_s == pytest.approx(row.covered_us / 1e6, abs=1e-6)
                assert (mean is None) == (row.mean is None)
                if row.mean is not None:
                    near = TINY + 1e-9 * max(map(abs, [v for v, _ in row.held]))
                    assert mean == pytest.approx(row.mean, rel=1e-9, abs=near)
        assert not found


def two_days(seed=5):
    """Three signals with holes, bad stretches and numbers that are none: every 7 s, every 3 min, now and then."""
    random = np.random.default_rng(seed)
    rows = []
    for signal, step_s, count in ((1, 7, 3_000), (2, 180, 900), (3, 5_000, 30)):
        at = T0 + np.cumsum(random.integers(step_s * 500_000, step_s * 1_500_000, count)) * 1000
        kept = random.random(count) > 0.05
        value = np.where(random.random(count) < 0.02, np.nan, random.normal(20, 5, count))
        quality = np.where(random.random(count) < 0.1, random.integers(0, 3, count), 0)
        rows += [(signal, int(a), float(v), int(q)) for a, v, q, k in zip(at, value, quality, kept, strict=True) if k]
    return rows, {1: 35.0, 2: 900.0, 3: 4_000.0}


async def test_every_row_is_what_a_plain_loop_makes_also_when_samples_come_late(store):
    rows, holds_s = two_days()
    random = np.random.default_rng(8)
    late = random.random(len(rows)) < 0.3
    await commit(store, [row for row, is_late in zip(rows, late, strict=True) if not is_late])
    await remake(store, holds_s)
    await commit(store, [row for row, is_late in zip(rows, late, strict=True) if is_late], Lane.HISTORY)
    await remake(store, holds_s)
    await check(store, rows, holds_s)
    assert await store.rollups.watermark() == await store.samples.newest_seq()


async def test_only_the_minutes_that_a_batch_touches_are_made_anew(store):
    rows = [(1, T0 + n * 10 * S, float(n), 0) for n in range(2_000)]
    await commit(store, rows)
    await remake(store, {1: 30.0})
    async with store.database.connection() as connection:
        await connection.execute("UPDATE rollup_minute SET samples = -1")
    late = (1, T0 + HOUR + 55 * S + 5, 7.0, 0)
    await commit(store, [late], Lane.HISTORY)
    assert await remake(store, {1: 30.0}) == 2  # its own minute, and the one that it might hold into
    found = await table(store, "minute", 1)
    assert sorted(at for (_, at), row in found.items() if row[0] != -1) == [
        (T0 + HOUR) // 1000, (T0 + HOUR + 60 * S) // 1000,
    ]  # fmt: skip


async def test_a_late_bad_sample_takes_back_what_was_held(store):
    rows = [(1, T0, 5.0, 0)]
    await commit(store, rows)
    await remake(store, {1: 600.0})
    assert len(await table(store, "minute")) == 10
    rows.append((1, T0 + 90 * S, 0.0, 2))
    await commit(store, rows[1:])
    await remake(store, {1: 600.0})
    assert len(await table(store, "minute")) == 2
    await check(store, rows, {1: 600.0})


async def test_the_greatest_and_smallest_numbers_stop_nothing(store):
    values = [5e-324, -1e-310, 1.7e308, -1.7e308, np.inf, -np.inf, np.nan, 1e289, 1e-289]
    await commit(store, [(1, T0 + n * S, value, 0) for n, value in enumerate(values)])
    await remake(store, {1: 1.5})
    ((samples, _, low, high, *_),) = (await table(store, "day")).values()
    assert (samples, low, high) == (9, -1e-310, 1e289)  # beyond 1e290 nothing is measured


SAMPLES = st.lists(
    st.tuples(
        st.integers(0, 3 * 86_400 * 2), st.floats(-1e6, 1e6) | st.just(float("nan")), st.sampled_from([0, 1, 2, 4])
    ),
    min_size=1, max_size=40, unique_by=lambda row: row[0],
)  # fmt: skip


@given(samples=SAMPLES, hold_s=st.sampled_from([1.0, 45.0, 300.0, 5_000.0]), chance=st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_of_arrival_ends_in_the_same_rows(plain_store, samples, hold_s, chance):
    run, store = plain_store
    signal = next(SIGNALS)
    rows = [(signal, T0 + half_s * S // 2, value, quality) for half_s, value, quality in samples]
    shuffled = chance.sample(rows, len(rows))
    while shuffled:
        count = chance.randint(1, len(shuffled))
        run(commit(store, shuffled[:count], chance.choice([Lane.LIVE, Lane.HISTORY])))
        if chance.random() < 0.5:
            run(remake(store, {signal: hold_s}))
        shuffled = shuffled[count:]
    run(remake(store, {signal: hold_s}))
    run(check(store, rows, {signal: hold_s}))


@pytest.fixture
def plain_store(dsn):
    """A store with a loop of its own, for tests that Hypothesis calls many times."""
    with asyncio.Runner() as runner:
        opened = open_store(dsn)
        store = runner.run(opened.__aenter__())
        yield runner.run, store
        runner.run(opened.__aexit__(None, None, None))


async def test_a_long_series_comes_in_few_bins_with_mean_extremes_and_coverage(store):
    rows = [(1, T0 + n * 30 * S, float(n % 100), 0) for n in range(2 * 2_880)]
    await commit(store, rows)
    await remake(store, {1: 60.0})
    bins = await store.rollups.series(1, T0, T0 + 2 * DAY, 24)
    assert bins.width_s == 7_200
    assert bins.time.tolist() == [T0 + n * 2 * HOUR for n in range(24)]
    assert bins.samples.tolist() == [240] * 24
    assert bins.covered_s.tolist() == [7_200.0] * 24
    value = np.array([row[2] for row in rows]).reshape(24, 240)
    np.testing.assert_allclose(bins.mean, value.mean(axis=1))
    np.testing.assert_array_equal(bins.low, value.min(axis=1))
    np.testing.assert_array_equal(bins.high, value.max(axis=1))


@pytest.mark.parametrize(
    ("days", "points", "expected"),
    [
        (365, 2_000, ("hour", 5 * 3_600)),
        (365, 300, ("day", 2 * 86_400)),
        (1, 1_000, ("minute", 120)),
        (1, 5_000, ("minute", 60)),
    ],
)
def test_the_widest_rows_that_give_the_points_are_chosen(days, points, expected):
    assert bins_of(T0, T0 + days * DAY, points) == expected


async def test_a_year_is_read_by_the_key(store):
    async with store.database.connection() as connection:
        await connection.execute(
            "INSERT INTO rollup_hour SELECT at, 0, 1, 0.5, 0, 1, 3600, signal, 3600, 3600 FROM generate_series(1, 20) AS"
            " signal, generate_series('2026-01-01', '2026-12-31', interval '1 hour') AS at"
        )
        await connection.execute("ANALYZE rollup_hour")
        values = {
            "signal": 7, "start": to_datetime(T0), "end": to_datetime(T0 + 365 * DAY), "bin": "5 hours",
        }  # fmt: skip
        query = f"EXPLAIN (FORMAT JSON) {load_queries('rollups')['series_hour']}"
        async with psycopg.AsyncClientCursor(connection) as cursor:  # EXPLAIN as it is planned for these very values
            await cursor.execute(query, values)
            (plan,) = await cursor.fetchone()
    nodes = json.dumps(plan)
    assert '"Seq Scan"' not in nodes
    assert "rollup_hour_pkey" in nodes
