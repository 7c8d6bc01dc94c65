"""Hop *keep*: the tables `batch` and `withdrawn` as plain operations; the caller opens and ends the transactions.

In: encoded batches by number. Out: which numbers wait in which lane, their payloads, and running totals.
"""

import heapq
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from edge.priority import Priority
from twin.wire.reading import Lane

ROW_BYTES = 128  # what a row takes on disk beside its payload, about
_NO_NUMBER = 1 << 63  # above all numbers


class Row(NamedTuple):
    """One batch as it is stored; see `edge.spool_open` for the meaning of each column."""

    number: int
    lane: int
    schema_hash: str
    readings: int
    size: int
    created_ns: int
    first_ns: int
    newest_ns: int
    payload: bytes
    priority: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the table `batch`."""

    batches: int = 0
    readings: int = 0
    size: int = 0

    def plus(self, batches: int, readings: int, size: int) -> "Totals":
        """These totals after rows came (positive) or went (negative)."""
        return Totals(self.batches + batches, self.readings + readings, self.size + size)


class BatchTable:
    """Reads and writes the rows; `totals` follows every change and must be put back after a rollback."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.totals = self.counted()

    def counted(self) -> Totals:
        """The totals from the rows themselves."""
        sums = self._connection.execute("SELECT count(*), total(readings), total(bytes) FROM batch").fetchone()
        return Totals(*(int(value) for value in sums))

    def first_ns(self) -> int:
        """The oldest source time that waits, 0 when nothing does."""
        found = self._connection.execute("SELECT min(first_ns) FROM batch WHERE first_ns > 0").fetchone()[0]
        return int(found or 0)

    def insert(self, row: Row) -> None:
        """Add one batch."""
        self._connection.execute("INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        self.totals = self.totals.plus(1, row.readings, row.size)

    def row(self, number: int) -> Row | None:
        """The batch with that number, if it still waits."""
        found = self._connection.execute("SELECT * FROM batch WHERE number = ?", (number,)).fetchone()
        return Row(*found) if found else None

    def settle(self, low: int, high: int) -> None:
        """The numbers low…high are in the store: forget them."""
        interval = (low, high)
        gone = self._connection.execute(
            "SELECT count(*), total(readings), total(bytes) FROM batch WHERE number BETWEEN ? AND ?", interval
        ).fetchone()
        if gone[0]:
            self._connection.execute("DELETE FROM batch WHERE number BETWEEN ? AND ?", interval)
            self.totals = self.totals.plus(*(-int(value) for value in gone))
        self._cut_withdrawn(low, high)

    def withdraw(self, row: Row) -> None:
        """Drop the batch but keep its number as one that is never sent with content."""
        self._connection.execute("DELETE FROM batch WHERE number = ?", (row.number,))
        self.totals = self.totals.plus(-1, -row.readings, -row.size)
        extended = self._connection.execute(
            "UPDATE withdrawn SET last = ?1"
            " WHERE first = (SELECT max(first) FROM withdrawn WHERE first < ?1) AND last = ?1 - 1",
            (row.number,),
        )
        if extended.rowcount == 0:
            self._connection.execute("INSERT INTO withdrawn VALUES (?1, ?1)", (row.number,))

    def victim(self, history_below: int, fresh: int) -> Row | None:
        """What is dropped first: of the lowest class the oldest history, else its oldest live batch.

        What is new (from the number `fresh` on) goes only while a higher class waits, and after the rest of its class.
        """
        for priority in Priority:
            for before in (fresh, _NO_NUMBER):
                if before == _NO_NUMBER and not self._waits_above(priority):
                    break
                number = self._oldest(priority, history_below, before)
                if number is not None:
                    return self.row(number)
        return None

    def live(self, history_below: int, limit: int, skip: Collection[int]) -> list[int]:
        """The lowest numbers of the live lane that are not in `skip`."""
        numbers = self._numbers(Lane.LIVE, history_below, limit + len(skip))
        return [number for number in numbers if number not in skip][:limit]

    def history(self, history_below: int, limit: int, skip: Collection[int]) -> list[int]:
        """The lowest numbers of the history lane, withdrawn ones among them, that are not in `skip`."""
        most = limit + len(skip)
        demoted = [number for number in self._numbers(Lane.LIVE, 0, most) if number < history_below]
        own = self._numbers(Lane.HISTORY, 0, most)
        numbers = heapq.merge(demoted, own, self._withdrawn_numbers(most))
        return list(islice((number for number in numbers if number not in skip), limit))

    def is_withdrawn(self, number: int) -> bool:
        """Whether the number's batch was dropped and the store has not heard of it."""
        found = self._connection.execute(
            "SELECT last FROM withdrawn WHERE first <= ? ORDER BY first DESC LIMIT 1", (number,)
        ).fetchone()
        return found is not None and found[0] >= number

    def withdrawn_count(self) -> int:
        """How many numbers wait to be told as empty."""
        return int(self._connection.execute("SELECT total(last - first + 1) FROM withdrawn").fetchone()[0])

    def oldest_created_ns(self, lane: Lane | None = None, since: int = 0) -> int | None:
        """When the oldest batch (of a lane, from the number `since` on) was made."""
        lanes = list(Lane) if lane is None else [lane]
        numbers = [number for one in lanes for number in self._numbers(one, since, 1)]
        if not numbers:
            return None
        found = self._connection.execute("SELECT created_ns FROM batch WHERE number = ?", (min(numbers),)).fetchone()
        return int(found[0])

    def _oldest(self, priority: Priority, history_below: int, before: int) -> int | None:
        history = self._lowest(priority, Lane.HISTORY, before)
        live = self._lowest(priority, Lane.LIVE, before)
        if live is not None and live < history_below:
            history = live if history is None else min(history, live)
        return live if history is None else history

    def _lowest(self, priority: Priority, lane: Lane, before: int) -> int | None:
        found = self._connection.execute(
            "SELECT min(number) FROM batch WHERE priority = ? AND lane = ?", (priority, lane)
        ).fetchone()[0]
        return found if found is not None and found < before else None

    def _waits_above(self, priority: Priority) -> bool:
        found = self._connection.execute("SELECT EXISTS (SELECT 1 FROM batch WHERE priority > ?)", (priority,))
        return bool(found.fetchone()[0])

    def _numbers(self, lane: Lane, since: int, limit: int) -> list[int]:
        rows = self._connection.execute(
            "SELECT number FROM batch WHERE lane = ? AND number >= ? ORDER BY number LIMIT ?", (lane, since, limit)
        )
        return [number for (number,) in rows]

    def _withdrawn_numbers(self, limit: int) -> list[int]:
        ranges = self._connection.execute("SELECT first, last FROM withdrawn ORDER BY first LIMIT ?", (limit,))
        return list(islice((number for first, last in ranges for number in range(first, last + 1)), limit))

    def _cut_withdrawn(self, low: int, high: int) -> None:
        touched = self._connection.execute(
            "SELECT first, last FROM withdrawn WHERE first <= ? AND last >= ?", (high, low)
        ).fetchall()
        for first, last in touched:
            self._connection.execute("DELETE FROM withdrawn WHERE first = ?", (first,))
            rest = [(first, low - 1), (high + 1, last)]
            self._connection.executemany(
                "INSERT INTO withdrawn VALUES (?, ?)", [part for part in rest if part[0] <= part[1]]
            )
