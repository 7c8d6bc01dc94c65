"""Hop *sense*, replay: one file in chunks. In: an open recording and the columns' meaning. Out: rows with their values.

Blocks for the disk: use it in a thread.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from edge.dead_letters import MOST_EXCERPT, DeadLetter
from edge.sources.replay_recording import Mark, Row, open_recording
from edge.sources.replay_settings import ReplaySettings
from edge.sources.replay_table import Named, Table
from twin.errors import Rejected, Retryable

MOST_VALUES = 5_000  # of one chunk, but for its last row
MOST_ROWS = 5_000
_MOST_LETTERS = 200  # of one chunk; the rest is only counted


class Recorded(NamedTuple):
    """One row that has a time."""

    named: Named
    mark: Mark | None = None  # behind it, where asked for
    fraction: float = 0.0  # of the file up to it, likewise


@dataclass(slots=True)
class Chunk:
    """Some rows of a file."""

    rows: list[Recorded] = field(default_factory=list[Recorded])
    letters: list[DeadLetter] = field(default_factory=list[DeadLetter])
    mark: Mark = field(default_factory=Mark)  # behind all of them
    fraction: float = 0.0
    more: bool = True
    problem: str = ""  # why the file cannot be read further now; it may still be written


class FileReader:
    """One file, from where it was left.

    Args:
        believed: whether a time can be one of this recording.
        marks: with every row how far the file is read, because rows are kept one by one.
    """

    def __init__(
        self,
        path: Path,
        settings: ReplaySettings,
        handles: Mapping[str, int],
        mark: Mark,
        *,
        believed: Callable[[int, int], bool],
        marks: bool,
        clock: Callable[[], int],
    ) -> None:
        self._path = path
        self._believed = believed
        self._marks = marks
        self._clock = clock
        self._recording = open_recording(path, settings, mark, clock())
        self.changed: bool = self._recording.changed
        self._rejected = 0 if self.changed else mark.rejected
        try:
            self.table = Table(settings, handles, self._recording.header, path)
        except BaseException:
            self._recording.close()
            raise
        self._rows: Iterator[Row] = self._recording.rows()

    def close(self) -> None:
        """Let the file go."""
        self._recording.close()

    def chunk(self) -> Chunk:
        """The next rows."""
        chunk = Chunk()
        values = count = 0
        while values < MOST_VALUES and count < MOST_ROWS:
            try:
                row = next(self._rows, None)
            except Retryable as error:
                row, chunk.problem = None, str(error)
            if row is None:
                chunk.more = False
                break
            count += 1
            named = self._named(row, chunk)
            if named is not None and named.values:
                values += len(named.values)
                chunk.rows.append(
                    Recorded(named, self._mark(), self._recording.fraction) if self._marks else Recorded(named)
                )
        chunk.mark = self._mark()
        chunk.fraction = self._recording.fraction
        return chunk

    def _mark(self) -> Mark:
        return replace(self._recording.mark, rejected=self._rejected)

    def _named(self, row: Row, chunk: Chunk) -> Named | None:
        try:
            if row.why:
                raise Rejected("malformed", row.why)
            named = self.table.read(row.cells)
            if not self._believed(named.time_ns, self._clock()):
                raise Rejected("out-of-time", "its time lies before 2000 or more than a day ahead; is it shifted?")
        except Rejected as error:
            self._refuse(row, error, chunk)
            return None
        for error in named.rejected:
            self._refuse(row, error, chunk)
        return named

    def _refuse(self, row: Row, error: Rejected, chunk: Chunk) -> None:
        self._rejected += 1
        if len(chunk.letters) < _MOST_LETTERS:
            line = self._recording.mark.line
            raw = row.raw or repr(row.cells).encode(errors="backslashreplace")
            where = f"{self._path}:{line}"
            chunk.letters.append(
                DeadLetter(self._clock(), error.reason, f"{where}: {error}", where, raw[:MOST_EXCERPT])
            )
