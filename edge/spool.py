"""Hop *keep*: readings → numbered batches on disk, which wait there for the store's receipt.

In: `keep` from every source. Out: `take` for the uplink. One SQLite file, one connection in one thread. What comes
after a pause is on disk at once, from then on everything within `linger_s` shares one fsync. A full disk makes `keep`
wait; a full spool drops the oldest of the lowest priority and records the hole.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from edge.priority import Priority
from edge.spool_figures import Backlog, Counters, Outgoing
from edge.spool_file import SpoolFile, Work
from edge.spool_sent import NOTHING_SENT, KeepSent
from twin.errors import Retryable
from twin.wire.reading import Gap, Lane, Reading
from twin.wire.receipt import Receipt
from twin.wire.schema import NodeSchema

__all__ = ["Backlog", "Drops", "Outgoing", "Spool", "open_spool"]

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Drops:
    """What the byte cap has cost since the spool was made."""

    batches: int
    readings: int
    low: int = 0  # readings of that priority
    normal: int = 0
    high: int = 0


class Spool:
    """The durable queue of one gateway; made by `open_spool`."""

    def __init__(
        self,
        file: SpoolFile,
        thread: ThreadPoolExecutor,
        *,
        linger_s: float,
        max_batch: int,
        max_queued: int,
        max_bytes: int,
        clock: Callable[[], int],
    ) -> None:
        self.epoch: str = file.epoch
        self._file = file
        self._thread = thread
        self._linger_s = linger_s
        self._max_batch = max_batch
        self._max_queued = max_queued
        self._max_bytes = max_bytes
        self._clock = clock
        self.salvaged_ns: int = file.salvaged_ns  # what sources read is accounted for up to then; 0: all is known
        self._backlog: Backlog = file.backlog
        self._counters: Counters = file.counters
        self._work = Work()
        self._committed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queued = 0  # readings waiting or being written
        self._begun = asyncio.Event()  # there is work
        self._full = asyncio.Event()  # … enough for a batch: do not linger
        self._changed = asyncio.Condition()
        self._dropping = False
        self._trouble = ""

    async def keep(
        self,
        readings: Sequence[Reading],
        gaps: Sequence[Gap] = (),
        *,
        lane: Lane = Lane.LIVE,
        remembered: Mapping[str, bytes] | None = None,
    ) -> None:
        """Return when the readings and gaps are on disk; wait while the disk is full or too much is queued.

        Backfilled readings belong into `Lane.HISTORY`: the live lane is for readings in their order of time. What is to
        be `remembered` stands in the same transaction.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._queued == 0 or self._queued + len(readings) <= self._max_queued)
        if not readings and not gaps and not remembered:
            return
        self._queued += len(readings)
        self._work.remembered.update(remembered or {})
        if readings:
            self._work.readings.setdefault(lane, []).extend(readings)
        self._work.gaps.extend(gaps)
        if self._queued >= self._max_batch:
            self._full.set()
        await self._join()

    async def has_room(self) -> None:
        """Return when half of the byte cap is free."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._backlog.bytes <= self._max_bytes // 2)

    async def settle(self, receipt: Receipt) -> None:
        """Forget what the store has committed; a receipt for another epoch changes nothing."""
        if receipt.epoch == self.epoch:
            self._work.receipt = receipt
            await self._join()

    async def demote_backlog_to_history(self) -> None:
        """What waits now goes out in the history lane; what is kept from now on stays live."""
        self._work.demote = True
        self._full.set()
        await self._join()

    async def remember(self, key: str, value: bytes) -> None:
        """Keep a source's own resume state under a key, on disk when this returns."""
        self._work.remembered[key] = value
        await self._join()

    async def recall(self, key: str) -> bytes | None:
        """What `remember` last kept under the key."""
        return await self._in_thread(partial(self._file.recall, key))

    async def take(self, lane: Lane, limit: int, skip: Collection[int] = ()) -> list[Outgoing]:
        """The next batches of a lane in order of number, without the numbers in `skip`."""
        return await self._in_thread(partial(self._file.take, lane, limit, frozenset(skip)))

    async def fetch(self, number: int) -> Outgoing | None:
        """One batch as it is to be sent now; None when it is settled."""
        return await self._in_thread(partial(self._file.fetch, number))

    async def schemas(self) -> list[NodeSchema]:
        """Every schema that a waiting batch needs, and the present one."""
        return await self._in_thread(self._file.schemas)

    async def changed(self) -> None:
        """Return after the next commit."""
        async with self._changed:
            await self._changed.wait()

    def backlog(self) -> Backlog:
        """What waits for a receipt, as of the last commit."""
        return self._backlog

    def incarnation(self) -> int:
        """Of the store, as the newest receipt says; 0 before the first one that does."""
        return self._counters.incarnation

    def age_s(self, at_ns: int) -> float:
        """How long ago an instant of the spool was, by its own clock."""
        return (self._clock() - at_ns) / 1e9

    def drops(self) -> Drops:
        """What the byte cap has cost so far."""
        counters = self._counters
        low, high = counters.dropped_low, counters.dropped_high
        normal = counters.dropped_readings - low - high
        return Drops(counters.dropped_batches, counters.dropped_readings, low, normal, high)

    def is_dropping(self) -> bool:
        """Whether it has been full and has not emptied to half since."""
        return self._dropping

    def trouble(self) -> str:
        """Why nothing can be written now; empty while all is well."""
        return self._trouble

    async def alive(self) -> None:
        """Return when the spool's thread has done what it was doing."""
        await self._in_thread(int)

    def last_kept_ns(self) -> int:
        """The newest source time on disk, never ahead of the clock at its keeping; 0 when nothing was ever kept."""
        return self._counters.last_kept_ns

    async def write(self) -> None:
        """Commit what is queued, for ever; the one task of `open_spool`."""
        loop = asyncio.get_running_loop()
        next_s = loop.time() + self._linger_s
        while True:
            await self._begun.wait()
            if not self._full.is_set():
                await self._linger_until(next_s)
            next_s = loop.time() + self._linger_s
            work, committed = self._work, self._committed
            self._work, self._committed = Work(), asyncio.get_running_loop().create_future()
            self._begun.clear()
            self._full.clear()
            await self._commit(work)
            committed.set_result(None)
            async with self._changed:
                self._queued -= sum(map(len, work.readings.values()))
                self._changed.notify_all()

    async def _join(self) -> None:
        """Be part of the next transaction and wait for its end."""
        self._begun.set()
        await asyncio.shield(self._committed)

    async def _linger_until(self, at_s: float) -> None:
        try:
            async with asyncio.timeout_at(at_s):
                await self._full.wait()
        except TimeoutError:
            pass

    async def _commit(self, work: Work) -> None:
        waiting = False
        while True:
            try:
                await self._in_thread(partial(self._file.commit, work))
            except Retryable as error:
                if not waiting:
                    logger.error("%s; sources wait until it can, free some space", error)
                waiting, self._trouble = True, f"{error}; sources wait"
                await asyncio.sleep(1.0)
                continue
            if waiting:
                self._trouble = ""
                logger.info("the spool writes again")
            self._report_drops()
            self.epoch, self._backlog, self._counters = self._file.epoch, self._file.backlog, self._file.counters
            return

    def _report_drops(self) -> None:
        """One line when dropping begins, one when the spool has emptied to half."""
        lost = self._file.counters.dropped_batches - self._counters.dropped_batches
        if lost and not self._dropping:
            self._dropping = True
            logger.warning("the spool is full: dropping the oldest batches from now on and recording the gaps")
        elif self._dropping and self._file.backlog.bytes <= self._max_bytes // 2:
            self._dropping = False
            logger.info("the spool has room again; it has dropped %d readings in all", self.drops().readings)

    async def _in_thread(self, function: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)


@asynccontextmanager
async def open_spool(
    path: Path,
    *,
    schema: NodeSchema,
    max_bytes: int,
    linger_s: float = 0.05,
    max_batch: int = 10_000,
    max_queued: int = 50_000,
    clock: Callable[[], int] = time.time_ns,
    priorities: Mapping[int, Priority] = MappingProxyType({}),
    keep_sent: KeepSent = NOTHING_SENT,
) -> AsyncGenerator[Spool, None]:
    """Open or make the spool file of the node `schema.node`; leaving it closes the file.

    Args:
        path: the SQLite file; `sqlite3 -readonly` may look into it at any time.
        schema: what the handles of kept readings mean from now on.
        max_bytes: cap on what the waiting batches take on disk, beyond which the oldest are dropped.
        linger_s: the least time between two fsyncs; readings that come meanwhile share one.
        max_batch: readings in one batch at most.
        max_queued: readings in memory at most, before `keep` waits.
        clock: nanoseconds UTC.
        priorities: handles whose readings are dropped earlier or later than others.
        keep_sent: what is kept behind its receipt, for a store that is set back; within `max_bytes`.

    Raises:
        ConfigError: when the file is another node's, in use, or cannot be made.
    """
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, thread_name_prefix="spool") as thread:
        make = partial(
            SpoolFile,
            path,
            schema=schema,
            max_bytes=max_bytes,
            max_batch=max_batch,
            clock=clock,
            priorities=priorities,
            keep_sent=keep_sent,
        )
        file = await loop.run_in_executor(thread, make)
        try:
            spool = Spool(
                file,
                thread,
                linger_s=linger_s,
                max_batch=max_batch,
                max_queued=max_queued,
                max_bytes=max_bytes,
                clock=clock,
            )
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(spool.write(), name="spool")
                yield spool
                writer.cancel()
        finally:
            await asyncio.shield(loop.run_in_executor(thread, file.close))
