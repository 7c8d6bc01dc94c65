"""A block of ten minutes ends: its greatest scores are remembered, and the limits follow from what is remembered.

In: the running block in the hot memory. Out: the tails of the signal's present regime, new limits, an empty block.
"""

import numpy as np

from twin.kernels.compiled import compiled, inlined
from twin.kernels.layout import (
    BLOCK_S,
    BLOCKS,
    COMMISSIONED,
    FIRST_SCORED,
    LANES,
    LIMIT_SPIKE,
    MAX_SPIKE,
    NEVER_LIMIT,
    SCORED,
    SLOW_MEAN,
    Blocks,
    Record,
    Records,
)
from twin.kernels.tails import KNOWN_BLOCKS, LEAST_P, limit, observe, p_value
from twin.kernels.univariate import ONE, ZERO, F, Hot

# While a tail is not known: spike, drift, jump, creep, noise.
PROVISIONAL = (6.0, 25.0, 12.0, 3.0, 4.0)  # the lowest limit
PROVISIONAL_BLOCKS = (1, 3, 3, 12, 3)  # that must have been seen
PROVISIONAL_FACTOR = 1.5  # above the greatest score seen
COMMISSION_BLOCKS = 36  # 6 h; until then the slow mean is what the signal was commissioned with
BLOCKS_MAX = F(1.0e6)
COUNTED = 2.0  # times its limit: a score beyond it is counted as no more than this
NEXT_ROW = np.uint64(LANES)


@inlined
def tail_row(exact_i: Record, config_i: Record) -> int:
    """The row of the signal's present regime in `Blocks.regimes` and `Blocks.tails`."""
    regime = int(exact_i["regime"]) if int(config_i["regimes"]) > 1 else 0
    return int(config_i["regime_start"]) + regime


@compiled
def new_limit(tail: Record, k: int, blocks: int, level: float) -> float:
    """The score of detector FIRST_SCORED + k at which an episode may begin; tail: `layout.TAIL` record."""
    if int(tail["n"]) >= KNOWN_BLOCKS:
        return max(limit(tail, level), 1e-6)
    if blocks < PROVISIONAL_BLOCKS[k]:
        return float(NEVER_LIMIT)
    return max(PROVISIONAL[k], PROVISIONAL_FACTOR * float(tail["scale"]))


@compiled
def end_block(exact_i: Record, hot: Hot, at: np.uint64, config_i: Record, tails: Records) -> None:
    """The running block is full; tails: [SCORED] `layout.TAIL` of the present regime."""
    blocks = min(hot[at + BLOCKS] + ONE, BLOCKS_MAX)
    hot[at + BLOCKS] = blocks
    hot[at + BLOCK_S] = ZERO
    oddest = 2.0
    place = at
    for k in range(SCORED):
        tail = tails[k]
        greatest, before = float(hot[place + MAX_SPIKE]), float(hot[place + LIMIT_SPIKE])
        known = int(tail["n"]) >= KNOWN_BLOCKS
        if known and float(tail["unit"]) > 0.0:
            oddest = min(oddest, p_value(tail, greatest))
        if not known:
            tail["scale"] = max(float(tail["scale"]), greatest)  # no tail yet: the greatest one so far
        observe(tail, min(greatest, COUNTED * before))
        fitted = int(tail["n"])
        if fitted < 4 * KNOWN_BLOCKS or fitted % 16 == 0:
            hot[place + LIMIT_SPIKE] = F(new_limit(tail, k, int(blocks), float(config_i["level"])))
        hot[place + MAX_SPIKE] = ZERO
        place += NEXT_ROW
    exact_i["oddest"] = oddest if oddest <= 1.0 else np.nan
    if blocks <= F(COMMISSION_BLOCKS):
        hot[at + COMMISSIONED] = hot[at + SLOW_MEAN]


@compiled
def end_episode(hot: Hot, at: np.uint64, tail: Record, k: int, peak: float) -> None:
    """An episode of detector FIRST_SCORED + k ends: it counts as one block, however long it was.

    Most episodes that begin are noise that the budget does not tell: a tail that leaves out every one of them would be
    lighter than the signal's.
    """
    observe(tail, min(peak, COUNTED * float(hot[at + LIMIT_SPIKE + np.uint64(k) * NEXT_ROW])))


@inlined
def chance(blocks: Blocks, exact_i: Record, config_i: Record, detector: int, score: float) -> float:
    """The p-value of a score; 0 for a hard rule."""
    if detector < FIRST_SCORED:
        return 0.0
    p = p_value(blocks.tails[tail_row(exact_i, config_i)][detector - FIRST_SCORED], score)
    return max(p, LEAST_P)
