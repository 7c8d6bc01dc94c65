"""Hops *send* and *commit* over Sparkplug: batch numbers, gaps and receipts as ordinary metrics of an edge node.

In: epochs, gaps, receipts. Out: metrics, and back, or `Rejected`. All within the specification: another host sees four
metrics of the node that it need not understand. ``Twin/Batch`` ends a batch: what came since the one before belongs to
it. The twin writes ``Twin/Committed`` after COMMIT, with an ordinary NCMD.
"""

import json
import re
import uuid
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from twin.errors import Rejected
from twin.wire.reading import GapCause, GapState, Quality
from twin.wire.receipt import FORMAT, Receipt
from twin.wire.sparkplug import DataSet, DataType, Metric, Property, PropertySet

EPOCH = "Twin/Epoch"  # UUID, in the birth: of the spool that numbers the batches
BATCH = "Twin/Batch"  # UInt64: the number; is_historical says that the batch is of the history lane
# UInt64, writable: all up to there is stored; properties `above`: ranges beyond, `incarnation`: of the store
COMMITTED = "Twin/Committed"
GAPS = "Twin/Gaps"  # DataSet: intervals that nobody has read
NAMES = frozenset({EPOCH, BATCH, COMMITTED, GAPS})
SUB_MS = "Twin/ns"  # property of a value: nanoseconds behind its timestamp, which counts milliseconds
FLAGS = "Twin/flags"  # property of a value: provenance
_FLAGS = Quality.ESTIMATED | Quality.BACKFILLED | Quality.TIME_ADJUSTED
_COLUMNS = ("device", "metric", "from_ns", "to_ns", "cause", "detail", "state")
_TYPES = (
    DataType.STRING, DataType.STRING, DataType.INT64, DataType.INT64, DataType.STRING, DataType.STRING, DataType.STRING,
)  # fmt: skip
_RANGE = re.compile(r"(\d{1,19})-(\d{1,19})")


class MetricGap(NamedTuple):
    """A `Gap` of one metric."""

    device: str
    metric: str
    from_ns: int
    to_ns: int
    cause: GapCause
    detail: str
    state: GapState


def epoch(of_spool: str, now_ms: int) -> Metric:
    """For the birth."""
    return Metric(EPOCH, str(uuid.UUID(hex=of_spool)), DataType.UUID, now_ms)


def epoch_of(metrics: Iterable[Metric]) -> str:
    """32 hex digits; "" for a node that numbers no batches."""
    for metric in metrics:
        if metric.name == EPOCH and isinstance(metric.value, str):
            try:
                return uuid.UUID(metric.value).hex
            except ValueError:
                return ""
    return ""


def committed(receipt: Receipt, now_ms: int) -> Metric:
    """What the twin writes."""
    properties = {"epoch": Property(receipt.epoch, DataType.STRING)}
    if receipt.above:
        ranges = " ".join(f"{first}-{last}" for first, last in receipt.above)
        properties["above"] = Property(ranges, DataType.STRING)
    if receipt.incarnation:
        properties["incarnation"] = Property(receipt.incarnation, DataType.UINT64)
    return Metric(COMMITTED, receipt.high_water, DataType.UINT64, now_ms, properties=properties)


def receipt_of(metric: Metric) -> Receipt:
    """What was written.

    Raises:
        Rejected: 'malformed'; also without the epoch, since the number could be of another spool.
    """
    above = metric.properties.get("above")
    told, life = metric.properties.get("epoch"), metric.properties.get("incarnation")
    ranges = above.value if above is not None and isinstance(above.value, str) else ""
    pairs = [_RANGE.fullmatch(word) for word in ranges.split()]
    document = {
        "format": FORMAT,
        "epoch": told.value if told is not None and isinstance(told.value, str) else "",
        "high_water": metric.value if isinstance(metric.value, int) else None,
        "above": [[int(pair[1]), int(pair[2])] if pair else None for pair in pairs],
        "incarnation": life.value if life is not None and isinstance(life.value, int) else 0,
    }
    return Receipt.from_json(json.dumps(document).encode("ascii"))


def gaps(rows: Sequence[MetricGap], now_ms: int) -> Metric:
    """For NDATA, before the number of their batch; no rows for the birth."""
    return Metric(GAPS, DataSet(_COLUMNS, _TYPES, tuple(rows)), DataType.DATA_SET, now_ms)


def gaps_of(metric: Metric) -> list[MetricGap]:
    """What `gaps` has written.

    Raises:
        Rejected: 'malformed'.
    """
    table = metric.value
    if not isinstance(table, DataSet) or table.columns != _COLUMNS or table.types != _TYPES:
        raise Rejected("malformed", f"{GAPS} is no table of {', '.join(_COLUMNS)}")
    return [_gap(*row) for row in table.rows]


def exact(time_ns: int, quality: int) -> dict[str, Property]:
    """Of a value, what Sparkplug has no field for; nothing for whole milliseconds of an undoubted clock."""
    found: dict[str, Property] = {}
    if time_ns % 1_000_000:
        found[SUB_MS] = Property(time_ns % 1_000_000, DataType.INT32)
    if quality & _FLAGS:
        found[FLAGS] = Property(quality & _FLAGS, DataType.INT32)
    return found


def sub_ms_of(properties: PropertySet) -> int:
    """Nanoseconds behind the timestamp."""
    found = properties.get(SUB_MS)
    return found.value if found is not None and isinstance(found.value, int) and 0 <= found.value < 1_000_000 else 0


def flags_of(properties: PropertySet) -> int:
    """Bits of the quality."""
    found = properties.get(FLAGS)
    return found.value & _FLAGS if found is not None and isinstance(found.value, int) else 0


def _gap(*row: object) -> MetricGap:
    match row:
        case (str(device), str(metric), int(from_ns), int(to_ns), str(cause), str(detail), str(state)):
            try:
                return MetricGap(device, metric, from_ns, to_ns, GapCause(cause), detail, GapState(state))
            except ValueError as error:
                raise Rejected("malformed", f"a gap in {GAPS} is none: {error}") from error
        case _:
            raise Rejected("malformed", f"a gap in {GAPS} lacks something")
