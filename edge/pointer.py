"""Hop *name*: where in a JSON document a value stands. In: a parsed document. Out: the values found, with captures.

A JSON pointer (RFC 6901), and three more kinds of step: ``*`` every element, ``[key=value]`` the elements of an array
whose key has the value, ``{name}`` every element, capturing its key (or index).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

Json = object  # what the JSON parser makes: dict, list, str, int, float, bool, None
Found = tuple[Json, tuple[str, ...]]

CAPTURE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_SELECT = re.compile(r"\[([^=\]]+)=([^\]]*)\]")


class Missing:
    """The type of `MISSING`."""

    def __repr__(self) -> str:
        return "missing"


MISSING = Missing()


@dataclass(frozen=True, slots=True)
class _Key:
    name: str

    def step(self, value: Json) -> Iterator[Found]:
        found = _member(value, self.name)
        if found is not MISSING:
            yield found, ()


@dataclass(frozen=True, slots=True)
class _Every:
    capturing: bool

    def step(self, value: Json) -> Iterator[Found]:
        if isinstance(value, dict):
            members = cast("dict[str, Json]", value).items()
        elif isinstance(value, list):
            members = ((str(index), element) for index, element in enumerate(cast("list[Json]", value)))
        else:
            return
        for key, element in members:
            yield element, ((key,) if self.capturing else ())


@dataclass(frozen=True, slots=True)
class _Select:
    key: str
    value: str

    def step(self, value: Json) -> Iterator[Found]:
        if isinstance(value, list):
            for element in cast("list[Json]", value):
                if _plain_text(_member(element, self.key)) == self.value:
                    yield element, ()


class Pointer:
    """A compiled pointer; `captures` are the names of its ``{…}`` steps in order."""

    def __init__(self, text: str) -> None:
        """Compile.

        Raises:
            ValueError: when the text is no pointer.
        """
        self.text: str = text
        if text and not text.startswith("/"):
            raise ValueError(f"{text!r} is not a JSON pointer; it must be empty or begin with /")
        parts = _split(text)
        self.captures: tuple[str, ...] = tuple(m[1] for m in map(CAPTURE.fullmatch, parts) if m)
        if len(set(self.captures)) < len(self.captures):
            raise ValueError(f"{text!r} captures the same name twice")
        self._steps: tuple[_Key | _Every | _Select, ...] = tuple(map(_compile, parts))
        plain = [step.name for step in self._steps if isinstance(step, _Key)]
        self._plain: tuple[str, ...] | None = tuple(plain) if len(plain) == len(self._steps) else None

    def first(self, document: Json) -> Json:
        """The first value found, or `MISSING`."""
        if self._plain is None:
            return next((value for value, _ in self.all(document)), MISSING)
        for name in self._plain:
            document = _member(document, name)
            if document is MISSING:
                break
        return document

    def all(self, document: Json) -> Iterator[Found]:
        """Every value found, with the captured keys."""
        if self._plain is not None:
            value = self.first(document)
            return iter(()) if value is MISSING else iter(((value, ()),))
        return self._walk(document, 0, ())

    def values(self, document: Json) -> Sequence[Json]:
        """Every value found, without the captured keys."""
        if self._plain is not None:
            value = self.first(document)
            return () if value is MISSING else (value,)
        return [value for value, _ in self._walk(document, 0, ())]

    def _walk(self, value: Json, depth: int, captured: tuple[str, ...]) -> Iterator[Found]:
        if depth == len(self._steps):
            yield value, captured
            return
        for found, key in self._steps[depth].step(value):
            yield from self._walk(found, depth + 1, captured + key)


def _split(text: str) -> Sequence[str]:
    """The steps; a slash inside ``[…]`` does not separate."""
    return [part[1:] for part in re.findall(r"/(?:\[[^\]]*\]|[^/])*", text)]


def _compile(part: str) -> _Key | _Every | _Select:
    if part == "*":
        return _Every(capturing=False)
    if CAPTURE.fullmatch(part):
        return _Every(capturing=True)
    select = _SELECT.fullmatch(part)
    if select:
        return _Select(select[1], select[2])
    if part.startswith(("[", "{")):
        raise ValueError(f"step {part!r} is not understood; write [key=value], {{name}}, * or a key")
    return _Key(part.replace("~1", "/").replace("~0", "~"))


def _member(value: Json, name: str) -> Json:
    if isinstance(value, dict):
        return cast("dict[str, Json]", value).get(name, MISSING)
    if isinstance(value, list) and name.isascii() and name.isdigit() and len(name) < 8:
        elements = cast("list[Json]", value)
        index = int(name)
        return elements[index] if index < len(elements) else MISSING
    return MISSING


def _plain_text(value: Json) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None
