"""One task of the slow loop, and what is known of its turns.

In: what a job does. Out: nouns for the loop, the store and the command line.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Outcome(StrEnum):
    """How a turn ended."""

    DONE = "done"
    LATER = "later"  # a peer was away: tried again soon
    REFUSED = "refused"  # what it was given cannot be used: tried again at its next turn
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Job:
    """What `run` does every `period_s`; it gets the instant of its turn and says in a sentence what came of it.

    A turn may be repeated after a kill: it must be harmless twice. Long sums run in a thread of their own.
    """

    name: str
    period_s: float
    run: Callable[[int], Awaitable[str]]  # now, ns UTC → what was done


@dataclass(frozen=True, slots=True)
class Turn:
    """The last turn of a job and when the next one is due; instants in ns UTC."""

    job: str
    started_ns: int
    ended_ns: int | None  # None while it runs, or when its process was killed
    outcome: Outcome
    detail: str
    next_ns: int


class Journal(Protocol):
    """Where the turns are kept: of any number of processes, one gets a turn."""

    async def claim(self, job: str, now_ns: int, lease_s: float, *, at_once: bool = False) -> int | None:
        """Take the turn when it is due, or `at_once`; None when it is ours, else the instant when it is due.

        A turn that was taken and not ended within `lease_s` is free again.
        """
        ...

    async def ended(self, turn: Turn) -> None:
        """What became of a turn that was claimed."""
        ...
