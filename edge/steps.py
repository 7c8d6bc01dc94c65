"""Hop *name*: the steps of a pointer. In: a value within a JSON document. Out: what lies one step below, with captures.

A step gives for each value found the way to it (its ancestors below the present value, and itself) and the words that
it captured.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, cast

from edge.captures import Wording

Json = object  # what the JSON parser makes: dict, list, str, int, float, bool, None
Trail = tuple[Json, ...]
Below = tuple[Trail, tuple[str, ...]]


class Missing:
    """The type of `MISSING`."""

    def __repr__(self) -> str:
        return "missing"


MISSING = Missing()


class Step(Protocol):
    """One step."""

    @property
    def captures(self) -> tuple[str, ...]:
        """The names that it captures."""
        ...

    def step(self, value: Json) -> Iterator[Below]:
        """What lies below."""
        ...

    def bind(self, known: Mapping[str, str]) -> "Step":
        """With the known captures put in."""
        ...


@dataclass(frozen=True, slots=True)
class Key:
    """``key``: the member of that name, or the element of that index."""

    name: str

    @property
    def captures(self) -> tuple[str, ...]:
        """None."""
        return ()

    def step(self, value: Json) -> Iterator[Below]:
        """The one value."""
        found = member(value, self.name)
        if found is not MISSING:
            yield (found,), ()

    def bind(self, known: Mapping[str, str]) -> Step:
        """Itself."""
        return self


@dataclass(frozen=True, slots=True)
class Every:
    """``*``: every member or element."""

    @property
    def captures(self) -> tuple[str, ...]:
        """None."""
        return ()

    def step(self, value: Json) -> Iterator[Below]:
        """All of them."""
        for _, element in _members(value):
            yield (element,), ()

    def bind(self, known: Mapping[str, str]) -> Step:
        """Itself."""
        return self


@dataclass(frozen=True, slots=True)
class KeyLike:
    """``{name}``, ``{a}:{b}``: every member whose key looks so."""

    wording: Wording

    @property
    def captures(self) -> tuple[str, ...]:
        """Of the key."""
        return self.wording.captures

    def step(self, value: Json) -> Iterator[Below]:
        """Those whose key looks so."""
        for key, element in _members(value):
            words = self.wording.match(key)
            if words is not None:
                yield (element,), words

    def bind(self, known: Mapping[str, str]) -> Step:
        """A plain key when nothing is left to capture."""
        bound = self.wording.bind(known)
        return KeyLike(bound) if bound.literal is None else Key(bound.literal)


@dataclass(frozen=True, slots=True)
class Select:
    """``[key=value]``: the elements of an array whose key has the value, or the object itself if it has."""

    key: str
    wording: Wording

    @property
    def captures(self) -> tuple[str, ...]:
        """Of the value."""
        return self.wording.captures

    def step(self, value: Json) -> Iterator[Below]:
        """Those whose key has the value."""
        if isinstance(value, list):
            for element in cast("list[Json]", value):
                words = self._words(element)
                if words is not None:
                    yield (element,), words
        else:
            words = self._words(value)
            if words is not None:
                yield (), words

    def bind(self, known: Mapping[str, str]) -> Step:
        """With the value that is known."""
        return replace(self, wording=self.wording.bind(known))

    def _words(self, element: Json) -> tuple[str, ...] | None:
        text = None if isinstance(element, list) else plain_text(member(element, self.key))
        return None if text is None else self.wording.match(text)


@dataclass(frozen=True, slots=True)
class Descend:
    """``**``: the value itself and every object and array in it, at any depth.

    Without `elements` objects in an array are not given for themselves: the step behind looks into the array anyway.
    """

    elements: bool = True

    @property
    def captures(self) -> tuple[str, ...]:
        """None."""
        return ()

    def step(self, value: Json) -> Iterator[Below]:
        """From the outside inwards, in the order of the document."""
        waiting: list[tuple[Trail, bool]] = [((), True)]
        while waiting:
            trail, is_given = waiting.pop()
            if is_given:
                yield trail, ()
            here: Json = trail[-1] if trail else value
            inside = [element for _, element in _members(here)]
            give = self.elements or not isinstance(here, list)
            for element in reversed(inside):
                if isinstance(element, dict | list):
                    found: Json = cast("Json", element)
                    waiting.append(((*trail, found), give or isinstance(found, list)))

    def bind(self, known: Mapping[str, str]) -> Step:
        """Itself."""
        return self


@dataclass(frozen=True, slots=True)
class Flatten:
    """``{name...}``: every leaf below, capturing the keys on the way, joined; arrays add no word.

    Without `stop_at` whatever is no object is a leaf. With it the leaves are the objects that have one of these keys.
    """

    name: str
    separator: str
    stop_at: tuple[str, ...]

    @property
    def captures(self) -> tuple[str, ...]:
        """The one name."""
        return (self.name,)

    def named(self, name: str) -> "Flatten":
        """The same for another name."""
        return replace(self, name=name)

    def step(self, value: Json) -> Iterator[Below]:
        """The leaves in the order of the document."""
        waiting: list[tuple[Trail, str]] = [((), "")]
        while waiting:
            trail, path = waiting.pop()
            here = trail[-1] if trail else value
            if trail and self._is_leaf(here):
                yield trail, (path,)
            elif isinstance(here, dict):
                below = cast("dict[str, Json]", here)
                prefix = f"{path}{self.separator}" if path else ""
                waiting += [((*trail, element), prefix + key) for key, element in reversed(list(below.items()))]
            elif isinstance(here, list) and self.stop_at:
                waiting += [((*trail, element), path) for element in reversed(cast("list[Json]", here))]

    def bind(self, known: Mapping[str, str]) -> Step:
        """Itself: leaves are told apart when they are found."""
        return self

    def _is_leaf(self, value: Json) -> bool:
        if not self.stop_at:
            return not isinstance(value, dict)
        if isinstance(value, dict):
            for key in self.stop_at:
                if key in value:
                    return True
        return False


def member(value: Json, name: str) -> Json:
    """The member of that name or the element of that index, or `MISSING`."""
    if isinstance(value, dict):
        return cast("dict[str, Json]", value).get(name, MISSING)
    if isinstance(value, list) and name.isascii() and name.isdigit() and len(name) < 8:
        elements = cast("list[Json]", value)
        index = int(name)
        return elements[index] if index < len(elements) else MISSING
    return MISSING


def plain_text(value: Json) -> str | None:
    """How a text, number or truth value is written in a configuration; None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None


def _members(value: Json) -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict):
        yield from cast("dict[str, Json]", value).items()
    elif isinstance(value, list):
        for index, element in enumerate(cast("list[Json]", value)):
            yield str(index), element
