"""Hop *keep*: what the store has already, kept for a while longer: a store that is set back has it no more.

In: batches that a receipt covers; receipts of a store that came back from a backup. Out: batches that wait again, and
which intervals of time nobody has any more. The caller opens and ends the transactions.
"""

import logging
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from twin.errors import Rejected
from twin.wire import batch
from twin.wire.reading import Gap, GapCause, Lane
from twin.wire.receipt import Receipt

logger = logging.getLogger(__name__)

Span = tuple[int, int]  # both ends included
SET_BACK = "the store was set back further than the spool keeps what was sent"

TABLES = """
CREATE TABLE sent (             -- batches that the store has; their columns as in `batch`
  number INTEGER PRIMARY KEY,
  lane INTEGER NOT NULL,
  schema_hash TEXT NOT NULL,
  readings INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  created_ns INTEGER NOT NULL,
  first_ns INTEGER NOT NULL,
  newest_ns INTEGER NOT NULL,
  payload BLOB NOT NULL,
  priority INTEGER NOT NULL,
  settled_ns INTEGER NOT NULL   -- when its receipt came
);
CREATE TABLE forgotten (        -- batches that the store had and that are no longer here: when they were
  first INTEGER NOT NULL,       -- their numbers lie within first … last, with others of the other lane in between
  last INTEGER NOT NULL,
  lane INTEGER NOT NULL,
  first_ns INTEGER NOT NULL,
  newest_ns INTEGER NOT NULL
);
"""
_COLUMNS = "number, lane, schema_hash, readings, bytes, created_ns, first_ns, newest_ns, payload, priority"
_AT_ONCE = 256  # rows that one transaction looks at to forget them
_SPAN_NS = 3_600_000_000_000  # of one row of `forgotten` at most, unless a batch spans more


class KeepSent(NamedTuple):
    """How long batches are kept behind their receipt, and what all of them may take on disk; 0: not at all."""

    ns: int
    max_bytes: int


NOTHING_SENT = KeepSent(0, 0)


class _Gone(NamedTuple):
    """A batch that is forgotten."""

    number: int
    lane: int
    first_ns: int
    newest_ns: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Rewound:
    """What a receipt of another incarnation has changed."""

    first_ns: int  # the oldest source time of what waits again or is lost; 0: there is none
    lost: Sequence[Span]  # source times of batches that neither the store nor this spool has

    def gaps(self, handles: Sequence[int]) -> list[Gap]:
        """What is lost, of all signals: nobody knows any more which of them the batches held."""
        return [Gap(tuple(handles), first, last + 1, GapCause.SPOOL_DROP, SET_BACK) for first, last in self.lost]


class SentTable:
    """Reads and writes the two tables.

    Args:
        connection: of the spool.
        keep: for how long, and how much.
    """

    def __init__(self, connection: sqlite3.Connection, keep: KeepSent) -> None:
        self._connection = connection
        self._keep = keep
        self.size = self._counted()

    def take(self, low: int, high: int, now_ns: int) -> None:
        """The batches low … high are in the store and about to leave the table `batch`."""
        interval = (low, high)
        if self._keep.ns:
            size = self._connection.execute("SELECT total(bytes) FROM batch WHERE number BETWEEN ? AND ?", interval)
            self.size += int(size.fetchone()[0])
            self._connection.execute(
                f"INSERT INTO sent SELECT {_COLUMNS}, ? FROM batch WHERE number BETWEEN ? AND ?",  # noqa: S608
                (now_ns, *interval),
            )
            return
        self._forget(
            _Gone(*row)
            for row in self._connection.execute(
                "SELECT number, lane, first_ns, newest_ns, payload FROM batch WHERE number BETWEEN ? AND ?", interval
            ).fetchall()
        )

    def prune(self, now_ns: int, room: int) -> None:
        """Forget what is older than is kept, and the oldest while all take more than `room` bytes."""
        most = min(room, self._keep.max_bytes)
        oldest = self._connection.execute(
            "SELECT number, lane, first_ns, newest_ns, payload, bytes, settled_ns FROM sent ORDER BY number LIMIT ?",
            (_AT_ONCE,),
        )
        gone: list[_Gone] = []
        for *row, size, settled_ns in oldest:
            if self.size <= most and settled_ns + self._keep.ns > now_ns:
                break
            gone.append(_Gone(*row))
            self.size -= size
        oldest.close()
        self._forget(gone)
        self._connection.executemany("DELETE FROM sent WHERE number = ?", [(one.number,) for one in gone])

    def clear(self) -> None:
        """A new epoch begins: its numbers mean something else."""
        self._connection.execute("DELETE FROM sent")
        self._connection.execute("DELETE FROM forgotten")
        self.size = 0

    def rewind(self, receipt: Receipt, last_number: int) -> Rewound:
        """The store has no more than this receipt says: the rest waits again, as history, or empty where it is gone."""
        absent = without([(1, last_number)], [(1, receipt.high_water), *receipt.above])
        first_ns = [ns for low, high in absent for ns in self._return(low, high)]
        missing = without(absent, self._waiting())
        self._connection.executemany("INSERT INTO withdrawn VALUES (?, ?)", missing)
        lost = _joined(span for low, high in missing for span in self._times(low, high))
        known = [ns for ns in (*first_ns, *(first for first, _ in lost)) if ns > 0]
        self.size = self._counted()
        if first_ns or lost:
            logger.warning(
                "the store is another one than before, restored or taken over by a standby: %d batches that it had go"
                " again, %d intervals are no longer here and go into the gap ledger",
                len(first_ns), len(lost),
            )  # fmt: skip
        return Rewound(min(known, default=0), lost)

    def _counted(self) -> int:
        return int(self._connection.execute("SELECT total(bytes) FROM sent").fetchone()[0])

    def _return(self, low: int, high: int) -> list[int]:
        """Put the batches low … high back among those that wait; returns their oldest source times."""
        numbers = self._connection.execute("SELECT number FROM sent WHERE number BETWEEN ? AND ?", (low, high))
        return [self._return_one(number) for (number,) in numbers.fetchall()]

    def _return_one(self, number: int) -> int:
        row = self._connection.execute(f"SELECT {_COLUMNS} FROM sent WHERE number = ?", (number,)).fetchone()  # noqa: S608
        payload = row[8]
        if batch.is_whole(payload):  # a damaged one is found, and told, when it is fetched
            payload = batch.with_lane(payload, Lane.HISTORY)
        self._connection.execute(
            "INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (number, Lane.HISTORY, *row[2:8], payload, row[9]),
        )
        self._connection.execute("DELETE FROM sent WHERE number = ?", (number,))
        return int(row[6])

    def _waiting(self) -> list[Span]:
        numbers = [number for (number,) in self._connection.execute("SELECT number FROM batch ORDER BY number")]
        spans: list[Span] = []
        for number in numbers:
            if spans and spans[-1][1] == number - 1:
                spans[-1] = (spans[-1][0], number)
            else:
                spans.append((number, number))
        return sorted([*spans, *self._connection.execute("SELECT first, last FROM withdrawn").fetchall()])

    def _times(self, low: int, high: int) -> list[Span]:
        return self._connection.execute(
            "SELECT first_ns, newest_ns FROM forgotten WHERE first <= ? AND last >= ?", (high, low)
        ).fetchall()

    def _forget(self, batches: Iterable[_Gone]) -> None:
        """Remember of each only about when it was, what it told of gaps included."""
        for gone in batches:
            first_ns, newest_ns = _reach(gone)
            if first_ns == 0:
                continue
            changed = self._connection.execute(
                "UPDATE forgotten SET first = min(first, ?1), last = max(last, ?1), first_ns = min(first_ns, ?3),"
                " newest_ns = max(newest_ns, ?4)"
                " WHERE rowid = (SELECT max(rowid) FROM forgotten WHERE lane = ?2)"
                " AND max(newest_ns, ?4) - min(first_ns, ?3) <= ?5",
                (gone.number, gone.lane, first_ns, newest_ns, _SPAN_NS),
            )
            if changed.rowcount == 0:
                self._connection.execute(
                    "INSERT INTO forgotten VALUES (?1, ?1, ?2, ?3, ?4)", (gone.number, gone.lane, first_ns, newest_ns)
                )


def _reach(gone: _Gone) -> Span:
    """The source times of a batch's readings and gaps; (0, 0) when it has neither."""
    try:
        gaps = batch.decode(gone.payload).gaps if batch.read_header(gone.payload).gaps else ()
    except Rejected:
        gaps = ()
    begins = [ns for ns in (gone.first_ns, *(gap.from_ns for gap in gaps)) if ns > 0]
    return min(begins, default=0), max([gone.newest_ns, *(gap.to_ns - 1 for gap in gaps)])


def without(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """What of the spans is in none of `taken`; both ascending."""
    rest: list[Span] = []
    cuts = [cut for cut in taken if cut[0] <= cut[1]]
    for low, high in spans:
        begin = low
        for first, last in cuts:
            if last < begin:
                continue
            if first > high:
                break
            if first > begin:
                rest.append((begin, first - 1))
            begin = last + 1
        if begin <= high:
            rest.append((begin, high))
    return rest


def _joined(spans: Iterable[Span]) -> list[Span]:
    """The same times in as few spans as there are holes between them."""
    joined: list[Span] = []
    for first, last in sorted(set(spans)):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined
