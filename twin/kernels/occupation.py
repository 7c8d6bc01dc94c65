"""One server in time: when it can begin, how long the work holds it with failures and standstills, when it is free.

Shared by both engines of the what-if, which therefore agree to the tick. A server's memory is a row of `PLACES` int32.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from twin.kernels.chance import FAILURE, FAR, key, ticks, word
from twin.kernels.compiled import compiled, inlined
from twin.kernels.flow_layout import OPERATION_DEPENDENT, TIME_DEPENDENT, Distributions, Servers
from twin.kernels.layout import Scalar

I32, U32, I64 = np.int32, np.uint32, np.int64

# A server's memory.
UP_LEFT, FAILURES, WINDOW, FAILS_AT, REPAIRED_AT = range(5)
PLACES = 5

Memory: TypeAlias = NDArray[np.int32]


@inlined
def draw(distributions: Distributions, which: int, bits: Scalar) -> int:
    """One duration."""
    return int(ticks(distributions.kind[which], distributions.scale[which], distributions.table, which, bits))


@compiled
def next_failure(
    distributions: Distributions, servers: Servers, server: int, seed: int, replication: int, memory: Memory
) -> tuple[int, int]:
    """(work or time until the next failure, its repair), both in ticks; counts the failure."""
    resource = servers.resource[server]
    number = U32(memory[FAILURES])
    memory[FAILURES] += 1
    low, high = key(seed, replication, server, FAILURE)
    up = draw(distributions, int(servers.up[resource]), word(U32(number + number), low, high))
    down = draw(distributions, int(servers.down[resource]), word(U32(number + number + U32(1)), low, high))
    return max(up, 1), down


@compiled
def new_server(
    distributions: Distributions, servers: Servers, server: int, seed: int, replication: int, memory: Memory
) -> None:
    """Its memory at tick 0."""
    memory[:] = 0
    memory[UP_LEFT] = FAR
    memory[FAILS_AT] = FAR
    memory[REPAIRED_AT] = FAR
    mode = servers.failure[servers.resource[server]]
    if mode == OPERATION_DEPENDENT:
        up, down = next_failure(distributions, servers, server, seed, replication, memory)
        memory[UP_LEFT] = up
        memory[REPAIRED_AT] = down  # the repair that the next failure will need
    elif mode == TIME_DEPENDENT:
        up, down = next_failure(distributions, servers, server, seed, replication, memory)
        memory[FAILS_AT] = min(up, FAR)
        memory[REPAIRED_AT] = min(I64(up) + down, FAR)


@compiled
def advance(
    distributions: Distributions, servers: Servers, server: int, seed: int, replication: int, memory: Memory, now: int
) -> None:
    """Leave behind the windows and time-dependent failures that ended at or before `now`."""
    resource = servers.resource[server]
    first, last = servers.window_first[resource], servers.window_first[resource + 1]
    while first + memory[WINDOW] < last and servers.windows[first + memory[WINDOW], 1] <= now:
        memory[WINDOW] += 1
    if servers.failure[resource] == TIME_DEPENDENT:
        while memory[REPAIRED_AT] <= now and memory[FAILS_AT] < FAR:
            up, down = next_failure(distributions, servers, server, seed, replication, memory)
            fails = min(I64(memory[REPAIRED_AT]) + up, FAR)
            memory[FAILS_AT] = fails
            memory[REPAIRED_AT] = min(fails + down, FAR)


@compiled
def gate(
    distributions: Distributions, servers: Servers, server: int, seed: int, replication: int, memory: Memory, now: int
) -> int:
    """The first instant at or after `now` at which the server is in its shift and sound; ≤ FAR."""
    resource = servers.resource[server]
    last = servers.window_first[resource + 1]
    at = now
    while at < FAR:
        advance(distributions, servers, server, seed, replication, memory, at)
        window = servers.window_first[resource] + memory[WINDOW]
        if window < last and servers.windows[window, 0] <= at:
            at = int(servers.windows[window, 1])
        elif servers.failure[resource] == TIME_DEPENDENT and memory[FAILS_AT] <= at:
            at = int(memory[REPAIRED_AT])
        else:
            return at
    return FAR


@compiled
def stand_still(
    distributions: Distributions,
    servers: Servers,
    server: int,
    seed: int,
    replication: int,
    memory: Memory,
    start: int,
    need: int,
) -> int:
    """When `need` ticks that begin at `start` are over, with every standstill in between; ≤ FAR."""
    resource = servers.resource[server]
    last = servers.window_first[resource + 1]
    at, left = start, I64(need)
    while at < FAR:
        advance(distributions, servers, server, seed, replication, memory, at)
        window = servers.window_first[resource] + memory[WINDOW]
        while window < last and servers.windows[window, 2] == 0:
            window += 1
        stops, resumes = FAR, FAR
        if window < last:
            stops, resumes = int(servers.windows[window, 0]), int(servers.windows[window, 1])
        if servers.failure[resource] == TIME_DEPENDENT and memory[FAILS_AT] < stops:
            stops, resumes = int(memory[FAILS_AT]), int(memory[REPAIRED_AT])
        if at + left <= stops:
            return int(min(at + left, FAR))
        left -= max(stops - at, 0)
        at = max(resumes, at)
    return FAR


@compiled
def with_repairs(
    distributions: Distributions, servers: Servers, server: int, seed: int, replication: int, memory: Memory, need: int
) -> int:
    """`need` ticks of work and the repairs of every failure that comes while it is done."""
    total, left = I64(need), need
    while left > memory[UP_LEFT]:
        left -= int(memory[UP_LEFT])
        total += memory[REPAIRED_AT]
        up, down = next_failure(distributions, servers, server, seed, replication, memory)
        memory[UP_LEFT] = up
        memory[REPAIRED_AT] = down
    memory[UP_LEFT] -= left
    return int(min(total, FAR))


@inlined
def next_edge(servers: Servers, resource: int, memory: Memory) -> int:
    """When something other than plain work will matter: the next window or time-dependent failure."""
    window = servers.window_first[resource] + memory[WINDOW]
    edge = FAR
    if window < servers.window_first[resource + 1]:
        edge = int(servers.windows[window, 0])
    if servers.failure[resource] == TIME_DEPENDENT:
        edge = min(edge, int(memory[FAILS_AT]))
    return edge
