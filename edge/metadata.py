"""Hop *name*: metadata that devices publish as messages of their own. In: such a message. Out: what elements mean.

Siemens Industrial Edge says only ids with its values, Zigbee2MQTT and MTConnect no units: names and units stand in a
retained message on another topic. It is remembered until the next one on the same topic replaces it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pydantic_core import from_json

from edge.captures import Wording, levels, names, rest_name
from edge.mapping_parts import JoinWith
from edge.pointer import MISSING, Json, Pointer
from edge.steps import plain_text
from twin.errors import Rejected

MOST_ENTRIES = 100_000  # of all topics of one join


class Entry(NamedTuple):
    """What the metadata says of one element."""

    words: Mapping[str, str]
    unit: str


class Metadata:
    """The metadata of one kind of message.

    Args:
        settings: where it stands.
        known: what the data captures, by topic and element.
    """

    def __init__(self, settings: JoinWith, known: Sequence[str]) -> None:
        self.settings: JoinWith = settings
        self._pattern = re.compile(topic_pattern(settings.topic), re.DOTALL)
        self._each = tuple(Pointer(text) for text in settings.each)
        self._gives = {name: Pointer(text) for name, text in settings.gives.items()}
        self._unit = Pointer(settings.unit) if settings.unit else None
        captured = {*names(settings.topic), *(name for pointer in self._each for name in pointer.captures)}
        self._shared = tuple(name for name in known if name in captured)
        self._tables: dict[str, dict[tuple[str, ...], Entry]] = {}
        self._captured: dict[str, dict[str, str]] = {}  # from the topic of each table

    def is_meant(self, topic: str) -> bool:
        """Whether a topic carries this metadata."""
        return self._pattern.fullmatch(topic) is not None

    def learn(self, topic: str, payload: bytes) -> int:
        """Replace what was known from this topic; an empty payload forgets it.

        Returns:
            How many elements are described.

        Raises:
            Rejected: when it is no JSON, or too much.
        """
        match = self._pattern.fullmatch(topic)
        if match is None or not payload:
            self._tables.pop(topic, None)
            self._captured.pop(topic, None)
            return 0
        try:
            document: Json = from_json(payload, allow_inf_nan=False)
        except ValueError as error:
            raise Rejected("malformed", f"the metadata is not JSON: {str(error)[:200]}") from error
        table: dict[tuple[str, ...], Entry] = {}
        for pointer in self._each:
            self._take(pointer, document, match.groupdict(), table)
        others = sum(len(known) for name, known in self._tables.items() if name != topic)
        if len(table) + others > MOST_ENTRIES:
            raise Rejected("too-large", f"metadata of more than {MOST_ENTRIES:,} elements")
        self._tables[topic] = table
        self._captured[topic] = match.groupdict()
        return len(table)

    def entry(self, known: Mapping[str, str]) -> Entry | None:
        """What is known of the element with these captures, None when nothing is."""
        key = tuple(known[name] for name in self._shared)
        for table in self._tables.values():
            found = table.get(key)
            if found is not None:
                return found
        return None

    def has_come(self, known: Mapping[str, str]) -> bool:
        """Whether there is metadata at all on the topic that belongs to these captures."""
        return any(all(known.get(name, word) == word for name, word in own.items()) for own in self._captured.values())

    def _take(
        self, pointer: Pointer, document: Json, captured: Mapping[str, str], table: dict[tuple[str, ...], Entry]
    ) -> None:
        for found in pointer.all(document):
            words = {**captured, **dict(zip(pointer.captures, found.words, strict=True))}
            if any(name not in words for name in self._shared):
                continue
            gives = {name: plain_text(place.first(found.trail[-1])) for name, place in self._gives.items()}
            if any(word is None for word in gives.values()):
                continue
            unit = self._unit.first(found.trail[-1]) if self._unit else MISSING
            key = tuple(words[name] for name in self._shared)
            told = {name: word for name, word in gives.items() if word is not None}
            table[key] = Entry(told, unit if isinstance(unit, str) else "")


def topic_filter(topic: str) -> str:
    """What to subscribe for a topic with captures."""
    wanted: list[str] = []
    for level in levels(topic):
        if rest_name(level) is not None or level == "#":
            wanted.append("#")
            break
        wanted.append(level if level == "+" or Wording.parse(level).literal is not None else "+")
    return "/".join(wanted)


def topic_pattern(topic: str) -> str:
    """The regular expression of the topics that are meant."""
    return "/".join(map(_level, levels(topic)))


def _level(level: str) -> str:
    rest = rest_name(level)
    if rest is not None:
        return f"(?P<{rest}>.+)"
    if level in ("#", "+"):
        return ".*" if level == "#" else "[^/]*"
    return Wording.parse(level).expression
