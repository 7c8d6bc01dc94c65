"""Columns → bytes: JSON columns, CSV rows, Arrow IPC streams, Parquet.

In: chunks of one signal. Out: the pieces of a response body. Times are UTC with microseconds everywhere.
"""

import csv
import io
from typing import Any, cast

import numpy as np
import orjson
import pyarrow
import pyarrow.csv  # pyright: ignore[reportUnusedImport] – attributes of pyarrow from here on
import pyarrow.parquet  # pyright: ignore[reportUnusedImport]
from numpy.typing import NDArray

from api.series import Chunk, bin_quality
from twin.store.rollups import Bins

pa = cast("Any", pyarrow)  # it has no types


def json_columns(head: dict[str, Any], chunk: Chunk, tail: dict[str, Any]) -> bytes:
    """One JSON object: the head, the columns, the tail."""
    columns: dict[str, Any] = {
        "reduced": chunk.reduced,
        "bin_s": None,
        "rows": len(chunk),
        "time_ms": (chunk.time // 1_000) / 1e3,  # exact to the microsecond
        "value": chunk.text if chunk.number is None else np.ascontiguousarray(chunk.number),
        "quality": np.ascontiguousarray(chunk.quality),
    }
    return orjson.dumps({**head, **columns, **tail}, option=orjson.OPT_SERIALIZE_NUMPY)


def json_bins(head: dict[str, Any], bins: Bins, tail: dict[str, Any]) -> bytes:
    """The same for roll-ups, with a few columns more."""
    columns: dict[str, Any] = {
        "reduced": True,
        "bin_s": bins.width_s,
        "rows": len(bins),
        "time_ms": (bins.time // 1_000) / 1e3,
        "value": bins.mean,
        "quality": bin_quality(bins),
        "low": bins.low,
        "high": bins.high,
        "samples": bins.samples,
        "covered_s": bins.covered_s,
    }
    return orjson.dumps({**head, **columns, **tail}, option=orjson.OPT_SERIALIZE_NUMPY)


def bins_table(bins: Bins) -> Any:  # noqa: ANN401 – a pyarrow table
    """Roll-ups as an Arrow table; what is not known is null."""
    return pa.table(
        {
            "time": pa.array(bins.time // 1_000).cast(pa.timestamp("us", "UTC")),
            "value": pa.array(bins.mean, from_pandas=True),
            "quality": pa.array(bin_quality(bins)),
            "low": pa.array(bins.low, from_pandas=True),
            "high": pa.array(bins.high, from_pandas=True),
            "samples": pa.array(bins.samples),
            "covered_s": pa.array(bins.covered_s),
        }
    )


def chunk_table(chunk: Chunk) -> Any:  # noqa: ANN401 – a pyarrow table
    """The columns of a chunk that is small enough for a table."""
    return pa.table({"time": _times(chunk), "value": _values(chunk), "quality": _column(pa.uint8(), chunk.quality)})


class CsvEncoder:
    """``time,value,quality`` with RFC 3339 times; a header line first. Only texts are quoted, and only when needed."""

    def begin(self) -> bytes:
        """The header line."""
        return b"time,value,quality\n"

    def encode(self, chunk: Chunk) -> bytes:
        """The lines of one chunk."""
        times = _rfc3339(chunk.time)
        if chunk.number is None:
            lines = io.StringIO()
            csv.writer(lines, lineterminator="\n").writerows(zip(times, chunk.text or (), chunk.quality, strict=True))
            return lines.getvalue().encode()
        batch = pa.record_batch([pa.array(times), pa.array(chunk.number), pa.array(chunk.quality)], list("tvq"))
        sink = pa.BufferOutputStream()
        pa.csv.write_csv(batch, sink, pa.csv.WriteOptions(include_header=False, quoting_style="none"))
        return sink.getvalue().to_pybytes()

    def end(self) -> bytes:
        """Nothing."""
        return b""


class ArrowEncoder:
    """An Arrow IPC stream: time timestamp[us, UTC], value float64 or utf8, quality uint8."""

    def __init__(self, *, textual: bool, metadata: dict[str, str]) -> None:
        value = pa.string() if textual else pa.float64()
        fields = [
            pa.field("time", pa.timestamp("us", "UTC"), nullable=False),
            pa.field("value", value),
            pa.field("quality", pa.uint8(), nullable=False),
        ]
        self._schema: Any = pa.schema(fields, metadata)
        self._sink: _Pieces = _Pieces()
        self._writer: Any = self._open()

    def _open(self) -> Any:  # noqa: ANN401 – a pyarrow writer
        return pa.ipc.new_stream(self._sink, self._schema)

    def begin(self) -> bytes:
        """The schema."""
        return self._sink.take()

    def encode(self, chunk: Chunk) -> bytes:
        """One record batch."""
        columns = [_times(chunk), _values(chunk), _column(pa.uint8(), chunk.quality)]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        return self._sink.take()

    def end(self) -> bytes:
        """The end of the stream; without it a reader knows that it was cut."""
        self._writer.close()
        return self._sink.take()


class ParquetEncoder(ArrowEncoder):
    """The same columns as Parquet: one row group per chunk, the footer last."""

    def _open(self) -> Any:  # noqa: ANN401 – a pyarrow writer
        return pa.parquet.ParquetWriter(pa.PythonFile(self._sink, "w"), self._schema, compression="zstd")


class _Pieces:
    """A file that gives away what was written to it."""

    closed: bool = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._written: int = 0

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        self._written += len(self._pieces[-1])
        return len(self._pieces[-1])

    def tell(self) -> int:
        return self._written

    def close(self) -> None:
        pass

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def _times(chunk: Chunk) -> Any:  # noqa: ANN401 – a pyarrow array
    return _column(pa.timestamp("us", "UTC"), chunk.time // 1_000)


def _values(chunk: Chunk) -> Any:  # noqa: ANN401 – a pyarrow array
    return pa.array(chunk.text, pa.string()) if chunk.number is None else _column(pa.float64(), chunk.number)


def _column(kind: Any, values: NDArray[Any]) -> Any:  # noqa: ANN401 – pyarrow's
    """An Arrow array over the same memory; `pa.array` would import pandas to see whether it is a pandas object."""
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])


def _rfc3339(time: NDArray[np.int64]) -> NDArray[np.str_]:
    return np.char.add(np.datetime_as_string((time // 1_000).astype("datetime64[us]")), "Z")
