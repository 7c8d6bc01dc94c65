"""Hop *name*: the mapping language as the configuration says it. In: YAML. Out: frozen, checked settings.

`MqttTopic` describes one kind of message: its topic, where its time stands, and which signals its values feed.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from edge import template
from edge.mapping_parts import (
    Expression,
    FlattenHow,
    JoinWith,
    Kind,
    Mapped,
    Places,
    Pointers,
    QualityAt,
    TimeAt,
    Topic,
)
from edge.pointer import Pointer
from twin.settings import Settings

__all__ = ["Kind", "Mapped", "MqttTopic", "QualityAt", "TimeAt"]

_TOPIC = "topic"  # a capture that is always there: the whole topic


class MqttTopic(Settings):
    """One kind of message."""

    topic: Topic
    asset: str  # path of the asset, with captures
    where: dict[str, str | tuple[str, ...] | dict[str, str]] = Field(default_factory=dict[str, Any])
    each: Pointers = ("",)  # the elements that are read one by one; default: the whole message
    bad_each: Pointers = ()  # elements that say that a value is missing: an error beside the values
    flatten: FlattenHow = FlattenHow()  # how {name...} in each works
    join: JoinWith | None = None  # metadata that comes as a message of its own
    when: dict[str, Expression] = Field(default_factory=dict[str, str])  # place → what must stand there; else not read
    payload: Literal["json", "text"] = "json"
    pattern: Expression | None = None  # of a text payload; its named groups become the members of the message
    time: TimeAt | None = None  # none: the time of receipt
    quality: QualityAt | None = None
    unit_at: Places | None = None  # where the unit of each value stands
    unit_words: dict[str, str] = Field(default_factory=dict[str, str])  # what the device's words for units mean
    unavailable: tuple[str, ...] = ("UNAVAILABLE",)  # texts that say that there is no value
    sequence: Places | None = None  # a number that grows by one with every message of a topic
    dedup: Places | None = None  # all of them name an observation: the same as the last one of a signal is left out
    partial: bool = False  # a message without any of the values is normal
    qos: Literal[0, 1] = 1
    signals: Annotated[dict[str, Mapped], Field(min_length=1)]

    @cached_property
    def captures(self) -> tuple[str, ...]:
        """What the topic captures."""
        return (*template.names(self.topic), _TOPIC)

    @cached_property
    def pointers(self) -> tuple[Pointer, ...]:
        """`each` and then `bad_each`, compiled."""
        how = self.flatten
        texts = (*self.each, *self.bad_each)
        return tuple(Pointer(text, separator=how.separator, stop_at=how.stop_at) for text in texts)

    @cached_property
    def element_captures(self) -> tuple[str, ...]:
        """What `each` and the metadata capture beyond the topic."""
        found = [name for pointer in self.pointers for name in pointer.captures]
        given = self.join.gives if self.join else ()
        return tuple(dict.fromkeys(name for name in (*found, *given) if name not in self.captures))

    @cached_property
    def deciding(self) -> tuple[str, ...]:
        """The captures of an element that decide which signals it is for."""
        wanted = {*self.where, *(name for name, signal in self.signals.items() for name in self.required(name, signal))}
        return tuple(name for name in self.element_captures if name in wanted)

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

    @field_validator("when")
    @classmethod
    def _places(cls, when: dict[str, str]) -> dict[str, str]:
        for place in when:
            Pointer(place)
        return when

    @model_validator(mode="after")
    def _captures_are_known(self) -> Self:
        known = {*self.captures, *self.element_captures}
        if "signal" in self.where:
            raise ValueError(
                "where: {signal} is told apart under signals; use match there when the device's word differs"
            )
        listed = ", ".join(sorted(known - {_TOPIC})) or "nothing"
        for name in template.names(self.asset):
            if name not in known:
                raise ValueError(f"asset: {{{name}}} is not captured by the topic or by each (they capture {listed})")
            if name not in self.where:
                raise ValueError(f"asset: say under where what {{{name}}} may be, e.g. {name}: [a-1, a-2]")
        for name in {*self.where, *(name for signal in self.signals.values() for name in signal.match)}:
            if name not in known:
                raise ValueError(f"{name} is not captured by the topic or by each (they capture {listed})")
        if template.count(self.where, tuple(self.where)) * len(self.signals) > template.MOST_COMBINATIONS:
            raise ValueError(f"stands for more than {template.MOST_COMBINATIONS:,} signals; split it")
        return self

    @model_validator(mode="after")
    def _elements_are_told_apart(self) -> Self:
        given = set(self.join.gives) if self.join else set[str]()
        for pointer in self.pointers:
            for name in self.deciding:
                if name not in (*pointer.captures, *given):
                    raise ValueError(f"each: {pointer.text!r} does not capture {{{name}}}, which the others do")
        for name in self.deciding:
            for signal_name, signal in self.signals.items():
                if name not in self.where and name not in self.required(signal_name, signal):
                    raise ValueError(
                        f"each: say under where what {{{name}}} may be, or under signals.{signal_name}.match"
                    )
        if unused := [name for name in self.element_captures if not self._is_used(name)]:
            raise ValueError(f"each: say under where what {{{unused[0]}}} may be, or match it under signals")
        return self

    def _is_used(self, name: str) -> bool:
        if name in self.deciding or name in (self.join.gives if self.join else ()):
            return True
        if self.join is not None and any(name in Pointer(text).captures for text in self.join.each):
            return True
        if any(":" in text and f"{{{name}:" in text for text in (*self.each, *self.bad_each)):
            return True  # only says what may stand there
        times = [time for time in (self.time, *(signal.time for signal in self.signals.values())) if time]
        places = [
            *(text for time in times for text in time.at),
            *(text for signal in self.signals.values() for text in (*signal.value, *(signal.unit_at or ()))),
            *(self.unit_at or ()),
            *(self.quality.at if self.quality else ()),
        ]
        return any(f"{{{name}}}" in text for text in places)

    @model_validator(mode="after")
    def _text_has_no_structure(self) -> Self:
        if self.payload == "json" and self.pattern is not None:
            raise ValueError("a pattern is for payload: text; a JSON message is read with pointers")
        structured = self.each != ("",) or self.time or self.quality or self.sequence or self.unit_at or self.when
        if self.payload == "text" and self.pattern is None and (structured or self.bad_each or self.join):
            raise ValueError(
                "a text payload has no structure; remove each, join, when, time, quality, unit_at and sequence, "
                "or give a pattern with named groups"
            )
        return self
