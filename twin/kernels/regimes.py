"""Baselines per machine state: a machine enters a state, its measurements take out what was learnt in that state.

In: the code of the state. Out: the hot memory exchanged, learning and judging paused while the signals settle.
"""

import numpy as np

from twin.kernels.compiled import compiled, inlined
from twin.kernels.layout import (
    AGE_S,
    COV1,
    CUSUM_CEILING,
    CUSUM_DOWN,
    CUSUM_UP,
    MEAN,
    RUN,
    RUN_CEILING,
    SLOW_MEAN,
    STEP,
    UNKNOWN_REGIME,
    VAR,
    WIDE,
    WIDTH,
    Z_CEILING,
    Blocks,
    Model,
    N,
    Record,
    Records,
)
from twin.kernels.univariate import PENDING, SETTLE_NS, ZERO, Hot


@compiled
def enter_regime(exact_i: Record, hot: Hot, at: np.uint64, regimes: Records, number: int) -> None:
    """Put the present baseline away and take out the one of regime `number`.

    exact_i: `layout.EXACT` record of the signal; hot: the hot memory, at: its place in it;
    regimes: [REGIMES] `layout.REGIME` of the signal.
    """
    old, new = regimes[int(exact_i["regime"])], regimes[number]
    old["mean"] = hot[at + MEAN]
    old["var"] = hot[at + VAR]
    old["cov1"] = hot[at + COV1]
    old["slow_mean"] = hot[at + SLOW_MEAN]
    old["step"] = hot[at + STEP]
    old["cusum_ceiling"] = hot[at + CUSUM_CEILING]
    old["age_s"] = hot[at + AGE_S]
    old["run_ceiling"] = hot[at + RUN_CEILING]
    old["n"] = hot[at + N]
    old["z_ceiling"] = hot[at + Z_CEILING]
    exact_i["regime"] = number
    hot[at + MEAN] = new["mean"]
    hot[at + VAR] = new["var"]
    hot[at + COV1] = new["cov1"]
    hot[at + SLOW_MEAN] = new["slow_mean"]
    hot[at + STEP] = new["step"]
    hot[at + CUSUM_CEILING] = new["cusum_ceiling"]
    hot[at + AGE_S] = new["age_s"]
    hot[at + RUN_CEILING] = new["run_ceiling"]
    hot[at + N] = new["n"]
    hot[at + Z_CEILING] = new["z_ceiling"]
    hot[at + CUSUM_UP] = ZERO
    hot[at + CUSUM_DOWN] = ZERO
    hot[at + RUN] = ZERO
    exact_i["flags"] = int(exact_i["flags"]) & ~PENDING


@inlined
def place(signal: int) -> np.uint64:
    """Where the first row of a signal stands in the hot memory."""
    i = np.uint64(signal)
    return i // WIDTH * WIDE + i % WIDTH


@compiled
def enter_state(code: float, time: int, asset: int, blocks: Blocks, model: Model) -> None:
    """A machine enters a state: each of its measurements takes out the baseline of that state and settles."""
    number = int(code) if 0.0 <= code < UNKNOWN_REGIME else UNKNOWN_REGIME
    for m in range(model.member_start[asset], model.member_start[asset + 1]):
        j = model.members[m]
        enter_regime(blocks.exact[j], blocks.hot, place(j), blocks.regimes[j], number)
        blocks.exact[j]["settle_until"] = time + SETTLE_NS
