"""Hops *send* and *receive*: one batch of one node ⇄ one MQTT payload.

In: readings and gaps of the spool. Out: bytes; and back: `WireColumns`, the typed columns still in their planes, or
`Rejected`. A payload is a header that is never compressed, with its own checksum, and one zstd frame with a checksum:

    header   magic "FQ", format version, lane, epoch, number, schema hash, counts, creation time, node, CRC-32
    body     numeric rows (handle, server present, source, server, received, quality, value),
             text rows (the same, then text lengths and UTF-8), gaps (JSON)

Rows are sorted by handle, each signal's in the order of arrival. Byte order is little-endian. Times are exact to the
nanosecond except `received_ns`, which is floored to the microsecond.
"""

import json
import struct
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from operator import itemgetter
from typing import Any

import zstandard

from twin.errors import Rejected
from twin.wire.columns import ColumnReader, FloatColumn, IntColumn, put_ascending, put_floats, put_integers
from twin.wire.reading import Gap, GapCause, GapState, Lane, Reading
from twin.wire.topic import NODE_NAME

if sys.byteorder != "little":  # the planes are cut from native words
    raise ImportError("the wire format is little-endian; this machine is not")

MAGIC = b"FQ"
FORMAT = 1
MOST_READINGS = 1 << 20  # per batch, numbers and texts together
MOST_GAPS = 1 << 16
MOST_NUMBER = 1 << 62
MOST_HANDLE = (1 << 31) - 1
MOST_BODY_BYTES = 32 << 20  # before compression
COMPRESSION_LEVEL = 3
_HEADER = struct.Struct("<2sBB16sQ8sIIIqB")
_CRC = struct.Struct("<I")
_LANE_AT = 3
_LENGTH = struct.Struct("<I")
_handle = itemgetter(0)


@dataclass(frozen=True, slots=True)
class BatchHeader:
    """What stands uncompressed before every batch."""

    node: str
    epoch: str  # 32 hex digits
    number: int  # from 1; 0 = not numbered
    lane: Lane
    schema_hash: str  # 16 hex digits
    numbers: int  # rows whose value is a number
    texts: int  # rows whose value is a text
    gaps: int
    created_ns: int
    body_at: int  # where the zstd frame begins


@dataclass(frozen=True, slots=True)
class RowColumns:
    """The columns that numeric and text rows share; all times in ns."""

    handle: IntColumn
    source: IntColumn
    server_present: memoryview  # one octet per row, 0 or 1
    server: IntColumn  # one row per 1 in `server_present`; may be relative to the source times of these rows
    received: IntColumn  # may be relative to `source`
    quality: memoryview  # one octet per row


@dataclass(frozen=True, slots=True)
class WireColumns:
    """One decoded batch: its header and its columns, nothing copied out of the decompressed body."""

    header: BatchHeader
    numbers: RowColumns
    values: FloatColumn
    texts: RowColumns
    text: tuple[str, ...]
    gaps: tuple[Gap, ...]

    def readings(self) -> list[Reading]:
        """The readings one by one, numbers first: for tools and tests; ingest reads the columns."""
        return _rows(self.numbers, self.values.values()) + _rows(self.texts, self.text)


def encode(
    readings: Sequence[Reading],
    gaps: Sequence[Gap],
    *,
    node: str,
    epoch: str,
    number: int,
    lane: Lane,
    schema_hash: str,
    created_ns: int,
) -> bytes:
    """One payload.

    Raises:
        Rejected: more than `MOST_READINGS`, `MOST_GAPS` or `MOST_BODY_BYTES`, or a number beyond its column (times are
            int64, handles 31 bits, qualities one octet).
    """
    ordered = sorted(readings, key=_handle)
    columns, textual = tuple(zip(*ordered, strict=True)), list[Reading]()
    if ordered and str in set(map(type, columns[2])):
        columns = tuple(zip(*(reading for reading in ordered if not isinstance(reading.value, str)), strict=True))
        textual = [reading for reading in ordered if isinstance(reading.value, str)]
    if ordered and not 0 <= ordered[0].handle <= ordered[-1].handle <= MOST_HANDLE:
        raise Rejected("out-of-range", f"handles {ordered[0].handle} to {ordered[-1].handle} do not fit")
    named = sum(len(gap.handles) for gap in gaps)
    if len(ordered) > MOST_READINGS or len(gaps) > MOST_GAPS or named > MOST_READINGS:
        raise Rejected("too-large", f"{len(ordered)} readings and {len(gaps)} gaps do not fit into one batch")
    try:
        body = b"".join([*_put_numbers(columns), *_put_texts(textual), _put_gaps(gaps)])
    except (OverflowError, ValueError) as error:
        raise Rejected("out-of-range", f"a time or quality does not fit its column: {error}") from error
    if len(body) > MOST_BODY_BYTES:
        raise Rejected("too-large", f"a body of {len(body)} bytes does not fit into one batch")
    name = node.encode("ascii")
    try:
        head = _HEADER.pack(
            MAGIC, FORMAT, lane, bytes.fromhex(epoch), number, bytes.fromhex(schema_hash),
            len(ordered) - len(textual), len(textual), len(gaps), created_ns, len(name),
        )  # fmt: skip
    except struct.error as error:
        raise Rejected("out-of-range", f"batch {number} made at {created_ns} ns has no header: {error}") from error
    compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL, write_checksum=True)
    return head + name + _crc(head + name) + compressor.compress(body)


def with_lane(payload: bytes, lane: Lane) -> bytes:
    """The same batch in the other lane; the checksum leaves the lane out."""
    return payload[:_LANE_AT] + bytes([lane]) + payload[_LANE_AT + 1 :]


def read_header(payload: bytes) -> BatchHeader:
    """The header alone, cheap.

    Raises:
        Rejected: 'malformed' when it is not one of ours or was damaged.
    """
    if len(payload) < _HEADER.size:
        raise Rejected("malformed", f"{len(payload)} bytes are too few for a batch header")
    magic, version, lane, epoch, number, schema, numbers, texts, gaps, created_ns, length = _HEADER.unpack_from(payload)
    if magic != MAGIC or version != FORMAT:
        raise Rejected("malformed", f"not a batch of format {FORMAT}: it begins with {payload[:3]!r}")
    end = _HEADER.size + length
    if payload[end : end + _CRC.size] != _crc(payload[:end]):
        raise Rejected("malformed", "the batch header's checksum is wrong")
    name = payload[_HEADER.size : end].decode("ascii", errors="replace")
    if not NODE_NAME.fullmatch(name) or lane not in (Lane.LIVE, Lane.HISTORY):
        raise Rejected("malformed", f"the batch header names node {name!r} and lane {lane}")
    if numbers + texts > MOST_READINGS or gaps > MOST_GAPS or number > MOST_NUMBER:
        raise Rejected("malformed", f"batch {number} with {numbers + texts} readings and {gaps} gaps is not allowed")
    return BatchHeader(
        name, epoch.hex(), number, Lane(lane), schema.hex(), numbers, texts, gaps, created_ns, end + _CRC.size
    )


def is_whole(payload: bytes) -> bool:
    """Whether both checksums of a payload are right; costs its decompression."""
    try:
        _decompress(memoryview(payload)[read_header(payload).body_at :])
    except Rejected:
        return False
    return True


def decode(payload: bytes) -> WireColumns:
    """The columns of a payload, in bounded memory whatever it holds.

    Raises:
        Rejected: 'malformed'.
    """
    header = read_header(payload)
    reader = ColumnReader(memoryview(_decompress(memoryview(payload)[header.body_at :])))
    numbers, values = _take_rows(reader, header.numbers), reader.floats(header.numbers)
    texts = _take_rows(reader, header.texts)
    text = _take_texts(reader, header.texts)
    gaps = _take_gaps(bytes(reader.take(_LENGTH.unpack(reader.take(_LENGTH.size))[0])), header.gaps)
    reader.finish()
    return WireColumns(header, numbers, values, texts, text, gaps)


def _crc(head: bytes) -> bytes:
    return _CRC.pack(zlib.crc32(head[_LANE_AT + 1 :], zlib.crc32(head[:_LANE_AT])))


def _decompress(frame: memoryview) -> bytes:
    try:
        size = zstandard.frame_content_size(frame)
        if not 0 <= size <= MOST_BODY_BYTES:
            raise Rejected("malformed", f"a body of {size} bytes is not allowed")
        decompressor = zstandard.ZstdDecompressor(max_window_size=MOST_BODY_BYTES)
        return decompressor.decompress(frame, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Rejected("malformed", f"the body cannot be decompressed: {error}") from error


def _put_numbers(columns: tuple[tuple[Any, ...], ...]) -> list[bytes]:
    if not columns:
        return [put_integers(())] * 4 + [put_floats(())]
    return [*_put_columns(columns), put_floats(columns[2], grouped=_grouped(columns[0]))]


def _put_texts(rows: list[Reading]) -> list[bytes]:
    if not rows:
        return [put_integers(())] * 5
    columns = tuple(zip(*rows, strict=True))
    texts = [text.encode("utf-8", errors="surrogatepass") for text in columns[2]]
    return [*_put_columns(columns), put_integers([len(text) for text in texts]), *texts]


def _put_columns(columns: tuple[tuple[Any, ...], ...]) -> list[bytes]:
    handles, sources, _, qualities, servers, received = columns
    present, stamped, references = b"\1" * len(handles), servers, sources
    if 0 in servers:
        present = bytes(map(bool, servers))
        stamped, references = tuple(compress(servers, present)), tuple(compress(sources, present))
    return [
        put_ascending(handles),
        put_integers(sources, grouped=_grouped(handles)),
        present,
        put_integers(stamped, reference=references),
        put_integers(_whole_us(received), reference=sources),
        bytes(qualities),
    ]


def _whole_us(times: tuple[int, ...]) -> Sequence[int]:
    first = times[0]
    if times[-1] == first and times.count(first) == len(times):  # one message brought them all
        return (first - first % 1000,) * len(times)
    return [at - at % 1000 for at in times]


def _grouped(handles: Sequence[int]) -> bool:
    """True when a signal has several rows, judged from the middle of the sorted column."""
    middle = len(handles) // 2
    return handles[middle] == handles[min(middle + 2, len(handles) - 1)]


def _take_rows(reader: ColumnReader, count: int) -> RowColumns:
    handle, source = reader.integers(count), reader.integers(count)
    present = reader.octets(count, most=1)
    server = reader.integers(sum(present), referenced=True)
    return RowColumns(handle, source, present, server, reader.integers(count, referenced=True), reader.octets(count))


def _take_texts(reader: ColumnReader, count: int) -> tuple[str, ...]:
    try:
        return tuple(
            str(reader.take(_length(length)), "utf-8", "surrogatepass") for length in reader.integers(count).values()
        )
    except UnicodeDecodeError as error:
        raise Rejected("malformed", f"a text is not UTF-8: {error}") from error


def _length(length: int) -> int:
    if length < 0:
        raise Rejected("malformed", "a text has a negative length")
    return length


def _put_gaps(gaps: Sequence[Gap]) -> bytes:
    document = [[list(gap.handles), *gap[1:]] for gap in gaps]
    data = json.dumps(document, separators=(",", ":")).encode("ascii")
    return _LENGTH.pack(len(data)) + data


def _take_gaps(data: bytes, count: int) -> tuple[Gap, ...]:
    try:
        document: Any = json.loads(data)
        gaps = tuple(_gap(*entry) for entry in document)
        if sum(len(gap.handles) for gap in gaps) > MOST_READINGS:
            raise ValueError("they name too many signals")
    except (ValueError, TypeError, RecursionError) as error:
        raise Rejected("malformed", f"the gaps cannot be read: {error}") from error
    if len(gaps) != count:
        raise Rejected("malformed", f"{len(gaps)} gaps where the header counts {count}")
    return gaps


def _gap(handles: list[object], from_ns: object, to_ns: object, cause: str, detail: object, state: str = "lost") -> Gap:
    """The entries of older agents have no state."""
    if not isinstance(detail, str):
        raise TypeError("the detail must be a text")
    return Gap(tuple(map(_int64, handles)), _int64(from_ns), _int64(to_ns), GapCause(cause), detail, GapState(state))


def _int64(number: object) -> int:
    if type(number) is not int or not -(1 << 63) <= number < 1 << 63:
        raise TypeError("handles and times must be whole numbers of 64 bits")
    return number


def _rows(columns: RowColumns, values: Sequence[float] | Sequence[str]) -> list[Reading]:
    source = columns.source.values()
    present = columns.server_present
    stamped = iter(columns.server.values(tuple(compress(source, present))))
    server = [next(stamped) if there else 0 for there in present]
    received = columns.received.values(source)
    rows = zip(columns.handle.values(), source, values, columns.quality, server, received, strict=True)
    return [Reading(*row) for row in rows]
