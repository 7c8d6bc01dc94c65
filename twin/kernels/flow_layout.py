"""The arrays of a flow network, as the what-if kernels read them; `twin.whatif.compile` makes them.

Times and durations are whole ticks (int32); a distribution, a stock, a resource, a server, an operation are numbers.
Few arrays of many rows: each array that a function takes costs time when it is compiled. A row that begins lists holds
places in a flat array; a list ends where the next one begins, so that such tables have one column more.
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


# Rows of the resources: its first server; NO_FAILURES, OPERATION_DEPENDENT or TIME_DEPENDENT; the distributions of the
# work, or the time, between two failures and of a repair; the repair crew, NOBODY = repairs never wait (with
# OPERATION_DEPENDENT only); its first window.
FIRST_SERVER, FAILURE_MODE, UP_TIME, REPAIR_TIME, CREW, WINDOWS, RESOURCE_ROWS = range(7)


class Servers(NamedTuple):
    """What each server of a resource is subject to. R resources, S servers."""

    resource: Ints  # [S]
    of: Ints  # [RESOURCE_ROWS, R + 1]
    windows: Ints  # [*, 3] start, end (disjoint, sorted), 1 = work stands still inside, 0 = no work begins inside


# Rows of the operations: its resource; the distribution of a cycle; after so many the server is set up (0 = never),
# for so many ticks; 1 = its time is no work of the resource: a berth that waits for the next ship; the distribution of
# the things that it releases; then lists: stocks of which it takes one thing each, stocks that must be empty before it
# starts, unlimited stocks that get things when it ends, its calls, its routes.
RESOURCE, CYCLE_TIME, LOT_SIZE, SETUP_TICKS, IDLES, QUANTITY = range(6)
INPUTS, HOLDS, RELEASES, CALLS, ROUTES, OPERATION_ROWS = range(6, 12)

# Rows of the routes: a stock, GOOD or SCRAP; 1 = what goes there is finished by this operation; the route is the first
# whose limit (32 unsigned bits) is not below the random word.
LEADS_TO, COUNTS, LIMIT, ROUTE_ROWS = range(4)


class Operations(NamedTuple):
    """What is done. J operations."""

    of: Ints  # [OPERATION_ROWS, J + 1]
    stocks: Ints  # [*] the lists of inputs, holds and releases
    calls: Ints  # [*, 2] k-th execution: not before this tick, so many things; after the last one it never starts again
    routes: Ints  # [ROUTE_ROWS, *]


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
    waiting: Ints  # 2 K + R + 1 places, then the lists that begin there: operations to try, most urgent first, when
    # [k] something has come to stock k or left it, [K + k] stock k is empty, [2 K + r] a server of r has become idle
    crews: Ints  # [C] people of each crew


class Start(NamedTuple):
    """The state at tick 0. N replications."""

    ready: Ints  # [N, S] when a server is there: repaired, in its shift
    operation: Ints  # [S] under way at tick 0, NOBODY = none
    remaining: Ints  # [S] work left of it
