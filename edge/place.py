"""Hop *name*: where something that belongs to a value stands: its time, quality, unit. In: an element. Out: JSON.

It is looked for in the element first, then in what lies around it, from the inside outwards to the whole message; so a
time per value, per group and per message are all written alike.
"""

from collections.abc import Mapping, Sequence
from datetime import tzinfo

from edge.captures import rest_name, substitute
from edge.pointer import MISSING, Json, Pointer, Trail
from edge.steps import plain_text
from edge.timestamps import TimeFormat, timestamp_ns


class Element:
    """One element of a message, with all that it lies in and what was captured on the way to it."""

    __slots__ = ("_names", "_source_ns", "_time", "_words", "more", "trail", "value")

    def __init__(self, trail: Trail, names: Sequence[str], words: Sequence[str]) -> None:
        self.value: Json = trail[-1]
        self.trail = trail
        self._names = names
        self._words = words
        self.more: Mapping[str, str] = {}  # what metadata says of it
        self._time: SourceTime | None = None
        self._source_ns = 0

    def word(self, name: str) -> str | None:
        """What was captured under that name."""
        if name in self._names:
            return self._words[self._names.index(name)]
        return self.more.get(name)

    def time(self, time: "SourceTime") -> int:
        """Nanoseconds UTC, 0 when there is none; read once for all values that ask for the same time."""
        if time is not self._time:
            self._source_ns = time.read(self)
            self._time = time
        return self._source_ns


class Place:
    """Pointers, or ``{names}`` of captured words; the first that leads to something but null."""

    def __init__(self, texts: Sequence[str], known: Mapping[str, str] | None = None) -> None:
        """Compile; `known` are the captures that are the same for every element."""
        known = known or {}
        self._words = tuple(substitute(text, known) for text in texts if not text.startswith("/") and text)
        self._pointers = tuple(Pointer(text).bind(known) for text in texts if text.startswith("/") or not text)

    def find(self, element: Element) -> Json:
        """What stands there, or `MISSING`."""
        for word in self._words:
            found = element.word(word[1:-1]) if word.startswith("{") else word
            if found is not None:
                return found
        for around in element.trail[::-1]:
            for pointer in self._pointers:
                value = pointer.first(around)
                if value is not MISSING and value is not None:
                    return value
        return MISSING

    def text(self, element: Element) -> str:
        """What stands there as text; empty when there is none."""
        found = self.find(element)
        return "" if found is MISSING else plain_text(found) or ""


class SourceTime:
    """Where the source time stands, and how it is written."""

    def __init__(self, place: Place, time_format: TimeFormat, zone: tzinfo, *, optional: bool) -> None:
        self.optional: bool = optional
        self._place = place
        self._format: TimeFormat = time_format
        self._zone = zone

    def read(self, element: Element) -> int:
        """Nanoseconds UTC, 0 when the message has no time."""
        value = self._place.find(element)
        return 0 if value is MISSING else timestamp_ns(value, self._format, self._zone)


def is_place(text: str) -> str:
    """Check a text that names a place.

    Raises:
        ValueError: when it is neither a pointer nor a ``{name}``.
    """
    if text and not text.startswith("/"):
        if rest_name(text) or not (text.startswith("{") and text.endswith("}")):
            raise ValueError(
                f"{text!r} is not a JSON pointer; it must be empty or begin with /, or be a captured {{name}}"
            )
        return text
    Pointer(text)
    return text
