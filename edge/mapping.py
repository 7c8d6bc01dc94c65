"""Hop *name* (pure): one MQTT message → readings. In: topic, payload, receive time. Out: `MappedMessage` or `Rejected`.

A message that cannot be understood at all is `Rejected`; one bad value in a good message is listed beside the rest.
No input whatever raises anything else.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic_core import from_json

from edge import template
from edge.leaves import Convert, Leaf, converter, plain_leaf, tic_leaf
from edge.mapping_settings import Mapped, MqttTopic, TimeAt
from edge.pointer import CAPTURE, MISSING, Json, Pointer
from edge.timestamps import TimeFormat, is_sane, timestamp_ns, zone_named
from twin.errors import Rejected
from twin.wire.reading import Quality, Reading

MOST_BYTES = 1 << 20  # of one payload
MOST_READINGS = 50_000  # of one message
MOST_ROUTES = 20_000  # topics remembered


class Incoming(NamedTuple):
    """One message as it came."""

    topic: str
    payload: bytes
    received_ns: int
    retained: bool  # the broker kept it: a state of unknown age, not an event


@dataclass(slots=True)
class MappedMessage:
    """What one message said."""

    readings: list[Reading] = field(default_factory=list[Reading])
    rejected: list[Rejected] = field(default_factory=list[Rejected])
    sequence: int | None = None  # the device's own count of messages on this topic
    handles: tuple[int, ...] = ()  # every signal that this topic can feed


@dataclass(frozen=True, slots=True)
class _Target:
    handle: int
    path: str
    value: Pointer
    convert: Convert
    source_unit: str
    time: "_Time | None"


@dataclass(frozen=True, slots=True)
class _Route:
    """One rule, for one concrete topic."""

    rule: "_Rule"
    each: Pointer
    targets: Mapping[tuple[str, ...], tuple[_Target, ...]]  # by what `each` captures
    handles: tuple[int, ...]


class _Time:
    def __init__(self, settings: TimeAt) -> None:
        self._at = Pointer(settings.at)
        self._format: TimeFormat = settings.format
        self._zone = zone_named(settings.timezone)

    def of(self, element: Json, document: Json) -> int:
        """Nanoseconds UTC, 0 when the message has no time."""
        value = self._at.first(element)
        if (value is MISSING or value is None) and element is not document:
            value = self._at.first(document)
        if value is MISSING or value is None:
            return 0
        return timestamp_ns(value, self._format, self._zone)


class _Element:
    """One element of a message; its time is read once for all its values."""

    __slots__ = ("_document", "_source_ns", "_time", "value")

    def __init__(self, value: Json, document: Json) -> None:
        self.value: Json = value
        self._document = document
        self._time: _Time | None = None
        self._source_ns = 0

    def time(self, time: _Time) -> int:
        """Nanoseconds UTC, 0 when there is none."""
        if time is not self._time:
            self._source_ns = time.of(self.value, self._document)
            self._time = time
        return self._source_ns


class _Rule:
    """One `MqttTopic`, compiled."""

    def __init__(self, settings: MqttTopic, handles: Mapping[str, int]) -> None:
        self.settings: MqttTopic = settings
        self.pattern: re.Pattern[str] = _pattern(settings.topic)
        self.time: _Time | None = _Time(settings.time) if settings.time else None
        self.quality: Pointer | None = Pointer(settings.quality.at) if settings.quality else None
        self.sequence: Pointer | None = Pointer(settings.sequence) if settings.sequence is not None else None
        self.leaves: Leaf = tic_leaf if settings.leaf == "tic" else plain_leaf
        self._handles = handles
        self._allowed = {name: template.choices(allowed) for name, allowed in settings.where.items()}

    def route(self, topic: str) -> _Route | None:
        """The route of a concrete topic, None when it is not meant."""
        match = self.pattern.fullmatch(topic)
        if match is None:
            return None
        captured = match.groupdict()
        if any(word not in self._allowed.get(name, (word,)) for name, word in captured.items()):
            return None
        targets = {key: made for key, made in self._by_key(captured).items() if made}
        if not targets:
            return None
        handles = sorted({target.handle for made in targets.values() for target in made})
        each = Pointer(template.substitute(self.settings.each, captured))
        return _Route(self, each, targets, tuple(handles))

    def _by_key(self, captured: dict[str, str]) -> dict[tuple[str, ...], tuple[_Target, ...]]:
        names = self.settings.element_captures
        listed = tuple(name for name in names if name in self._allowed)
        plant = {name: self._allowed[name][word] for name, word in captured.items() if name in self._allowed}
        table: dict[tuple[str, ...], list[_Target]] = {}
        for words, plants in template.combinations(self.settings.where, listed):
            for name, signal in self.settings.signals.items():
                required = self.settings.required(name, signal)
                known = {**captured, **words}
                if any(known.get(capture, word) != word for capture, word in required.items()):
                    continue
                asset = template.substitute(self.settings.asset, {**plant, **plants})
                key = tuple(words.get(capture) or required[capture] for capture in names)
                table.setdefault(key, []).append(self._target(f"{asset}/{name}", signal))
        return {key: tuple(made) for key, made in table.items()}

    def _target(self, path: str, signal: Mapped) -> _Target:
        convert = converter(signal, frozenset(self.settings.unavailable))
        source_unit = signal.unit if signal.source_unit is None else signal.source_unit
        time = _Time(signal.time) if signal.time else self.time
        return _Target(self._handles[path], path, Pointer(signal.value), convert, source_unit, time)

    def document(self, payload: bytes) -> Json:
        """The parsed payload."""
        try:
            if self.settings.payload == "text":
                return payload.decode()
            return from_json(payload, allow_inf_nan=False)
        except ValueError as error:
            raise Rejected("malformed", f"the payload is not {self.settings.payload}: {str(error)[:200]}") from error

    def quality_of(self, element: Json) -> int:
        """What the device says of the element."""
        settings = self.settings.quality
        if self.quality is None or settings is None:
            return Quality.GOOD
        said = self.quality.first(element)
        word = str(said).lower() if isinstance(said, bool) else str(said)
        if word in settings.good:
            return Quality.GOOD
        return Quality.UNCERTAIN if word in settings.uncertain else Quality.BAD


class TopicMapping:
    """All the rules of one MQTT source."""

    def __init__(self, topics: Sequence[MqttTopic], handles: Mapping[str, int]) -> None:
        self._rules = [_Rule(topic, handles) for topic in topics]
        self._routes: dict[str, tuple[_Route, ...]] = {}

    def subscriptions(self) -> list[tuple[str, int]]:
        """Topic filters and their QoS, each once."""
        wanted: dict[str, int] = {}
        for rule in self._rules:
            name = topic_filter(rule.settings.topic)
            wanted[name] = max(rule.settings.qos, wanted.get(name, 0))
        return list(wanted.items())

    def read(self, message: Incoming) -> MappedMessage:
        """The readings of one message.

        Raises:
            Rejected: when nothing of it can be used.
        """
        if len(message.payload) > MOST_BYTES:
            raise Rejected("too-large", f"{len(message.payload)} bytes; at most {MOST_BYTES} are read")
        routes = self._routes.get(message.topic) or self._find(message.topic)
        result = MappedMessage(handles=routes[0].handles)
        if len(routes) > 1:
            result.handles = tuple({handle for route in routes for handle in route.handles})
        found = False
        for route in routes:
            found = _read(route, message, result) or found
        if not found:
            raise Rejected("no-value", "none of the configured values stands in the message")
        return result

    def _find(self, topic: str) -> tuple[_Route, ...]:
        routes = tuple(route for rule in self._rules if (route := rule.route(topic)))
        if not routes:
            raise Rejected("unknown-topic", "no signal is configured for this topic")
        if len(self._routes) >= MOST_ROUTES:
            self._routes.clear()
        self._routes[topic] = routes
        return routes


def topic_filter(topic: str) -> str:
    """What to subscribe for a topic with captures."""
    levels = topic.split("/")
    if levels[-1].endswith("...}"):
        levels[-1] = "#"
    return "/".join("+" if CAPTURE.search(level) else level for level in levels)


def _pattern(topic: str) -> re.Pattern[str]:
    *levels, last = (_level(level) for level in topic.split("/"))
    return re.compile("".join(f"{level}/" for level in levels) + last, re.DOTALL)


def _level(level: str) -> str:
    if level.endswith("...}"):
        return f"(?P<{level[1:-4]}>.+)"
    if level in ("#", "+"):
        return ".*" if level == "#" else "[^/]*"
    pieces = CAPTURE.split(level)  # text, name, text, name, … text
    return "".join(f"(?P<{piece}>[^/]+)" if index % 2 else re.escape(piece) for index, piece in enumerate(pieces))


def _read(route: _Route, message: Incoming, result: MappedMessage) -> bool:
    """Add what one rule reads; whether it found anything that is configured."""
    rule = route.rule
    document = rule.document(message.payload)
    if rule.sequence is not None:
        number = rule.sequence.first(document)
        result.sequence = number if isinstance(number, int) else None
    found = False
    for value, key in route.each.all(document):
        element = _Element(value, document)
        for target in route.targets.get(key, ()):
            for raw in target.value.values(value):
                found = True
                try:
                    _add(rule, target, raw, element, message, result)
                except Rejected as error:
                    result.rejected.append(Rejected(error.reason, f"{target.path}: {error}"))
        if len(result.readings) + len(result.rejected) > MOST_READINGS:
            raise Rejected("too-large", f"more than {MOST_READINGS} values in one message")
    return found


def _add(rule: _Rule, target: _Target, raw: Json, element: _Element, message: Incoming, result: MappedMessage) -> None:
    for leaf in rule.leaves(raw, target.source_unit):
        source_ns = leaf.source_ns or (element.time(target.time) if target.time else 0)
        value, quality = target.convert(leaf.value)
        if rule.quality:
            quality = max(quality, rule.quality_of(element.value))
        if not source_ns:
            source_ns = message.received_ns
            if message.retained:
                quality = max(quality, Quality.UNCERTAIN) | Quality.TIME_ADJUSTED
            elif target.time:
                quality |= Quality.TIME_ADJUSTED
        elif not is_sane(source_ns, message.received_ns):
            source_ns = message.received_ns
            quality |= Quality.TIME_ADJUSTED
        result.readings.append(Reading(target.handle, source_ns, value, quality, 0, message.received_ns))
