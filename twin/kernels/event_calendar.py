"""Any flow network, event by event: parallel servers, merge, split, assembly, rework, scrap, crews, shared resources.

In: a `Network` and its start. Out: counts per bucket, milestones, and how every resource spent its time. One
replication at a time; a server has at most one event under way, because failures and standstills inside an operation
are known when it begins (`occupation`), unless the repair has to wait for a crew.
"""

import numpy as np

from twin.kernels.calendar_state import (
    BLOCK,
    BLOCKED,
    BROKEN,
    DOES,
    DOING,
    DOWN,
    EDGE,
    ENDED,
    FINISHED,
    HEAD,
    IDLE,
    LEFT,
    LEVEL,
    MADE,
    NEXT,
    RESTING,
    SETUP,
    SINCE,
    STARTED,
    TAIL,
    WORK,
    WORKING,
    Results,
    State,
    begin_under_way,
    call_crew,
    free_from,
    need_with_failures,
    new_state,
    reach,
    repaired,
    snapshot,
    work_until,
)
from twin.kernels.chance import CYCLE, FAR, I64, LOT, ROUTE, ticks, word
from twin.kernels.compiled import compiled, step
from twin.kernels.event_heap import SERVER_BITS, pop, push
from twin.kernels.flow_layout import (
    CALLS,
    COUNTS,
    CYCLE_TIME,
    FAILURE_MODE,
    FIRST_SERVER,
    GOOD,
    HOLDS,
    IDLES,
    INPUTS,
    LEADS_TO,
    LIMIT,
    LOT_SIZE,
    NOBODY,
    OPERATION_DEPENDENT,
    QUANTITY,
    RELEASES,
    RESOURCE,
    ROUTES,
    SCRAP,
    SETUP_TICKS,
    Network,
    Start,
)
from twin.kernels.occupation import OWNER, UP_LEFT, draw

U32 = np.uint32


@step
def release(n: Network, s: State, j: int, depth: int) -> int:
    """Operation j has ended and brings things into unlimited stocks. The new depth of `todo`."""
    of, number = n.operations.of, s.tally[FINISHED, j]
    if of[CALLS, j + 1] > of[CALLS, j]:
        things = I64(n.operations.calls[of[CALLS, j] + number, 1])
    else:
        bits = word(U32(number), s.keys[2 * LOT, j], s.keys[2 * LOT + 1, j])
        things = draw(n.distributions, of[QUANTITY, j], bits)
    for e in range(of[RELEASES, j], of[RELEASES, j + 1]):
        k = n.operations.stocks[e]
        s.stock[LEVEL, k] += things
        s.todo[depth] = k
        depth += 1
    return depth


@step
def run(  # noqa: C901 – one loop, see below
    n: Network, s: State, start: Start, row: int, results: Results
) -> int:
    """One replication to the end of its last bucket; how many events there were.

    One loop without calls on its usual way, because a call counts the references of every array that it passes.
    `free_count` servers are in `freed`, `depth` lists in `todo`; server `starting` begins `need` ticks of work.
    """
    server, heap, stock, tally, keys, freed, todo = s.server, s.heap, s.stock, s.tally, s.keys, s.freed, s.todo
    rules, of, lists, routes = n.servers.of, n.operations.of, n.operations.stocks, n.operations.routes
    kind, scale, tables = n.distributions.kind, n.distributions.scale, n.distributions.table
    waiting, capacity, spent, scrapped = n.waiting, n.stocks.capacity, results.spent, results.scrapped
    stocks, buckets, milestones = capacity.shape[0], results.total.shape[1], results.milestone.shape[0]
    mask = (1 << SERVER_BITS) - 1
    size = begin_under_way(n, s, start, row)
    events, bucket, free_count, depth = I64(0), I64(0), I64(0), I64(0)
    while size > 0:
        event = heap[0]
        now, v = event >> SERVER_BITS, event & mask
        while bucket < buckets and now > results.bucket * (bucket + 1):
            snapshot(stock, tally, results, row, bucket)
            bucket += 1
        if bucket == buckets:
            break
        size = pop(heap, size)
        events += 1
        starting, need = I64(NOBODY), I64(0)
        does = server[v, DOES]
        if does == WORKING:
            j = I64(server[v, DOING])
            if of[RELEASES, j + 1] > of[RELEASES, j]:
                depth = release(n, s, j, depth)
            to, counts = I64(GOOD), True
            place, last = I64(of[ROUTES, j]), I64(of[ROUTES, j + 1]) - 1
            if place <= last:
                if place < last:
                    bits = word(U32(tally[ENDED, j]), keys[2 * ROUTE, j], keys[2 * ROUTE + 1, j])
                    while place < last and bits > U32(routes[LIMIT, place]):
                        place += 1
                to, counts = I64(routes[LEADS_TO, place]), routes[COUNTS, place] == 1
            tally[ENDED, j] += 1
            if to == SCRAP:
                scrapped[j] += 1
            if counts:
                tally[FINISHED, j] += 1
                if milestones > 0:
                    reach(results, row, j, I64(tally[FINISHED, j]), now)
            if to >= 0:
                todo[depth] = to
                depth += 1
            if to < 0:
                freed[free_count] = v
                free_count += 1
            elif stock[HEAD, to] == NOBODY and stock[LEVEL, to] < capacity[to]:
                stock[LEVEL, to] += 1
                freed[free_count] = v
                free_count += 1
            else:  # blocked, behind those that are blocked there already
                server[v, DOES] = BLOCKED
                server[v, SINCE] = now
                server[v, NEXT] = NOBODY
                if stock[HEAD, to] == NOBODY:
                    stock[HEAD, to] = v
                else:
                    server[stock[TAIL, to], NEXT] = v
                stock[TAIL, to] = v
        elif does == RESTING:
            server[v, DOING] = NOBODY
            freed[free_count] = v
            free_count += 1
        elif does == BROKEN:
            size = call_crew(n, s, spent, v, now, size)
        else:
            if server[v, SINCE] != NOBODY:
                size = repaired(n, s, spent, v, now, size)
            server[v, SINCE] = 0
            starting, need = v, I64(server[v, LEFT])
        # Everything that can happen now, until nothing can.
        while True:
            if starting != NOBODY:
                v, r = starting, server[starting, OWNER]
                starting = I64(NOBODY)
                server[v, DOES] = WORKING
                total = need
                if rules[FAILURE_MODE, r] == OPERATION_DEPENDENT:
                    if need > server[v, UP_LEFT]:
                        total = need_with_failures(n.distributions, n.servers, server[v], need)
                    else:
                        server[v, UP_LEFT] -= need
                end = now + total
                if end >= server[v, EDGE]:
                    end = work_until(n.distributions, n.servers, server[v], now, total)
                if of[IDLES, server[v, DOING]] == 0:
                    worked = total if server[v, DOES] == BROKEN else need
                    spent[r, WORK] += worked
                    spent[r, DOWN] += end - now - worked
                size = push(heap, size, min(end, I64(FAR)), v)
            elif free_count > 0:
                free_count -= 1
                v = I64(freed[free_count])
                at, j = now, I64(server[v, DOING])
                if j != NOBODY:
                    server[v, DOING] = NOBODY
                    if of[LOT_SIZE, j] > 0:
                        server[v, MADE] += 1
                        if server[v, MADE] % of[LOT_SIZE, j] == 0:
                            at += of[SETUP_TICKS, j]
                            spent[server[v, OWNER], SETUP] += of[SETUP_TICKS, j]
                if at >= server[v, EDGE]:
                    at = free_from(n.distributions, n.servers, server[v], at)
                if at > now:
                    server[v, DOES] = RESTING
                    size = push(heap, size, min(at, I64(FAR)), v)
                else:
                    server[v, DOES] = IDLE
                    todo[depth] = 2 * stocks + server[v, OWNER]
                    depth += 1
            elif depth > 0:
                what = I64(todo[depth - 1])
                if what < stocks and stock[HEAD, what] != NOBODY and stock[LEVEL, what] < capacity[what]:
                    v = I64(stock[HEAD, what])
                    stock[HEAD, what] = server[v, NEXT]
                    stock[LEVEL, what] += 1
                    spent[server[v, OWNER], BLOCK] += now - server[v, SINCE]
                    freed[free_count] = v
                    free_count += 1
                    continue
                if what < stocks and stock[LEVEL, what] == 0 and stock[HEAD, what] == NOBODY:
                    what += stocks
                j = I64(NOBODY)
                for place in range(waiting[what], waiting[what + 1]):
                    tried = I64(waiting[place])
                    calls = of[CALLS, tried + 1] - of[CALLS, tried]
                    able = calls == 0 or tally[STARTED, tried] < calls
                    for e in range(of[INPUTS, tried], of[INPUTS, tried + 1]):
                        able = able and (stock[LEVEL, lists[e]] > 0 or stock[HEAD, lists[e]] != NOBODY)
                    for e in range(of[HOLDS, tried], of[HOLDS, tried + 1]):
                        able = able and stock[LEVEL, lists[e]] == 0 and stock[HEAD, lists[e]] == NOBODY
                    if able:
                        v, last = (
                            I64(rules[FIRST_SERVER, of[RESOURCE, tried]]),
                            rules[FIRST_SERVER, of[RESOURCE, tried] + 1],
                        )
                        while v < last and server[v, DOES] != IDLE:
                            v += 1
                        if v < last:
                            j = tried
                            break
                if j == NOBODY:
                    depth -= 1
                    continue
                at = now
                if now >= server[v, EDGE]:  # its shift has ended, or it has failed, while it was idle
                    at = free_from(n.distributions, n.servers, server[v], now)
                if of[CALLS, j + 1] > of[CALLS, j]:
                    at = max(at, I64(n.operations.calls[of[CALLS, j] + tally[STARTED, j], 0]))
                if at > now:
                    server[v, DOES] = RESTING
                    size = push(heap, size, min(at, I64(FAR)), v)
                    continue
                server[v, DOING] = j
                for e in range(of[INPUTS, j], of[INPUTS, j + 1]):
                    k = I64(lists[e])
                    if stock[LEVEL, k] > 0:
                        stock[LEVEL, k] -= 1
                        if stock[LEVEL, k] > 0 and stock[HEAD, k] == NOBODY:
                            continue
                    else:
                        b = I64(stock[HEAD, k])
                        stock[HEAD, k] = server[b, NEXT]
                        spent[server[b, OWNER], BLOCK] += now - server[b, SINCE]
                        freed[free_count] = b
                        free_count += 1
                    todo[depth] = k
                    depth += 1
                bits = word(U32(tally[STARTED, j]), keys[2 * CYCLE, j], keys[2 * CYCLE + 1, j])
                tally[STARTED, j] += 1
                cycle = of[CYCLE_TIME, j]
                starting, need = v, I64(ticks(int(kind[cycle]), scale[cycle], tables, int(cycle), bits))
            else:
                break
    while bucket < buckets:
        snapshot(stock, tally, results, row, bucket)
        bucket += 1
    return events


@compiled
def calendar(n: Network, start: Start, seed: int, first: int, results: Results) -> int:
    """Run every replication; how many events there were. `first`: number of the first."""
    events = I64(0)
    for row in range(start.ready.shape[0]):
        replication = first + row
        events += run(n, new_state(n, seed, replication), start, row, results)
    return events
