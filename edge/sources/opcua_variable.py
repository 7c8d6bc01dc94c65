"""What is known of one variable of an OPC UA server, without its library. In: nothing. Out: `Variable`, `Survey`."""

from collections.abc import Callable
from dataclasses import dataclass, field

Progress = Callable[[str, int, int], None]  # what, how many, of how many (0: unknown)


def unseen(what: str, done: int, of: int) -> None:
    """Progress that nobody looks at."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of a server."""

    node: str  # nsu=<uri>;s=…
    path: tuple[str, ...]  # browse names from the Objects folder on
    type: str  # Double, Int32, String, …; what its present value has, where it has one
    is_array: bool
    is_enumeration: bool
    readable: bool
    keeps_history: bool
    status: str  # of reading it, Good where it can be read
    value: str  # the present one, for people
    description: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    states: tuple[tuple[int, str], ...] = ()  # of an enumeration
    minimum_sampling_ms: float = 0.0


@dataclass(slots=True)
class Survey:
    """What was found."""

    variables: list[Variable] = field(default_factory=list[Variable])
    visited: int = 0  # nodes
    complete: bool = True  # False: the node count limit was reached
