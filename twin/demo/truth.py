"""The truth log: every sample the equipment emitted and every fault, in SQLite, for tests to compare the store with.

Write order, and what it proves. A tick's samples, faults and the state of the world are committed in one transaction
*before* the first of them is emitted, so after a kill -9 at any instant nothing was emitted that is not in `sample`.
The converse is kept by `progress`: per channel the last sample that is known to be out (written into the OPC UA server,
or acknowledged by the broker). What a killed process had logged beyond it may or may not be out; the next start lists
it in `unsent` with the reason in-doubt. A sample that a device had to drop stands in `unsent` with the reason
queue-full and was never emitted. So: sample ⊇ emitted ⊇ certain = sample − unsent.

Tables for readers: sample(signal_path, time_us, value, text), certain (the same columns),
unsent(signal_path, time_us, reason), fault(asset, kind, started_us, ended_us, detail).
"""

import asyncio
import json
import pickle
import sqlite3
import threading
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from twin.demo.channel import Channel
from twin.demo.faults import Fault
from twin.demo.probe import Emission
from twin.demo.world import World
from twin.errors import ConfigError

_FORMAT = 2  # of the kept world
_SCHEMA = """
CREATE TABLE IF NOT EXISTS signal (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, channel TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS emission
  (id INTEGER PRIMARY KEY, signal INTEGER NOT NULL, time_us INTEGER NOT NULL, value REAL, text TEXT);
CREATE TABLE IF NOT EXISTS unsent_emission (id INTEGER PRIMARY KEY, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS progress (channel TEXT PRIMARY KEY, emission INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS fault
  (asset TEXT NOT NULL, kind TEXT NOT NULL, started_us INTEGER NOT NULL, ended_us INTEGER, detail TEXT NOT NULL,
   PRIMARY KEY (asset, kind, started_us));
CREATE TABLE IF NOT EXISTS world (one INTEGER PRIMARY KEY CHECK (one = 1), tag TEXT NOT NULL, state BLOB NOT NULL);
CREATE VIEW IF NOT EXISTS sample AS
  SELECT path AS signal_path, time_us, value, text FROM emission JOIN signal ON signal.id = emission.signal;
CREATE VIEW IF NOT EXISTS certain AS
  SELECT path AS signal_path, time_us, value, text FROM emission JOIN signal ON signal.id = emission.signal
  WHERE emission.id NOT IN (SELECT id FROM unsent_emission);
CREATE VIEW IF NOT EXISTS unsent AS
  SELECT path AS signal_path, time_us, reason FROM unsent_emission
  JOIN emission USING (id) JOIN signal ON signal.id = emission.signal;
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is committed at once."""

    emissions: Sequence[Emission] = ()
    faults: Sequence[Fault] = ()
    dropped: Sequence[int] = ()  # emission ids that a full queue has dropped
    progress: Mapping[Channel, int] | None = None
    world: World | None = None  # to be kept for the next start


class TruthLog:
    """One open log; made by `open_truth`."""

    def __init__(self, connection: sqlite3.Connection, tag: str) -> None:
        self._connection: sqlite3.Connection = connection
        self._tag: str = tag
        self._busy: threading.Lock = threading.Lock()  # a cancelled commit still ends before the file is closed
        self._handles: list[int] = []
        self.last_id: int = connection.execute("SELECT coalesce(max(id), 0) FROM emission").fetchone()[0]

    def register(self, signals: Iterable[tuple[str, Channel]]) -> None:
        """Name the signals; `Emission.signal` is the place in this order."""
        with self._connection:
            for path, channel in signals:
                self._connection.execute(
                    "INSERT INTO signal (path, channel) VALUES (?, ?) ON CONFLICT (path) DO UPDATE SET channel = ?",
                    (path, channel, channel),
                )
                row = self._connection.execute("SELECT id FROM signal WHERE path = ?", (path,)).fetchone()
                self._handles.append(row[0])

    async def commit(self, entry: Entry) -> range:
        """Write in one transaction, off the loop; the ids of the emissions."""
        return await asyncio.to_thread(self._commit, entry)

    def world(self) -> World | None:
        """The world as the last commit left it, None when there is none that fits."""
        row = self._connection.execute("SELECT tag, state FROM world").fetchone()
        if row is None or row[0] != self._tag:
            return None
        return pickle.loads(row[1])  # noqa: S301 - this process wrote it, into its own file

    def close_doubtful(self) -> int:
        """List what an earlier process may not have emitted; how many."""
        with self._connection:
            return self._connection.execute(
                "INSERT OR IGNORE INTO unsent_emission SELECT emission.id, 'in-doubt' FROM emission"
                " JOIN signal ON signal.id = emission.signal LEFT JOIN progress ON progress.channel = signal.channel"
                " WHERE emission.id > coalesce(progress.emission, 0)"
            ).rowcount

    async def forget(self, before_us: int) -> None:
        """Delete samples from before this instant, so that a demo may run for weeks."""
        await asyncio.to_thread(self._forget, before_us)

    def close(self) -> None:
        """End; waits for a commit under way."""
        with self._busy:
            self._connection.close()

    def _commit(self, entry: Entry) -> range:
        first = self.last_id + 1
        handles = self._handles
        rows = [
            (at, handles[one.signal], one.time_us, None, one.value)
            if isinstance(one.value, str)
            else (at, handles[one.signal], one.time_us, one.value, None)
            for at, one in enumerate(entry.emissions, first)
        ]
        with self._busy, self._connection as connection:
            connection.executemany("INSERT INTO emission VALUES (?, ?, ?, ?, ?)", rows)
            connection.executemany(_KEEP_FAULT, map(_row, entry.faults))
            connection.executemany(
                "INSERT OR IGNORE INTO unsent_emission VALUES (?, 'queue-full')", [(one,) for one in entry.dropped]
            )
            connection.executemany(
                "INSERT INTO progress VALUES (?, ?) ON CONFLICT DO UPDATE SET emission = excluded.emission",
                list((entry.progress or {}).items()),
            )
            if entry.world is not None:
                state = pickle.dumps(entry.world, pickle.HIGHEST_PROTOCOL)
                connection.execute("INSERT OR REPLACE INTO world VALUES (1, ?, ?)", (self._tag, state))
        self.last_id += len(rows)
        return range(first, first + len(rows))

    def _forget(self, before_us: int) -> None:
        with self._busy, self._connection as connection:
            # ids follow the time within a signal and nearly follow it over all, so the oldest rows come first
            limit = connection.execute("SELECT min(id) FROM emission WHERE time_us >= ?", (before_us,)).fetchone()[0]
            if limit is not None:
                connection.execute("DELETE FROM unsent_emission WHERE id < ?", (limit,))
                connection.execute("DELETE FROM emission WHERE id < ?", (limit,))


_KEEP_FAULT = (
    "INSERT INTO fault VALUES (?, ?, ?, ?, ?) ON CONFLICT (asset, kind, started_us) DO UPDATE"
    " SET ended_us = excluded.ended_us, detail = excluded.detail"
)


def _row(fault: Fault) -> tuple[str, str, int, int | None, str]:
    detail = {"signal": fault.signal, "size": round(fault.size, 4), "lasts_s": round(fault.lasts_us / 1e6)}
    return fault.asset, fault.kind, fault.started_us, fault.ended_us, json.dumps(detail)


@asynccontextmanager
async def open_truth(path: Path, *, tag: str) -> AsyncGenerator[TruthLog]:
    """The log at this path; `tag` names the plant and seed that a kept world must fit.

    Raises:
        ConfigError: when the file cannot be opened or is none of ours.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # a commit survives kill -9; power loss is out of scope
        connection.executescript(_SCHEMA)
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(f"{path}: cannot be used as truth log ({error}); choose another path") from error
    log = TruthLog(connection, f"{_FORMAT}/{tag}")
    try:
        yield log
    finally:
        log.close()
