"""Hop *keep*, looked at from outside: a spool file beside its running agent. In: a path. Out: what waits in it.

Only ever a reading connection, and short transactions: it can neither write nor checkpoint, so the agent's stays the
only one that does, and it never holds up the reuse of the write-ahead log for long.
"""

import fcntl
import os
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from edge import spool_open
from twin.errors import ConfigError, Rejected, Retryable
from twin.wire import batch
from twin.wire.reading import Lane, Reading
from twin.wire.schema import NodeSchema, SchemaEntry

_SLICE = 1_000  # rows of one transaction
_BATCHES = 50  # decoded at once
_STARTING = "the agent is just making its spool; try again"


class Size(NamedTuple):
    """One waiting batch without its content."""

    number: int
    lane: Lane
    readings: int
    bytes: int
    created_ns: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in one lane."""

    batches: int = 0
    readings: int = 0
    bytes: int = 0
    oldest_ns: int | None = None  # when its oldest batch was made

    def plus(self, size: Size) -> "Waiting":
        """With one more batch."""
        oldest_ns = size.created_ns if self.oldest_ns is None else min(self.oldest_ns, size.created_ns)
        return Waiting(self.batches + 1, self.readings + size.readings, self.bytes + size.bytes, oldest_ns)


class Position(NamedTuple):
    """How far the numbers of the batches have come."""

    epoch: str
    number: int


class Decoded(NamedTuple):
    """One waiting batch; signals by handle."""

    number: int
    lane: Lane
    readings: list[Reading]
    signals: dict[int, SchemaEntry]


class SpoolView:
    """The file as it is at each look; made by `open_view`."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._schemas: dict[str, dict[int, SchemaEntry]] = {}

    def meta(self) -> dict[str, Any]:
        """Epoch, node and the spool's counters."""
        return dict(self._ask("SELECT key, value FROM meta"))

    def position(self) -> Position:
        """The number of the newest batch that was ever made."""
        meta = self.meta()
        return Position(str(meta.get("epoch", "")), int(meta.get("last_number", 0)))

    def newest_ns(self, source: str) -> int:
        """The newest source time that the source has read, some seconds ago; 0 when nothing was ever read."""
        found = self._ask("SELECT value FROM remembered WHERE key = ?", newest_key(source))
        return int.from_bytes(found[0][0], "little", signed=True) if found else 0

    def sizes(self) -> Iterator[Size]:
        """Every waiting batch, in order of number; those that come and go meanwhile may or may not be among them."""
        last, below = 0, int(self.meta().get("history_below", 0))
        while True:
            rows = self._ask(
                "SELECT number, lane, readings, bytes, created_ns FROM batch WHERE number > ? ORDER BY number LIMIT ?",
                last, _SLICE,
            )  # fmt: skip
            for number, lane, readings, size, created_ns in rows:
                yield Size(number, Lane.HISTORY if number < below else Lane(lane), readings, size, created_ns)
            if len(rows) < _SLICE:
                return
            last = rows[-1][0]

    def paths(self) -> list[str]:
        """Every signal that a waiting batch can hold."""
        documents = self._ask("SELECT document FROM schema")
        return [entry.path for (document,) in documents for entry in NodeSchema.from_json(document).entries]

    def newest(self, number: int) -> Iterator[Decoded]:
        """The waiting batches from that number back."""
        before = number + 1
        while rows := self._batches("number < ? ORDER BY number DESC", before):
            yield from map(self._decoded, rows)
            before = rows[-1][0]

    def since(self, number: int) -> Iterator[Decoded]:
        """The waiting batches behind a number, in order."""
        while rows := self._batches("number > ? ORDER BY number", number):
            yield from map(self._decoded, rows)
            number = rows[-1][0]

    def _batches(self, which: str, number: int) -> list[tuple[int, int, str, bytes]]:
        return self._ask(f"SELECT number, lane, schema_hash, payload FROM batch WHERE {which} LIMIT {_BATCHES}", number)  # noqa: S608

    def _decoded(self, row: tuple[int, int, str, bytes]) -> Decoded:
        number, lane, schema_hash, payload = row
        try:
            readings = batch.decode(payload).readings()
        except Rejected:  # what the agent makes of it is its own affair
            readings = []
        return Decoded(number, Lane(lane), sorted(readings, key=_source_ns), self._signals(schema_hash))

    def _signals(self, schema_hash: str) -> dict[int, SchemaEntry]:
        if schema_hash not in self._schemas:
            found = self._ask("SELECT document FROM schema WHERE hash = ?", schema_hash)
            entries = NodeSchema.from_json(found[0][0]).entries if found else ()
            self._schemas[schema_hash] = {entry.handle: entry for entry in entries}
        return self._schemas[schema_hash]

    def _ask(self, question: str, *values: object) -> list[Any]:
        try:
            return self._connection.execute(question, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise Retryable(f"{self._path}: the spool cannot be read now ({error}); try again") from error


@contextmanager
def open_view(path: Path) -> Generator[SpoolView, None, None]:
    """Look into the spool of an agent that runs or does not.

    Raises:
        ConfigError: there is none, it is not ours, or this user may not read it.
        Retryable: it cannot be read now.
    """
    if not path.exists():
        raise ConfigError(
            f"{path}: there is no spool; either the agent has never run, or this command does not see the"
            " environment and the working directory of the agent's service"
        )
    # Without a log nobody has it open, and a look must leave nothing behind that the agent could not write to.
    log = path.with_name(path.name + "-wal")
    is_alone = not log.exists()
    how = "immutable=1" if is_alone else "mode=ro"
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?{how}", uri=True, isolation_level=None, timeout=2.0)
    except sqlite3.OperationalError as error:
        raise ConfigError(f"{path}: {error}; run this as the user of the agent") from error
    try:
        problem = _problem(connection)
        if problem and is_alone and log.exists():
            problem = _STARTING
        if problem is _STARTING:
            raise Retryable(f"{path}: {problem}")
        if problem:
            raise ConfigError(f"{path}: {problem}")
        yield SpoolView(connection, path)
    finally:
        connection.close()


def _problem(connection: sqlite3.Connection) -> str:
    """Why it cannot be looked into; empty when it can."""
    try:
        ours = connection.execute("PRAGMA application_id").fetchone()[0] == spool_open.APPLICATION_ID
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except sqlite3.OperationalError as error:
        return f"{error}; run this as the user of the agent"
    except sqlite3.DatabaseError as error:
        return f"not a spool, or a damaged one ({error})"
    if not ours and not tables:
        return _STARTING
    return "" if ours and version == spool_open.FORMAT else f"not a spool of format {spool_open.FORMAT}"


def newest_key(source: str) -> str:
    """Under which key the newest source time of a source is remembered, as 8 octets."""
    return f"newest/{source}"


def agent_runs(path: Path) -> bool | None:
    """Whether an agent holds the spool; None when that cannot be seen."""
    try:
        descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # let go at once: an agent that starts asks repeatedly
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _source_ns(reading: Reading) -> int:
    return reading.source_ns
