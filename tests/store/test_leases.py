"""Leases: one works, others stand by, and whoever dies is followed at once."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.waiting import until
from twin.store.connect import open_store
from twin.store.leases import LOCK


class Worker:
    """A process that would do the work."""

    def __init__(self):
        self.works = False
        self.began = 0

    async def work(self):
        self.began += 1
        self.works = True
        try:
            await asyncio.Event().wait()
        finally:
            self.works = False


@asynccontextmanager
async def worker(dsn, name="run"):
    """It stands by or works, with connections of its own."""
    one = Worker()
    async with open_store(dsn) as store:
        task = asyncio.create_task(store.leases.hold(name, one.work))
        one.end = task.cancel
        yield one
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def end_sessions_with_the_lease(store):
    """As a failover or an administrator would; how many there were."""
    query = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND granted"
    async with store.database.connection() as connection:
        return len(await (await connection.execute(query, [LOCK])).fetchall())


async def test_one_works_and_when_it_ends_the_other_takes_over(dsn):
    async with worker(dsn) as first:
        await until(lambda: first.works, what="first worker")
        async with worker(dsn) as second, worker(dsn, "another work") as third:
            await until(lambda: third.works, what="worker of another lease")
            assert (first.works, second.works) == (True, False)
            first.end()
            await until(lambda: second.works, what="the other one")
            assert not first.works


async def test_who_loses_its_session_works_on_until_another_has_the_lease(dsn, store):
    async with worker(dsn) as alone:
        await until(lambda: alone.works, what="worker")
        assert await end_sessions_with_the_lease(store) == 1
        await held_again(store)
        assert (alone.works, alone.began) == (True, 1)
        async with store.database.connection() as connection:  # somebody else is faster
            await end_sessions_with_the_lease(store)
            await connection.execute("SELECT pg_advisory_lock(%s, hashtext('run'))", [LOCK])
            await until(lambda: not alone.works, what="end of the work")
            await connection.execute("SELECT pg_advisory_unlock_all()")
        await until(lambda: alone.works, what="work anew")
        assert alone.began == 2


async def held_again(store):
    """Return when one session has the lease."""
    query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND granted"
    async with store.database.connection() as connection, asyncio.timeout(60):
        while await (await connection.execute(query, [LOCK])).fetchall() != [(1,)]:
            await asyncio.sleep(0.05)


async def test_what_the_work_raises_is_raised_and_the_lease_is_free_again(dsn, store):
    async def bug():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store.leases.hold("run", bug)
    async with worker(dsn) as next_one:
        await until(lambda: next_one.works, what="the next worker")
