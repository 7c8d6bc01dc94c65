"""Hop *name*: where in a JSON document a value stands. In: a parsed document. Out: the values found, with captures.

A JSON pointer (RFC 6901), and more kinds of step: ``*`` every element, ``{name}`` every element, capturing its key (or
index; ``{a}:{b}`` parts of it), ``[key=value]`` the elements whose key has the value (``[key={name}]`` captures it),
``**`` any depth, and at the end ``{name...}`` every leaf below, capturing the keys on the way to it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, cast

from edge.captures import Wording, rest_name
from edge.steps import MISSING, Descend, Every, Flatten, Json, Key, KeyLike, Missing, Select, Step, Trail, member

__all__ = ["MISSING", "Found", "Json", "Missing", "Pointer", "Trail"]

_BRACES = r"\{(?:[^{}]|\{[0-9,]+\})*\}"
_PART = re.compile(rf"/((?:\[(?:{_BRACES}|[^\]])*\]|{_BRACES}|[^/])*)")
_SELECT = re.compile(rf"\[([^=\]]+)=((?:{_BRACES}|[^\]])*)\]")


class Found(NamedTuple):
    """One value: all that it lies in, the document first and itself last, and the captured words."""

    trail: Trail
    words: tuple[str, ...]


class Pointer:
    """A compiled pointer; `captures` are the names that it captures, in order."""

    def __init__(self, text: str, *, separator: str = "/", stop_at: Sequence[str] = ()) -> None:
        """Compile; `separator` and `stop_at` are those of ``{name...}``.

        Raises:
            ValueError: when the text is no pointer.
        """
        if text and not text.startswith("/"):
            raise ValueError(f"{text!r} is not a JSON pointer; it must be empty or begin with /")
        flatten = Flatten("", separator, tuple(stop_at))
        self._build(text, _steps([_step(part, flatten) for part in _PART.findall(text)]))
        if len(set(self.captures)) < len(self.captures):
            raise ValueError(f"{text!r} captures the same name twice")
        if sum(isinstance(step, Descend | Flatten) for step in self._steps) > 1:
            raise ValueError(f"{text!r} goes to any depth twice; once is enough")
        if any(isinstance(step, Flatten) for step in self._steps[:-1]):
            raise ValueError(f"{text!r}: {{name...}} stands for all that is left; it must be the last step")

    def _build(self, text: str, steps: tuple[Step, ...]) -> None:
        self.text: str = text
        self._steps: tuple[Step, ...] = steps
        self.captures: tuple[str, ...] = tuple(name for step in steps for name in step.captures)
        plain = [step.name for step in steps if isinstance(step, Key)]
        self._plain: tuple[str, ...] | None = tuple(plain) if len(plain) == len(steps) else None

    def bind(self, known: Mapping[str, str]) -> "Pointer":
        """With the captures that are known put in, whatever characters they hold."""
        if not any(name in known for name in self.captures):
            return self
        bound = object.__new__(Pointer)
        bound._build(self.text, tuple(step.bind(known) for step in self._steps))
        return bound

    def first(self, document: Json) -> Json:
        """The first value found, or `MISSING`."""
        if self._plain is None:
            return next((found.trail[-1] for found in self.all(document)), MISSING)
        for name in self._plain:
            if isinstance(document, dict):  # what `member` does first; here it counts
                document = cast("dict[str, Json]", document).get(name, MISSING)
            else:
                document = member(document, name)
            if document is MISSING:
                break
        return document

    def all(self, document: Json) -> Iterator[Found]:
        """Every value found."""
        if not self._steps:
            return iter((Found((document,), ()),))
        return self._walk((document,), 0, ())

    def values(self, document: Json) -> Sequence[Json]:
        """Every value found, and nothing else of it."""
        if self._plain is not None:
            value = self.first(document)
            return () if value is MISSING else (value,)
        return [found.trail[-1] for found in self.all(document)]

    def count(self, document: Json) -> Json:
        """How many values are found; `MISSING` when there is not even the place where they could stand."""
        if not self._steps:
            return 1
        around = object.__new__(Pointer)
        around._build(self.text, self._steps[:-1])
        return MISSING if around.first(document) is MISSING else len(self.values(document))

    def _walk(self, trail: Trail, depth: int, words: tuple[str, ...]) -> Iterator[Found]:
        if depth == len(self._steps):
            yield Found(trail, words)
            return
        for more, captured in self._steps[depth].step(trail[-1]):
            yield from self._walk(trail + more, depth + 1, words + captured)


def _step(part: str, flatten: Flatten) -> Step:
    if part == "*":
        return Every()
    if part == "**":
        return Descend()
    rest = rest_name(part)
    if rest is not None:
        return flatten.named(rest)
    select = _SELECT.fullmatch(part)
    if select:
        return Select(select[1], Wording.parse(select[2], ".+"))
    if part.startswith("["):
        raise ValueError(f"step {part!r} is not understood; write [key=value], [key={{name}}], {{name}}, * or a key")
    if "{" in part:
        return KeyLike(Wording.parse(part.replace("~1", "/").replace("~0", "~"), ".+"))
    return Key(part.replace("~1", "/").replace("~0", "~"))


def _steps(steps: list[Step]) -> tuple[Step, ...]:
    """What ``**`` passes over is what the next step finds by itself."""
    for index, (step, after) in enumerate(pairwise(steps)):
        if isinstance(step, Descend) and isinstance(after, Select):
            steps[index] = Descend(elements=False)
    return tuple(steps)
