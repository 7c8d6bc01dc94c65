"""`twin edge map`: what a message would give, and why not more. In: settings, a message. Out: a `Trial` per source."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from edge.config import AgentSettings, SignalFeed, node_schema, signals_of
from edge.mapping import Incoming, MappedMessage, TopicMapping
from edge.mapping_rule import Route
from edge.place import Element
from edge.pointer import Json
from edge.sources.mqtt_settings import MqttSettings
from edge.steps import plain_text
from twin.errors import Rejected

MOST_LISTED = 50  # things that nobody wanted


@dataclass(slots=True)
class Trial:
    """What one source makes of a message."""

    source: str
    mapped: MappedMessage | None = None
    refused: Rejected | None = None
    why_not: list[str] = field(default_factory=list[str])  # per kind of message: why the topic is not meant
    without: list[str] = field(default_factory=list[str])  # signals of this topic of which the message says nothing
    unmapped: list[str] = field(default_factory=list[str])  # what the message says beside


class Trials:
    """All MQTT sources of an agent, as if they had just started."""

    def __init__(self, settings: AgentSettings) -> None:
        entries = node_schema(settings).entries
        self.feeds: list[SignalFeed] = [feed for source in settings.sources for feed in signals_of(source)]
        handles = {entry.path: entry.handle for entry in entries}
        self._mappings = [
            (source.name, TopicMapping(source.topics, handles))
            for source in settings.sources
            if isinstance(source, MqttSettings)
        ]

    @property
    def sources(self) -> Sequence[str]:
        """The names of the MQTT sources."""
        return [name for name, _ in self._mappings]

    def learn(self, topic: str, payload: bytes) -> int:
        """Take over a message of metadata; of how many elements it tells.

        Raises:
            Rejected: when it cannot be used.
        """
        return sum(mapping.learn(topic, payload) for _, mapping in self._mappings)

    def read(self, message: Incoming) -> list[Trial]:
        """What each source makes of the message."""
        return [self._try(name, mapping, message) for name, mapping in self._mappings]

    def _try(self, name: str, mapping: TopicMapping, message: Incoming) -> Trial:
        trial = Trial(name)
        try:
            trial.mapped = mapping.read(message)
        except Rejected as error:
            trial.refused = error
        routes = [route for rule in mapping.rules if (route := rule.route(message.topic))]
        if not routes and not (trial.mapped and trial.mapped.described is not None):
            trial.why_not = [f"{rule.settings.topic}: {rule.why_not(message.topic)}" for rule in mapping.rules]
        told = {reading.handle for reading in trial.mapped.readings} if trial.mapped else set[int]()
        told |= {self._handle_of(error) for error in trial.mapped.rejected} if trial.mapped else set[int]()
        wanted = sorted({handle for route in routes for handle in route.handles})
        trial.without = [self.feeds[handle].path for handle in wanted if handle not in told]
        trial.unmapped = list(dict.fromkeys(self._unmapped(routes, message)))[:MOST_LISTED]
        return trial

    def _handle_of(self, error: Rejected) -> int:
        path = str(error).partition(":")[0]
        return next((handle for handle, feed in enumerate(self.feeds) if feed.path == path), -1)

    @staticmethod
    def _unmapped(routes: Sequence[Route], message: Incoming) -> Iterator[str]:
        for route in routes:
            try:
                document = route.rule.document(message.payload)
            except Rejected:
                continue
            yield from _unwanted(route, document)


def _unwanted(route: Route, document: Json) -> Iterator[str]:
    """What an `each` finds and no signal asks for: the captured words and the value."""
    for each in route.each:
        names = each.pointer.captures
        if not names or each.bad:
            continue
        for found in each.pointer.all(document):
            element = Element(found.trail, names, found.words)
            known = {**route.captured, **dict(zip(names, found.words, strict=True))}
            entry = route.rule.metadata.entry(known) if route.rule.metadata else None
            known.update(entry.words if entry else {})
            key = tuple(known.get(name, "") for name in route.rule.settings.deciding)
            if key not in route.targets and (not route.rule.when or route.rule.is_meant(element)):
                words = " ".join(known[name] for name in route.rule.settings.element_captures if name in known)
                yield f"{words} = {_shown(element.value)}"


def _shown(value: Json) -> str:
    text = plain_text(value)
    if text is None:
        return "null" if value is None else "[…]" if isinstance(value, list) else "{…}"
    return text if len(text) <= 60 else f"{text[:60]}…"
