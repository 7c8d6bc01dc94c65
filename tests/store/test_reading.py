"""Series, texts and last values; and that the database finds them by the key, in few days."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.skips import ALLOWED_SKIPS
from tests.store.batches import DAY, T0, S, admitted, grid
from twin.store.queries import load_queries
from twin.store.reduce import Asked
from twin.store.times import to_datetime


@pytest.mark.skipif("'community' not in __import__('tests.store.conftest', fromlist=['EDITIONS']).EDITIONS",
                    reason=ALLOWED_SKIPS["TimescaleDB community"])  # fmt: skip
def test_the_community_edition_is_among_the_tested_ones():
    """Says loudly when it is not."""


async def wave(store, samples=10_000, signal=1, period=S):
    at = np.arange(samples)
    value = np.sin(at / 500) + 0.01 * np.sin(at * 1.7)
    value[samples // 2] = 40.0
    value[samples // 3] = -40.0
    value[samples // 4] = np.nan
    await store.samples.commit([admitted(np.full(samples, signal), T0 + at * period, value)])
    return at * period + T0, value


async def test_a_raw_series_gives_every_sample_of_the_half_open_interval(store):
    time, value = await wave(store, 100)
    found = await store.samples.series(1, T0 + 10 * S, T0 + 20 * S)
    np.testing.assert_array_equal(found.time, time[10:20])
    np.testing.assert_array_equal(found.value, value[10:20])
    assert not found.reduced
    assert len(await store.samples.series(2, T0, T0 + DAY)) == 0


async def test_the_first_samples_of_an_interval_have_each_its_own_quality(store):
    time, quality = T0 + np.arange(100) * S, np.arange(100) % 7 % 3
    await store.samples.commit([admitted(np.ones(100), time, quality=quality)])
    found = await store.samples.first(1, T0 + 10 * S, T0 + DAY, 50)
    np.testing.assert_array_equal(found.time, time[10:60])
    np.testing.assert_array_equal(found.quality, quality[10:60])
    assert found.quality.dtype == np.uint8
    assert len(await store.samples.first(1, T0 + 90 * S, T0 + DAY, 50)) == 10
    assert len(await store.samples.first(2, T0, T0 + DAY, 50)) == 0


async def test_a_short_series_is_not_reduced(store):
    await wave(store, 100)
    assert not (await store.samples.series(1, T0, T0 + DAY, 100)).reduced


@pytest.mark.parametrize("points", [4, 5, 40, 1000])
async def test_a_reduced_series_keeps_the_extremes_and_both_ends(store, points):
    time, value = await wave(store)
    end = int(time[-1]) + 1000
    found = await store.samples.series(1, T0, end, points)
    assert found.reduced
    assert 4 <= len(found) <= points
    assert (found.time[0], found.time[-1]) == (time[0], time[-1])
    assert (np.nanmin(found.value), np.nanmax(found.value)) == (-40.0, 40.0)
    assert np.all(np.diff(found.time) > 0)
    np.testing.assert_array_equal(found.value, value[np.searchsorted(time, found.time)])
    check_buckets(time, value, found, end, points)


def check_buckets(time, value, found, end, points):
    """The plain form: first, last, lowest and highest of every bucket are there."""
    buckets = points // 4
    width = -(-(end - T0) // (1000 * buckets)) * 1000
    for bucket in range(buckets):
        inside = (time >= T0 + bucket * width) & (time < T0 + (bucket + 1) * width)
        if not inside.any():
            continue
        kept = (found.time >= T0 + bucket * width) & (found.time < T0 + (bucket + 1) * width)
        assert time[inside][0] in found.time
        assert time[inside][-1] in found.time
        if not np.isnan(value[inside]).all():
            assert np.nanmin(found.value[kept]) == np.nanmin(value[inside])
            assert np.nanmax(found.value[kept]) == np.nanmax(value[inside])


@given(values=st.lists(st.floats(width=64), min_size=9, max_size=60), points=st.integers(4, 8))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_values_are_reduced_to_samples_that_exist(plain_store, values, points):
    run, store = plain_store
    signal = next(SIGNALS)
    time = T0 + np.arange(len(values)) * S
    value = np.array(values)
    run(store.samples.commit([admitted(np.full(len(values), signal), time, value, number=signal)]))
    end = int(time[-1]) + 1000
    found = run(store.samples.series(signal, T0, end, points))
    assert len(found) <= points
    np.testing.assert_array_equal(found.value, value[np.searchsorted(time, found.time)])
    check_buckets(time, value, found, end, points)


SIGNALS = iter(range(1, 10**6))


@pytest.fixture
def plain_store(dsn):
    """A store with a loop of its own, for tests that Hypothesis calls many times."""
    import asyncio

    from twin.store.connect import open_store

    with asyncio.Runner() as runner:
        opened = open_store(dsn)
        store = runner.run(opened.__aenter__())
        yield runner.run, store
        runner.run(opened.__aexit__(None, None, None))


async def test_fewer_points_than_four_are_refused(store):
    await wave(store, 10)
    with pytest.raises(ValueError, match="at least 4"):
        await store.samples.series(1, T0, T0 + DAY, 3)


async def test_the_last_value_is_the_newest_by_source_time(store):
    await store.samples.commit([grid(3, 5, start=T0 + DAY, number=1)])
    await store.samples.commit([grid(3, 5, start=T0 - 40 * DAY, number=2)])
    found = await store.samples.last([1, 3, 77])
    assert set(found) == {1, 3}
    assert found[1].time_ns == T0 + DAY + 4 * S // 10
    assert found[1].received_ns == found[1].time_ns + 2 * S


async def test_texts_come_in_order_and_within_the_limit(store):
    await store.samples.commit([admitted(texts=[(9, T0 + at * S, f"order {at}") for at in range(10)])])
    assert (await store.samples.texts(9, T0 + S, T0 + 4 * S)).text == ("order 1", "order 2", "order 3")
    assert len(await store.samples.texts(9, T0, T0 + DAY, limit=2)) == 2


async def plan(store, file, name, values):
    async with store.database.connection() as connection:
        await connection.execute("ANALYZE sample")
        query = "EXPLAIN (FORMAT json) " + load_queries(file)[name]
        row = await (await connection.execute(query, values)).fetchone()
    return json.dumps(row[0])


async def many_days(store):
    await store.samples.commit([grid(50, 100, start=T0 + day * DAY, number=day + 1) for day in range(6)])


@pytest.mark.parametrize("name", ["series", "reduce"])
async def test_a_series_is_read_by_the_key_and_only_in_its_days(store, name):
    await many_days(store)
    asked = Asked(7, T0 + DAY, T0 + 2 * DAY)
    values = asked.values | {"limit": 9, "width_us": 9}
    found = await plan(store, "reduce" if name == "reduce" else "samples", name, values)
    assert "Seq Scan" not in found
    assert found.count("pkey") == 1


async def test_the_last_values_are_read_by_the_key(store):
    await many_days(store)
    found = await plan(store, "samples", "last", {"signals": [1, 2, 3]})
    assert "Seq Scan" not in found
    assert "pkey" in found


async def test_a_replay_reads_only_the_days_of_its_batches(store):
    await many_days(store)
    values = {"first": 3, "last": 3, "first_at": to_datetime(T0 + 2 * DAY), "last_at": to_datetime(T0 + 2 * DAY + S)}
    found = await plan(store, "samples", "replay", values)
    scans = found.count('"Relation Name": "sample') + found.count('"Relation Name": "_hyper')
    assert scans == 1
