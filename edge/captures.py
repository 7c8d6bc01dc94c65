"""Hop *name*: text with captures: ``m{number}``, ``{component}:{id}``, ``{line:[A-Z]+[0-9]}``.

In: what a level of a topic, a key or a value is said to look like. Out: the captured words of a text that looks so.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

ANYTHING = "[^/]+"
CAPTURE = re.compile(r"\{([a-z][a-z0-9_]*)(?::((?:[^{}]|\{[0-9,]+\})+))?\}")
_REST = re.compile(r"\{([a-z][a-z0-9_]*)\.\.\.\}")
_LEVELS = re.compile(r"/(?![^{}]*(?:\{[0-9,]+\}[^{}]*)*\})")


class Capture(NamedTuple):
    """One place that takes whatever fits its regular expression."""

    name: str
    pattern: str


class Wording:
    """Text and captures in turn, compiled."""

    def __init__(self, pieces: Sequence[str | Capture]) -> None:
        self._pieces = tuple(pieces)
        self.captures: tuple[str, ...] = tuple(piece.name for piece in pieces if isinstance(piece, Capture))
        self.literal: str | None = None if self.captures else "".join(map(str, pieces))
        self.expression: str = "".join(map(_expression, self._pieces))
        self._compiled = _compiled(self.expression)

    @classmethod
    def parse(cls, text: str, anything: str = ANYTHING) -> "Wording":
        """Compile a text.

        Raises:
            ValueError: when a regular expression in it is none, or a brace is left over.
        """
        parts = CAPTURE.split(text)  # text, name, expression, text, name, … text
        if any(brace in part for part in parts[::3] for brace in "{}"):
            raise ValueError(f"{text!r}: a brace is left over; a capture is {{name}} or {{name:regular expression}}")
        pieces: list[str | Capture] = []
        for index in range(0, len(parts), 3):
            if parts[index]:
                pieces.append(parts[index])
            if index + 2 < len(parts):
                pieces.append(Capture(parts[index + 1], parts[index + 2] or anything))
        return cls(pieces)

    def bind(self, known: Mapping[str, str]) -> "Wording":
        """With the captures that are known put in, as the text that they are."""
        bound = [known.get(piece.name, piece) if isinstance(piece, Capture) else piece for piece in self._pieces]
        return Wording(bound)

    def match(self, text: str) -> tuple[str, ...] | None:
        """The captured words, None when the text looks different."""
        if self.literal is not None:
            return () if text == self.literal else None
        found = self._compiled.fullmatch(text)
        return None if found is None else tuple(found[name] for name in self.captures)


def names(text: str) -> tuple[str, ...]:
    """The names of the captures in a text, ``{rest...}`` included, in order."""
    return tuple(found[1] for found in CAPTURE.finditer(_REST.sub(r"{\1}", text)))


def substitute(text: str, values: Mapping[str, str]) -> str:
    """Put the values into the ``{name}`` places; unknown names stay."""
    return CAPTURE.sub(lambda found: values.get(found[1], found[0]), text)


def levels(topic: str) -> list[str]:
    """The levels of a topic; a slash within a capture does not separate."""
    return _LEVELS.split(topic)


def rest_name(text: str) -> str | None:
    """The name in ``{name...}``, when the text is nothing else."""
    found = _REST.fullmatch(text)
    return found[1] if found else None


def _expression(piece: str | Capture) -> str:
    return f"(?P<{piece.name}>{piece.pattern})" if isinstance(piece, Capture) else re.escape(piece)


def _compiled(expression: str) -> re.Pattern[str]:
    try:
        return re.compile(expression, re.DOTALL)
    except re.error as error:
        raise ValueError(f"{expression!r} is not a regular expression: {error}") from error
