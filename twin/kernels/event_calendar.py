"""Any flow network, event by event: parallel servers, merge, split, assembly, rework, scrap, crews, shared resources.

In: a `Network` and its start. Out: counts per bucket, milestones, and how every resource spent its time. One
replication at a time; a server has at most one event under way, because failures and standstills inside an operation
are known when it begins (`occupation`), unless the repair has to wait for a crew.
"""

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from twin.kernels.chance import CYCLE, FAR, LOT, ROUTE, Words, key, ticks, word
from twin.kernels.compiled import compiled
from twin.kernels.event_heap import SERVER_BITS, Heap, pop, push
from twin.kernels.flow_layout import GOOD, NOBODY, OPERATION_DEPENDENT, SCRAP, Ints, Network, Start
from twin.kernels.occupation import (
    PLACES,
    REPAIRED_AT,
    UP_LEFT,
    draw,
    gate,
    new_server,
    next_edge,
    next_failure,
    stand_still,
    with_repairs,
)

U32 = np.uint32

# What a server does.
IDLE, WORKING, BLOCKED, RESTING, BROKEN, REPAIRING = range(6)

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
    server: Ints  # [S, PLACES + 7] the memory of `occupation`, then the columns below
    level: Ints  # [K]
    head: Ints  # [K] first blocked server in front of the stock
    tail: Ints  # [K]
    started: Ints  # [J]
    finished: Ints  # [J] good ones
    ended: Ints  # [J] good or not
    low: Words  # [J, 2] keys of cycle and route
    high: Words
    free: Ints  # [C] people of each crew at hand
    queue: Ints  # [C, S + 1] broken servers that wait for a crew; the first number is their count


# Columns of a server.
EDGE, DOES, DOING, SINCE, LEFT, NEXT, MADE = range(PLACES, PLACES + 7)


@compiled
def new_state(n: Network, seed: int, replication: int) -> State:
    """An empty plant, one replication."""
    servers, operations = n.servers.resource.shape[0], n.operations.resource.shape[0]
    stocks, crews = n.stocks.capacity.shape[0], n.crews.shape[0]
    low, high = np.empty((operations, 2), np.uint32), np.empty((operations, 2), np.uint32)
    for j in range(operations):
        low[j, 0], high[j, 0] = key(seed, replication, j, CYCLE)
        low[j, 1], high[j, 1] = key(seed, replication, j, ROUTE)
    server = np.zeros((servers, PLACES + 7), np.int32)
    for v in range(servers):
        new_server(n.distributions, n.servers, v, seed, replication, server[v, :PLACES])
        server[v, EDGE] = next_edge(n.servers, int(n.servers.resource[v]), server[v])
        server[v, DOING] = NOBODY
        server[v, NEXT] = NOBODY
    return State(
        np.zeros(servers + 1, np.int64),
        server,
        n.stocks.level.copy(),
        np.full(stocks, NOBODY, np.int32),
        np.full(stocks, NOBODY, np.int32),
        np.zeros(operations, np.int32),
        np.zeros(operations, np.int32),
        np.zeros(operations, np.int32),
        low,
        high,
        n.crews.copy(),
        np.zeros((crews, servers + 1), np.int32),
    )


@compiled
def free_from(n: Network, s: State, seed: int, replication: int, v: int, at: int) -> int:
    """When server v, done at `at`, is in its shift and sound."""
    found = gate(n.distributions, n.servers, v, seed, replication, s.server[v], at)
    s.server[v, EDGE] = next_edge(n.servers, int(n.servers.resource[v]), s.server[v])
    return found


@compiled
def work_until(n: Network, s: State, seed: int, replication: int, v: int, at: int, need: int) -> int:
    """When `need` ticks of server v that begin at `at` are over, standstills included."""
    found = stand_still(n.distributions, n.servers, v, seed, replication, s.server[v], at, need)
    s.server[v, EDGE] = next_edge(n.servers, int(n.servers.resource[v]), s.server[v])
    return found


@compiled
def need_with_failures(n: Network, s: State, seed: int, replication: int, v: int, need: int) -> int:
    """Ticks until the work is done, repairs included; for a crew's server, ticks until it breaks down."""
    memory = s.server[v]
    if n.servers.crew[n.servers.resource[v]] == NOBODY:
        return with_repairs(n.distributions, n.servers, v, seed, replication, memory, need)
    s.server[v, LEFT] = need - memory[UP_LEFT]
    s.server[v, DOES] = BROKEN
    return int(memory[UP_LEFT])


@compiled
def repair(n: Network, s: State, results: Results, seed: int, replication: int, v: int, now: int, size: int) -> int:
    """Begin a repair; the heap's new size."""
    memory = s.server[v]
    end = work_until(n, s, seed, replication, v, now, int(memory[REPAIRED_AT]))
    up, down = next_failure(n.distributions, n.servers, v, seed, replication, memory)
    memory[UP_LEFT] = up
    memory[REPAIRED_AT] = down
    results.spent[n.servers.resource[v], DOWN] += end - now
    s.server[v, DOES] = REPAIRING
    return push(s.heap, size, min(end, FAR), v)


@compiled
def call_crew(n: Network, s: State, results: Results, seed: int, replication: int, v: int, now: int, size: int) -> int:
    """Server v has broken down: its repair begins when somebody of its crew is free. The heap's new size."""
    crew = n.servers.crew[n.servers.resource[v]]
    if s.free[crew] == 0:
        s.queue[crew, 0] += 1
        s.queue[crew, s.queue[crew, 0]] = v
        s.server[v, SINCE] = now
        return size
    s.free[crew] -= 1
    return repair(n, s, results, seed, replication, v, now, size)


@compiled
def repaired(n: Network, s: State, results: Results, seed: int, replication: int, v: int, now: int, size: int) -> int:
    """The crew goes on to the next broken server. The heap's new size."""
    crew = n.servers.crew[n.servers.resource[v]]
    if s.queue[crew, 0] == 0:
        s.free[crew] += 1
        return size
    following = int(s.queue[crew, 1])
    s.queue[crew, 0] -= 1
    for place in range(1, s.queue[crew, 0] + 1):
        s.queue[crew, place] = s.queue[crew, place + 1]
    results.spent[n.servers.resource[following], DOWN] += now - s.server[following, SINCE]
    return repair(n, s, results, seed, replication, following, now, size)


@compiled
def begin_under_way(
    n: Network, s: State, start: Start, results: Results, seed: int, replication: int, row: int, size: int
) -> int:
    """Operations that are under way at tick 0, and when the other servers are there. The heap's new size."""
    for v in range(start.operation.shape[0]):
        at = free_from(n, s, seed, replication, v, int(start.ready[row, v]))
        j = start.operation[v]
        if j == NOBODY:
            s.server[v, DOES] = RESTING
            size = push(s.heap, size, at, v)
            continue
        s.server[v, DOING] = j
        s.started[j] += 1
        s.server[v, LEFT] = start.remaining[v]
        s.server[v, DOES] = REPAIRING  # goes on with what is left, as after a repair
        s.server[v, SINCE] = NOBODY
        size = push(s.heap, size, at, v)
    return size


@compiled
def snapshot(s: State, results: Results, row: int, bucket: int) -> None:
    """The counts and levels at the end of a bucket."""
    for place in range(results.watched.shape[0]):
        results.done[row, place, bucket] = s.finished[results.watched[place]]
    for j in range(results.total.shape[0]):
        results.total[j, bucket] += s.finished[j]
    for k in range(results.content.shape[0]):
        results.content[k, bucket] += s.level[k]


@compiled
def reach(results: Results, row: int, operation: int, things: int, now: int) -> None:
    """Note the milestones of this operation and count."""
    for place in range(results.milestone.shape[0]):
        if results.milestone[place, 0] == operation and results.milestone[place, 1] == things:
            results.reached[row, place] = now


@compiled
def things_released(n: Network, seed: int, replication: int, operation: int, number: int) -> int:
    """How many things execution `number` of an operation brings."""
    o = n.operations
    if o.call_first[operation + 1] > o.call_first[operation]:
        return int(o.call[o.call_first[operation] + number, 1])
    low, high = key(seed, replication, operation, LOT)
    return draw(n.distributions, int(o.quantity[operation]), word(U32(number), low, high))


@compiled
def run(  # noqa: C901 – one loop, see below
    n: Network, s: State, start: Start, seed: int, replication: int, row: int, results: Results
) -> int:
    """One replication to the end of its last bucket; how many events there were.

    One loop without calls on its usual way, because a call would pass, and count the references of, every array.
    `freed` are servers whose thing has left them, `todo` the lists of `Network.waiting` that must be tried.
    """
    server, heap, level, head, tail = s.server, s.heap, s.level, s.head, s.tail
    started, finished, ended, low, high = s.started, s.finished, s.ended, s.low, s.high
    kind, scale, tables = n.distributions.kind, n.distributions.scale, n.distributions.table
    owner, first_server, failure = n.servers.resource, n.servers.first, n.servers.failure
    o = n.operations
    resource, cycle, lot, setup, idle = o.resource, o.cycle, o.lot, o.setup, o.idle
    input_first, inputs, hold_first, hold = o.input_first, o.input, o.hold_first, o.hold
    release_first, release, call_first, call = o.release_first, o.release, o.call_first, o.call
    route_first, route_limit, route_to, route_counts = o.route_first, o.route_limit, o.route_to, o.route_counts
    waiting_first, waiting, capacity = n.waiting_first, n.waiting, n.stocks.capacity
    spent, scrapped = results.spent, results.scrapped
    milestones = results.milestone.shape[0]
    stocks, buckets, servers = capacity.shape[0], results.total.shape[1], owner.shape[0]
    freed = np.zeros(2 * servers + 8, np.int32)
    todo = np.zeros(64 + 4 * (servers + stocks) * 4 + inputs.shape[0] * 8 + release.shape[0], np.int32)
    mask = (1 << SERVER_BITS) - 1
    size = begin_under_way(n, s, start, results, seed, replication, row, 0)
    events, bucket, free_count, depth = 0, 0, 0, 0
    while size > 0:
        event = heap[0]
        now = int(event >> SERVER_BITS)
        while bucket < buckets and now > results.bucket * (bucket + 1):
            snapshot(s, results, row, bucket)
            bucket += 1
        if bucket == buckets:
            break
        v = int(event & mask)
        size = pop(heap, size)
        events += 1
        starting, need = NOBODY, 0
        does = server[v, DOES]
        if does == WORKING:
            j = int(server[v, DOING])
            if release_first[j + 1] > release_first[j]:
                things = things_released(n, seed, replication, j, int(finished[j]))
                for e in range(release_first[j], release_first[j + 1]):
                    level[release[e]] += things
                    todo[depth] = release[e]
                    depth += 1
            to, counts = GOOD, True
            place, last = int(route_first[j]), int(route_first[j + 1])
            if last > place:
                if last > place + 1:
                    bits = word(U32(ended[j]), low[j, 1], high[j, 1])
                    while place < last - 1 and bits > route_limit[place]:
                        place += 1
                to, counts = int(route_to[place]), route_counts[place] == 1
            ended[j] += 1
            if to == SCRAP:
                scrapped[j] += 1
            if counts:
                finished[j] += 1
                if milestones > 0:
                    reach(results, row, j, int(finished[j]), now)
            if to < 0:
                freed[free_count] = v
                free_count += 1
            elif head[to] == NOBODY and level[to] < capacity[to]:
                level[to] += 1
                freed[free_count] = v
                free_count += 1
                todo[depth] = to
                depth += 1
            else:
                server[v, DOES] = BLOCKED
                server[v, SINCE] = now
                server[v, NEXT] = NOBODY
                if head[to] == NOBODY:
                    head[to] = v
                else:
                    server[tail[to], NEXT] = v
                tail[to] = v
                todo[depth] = to
                depth += 1
        elif does == RESTING:
            server[v, DOING] = NOBODY
            freed[free_count] = v
            free_count += 1
        elif does == BROKEN:
            size = call_crew(n, s, results, seed, replication, v, now, size)
        else:
            if server[v, SINCE] != NOBODY:
                size = repaired(n, s, results, seed, replication, v, now, size)
            server[v, SINCE] = 0
            starting, need = v, int(server[v, LEFT])
        # Everything that can happen now, until nothing can.
        while True:
            if starting != NOBODY:
                v = starting
                starting = NOBODY
                r = int(owner[v])
                server[v, DOES] = WORKING
                total = need
                if failure[r] == OPERATION_DEPENDENT:
                    if need > server[v, UP_LEFT]:
                        total = need_with_failures(n, s, seed, replication, v, need)
                    else:
                        server[v, UP_LEFT] -= need
                end = now + total
                if end >= server[v, EDGE]:
                    end = work_until(n, s, seed, replication, v, now, total)
                if idle[server[v, DOING]] == 0:
                    worked = total if server[v, DOES] == BROKEN else need
                    spent[r, WORK] += worked
                    spent[r, DOWN] += end - now - worked
                size = push(heap, size, min(end, FAR), v)
            elif free_count > 0:
                free_count -= 1
                v = int(freed[free_count])
                j = int(server[v, DOING])
                at = now
                if j != NOBODY:
                    server[v, DOING] = NOBODY
                    if lot[j] > 0:
                        server[v, MADE] += 1
                        if server[v, MADE] % lot[j] == 0:
                            at += int(setup[j])
                            spent[owner[v], SETUP] += setup[j]
                if at >= server[v, EDGE]:
                    at = free_from(n, s, seed, replication, v, at)
                if at > now:
                    server[v, DOES] = RESTING
                    size = push(heap, size, min(at, FAR), v)
                else:
                    server[v, DOES] = IDLE
                    todo[depth] = 2 * stocks + owner[v]
                    depth += 1
            elif depth > 0:
                what = int(todo[depth - 1])
                if what < stocks and head[what] != NOBODY and level[what] < capacity[what]:
                    v = int(head[what])
                    head[what] = server[v, NEXT]
                    level[what] += 1
                    spent[owner[v], BLOCK] += now - server[v, SINCE]
                    freed[free_count] = v
                    free_count += 1
                    continue
                if what < stocks and level[what] == 0 and head[what] == NOBODY:
                    what += stocks
                found = NOBODY
                for place in range(waiting_first[what], waiting_first[what + 1]):
                    j = int(waiting[place])
                    able = call_first[j + 1] == call_first[j] or started[j] < call_first[j + 1] - call_first[j]
                    for e in range(input_first[j], input_first[j + 1]):
                        able = able and (level[inputs[e]] > 0 or head[inputs[e]] != NOBODY)
                    for e in range(hold_first[j], hold_first[j + 1]):
                        able = able and level[hold[e]] == 0 and head[hold[e]] == NOBODY
                    if able:
                        r = int(resource[j])
                        v = int(first_server[r])
                        last = int(first_server[r + 1])
                        while v < last and server[v, DOES] != IDLE:
                            v += 1
                        if v < last:
                            found = j
                            break
                if found == NOBODY:
                    depth -= 1
                    continue
                j, at = found, now
                if now >= server[v, EDGE]:  # its shift has ended, or it has failed, while it was idle
                    at = free_from(n, s, seed, replication, v, now)
                if call_first[j + 1] > call_first[j]:
                    at = max(at, int(call[call_first[j] + started[j], 0]))
                if at > now:
                    server[v, DOES] = RESTING
                    size = push(heap, size, min(at, FAR), v)
                    continue
                server[v, DOING] = j
                for e in range(input_first[j], input_first[j + 1]):
                    k = int(inputs[e])
                    if level[k] > 0:
                        level[k] -= 1
                        if level[k] > 0 and head[k] == NOBODY:
                            continue
                    else:
                        b = int(head[k])
                        head[k] = server[b, NEXT]
                        spent[owner[b], BLOCK] += now - server[b, SINCE]
                        freed[free_count] = b
                        free_count += 1
                    todo[depth] = k
                    depth += 1
                bits = word(U32(started[j]), low[j, 0], high[j, 0])
                need = int(ticks(int(kind[cycle[j]]), scale[cycle[j]], tables, int(cycle[j]), bits))
                started[j] += 1
                starting = v
            else:
                break
    while bucket < buckets:
        snapshot(s, results, row, bucket)
        bucket += 1
    return events


@compiled
def calendar(n: Network, start: Start, seed: int, first: int, results: Results) -> int:
    """Run every replication; how many events there were. `first`: number of the first."""
    events = 0
    for row in range(start.ready.shape[0]):
        replication = first + row
        events += run(n, new_state(n, seed, replication), start, seed, replication, row, results)
    return events
