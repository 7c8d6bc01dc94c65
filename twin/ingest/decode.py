"""Hop *receive*, the pure part: `WireColumns` → arrays, without an object per sample.

In: the coded columns of one payload. Out: `Received`, whose batch still holds the node's handles and whose times are as
the edge wrote them; or `Rejected`. Pure.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.errors import Rejected
from twin.samples import SampleBatch, TextColumns
from twin.wire import batch as wire
from twin.wire.columns import Coding, FloatColumn, IntColumn
from twin.wire.reading import Gap

Int64s = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Received:
    """One decoded payload before anybody has looked at what its handles mean."""

    batch: SampleBatch  # `signal` holds handles
    gaps: tuple[Gap, ...]
    schema_hash: str
    created_ns: int


def decode(payload: bytes) -> Received:
    """A payload as arrays.

    Raises:
        Rejected: 'malformed'.
    """
    columns = wire.decode(payload)
    header = columns.header
    handle, source, server, received, quality = _rows(columns.numbers)
    batch = SampleBatch(
        node=header.node,
        epoch=header.epoch,
        number=header.number,
        lane=header.lane,
        signal=handle,
        time=source,
        value=_floats(columns.values, header.numbers),
        quality=quality,
        server=server,
        received=received,
        texts=_texts(columns),
    )
    return Received(batch, columns.gaps, header.schema_hash, header.created_ns)


def _texts(columns: wire.WireColumns) -> TextColumns:
    handle, source, server, received, quality = _rows(columns.texts)
    return TextColumns(handle, source, columns.text, quality, server, received)


def _rows(rows: wire.RowColumns) -> tuple[NDArray[np.int32], Int64s, Int64s, Int64s, NDArray[np.uint8]]:
    handle, source = _integers(rows.handle), _integers(rows.source)
    if len(handle) and not 0 <= int(handle.min()) <= int(handle.max()) <= wire.MOST_HANDLE:
        raise Rejected("malformed", "a handle lies outside 0 … 2^31-1")
    present = np.frombuffer(rows.server_present, np.bool_)
    if rows.server.count == len(source):
        server = _integers(rows.server, source)
    else:
        server = np.zeros(len(source), np.int64)
        server[present] = _integers(rows.server, source[present])
    received = _integers(rows.received, source)
    return handle.astype(np.int32), source, server, received, np.frombuffer(rows.quality, np.uint8)


def _integers(column: IntColumn, reference: Int64s | None = None) -> Int64s:
    """The arithmetic is modulo 2^64, as arrays of uint64 do it."""
    found = _ticks(column)
    if column.unit != 1:
        found = found * np.uint64(column.unit)
    if column.base:
        found = found + np.uint64(column.base)
    if column.relative and reference is not None:
        found = found + reference.view(np.uint64)
    return found.view(np.int64)


def _ticks(column: IntColumn) -> NDArray[np.uint64]:
    if column.coding is Coding.CONSTANT:
        return np.zeros(column.count, np.uint64)
    if column.coding is Coding.TABLE:
        index = np.frombuffer(column.planes, np.uint8)
        if column.count and int(index.max()) >= len(column.table):
            raise Rejected("malformed", "a column points outside its table")
        return np.array(column.table, np.uint64)[index]
    raw = _unshuffle(column.planes, column.width, column.count)
    if column.coding is Coding.STEPS:
        return np.cumsum(raw + np.uint64(column.table[0]), dtype=np.uint64)
    return raw


def _floats(column: FloatColumn, count: int) -> NDArray[np.float64]:
    if column.integers is None:
        return _unshuffle(column.raw, 8, count).view(np.float64)
    found = _integers(column.integers) / np.float64(10.0**column.exponent)
    if column.positions.count:
        positions = _integers(column.positions)
        if not 0 <= int(positions.min()) <= int(positions.max()) < count:
            raise Rejected("malformed", "an exception stands outside its column")
        found[positions] = _unshuffle(column.exceptions, 8, column.positions.count).view(np.float64)
    return found


def _unshuffle(planes: memoryview, width: int, count: int) -> NDArray[np.uint64]:
    words = np.zeros((count, 8), np.uint8)
    words[:, :width] = np.frombuffer(planes, np.uint8).reshape(width, count).T
    return words.view(np.uint64).reshape(count)
