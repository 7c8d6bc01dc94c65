"""Hop *name* (pure): one MQTT message → readings. In: topic, payload, receive time. Out: `MappedMessage` or `Rejected`.

A message that cannot be understood at all is `Rejected`; one bad value in a good message is listed beside the rest.
No input whatever raises anything else. What is remembered from one message to the next is metadata, and what named the
last observation of a signal.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from edge.mapping_rule import Each, Route, Rule, Target
from edge.mapping_settings import MqttTopic
from edge.metadata import Metadata, topic_filter
from edge.place import Element
from edge.pointer import Json
from edge.timestamps import is_sane
from twin.errors import Rejected
from twin.wire.reading import Quality, Reading

__all__ = ["MOST_BYTES", "Incoming", "MappedMessage", "TopicMapping", "topic_filter"]

MOST_BYTES = 1 << 20  # of one payload
MOST_READINGS = 50_000  # of one message
MOST_TOPIC = 1000  # characters
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
    described: int | None = None  # of how many elements it was the metadata


class _Known(NamedTuple):
    """What a topic is for."""

    routes: tuple[Route, ...]
    metadata: tuple[Metadata, ...]


class TopicMapping:
    """All the rules of one MQTT source."""

    def __init__(self, topics: Sequence[MqttTopic], handles: Mapping[str, int]) -> None:
        self.rules: tuple[Rule, ...] = tuple(Rule(topic, handles) for topic in topics)
        self._metadata = tuple(rule.metadata for rule in self.rules if rule.metadata)
        self._topics: dict[str, _Known] = {}
        self.learnt: dict[str, bytes] = {}  # topic → payload of the metadata that is known

    def subscriptions(self) -> list[tuple[str, int]]:
        """Topic filters and their QoS, each once; metadata first, so that it comes before what it describes."""
        wanted: dict[str, int] = {topic_filter(one.settings.topic): 1 for one in self._metadata}
        for rule in self.rules:
            name = topic_filter(rule.settings.topic)
            wanted[name] = max(rule.settings.qos, wanted.get(name, 0))
        return list(wanted.items())

    def feeds(self, topic: str) -> frozenset[int]:
        """Every signal that a message on this topic can be of; none when it is not configured."""
        return frozenset(handle for route in self._routes(topic) for handle in route.handles)

    def is_described(self, topic: str) -> bool:
        """Whether the metadata has come without which values on this topic have no names."""
        joins = [(route.rule.metadata, route.captured) for route in self._routes(topic)]
        return all(join is None or not join.settings.gives or join.has_come(known) for join, known in joins)

    def _routes(self, topic: str) -> tuple[Route, ...]:
        try:
            return (self._topics.get(topic) or self._find(topic)).routes
        except Rejected:
            return ()

    def read(self, message: Incoming) -> MappedMessage:
        """The readings of one message.

        Raises:
            Rejected: when nothing of it can be used.
        """
        if len(message.payload) > MOST_BYTES:
            raise Rejected("too-large", f"{len(message.payload)} bytes; at most {MOST_BYTES} are read")
        known = self._topics.get(message.topic) or self._find(message.topic)
        result = MappedMessage()
        if known.metadata:
            result.described = self.learn(message.topic, message.payload)
        if known.routes:
            _read(known.routes, message, result)
        return result

    def learn(self, topic: str, payload: bytes) -> int:
        """Take over metadata; see `Metadata.learn`.

        Raises:
            Rejected: when it cannot be used.
        """
        described = sum(one.learn(topic, payload) for one in self._metadata if one.is_meant(topic))
        self.learnt.pop(topic, None)
        if payload:
            self.learnt[topic] = payload
        return described

    def _find(self, topic: str) -> _Known:
        if len(topic) > MOST_TOPIC:
            raise Rejected("unknown-topic", f"a topic of {len(topic)} characters; at most {MOST_TOPIC} are read")
        routes = tuple(route for rule in self.rules if (route := rule.route(topic)))
        metadata = tuple(one for one in self._metadata if one.is_meant(topic))
        if not routes and not metadata:
            raise Rejected("unknown-topic", "no signal is configured for this topic")
        if len(self._topics) >= MOST_ROUTES:
            self._topics.clear()
        self._topics[topic] = _Known(routes, metadata)
        return self._topics[topic]


def _read(routes: Sequence[Route], message: Incoming, result: MappedMessage) -> None:
    result.handles = routes[0].handles
    if len(routes) > 1:
        result.handles = tuple({handle for route in routes for handle in route.handles})
    found = False
    for route in routes:
        found = _read_route(route, message, result) or found
    if not found and not any(route.rule.settings.partial for route in routes):
        raise Rejected("no-value", "none of the configured values stands in the message")


def _read_route(route: Route, message: Incoming, result: MappedMessage) -> bool:
    """Add what one rule reads; whether it found anything that is configured, or is not meant for such a message."""
    rule = route.rule
    document = rule.document(message.payload)
    if rule.sequence is not None:
        number = rule.sequence.find(Element((document,), (), ()))
        result.sequence = number if isinstance(number, int) else None
    found = False
    for each in route.each:
        for trail, words in each.pointer.all(document):
            element = Element(trail, each.pointer.captures, words)
            if rule.when and not rule.is_meant(element):
                found = True
                continue
            for target in _targets(route, each, element, words, result):
                for raw in [None] if each.bad else target.value.of(element):
                    found = True
                    _add(rule, target, raw, element, each.bad, message, result)
            if len(result.readings) + len(result.rejected) > MOST_READINGS:
                raise Rejected("too-large", f"more than {MOST_READINGS} values in one message")
    return found


def _targets(
    route: Route, each: Each, element: Element, words: tuple[str, ...], result: MappedMessage
) -> Sequence[Target]:
    """The signals that the element is for."""
    metadata = route.rule.metadata
    if metadata is None:
        return route.targets.get(tuple(words[pick] for pick in each.picks), ())
    known = {**route.captured, **dict(zip(each.pointer.captures, words, strict=True))}
    entry = metadata.entry(known)
    if entry is not None:
        element.more = {**entry.words, "unit": entry.unit} if entry.unit else entry.words
    elif metadata.settings.gives:
        if not metadata.has_come(known):
            raise Rejected("no-metadata", f"no metadata has come on {metadata.settings.topic}, which says what is what")
        result.rejected.append(
            Rejected("unknown-element", f"the metadata does not know {words[-1] if words else '?'!r}")
        )
        return ()
    known.update(element.more)
    return route.targets.get(tuple(known[name] for name in route.rule.settings.deciding), ())


def _add(
    rule: Rule, target: Target, raw: Json, element: Element, bad: bool, message: Incoming, result: MappedMessage
) -> None:
    try:
        reading = _reading(rule, target, raw, element, bad, message)
    except Rejected as error:
        result.rejected.append(Rejected(error.reason, f"{target.path}: {error}"))
        return
    if not rule.dedup or not rule.is_repeated(element, target.handle):
        result.readings.append(reading)


def _reading(rule: Rule, target: Target, raw: Json, element: Element, bad: bool, message: Incoming) -> Reading:
    source_ns = element.time(target.time) if target.time else 0
    said = Quality.BAD if bad else rule.quality_of(element)
    try:
        value, quality = target.convert(raw, target.unit.text(element) if target.unit else "")
    except Rejected:
        if said != Quality.BAD:
            raise
        value, quality = "" if target.is_text else math.nan, Quality.BAD  # a bad value need not be one
    quality = max(quality, said)
    if not source_ns:
        source_ns = message.received_ns
        if message.retained:
            quality = max(quality, Quality.UNCERTAIN) | Quality.TIME_ADJUSTED
        elif target.time and not target.time.optional:
            quality |= Quality.TIME_ADJUSTED
    elif not is_sane(source_ns, message.received_ns):
        source_ns = message.received_ns
        quality |= Quality.TIME_ADJUSTED
    return Reading(target.handle, source_ns, value, quality, 0, message.received_ns)
