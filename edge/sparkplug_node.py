"""This agent as a Sparkplug edge node, the pure part: readings → births, data and deaths in the order they must have.

In: readings, in the order they were kept. Out: payloads with their sequence numbers. A device is a source, a metric is
a signal with its handle as alias. What was kept before a birth goes out behind it as history; when too much waits, the
oldest are dropped and counted.
"""

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from twin.wire import sparkplug_receipt
from twin.wire.reading import Quality, Reading
from twin.wire.schema import SchemaEntry
from twin.wire.sparkplug import DataType, Metric, Payload, Property

MOST_PER_MESSAGE = 1_000  # metrics
REBIRTH = "Node Control/Rebirth"
_SEQUENCE = 256
_QUALITIES = {Quality.GOOD: 192, Quality.UNCERTAIN: 500, Quality.BAD: 0}


class _Device:
    """One source: its signals, and the readings that wait."""

    def __init__(self, name: str, entries: Sequence[SchemaEntry]) -> None:
        self.name = name
        self.entries = entries
        self.waiting: deque[Reading] = deque()


class NodeMetrics:
    """Everything that the edge node has to say.

    Args:
        entries: all signals of the agent.
        sources: name of each → handles of its signals.
        keep_values: readings of one device that wait at most.
        aliases: False to name metrics in every message.
    """

    def __init__(
        self,
        entries: Iterable[SchemaEntry],
        sources: Mapping[str, Sequence[int]],
        keep_values: int,
        *,
        aliases: bool = True,
    ) -> None:
        by_handle = {entry.handle: entry for entry in entries}
        self._devices = {name: _Device(name, [by_handle[handle] for handle in own]) for name, own in sources.items()}
        self._device_of = {handle: self._devices[name] for name, own in sources.items() for handle in own}
        self._texts = frozenset(handle for handle, entry in by_handle.items() if entry.kind == "text")
        self._paths = {handle: entry.path for handle, entry in by_handle.items()}
        self._aliases = aliases
        self._keep_values = keep_values
        self._last: dict[int, Reading] = {}
        self._told_ms: dict[int, int] = {}  # newest time that was published live
        self._doubtful: set[int] = set()  # whose last published quality was not good
        self._seq = 0
        self.dropped: int = 0

    def offer(self, readings: Iterable[Reading]) -> None:
        """Take readings; one that only repeats a value is no news."""
        for reading in readings:
            if reading.quality & Quality.HELD:
                continue
            device = self._device_of[reading.handle]
            device.waiting.append(reading)
            self.note((reading,))
            if len(device.waiting) > self._keep_values:
                device.waiting.popleft()
                self.dropped += 1

    def note(self, readings: Iterable[Reading]) -> None:
        """What the next birth says; nothing waits here."""
        for reading in readings:
            last = self._last.get(reading.handle)
            if last is None or reading.source_ns >= last.source_ns:
                self._last[reading.handle] = reading

    def device_of(self, handle: int) -> str:
        """The source that feeds a signal."""
        return self._device_of[handle].name

    def path_of(self, handle: int) -> str:
        """The name of a metric."""
        return self._paths[handle]

    def waiting(self) -> int:
        """Readings that were not published yet."""
        return sum(len(device.waiting) for device in self._devices.values())

    def node_birth(self, bd_seq: int, now_ms: int, more: Sequence[Metric] = ()) -> Payload:
        """NBIRTH; the sequence begins anew."""
        self._seq = 0
        rebirth = Metric(REBIRTH, False, DataType.BOOLEAN, now_ms)
        return self._numbered(Payload((_bd_seq(bd_seq, now_ms), rebirth, *more), now_ms))

    def device_birth(self, name: str, now_ms: int) -> Payload:
        """DBIRTH: every metric with its newest value, null where nothing was ever read."""
        device = self._devices[name]
        metrics = tuple(self._born(entry, now_ms) for entry in device.entries)
        newest = {id(self._last[entry.handle]) for entry in device.entries if entry.handle in self._last}
        device.waiting = deque(reading for reading in device.waiting if id(reading) not in newest)
        return self._numbered(Payload(metrics, now_ms))

    def device_death(self, now_ms: int) -> Payload:
        """DDEATH."""
        return self._numbered(Payload((), now_ms))

    def data(self, name: str, now_ms: int) -> tuple[Payload, int] | None:
        """The next DDATA of a device, and how many readings it holds; None when nothing waits."""
        device = self._devices[name]
        taken = list(islice(device.waiting, MOST_PER_MESSAGE))
        if not taken:
            return None
        return self.message(tuple(map(self.told, taken)), now_ms), len(taken)

    def sent(self, name: str, count: int) -> None:
        """The first `count` that waited need not wait any longer."""
        device = self._devices[name]
        for _ in range(min(count, len(device.waiting))):
            device.waiting.popleft()

    def told(self, reading: Reading, *, exact: bool = False) -> Metric:
        """One value as a metric of DATA; `exact` with what Sparkplug has no field for."""
        at_ms = reading.source_ns // 1_000_000
        late = at_ms <= self._told_ms.get(reading.handle, -1)  # of one time, what a birth said is the newer one
        if not late:
            self._told_ms[reading.handle] = at_ms
        # The specification would rather not have the datatype in DATA; readers without a memory of births need it.
        datatype = DataType.STRING if reading.handle in self._texts else DataType.DOUBLE
        name, alias = (None, reading.handle) if self._aliases else (self._paths[reading.handle], None)
        properties = self._quality(reading)
        if exact:
            properties |= sparkplug_receipt.exact(reading.source_ns, reading.quality)
        return Metric(name, _value(reading), datatype, at_ms, alias, is_historical=late, properties=properties)

    def message(self, metrics: tuple[Metric, ...], now_ms: int) -> Payload:
        """The next NDATA or DDATA."""
        return self._numbered(Payload(metrics, now_ms))

    def _numbered(self, payload: Payload) -> Payload:
        seq, self._seq = self._seq, (self._seq + 1) % _SEQUENCE
        return replace(payload, seq=seq)

    def _born(self, entry: SchemaEntry, now_ms: int) -> Metric:
        datatype = datatype_of(entry)
        properties = {"engUnit": Property(entry.unit, DataType.STRING)} if entry.unit else {}
        alias = entry.handle if self._aliases else None
        last = self._last.get(entry.handle)
        if last is None:
            return Metric(entry.path, None, datatype, now_ms, alias, properties=properties)
        at_ms = last.source_ns // 1_000_000
        self._told_ms[entry.handle] = at_ms
        properties = {**properties, **self._quality(last)}
        return Metric(entry.path, _value(last), datatype, at_ms, alias, properties=properties)

    def _quality(self, reading: Reading) -> dict[str, Property]:
        """Said where it is not good, and once more when it is good again."""
        severity = reading.quality & Quality.SEVERITY
        if severity == Quality.GOOD and reading.handle not in self._doubtful:
            return {}
        if severity == Quality.GOOD:
            self._doubtful.discard(reading.handle)
        else:
            self._doubtful.add(reading.handle)
        return {"Quality": Property(_QUALITIES.get(severity, 0), DataType.INT32)}


def node_death(bd_seq: int, now_ms: int) -> Payload:
    """NDEATH: the will of a connection, or its last word. It bears no sequence number."""
    return Payload((_bd_seq(bd_seq, now_ms),), now_ms)


def left_behind(reading: Reading, entry: SchemaEntry) -> Metric:
    """A value of a signal that the agent does not feed any more."""
    at_ms, severity = reading.source_ns // 1_000_000, reading.quality & Quality.SEVERITY
    properties = sparkplug_receipt.exact(reading.source_ns, reading.quality)
    if severity != Quality.GOOD:
        properties["Quality"] = Property(_QUALITIES.get(severity, 0), DataType.INT32)
    return Metric(entry.path, _value(reading), datatype_of(entry), at_ms, is_historical=True, properties=properties)


def datatype_of(entry: SchemaEntry) -> DataType:
    """Of a signal."""
    return DataType.STRING if entry.kind == "text" else DataType.DOUBLE


def _bd_seq(bd_seq: int, now_ms: int) -> Metric:
    return Metric("bdSeq", bd_seq, DataType.INT64, now_ms)


def _value(reading: Reading) -> float | str | None:
    if isinstance(reading.value, str):
        return reading.value.encode("utf-8", errors="replace").decode()  # a lone surrogate is no text of protobuf
    return float(reading.value) if math.isfinite(reading.value) else None
