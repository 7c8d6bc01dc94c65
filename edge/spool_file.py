"""Hop *keep*: the spool's file. In: readings and receipts. Out: numbered batches, each on disk before it is told.

Everything here runs in the spool's one thread. A batch that is dropped leaves its number behind as *withdrawn* (sent
as an empty batch, so that the receipts' high-water mark goes on) and its hole in a gap record that a new batch
carries; both stand in the transaction that drops it.
"""

import logging
import os
import sqlite3
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from operator import itemgetter
from pathlib import Path
from types import MappingProxyType

from edge import spool_gaps, spool_open, spool_renew
from edge.priority import Priority
from edge.spool_figures import COUNTERS, Backlog, Counters, Outgoing
from edge.spool_sent import NOTHING_SENT, KeepSent, SentTable
from edge.spool_settled import Settled
from edge.spool_table import ROW_BYTES, BatchTable, Row
from twin.errors import Rejected
from twin.wire import batch
from twin.wire.reading import Gap, GapCause, Lane, Reading
from twin.wire.receipt import Receipt
from twin.wire.schema import NodeSchema

logger = logging.getLogger(__name__)

_END_OF_TIME_NS = 1 << 63
_source_ns = itemgetter(1)
_FEW = 1_000  # batches that wait: of so many the oldest reading is looked for
_ROOM = 128  # a full spool frees this part of its cap at once, so that it is not busy dropping all the time


@dataclass(slots=True)
class Work:
    """What one transaction does."""

    readings: dict[Lane, list[Reading]] = field(default_factory=dict[Lane, list[Reading]])
    gaps: list[Gap] = field(default_factory=list[Gap])
    receipt: Receipt | None = None
    remembered: dict[str, bytes] = field(default_factory=dict[str, bytes])
    demote: bool = False


class SpoolFile:
    """The open file; made, used and closed in one thread."""

    def __init__(
        self,
        path: Path,
        *,
        schema: NodeSchema,
        max_bytes: int,
        max_batch: int,
        clock: Callable[[], int],
        priorities: Mapping[int, Priority] = MappingProxyType({}),
        keep_sent: KeepSent = NOTHING_SENT,
    ) -> None:
        self._schema = schema
        self._priorities = priorities
        self._max_bytes = max_bytes
        self._max_batch = max_batch
        self._clock = clock
        self._lock = spool_open.lock(path)
        self._settled = Settled(path)
        self._connection, salvage = spool_open.open_file(path, schema.node)
        meta = spool_open.read_meta(self._connection)
        self.epoch: str = meta["epoch"]
        self.counters = Counters(**{name: meta.get(name, 0) for name in COUNTERS})
        self._batches = BatchTable(self._connection)
        self._sent = SentTable(self._connection, keep_sent)
        self.salvaged_ns = 0  # when a damaged file was moved aside
        with self._transaction():
            self._keep_schema()
            if salvage is not None:
                self._record(salvage)
        self.backlog = self._count()
        self._move_settled()

    def close(self) -> None:
        """Let the file and its lock go."""
        self._connection.close()
        os.close(self._lock)

    def commit(self, work: Work) -> None:
        """All of `work` on disk, or nothing of it.

        Raises:
            Retryable: the disk is full or fails; nothing was changed.
        """
        with self._transaction():
            if work.receipt is not None:
                self._settle(work.receipt)
            if work.demote:
                self.counters = replace(self.counters, history_below=self.counters.last_number + 1)
            self._connection.executemany("INSERT OR REPLACE INTO remembered VALUES (?, ?)", work.remembered.items())
            fresh = self.counters.last_number + 1
            self._keep(work)
            self._make_room(fresh)
            self._sent.prune(self._clock(), self._max_bytes - self._batches.totals.size)
        self.backlog = self._count()
        if self._settled.due():
            self._move_settled()

    def take(self, lane: Lane, limit: int, skip: Collection[int]) -> list[Outgoing]:
        """The next batches of a lane in order of number, without those in `skip` (they are on their way)."""
        below = self.counters.history_below
        find = self._batches.live if lane is Lane.LIVE else self._batches.history
        found = [self.fetch(number) for number in find(below, limit, skip)]
        return [outgoing for outgoing in found if outgoing is not None]

    def fetch(self, number: int) -> Outgoing | None:
        """One batch as it is to be sent now; None when it is settled."""
        row = self._batches.row(number)
        if row is not None and not batch.is_whole(row.payload):
            self._drop_damaged(row)
            row = None
        if row is None:
            return self._empty(number) if self._batches.is_withdrawn(number) else None
        if row.lane == Lane.LIVE and number < self.counters.history_below:
            return Outgoing(number, Lane.HISTORY, batch.with_lane(row.payload, Lane.HISTORY))
        return Outgoing(number, Lane(row.lane), row.payload)

    def schemas(self) -> list[NodeSchema]:
        """Every schema that a waiting batch needs, and the present one."""
        rows = self._connection.execute("SELECT document FROM schema").fetchall()
        return [NodeSchema.from_json(document) for (document,) in rows]

    def recall(self, key: str) -> bytes | None:
        """What `Work.remembered` last held under that key."""
        found = self._connection.execute("SELECT value FROM remembered WHERE key = ?", (key,)).fetchone()
        return found[0] if found else None

    @contextmanager
    def _transaction(self) -> Generator[None, None, None]:
        epoch, counters, totals, sent = self.epoch, self.counters, self._batches.totals, self._sent.size
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            changed = [name for name in COUNTERS if getattr(self.counters, name) != getattr(counters, name)]
            self._connection.executemany(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)", [(name, getattr(self.counters, name)) for name in changed]
            )
            self._connection.execute("COMMIT")
        except BaseException as error:
            self.epoch, self.counters, self._batches.totals, self._sent.size = epoch, counters, totals, sent
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error) and (retryable := spool_open.translated(error)):
                raise retryable from error
            raise

    def _keep(self, work: Work) -> None:
        gaps: Sequence[Gap] = spool_gaps.merge(work.gaps)
        for lane, mixed in sorted(work.readings.items()):
            for readings in self._by_class(mixed):
                for start in range(0, len(readings), self._max_batch):
                    self._insert_storable(readings[start : start + self._max_batch], gaps, lane)
                    gaps = ()
        if gaps:
            self._insert_storable((), gaps, Lane.LIVE)

    def _by_class(self, readings: Sequence[Reading]) -> list[Sequence[Reading]]:
        """What matters most first: it gets the lower numbers, which go out first."""
        if not self._priorities:
            return [readings]
        classes: dict[Priority, list[Reading]] = {priority: [] for priority in reversed(Priority)}
        for reading in readings:
            classes[self._priority(reading)].append(reading)
        return [own for own in classes.values() if own]

    def _priority(self, reading: Reading) -> Priority:
        return self._priorities.get(reading.handle, Priority.NORMAL)

    def _insert_storable(self, readings: Sequence[Reading], gaps: Sequence[Gap], lane: Lane) -> None:
        """Insert; what no column can hold (a time beyond 64 bits) is told in the log and must not hold up the rest."""
        try:
            self._insert(readings, gaps, lane, self._schema.hash)
        except Rejected as error:
            if len(readings) <= 1:
                logger.error("%s cannot be kept: %s", readings or gaps, error)
                if readings and gaps:
                    self._insert_storable((), gaps, lane)
                return
            middle = len(readings) // 2
            self._insert_storable(readings[:middle], gaps, lane)
            self._insert_storable(readings[middle:], (), lane)

    def _insert(self, readings: Sequence[Reading], gaps: Sequence[Gap], lane: Lane, schema_hash: str) -> None:
        now_ns = self._clock()
        number = self.counters.last_number + 1
        times = tuple(map(_source_ns, readings))
        first_ns, newest_ns = (min(times), max(times)) if times else (0, 0)
        if newest_ns >= _END_OF_TIME_NS or first_ns < 0:
            raise Rejected("out-of-range", f"source times from {first_ns} to {newest_ns} ns do not fit the column")
        self._settled.lower(first_ns)
        payload = self._encode(readings, gaps, number, lane, schema_hash)
        size = len(payload) + ROW_BYTES
        priority = self._priority(readings[0]) if readings else Priority.LOW  # gaps are never lost, only told anew
        self._batches.insert(
            Row(number, lane, schema_hash, len(readings), size, now_ns, first_ns, newest_ns, payload, priority)
        )
        kept_ns = max(self.counters.last_kept_ns, min(newest_ns, now_ns))  # a clock that runs ahead proves nothing
        self.counters = replace(self.counters, last_number=number, last_kept_ns=kept_ns)

    def _encode(
        self, readings: Sequence[Reading], gaps: Sequence[Gap], number: int, lane: Lane, schema_hash: str
    ) -> bytes:
        return batch.encode(
            readings,
            gaps,
            node=self._schema.node,
            epoch=self.epoch,
            number=number,
            lane=lane,
            schema_hash=schema_hash,
            created_ns=self._clock(),
        )

    def _empty(self, number: int) -> Outgoing:
        return Outgoing(number, Lane.HISTORY, self._encode((), (), number, Lane.HISTORY, self._schema.hash))

    def _settle(self, receipt: Receipt) -> None:
        if receipt.epoch != self.epoch or not self._is_of_the_present(receipt):
            return
        if spool_renew.is_ahead(receipt, self.counters.last_number):
            self._renew()
            return
        for low, high in ((1, receipt.high_water), *receipt.above):
            high = min(high, self.counters.last_number)
            self._sent.take(low, high, self._clock())
            self._batches.settle(low, high)

    def _is_of_the_present(self, receipt: Receipt) -> bool:
        """Whether the store that told it is the present one; a newer one than we knew may have been set back."""
        known = self.counters.incarnation
        if receipt.incarnation > known:
            self.counters = replace(self.counters, incarnation=receipt.incarnation)
            if known:
                self._rewind(receipt)
        return receipt.incarnation >= known or receipt.incarnation == 0

    def _rewind(self, receipt: Receipt) -> None:
        found = self._sent.rewind(receipt, self.counters.last_number)
        self._batches.totals = self._batches.counted()
        self._settled.lower(found.first_ns)
        if gaps := found.gaps([entry.handle for entry in self._schema.entries]):
            self._insert((), spool_gaps.merge(gaps), Lane.LIVE, self._schema.hash)

    def _renew(self) -> None:
        logger.error(
            "the store has batches of epoch %s that this spool never made: the file is an old copy; beginning a new"
            " epoch and sending again what waits",
            self.epoch,
        )
        self.epoch, last_number = spool_renew.renew(self._connection)
        self._sent.clear()
        self.counters = replace(self.counters, last_number=last_number, history_below=last_number + 1)
        self._batches.totals = self._batches.counted()

    def _make_room(self, fresh: int) -> None:
        """Drop down to the cap; see `BatchTable.victim` for what came in this transaction (from `fresh` on)."""
        if self._batches.totals.size <= self._max_bytes:
            return
        holes: dict[str, list[Gap]] = {}
        target = self._max_bytes - self._max_bytes // _ROOM
        while self._batches.totals.size > target:
            victim = self._batches.victim(self.counters.history_below, fresh)
            if victim is None:
                break
            self._drop(victim, holes.setdefault(victim.schema_hash, []))
        for schema_hash, gaps in holes.items():
            self._insert((), spool_gaps.merge(gaps), Lane.LIVE, schema_hash)

    def _drop_damaged(self, row: Row) -> None:
        """The disk has changed a batch since it was written: its readings are a hole of all signals of its schema."""
        logger.error(
            "batch %d of the spool is damaged: its %d readings are lost, check the disk", row.number, row.readings
        )
        gaps: list[Gap] = []
        with self._transaction():
            self._drop(row, gaps)
            self._insert((), spool_gaps.merge(gaps), Lane.LIVE, row.schema_hash)
        self.backlog = self._count()

    def _drop(self, victim: Row, gaps: list[Gap]) -> None:
        handles, carried = self._content(victim)
        gaps.extend(carried)
        if victim.readings:
            priority = Priority(victim.priority)
            gaps.append(spool_gaps.dropped(handles, victim.first_ns, victim.newest_ns, priority))
            self.counters = self.counters.with_drop(priority, victim.readings)
        self._batches.withdraw(victim)

    def _content(self, row: Row) -> tuple[Iterable[int], Sequence[Gap]]:
        """The signals in a batch and the gaps it carries; all signals of its schema when it cannot be read."""
        try:
            columns = batch.decode(row.payload)
        except Rejected:
            document = self._connection.execute("SELECT document FROM schema WHERE hash = ?", (row.schema_hash,))
            return [entry.handle for entry in NodeSchema.from_json(document.fetchone()[0]).entries], ()
        return {*columns.numbers.handle.values(), *columns.texts.handle.values()}, columns.gaps

    def _keep_schema(self) -> None:
        self._connection.execute(
            "INSERT OR IGNORE INTO schema VALUES (?, ?)", (self._schema.hash, self._schema.to_json())
        )
        self._connection.execute(
            "DELETE FROM schema WHERE hash <> ?"
            " AND hash NOT IN (SELECT schema_hash FROM batch UNION SELECT schema_hash FROM sent)",
            (self._schema.hash,),
        )

    def _record(self, salvage: spool_open.Salvage) -> None:
        """A damaged file was moved aside: what it held is a hole of all signals, and so is what came until now.

        Until when each signal was read stood in the file, too.
        """
        self.counters = replace(self.counters, last_kept_ns=salvage.newest_ns)
        known = [at_ns for at_ns in (salvage.first_ns, self._settled.until_ns) if at_ns > 0]
        first_ns, now_ns = min(known, default=0), self._clock()
        self.salvaged_ns = now_ns
        if 0 < first_ns < now_ns:
            handles = tuple(entry.handle for entry in self._schema.entries)
            detail = "the spool file was damaged"
            gap = Gap(handles, first_ns, now_ns, GapCause.SPOOL_DROP, detail)
            self._insert((), [gap], Lane.LIVE, self._schema.hash)

    def _move_settled(self) -> None:
        if self._batches.totals.batches <= _FEW:
            self._settled.move(self._batches.first_ns() or self.counters.last_kept_ns)

    def _count(self) -> Backlog:
        totals, below = self._batches.totals, self.counters.history_below
        return Backlog(
            batches=totals.batches,
            readings=totals.readings,
            bytes=totals.size,
            withdrawn=self._batches.withdrawn_count(),
            oldest_ns=self._batches.oldest_created_ns(),
            oldest_live_ns=self._batches.oldest_created_ns(Lane.LIVE, below),
        )
