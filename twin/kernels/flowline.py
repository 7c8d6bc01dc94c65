"""A serial line as a max-plus recursion, with the replications side by side: one instruction advances eight of them.

In: machines in a row with finite buffers between. Out: parts that have left the line by the end of each bucket.
Part n starts at machine i at s(i,n) = gate(max(d(i-1,n), ready(i))), is finished after its work and the machine's
standstills, and leaves at d(i,n) = max(finish, s(i+1, n - buffer)) (blocking after service; Altiok and Stidham 1983).
The rare lane that meets a failure, a shift's end or a bucket's goes the long way through `occupation`; all others are
additions and maxima of whole ticks, so that the order of evaluation cannot matter.
"""

from typing import NamedTuple

import numpy as np

from twin.kernels.chance import CYCLE, EXPONENTIAL, FAR, I64, TABLE, Word, Words, exponential_row, key, tabled_row
from twin.kernels.compiled import compiled, inlined_step, step
from twin.kernels.flow_layout import FAILURE_MODE, NOBODY, OPERATION_DEPENDENT, Distributions, Ints, Servers, Start
from twin.kernels.occupation import PLACES, UP_LEFT, gate, new_server, next_edge, stand_still, with_repairs

I32, U32 = np.int32, np.uint32


class Line(NamedTuple):
    """Machines 0 … M-1 in a row; machine i is server i with one operation."""

    cycle: Ints  # [M] distribution
    lot: Ints  # [M] after so many parts the machine is set up, 0 = never
    setup: Ints  # [M] ticks
    places: Ints  # [M - 1] of the buffer behind machine i
    ahead: Ints  # [M] parts that stand between raw stock and machine i at tick 0, the one in machine i included


class Lanes(NamedTuple):
    """The state of W replications."""

    low: Words  # [M, W] keys of the cycle times
    high: Words
    ready: Ints  # [M, W] when the machine can begin
    left: Ints  # [M, W] work until the next operation-dependent failure
    edge: Ints  # [M, W] from here on the long way
    depart: Ints  # [M, W] of the last part
    start: Ints  # [sum of max(places, 1), W] rings of starts
    memory: Ints  # [M, W, PLACES]
    bucket: Ints  # [W] the next bucket's number


@step
def plain_row(
    arrive: Ints,
    ready: Ints,
    block: Ints,
    left: Ints,
    edge: Ints,
    work: Ints,
    setup: int,
    start: Ints,
    depart: Ints,
) -> int:
    """One part through one machine in every lane [W]; how many lanes must go the long way: start −1, memory kept."""
    hard, pause, one, sign = I32(0), I32(setup), I32(1), I32(31)
    for w in range(work.shape[0]):
        a, r, b, need = arrive[w], ready[w], block[w], work[w]
        s = max(r, a)
        f = I32(s + need)
        d = max(b, f)
        free = I32(d + pause)
        after = I32(left[w] - need)
        # All ones where the work outlasts the machine or the end lies at or behind the edge; masks, not branches.
        long = I32(I32(after | I32(I32(edge[w] - one) - free)) >> sign)
        hard = I32(hard - long)
        start[w] = I32(s | long)
        depart[w] = d
        left[w] = I32(after + I32(need & long))
        ready[w] = I32(I32(free & ~long) | I32(r & long))
    return int(hard)


@step
def new_lanes(
    distributions: Distributions, servers: Servers, line: Line, start: Start, seed: int, first: int, bucket: int
) -> Lanes:
    """Every lane at tick 0; lane w is replication first + w."""
    lanes, machines = start.ready.shape
    rings = 1
    for i in range(machines - 1):
        rings += max(int(line.places[i]), 1)
    low, high = np.empty((machines, lanes), np.uint32), np.empty((machines, lanes), np.uint32)
    ready, left, edge = (
        np.empty((machines, lanes), np.int32),
        np.full((machines, lanes), FAR, np.int32),
        np.empty((machines, lanes), np.int32),
    )
    memory = np.zeros((machines, lanes, PLACES), np.int32)
    for i in range(machines):
        for w in range(lanes):
            low[i, w], high[i, w] = key(seed, first + w, i, I64(CYCLE))
            new_server(distributions, servers, i, seed, first + w, memory[i, w])
            left[i, w] = memory[i, w, UP_LEFT]
            ready[i, w] = gate(distributions, servers, memory[i, w], I64(start.ready[w, i]))
            edge[i, w] = next_edge(servers, memory[i, w])
    for w in range(lanes):
        edge[machines - 1, w] = min(edge[machines - 1, w], bucket + 1)
    depart = np.zeros((machines, lanes), np.int32)
    ring = np.zeros((rings, lanes), np.int32)
    return Lanes(low, high, ready, left, edge, depart, ring, memory, np.zeros(lanes, np.int32))


@step
def work_row(distributions: Distributions, which: int, number: Word, low: Words, high: Words, work: Ints) -> None:
    """The cycle times of part `number` in every lane [W]."""
    kind, scale = distributions.kind[which], distributions.scale[which]
    if kind == EXPONENTIAL:
        exponential_row(number, low, high, scale, work)
    elif kind == TABLE:
        tabled_row(number, low, high, scale, distributions.table, which, work)
    else:
        work[:] = I32(scale + np.float32(0.5))


@inlined_step
def long_way(
    distributions: Distributions,
    servers: Servers,
    machine: int,
    w: int,
    lanes: Lanes,
    arrive: int,
    block: int,
    need: int,
    setup: int,
) -> tuple[int, int]:
    """(start, departure) of one part in one lane with failures, shifts and standstills."""
    at, memory = max(arrive, I64(lanes.ready[machine, w])), lanes.memory[machine, w]
    if servers.of[FAILURE_MODE, machine] == OPERATION_DEPENDENT:
        memory[UP_LEFT] = lanes.left[machine, w]
        need = with_repairs(distributions, servers, memory, need)
        lanes.left[machine, w] = memory[UP_LEFT]
        depart = max(at + need, block)
        if depart + setup < lanes.edge[machine, w]:  # a failure, and nothing else
            lanes.ready[machine, w] = depart + setup
            return at, depart
    start = gate(distributions, servers, memory, at)
    finish = stand_still(distributions, servers, memory, start, need)
    depart = min(max(finish, block), I64(FAR))
    lanes.ready[machine, w] = gate(distributions, servers, memory, min(depart + setup, I64(FAR)))
    lanes.edge[machine, w] = next_edge(servers, memory)
    return start, depart


@step
def hand_over(
    distributions: Distributions, servers: Servers, machine: int, lanes: Lanes, setup: int, bucket: int
) -> None:
    """Without a buffer a part leaves only when the next machine is in its shift and sound."""
    depart, edge = lanes.depart[machine], lanes.edge[machine + 1]
    for w in range(depart.shape[0]):
        if depart[w] < edge[w]:
            continue
        following, memory = lanes.memory[machine + 1, w], lanes.memory[machine, w]
        taken = gate(distributions, servers, following, I64(depart[w]))
        beyond = next_edge(servers, following)
        if machine + 2 == lanes.edge.shape[0]:
            beyond = min(beyond, bucket * (lanes.bucket[w] + 1) + 1)
        lanes.edge[machine + 1, w] = beyond
        if taken > depart[w]:
            depart[w] = taken
            free = min(taken + setup, I64(FAR))
            lanes.ready[machine, w] = gate(distributions, servers, memory, free)
            lanes.edge[machine, w] = next_edge(servers, memory)


@step
def fill_buckets(left_by: Ints, lanes: Lanes, w: int, depart: int, parts: int, bucket: int) -> int:
    """The buckets that end before a departure hold the parts before it; 1 when the last one is full."""
    place = I64(lanes.bucket[w])
    buckets = left_by.shape[1]
    if place == buckets:
        return I64(0)
    while place < buckets and depart > bucket * (place + 1):
        left_by[w, place] = parts
        place += 1
    lanes.bucket[w] = place
    return I64(place == buckets)


@compiled
def flowline(  # noqa: C901 – a call per machine would pass every array
    distributions: Distributions,
    servers: Servers,
    line: Line,
    start: Start,
    seed: int,
    first: int,
    bucket: int,
    milestones: Ints,
    left_by: Ints,
    reached: Ints,
) -> int:
    """Run every lane until its last bucket is full; how many parts went through the last machine.

    first: number of the first replication; bucket: ticks; milestones [K]: parts, rising; left_by [W, B]: filled with
    the parts that have left by the end of each bucket; reached [W, K]: when the milestone's part left, FAR = never.
    """
    lanes = new_lanes(distributions, servers, line, start, seed, first, bucket)
    count, machines, buckets = left_by.shape[0], line.cycle.shape[0], left_by.shape[1]
    work, nothing, begun = np.empty(count, np.int32), np.zeros(count, np.int32), np.empty(count, np.int32)
    ring_first = np.zeros(machines + 1, np.int64)
    for i in range(1, machines):
        ring_first[i + 1] = ring_first[i] + max(I64(line.places[i - 1]), 1)
    last = machines - 1
    horizon = bucket * buckets
    finished, row, milestone = I64(0), -I64(line.ahead[last]), I64(0)
    while finished < count:
        for i in range(machines):
            number = row + I64(line.ahead[i])  # of the part at this machine
            if number < 0:
                continue
            in_process = number == 0 and start.operation[i] != NOBODY
            if in_process:
                work[:] = start.remaining[i]
            else:
                work_row(distributions, I64(line.cycle[i]), U32(number), lanes.low[i], lanes.high[i], work)
            arrive, block = nothing, nothing
            if i > 0 and row >= -I64(line.ahead[i - 1]):
                arrive = lanes.depart[i - 1]
            if i < last:
                places = I64(line.places[i])
                if places == 0:
                    block = lanes.ready[i + 1]
                elif row - places >= -I64(line.ahead[i + 1]):
                    block = lanes.start[ring_first[i + 1] + row % places]
            setup = I64(0)
            if line.lot[i] > 0 and (number + 1) % I64(line.lot[i]) == 0:
                setup = I64(line.setup[i])
            depart = lanes.depart[i]
            hard = plain_row(arrive, lanes.ready[i], block, lanes.left[i], lanes.edge[i], work, setup, begun, depart)
            for w in range(count):
                if hard == 0:
                    break
                if begun[w] < 0:
                    hard -= 1
                    known = (I64(arrive[w]), I64(block[w]), I64(work[w]))
                    begun[w], depart[w] = long_way(distributions, servers, i, w, lanes, *known, setup)
                    if i == last:
                        finished += fill_buckets(left_by, lanes, w, I64(depart[w]), number, bucket)
                        place = I64(lanes.bucket[w])
                        if place < buckets:
                            lanes.edge[i, w] = min(lanes.edge[i, w], bucket * (place + 1) + 1)
            if i < last and line.places[i] == 0:
                hand_over(distributions, servers, i, lanes, setup, bucket)
            if i > 0:
                ring = lanes.start[ring_first[i] + row % max(I64(line.places[i - 1]), 1)]
                for w in range(count):
                    ring[w] = 0 if in_process else begun[w]  # it left the buffer before tick 0
            if i == last and milestone < milestones.shape[0] and number + 1 == milestones[milestone]:
                for w in range(count):
                    reached[w, milestone] = depart[w] if depart[w] <= horizon else FAR
                milestone += 1
        row += 1
    return row + I64(line.ahead[last])
