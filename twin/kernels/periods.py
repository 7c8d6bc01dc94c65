"""Active periods of the machines of a line → which machine was the bottleneck when.

Roser, Nakano, Tanaka, "Shifting bottleneck detection", Winter Simulation Conference 2002, doi:10.1109/WSC.2002.1166360:
at any instant the machine with the longest uninterrupted active period is the momentary bottleneck; where the period of
one ends within the period of the next, the overlap is shifting, the rest is sole.
"""

import numpy as np
from numpy.typing import NDArray

from twin.kernels.compiled import compiled

NOBODY = -1
NEVER = np.iinfo(np.int64).max


@compiled
def bottleneck_chain(
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    first: NDArray[np.int64],
    begin: int,
    end: int,
    chain: NDArray[np.int64],
) -> int:
    """The periods that were the bottleneck one after the other; returns how many.

    start, stop: [p] ns, the active periods, machine by machine, ascending and apart within one;
    first: [m + 1], those of machine i are first[i] … first[i + 1] - 1; begin, end: the window in ns;
    chain: [p + 1], out: places in start and stop. Of equally long ones the first machine's is taken.
    """
    machines = first.shape[0] - 1
    at = np.zeros(machines, np.int64)
    for machine in range(machines):
        at[machine] = first[machine]
    now = begin
    found = 0
    while now < end:
        longest = 0
        taken = NOBODY
        next_start = NEVER
        for machine in range(machines):
            place = at[machine]
            last = first[machine + 1]
            while place < last and stop[place] <= now:
                place += 1
            at[machine] = place
            if place == last:
                continue
            began = start[place]
            if began > now:
                next_start = min(next_start, began)
            elif stop[place] - began > longest:
                longest = stop[place] - began
                taken = place
        if taken == NOBODY:
            now = next_start
            continue
        chain[found] = taken
        found += 1
        now = stop[taken]
    return found


@compiled
def bottleneck_shares(
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    machine: NDArray[np.int64],
    chain: NDArray[np.int64],
    begin: int,
    end: int,
    sole: NDArray[np.int64],
    shifting: NDArray[np.int64],
) -> None:
    """Add up, per machine, the time in [begin, end) for which it was the sole or a shifting bottleneck.

    machine: [p] whose period it is; chain: [c] what `bottleneck_chain` gave; sole, shifting: [m] ns, out.
    """
    for link in range(chain.shape[0]):
        place = chain[link]
        low = max(start[place], begin)
        high = min(stop[place], end)
        until = low
        since = high
        if link > 0:
            until = min(max(stop[chain[link - 1]], low), high)
        if link + 1 < chain.shape[0]:
            since = max(min(start[chain[link + 1]], high), low)
        alone = max(since - until, 0)
        sole[machine[place]] += alone
        shifting[machine[place]] += high - low - alone
