"""Hop *name* (pure): one `MqttTopic`, compiled: how a concrete topic's messages are read. In: settings. Out: routes."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic_core import from_json

from edge import template
from edge.leaves import Convert, converter
from edge.mapping_parts import Mapped, TimeAt
from edge.mapping_settings import MqttTopic
from edge.metadata import Metadata, topic_pattern
from edge.place import Element, Place, SourceTime
from edge.pointer import MISSING, Json, Pointer
from edge.steps import member, plain_text
from edge.timestamps import zone_named
from twin.errors import Rejected
from twin.wire.reading import Quality

MOST_PATTERNED = 65_536  # characters of a text payload that a pattern is tried on
_SAID = {"good": Quality.GOOD, "uncertain": Quality.UNCERTAIN, "bad": Quality.BAD}

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """Where a raw value stands in its element."""

    pointers: tuple[Pointer, ...]
    words: tuple[str, ...]
    count: bool

    def of(self, element: Element) -> list[Json]:
        """The raw values; none when there is nothing."""
        for name in self.words:
            word = element.word(name)
            if word is not None:
                return [word]
        for pointer in self.pointers:
            if self.count:
                number = pointer.count(element.value)
                if number is not MISSING:
                    return [number]
            else:
                found = pointer.values(element.value)
                if found:
                    return list(found)
        return []


@dataclass(frozen=True, slots=True)
class Target:
    """One signal that a route can feed."""

    handle: int
    path: str
    is_text: bool
    value: Value
    convert: Convert
    time: SourceTime | None
    unit: Place | None


@dataclass(frozen=True, slots=True)
class Each:
    """One way to the elements of a message."""

    pointer: Pointer
    picks: tuple[int, ...]  # which of its captures decide; all are taken from metadata and captures where it joins
    bad: bool


@dataclass(frozen=True, slots=True)
class Route:
    """One rule, for one concrete topic."""

    rule: "Rule"
    captured: Mapping[str, str]
    each: tuple[Each, ...]
    targets: Mapping[Key, tuple[Target, ...]]  # by the words that decide
    handles: tuple[int, ...]


class Rule:
    """One `MqttTopic`, compiled."""

    def __init__(self, settings: MqttTopic, handles: Mapping[str, int]) -> None:
        self.settings: MqttTopic = settings
        self.pattern: re.Pattern[str] = re.compile(topic_pattern(settings.topic), re.DOTALL)
        self.metadata: Metadata | None = None
        if settings.join is not None:
            known = (*settings.captures, *(name for pointer in settings.pointers for name in pointer.captures))
            self.metadata = Metadata(settings.join, known)
        self.when: tuple[tuple[Place, re.Pattern[str]], ...] = tuple(
            (Place([place]), re.compile(expression)) for place, expression in settings.when.items()
        )
        self.sequence: Place | None = Place(settings.sequence) if settings.sequence else None
        self.dedup: tuple[Place, ...] = tuple(Place([text]) for text in settings.dedup or ())
        self.last_seen: dict[int, Key] = {}  # handle → what named its last observation
        self._text_pattern = re.compile(settings.pattern, re.DOTALL) if settings.pattern else None
        self._quality = Place(settings.quality.at) if settings.quality else None
        self._times: dict[tuple[TimeAt, tuple[str, ...]], SourceTime] = {}
        self._handles = handles
        self._allowed = {name: template.choices(allowed) for name, allowed in settings.where.items()}

    def why_not(self, topic: str) -> str:
        """Why a topic is not meant, in words; empty when it is."""
        match = self.pattern.fullmatch(topic)
        if match is None:
            return f"it does not look like {self.settings.topic}"
        for name, word in match.groupdict().items():
            if word not in self._allowed.get(name, (word,)):
                return f"{{{name}}} would be {word!r}, which is not under where"
        return "" if self.route(topic) else "no signal matches what it captures"

    def route(self, topic: str) -> Route | None:
        """The route of a concrete topic, None when it is not meant."""
        match = self.pattern.fullmatch(topic)
        if match is None:
            return None
        captured = {**match.groupdict(), "topic": topic}
        if any(word not in self._allowed.get(name, (word,)) for name, word in captured.items()):
            return None
        targets = {key: made for key, made in self._by_key(captured).items() if made}
        if not targets:
            return None
        handles = sorted({target.handle for made in targets.values() for target in made})
        return Route(self, captured, self._each(captured), targets, tuple(handles))

    def _each(self, captured: Mapping[str, str]) -> tuple[Each, ...]:
        made: list[Each] = []
        for index, pointer in enumerate(self.settings.pointers):
            bound = pointer.bind(captured)
            names = bound.captures
            picks = tuple(names.index(name) for name in self.settings.deciding if name in names)
            made.append(Each(bound, picks, bad=index >= len(self.settings.each)))
        return tuple(made)

    def _by_key(self, captured: dict[str, str]) -> dict[Key, tuple[Target, ...]]:
        deciding = self.settings.deciding
        listed = tuple(name for name in self.settings.element_captures if name in self._allowed)
        plant = {name: self._allowed[name][word] for name, word in captured.items() if name in self._allowed}
        table: dict[Key, list[Target]] = {}
        for words, plants in template.combinations(self.settings.where, listed):
            for name, signal in self.settings.signals.items():
                required = self.settings.required(name, signal)
                known = {**captured, **words}
                if any(known.get(capture, word) != word for capture, word in required.items()):
                    continue
                asset = template.substitute(self.settings.asset, {**plant, **plants})
                key = tuple(words.get(capture) or required[capture] for capture in deciding)
                known.update(required)
                table.setdefault(key, []).append(self._target(f"{asset}/{name}", signal, known))
        return {key: tuple(made) for key, made in table.items()}

    def _target(self, path: str, signal: Mapped, known: Mapping[str, str]) -> Target:
        settings = self.settings
        time = signal.time or settings.time
        unit_at = signal.unit_at or settings.unit_at if signal.kind in ("measurement", "counter") else None
        value = Value(
            tuple(Pointer(text).bind(known) for text in signal.value if not text.startswith("{")),
            tuple(text[1:-1] for text in signal.value if text.startswith("{")),
            signal.count,
        )
        return Target(
            self._handles[path],
            path,
            signal.kind == "text",
            value,
            converter(signal, frozenset(settings.unavailable), settings.unit_words),
            self._time(time, known) if time else None,
            Place(unit_at, known) if unit_at else None,
        )

    def _time(self, time: TimeAt, known: Mapping[str, str]) -> SourceTime:
        """One for all signals whose time stands at the same place, so that it is read once."""
        wanted = {name for text in time.at for name in template.names(text)}
        key = (time, tuple(known.get(name, "") for name in sorted(wanted)))
        if key not in self._times:
            zone = zone_named(time.timezone)
            self._times[key] = SourceTime(Place(time.at, known), time.format, zone, optional=time.optional)
        return self._times[key]

    def document(self, payload: bytes) -> Json:
        """The parsed payload."""
        try:
            if self.settings.payload == "json":
                return from_json(payload, allow_inf_nan=False)
            text = payload.decode()
        except ValueError as error:
            raise Rejected("malformed", f"the payload is not {self.settings.payload}: {str(error)[:200]}") from error
        if self._text_pattern is None:
            return text
        match = self._text_pattern.fullmatch(text[:MOST_PATTERNED].strip())
        if match is None:
            raise Rejected("malformed", f"the text does not look like {self.settings.pattern}")
        return match.groupdict()

    def is_meant(self, element: Element) -> bool:
        """Whether the element is of the sort that this rule reads."""
        return all(expression.fullmatch(place.text(element)) for place, expression in self.when)

    def is_repeated(self, element: Element, handle: int) -> bool:
        """Whether this is the very observation that the signal had last."""
        key = tuple(place.text(element) for place in self.dedup)
        if not all(key) or self.last_seen.get(handle) != key:
            self.last_seen[handle] = key
            return False
        return True

    def quality_of(self, element: Element) -> int:
        """What the device says of the element."""
        settings = self.settings.quality
        if self._quality is None or settings is None:
            return Quality.GOOD
        said = self._quality.find(element)
        if settings.format == "opcua":
            return _severity(said)
        if said is MISSING:
            return _SAID[settings.missing]
        word = plain_text(said)
        if word in settings.good:
            return Quality.GOOD
        return Quality.UNCERTAIN if word in settings.uncertain else Quality.BAD


def _severity(said: Json) -> int:
    """Of an OPC UA status code: a number, ``{"Code": …}``, or the name of a code."""
    code = member(said, "Code")
    if code is MISSING:
        code = member(said, "Symbol")
    if code is not MISSING:
        said = code
    if said is MISSING:
        return Quality.GOOD
    if isinstance(said, str):
        return (
            Quality.GOOD if said.startswith("Good") else _SAID["uncertain" if said.startswith("Uncertain") else "bad"]
        )
    if isinstance(said, int | float) and math.isfinite(said):
        return (Quality.GOOD, Quality.UNCERTAIN, Quality.BAD, Quality.BAD)[int(said) >> 30 & 3]
    return Quality.BAD
