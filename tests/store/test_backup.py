"""A backup while data comes, and back: the same rows, the same rights, and another incarnation that receipts name."""

import asyncio

import psycopg
import pytest

from tests.store.batches import DAY, T0, S, admitted, grid
from twin.errors import ConfigError
from twin.store import backup, incarnation
from twin.store.connect import open_store
from twin.wire.receipt import Receipt

ALL = "SELECT signal, time, value, quality, batch FROM sample ORDER BY signal, time"


def silent(_share):
    """A progress that nobody looks at."""


async def receipt_of(store, number, at=T0):
    (done,) = await store.samples.commit([admitted([7], [at + number * S], number=number)])
    return done.receipt


async def test_an_incarnation_begins_with_the_first_commit_and_stays(store):
    first, second = await receipt_of(store, 1), await receipt_of(store, 2)
    assert first.incarnation == second.incarnation > 1_700_000_000_000_000
    assert [one for _, one in await store.nodes.receipts()] == [second]


async def test_a_store_that_is_declared_set_back_is_another_and_later_incarnation(store):
    before = await receipt_of(store, 1)
    await incarnation.set_back(store.database)
    after = await receipt_of(store, 2)
    assert after.incarnation > before.incarnation
    assert (await receipt_of(store, 3)).incarnation == after.incarnation


async def test_another_cluster_or_timeline_is_another_incarnation(store):
    before = await receipt_of(store, 1)
    async with store.database.connection() as connection:
        await connection.execute("UPDATE incarnation SET server = '7713072951200547509/00000001'")
    assert (await receipt_of(store, 2)).incarnation > before.incarnation


async def test_a_backup_comes_back_into_an_empty_database_as_it_was_at_its_beginning(dsn, empty_dsn, tmp_path):
    file = tmp_path / "store.dump"
    async with open_store(dsn) as store:
        await store.samples.commit([grid(3, 1_000, start=T0 - DAY // 2, period=60 * S)])
        await store.samples.commit([admitted(number=2, texts=[(9, T0, "order 1")])])
        told: list[float] = []
        assert await asyncio.to_thread(backup.back_up, dsn, file, told.append) == file.stat().st_size > 10_000
        assert told[-1] == 1.0
        lost = await receipt_of(store, 3)
        with psycopg.connect(dsn) as connection:
            rows = connection.execute(ALL).fetchall()
    assert await backup.restore(empty_dsn, file, silent) == 2
    with psycopg.connect(empty_dsn) as connection:
        assert connection.execute(ALL).fetchall() == rows[:3_000]
        assert connection.execute("SELECT text FROM sample_text").fetchall() == [("order 1",)]
        assert connection.execute("SELECT has_table_privilege('fabriquay_api', 'sample', 'SELECT')").fetchone() == (
            True,
        )
    async with open_store(empty_dsn) as store:
        receipt = await receipt_of(store, 4)
        assert receipt == Receipt(receipt.epoch, 2, ((4, 4),), receipt.incarnation)
        assert receipt.incarnation > lost.incarnation
        (again,) = await store.samples.commit([admitted([7], [T0 + 3 * S], number=3)])
        assert again.receipt == Receipt(receipt.epoch, 4, (), receipt.incarnation)


async def test_a_backup_replaces_no_file_and_a_restore_no_data(dsn, tmp_path):
    file = tmp_path / "store.dump"
    file.write_bytes(b"something else")
    with pytest.raises(ConfigError, match="never replaces"):
        backup.back_up(dsn, file, silent)
    with pytest.raises(ConfigError, match="make an empty one"):
        await backup.restore(dsn, file, silent)


async def test_what_is_no_backup_is_refused_before_anything_is_done(empty_dsn, tmp_path):
    file = tmp_path / "store.dump"
    file.write_bytes(b"something else")
    with pytest.raises(ConfigError, match="no backup that can be read"):
        await backup.restore(empty_dsn, file, silent)
