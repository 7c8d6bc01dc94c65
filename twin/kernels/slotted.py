"""A synchronous line, slot by slot, replications side by side: Bernoulli and geometric (Gershwin) machines.

In: per machine the chances per slot to fail and to be repaired, and the buffers. Out: parts per replication.
In a slot the machines' states change first (a machine that could not work does not wear), then, from the last machine
to the first, each that is up takes one part from its buffer when the next buffer has or gets room (blocked before
service). A Bernoulli machine of reliability p is repaired with p and fails with 1 - p, whether it can work or not.
Source: Li and Meerkov 2009, doi:10.1007/978-0-387-75579-3; Gershwin 1994, chapter 3.
"""

import numpy as np
from numpy.typing import NDArray

from twin.kernels.chance import key, word
from twin.kernels.compiled import compiled
from twin.kernels.flow_layout import Ints

U32 = np.uint32


@compiled
def slotted(  # noqa: C901 – the slot in the order of its steps
    fails: NDArray[np.uint32],
    repaired: NDArray[np.uint32],
    operation_dependent: bool,
    downstream_first: bool,
    places: Ints,
    slots: int,
    warm: int,
    seed: int,
    first: int,
    made: NDArray[np.int64],
    level: NDArray[np.int64],
) -> None:
    """Run `warm` + `slots` slots; made [N] parts in the latter, level [N, M - 1] sums of the buffers' levels.

    fails, repaired: [M] chances times 2³²; downstream_first: a machine before a full buffer works when the next one
    takes a part in the same slot (Bernoulli lines), else only when there was room before the slot (Gershwin).
    """
    machines = fails.shape[0]
    for row in range(made.shape[0]):
        low, high = key(seed, first + row, 0, 0)
        up = np.ones(machines, np.bool_)
        works = np.zeros(machines, np.bool_)
        stock = np.zeros(machines + 1, np.int64)
        number = U32(0)
        for slot in range(warm + slots):
            for i in range(machines):
                bits = word(number, low, high)
                number = U32(number + U32(1))
                able = (i == 0 or stock[i - 1] > 0) and (i == machines - 1 or stock[i] < places[i])
                if not up[i]:
                    up[i] = bits < repaired[i]
                elif able or not operation_dependent:
                    up[i] = bits >= fails[i]
            for i in range(machines - 1, -1, -1):
                room = i == machines - 1 or stock[i] < places[i] or (downstream_first and works[i + 1])
                works[i] = up[i] and room and (i == 0 or stock[i - 1] > 0)
            for i in range(machines):
                if works[i]:
                    if i > 0:
                        stock[i - 1] -= 1
                    if i < machines - 1:
                        stock[i] += 1
            if slot >= warm:
                made[row] += works[machines - 1]
                for i in range(machines - 1):
                    level[row, i] += stock[i]
