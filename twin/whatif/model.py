"""A flow as the simulator sees it: stocks, resources with servers, operations that take, work, and send on.

In: what the plant model, the history and a scenario say. Out: frozen values for `compile`. A machine is a resource with
one operation; a crane is one with several; carriers are the servers of one resource. All durations in seconds.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

GOOD = "good"  # a route out of the flow, counted
SCRAP = "scrap"  # a route out of the flow, lost


class Shape(StrEnum):
    """Shapes of durations."""

    DETERMINISTIC = "deterministic"
    EXPONENTIAL = "exponential"
    LOGNORMAL = "lognormal"
    EMPIRICAL = "empirical"


@dataclass(frozen=True, slots=True)
class Duration:
    """A distribution of durations; also of lot sizes, then in things."""

    shape: Shape
    mean_s: float
    cv: float = 0.0  # coefficient of variation, lognormal only
    least_s: float = 0.0  # nothing is shorter, lognormal only
    observed_s: tuple[float, ...] = ()  # empirical only

    def scaled(self, factor: float) -> "Duration":
        """All durations times `factor`."""
        observed = tuple(one * factor for one in self.observed_s)
        return Duration(self.shape, self.mean_s * factor, self.cv, self.least_s * factor, observed)


def fixed(mean_s: float) -> Duration:
    """Always the same."""
    return Duration(Shape.DETERMINISTIC, mean_s)


def exponential(mean_s: float) -> Duration:
    """Memoryless."""
    return Duration(Shape.EXPONENTIAL, mean_s)


def lognormal(mean_s: float, cv: float, least_s: float = 0.0) -> Duration:
    """Skewed to the right."""
    return Duration(Shape.LOGNORMAL, mean_s, cv, least_s) if cv > 0 else fixed(mean_s)


def empirical(observed_s: tuple[float, ...]) -> Duration:
    """As observed."""
    return Duration(Shape.EMPIRICAL, sum(observed_s) / len(observed_s), observed_s=observed_s)


@dataclass(frozen=True, slots=True)
class Failure:
    """How each server of a resource breaks down."""

    up: Duration  # work (depends: operation) or time (depends: time) between a repair and the next failure
    down: Duration
    depends: Literal["operation", "time"] = "operation"
    crew: str | None = None  # who repairs; None = somebody is always there. With depends: operation only

    @property
    def availability(self) -> float:
        """Share of the time in which it could work, in isolation."""
        return self.up.mean_s / (self.up.mean_s + self.down.mean_s)


@dataclass(frozen=True, slots=True)
class Window:
    """A span in which a resource does not work. `freeze`: work under way stands still, else it is finished first."""

    start_s: float
    end_s: float
    freeze: bool


@dataclass(frozen=True, slots=True)
class Resource:
    """Equal servers."""

    name: str
    servers: int = 1
    failure: Failure | None = None
    windows: tuple[Window, ...] = ()
    ready_s: float = 0.0  # from now: the first server is not there before
    down_since_s: float | None = None  # its first server is down for so long already


@dataclass(frozen=True, slots=True)
class Stock:
    """A place where things wait; capacity 0 hands over directly, None is without limit."""

    name: str
    capacity: int | None
    level: int = 0


@dataclass(frozen=True, slots=True)
class Route:
    """Where a share of what an operation ends goes: a stock's name, GOOD or SCRAP."""

    to: str
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Call:
    """One execution of a scheduled operation: a vessel's call, an order's release."""

    at_s: float  # not before
    things: int


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of work of a resource. Of several that could start, the first in the flow starts."""

    name: str
    resource: str
    cycle: Duration
    inputs: tuple[str, ...] = ()
    routes: tuple[Route, ...] = (Route(GOOD),)
    lot: int = 0  # after so many the server is set up; 0 = never
    setup_s: float = 0.0
    holds: tuple[str, ...] = ()  # stocks that must be empty before it starts
    releases: tuple[str, ...] = ()  # stocks that get `quantity` things when it ends
    quantity: Duration | None = None
    calls: tuple[Call, ...] | None = None  # None: whenever it can
    idle: bool = False  # its time is no work of the resource
    under_way_s: float | None = None  # at the start one is under way and needs so much more work


@dataclass(frozen=True, slots=True)
class Flow:
    """A whole flow; `outputs` are the operations whose count is the throughput."""

    resources: tuple[Resource, ...]
    stocks: tuple[Stock, ...]
    operations: tuple[Operation, ...]
    outputs: tuple[str, ...]
    crews: tuple[tuple[str, int], ...] = ()

    def resource(self, name: str) -> Resource:
        """The resource of that name; KeyError when there is none."""
        return {one.name: one for one in self.resources}[name]

    def stock(self, name: str) -> Stock:
        """The stock of that name; KeyError when there is none."""
        return {one.name: one for one in self.stocks}[name]

    def operation(self, name: str) -> Operation:
        """The operation of that name; KeyError when there is none."""
        return {one.name: one for one in self.operations}[name]


def serial_line(
    cycles: tuple[Duration, ...], places: tuple[int, ...], failures: tuple[Failure | None, ...] | None = None
) -> Flow:
    """Machines m1, m2 … in a row with `places` in the buffers between them; raw stock without end."""
    names = [f"m{number}" for number in range(1, len(cycles) + 1)]
    broken = failures or (None,) * len(cycles)
    operations = [
        Operation(
            name,
            name,
            cycle,
            (f"b{at}",) if at else (),
            (Route(f"b{at + 1}") if at + 1 < len(names) else Route(GOOD),),
        )
        for at, (name, cycle) in enumerate(zip(names, cycles, strict=True))
    ]
    return Flow(
        tuple(Resource(name, failure=failure) for name, failure in zip(names, broken, strict=True)),
        tuple(Stock(f"b{at + 1}", capacity) for at, capacity in enumerate(places)),
        tuple(operations),
        (names[-1],),
    )
