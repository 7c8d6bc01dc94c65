"""Hop *name* (pure): what stands at a pointer → a number or a text. In: JSON. Out: values, or `Rejected`.

Plain leaves are the value itself. TIC 4.0 leaves are arrays of ``{value, unit, timestamp, pom, pomt}``, of which only
what was actually measured or performed is a reading; plans, requests and estimates are not.
"""

import math
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, cast

from edge.mapping_settings import Mapped
from edge.pointer import Json
from edge.timestamps import timestamp_ns
from twin.errors import Rejected
from twin.wire.reading import Quality

MOST_TEXT = 4096  # characters of a text value
_NUMBER = re.compile(r"[-+]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][-+]?[0-9]{1,3})?")
_TELEMETRY = frozenset({"actual", "performed"})


class LeafValue(NamedTuple):
    """One raw value; `source_ns` is 0 when the leaf has no time of its own."""

    value: Json
    source_ns: int


Leaf = Callable[[Json, str], Iterator[LeafValue]]
Convert = Callable[[Json], tuple[float | str, int]]


def plain_leaf(found: Json, _source_unit: str) -> Iterator[LeafValue]:
    """The value itself."""
    yield LeafValue(found, 0)


def tic_leaf(found: Json, source_unit: str) -> Iterator[LeafValue]:
    """What a TIC 4.0 array says was measured or performed; an interval counts at its end."""
    if not isinstance(found, list):
        raise Rejected("wrong-shape", "a TIC 4.0 value is an array of {value, unit, timestamp, pom, pomt}")
    for entry in cast("list[Json]", found):
        if not isinstance(entry, dict):
            raise Rejected("wrong-shape", "a TIC 4.0 value is an object {value, unit, timestamp, pom, pomt}")
        leaf = cast("dict[str, Json]", entry)
        if leaf.get("pomt", "actual") not in _TELEMETRY:
            continue
        unit = leaf.get("unit")
        if isinstance(unit, str) and unit and unit != source_unit:
            raise Rejected("wrong-unit", f"the unit is {unit[:40]!r} where {source_unit!r} is configured")
        at = leaf.get("timestamp", leaf.get("endtimestamp"))
        yield LeafValue(leaf.get("value"), 0 if at is None else timestamp_ns(at, "iso"))


def converter(signal: Mapped, unavailable: frozenset[str]) -> Convert:
    """How raw JSON values become values of this signal."""
    if signal.kind == "text":
        return lambda raw: _text(raw, unavailable)
    words, scale, offset = signal.words, signal.scale, signal.offset
    plain = scale == 1.0 and offset == 0.0

    def convert(raw: Json) -> tuple[float | str, int]:
        if raw is None or (isinstance(raw, str) and (raw in unavailable or not raw.strip())):
            return math.nan, Quality.BAD
        value = _number(raw, words)
        if not plain:
            value = scale * value + offset
        if not math.isfinite(value):
            raise Rejected("bad-value", f"{str(raw)[:40]} is not a finite number")
        return value, Quality.GOOD

    return convert if signal.kind == "measurement" else _whole(convert, signal.kind)


def _whole(convert: Convert, kind: str) -> Convert:
    lowest = 0.0 if kind == "counter" else -2_147_483_648.0
    highest = math.inf if kind == "counter" else 2_147_483_647.0

    def convert_whole(raw: Json) -> tuple[float | str, int]:
        value, quality = convert(raw)
        if quality == Quality.GOOD and isinstance(value, float):
            if not lowest <= value <= highest:
                raise Rejected("bad-value", f"{value:g} cannot be a {kind}")
            if kind == "state" and not value.is_integer():
                raise Rejected("bad-value", f"{value:g} is not a code of a state")
        return value, quality

    return convert_whole


def _number(raw: Json, words: dict[str, float]) -> float:
    if isinstance(raw, bool):
        return words.get("true" if raw else "false", float(raw))
    if isinstance(raw, int | float):
        try:
            return words.get(str(raw), float(raw)) if words else float(raw)
        except (OverflowError, ValueError) as error:
            raise Rejected("bad-value", "a number beyond what can be kept") from error
    if not isinstance(raw, str):
        raise Rejected(
            "wrong-type", f"a number is expected, not {'an array' if isinstance(raw, list) else 'an object'}"
        )
    word = raw.strip()
    if word in words:
        return words[word]
    if _NUMBER.fullmatch(word):
        return float(word)
    raise Rejected("wrong-type", f"{word[:60]!r} is neither a number nor one of the configured words")


def _text(raw: Json, unavailable: frozenset[str]) -> tuple[float | str, int]:
    if raw is None:
        return "", Quality.BAD
    if isinstance(raw, bool):
        return ("true" if raw else "false"), Quality.GOOD
    if isinstance(raw, int | float):
        raw = repr(raw) if isinstance(raw, float) or abs(raw) < 1 << 64 else "a very large number"
    if not isinstance(raw, str):
        raise Rejected("wrong-type", f"a text is expected, not {'an array' if isinstance(raw, list) else 'an object'}")
    if len(raw) > MOST_TEXT:
        raise Rejected("bad-value", f"a text of {len(raw)} characters; at most {MOST_TEXT} are kept")
    return ("", Quality.BAD) if raw in unavailable else (raw, Quality.GOOD)
