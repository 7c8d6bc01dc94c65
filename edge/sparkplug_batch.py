"""Hop *send* over Sparkplug, the pure part: one batch of the spool → the metrics of its messages.

In: payloads of the spool with their schemas. Out: metrics per device, gaps, and at last the number of the batch.
Signals that an older configuration has left in the spool are metrics of the node itself.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TypeVar

from edge.sparkplug_node import MOST_PER_MESSAGE, NodeMetrics, datatype_of, left_behind
from edge.spool_figures import Outgoing
from twin.wire.batch import WireColumns, decode
from twin.wire.reading import Gap, Lane, Quality
from twin.wire.schema import NodeSchema, SchemaEntry
from twin.wire.sparkplug import DataType, Metric
from twin.wire.sparkplug_receipt import BATCH, COMMITTED, MetricGap, epoch, gaps

NODE = ""  # in place of a device

Part = tuple[str, tuple[Metric, ...]]  # device; no metrics: it must only be born
Row = TypeVar("Row")


class BatchMetrics:
    """What handles mean, the present ones and those of older batches."""

    def __init__(self, metrics: NodeMetrics, present: Iterable[SchemaEntry]) -> None:
        self._metrics = metrics
        self._present = {(entry.path, entry.kind == "text"): entry.handle for entry in present}
        self._handles: dict[str, dict[int, int | SchemaEntry]] = {}  # schema hash → handle → the present one, or none

    def learn(self, schemas: Iterable[NodeSchema]) -> None:
        """Every schema that a batch can need."""
        self._handles = {schema.hash: dict(map(self._placed, schema.entries)) for schema in schemas}

    def birth(self, of_spool: str, now_ms: int) -> tuple[Metric, ...]:
        """What NBIRTH says beside the ordinary."""
        left = {one.path: one for known in self._handles.values() for one in known.values() if not isinstance(one, int)}
        orphans = (Metric(path, None, datatype_of(one), now_ms) for path, one in left.items())
        number = Metric(BATCH, 0, DataType.UINT64, now_ms, is_transient=True)
        mark = Metric(COMMITTED, 0, DataType.UINT64, now_ms)
        return (epoch(of_spool, now_ms), number, mark, gaps((), now_ms), *orphans)

    def parts(self, outgoing: Outgoing, committed: int | None, now_ms: int) -> Iterator[Part]:
        """The messages of one batch, in their order; the last one ends it and may repeat what is `committed`."""
        columns = decode(outgoing.payload)
        known = self._handles[columns.header.schema_hash]
        for device, metrics in self._values(columns, known).items():
            for some in _pieces(metrics):
                yield device, some
        rows = [row for gap in columns.gaps for row in self._rows(gap, known)]
        yield from ((device, ()) for device in dict.fromkeys(row.device for row in rows))
        for some in _pieces(rows):
            yield NODE, (gaps(some, now_ms),)
        number = Metric(
            BATCH, outgoing.number, DataType.UINT64, now_ms,
            is_historical=outgoing.lane is Lane.HISTORY, is_transient=True,
        )  # fmt: skip
        echo = () if committed is None else (Metric(COMMITTED, committed, DataType.UINT64, now_ms),)
        yield NODE, (*echo, number)

    def _placed(self, entry: SchemaEntry) -> tuple[int, int | SchemaEntry]:
        return entry.handle, self._present.get((entry.path, entry.kind == "text"), entry)

    def _values(self, columns: WireColumns, known: Mapping[int, int | SchemaEntry]) -> dict[str, list[Metric]]:
        found: dict[str, list[Metric]] = defaultdict(list)
        for reading in columns.readings():
            if reading.quality & Quality.HELD:
                continue
            place = known[reading.handle]
            if isinstance(place, int):
                here = reading._replace(handle=place)
                found[self._metrics.device_of(place)].append(self._metrics.told(here, exact=True))
            else:
                found[NODE].append(left_behind(reading, place))
        return found

    def _rows(self, gap: Gap, known: Mapping[int, int | SchemaEntry]) -> Iterator[MetricGap]:
        for handle in gap.handles:
            place = known.get(handle)
            if isinstance(place, int):
                yield MetricGap(self._metrics.device_of(place), self._metrics.path_of(place), *gap[1:])
            elif place is not None:
                yield MetricGap(NODE, place.path, *gap[1:])


def _pieces(rows: Iterable[Row]) -> Iterator[tuple[Row, ...]]:
    """Of one message each."""
    rest = iter(rows)
    while some := tuple(islice(rest, MOST_PER_MESSAGE)):
        yield some
