"""Hop *commit*: admitted batches → groups → the store's transaction → receipts and the judge.

In: admitted batches and new schemas, through a queue that is bounded by rows. Out, after each COMMIT: the newest
receipt of every epoch that was touched, then the committed batches in the order of their seq. The store being away only
means waiting: the same group is tried again, nothing is read from the broker meanwhile, and no receipt leaves. Where a
lost connection left it open whether a COMMIT had come through, the committed batches are read back from the store.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence

from twin.errors import Rejected, Retryable
from twin.ingest.admit import Admitted, Rejection, refused
from twin.ingest.ports import Counters, IngestStore, OnCommitted
from twin.samples import Committed
from twin.traces import span
from twin.wire.backoff import Backoff
from twin.wire.receipt import Receipt
from twin.wire.schema import NodeSchema

logger = logging.getLogger(__name__)

MOST_WAITING_ROWS = 200_000
MOST_GROUP_ROWS = 50_000
BATCH_WEIGHT = 50  # an empty batch costs about as much as so many rows

OnReceipt = Callable[[str, Receipt], None]  # node; must not wait


class Committer:
    """One queue, one loop, one transaction at a time."""

    def __init__(
        self,
        store: IngestStore,
        on_receipt: OnReceipt,
        on_committed: OnCommitted,
        counters: Counters,
        *,
        after_seq: int = 0,
    ) -> None:
        self._store: IngestStore = store
        self._on_receipt: OnReceipt = on_receipt
        self._on_committed: OnCommitted = on_committed
        self._counters: Counters = counters
        self._handed_seq: int = after_seq  # everything up to here was handed on
        self._waiting: deque[Admitted | NodeSchema] = deque()
        self._weight: int = 0
        self._changed: asyncio.Condition = asyncio.Condition()

    async def put(self, item: Admitted | NodeSchema) -> None:
        """Hand over; waits while too much is waiting already."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._weight < MOST_WAITING_ROWS)
            self._waiting.append(item)
            self._weight += _weight(item)
            self._counters.waiting_rows = self._weight
            self._changed.notify_all()

    async def run(self) -> None:
        """Commit until cancelled. What waits together goes together; nobody waits for more to come."""
        while True:
            schemas, group = await self._take()
            backoff = Backoff()
            while True:
                try:
                    await self._save(schemas)
                    committed = await self._commit(group)
                    break
                except Retryable as error:
                    await self._patience(backoff, error)
            self._count(group, committed)
            self._tell(group, committed)
            if not backoff.fresh and any(one.seq == 0 or one.batch.number == 0 for one in committed):
                await self._hand_on_from_store(backoff)
            else:
                await self._hand_on([one for one in committed if one.seq])
            if not backoff.fresh:
                logger.info("the store is back")

    async def _patience(self, backoff: Backoff, error: Retryable) -> None:
        self._counters.store_failures += 1
        if backoff.fresh:
            logger.warning("the store is away, rows of weight %d wait: %s", self._weight, error)
        await backoff.wait()

    async def _hand_on(self, committed: list[Committed]) -> None:
        if committed:
            await self._on_committed(committed)
            self._handed_seq = committed[-1].seq

    async def _hand_on_from_store(self, backoff: Backoff) -> None:
        """An attempt that seemed to fail had come through: its batches have no seq now, but the store has them."""
        while True:
            try:
                async for seq, batch in self._store.samples.since(self._handed_seq):
                    await self._hand_on([Committed(seq, batch, None)])
                return
            except Retryable as error:
                await self._patience(backoff, error)

    async def _take(self) -> tuple[list[NodeSchema], list[Admitted]]:
        schemas: list[NodeSchema] = []
        group: list[Admitted] = []
        weight = 0
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._waiting))
            while self._waiting and (weight == 0 or weight + _weight(self._waiting[0]) <= MOST_GROUP_ROWS):
                item = self._waiting.popleft()
                weight += _weight(item)
                if isinstance(item, NodeSchema):
                    schemas.append(item)
                else:
                    group.append(item)
            self._weight -= weight
            self._counters.waiting_rows = self._weight
            self._changed.notify_all()
        return schemas, group

    async def _save(self, schemas: list[NodeSchema]) -> None:
        while schemas:
            await self._store.nodes.save_schema(schemas[0])
            del schemas[0]

    async def _commit(self, group: Sequence[Admitted]) -> list[Committed]:
        if not group:
            return []
        began_s = time.perf_counter()
        try:
            with span("ingest commit", {"batches": len(group), "rows": sum(len(one.batch) for one in group)}):
                return await self._store.samples.commit(group)
        except Rejected as error:
            if len(group) > 1:  # one of them is at fault: find out which
                return [one for item in group for one in await self._commit([item])]
            batch = group[0].batch
            rejection = Rejection(error.reason, str(error))
            logger.error("batch %d of node %s cannot be stored: %s", batch.number, batch.node, error)
            empty = refused(batch.node, rejection, epoch=batch.epoch, number=batch.number, lane=batch.lane)
            return await self._store.samples.commit([empty])
        finally:
            self._counters.commit_s += time.perf_counter() - began_s

    def _count(self, group: Sequence[Admitted], committed: Sequence[Committed]) -> None:
        counters = self._counters
        counters.commits += bool(group)
        for item, one in zip(group, committed, strict=True):
            if one.seq:
                counters.batches += 1
                counters.rows += len(one.batch)
                counters.texts += len(one.batch.texts)
                counters.rejected += len(item.rejections)
            else:
                counters.repeated += 1

    def _tell(self, group: Sequence[Admitted], committed: Sequence[Committed]) -> None:
        receipts = {
            (item.batch.node, item.batch.epoch): one.receipt
            for item, one in zip(group, committed, strict=True)
            if one.receipt is not None
        }
        for (node, _), receipt in receipts.items():
            self._on_receipt(node, receipt)


def _weight(item: Admitted | NodeSchema) -> int:
    if isinstance(item, NodeSchema):
        return len(item.entries)
    return BATCH_WEIGHT + len(item.batch) + len(item.batch.texts) + len(item.gaps) + len(item.rejections)
