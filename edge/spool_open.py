"""Hop *keep*: opening the spool's SQLite file, and what to do when it cannot be trusted.

In: a path. Out: one connection that nobody else has (lock file), checked, with our tables; a damaged file is moved
aside and a fresh one begun, together with what could still be read about the interval that is lost.
"""

import fcntl
import logging
import os
import secrets
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge import spool_sent
from twin.errors import ConfigError, Retryable

logger = logging.getLogger(__name__)

FORMAT = 3
_LOCK_TRIES, _LOCK_PAUSE_S = 10, 0.05
APPLICATION_ID = 0x46515331  # "FQS1"
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_WAITABLE = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
}

_TABLES = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE remembered (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE schema (hash TEXT PRIMARY KEY, document BLOB NOT NULL);
CREATE TABLE batch (
  number INTEGER PRIMARY KEY,   -- from 1, one sequence over both lanes, never used twice within the epoch
  lane INTEGER NOT NULL,        -- 0 live, 1 history; live rows below meta.history_below are sent as history
  schema_hash TEXT NOT NULL,
  readings INTEGER NOT NULL,
  bytes INTEGER NOT NULL,       -- what it takes on disk, about
  created_ns INTEGER NOT NULL,
  first_ns INTEGER NOT NULL,    -- oldest source time, 0 when it holds no readings
  newest_ns INTEGER NOT NULL,
  payload BLOB NOT NULL,        -- the MQTT message as twin.wire.batch encodes it
  priority INTEGER NOT NULL DEFAULT 1 -- of its readings: 0 low, 1 normal, 2 high; 0 when it holds none
);
CREATE INDEX batch_by_lane ON batch (lane, number);
CREATE INDEX batch_by_class ON batch (priority, lane, number);
CREATE TABLE withdrawn (        -- numbers whose batch was dropped; sent as empty batches
  first INTEGER PRIMARY KEY,
  last INTEGER NOT NULL
);
{spool_sent.TABLES}
"""


_FROM_FORMAT_1 = """
BEGIN IMMEDIATE;
ALTER TABLE batch ADD COLUMN priority INTEGER NOT NULL DEFAULT 1;
CREATE INDEX batch_by_class ON batch (priority, lane, number);
PRAGMA user_version = 2;
COMMIT;
"""
_FROM_FORMAT_2 = f"""
BEGIN IMMEDIATE;
{spool_sent.TABLES}
PRAGMA user_version = 3;
COMMIT;
"""


@dataclass(frozen=True, slots=True)
class Salvage:
    """What a damaged file still told: the oldest reading it may have held (0 = unknown) and when it was last used."""

    first_ns: int
    newest_ns: int


def open_file(path: Path, node: str) -> tuple[sqlite3.Connection, Salvage | None]:
    """The checked connection, and a `Salvage` when a damaged file had to be moved aside.

    Raises:
        ConfigError: when the file belongs to another node or to a newer version, or its folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{path.parent}: cannot be created ({error.strerror}); choose another spool.path") from error
    salvage = _move_aside_if_damaged(path)
    try:
        connection = _connect(path)
        if not _is_ours(connection):
            _begin(connection, node)
        _upgrade(connection)
    except sqlite3.OperationalError as error:
        raise ConfigError(f"{path}: the spool cannot be opened ({error}); check the folder and its rights") from error
    _require_node(connection, path, node)
    return connection, salvage


def lock(path: Path) -> int:
    """Hold `<path>.lock` for the life of the process: two agents on one spool would reuse numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOCK_PAUSE_S)  # `twin edge status` holds it for a moment
        else:
            return descriptor
    os.close(descriptor)
    raise ConfigError(f"{path}: another agent uses this spool; stop it or give this one its own path")


def translated(error: sqlite3.Error) -> Retryable | None:
    """A full or failing disk as `Retryable`; None when the error is a bug or damage."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return Retryable(f"the spool cannot write: {error}") if code in _WAITABLE else None


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=1.0)
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "secure_delete = OFF",
        "journal_size_limit = 16777216",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection


def _is_ours(connection: sqlite3.Connection) -> bool:
    return connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID


def _begin(connection: sqlite3.Connection, node: str) -> None:
    connection.executescript(
        f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT};"
    )
    connection.executemany("INSERT INTO meta VALUES (?, ?)", [("epoch", secrets.token_hex(16)), ("node", node)])
    connection.execute("COMMIT")


def _upgrade(connection: sqlite3.Connection) -> None:
    """Format 1 knew no classes: what waits there is of normal priority. Format 2 kept nothing behind its receipt."""
    for version, script in ((1, _FROM_FORMAT_1), (2, _FROM_FORMAT_2)):
        if connection.execute("PRAGMA user_version").fetchone()[0] == version:
            connection.executescript(script)


def _require_node(connection: sqlite3.Connection, path: Path, node: str) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != FORMAT:
        raise ConfigError(f"{path}: the spool has format {version}, this program reads {FORMAT}; use the newer program")
    owner = read_meta(connection).get("node")
    if owner != node:
        raise ConfigError(f"{path}: the spool belongs to node '{owner}', not '{node}'; give each node its own path")


def read_meta(connection: sqlite3.Connection) -> dict[str, Any]:
    """The key-value rows of the spool itself: epoch, node, counters."""
    return dict(connection.execute("SELECT key, value FROM meta").fetchall())


def _move_aside_if_damaged(path: Path) -> Salvage | None:
    if not path.exists():
        return None
    problem = _damage(path)
    if problem is None:
        return None
    salvage = _salvage(path)
    aside = _move_aside(path)
    logger.error(
        "spool %s is damaged (%s): moved to %s, beginning a new epoch; its unsent batches are lost, %s",
        path,
        problem,
        aside,
        "their interval goes into the gap ledger" if salvage.first_ns else "from an unknown time on",
    )
    return salvage


def _damage(path: Path) -> str | None:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        if not _is_ours(connection) and connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            return None  # the process died before the tables were there
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            return str(verdict)
        return None if read_meta(connection).get("epoch") else "it has no epoch"
    except sqlite3.DatabaseError as error:
        if translated(error) is not None:
            raise ConfigError(f"{path}: the spool cannot be read ({error}); check the disk and its rights") from error
        return str(error)
    finally:
        connection.close()


def _salvage(path: Path) -> Salvage:
    first_ns = _ask(path, "SELECT min(first_ns) FROM batch WHERE first_ns > 0") or _ask(
        path, "SELECT first_ns FROM batch WHERE first_ns > 0 ORDER BY number LIMIT 1"
    )
    newest_ns = _ask(path, "SELECT value FROM meta WHERE key = 'last_kept_ns'")
    return Salvage(first_ns, newest_ns or path.stat().st_mtime_ns)


def _ask(path: Path, question: str) -> int:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        row = connection.execute(question).fetchone()
    except sqlite3.DatabaseError:
        return 0
    finally:
        connection.close()
    return int(row[0]) if row and isinstance(row[0], int) else 0


def _move_aside(path: Path) -> Path:
    count = 1
    while (aside := path.with_name(f"{path.name}.damaged-{count}")).exists():
        count += 1
    for ending in ("", "-wal", "-shm"):  # in this order: the file without its log would go back in time
        part = path.with_name(path.name + ending)
        if part.exists():
            part.rename(aside.with_name(aside.name + ending))
    return aside
