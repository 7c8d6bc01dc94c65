"""Hop *name* (pure): one JSON value → a number or a text. In: the raw value and its unit. Out: value and quality."""

import math
import re
from collections.abc import Callable, Mapping

from edge.mapping_parts import Mapped
from edge.pointer import Json
from edge.units import Linear, conversion
from twin.errors import Rejected
from twin.wire.reading import Quality

MOST_TEXT = 4096  # characters of a text value
_NUMBER = re.compile(r"[-+]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][-+]?[0-9]{1,3})?")

Convert = Callable[[Json, str], tuple[float | str, int]]


def converter(signal: Mapped, unavailable: frozenset[str], unit_words: Mapping[str, str]) -> Convert:
    """How raw JSON values, in the unit that the message says (or none), become values of this signal."""
    if signal.kind == "text":
        return lambda raw, _unit: _text(raw, unavailable)
    words = signal.words
    raw_unit = signal.unit if signal.source_unit is None else signal.source_unit
    scale, offset = conversion(raw_unit, signal.unit) if signal.converts else (signal.scale, signal.offset)
    plain = scale == 1.0 and offset == 0.0

    def convert(raw: Json, said: str) -> tuple[float | str, int]:
        if raw is None or (isinstance(raw, str) and (raw in unavailable or not raw.strip())):
            return math.nan, Quality.BAD
        value = _number(raw, words)
        if said and said != raw_unit:
            first = _said(unit_words.get(said, said), raw_unit)
            value = first.scale * value + first.offset
        if not plain:
            value = scale * value + offset
        if not math.isfinite(value):
            raise Rejected("bad-value", f"{str(raw)[:40]} is not a finite number")
        return value, Quality.GOOD

    return convert if signal.kind == "measurement" else _whole(convert, signal.kind)


def _said(said: str, raw_unit: str) -> Linear:
    try:
        return conversion(said, raw_unit)
    except ValueError as error:
        detail = f"the unit is {said[:40]!r} where {raw_unit!r} is configured: {error}"
        raise Rejected("wrong-unit", detail) from error


def _whole(convert: Convert, kind: str) -> Convert:
    lowest = 0.0 if kind == "counter" else -2_147_483_648.0
    highest = math.inf if kind == "counter" else 2_147_483_647.0

    def convert_whole(raw: Json, said: str) -> tuple[float | str, int]:
        value, quality = convert(raw, said)
        if quality == Quality.GOOD and isinstance(value, float):
            if not lowest <= value <= highest:
                raise Rejected("bad-value", f"{value:g} cannot be a {kind}")
            if kind == "state" and not value.is_integer():
                raise Rejected("bad-value", f"{value:g} is not a code of a state")
        return value, quality

    return convert_whole


def _number(raw: Json, words: Mapping[str, float]) -> float:
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
