"""Sixteen signals at once: the rule of `twin.kernels.univariate` in packed instructions.

In: one sample for each lane that has one. Out: the hot memory advanced, and what became of each sample.
"""

import numpy as np

from twin.kernels.compiled import compiled
from twin.kernels.layout import (
    BLOCK_S,
    COMMISSIONED,
    COV1,
    CUSUM_DOWN,
    CUSUM_UP,
    DOWN_S,
    LANES,
    LAST,
    LIMIT_CREEP,
    LIMIT_DRIFT,
    LIMIT_JUMP,
    LIMIT_NOISE,
    LIMIT_SPIKE,
    MAX_CREEP,
    MAX_DRIFT,
    MAX_JUMP,
    MAX_NOISE,
    MAX_SPIKE,
    MEAN,
    MOVE,
    NOISE_NOW,
    RUN,
    RUN_CEILING,
    SLOW_MEAN,
    STEP,
    UP_S,
    USUAL_NOISE,
    VAR,
    WIDTH,
    N,
)
from twin.kernels.univariate import ZERO, Hot, infer

SAMPLE_ROWS = 11
INSTANT = np.uint64(SAMPLE_ROWS * LANES)  # from one instant's samples to the next
S_X, S_SAME, S_DT_S, S_GAP_S, S_PRESENT, S_EXCEEDED, S_Z, S_LEVEL, S_JUMP, S_CREEP, S_RATIO = (
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
            samples[instant + S_LEVEL + k],
            samples[instant + S_JUMP + k],
            samples[instant + S_CREEP + k],
            samples[instant + S_RATIO + k],
            mean,
            var,
            cov1,
            slow_mean,
            cusum_up,
            cusum_down,
            step,
            run_ceiling,
            run,
            n,
            move,
            noise,
            usual,
            up_s,
            down_s,
            block_s,
            max_spike,
            max_drift,
            max_jump,
            max_creep,
            max_noise,
        ) = infer(
            hot[at + MEAN],
            hot[at + VAR],
            hot[at + COV1],
            hot[at + SLOW_MEAN],
            hot[at + CUSUM_UP],
            hot[at + CUSUM_DOWN],
            hot[at + LAST],
            hot[at + STEP],
            hot[at + RUN_CEILING],
            hot[at + RUN],
            hot[at + N],
            hot[at + COMMISSIONED],
            hot[at + MOVE],
            hot[at + NOISE_NOW],
            hot[at + USUAL_NOISE],
            hot[at + UP_S],
            hot[at + DOWN_S],
            hot[at + BLOCK_S],
            hot[at + MAX_SPIKE],
            hot[at + MAX_DRIFT],
            hot[at + MAX_JUMP],
            hot[at + MAX_CREEP],
            hot[at + MAX_NOISE],
            hot[at + LIMIT_SPIKE],
            hot[at + LIMIT_DRIFT],
            hot[at + LIMIT_JUMP],
            hot[at + LIMIT_CREEP],
            hot[at + LIMIT_NOISE],
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
        hot[at + LAST] = x if present else hot[at + LAST]
        hot[at + STEP] = step if present else hot[at + STEP]
        hot[at + RUN_CEILING] = run_ceiling if present else hot[at + RUN_CEILING]
        hot[at + RUN] = run if present else hot[at + RUN]
        hot[at + N] = n if present else hot[at + N]
        hot[at + MOVE] = move if present else hot[at + MOVE]
        hot[at + NOISE_NOW] = noise if present else hot[at + NOISE_NOW]
        hot[at + USUAL_NOISE] = usual if present else hot[at + USUAL_NOISE]
        hot[at + UP_S] = up_s if present else hot[at + UP_S]
        hot[at + DOWN_S] = down_s if present else hot[at + DOWN_S]
        hot[at + BLOCK_S] = block_s if present else hot[at + BLOCK_S]
        hot[at + MAX_SPIKE] = max_spike if present else hot[at + MAX_SPIKE]
        hot[at + MAX_DRIFT] = max_drift if present else hot[at + MAX_DRIFT]
        hot[at + MAX_JUMP] = max_jump if present else hot[at + MAX_JUMP]
        hot[at + MAX_CREEP] = max_creep if present else hot[at + MAX_CREEP]
        hot[at + MAX_NOISE] = max_noise if present else hot[at + MAX_NOISE]
