"""What a full spool drops first, and a spool file of the version before."""

import sqlite3
from pathlib import Path

import pytest

from edge.priority import Priority
from edge.spool import Drops, Spool, open_spool
from edge.spool_open import FORMAT
from twin.wire import batch
from twin.wire.batch import decode
from twin.wire.reading import Gap, GapCause, Lane, Reading
from twin.wire.schema import NodeSchema, SchemaEntry

NOW_NS = 1_790_000_000_000_000_000
LOW, NORMAL, HIGH = 0, 1, 2  # the handles
PRIORITIES = {LOW: Priority.LOW, HIGH: Priority.HIGH}
SCHEMA = NodeSchema("gateway-1", tuple(SchemaEntry(i, f"site/line/unit/s{i}", "measurement", "") for i in range(3)))
FORMAT_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE remembered (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE schema (hash TEXT PRIMARY KEY, document BLOB NOT NULL);
CREATE TABLE batch (number INTEGER PRIMARY KEY, lane INTEGER NOT NULL, schema_hash TEXT NOT NULL,
  readings INTEGER NOT NULL, bytes INTEGER NOT NULL, created_ns INTEGER NOT NULL, first_ns INTEGER NOT NULL,
  newest_ns INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE INDEX batch_by_lane ON batch (lane, number);
CREATE TABLE withdrawn (first INTEGER PRIMARY KEY, last INTEGER NOT NULL);
PRAGMA application_id = 1179734833; PRAGMA user_version = 1;
"""


def readings(handle: int, start: int, count: int = 200) -> list[Reading]:
    return [
        Reading(handle, at, (at * at * 2654435761 % (1 << 32)) / 7.0, 0, 0, at)
        for at in range(NOW_NS + start * 1_000_000, NOW_NS + (start + count) * 1_000_000, 1_000_000)
    ]


def opened(path: Path, max_bytes: int = 40_000):
    clock = lambda: NOW_NS + 3_600_000_000_000  # noqa: E731
    return open_spool(path, schema=SCHEMA, max_bytes=max_bytes, linger_s=0.0, clock=clock, priorities=PRIORITIES)


async def content(spool: Spool) -> tuple[list[Reading], list[Gap]]:
    waiting = [decode(one.payload) for lane in Lane for one in await spool.take(lane, 10_000)]
    return [one for columns in waiting for one in columns.readings()], [g for columns in waiting for g in columns.gaps]


async def test_low_priority_goes_before_all_else_even_when_it_is_newer(tmp_path: Path):
    async with opened(tmp_path / "s.db") as spool:
        for turn in range(8):
            await spool.keep([*readings(NORMAL, 200 * turn), *readings(HIGH, 200 * turn)])
        important = set((await content(spool))[0])
        assert spool.drops().readings == 0
        for turn in range(8, 60):
            await spool.keep(readings(LOW, 200 * turn))
        found, gaps = await content(spool)
        assert important <= set(found)
        low = [one.source_ns for one in found if one.handle == LOW]
        assert low == [one.source_ns for one in readings(LOW, 1600, 52 * 200)][-len(low) :]
        drops = spool.drops()
        assert drops == Drops(drops.batches, drops.readings, low=52 * 200 - len(low))
        assert {gap.handles for gap in gaps} == {(LOW,)}


async def test_a_hole_of_low_priority_does_not_become_one_of_what_was_kept(tmp_path: Path):
    async with opened(tmp_path / "s.db") as spool:
        for turn in range(60):
            await spool.keep([*readings(LOW, 200 * turn), *readings(NORMAL, 200 * turn, 20)])
        for turn in range(60, 120):
            await spool.keep(readings(HIGH, 200 * turn))
        found, gaps = await content(spool)
    assert {one.handle for one in found} == {HIGH}
    assert {gap.detail for gap in gaps} == {
        "the spool was full",
        "the spool was full: low priority",
        "the spool was full: high priority",
    }
    assert all(len(gap.handles) == 1 for gap in gaps)


async def test_what_is_new_goes_before_what_is_older_and_of_a_higher_class(tmp_path: Path):
    async with opened(tmp_path / "s.db", max_bytes=20_000) as spool:
        while spool.drops().high == 0:
            await spool.keep(readings(HIGH, 200 * spool.backlog().batches))
        high = spool.drops().high
        await spool.keep(readings(NORMAL, 50_000))
        await spool.keep(readings(LOW, 60_000, 1000))
        assert spool.drops().low == 1000
        assert spool.drops().high == high
        await spool.keep(readings(HIGH, 70_000))
        assert spool.drops().normal == 200


async def test_records_of_holes_do_not_pile_up_in_a_full_spool(tmp_path: Path):
    lost = Gap((NORMAL,), 1, 2, GapCause.SUBSCRIPTION_LOST, "lost")
    async with opened(tmp_path / "s.db", max_bytes=20_000) as spool:
        await spool.keep((), [lost])
        for turn in range(300):
            await spool.keep(readings(NORMAL, 200 * turn))
        batches = [decode(one.payload) for lane in Lane for one in await spool.take(lane, 10_000)]
    assert sum(bool(one.gaps) for one in batches) == 1
    assert any(lost in one.gaps for one in batches)


async def test_a_spool_of_format_1_is_taken_over_as_it_is(tmp_path: Path):
    path, epoch = tmp_path / "s.db", "ab" * 16
    write_format_1(path, epoch)
    async with opened(path) as spool:
        assert spool.epoch == epoch
        assert (await content(spool))[0] == readings(NORMAL, 0, 5)
        assert spool.drops() == Drops(3, 77, normal=77)
        for turn in range(1, 60):
            await spool.keep([*readings(LOW, 200 * turn), *readings(HIGH, 200 * turn, 10)])
        assert set(readings(NORMAL, 0, 5)) <= set((await content(spool))[0])
    async with opened(path) as spool:
        assert spool.drops().low > 0
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (FORMAT,) == (3,)
    database.close()


def write_format_1(path: Path, epoch: str) -> None:
    payload = batch.encode(
        readings(NORMAL, 0, 5), (), node="gateway-1", epoch=epoch, number=1, lane=Lane.LIVE, schema_hash=SCHEMA.hash,
        created_ns=NOW_NS,
    )  # fmt: skip
    database = sqlite3.connect(path)
    database.executescript(FORMAT_1)
    meta = {"epoch": epoch, "node": "gateway-1", "last_number": 1, "dropped_batches": 3, "dropped_readings": 77}
    database.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
    database.execute("INSERT INTO schema VALUES (?, ?)", (SCHEMA.hash, SCHEMA.to_json()))
    row = (1, 0, SCHEMA.hash, 5, len(payload), NOW_NS, NOW_NS, NOW_NS + 4, payload)
    database.execute("INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    database.commit()
    database.close()


async def test_a_spool_of_a_newer_program_is_refused(tmp_path: Path):
    async with opened(tmp_path / "s.db"):
        pass
    database = sqlite3.connect(tmp_path / "s.db")
    database.execute("PRAGMA user_version = 4")
    database.close()
    from twin.errors import ConfigError

    with pytest.raises(ConfigError, match="format 4"):
        async with opened(tmp_path / "s.db"):
            pass
