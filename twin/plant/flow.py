"""Who feeds whom, and where things wait in between.

A link says that what `source` finishes goes to `target`, through `buffer` or, when there is none, straight across.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Buffer:
    """A place where things wait."""

    path: str  # of the asset
    capacity: int  # things


@dataclass(frozen=True, slots=True)
class Link:
    """One edge of the flow graph; all paths are asset paths."""

    source: str
    target: str
    buffer: str | None
    share: float | None = None  # of what source finishes; None: equal shares
