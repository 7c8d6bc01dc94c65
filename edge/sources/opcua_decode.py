"""PublishResponse bytes → readings, with precompiled struct layouts.

In: bytes and a place in them. Out: `Publication`. Numbers, booleans and strings are decoded here; arrays and
rarer types by asyncua's decoder, one Variant at a time. Items of one layout are decoded together, column by column.
"""

import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import repeat
from operator import itemgetter
from typing import Any, cast

from asyncua.common.utils import Buffer

from edge.sources.opcua_events import Events
from edge.sources.opcua_layout import AFTER, WHOLE, Layout, times
from edge.sources.opcua_library import ua, variant_from_binary
from edge.sources.opcua_value import OVERFLOW, nanoseconds, number, quality_of, text
from twin.wire.reading import Quality, Reading

_DATA_CHANGE, _STATUS_CHANGE, _EVENTS = 811, 820, 916
_NULL, _STRING, _DATETIME = 0, 12, 13
_I32 = struct.Struct("<i")
_U32 = struct.Struct("<I")
_NOTIFICATION = struct.Struct("<Iqi")  # sequence number, publish time, number of notifications
_LENT_STEP_NS = 1_000
_new = cast("Callable[[type[Reading], tuple[int, int, float | str, int, int, int]], Reading]", tuple.__new__)
# What the library's decoder may raise on malformed bytes.
_MALFORMED = (
    ua.UaError,
    struct.error,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
)


@dataclass(slots=True)
class Publication:
    """One NotificationMessage."""

    subscription_id: int
    sequence_number: int
    available: tuple[int, ...] = ()  # sequence numbers that the server still holds
    carries_data: bool = False  # False: a keep-alive, which is not acknowledged
    status: int | None = None  # of a StatusChangeNotification
    readings: list[Reading] = field(default_factory=list[Reading])
    overflowed: list[int] = field(default_factory=list[int])  # places in `readings` whose status has the overflow bit
    rejected: list[tuple[int, str]] = field(
        default_factory=list[tuple[int, str]]
    )  # (handle, why), the value is dropped
    malformed: str = ""  # why the data could not be read, when it could not


def node_number(data: bytes, at: int) -> tuple[int, int]:
    """Numeric node id of namespace 0 → (number, next place); 0 for a node id of another one."""
    encoding = data[at]
    if encoding == 0:
        return data[at + 1], at + 2
    if encoding == 1:
        return (0 if data[at + 1] else data[at + 2] | data[at + 3] << 8), at + 4
    if encoding == 2:
        namespace, identifier = struct.unpack_from("<HI", data, at + 1)
        return (0 if namespace else identifier), at + 7
    raise ValueError(f"notification type has node id encoding {encoding}")


def _in_order(publication: Publication) -> None:
    """Sort by item and time: items of several layouts have been taken apart, and an overflow needs its neighbours."""
    dropped = {publication.readings[place][:2] for place in publication.overflowed}
    publication.readings.sort(key=itemgetter(0, 1))
    publication.overflowed = [place for place, found in enumerate(publication.readings) if found[:2] in dropped]


class Decoder:
    """Decodes the publications of one source.

    Args:
        texts: handle of each item → whether its signal is of kind text.
        events: for the items that are events, where there are any.
    """

    def __init__(self, texts: Mapping[int, bool], events: Events | None = None) -> None:
        self._events: Events | None = events
        self._known: frozenset[int] = frozenset(texts)
        self._text: frozenset[int] = frozenset(handle for handle, is_text in texts.items() if is_text)
        self._lent: dict[int, int] = {}  # last time given to an item without source time: two values never share one

    def publish_response(self, data: bytes, received_ns: int) -> Publication:
        """The parameters of a PublishResponse (after its header)."""
        subscription_id, count = struct.unpack_from("<Ii", data, 0)
        available = struct.unpack_from(f"<{max(count, 0)}I", data, 8)
        at = 8 + 4 * len(available) + 1  # MoreNotifications is of no use to us: requests are always waiting
        publication = Publication(subscription_id, 0, available)
        self._message(publication, data, at, received_ns)
        return publication

    def republish_response(self, subscription_id: int, data: bytes, received_ns: int) -> Publication:
        """The NotificationMessage of a RepublishResponse (after its header)."""
        publication = Publication(subscription_id, 0)
        self._message(publication, data, 0, received_ns)
        return publication

    def _message(self, publication: Publication, data: bytes, at: int, received_ns: int) -> None:
        publication.sequence_number, _, count = _NOTIFICATION.unpack_from(data, at)
        publication.carries_data = count > 0
        at += _NOTIFICATION.size
        try:
            for _ in range(count):
                at = self._notification(publication, data, at, received_ns)
        except (
            struct.error,
            IndexError,
            ValueError,
        ) as error:  # asyncua's decoding errors are ValueError by `_variant`
            publication.malformed = f"{type(error).__name__}: {error}"
        if publication.overflowed:
            _in_order(publication)

    def _notification(self, publication: Publication, data: bytes, at: int, received_ns: int) -> int:
        kind, at = node_number(data, at)
        encoding, at = data[at], at + 1
        if encoding == 0:
            return at
        (length,) = _I32.unpack_from(data, at)
        at += 4
        end = at + length
        if length < 0 or end > len(data):
            raise ValueError(f"notification of {length} bytes ends after the message")
        if kind == _DATA_CHANGE:
            self.data_change(publication, data, at, end, received_ns)
        elif kind == _EVENTS and self._events is not None:
            readings, overflowed = self._events.read(data, at, end, received_ns)
            publication.overflowed += [len(publication.readings) + place for place in overflowed]
            publication.readings += readings
        elif kind == _STATUS_CHANGE:
            (publication.status,) = _U32.unpack_from(data, at)
        return end

    def data_change(self, publication: Publication, data: bytes, at: int, end: int, received_ns: int) -> None:
        """Append the readings of the DataChangeNotification in data[at:end]."""
        (count,) = _I32.unpack_from(data, at)
        at += 4
        if count <= 0:
            return
        key = data[at + 4 : at + 6]
        layout = WHOLE.get(key)
        if layout is not None and (stop := at + count * layout.size) <= end:
            masks, kinds = data[at + 4 : stop : layout.size], data[at + 5 : stop : layout.size]
            if masks.count(key[:1]) == kinds.count(key[1:]) == count:
                self._uniform(publication, layout, memoryview(data)[at:stop], received_ns)
                return
        self._by_layout(publication, data, at, end, count, received_ns)

    def _uniform(self, publication: Publication, layout: Layout, items: memoryview, received_ns: int) -> None:
        """Items of one layout: whole blocks are cut into columns without a tuple per item."""
        block, width = layout.block(), layout.width
        whole = len(items) // block.size * block.size
        for at in range(0, whole, block.size):
            fields: tuple[Any, ...] = block.unpack_from(items, at)
            columns: list[tuple[Any, ...]] = [fields[place::width] for place in range(width)]
            self._decode(publication, layout, columns, received_ns)
        if whole < len(items):
            columns = list(zip(*layout.struct.iter_unpack(items[whole:]), strict=True))
            self._decode(publication, layout, columns, received_ns)

    def _by_layout(
        self, publication: Publication, data: bytes, at: int, end: int, count: int, received_ns: int
    ) -> None:
        """Items of several layouts: cut each out, then decode those of one layout together."""
        groups: dict[bytes, tuple[Callable[[tuple[Any, ...]], None], Callable[..., tuple[Any, ...]], int]] = {}
        rows: list[tuple[Layout, list[tuple[Any, ...]]]] = []
        for _ in range(count):
            key = data[at + 4 : at + 6]
            group = groups.get(key)
            if group is None:
                layout = WHOLE.get(key)
                if layout is None:
                    at = self._rare(publication, data, at, end, received_ns)
                    continue
                rows.append((layout, []))
                group = groups[key] = rows[-1][1].append, layout.struct.unpack_from, layout.size
            append, unpack, size = group
            append(unpack(data, at))
            at += size
        for layout, cut in rows:
            self._decode(publication, layout, list(zip(*cut, strict=True)), received_ns)
        if at > end:
            raise ValueError("items end after their notification")

    def _rare(self, publication: Publication, data: bytes, at: int, end: int, received_ns: int) -> int:
        (handle,) = _U32.unpack_from(data, at)
        return self._data_value(publication, data, at + 4, end, handle, received_ns)

    def data_values(
        self, publication: Publication, data: bytes, at: int, end: int, handle: int, received_ns: int
    ) -> None:
        """Append the readings of one item's HistoryData in data[at:end]."""
        (count,) = _I32.unpack_from(data, at)
        at += 4
        for _ in range(count):
            at = self._data_value(publication, data, at, end, handle, received_ns)
        if at > end:
            raise ValueError("values end after their history")

    def _data_value(
        self, publication: Publication, data: bytes, at: int, end: int, handle: int, received_ns: int
    ) -> int:
        mask = data[at]
        value, at = self._variant(data, at + 1, end, mask, data[at + 1] if mask & 1 else _NULL)
        after = AFTER[mask & 63]
        parts = after.struct.unpack_from(data, at)
        self._reading(publication, after, handle, value, parts, received_ns)
        return at + after.size

    def _decode(
        self, publication: Publication, layout: Layout, columns: list[tuple[Any, ...]], received_ns: int
    ) -> None:
        if not self._columns(publication, layout, columns, received_ns):
            for row in zip(*columns, strict=True):
                self._reading(publication, layout, row[0], row[3], row, received_ns)

    def _columns(
        self, publication: Publication, layout: Layout, columns: list[tuple[Any, ...]], received_ns: int
    ) -> bool:
        """All of it at once; False (and nothing done) when one item needs a closer look."""
        handles: tuple[int, ...] = columns[0]
        if not self._known.issuperset(handles) or not self._text.isdisjoint(handles):
            return False
        sources = times(columns[layout.source]) if layout.source >= 0 else None
        servers = self._servers(layout, columns, sources)
        if sources is None or servers is None:
            return False
        if layout.source_pico >= 0:
            picos = columns[layout.source_pico]
            sources = [ns + min(pico, 9_999) // 100 for ns, pico in zip(sources, picos, strict=True)]
        qualities = self._qualities(publication, columns[layout.status]) if layout.status >= 0 else repeat(0)
        values = columns[3] if layout.is_float else map(float, columns[3])
        fields = zip(handles, sources, values, qualities, servers, repeat(received_ns), strict=False)
        publication.readings.extend(map(_new, repeat(Reading), fields))
        return True

    @staticmethod
    def _servers(
        layout: Layout, columns: list[tuple[Any, ...]], sources: list[int] | None
    ) -> "list[int] | repeat[int] | None":
        if layout.server < 0:
            return repeat(0)
        if layout.source >= 0 and columns[layout.server] == columns[layout.source]:
            return sources
        return times(columns[layout.server])

    @staticmethod
    def _qualities(publication: Publication, statuses: tuple[int, ...]) -> Iterable[int]:
        distinct = {status: quality_of(status) for status in set(statuses)}
        if any(status & OVERFLOW == OVERFLOW for status in distinct):
            first = len(publication.readings)
            publication.overflowed += [
                first + place for place, status in enumerate(statuses) if status & OVERFLOW == OVERFLOW
            ]
        return repeat(distinct[statuses[0]]) if len(distinct) == 1 else map(distinct.__getitem__, statuses)

    @staticmethod
    def _variant(data: bytes, at: int, end: int, mask: int, encoding: int) -> tuple[object, int]:
        """The value of a DataValue whose Variant (if any) begins at `at`, and the place after it."""
        if not mask & 1:
            return None, at
        if encoding == _NULL:
            return None, at + 1
        if encoding == _STRING:
            (length,) = _I32.unpack_from(data, at + 1)
            after = at + 5 + max(length, 0)
            if after > end:
                raise ValueError("a string ends after its notification")
            return (None if length < 0 else data[at + 5 : after].decode("utf-8", "replace")), after
        buffer = Buffer(data, at, end - at)
        try:
            value = cast("object", variant_from_binary(buffer).Value)
        except _MALFORMED as error:
            raise ValueError(f"variant of type {encoding}: {type(error).__name__} {error}") from error
        return value, buffer.cur_pos

    def _reading(
        self,
        publication: Publication,
        layout: Layout,
        handle: int,
        value: object,
        parts: tuple[Any, ...],
        received_ns: int,
    ) -> None:
        if handle not in self._known:
            publication.rejected.append((handle, "the server reports an item that was not asked for"))
            return
        status: int = parts[layout.status] if layout.status >= 0 else 0
        pico: int = parts[layout.source_pico] if layout.source_pico >= 0 else 0
        source_ns = nanoseconds(parts[layout.source], pico) if layout.source >= 0 else 0
        server_ns = nanoseconds(parts[layout.server]) if layout.server >= 0 else 0
        quality = quality_of(status)
        if source_ns == 0:
            source_ns = self._lent[handle] = max(server_ns or received_ns, self._lent.get(handle, 0) + _LENT_STEP_NS)
            quality |= Quality.TIME_ADJUSTED
        if value is None and quality & Quality.SEVERITY == Quality.GOOD:
            quality |= Quality.BAD
        found: float | str | None = text(value) if handle in self._text else number(value)
        if found is None:
            publication.rejected.append((handle, f"{type(value).__name__} is not a number"))
            return
        if status & OVERFLOW == OVERFLOW:
            publication.overflowed.append(len(publication.readings))
        publication.readings.append(_new(Reading, (handle, source_ns, found, quality, server_ns, received_ns)))
