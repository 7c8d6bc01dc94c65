"""What the event calendar keeps of one replication, what it counts over all of them, and its rare steps: repairs,
crews, the live start, the end of a bucket.

In: a `Network`. Out: `State` and `Results`, which `event_calendar` moves on.
"""

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from twin.kernels.chance import FAR, I64, LOT, Words, key
from twin.kernels.compiled import step
from twin.kernels.event_heap import Heap, push
from twin.kernels.flow_layout import CREW, NOBODY, Distributions, Ints, Network, Servers, Start
from twin.kernels.occupation import (
    OWNER,
    PLACES,
    REPAIRED_AT,
    UP_LEFT,
    Memory,
    gate,
    new_server,
    next_edge,
    next_failure,
    stand_still,
    with_repairs,
)

# Columns of a server behind the memory of `occupation`.
EDGE, DOES, DOING, SINCE, LEFT, NEXT, MADE, SERVER_COLUMNS = range(PLACES, PLACES + 8)

# What a server does.
IDLE, WORKING, BLOCKED, RESTING, BROKEN, REPAIRING = range(6)

# Rows of the stocks: things in it, first and last blocked server in front of it.
LEVEL, HEAD, TAIL, STOCK_ROWS = range(4)

# Rows of the operations: begun, good ones, good or not.
STARTED, FINISHED, ENDED, COUNT_ROWS = range(4)

# Columns of a crew: people at hand, broken servers that wait for it, then these servers in their order.
FREE, QUEUED, QUEUE = range(3)

# How a resource spends its time.
WORK, DOWN, BLOCK, SETUP, TIMES = 0, 1, 2, 3, 4

Longs: TypeAlias = NDArray[np.int64]


class Results(NamedTuple):
    """Filled by `calendar`; a buckets' end counts to the bucket. N replications, B buckets."""

    bucket: int  # ticks
    watched: Ints  # [G] operations that are counted per replication
    done: Ints  # [N, G, B] good things that they have finished by the end of each bucket
    total: Longs  # [J, B] the same for every operation, summed over replications
    scrapped: Longs  # [J]
    spent: Longs  # [R, TIMES] ticks of all servers, summed over replications
    content: Longs  # [K, B] things in every stock at the end of each bucket, summed over replications
    milestone: Ints  # [L, 2] operation, things
    reached: Ints  # [N, L] when it was reached; FAR = never


class State(NamedTuple):
    """One replication."""

    heap: Heap  # [S + 1]
    server: Ints  # [S, SERVER_COLUMNS]
    stock: Ints  # [STOCK_ROWS, K]
    tally: Ints  # [COUNT_ROWS, J]
    keys: Words  # [2 · streams, J] low and high word of the key of each stream
    crew: Ints  # [C, QUEUE + S]
    freed: Ints  # [*] servers whose thing has left them
    todo: Ints  # [*] the lists of `Network.waiting` that must be tried


@step
def new_state(n: Network, seed: int, replication: int) -> State:
    """An empty plant, one replication."""
    servers, operations = n.servers.resource.shape[0], n.operations.of.shape[1] - 1
    stocks, crews = n.stocks.capacity.shape[0], n.crews.shape[0]
    keys = np.empty((2 * (LOT + 1), operations), np.uint32)
    for j in range(operations):
        for stream in range(LOT + 1):
            keys[2 * stream, j], keys[2 * stream + 1, j] = key(seed, replication, j, stream)
    server = np.zeros((servers, SERVER_COLUMNS), np.int32)
    for v in range(servers):
        new_server(n.distributions, n.servers, v, seed, replication, server[v])
        server[v, EDGE] = next_edge(n.servers, server[v])
        server[v, DOING] = NOBODY
        server[v, NEXT] = NOBODY
    stock = np.empty((STOCK_ROWS, stocks), np.int32)
    for k in range(stocks):
        stock[LEVEL, k], stock[HEAD, k], stock[TAIL, k] = n.stocks.level[k], NOBODY, NOBODY
    crew = np.zeros((crews, QUEUE + servers), np.int32)
    for c in range(crews):
        crew[c, FREE] = n.crews[c]
    things = 64 + 16 * (servers + stocks) + 8 * n.operations.stocks.shape[0]
    return State(
        np.zeros(servers + 1, np.int64),
        server,
        stock,
        np.zeros((COUNT_ROWS, operations), np.int32),
        keys,
        crew,
        np.zeros(2 * servers + 8, np.int32),
        np.zeros(things, np.int32),
    )


@step
def free_from(distributions: Distributions, servers: Servers, memory: Memory, at: int) -> int:
    """When a server, done at `at`, is in its shift and sound."""
    found = gate(distributions, servers, memory, at)
    memory[EDGE] = next_edge(servers, memory)
    return found


@step
def work_until(distributions: Distributions, servers: Servers, memory: Memory, at: int, need: int) -> int:
    """When `need` ticks of a server that begin at `at` are over, standstills included."""
    found = stand_still(distributions, servers, memory, at, need)
    memory[EDGE] = next_edge(servers, memory)
    return found


@step
def need_with_failures(distributions: Distributions, servers: Servers, memory: Memory, need: int) -> int:
    """Ticks until the work is done, repairs included; for a crew's server, ticks until it breaks down."""
    if servers.of[CREW, memory[OWNER]] == NOBODY:
        return with_repairs(distributions, servers, memory, need)
    memory[LEFT] = need - memory[UP_LEFT]
    memory[DOES] = BROKEN
    return I64(memory[UP_LEFT])


@step
def repair(
    distributions: Distributions,
    servers: Servers,
    memory: Memory,
    heap: Heap,
    spent: Longs,
    v: int,
    now: int,
    size: int,
) -> int:
    """Begin the repair of server v, whose memory this is; the heap's new size."""
    end = work_until(distributions, servers, memory, now, I64(memory[REPAIRED_AT]))
    up, down = next_failure(distributions, servers, memory)
    memory[UP_LEFT] = up
    memory[REPAIRED_AT] = down
    spent[memory[OWNER], DOWN] += end - now
    memory[DOES] = REPAIRING
    return push(heap, size, min(end, I64(FAR)), v)


@step
def call_crew(n: Network, s: State, spent: Longs, v: int, now: int, size: int) -> int:
    """Server v has broken down: its repair begins when somebody of its crew is free. The heap's new size."""
    crew = s.crew[n.servers.of[CREW, s.server[v, OWNER]]]
    if crew[FREE] == 0:
        crew[QUEUE + crew[QUEUED]] = v
        crew[QUEUED] += 1
        s.server[v, SINCE] = now
        return size
    crew[FREE] -= 1
    return repair(n.distributions, n.servers, s.server[v], s.heap, spent, v, now, size)


@step
def repaired(n: Network, s: State, spent: Longs, v: int, now: int, size: int) -> int:
    """The crew of server v goes on to the next broken server. The heap's new size."""
    crew = s.crew[n.servers.of[CREW, s.server[v, OWNER]]]
    if crew[QUEUED] == 0:
        crew[FREE] += 1
        return size
    following = I64(crew[QUEUE])
    crew[QUEUED] -= 1
    for place in range(QUEUE, QUEUE + crew[QUEUED]):
        crew[place] = crew[place + 1]
    spent[s.server[following, OWNER], DOWN] += now - s.server[following, SINCE]
    return repair(n.distributions, n.servers, s.server[following], s.heap, spent, following, now, size)


@step
def begin_under_way(n: Network, s: State, start: Start, row: int) -> int:
    """Operations that are under way at tick 0, and when the other servers are there. The heap's size."""
    size = I64(0)
    for v in range(start.operation.shape[0]):
        at = free_from(n.distributions, n.servers, s.server[v], I64(start.ready[row, v]))
        j = start.operation[v]
        if j == NOBODY:
            s.server[v, DOES] = RESTING
        else:
            s.server[v, DOING] = j
            s.tally[STARTED, j] += 1
            s.server[v, LEFT] = start.remaining[v]
            s.server[v, DOES] = REPAIRING  # goes on with what is left, as after a repair
            s.server[v, SINCE] = NOBODY
        size = push(s.heap, size, at, v)
    return size


@step
def snapshot(stock: Ints, tally: Ints, results: Results, row: int, bucket: int) -> None:
    """The counts and levels at the end of a bucket."""
    for place in range(results.watched.shape[0]):
        results.done[row, place, bucket] = tally[FINISHED, results.watched[place]]
    for j in range(results.total.shape[0]):
        results.total[j, bucket] += tally[FINISHED, j]
    for k in range(results.content.shape[0]):
        results.content[k, bucket] += stock[LEVEL, k]


@step
def reach(results: Results, row: int, operation: int, things: int, now: int) -> None:
    """Note the milestones of this operation and count."""
    for place in range(results.milestone.shape[0]):
        if results.milestone[place, 0] == operation and results.milestone[place, 1] == things:
            results.reached[row, place] = now
