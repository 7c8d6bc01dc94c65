"""One Sparkplug metric → the values in it: templates by member, data sets by column, nulls and qualities as ours.

In: a metric whose datatype is known. Out: `Value`s and `Refusal`s, names relative to the node or device. Pure.
"""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from twin.wire.reading import Quality
from twin.wire.sparkplug import DataSet, Metric, Payload, PropertySet, Template, Unreadable
from twin.wire.sparkplug_receipt import flags_of, sub_ms_of
from twin.wire.sparkplug_values import TEXTS, DataType

MOST_MS = ((1 << 63) - 1) // 1_000_000 - 1  # whose nanoseconds fit 64 bits
_CONTROL = ("Node Control/", "Device Control/", "_types_/")
_QUALITIES = {192: Quality.GOOD, 0: Quality.BAD, 500: Quality.UNCERTAIN}  # GOOD, BAD, STALE


class Value(NamedTuple):
    """One value of one metric."""

    name: str
    time_ns: int
    value: float | str
    quality: int
    historical: bool


class Refusal(NamedTuple):
    """A metric, or a part of it, that cannot be taken."""

    name: str
    reason: str
    detail: str


def is_data(name: str) -> bool:
    """False for what belongs to the protocol: commands, definitions, the number of the session."""
    return name != "bdSeq" and not name.startswith(_CONTROL)


def unit_of(properties: PropertySet) -> str:
    """The engineering unit that a birth names, "" when it names none."""
    found = properties.get("engUnit") or properties.get("EngUnit")
    return found.value if found is not None and isinstance(found.value, str) else ""


def bd_seq_of(payload: Payload) -> int | None:
    """The number of the session that a birth or a death belongs to."""
    for metric in payload.metrics:
        if metric.name == "bdSeq" and isinstance(metric.value, int):
            return metric.value
    return None


def datatypes_of(name: str, metric: Metric) -> dict[str, DataType]:
    """Of the metric, and of the members of a template."""
    found = {} if metric.datatype is None else {name: metric.datatype}
    if isinstance(metric.value, Template):
        for member in metric.value.metrics:
            found.update(datatypes_of(f"{name}/{member.name or ''}", member))
    return found


def values_of(
    name: str, metric: Metric, time_ms: int | None, received_ns: int, datatypes: Mapping[str, DataType]
) -> Iterator[Value | Refusal]:
    """Everything that a metric says.

    Args:
        name: of the metric; one that came by its alias does not bear it.
        metric: typed.
        time_ms: of the message, for a metric without a time of its own.
        received_ns: in place of a time that nobody gives.
        datatypes: of the members of templates, by name, for those that do not name theirs.
    """
    time_ms = metric.timestamp_ms if metric.timestamp_ms is not None else time_ms
    if isinstance(metric.value, Template):
        if not metric.value.is_definition:
            for member in metric.value.metrics:
                whole = f"{name}/{member.name or ''}"
                typed = member.typed(datatypes[whole]) if whole in datatypes else member
                yield from values_of(whole, typed, time_ms, received_ns, datatypes)
        return
    if metric.datatype is None:
        yield Refusal(name, "no-datatype", "neither the birth nor the message names its datatype")
        return
    quality = quality_of(metric.properties) | flags_of(metric.properties)
    if time_ms is None:
        time_ns, quality = received_ns, quality | Quality.TIME_ADJUSTED
    elif time_ms > MOST_MS:
        yield Refusal(name, "out-of-time", f"{time_ms} ms since 1970 is no time")
        return
    else:
        time_ns = time_ms * 1_000_000 + sub_ms_of(metric.properties)
    if isinstance(metric.value, DataSet):
        yield from _columns(name, metric.value, time_ns, quality, metric.is_historical)
    else:
        yield _one(name, metric.value, metric.datatype, time_ns, quality, metric.is_historical)


def quality_of(properties: PropertySet) -> int:
    """GOOD where nothing is said; a code that Sparkplug does not know is uncertain."""
    found = properties.get("Quality") or properties.get("quality")
    if found is None or found.value is None:
        return Quality.GOOD
    return _QUALITIES.get(found.value, Quality.UNCERTAIN) if isinstance(found.value, int) else Quality.UNCERTAIN


def _one(name: str, value: object, datatype: DataType, time_ns: int, quality: int, historical: bool) -> Value | Refusal:
    if isinstance(value, bool | int | float):
        return Value(name, time_ns, float(value), quality, historical)
    if isinstance(value, str):
        return Value(name, time_ns, value, quality, historical)
    if value is None:
        nothing = "" if datatype in TEXTS else math.nan
        return Value(name, time_ns, nothing, (quality & ~Quality.SEVERITY) | Quality.BAD, historical)
    if isinstance(value, Unreadable):
        return Refusal(name, "malformed", value.detail)
    return Refusal(name, "no-signal", f"a {datatype.name} is neither a number nor a text")


def _columns(name: str, table: DataSet, time_ns: int, quality: int, historical: bool) -> Iterator[Value | Refusal]:
    """Each column a signal; several rows need a column of times to tell them apart."""
    clock = table.types.index(DataType.DATE_TIME) if DataType.DATE_TIME in table.types else None
    if len(table.rows) > 1 and clock is None:
        yield Refusal(name, "no-times", f"{len(table.rows)} rows without a column of times")
        return
    for row in table.rows:
        at_ns, sure = time_ns, quality
        if clock is not None:
            time_ms = row[clock]
            if not isinstance(time_ms, int) or time_ms > MOST_MS:
                yield Refusal(name, "out-of-time", f"{time_ms!r} ms since 1970 is no time")
                continue
            at_ns, sure = time_ms * 1_000_000, quality & ~Quality.TIME_ADJUSTED
        for place, (column, datatype) in enumerate(zip(table.columns, table.types, strict=True)):
            if place != clock:
                yield _one(f"{name}/{column}", row[place], datatype, at_ns, sure, historical)
