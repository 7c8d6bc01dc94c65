"""Retention: what is too old goes by whole days, nothing goes before its roll-ups are made, roll-ups outlive samples."""

import numpy as np
import pytest
from pydantic import ValidationError

from tests.store.batches import DAY, T0, S, admitted
from twin.learn.retention import retention
from twin.learn.store_settings import Retention as Settings
from twin.store.retention import READERS
from twin.store.times import to_datetime, to_ns

HOLD_S = {1: 90.0, 2: 90.0, 3: 60.0}
EVERY = {"measurement": 0, "counter": 0, "state": 0}
DAYS = 10


async def plant_of(store):
    """Signal 1 is a measurement, 2 a counter, 3 a text."""
    async with store.database.connection() as connection:
        await connection.execute("INSERT INTO plant (revision, enterprise) VALUES ('r', 'e')")
        await connection.execute(
            "INSERT INTO signal (path, kind, unit, revision) SELECT kind, kind, '', 'r'"
            " FROM unnest(ARRAY['measurement', 'counter', 'text']) AS kind"
        )


async def ten_days(store):
    """An hourly value of both numbers and a daily text."""
    await plant_of(store)
    at = T0 + 7 * S + 3_600 * S * np.arange(24 * DAYS)
    for number, signal in ((1, 1), (2, 2)):
        await store.samples.commit([admitted([signal] * len(at), at, number=number)])
    texts = [(3, T0 + day * DAY, f"order {day}") for day in range(DAYS)]
    await store.samples.commit([admitted(number=3, texts=texts)])


async def taken_in(store, hold_s=HOLD_S):
    """Every reader of samples has seen everything."""
    while await store.rollups.remake(hold_s):
        pass
    newest = await store.samples.newest_seq()
    for key in READERS:
        await store.findings.write(newest, (), (), key)


async def rows(store, table, columns="*"):
    async with store.database.connection() as connection:
        return await (await connection.execute(f"SELECT {columns} FROM {table} ORDER BY 1")).fetchall()


async def first_ns(store, signal):
    found = await store.samples.series(signal, T0, T0 + 100 * DAY)
    return int(found.time[0]) if len(found) else None


async def test_whole_days_go_and_the_roll_ups_of_them_stay(store):
    await ten_days(store)
    await taken_in(store)
    before = [await rows(store, f"rollup_{tier}", "start_at, signal, samples, mean") for tier in ("hour", "day")]
    gone = await store.retention.drop(dict.fromkeys(EVERY, T0 + 4 * DAY + 5 * 3_600 * S), None)
    assert (gone.days, gone.rows, gone.waits) == (4, 0, "")
    assert await first_ns(store, 1) == await first_ns(store, 2) == T0 + 4 * DAY + 7 * S
    assert [
        await rows(store, f"rollup_{tier}", "start_at, signal, samples, mean") for tier in ("hour", "day")
    ] == before
    assert await store.rollups.kept_from_ns("sample", "counter") == T0 + 5 * DAY
    again = await store.retention.drop(dict.fromkeys(EVERY, T0 + 4 * DAY + 5 * 3_600 * S), None)
    assert again.days == 0


async def test_nothing_goes_before_every_reader_has_taken_it_in(store):
    await ten_days(store)
    for key in (None, *READERS[1:]):
        gone = await store.retention.drop(dict.fromkeys(EVERY, T0 + 4 * DAY), None)
        assert gone.days == 0
        assert "to be taken in first" in gone.waits
        assert await first_ns(store, 1) == T0 + 7 * S
        if key is None:
            while await store.rollups.remake(HOLD_S):
                pass
    await taken_in(store)
    late = admitted([1], [T0 + DAY + 5 * S], number=9)  # in the second day: the first may go, the second waits
    await store.samples.commit([late])
    gone = await store.retention.drop(dict.fromkeys(EVERY, T0 + 4 * DAY), None)
    assert "to be taken in first" in gone.waits
    assert await first_ns(store, 1) == T0 + 7 * S
    await taken_in(store)
    assert (await store.retention.drop(dict.fromkeys(EVERY, T0 + 4 * DAY), None)).days == 4


async def test_kinds_are_kept_for_different_times(store):
    await ten_days(store)
    await taken_in(store)
    kept = {"measurement": T0 + 6 * DAY, "counter": T0 + 2 * DAY, "state": T0 + 2 * DAY, "text": T0 + 3 * DAY}
    gone = await store.retention.drop(kept, None)
    assert gone.days == 2
    assert gone.rows == 4 * 24 + 3
    assert await first_ns(store, 1) == T0 + 6 * DAY + 7 * S
    assert await first_ns(store, 2) == T0 + 2 * DAY + 7 * S
    assert len((await store.samples.texts(3, T0, T0 + 100 * DAY)).text) == 7
    assert await store.rollups.kept_from_ns("sample", "measurement") == T0 + 7 * DAY


async def test_what_comes_later_than_it_is_kept_changes_no_roll_up(store):
    await ten_days(store)
    await taken_in(store)
    await store.retention.drop(dict.fromkeys(EVERY, T0 + 4 * DAY), None)
    before = await rows(store, "rollup_minute")
    await store.samples.commit([admitted([1], [T0 + DAY + 5 * S], [1e9], number=9)])
    await taken_in(store)
    assert await rows(store, "rollup_minute") == before
    assert (await store.retention.drop(dict.fromkeys(EVERY, T0 + 4 * DAY), None)).days == 1  # it goes, too


async def test_the_first_minutes_that_are_kept_can_be_made_anew(store):
    await ten_days(store)
    holds_s = {**HOLD_S, 1: 3_700.0}
    await taken_in(store, holds_s)
    await store.retention.drop(dict.fromkeys(EVERY, T0 + 4 * DAY), None)
    edge_ns = await store.rollups.kept_from_ns("sample", "measurement")
    kept = await store.samples.series(1, T0, T0 + 100 * DAY)
    assert kept.time[0] < edge_ns  # between two samples: what was in force before it lies before the edge
    await store.samples.commit([admitted([1], [edge_ns + S], [2.0], number=9)])
    await taken_in(store, holds_s)
    columns = "start_at, samples, covered_s, first, last"
    found = {to_ns(row[0]): row[1:] for row in await rows(store, "rollup_minute WHERE signal = 1", columns)}
    value = float(kept.value[np.searchsorted(kept.time, edge_ns + 7 * S)])
    assert found[edge_ns] == (2, 60.0, 2.0, value)  # covered from its beginning


async def test_minutes_go_by_months_and_hours_stay(store):
    await ten_days(store)
    await taken_in(store)
    hours = await rows(store, "rollup_hour")
    gone = await store.retention.drop({"measurement": T0, "counter": T0, "state": T0}, T0 + 70 * DAY)
    assert gone.months >= 1
    assert await rows(store, "rollup_minute") == []
    assert await rows(store, "rollup_hour") == hours


async def test_a_long_reader_makes_retention_come_again_and_nobody_wait(store):
    await ten_days(store)
    await taken_in(store)
    async with store.database.transaction() as connection:
        await connection.execute("SELECT count(*) FROM sample")
        gone = await store.retention.drop(dict.fromkeys(EVERY, T0 + 4 * DAY), None)
        assert (gone.days, gone.waits) == (0, "somebody reads for long")
        await store.samples.commit([admitted([1], [T0 + 20 * DAY], number=9)])
    assert (await store.retention.drop(dict.fromkeys(EVERY, T0 + 4 * DAY), None)).days == 4


async def test_the_job_says_what_it_dropped(store):
    await ten_days(store)
    await taken_in(store)
    settings = Settings.model_validate({"samples": {"measurement": 5, "counter": 5, "state": 5}})
    said = await retention(store.retention, settings).run(T0 + DAYS * DAY)
    assert said == "dropped 5 days of samples, 0 rows and 0 months of minutes"
    assert to_datetime(await first_ns(store, 2)) == to_datetime(T0 + 5 * DAY + 7 * S)


def test_minutes_that_would_go_before_their_samples_are_a_mistake_in_the_settings():
    with pytest.raises(ValidationError, match="at least as long"):
        Settings.model_validate({"minutes": 100})
    with pytest.raises(ValidationError, match="at least as long"):
        Settings.model_validate({"minutes": 50, "samples": dict.fromkeys(EVERY, 20) | {"counter": 60}})
    with pytest.raises(ValidationError, match="at least as long"):
        Settings.model_validate({"minutes": 50, "samples": dict.fromkeys(EVERY, 20) | {"counter": None}})
    assert Settings.model_validate({"minutes": 50, "samples": dict.fromkeys(EVERY, 20)}).minutes == 50
