"""Hop *sense*, replay: a Parquet file, where pyarrow is installed. In: a path and how far it was read. Out: rows.

The edge's one door to pyarrow. One row group's batch of rows is in memory at a time.
"""

import os
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge.sources.replay_recording import Mark, Row
from twin.errors import ConfigError, Retryable

_AT_ONCE = 2_000  # rows
_FOOTER = 1 << 16  # octets at the end that tell one file from another


class ParquetRecording:
    """One open file; see `Recording`."""

    def __init__(self, path: Path, mark: Mark) -> None:
        try:
            import pyarrow
            from pyarrow.parquet import ParquetFile
        except ImportError as error:
            message = (
                f"{path}: reading Parquet needs pyarrow; install it beside the agent (pip install pyarrow) or give CSV"
            )
            raise ConfigError(message) from error
        self._pa: Any = pyarrow  # it has no types
        stat = path.stat()
        check = _footer_check(path, stat.st_size)
        self.changed: bool = bool(mark.offset) and not (mark.is_of(stat) or mark.check == check)
        kept = Mark() if self.changed else mark
        self._mark = replace(kept, check=check, size=stat.st_size, mtime_ns=stat.st_mtime_ns, ended=False)
        try:
            self._file: Any = ParquetFile(path)
        except self._pa.ArrowInvalid as error:
            raise Retryable(f"not a whole Parquet file: {error}") from error
        self.header: tuple[str, ...] = tuple(self._file.schema_arrow.names)
        self._count: int = self._file.metadata.num_rows

    @property
    def mark(self) -> Mark:
        """See `Recording.mark`."""
        return self._mark

    @property
    def fraction(self) -> float:
        """See `Recording.fraction`."""
        return self._mark.offset / self._count if self._count else 1.0

    def close(self) -> None:
        """See `Recording.close`."""
        self._file.close()

    def rows(self) -> Iterator[Row]:
        """See `Recording.rows`."""
        first, groups = self._left()
        try:
            for batch in self._file.iter_batches(batch_size=_AT_ONCE, row_groups=groups):
                if first + batch.num_rows <= self._mark.offset:
                    first += batch.num_rows
                    continue
                columns = [self._plain(column) for column in batch.slice(self._mark.offset - first).columns]
                first += batch.num_rows
                for cells in zip(*columns, strict=True):
                    mark = self._mark
                    self._mark = replace(mark, offset=mark.offset + 1, line=mark.line + 1, rows=mark.rows + 1)
                    yield Row(cells, b"")
        except (self._pa.ArrowInvalid, OSError) as error:
            raise Retryable(f"damaged behind row {self._mark.offset}: {error}") from error
        self._mark = replace(self._mark, ended=True)

    def _left(self) -> tuple[int, list[int]]:
        """The row groups that are not read yet, and the first of their rows."""
        first = 0
        for group in range(self._file.num_row_groups):
            count = self._file.metadata.row_group(group).num_rows
            if first + count > self._mark.offset:
                return first, list(range(group, self._file.num_row_groups))
            first += count
        return first, []

    def _plain(self, column: Any) -> list[object]:  # noqa: ANN401 - a pyarrow array
        """As numbers, texts and truth values; times as ISO text, which keeps nanoseconds."""
        types = self._pa.types
        if types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if types.is_date(column.type):
            column = column.cast(self._pa.timestamp("ms"))
        if types.is_timestamp(column.type):
            column = column.cast(self._pa.string())
        elif types.is_decimal(column.type):
            column = column.cast(self._pa.float64())
        return column.to_pylist()


def _footer_check(path: Path, size: int) -> int:
    with path.open("rb") as file:
        file.seek(-min(size, _FOOTER), os.SEEK_END)
        return zlib.crc32(file.read())
