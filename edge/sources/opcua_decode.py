"""PublishResponse bytes → readings, with precompiled struct layouts.

In: bytes and a place in them. Out: `Publication`, of a large message part by part. Numbers, booleans and strings are
decoded here; arrays and rarer types by asyncua's decoder, one Variant at a time. Items of one layout are decoded
together, column by column.
"""

import struct
from collections.abc import Callable, Iterable, Mapping
from itertools import repeat
from typing import Any, cast

from asyncua.common.utils import Buffer

from edge.sources.opcua_events import Events
from edge.sources.opcua_layout import AFTER, WHOLE, Layout, times
from edge.sources.opcua_library import ua, variant_from_binary
from edge.sources.opcua_message import Publication, Rest, in_order, node_number
from edge.sources.opcua_value import OVERFLOW, nanoseconds, number, quality_of, text
from twin.wire.reading import Quality, Reading

_DATA_CHANGE, _STATUS_CHANGE, _EVENTS = 811, 820, 916
_NULL, _STRING, _DATETIME = 0, 12, 13
_I32 = struct.Struct("<i")
_U32 = struct.Struct("<I")
_NOTIFICATION = struct.Struct("<Iqi")  # sequence number, publish time, number of notifications
_LENT_STEP_NS = 1_000
MOST_AT_ONCE = 10_000  # values of one part: what a message of any size takes beside its own bytes
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
        """The parameters of a PublishResponse (after its header), up to `MOST_AT_ONCE` values of it."""
        subscription_id, count = struct.unpack_from("<Ii", data, 0)
        available = struct.unpack_from(f"<{max(count, 0)}I", data, 8)
        at = 8 + 4 * len(available) + 1  # MoreNotifications is of no use to us: requests are always waiting
        return self._message(Publication(subscription_id, 0, available), data, at, received_ns)

    def republish_response(self, subscription_id: int, data: bytes, received_ns: int) -> Publication:
        """The NotificationMessage of a RepublishResponse (after its header), up to `MOST_AT_ONCE` values of it."""
        return self._message(Publication(subscription_id, 0), data, 0, received_ns)

    def go_on(self, publication: Publication) -> Publication | None:
        """The next part of the message; None when there is no more."""
        rest = publication.rest
        if rest is None:
            return None
        part = Publication(publication.subscription_id, publication.sequence_number, carries_data=True)
        return self._part(part, rest)

    def _message(self, publication: Publication, data: bytes, at: int, received_ns: int) -> Publication:
        publication.sequence_number, _, count = _NOTIFICATION.unpack_from(data, at)
        publication.carries_data = count > 0
        return self._part(publication, Rest(data, at + _NOTIFICATION.size, received_ns, max(count, 0)))

    def _part(self, publication: Publication, rest: Rest) -> Publication:
        room = MOST_AT_ONCE
        try:
            while rest.notifications and room:
                if not rest.items:
                    self._begin(publication, rest)
                if rest.items:
                    count = min(rest.items, room)
                    self._items(publication, rest, count)
                    room -= count
        except (
            struct.error,
            IndexError,
            ValueError,
        ) as error:  # asyncua's decoding errors are ValueError by `_variant`
            publication.malformed = f"{type(error).__name__}: {error}"
            rest.notifications = 0
        publication.rest = rest if rest.notifications else None
        if publication.overflowed:
            in_order(publication)
        return publication

    def _begin(self, publication: Publication, rest: Rest) -> None:
        """The next notification: all of it, or up to the items of a data change."""
        kind, at = node_number(rest.data, rest.at)
        encoding, at = rest.data[at], at + 1
        if encoding == 0:
            rest.at, rest.notifications = at, rest.notifications - 1
            return
        (length,) = _I32.unpack_from(rest.data, at)
        at += 4
        rest.at, rest.end = at, at + length
        if length < 0 or rest.end > len(rest.data):
            raise ValueError(f"notification of {length} bytes ends after the message")
        if kind == _DATA_CHANGE:
            rest.items, rest.at = max(0, _I32.unpack_from(rest.data, at)[0]), at + 4
        elif kind == _EVENTS and self._events is not None:
            readings, overflowed = self._events.read(rest.data, at, rest.end, rest.received_ns)
            publication.overflowed += [len(publication.readings) + place for place in overflowed]
            publication.readings += readings
            publication.refresh_required = self._events.refresh_required
            self._events.refresh_required = False
        elif kind == _STATUS_CHANGE:
            (publication.status,) = _U32.unpack_from(rest.data, at)
        if not rest.items:
            rest.at, rest.notifications = rest.end, rest.notifications - 1

    def _items(self, publication: Publication, rest: Rest, count: int) -> None:
        """The next so many items of a DataChangeNotification."""
        rest.at = self._data_change(publication, rest.data, rest.at, rest.end, count, rest.received_ns)
        rest.items -= count
        if not rest.items:
            rest.at, rest.notifications = rest.end, rest.notifications - 1

    def _data_change(
        self, publication: Publication, data: bytes, at: int, end: int, count: int, received_ns: int
    ) -> int:
        key = data[at + 4 : at + 6]
        layout = WHOLE.get(key)
        if layout is not None and (stop := at + count * layout.size) <= end:
            masks, kinds = data[at + 4 : stop : layout.size], data[at + 5 : stop : layout.size]
            if masks.count(key[:1]) == kinds.count(key[1:]) == count:
                self._uniform(publication, layout, memoryview(data)[at:stop], received_ns)
                return stop
        return self._by_layout(publication, data, at, end, count, received_ns)

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

    def _by_layout(self, publication: Publication, data: bytes, at: int, end: int, count: int, received_ns: int) -> int:
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
        return at

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
