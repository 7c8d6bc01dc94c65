"""PostgreSQL is killed while batches are committed: nobody is told what did not happen, and in the end all is once."""

import asyncio
import os
import random
import signal

import numpy as np
import psutil
import pytest

from tests import servers
from tests.store.batches import T0, S, grid, same
from twin.errors import Retryable
from twin.store.connect import open_store

BATCHES = 60


@pytest.fixture(params=[servers.postgres, servers.timescale], ids=["plain", "apache"])
def victim(request):
    """A server of its own, to be killed."""
    with request.param() as server:
        yield server


def kill(server):
    """As the kernel would: the postmaster and all of its children at once."""
    family = psutil.Process(server.pid)
    for process in [family, *family.children(recursive=True)]:
        try:
            os.kill(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


async def commit_until_told(store, batch, told):
    """What ingest does: the same batch again until its receipt is there."""
    while True:
        try:
            (done,) = await store.samples.commit([batch])
        except Retryable:
            await asyncio.sleep(0.05)
            continue
        if done.seq:
            told[done.seq] = done.batch
        assert done.receipt.covers(batch.batch.number)
        return


@pytest.mark.timeout(180)
async def test_batches_are_stored_exactly_once_whenever_the_server_is_killed(victim):
    rng = random.Random(7)
    batches = [grid(100, 50, start=T0 + number * 3 * S, number=number) for number in range(1, BATCHES + 1)]
    told = {}
    async with open_store(victim.dsn, wait_s=2) as store:
        await commit_until_told(store, batches[0], told)
        finished = asyncio.Event()

        async def kill_again_and_again():
            for _ in range(4):
                await asyncio.sleep(rng.uniform(0.05, 0.3))
                kill(victim)
                await asyncio.to_thread(victim.stop)
                await asyncio.to_thread(victim.start)
            finished.set()

        async def send(part):
            at = 0
            while at < len(part) or not finished.is_set():
                await commit_until_told(store, part[at % len(part)], told)
                at += 1

        async with asyncio.TaskGroup() as group:
            group.create_task(kill_again_and_again())
            for lane in range(3):
                group.create_task(send(batches[lane::3]))

        found = {seq: batch async for seq, batch in store.samples.since(0)}
        assert sorted(batch.number for batch in found.values()) == list(range(1, BATCHES + 1))
        assert all(same(told[seq], found[seq]) for seq in told)
        everything = np.concatenate([batch.time for batch in found.values()])
        async with store.database.connection() as connection:
            (count,) = await (await connection.execute("SELECT count(*) FROM sample")).fetchone()
        assert count == len(everything)
        expected = {(int(s), int(t)) for one in batches for s, t in zip(one.batch.signal, one.batch.time, strict=True)}
        assert count == len(expected)


async def test_a_commit_that_the_server_does_not_survive_is_retryable(victim):
    async with open_store(victim.dsn, wait_s=1) as store:
        await store.samples.commit([grid(2, 3)])
        kill(victim)
        with pytest.raises(Retryable):
            await store.samples.commit([grid(2, 3, start=T0 + 9 * S, number=2)])
        await asyncio.to_thread(victim.stop)
        await asyncio.to_thread(victim.start)
        (done,) = await store.samples.commit([grid(2, 3, start=T0 + 9 * S, number=2)])
        assert done.receipt.high_water == 2
