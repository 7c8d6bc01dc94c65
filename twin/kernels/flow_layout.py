"""The arrays of a flow network, as the what-if kernels read them; `twin.whatif.compile` makes them.

Times and durations are whole ticks (int32); a distribution, a stock, a resource, a server, an operation are numbers.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]

NO_FAILURES, OPERATION_DEPENDENT, TIME_DEPENDENT = range(3)
GOOD, SCRAP = -1, -2  # where a route leads when it leads to no stock
UNLIMITED = 1 << 30  # of a stock
NOBODY = -1


class Distributions(NamedTuple):
    """Durations. D distributions."""

    kind: Ints  # [D] chance.DETERMINISTIC, EXPONENTIAL or TABLE
    scale: NDArray[np.float32]  # [D] ticks: the duration; the mean · ln 2; the mean of the table
    table: NDArray[np.float32]  # [D, CELLS + 1] quantiles in units of `scale`


class Servers(NamedTuple):
    """What each server of a resource is subject to. R resources, S servers."""

    resource: Ints  # [S]
    first: Ints  # [R + 1] the servers of resource r are first[r] … first[r + 1] - 1
    failure: Ints  # [R] NO_FAILURES, OPERATION_DEPENDENT or TIME_DEPENDENT
    up: Ints  # [R] distribution of the work, or the time, between two failures
    down: Ints  # [R] distribution of a repair
    crew: Ints  # [R] the repair crew, NOBODY = repairs never wait; with OPERATION_DEPENDENT only
    window_first: Ints  # [R + 1]
    windows: Ints  # [*, 3] start, end (disjoint, sorted), 1 = work stands still inside, 0 = no work begins inside


class Operations(NamedTuple):
    """What is done. J operations; lists as first[j] … first[j + 1] - 1 into the flat array of the same name."""

    resource: Ints  # [J]
    cycle: Ints  # [J] distribution
    lot: Ints  # [J] after so many the server is set up, 0 = never
    setup: Ints  # [J] ticks
    idle: Ints  # [J] 1 = its time is no work of the resource: a berth that waits for the next ship
    input_first: Ints
    input: Ints  # stocks, one thing of each
    hold_first: Ints
    hold: Ints  # stocks that must be empty before it starts
    release_first: Ints
    release: Ints  # unlimited stocks that get `quantity` things when it ends
    quantity: Ints  # [J] distribution, in things
    call_first: Ints
    call: Ints  # [*, 2] k-th execution: not before this tick, so many things; after the last one it never starts again
    route_first: Ints
    route_limit: NDArray[np.uint32]  # the route is the first whose limit is not below the random word
    route_to: Ints  # stock, GOOD or SCRAP
    route_counts: Ints  # 1 = what goes there is finished by this operation


class Stocks(NamedTuple):
    """Where things wait. K stocks."""

    capacity: Ints  # [K] 0 = handed over directly
    level: Ints  # [K] at the start


class Network(NamedTuple):
    """A whole flow."""

    distributions: Distributions
    servers: Servers
    operations: Operations
    stocks: Stocks
    waiting_first: Ints  # [2 K + R + 1]
    waiting: Ints  # operations to try, most urgent first, when [k] something has come to stock k or left it,
    # [K + k] stock k has run empty, [2 K + r] a server of resource r has become idle
    crews: Ints  # [C] people of each crew


class Start(NamedTuple):
    """The state at tick 0. N replications."""

    ready: Ints  # [N, S] when a server is there: repaired, in its shift
    operation: Ints  # [S] under way at tick 0, NOBODY = none
    remaining: Ints  # [S] work left of it
