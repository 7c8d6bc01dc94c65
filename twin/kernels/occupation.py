"""One server in time: when it can begin, how long the work holds it with failures and standstills, when it is free.

Shared by both engines of the what-if, which therefore agree to the tick. A server's memory is a row of `PLACES` int32
or more; it holds the key of the server's luck, so that nothing else says whose and which replication's it is.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from twin.kernels.chance import FAILURE, FAR, I64, key, ticks, word
from twin.kernels.compiled import inlined, step
from twin.kernels.flow_layout import (
    FAILURE_MODE,
    OPERATION_DEPENDENT,
    REPAIR_TIME,
    TIME_DEPENDENT,
    UP_TIME,
    WINDOWS,
    Distributions,
    Servers,
)
from twin.kernels.layout import Scalar

I32, U32 = np.int32, np.uint32

# A server's memory.
OWNER, KEY_LOW, KEY_HIGH, UP_LEFT, FAILURES, WINDOW, FAILS_AT, REPAIRED_AT = range(8)
PLACES = 8

Memory: TypeAlias = NDArray[np.int32]


@inlined
def draw(distributions: Distributions, which: int, bits: Scalar) -> int:
    """One duration."""
    return I64(ticks(distributions.kind[which], distributions.scale[which], distributions.table, which, bits))


@step
def next_failure(distributions: Distributions, servers: Servers, memory: Memory) -> tuple[int, int]:
    """(work or time until the next failure, its repair), both in ticks; counts the failure."""
    resource = memory[OWNER]
    number = U32(memory[FAILURES])
    memory[FAILURES] += 1
    low, high = U32(memory[KEY_LOW]), U32(memory[KEY_HIGH])
    up = draw(distributions, servers.of[UP_TIME, resource], word(U32(number + number), low, high))
    down = draw(distributions, servers.of[REPAIR_TIME, resource], word(U32(number + number + U32(1)), low, high))
    return max(up, I64(1)), down


@step
def new_server(
    distributions: Distributions, servers: Servers, server: int, seed: int, replication: int, memory: Memory
) -> None:
    """Its memory at tick 0."""
    low, high = key(seed, replication, server, I64(FAILURE))
    memory[:] = 0
    memory[OWNER] = servers.resource[server]
    memory[KEY_LOW] = I32(low)
    memory[KEY_HIGH] = I32(high)
    memory[UP_LEFT] = FAR
    memory[FAILS_AT] = FAR
    memory[REPAIRED_AT] = FAR
    mode = servers.of[FAILURE_MODE, memory[OWNER]]
    if mode == OPERATION_DEPENDENT:
        up, down = next_failure(distributions, servers, memory)
        memory[UP_LEFT] = up
        memory[REPAIRED_AT] = down  # the repair that the next failure will need
    elif mode == TIME_DEPENDENT:
        up, down = next_failure(distributions, servers, memory)
        memory[FAILS_AT] = min(up, I64(FAR))
        memory[REPAIRED_AT] = min(up + down, I64(FAR))


@step
def advance(distributions: Distributions, servers: Servers, memory: Memory, now: int) -> None:
    """Leave behind the windows and time-dependent failures that ended at or before `now`."""
    resource = memory[OWNER]
    first, last = servers.of[WINDOWS, resource], servers.of[WINDOWS, resource + 1]
    while first + memory[WINDOW] < last and servers.windows[first + memory[WINDOW], 1] <= now:
        memory[WINDOW] += 1
    if servers.of[FAILURE_MODE, resource] == TIME_DEPENDENT:
        while memory[REPAIRED_AT] <= now and memory[FAILS_AT] < FAR:
            up, down = next_failure(distributions, servers, memory)
            fails = min(memory[REPAIRED_AT] + up, I64(FAR))
            memory[FAILS_AT] = fails
            memory[REPAIRED_AT] = min(fails + down, I64(FAR))


@step
def gate(distributions: Distributions, servers: Servers, memory: Memory, now: int) -> int:
    """The first instant at or after `now` at which the server is in its shift and sound; ≤ FAR."""
    resource = memory[OWNER]
    at, last = now, servers.of[WINDOWS, resource + 1]
    while at < FAR:
        advance(distributions, servers, memory, at)
        window = servers.of[WINDOWS, resource] + memory[WINDOW]
        if window < last and servers.windows[window, 0] <= at:
            at = I64(servers.windows[window, 1])
        elif servers.of[FAILURE_MODE, resource] == TIME_DEPENDENT and memory[FAILS_AT] <= at:
            at = I64(memory[REPAIRED_AT])
        else:
            return at
    return I64(FAR)


@step
def stand_still(distributions: Distributions, servers: Servers, memory: Memory, start: int, need: int) -> int:
    """When `need` ticks that begin at `start` are over, with every standstill in between; ≤ FAR."""
    resource = memory[OWNER]
    at, left, last = start, need, servers.of[WINDOWS, resource + 1]
    while at < FAR:
        advance(distributions, servers, memory, at)
        window = servers.of[WINDOWS, resource] + memory[WINDOW]
        while window < last and servers.windows[window, 2] == 0:
            window += 1
        stops, resumes = I64(FAR), I64(FAR)
        if window < last:
            stops, resumes = I64(servers.windows[window, 0]), I64(servers.windows[window, 1])
        if servers.of[FAILURE_MODE, resource] == TIME_DEPENDENT and memory[FAILS_AT] < stops:
            stops, resumes = I64(memory[FAILS_AT]), I64(memory[REPAIRED_AT])
        if at + left <= stops:
            return min(at + left, I64(FAR))
        left -= max(stops - at, I64(0))
        at = max(resumes, at)
    return I64(FAR)


@step
def with_repairs(distributions: Distributions, servers: Servers, memory: Memory, need: int) -> int:
    """`need` ticks of work and the repairs of every failure that comes while it is done."""
    total, left = need, need
    while left > memory[UP_LEFT]:
        left -= memory[UP_LEFT]
        total += memory[REPAIRED_AT]
        up, down = next_failure(distributions, servers, memory)
        memory[UP_LEFT] = up
        memory[REPAIRED_AT] = down
    memory[UP_LEFT] -= left
    return min(total, I64(FAR))


@inlined
def next_edge(servers: Servers, memory: Memory) -> int:
    """When something other than plain work will matter: the next window or time-dependent failure."""
    resource = memory[OWNER]
    window = servers.of[WINDOWS, resource] + memory[WINDOW]
    edge = I64(FAR)
    if window < servers.of[WINDOWS, resource + 1]:
        edge = I64(servers.windows[window, 0])
    if servers.of[FAILURE_MODE, resource] == TIME_DEPENDENT:
        edge = min(edge, I64(memory[FAILS_AT]))
    return edge
