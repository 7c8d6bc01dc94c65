"""A binary heap of events as int64: tick << 16 | server. At most one event per server, so that the heap never grows."""

import numpy as np
from numpy.typing import NDArray

from twin.kernels.compiled import inlined

SERVER_BITS = 16
MOST_SERVERS = 1 << SERVER_BITS

Heap = NDArray[np.int64]


@inlined
def push(heap: Heap, size: int, tick: int, server: int) -> int:
    """The new size."""
    event = (np.int64(tick) << SERVER_BITS) | server
    place = size
    while place > 0:
        above = (place - 1) >> 1
        if heap[above] <= event:
            break
        heap[place] = heap[above]
        place = above
    heap[place] = event
    return size + 1


@inlined
def pop(heap: Heap, size: int) -> int:
    """Take the first event off; its place is filled from the end. The new size."""
    last = heap[size - 1]
    size -= 1
    place = 0
    below = 1
    while below < size:
        if below + 1 < size and heap[below + 1] < heap[below]:
            below += 1
        if heap[below] >= last:
            break
        heap[place] = heap[below]
        place = below
        below = 2 * place + 1
    heap[place] = last
    return size
