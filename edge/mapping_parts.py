"""Hop *name*: the parts of the mapping language: time, quality, metadata, one value. In: YAML. Out: frozen settings."""

import math
import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from edge.captures import Wording, levels, names, rest_name
from edge.place import is_place
from edge.pointer import Pointer
from edge.priority import Word
from edge.thin_settings import Thin
from edge.timestamps import TimeFormat, check_format, zone_named
from edge.units import conversion
from twin.settings import Settings

Kind = Literal["measurement", "counter", "state", "text"]


def _pointer(text: str) -> str:
    Pointer(text)
    return text


def _zone(text: str) -> str:
    zone_named(text)
    return text


def _expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from error
    return text


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _topic(text: str) -> str:
    found = levels(text)
    if not text or len(text) > 1000 or "\0" in text:
        raise ValueError("a topic has 1 to 1,000 characters")
    if sum(rest_name(level) is not None for level in found) > 2 or "#" in found[:-1]:
        raise ValueError(f"{text!r}: at most two places stand for several levels, and # stands only at the end")
    for level in found:
        if rest_name(level) is None and level not in ("#", "+"):
            _level(level)
    captured = names(text)
    if "topic" in captured:
        raise ValueError("{topic} is the whole topic already; name the capture differently")
    if len(set(captured)) < len(captured):
        raise ValueError("the topic captures the same name twice; name each capture differently")
    return text


def _level(level: str) -> None:
    try:
        plain = Wording.parse(level).literal
    except ValueError:
        plain = "#"
    if plain is not None and ("+" in plain or "#" in plain):
        raise ValueError(
            f"level {level!r} of the topic is not understood; write text, {{name}} for one level, {{name...}} or # "
            "for the rest, or + for a level that does not matter"
        )


Topic = Annotated[str, AfterValidator(_topic)]
PointerText = Annotated[str, AfterValidator(_pointer)]
Pointers = Annotated[tuple[PointerText, ...], BeforeValidator(_listed)]
PlaceText = Annotated[str, AfterValidator(is_place)]
Places = Annotated[tuple[PlaceText, ...], BeforeValidator(_listed), Field(min_length=1)]
Expression = Annotated[str, AfterValidator(_expression)]


class TimeAt(Settings):
    """Where the source time stands, and how it is written."""

    at: Places  # looked for in the element, then outwards to the whole message
    format: Annotated[TimeFormat, AfterValidator(check_format)] = "iso"
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"  # of texts that have none
    optional: bool = False  # without it the time of receipt is right; else its values are flagged


class QualityAt(Settings):
    """Where the device says how good a value is; what is in neither list is bad."""

    at: Places  # looked for like a time
    format: Literal["words", "opcua"] = "words"  # opcua: a status code, or an object with a Code; none is good
    good: tuple[str, ...] = ()
    uncertain: tuple[str, ...] = ()
    missing: Literal["good", "uncertain", "bad"] = "bad"  # when nothing is said

    @model_validator(mode="after")
    def _says_what_is_good(self) -> Self:
        if self.format == "words" and not self.good:
            raise ValueError("say under good which words mean a good value, or format: opcua for status codes")
        return self


class FlattenHow(Settings):
    """How ``{name...}`` in `each` joins keys, and where it stops."""

    separator: str = "/"
    stop_at: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()  # objects with one of these keys are the leaves


class JoinWith(Settings):
    """A (retained) message of metadata that says what the elements of the data mean."""

    topic: Topic  # captures of the same name must be equal in both; {topic} is the topic of the data
    each: Pointers
    gives: dict[str, PointerText] = Field(default_factory=dict[str, str])  # capture → where its word stands
    unit: PointerText | None = None


class Mapped(Settings):
    """One value of a message and the signal that it feeds."""

    kind: Kind = "measurement"
    unit: str = ""
    value: Places = ("",)  # within the element; of several the first that leads to something
    count: bool = False  # how many there are at `value`, not what they are
    words: dict[str, float] = Field(default_factory=dict[str, float])  # what a text or truth value means as a number
    scale: float = 1.0  # value in our unit = scale × raw + offset
    offset: float = 0.0
    source_unit: str | None = None  # of the raw value where the message does not say; default: our unit
    unit_at: Places | None = None  # where the message says the unit of this value; converted to ours
    # captures that must have these values; default {signal: <the name of the signal>}
    match: dict[str, str] = Field(default_factory=dict[str, str])
    time: TimeAt | None = None  # instead of the topic's
    deadband: Annotated[float, Field(ge=0)] | None = None  # leave out changes of at most this much
    max_interval_s: Annotated[float, Field(gt=0)] = 60.0  # … but pass one value on at least so often
    priority: Word = "normal"  # when the spool is full, low goes before normal and normal before high
    thin: Thin | None = None  # instead of a deadband: leave out what lies on a line, with its own max_interval_s

    @property
    def converts(self) -> bool:
        """Whether the table of units says how the raw value becomes ours, and not scale and offset."""
        return self.source_unit is not None and self.scale == 1.0 and self.offset == 0.0

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kind == "text" and (self.unit or self.scale != 1.0 or self.offset or self.words):
            raise ValueError("a text has no unit, scale, offset or words; remove them or choose another kind")
        if self.kind == "text" and self.deadband is not None:
            raise ValueError("a text has no deadband; remove it")
        if self.thin is not None:
            self.thin.refuse(self.kind)
            if self.deadband is not None:
                raise ValueError("deadband and thin do the same; remove one of them")
        if self.kind == "state" and (self.unit or self.scale != 1.0 or self.offset):
            raise ValueError("a state has no unit, scale or offset; give words to translate its codes")
        if self.kind in ("text", "state") and (self.source_unit is not None or self.unit_at is not None):
            raise ValueError(f"a {self.kind} has no unit; remove source_unit and unit_at")
        if self.count and (self.kind in ("text", "state") or any(text.startswith("{") for text in self.value)):
            raise ValueError("count makes a number of what is found; choose another kind and pointers as value")
        if not all(map(math.isfinite, [self.scale, self.offset, *self.words.values()])) or not self.scale:
            raise ValueError("scale, offset and words must be finite numbers, and scale not 0")
        if self.converts and self.source_unit is not None:
            conversion(self.source_unit, self.unit)
        return self
