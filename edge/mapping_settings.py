"""Hop *name*: the mapping language as the configuration says it. In: YAML. Out: frozen, checked settings.

`MqttTopic` describes one kind of message: its topic, where its time stands, and which signals its values feed.
"""

import math
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from edge import template
from edge.pointer import Pointer
from edge.timestamps import TimeFormat, zone_named
from twin.settings import Settings

Kind = Literal["measurement", "counter", "state", "text"]

_LEVEL = re.compile(r"(?:[^+#{}/]*\{[a-z][a-z0-9_]*\})+[^+#{}/]*|[^+#{}/]*|\+")
_REST = re.compile(r"\{[a-z][a-z0-9_]*\.\.\.\}|#")


def _pointer(text: str) -> str:
    Pointer(text)
    return text


def _zone(text: str) -> str:
    zone_named(text)
    return text


def _topic(text: str) -> str:
    *levels, last = text.split("/")
    if not text or len(text) > 1000 or "\0" in text:
        raise ValueError("a topic has 1 to 1,000 characters")
    for level in [*levels, *([] if _REST.fullmatch(last) else [last])]:
        if not _LEVEL.fullmatch(level):
            raise ValueError(
                f"level {level!r} of the topic is not understood; write text, {{name}} for one level, {{name...}} or # "
                "for the rest at the end, or + for a level that does not matter"
            )
    captured = template.names(text.replace("...}", "}"))
    if len(set(captured)) < len(captured):
        raise ValueError("the topic captures the same name twice; name each capture differently")
    return text


PointerText = Annotated[str, AfterValidator(_pointer)]


class TimeAt(Settings):
    """Where the source time stands, and how it is written."""

    at: PointerText  # looked for in the element, then in the whole message
    format: TimeFormat = "iso"
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"  # of ISO texts that have none


class QualityAt(Settings):
    """Where the device says how good a value is; what is in neither list is bad."""

    at: PointerText
    good: tuple[str, ...]
    uncertain: tuple[str, ...] = ()


class Mapped(Settings):
    """One value of a message and the signal that it feeds."""

    kind: Kind = "measurement"
    unit: str = ""
    value: PointerText = ""  # within the element
    words: dict[str, float] = Field(default_factory=dict[str, float])  # what a text or truth value means as a number
    scale: float = 1.0  # value in our unit = scale × raw + offset
    offset: float = 0.0
    source_unit: str | None = None  # what the device itself calls the unit, when it says one; default: our unit
    # captures that must have these values; default {signal: <the name of the signal>}
    match: dict[str, str] = Field(default_factory=dict[str, str])
    time: TimeAt | None = None  # instead of the topic's
    deadband: Annotated[float, Field(ge=0)] | None = None  # leave out changes of at most this much
    max_interval_s: Annotated[float, Field(gt=0)] = 60.0  # … but pass one value on at least so often

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kind == "text" and (self.unit or self.scale != 1.0 or self.offset or self.words):
            raise ValueError("a text has no unit, scale, offset or words; remove them or choose another kind")
        if self.kind == "text" and self.deadband is not None:
            raise ValueError("a text has no deadband; remove it")
        if self.kind == "state" and (self.unit or self.scale != 1.0 or self.offset):
            raise ValueError("a state has no unit, scale or offset; give words to translate its codes")
        if not all(map(math.isfinite, [self.scale, self.offset, *self.words.values()])) or not self.scale:
            raise ValueError("scale, offset and words must be finite numbers, and scale not 0")
        return self


class MqttTopic(Settings):
    """One kind of message."""

    topic: Annotated[str, AfterValidator(_topic)]
    asset: str  # path of the asset, with captures
    where: dict[str, str | tuple[str, ...] | dict[str, str]] = Field(default_factory=dict[str, Any])
    each: PointerText = ""  # the elements that are read one by one; default: the whole message
    payload: Literal["json", "text"] = "json"
    leaf: Literal["plain", "tic"] = "plain"  # tic: TIC 4.0 arrays of {value, unit, timestamp, pom, pomt}
    time: TimeAt | None = None  # none: the time of receipt
    quality: QualityAt | None = None
    unavailable: tuple[str, ...] = ("UNAVAILABLE",)  # texts that say that there is no value
    sequence: PointerText | None = None  # a number that grows by one with every message of a topic
    qos: Literal[0, 1] = 1
    signals: Annotated[dict[str, Mapped], Field(min_length=1)]

    @property
    def captures(self) -> tuple[str, ...]:
        """What the topic captures."""
        return template.names(self.topic.replace("...}", "}"))

    @property
    def element_captures(self) -> tuple[str, ...]:
        """What `each` captures beyond the topic."""
        return tuple(name for name in Pointer(self.each).captures if name not in self.captures)

    def required(self, name: str, signal: Mapped) -> dict[str, str]:
        """The captures that decide whether a value is meant for this signal."""
        by_name = {"signal": name} if "signal" in (*self.captures, *self.element_captures) else {}
        return {**by_name, **signal.match}

    def feeds(self) -> Iterator[tuple[str, str]]:
        """Every signal that this stands for: (path, name under `signals`)."""
        for words, plants in template.combinations(self.where, tuple(dict.fromkeys(template.names(self.asset)))):
            asset = template.substitute(self.asset, plants)
            for name, signal in self.signals.items():
                if all(words.get(capture, word) == word for capture, word in signal.match.items()):
                    yield f"{asset}/{name}", name

    @field_validator("where")
    @classmethod
    def _spans(cls, where: template.Where) -> template.Where:
        for name, allowed in where.items():
            if not template.choices(allowed):
                raise ValueError(f"{name} may be nothing at all; list what it may be")
        return where

    @model_validator(mode="after")
    def _captures_are_known(self) -> Self:
        known = {*self.captures, *self.element_captures}
        if "signal" in self.where:
            raise ValueError(
                "where: {signal} is told apart under signals; use match there when the device's word differs"
            )
        listed = ", ".join(sorted(known)) or "nothing"
        for name in template.names(self.asset):
            if name not in known:
                raise ValueError(f"asset: {{{name}}} is not captured by the topic or by each (they capture {listed})")
            if name not in self.where:
                raise ValueError(f"asset: say under where what {{{name}}} may be, e.g. {name}: [a-1, a-2]")
        for name in {*self.where, *(name for signal in self.signals.values() for name in signal.match)}:
            if name not in known:
                raise ValueError(f"{name} is not captured by the topic or by each (they capture {listed})")
        if unlisted := [name for name in self.element_captures if name not in self.where and name != "signal"]:
            raise ValueError(f"each: say under where what {{{unlisted[0]}}} may be")
        if template.count(self.where, tuple(self.where)) * len(self.signals) > template.MOST_COMBINATIONS:
            raise ValueError(f"stands for more than {template.MOST_COMBINATIONS:,} signals; split it")
        if self.payload == "text" and (self.each or self.leaf == "tic" or self.time or self.quality or self.sequence):
            raise ValueError("a text payload has no structure; remove each, leaf, time, quality and sequence")
        return self
