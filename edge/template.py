"""Hop *name*: one line of configuration that stands for many signals. In: templates with ``{captures}``. Out: paths.

``where`` says what each capture may be and what it is called in the plant: ``{slot: "slot-{01..40}"}`` (a span of
numbers with leading zeros), ``{crane: [sts-1, sts-2]}``, or ``{crane: {STS01: sts-1}}`` (device's word: plant's name).
"""

import re
from collections.abc import Iterator, Mapping
from itertools import product

from edge.captures import names, substitute

__all__ = ["choices", "combinations", "count", "is_signal_path", "names", "substitute"]

Where = Mapping[str, str | tuple[str, ...] | Mapping[str, str]]

MOST_COMBINATIONS = 100_000
_SPAN = re.compile(r"\{([0-9]{1,6})\.\.([0-9]{1,6})\}")
_PATH = re.compile(r"[a-z0-9][a-z0-9-]*(?:/[a-z0-9][a-z0-9-]*)+")


def is_signal_path(path: str) -> bool:
    """Whether it is lower-case kebab words with slashes, an asset path and a signal name."""
    return _PATH.fullmatch(path) is not None


def choices(allowed: str | tuple[str, ...] | Mapping[str, str]) -> dict[str, str]:
    """What a capture may be → what it is called in the plant.

    Raises:
        ValueError: when a span counts down.
    """
    if isinstance(allowed, Mapping):
        return dict(allowed)
    texts = (allowed,) if isinstance(allowed, str) else allowed
    return {name: name for text in texts for name in _spanned(text)}


def combinations(where: Where, wanted: tuple[str, ...]) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """Every combination of the wanted captures: (the device's words, the plant's names)."""
    pairs = [choices(where[name]).items() for name in wanted]
    for picked in product(*pairs):
        yield (
            {name: word for name, (word, _) in zip(wanted, picked, strict=True)},
            {name: plant for name, (_, plant) in zip(wanted, picked, strict=True)},
        )


def count(where: Where, wanted: tuple[str, ...]) -> int:
    """How many combinations there are."""
    total = 1
    for name in wanted:
        total *= len(choices(where[name]))
    return total


def _spanned(text: str) -> Iterator[str]:
    span = _SPAN.search(text)
    if span is None:
        yield text
        return
    first, last = int(span[1]), int(span[2])
    if not first <= last < first + MOST_COMBINATIONS:
        raise ValueError(f"{span[0]} is not a span that counts up; write e.g. {{01..40}}")
    for number in range(first, last + 1):
        for rest in _spanned(text[span.end() :]):
            yield f"{text[: span.start()]}{number:0{len(span[1])}d}{rest}"
