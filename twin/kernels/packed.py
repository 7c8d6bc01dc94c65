"""Sixteen signals at once: the rule of `twin.kernels.univariate` in packed instructions.

In: one sample for each lane that has one. Out: the hot memory advanced, and what became of each sample.
"""

import numpy as np

from twin.kernels.compiled import compiled
from twin.kernels.layout import (
    AGE_S,
    COV1,
    CUSUM_CEILING,
    CUSUM_DOWN,
    CUSUM_UP,
    LANES,
    LAST,
    MEAN,
    RUN,
    RUN_CEILING,
    SLOW_MEAN,
    STEP,
    VAR,
    WIDTH,
    Z_CEILING,
    N,
)
from twin.kernels.univariate import ZERO, Hot, infer

SAMPLE_ROWS = 8
INSTANT = np.uint64(SAMPLE_ROWS * LANES)  # from one instant's samples to the next
S_X, S_SAME, S_DT_S, S_GAP_S, S_PRESENT, S_EXCEEDED, S_Z, S_CUSUM = (
    np.uint64(LANES * row) for row in range(SAMPLE_ROWS)
)


@compiled
def no_samples(instants: int) -> Hot:
    """At each instant one sample for each lane of a block, and what became of it: SAMPLE_ROWS rows of LANES."""
    return np.zeros(instants * SAMPLE_ROWS * LANES, np.float32)


@compiled
def step_block(hot: Hot, block: np.uint64, samples: Hot, instant: np.uint64) -> None:
    """Advance sixteen signals in packed instructions; nothing may be open in those that have a sample.

    hot: the hot memory, block: where the sixteen begin in it; samples: see `no_samples`, results for every lane;
    instant: where its samples begin.
    """
    for k in range(WIDTH):  # a signed index would be checked for wrap-around in every lane
        at = block + k
        present = samples[instant + S_PRESENT + k] != ZERO
        x = samples[instant + S_X + k]
        (
            exceeded,
            _,
            samples[instant + S_Z + k],
            samples[instant + S_CUSUM + k],
            mean,
            var,
            cov1,
            slow_mean,
            cusum_up,
            cusum_down,
            step,
            cusum_ceiling,
            run_ceiling,
            run,
            n,
            age_s,
            z_ceiling,
        ) = infer(
            hot[at + MEAN],
            hot[at + VAR],
            hot[at + COV1],
            hot[at + SLOW_MEAN],
            hot[at + CUSUM_UP],
            hot[at + CUSUM_DOWN],
            hot[at + LAST],
            hot[at + STEP],
            hot[at + CUSUM_CEILING],
            hot[at + RUN_CEILING],
            hot[at + RUN],
            hot[at + N],
            hot[at + AGE_S],
            hot[at + Z_CEILING],
            x,
            samples[instant + S_SAME + k] != ZERO,
            samples[instant + S_DT_S + k],
            samples[instant + S_GAP_S + k],
            False,
            False,
        )
        samples[instant + S_EXCEEDED + k] = exceeded if present else ZERO
        hot[at + MEAN] = mean if present else hot[at + MEAN]
        hot[at + VAR] = var if present else hot[at + VAR]
        hot[at + COV1] = cov1 if present else hot[at + COV1]
        hot[at + SLOW_MEAN] = slow_mean if present else hot[at + SLOW_MEAN]
        hot[at + CUSUM_UP] = cusum_up if present else hot[at + CUSUM_UP]
        hot[at + CUSUM_DOWN] = cusum_down if present else hot[at + CUSUM_DOWN]
        hot[at + STEP] = step if present else hot[at + STEP]
        hot[at + CUSUM_CEILING] = cusum_ceiling if present else hot[at + CUSUM_CEILING]
        hot[at + RUN_CEILING] = run_ceiling if present else hot[at + RUN_CEILING]
        hot[at + RUN] = run if present else hot[at + RUN]
        hot[at + N] = n if present else hot[at + N]
        hot[at + AGE_S] = age_s if present else hot[at + AGE_S]
        hot[at + LAST] = x if present else hot[at + LAST]
        hot[at + Z_CEILING] = z_ceiling if present else hot[at + Z_CEILING]
