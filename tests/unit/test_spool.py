"""The spool: what is kept, in which order it goes, what is dropped, and what survives."""

import asyncio
import logging
import sqlite3
from pathlib import Path

import pytest

from edge.spool import Backlog, Spool, open_spool
from edge.spool_settled import Settled
from tests.waiting import until
from twin.errors import ConfigError
from twin.wire.batch import decode
from twin.wire.reading import Gap, GapCause, Lane, Reading
from twin.wire.receipt import Receipt
from twin.wire.schema import NodeSchema, SchemaEntry

NOW_NS = 1_790_000_000_000_000_000
PLENTY = 10_000_000


def schema(signals: int = 50, node: str = "gateway-1") -> NodeSchema:
    return NodeSchema(node, tuple(SchemaEntry(i, f"site/line/unit/s{i}", "measurement", "A") for i in range(signals)))


def readings(count: int, start: int = 0, handles: int = 50) -> list[Reading]:
    """`count` readings with the unique source times start, start+1, … milliseconds after NOW_NS."""
    return [
        Reading(
            i % handles, NOW_NS + i * 1_000_000, (i * i * 2654435761 % (1 << 32)) / 7.0, 0, 0, NOW_NS + i * 1_000_000
        )
        for i in range(start, start + count)
    ]


def opened(path: Path, *, max_bytes: int = PLENTY, linger_s: float = 0.001, of: NodeSchema | None = None, **more):
    clock = more.pop("clock", lambda: NOW_NS + 3_600_000_000_000)
    return open_spool(path, schema=of or schema(), max_bytes=max_bytes, linger_s=linger_s, clock=clock, **more)


async def waiting(spool: Spool) -> dict[int, list[Reading]]:
    batches = [*await spool.take(Lane.LIVE, 10_000), *await spool.take(Lane.HISTORY, 10_000)]
    return {one.number: decode(one.payload).readings() for one in batches}


async def gaps_of(spool: Spool) -> list[Gap]:
    batches = [*await spool.take(Lane.LIVE, 10_000), *await spool.take(Lane.HISTORY, 10_000)]
    return [gap for one in batches for gap in decode(one.payload).gaps]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "spool.db"


async def test_what_was_kept_is_there_after_reopening_and_numbers_go_on(path: Path):
    async with opened(path) as spool:
        epoch = spool.epoch
        await spool.keep(readings(10))
    async with opened(path) as spool:
        assert spool.epoch == epoch
        await spool.keep(readings(10, start=10))
        found = await waiting(spool)
    assert sorted(found) == [1, 2]
    assert sorted(one for batch in found.values() for one in batch) == sorted(readings(20))


async def test_readings_that_are_kept_at_the_same_time_share_a_batch_and_an_fsync(path: Path):
    async with opened(path, linger_s=0.2) as spool:
        await asyncio.gather(*(spool.keep(readings(5, start=5 * i)) for i in range(40)))
        assert spool.backlog().batches == 1
        assert spool.backlog().readings == 200


async def test_a_batch_never_holds_more_than_its_limit(path: Path):
    async with opened(path, max_batch=30) as spool:
        await spool.keep(readings(100))
        found = await waiting(spool)
    assert sorted(map(len, found.values())) == [10, 30, 30, 30]


async def test_keep_waits_while_too_much_is_queued_and_keeps_everything(path: Path):
    async with opened(path, max_queued=100) as spool:
        keeps = [asyncio.create_task(spool.keep(readings(60, start=60 * i))) for i in range(5)]
        await asyncio.gather(*keeps)
        assert spool.backlog().readings == 300
        assert spool.backlog().batches == 5  # never two of them in memory at once


async def test_more_readings_than_the_queue_bounds_are_kept_when_they_come_alone(path: Path):
    async with opened(path, max_queued=10) as spool:
        await spool.keep(readings(50))
        assert spool.backlog().readings == 50


async def test_nothing_to_keep_makes_no_batch(path: Path):
    async with opened(path) as spool:
        await spool.keep([])
        assert spool.backlog().batches == 0


async def test_gaps_travel_with_the_next_batch_and_alone_when_there_is_none(path: Path):
    gap = Gap((1, 2), NOW_NS, NOW_NS + 5, GapCause.QUEUE_OVERFLOW, "queue of 10")
    async with opened(path) as spool:
        await spool.keep(readings(3), [gap])
        await spool.keep([], [gap])
        found = await spool.take(Lane.LIVE, 10)
    assert [decode(one.payload).gaps for one in found] == [(gap,), (gap,)]
    assert len(decode(found[1].payload).readings()) == 0


async def test_a_receipt_deletes_what_it_covers_and_nothing_else(path: Path):
    async with opened(path) as spool:
        for i in range(8):
            await spool.keep(readings(1, start=i))
        await spool.settle(Receipt(spool.epoch, 2, ((5, 6),)))
        assert sorted(await waiting(spool)) == [3, 4, 7, 8]
        assert spool.backlog().readings == 4


async def test_a_receipt_of_another_epoch_changes_nothing(path: Path):
    async with opened(path) as spool:
        await spool.keep(readings(1))
        await spool.settle(Receipt("0" * 32, 100))
        assert spool.backlog().batches == 1


async def test_what_was_kept_before_a_demotion_goes_as_history_even_after_reopening(path: Path):
    async with opened(path) as spool:
        await spool.keep(readings(1))
        await spool.demote_backlog_to_history()
        await spool.keep(readings(1, start=1))
    async with opened(path) as spool:
        live, history = await spool.take(Lane.LIVE, 10), await spool.take(Lane.HISTORY, 10)
    assert [one.number for one in live] == [2]
    assert [one.number for one in history] == [1]
    assert decode(live[0].payload).header.lane is Lane.LIVE
    assert decode(history[0].payload).header.lane is Lane.HISTORY


async def test_backfilled_readings_go_in_the_history_lane(path: Path):
    async with opened(path, linger_s=0.1) as spool:
        await asyncio.gather(spool.keep(readings(1)), spool.keep(readings(1, start=1), lane=Lane.HISTORY))
        assert len(await spool.take(Lane.LIVE, 10)) == 1
        assert len(await spool.take(Lane.HISTORY, 10)) == 1


async def test_what_is_on_its_way_is_skipped(path: Path):
    async with opened(path) as spool:
        for i in range(4):
            await spool.keep(readings(1, start=i))
        assert [one.number for one in await spool.take(Lane.LIVE, 2, skip={1, 3})] == [2, 4]


async def test_an_old_copy_of_the_spool_begins_a_new_epoch_instead_of_using_numbers_again(path: Path):
    async with opened(path) as spool:
        await spool.keep(readings(5))
    copy = path.parent / "copy.db"
    copy_file(path, copy)
    async with opened(path) as spool:
        epoch = spool.epoch
        for i in range(1, 4):
            await spool.keep(readings(5, start=5 * i))
    async with opened(copy) as spool:
        await spool.keep(readings(5, start=100))
        await spool.settle(Receipt(epoch, 4))
        assert spool.epoch != epoch
        found = await waiting(spool)
        assert found == {1: readings(5), 2: readings(5, start=100)}
        assert all(decode(one.payload).header.epoch == spool.epoch for one in await spool.take(Lane.HISTORY, 9))
        renewed = spool.epoch
    async with opened(copy) as spool:
        assert spool.epoch == renewed
        await spool.settle(Receipt(renewed, 2))
        assert spool.backlog() == Backlog()


def copy_file(path: Path, to: Path) -> None:
    to.write_bytes(path.read_bytes())


async def fill(spool: Spool, batches: int, size: int = 200) -> None:
    for i in range(batches):
        await spool.keep(readings(size, start=i * size))


async def test_a_full_spool_drops_the_oldest_and_counts_it(path: Path, caplog: pytest.LogCaptureFixture):
    async with opened(path, max_bytes=20_000) as spool:
        await fill(spool, 60)
        assert spool.backlog().bytes <= 20_000
        found = {number: batch for number, batch in (await waiting(spool)).items() if batch}
        kept = sum(map(len, found.values()))
        drops = spool.drops()
        assert drops.batches > 10
        assert drops.readings + kept == 60 * 200
        newest = max(one.source_ns for batch in found.values() for one in batch)
        assert newest == readings(60 * 200)[-1].source_ns
        assert kept == sum(1 for one in readings(60 * 200) if one.source_ns > newest - kept * 1_000_000)
    assert sum("the spool is full" in record.message for record in caplog.records) == 1


async def test_every_dropped_reading_lies_in_a_recorded_gap_of_its_signal(path: Path):
    async with opened(path, max_bytes=20_000) as spool:
        await fill(spool, 60)
    async with opened(path, max_bytes=20_000) as spool:
        kept = {one for batch in (await waiting(spool)).values() for one in batch}
        gaps = await gaps_of(spool)
    dropped = set(readings(60 * 200)) - kept
    assert dropped
    for one in dropped:
        assert any(one.handle in gap.handles and gap.from_ns <= one.source_ns < gap.to_ns for gap in gaps)
    assert {gap.cause for gap in gaps} == {GapCause.SPOOL_DROP}


async def test_the_number_of_a_dropped_batch_goes_out_empty_so_that_receipts_stay_contiguous(path: Path):
    async with opened(path, max_bytes=20_000) as spool:
        await fill(spool, 60)
        history = await spool.take(Lane.HISTORY, 10_000)
        live = await spool.take(Lane.LIVE, 10_000)
        numbers = sorted(one.number for one in (*history, *live))
        assert numbers == list(range(1, len(numbers) + 1))
        assert not any(decode(one.payload).readings() for one in history)
        await spool.settle(Receipt(spool.epoch, len(numbers)))
        assert await waiting(spool) == {}
        assert spool.backlog().withdrawn == 0


async def test_history_is_dropped_before_live(path: Path):
    async with opened(path, max_bytes=20_000) as spool:
        await spool.keep(readings(200))
        await spool.keep(readings(600, start=200), lane=Lane.HISTORY)
        live = (await spool.take(Lane.LIVE, 1))[0]
        while spool.drops().batches == 0:
            await spool.keep(readings(200, start=1000 + 200 * spool.backlog().batches))
        assert await spool.fetch(live.number) == live
        dropped = await spool.fetch(2)
        assert dropped is not None
        assert decode(dropped.payload).readings() == []


async def test_gaps_in_a_dropped_batch_move_on_with_a_new_one(path: Path):
    gap = Gap((3,), NOW_NS - 10, NOW_NS - 5, GapCause.SUBSCRIPTION_LOST, "server restarted")
    async with opened(path, max_bytes=20_000) as spool:
        await spool.keep(readings(10), [gap])
        await fill(spool, 60)
        assert spool.drops().batches > 10
        assert gap in await gaps_of(spool)


async def test_batches_of_an_older_configuration_keep_their_schema_until_they_are_settled(path: Path):
    old, new = schema(50), schema(60)
    async with opened(path, of=old) as spool:
        await spool.keep(readings(1))
    async with opened(path, of=new) as spool:
        assert {one.hash for one in await spool.schemas()} == {old.hash, new.hash}
        await spool.settle(Receipt(spool.epoch, 1))
    async with opened(path, of=new) as spool:
        assert [one.hash for one in await spool.schemas()] == [new.hash]


async def test_a_gap_of_an_older_configuration_is_told_with_the_older_schema(path: Path):
    old, new = schema(50), schema(60)
    async with opened(path, of=old, max_bytes=20_000) as spool:
        await spool.keep(readings(500))
    async with opened(path, of=new, max_bytes=20_000) as spool:
        await fill(spool, 60)
        batches = [decode(one.payload) for one in await spool.take(Lane.LIVE, 10_000)]
    told = {gap_of.header.schema_hash for gap_of in batches if gap_of.gaps}
    assert old.hash in told


async def test_the_last_kept_time_survives_and_is_never_ahead_of_the_clock(path: Path):
    early = readings(3)
    ahead = early[0]._replace(source_ns=NOW_NS + 10**18)
    clock = lambda: NOW_NS + 10_000_000  # noqa: E731
    async with opened(path, clock=clock) as spool:
        assert spool.last_kept_ns() == 0
        await spool.keep(early)
        assert spool.last_kept_ns() == early[-1].source_ns
        await spool.keep([ahead])
    async with opened(path, clock=clock) as spool:
        assert spool.last_kept_ns() == NOW_NS + 10_000_000


async def test_a_source_finds_its_resume_state_again(path: Path):
    async with opened(path) as spool:
        assert await spool.recall("opcua/mill") is None
        await spool.remember("opcua/mill", b"old")
        await spool.remember("opcua/mill", b"session 7")
    async with opened(path) as spool:
        assert await spool.recall("opcua/mill") == b"session 7"


async def test_a_reading_that_no_column_can_hold_does_not_hold_up_the_others(
    path: Path, caplog: pytest.LogCaptureFixture
):
    good = readings(9)
    poison = good[0]._replace(source_ns=1 << 70)
    gap = Gap((1,), 1, 2, GapCause.CLOCK_STEP, "")
    async with opened(path) as spool:
        await spool.keep([poison, *good], [gap])
        kept = [one for batch in (await waiting(spool)).values() for one in batch]
        assert await gaps_of(spool) == [gap]
    assert sorted(kept) == sorted(good)
    assert any("cannot be kept" in record.message for record in caplog.records)


async def test_a_full_disk_makes_keep_wait_and_loses_nothing(path: Path, caplog: pytest.LogCaptureFixture):
    async with opened(path) as spool:
        await spool.keep(readings(10))
        await spool._in_thread(lambda: limit_pages(spool, 1))
        keeping = asyncio.create_task(spool.keep(readings(2000, start=10)))
        await until(lambda: any("cannot write" in record.message for record in caplog.records))
        assert not keeping.done()
        assert spool.backlog().readings == 10
        await spool._in_thread(lambda: limit_pages(spool, 1 << 20))
        await asyncio.wait_for(keeping, 10)
        assert sorted(one for batch in (await waiting(spool)).values() for one in batch) == sorted(readings(2010))
    assert sum(record.levelno == logging.ERROR for record in caplog.records) == 1


def limit_pages(spool: Spool, pages: int) -> None:
    """SQLite's own way to a full disk; a limit below the present size forbids any growth."""
    spool._file._connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()


async def test_a_damaged_file_is_moved_aside_and_a_new_epoch_begins(path: Path, caplog: pytest.LogCaptureFixture):
    async with opened(path) as spool:
        epoch = spool.epoch
        await spool.keep(readings(10))
    scribble(path)
    async with opened(path) as spool:
        assert spool.epoch != epoch
        await spool.keep(readings(10))
        assert spool.backlog().readings == 10
    assert (path.parent / "spool.db.damaged-1").exists()
    assert any("damaged" in record.message for record in caplog.records)


async def test_a_batch_that_the_disk_has_changed_is_a_gap_and_the_others_go_out(path: Path):
    async with opened(path) as spool:
        await fill(spool, 3)
    database = sqlite3.connect(path)
    (payload,) = database.execute("SELECT payload FROM batch WHERE number = 2").fetchone()
    broken = payload[:-20] + bytes(octet ^ 0xFF for octet in payload[-20:])
    database.execute("UPDATE batch SET payload = ? WHERE number = 2", (broken,))
    database.commit()
    (times,) = database.execute("SELECT first_ns || ' ' || newest_ns FROM batch WHERE number = 2").fetchone()
    database.close()
    first_ns, newest_ns = map(int, times.split())
    async with opened(path) as spool:
        batches = await spool.take(Lane.LIVE, 10)
        assert {one.number: len(decode(one.payload).readings()) > 0 for one in batches} == {1: True, 2: False, 3: True}
        (gap,) = await gaps_of(spool)
        await spool.keep(readings(1, start=900))
        assert spool.drops().batches == 1
    assert (gap.from_ns, gap.to_ns, gap.cause) == (first_ns, newest_ns + 1, GapCause.SPOOL_DROP)
    assert gap.handles == tuple(range(50))


async def test_a_file_of_which_nothing_can_be_read_is_a_gap_from_what_the_store_has_until_now(path: Path):
    async with opened(path) as spool:
        await fill(spool, 40)
        await spool.settle(Receipt(spool.epoch, 10, ()))
    (waits_from,) = sqlite3.connect(path).execute("SELECT min(first_ns) FROM batch").fetchone()
    path.write_bytes(b"\x55" * path.stat().st_size)
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    async with opened(path) as spool:
        (gap,) = await gaps_of(spool)
    assert gap.cause is GapCause.SPOOL_DROP
    assert NOW_NS <= gap.from_ns <= waits_from
    assert gap.to_ns > waits_from


def test_what_is_settled_shrinks_at_once_and_grows_now_and_then(tmp_path: Path):
    settled = Settled(tmp_path / "spool.db")
    assert settled.until_ns == 0
    settled.lower(5)  # nothing is known, so nothing is claimed
    settled.move(100)
    assert not settled.due()
    settled.lower(200)
    assert Settled(tmp_path / "spool.db").until_ns == 100
    settled.lower(40)
    assert Settled(tmp_path / "spool.db").until_ns == 40


async def test_the_interval_of_a_damaged_file_goes_into_the_gap_ledger_when_it_can_be_read(path: Path):
    async with opened(path) as spool:
        await fill(spool, 40)
        last_ns = spool.last_kept_ns()
    damage_a_payload_page(path)
    async with opened(path) as spool:
        (gap,) = await gaps_of(spool)
        assert spool.last_kept_ns() == last_ns
    assert gap.handles == tuple(range(50))
    assert gap.from_ns == NOW_NS
    assert gap.to_ns > last_ns  # until when each signal was read is gone with the file
    assert gap.cause is GapCause.SPOOL_DROP


def scribble(path: Path) -> None:
    path.write_bytes(b"this is no database" * 1000)


def damage_a_payload_page(path: Path) -> None:
    """Overwrite the right-most leaf of the table `batch`, as a failing disk would."""
    database = sqlite3.connect(path)
    root = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'batch'").fetchone()[0]
    database.close()
    data = bytearray(path.read_bytes())
    at = (root - 1) * 4096
    assert data[at] == 5, "the table is too small to have inner pages"
    leaf = int.from_bytes(data[at + 8 : at + 12], "big")
    data[(leaf - 1) * 4096 : leaf * 4096] = b"\xff" * 4096
    path.write_bytes(data)


async def test_a_process_that_died_while_making_the_file_is_no_damage(path: Path, caplog: pytest.LogCaptureFixture):
    leave_empty(path)
    async with opened(path) as spool:
        await spool.keep(readings(1))
    assert not caplog.records


def leave_empty(path: Path) -> None:
    path.parent.mkdir()
    path.touch()


async def test_two_agents_cannot_share_a_spool(path: Path):
    async with opened(path):
        with pytest.raises(ConfigError, match="another agent uses this spool"):
            async with opened(path):
                pass
    async with opened(path):
        pass


async def test_a_spool_of_another_node_is_refused(path: Path):
    async with opened(path):
        pass
    with pytest.raises(ConfigError, match="belongs to node 'gateway-1', not 'gateway-2'"):
        async with opened(path, of=schema(node="gateway-2")):
            pass


async def test_the_file_can_be_read_with_sqlite_while_the_agent_runs(path: Path):
    async with opened(path) as spool:
        await spool.keep(readings(7))
        reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        assert reader.execute("SELECT number, readings, first_ns FROM batch").fetchall() == [(1, 7, NOW_NS)]
        assert reader.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        reader.close()
