"""The rows of one transaction: many admitted batches as one sorted block, and back into batches.

In: batches with their seq. Out: columns sorted by (signal, time) without doubles, ready for COPY. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from twin.samples import SampleBatch, TextColumns
from twin.store.binary import encode_rows

Column = TypeVar("Column", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of equal length; times in µs since 1970, a server time of 0 means none."""

    signal: NDArray[np.int32]
    time_us: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    server_us: NDArray[np.int64]
    received_us: NDArray[np.int64]
    batch: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.signal)

    def take(self, which: NDArray[np.intp] | NDArray[np.bool_] | slice) -> "Rows":
        """The chosen rows in the chosen order."""
        return Rows(
            self.signal[which],
            self.time_us[which],
            self.value[which],
            self.quality[which],
            self.server_us[which],
            self.received_us[which],
            self.batch[which],
        )

    def encode(self) -> memoryview:
        """For COPY."""
        return encode_rows(
            self.time_us, self.value, self.received_us, self.batch, self.signal, self.quality, self.server_us
        )


def collect(batches: Sequence[tuple[int, SampleBatch]]) -> Rows:
    """All rows, sorted by (signal, time); where two batches have the same key, the earlier batch keeps it."""
    of = [batch for _, batch in batches]
    rows = Rows(
        _join([batch.signal for batch in of]),
        _join([batch.time for batch in of]) // 1000,
        _join([batch.value for batch in of]),
        _join([batch.quality for batch in of]),
        _join([batch.server for batch in of]) // 1000,
        _join([batch.received for batch in of]) // 1000,
        np.repeat(np.array([seq for seq, _ in batches], np.int64), [len(batch) for batch in of]),
    )
    if not _ascending(rows):
        rows = rows.take(np.lexsort((rows.time_us, rows.signal)))  # stable: the earlier batch comes first
        rows = rows.take(_first_of_key(rows))
    return rows


def divide(rows: Rows, batches: Sequence[tuple[int, SampleBatch]]) -> list[SampleBatch]:
    """Each batch with the rows that are its own; every time is floored to the µs, as the store gives it back."""
    if len(batches) > 1:
        rows = rows.take(np.argsort(rows.batch, kind="stable"))
    seqs = [seq for seq, _ in batches]
    starts = np.searchsorted(rows.batch, seqs, "left").tolist()
    ends = np.searchsorted(rows.batch, seqs, "right").tolist()
    return [
        with_rows(batch, rows.take(slice(start, end)))
        for (_, batch), start, end in zip(batches, starts, ends, strict=True)
    ]


def with_rows(batch: SampleBatch, rows: Rows) -> SampleBatch:
    """The same batch with other rows."""
    return replace(
        batch,
        signal=rows.signal,
        time=rows.time_us * 1000,
        value=rows.value,
        quality=rows.quality,
        server=rows.server_us * 1000,
        received=rows.received_us * 1000,
    )


def has_key(rows: Rows, signal: NDArray[np.int64], time_us: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows have one of these keys; every key must be a row's, the rows have no doubles."""
    order = np.lexsort((np.concatenate([rows.time_us, time_us]), np.concatenate([rows.signal, signal])))
    key_follows = order[1:] >= len(rows)  # the sort is stable: a row's key stands right behind it
    found = np.zeros(len(rows), np.bool_)
    found[order[:-1][key_follows]] = True
    return found


def no_texts() -> TextColumns:
    """Zero texts."""
    return TextColumns(
        np.empty(0, np.int32),
        np.empty(0, np.int64),
        (),
        np.empty(0, np.uint8),
        np.empty(0, np.int64),
        np.empty(0, np.int64),
    )


def emptied(batch: SampleBatch) -> SampleBatch:
    """The same batch without any row."""
    none = np.empty(0, np.int64)
    rows = Rows(np.empty(0, np.int32), none, np.empty(0, np.float64), np.empty(0, np.uint8), none, none, none)
    return replace(with_rows(batch, rows), texts=no_texts())


def _join(columns: Sequence[NDArray[Column]]) -> NDArray[Column]:
    return columns[0] if len(columns) == 1 else np.concatenate(columns)


def _ascending(rows: Rows) -> bool:
    same = rows.signal[1:] == rows.signal[:-1]
    later = rows.time_us[1:] > rows.time_us[:-1]
    return bool(np.all((rows.signal[1:] > rows.signal[:-1]) | (same & later)))


def _first_of_key(rows: Rows) -> NDArray[np.bool_]:
    first = np.ones(len(rows), np.bool_)
    first[1:] = (rows.signal[1:] != rows.signal[:-1]) | (rows.time_us[1:] != rows.time_us[:-1])
    return first
