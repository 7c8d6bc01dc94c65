"""PostgreSQL's binary formats from and to numpy columns, without a Python object per row.

In: sorted sample columns. Out: the bytes of a COPY … (FORMAT binary); and the arrays of a query as columns again.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

COPY_COLUMNS = "time, value, received_at, batch, signal, quality, server_at"
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
POSTGRES_EPOCH_US = 946_684_800_000_000  # 2000-01-01

_COLUMNS = (("time", 8), ("value", 8), ("received", 8), ("batch", 8), ("signal", 4), ("quality", 2), ("server", 8))
_ROW = np.dtype(
    [("fields", ">i2")]
    + [
        item
        for name, size in _COLUMNS
        for item in ((f"{name}_size", ">i4"), (name, ">f8" if name == "value" else f">i{size}"))
    ]
)
_ARRAY_HEAD = 20  # dimensions, has nulls, element type, length, lower bound


def encode_rows(
    time_us: NDArray[np.int64],
    value: NDArray[np.float64],
    received_us: NDArray[np.int64],
    batch: NDArray[np.int64],
    signal: NDArray[np.int32],
    quality: NDArray[np.uint8],
    server_us: NDArray[np.int64],
) -> memoryview:
    """The rows in the order of COPY_COLUMNS, without header and trailer; a server time of 0 becomes null."""
    rows = np.empty(len(time_us), _ROW)
    rows["fields"] = len(_COLUMNS)
    for name, size in _COLUMNS:
        rows[f"{name}_size"] = size
    rows["time"] = time_us - POSTGRES_EPOCH_US
    rows["value"] = value
    rows["received"] = received_us - POSTGRES_EPOCH_US
    rows["batch"] = batch
    rows["signal"] = signal
    rows["quality"] = quality
    rows["server"] = server_us - POSTGRES_EPOCH_US
    absent = server_us == 0
    if not absent.any():
        return rows.view(np.uint8).data
    rows["server_size"][absent] = -1
    if absent.all():
        return np.ascontiguousarray(_bytes(rows)[:, :-8]).reshape(-1).data
    keep = np.ones((len(rows), _ROW.itemsize), np.bool_)
    keep[absent, -8:] = False
    return _bytes(rows)[keep].data


def _bytes(rows: NDArray[Any]) -> NDArray[np.uint8]:
    return rows.view(np.uint8).reshape(len(rows), _ROW.itemsize)


def int_array(sent: bytes | None, size: int) -> NDArray[np.int64]:
    """``array_send(int[])`` without nulls as numbers; `size` is the bytes of an element."""
    return _elements(sent, np.dtype([("size", ">i4"), ("item", f">i{size}")])).astype(np.int64)


def float_array(sent: bytes | None) -> NDArray[np.float64]:
    """``array_send(float8[])`` without nulls."""
    return _elements(sent, np.dtype([("size", ">i4"), ("item", ">f8")])).astype(np.float64)


def time_array(sent: bytes | None) -> NDArray[np.int64]:
    """``array_send(timestamptz[])`` without nulls, as ns UTC."""
    time = int_array(sent, 8)
    time += POSTGRES_EPOCH_US
    time *= 1000
    return time


def _elements(sent: bytes | None, element: np.dtype[Any]) -> NDArray[Any]:
    if sent is None:
        return np.empty(0, element)["item"]
    return np.frombuffer(sent, element, offset=_ARRAY_HEAD)["item"]
