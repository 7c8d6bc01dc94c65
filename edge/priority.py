"""Hop *keep*: which readings go first when the spool is full. In: the configuration's words. Out: `Priority`.

A class stands for all readings of a signal; every batch holds readings of one class only.
"""

from enum import IntEnum
from typing import Literal

Word = Literal["low", "normal", "high"]


class Priority(IntEnum):
    """Dropped in this order; a higher class loses nothing while a lower one has something left."""

    LOW = 0
    NORMAL = 1
    HIGH = 2

    @classmethod
    def of(cls, word: Word) -> "Priority":
        """The class that the configuration names."""
        return cls[word.upper()]
