"""Hop *sense*, replay: a CSV file, plain or gzip. In: a path and how far it was read. Out: rows; memory stays small.

A row is a line: a quote that is left open spoils its own line only.
"""

import csv
import gzip
import os
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, cast

from edge.sources.replay_recording import Mark, Row
from edge.sources.replay_settings import ReplaySettings
from twin.errors import Retryable

MOST_LINE = 1 << 20  # octets
_BLOCK = 1 << 20
_SETTLED_NS = 5_000_000_000  # a last line without its end is taken when nobody has written for so long
_BOM = b"\xef\xbb\xbf"
_CUT = (EOFError, zlib.error, gzip.BadGzipFile)


class CsvRecording:
    """One open file; see `Recording`."""

    def __init__(self, path: Path, settings: ReplaySettings, mark: Mark, now_ns: int) -> None:
        self._settings = settings
        self._raw = path.open("rb")
        self._packed = self._raw.read(2) == b"\x1f\x8b"
        self._raw.seek(0)
        self._stream = cast("IO[bytes]", gzip.GzipFile(fileobj=self._raw)) if self._packed else self._raw
        self._stat = os.fstat(self._raw.fileno())
        self._settled = now_ns - self._stat.st_mtime_ns >= _SETTLED_NS
        self._offset = self._check = self._line = 0
        self._ended = False
        try:
            self.changed: bool = bool(mark.offset) and not mark.is_of(self._stat) and not self._goes_on(mark)
            self._stream.seek(0)
            self.header: tuple[str, ...] = self._read_header()
            self._begin = Mark() if self.changed else mark
            if self._begin.offset:
                self._offset, self._check, self._line = self._begin.offset, self._begin.check, self._begin.line
                self._stream.seek(self._offset)
        except _CUT as error:
            self._raw.close()
            raise Retryable(f"the gzip file is cut off or damaged: {error}") from error
        except BaseException:
            self._raw.close()
            raise
        self._rows = self._begin.rows

    @property
    def mark(self) -> Mark:
        """See `Recording.mark`."""
        return replace(
            self._begin,
            offset=self._offset,
            line=self._line,
            rows=self._rows,
            check=self._check,
            size=self._stat.st_size,
            mtime_ns=self._stat.st_mtime_ns,
            ended=self._ended,
        )

    @property
    def fraction(self) -> float:
        """See `Recording.fraction`."""
        if self._ended or not self._stat.st_size:
            return 1.0
        return min(1.0, (self._raw.tell() if self._packed else self._offset) / self._stat.st_size)

    def close(self) -> None:
        """See `Recording.close`."""
        self._stream.close()
        self._raw.close()

    def rows(self) -> Iterator[Row]:
        """See `Recording.rows`."""
        while line := self._read():
            why = ""
            if not line.endswith(b"\n"):
                if len(line) == MOST_LINE:
                    self._skip_rest(line)
                    why = f"a line of more than {MOST_LINE:,} octets"
                elif not self._settled:
                    return
            if not why:
                self._take(line)
            self._line += 1
            if line.strip():
                self._rows += 1
                yield self._row(line, why)
        self._ended = True

    def _row(self, line: bytes, why: str) -> Row:
        if why:
            return Row((), line, why)
        try:
            cells = self._cells(line)
        except UnicodeDecodeError as error:
            return Row((), line, f"not {self._settings.encoding} text: {error.reason}")
        except csv.Error as error:
            return Row((), line, f"not a row of cells: {error}")
        width = len(self.header)
        if len(cells) < width or any(cells[width:]):
            return Row((), line, f"{len(cells)} cells where there are {width} columns")
        return Row(cells, line)

    def _cells(self, line: bytes) -> list[str]:
        text = line.decode(self._settings.encoding)
        return next(csv.reader((text,), delimiter=self._settings.separator, strict=True))

    def _read(self) -> bytes:
        try:
            return self._stream.readline(MOST_LINE)
        except _CUT as error:
            raise Retryable(f"the gzip file is cut off or damaged behind line {self._line}: {error}") from error

    def _skip_rest(self, piece: bytes) -> None:
        """Of a line that is too long, in pieces."""
        self._take(piece)
        while len(piece) == MOST_LINE and not piece.endswith(b"\n"):
            piece = self._read()
            self._take(piece)

    def _take(self, octets: bytes) -> None:
        self._offset += len(octets)
        self._check = zlib.crc32(octets, self._check)

    def _read_header(self) -> tuple[str, ...]:
        """The names of the columns; leaves the stream where the first row begins."""
        header = self._settings.columns
        for _ in range(self._settings.skip_lines):
            self._take(self._stream.readline(MOST_LINE))
        self._line = self._settings.skip_lines
        if header is not None:
            self._skip_mark()
            return header
        line = self._stream.readline(MOST_LINE)
        self._take(line)
        self._line += 1
        try:
            names = self._cells(line.removeprefix(_BOM)) if line.strip() else []
        except (UnicodeDecodeError, csv.Error) as error:
            raise Retryable(f"its header cannot be read: {error}") from error
        return tuple(name.strip() for name in names)

    def _skip_mark(self) -> None:
        """A byte order mark before the first row; further down it would be no mark."""
        if self._offset or self._stream.read(len(_BOM)) != _BOM:
            self._stream.seek(self._offset)
        else:
            self._take(_BOM)

    def _goes_on(self, mark: Mark) -> bool:
        """Whether what was read is still there as it was."""
        left, check = mark.offset, 0
        while left:
            block = self._stream.read(min(left, _BLOCK))
            if not block:
                return False
            left -= len(block)
            check = zlib.crc32(block, check)
        return check == mark.check
