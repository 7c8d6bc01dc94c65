"""Baselines per regime: machine state, product and band of the commanded speed choose what a measurement is judged by.

In: a new state, product or speed of an asset. Out: the hot memory of its measurements exchanged, learning and judging
paused while they settle. Product and speed count only while the machine executes. An asset's first eleven regimes, in
the order in which it meets them, have a baseline and tails of their own; all others share the twelfth.
"""

import numpy as np

from twin.kernels.compiled import compiled, inlined
from twin.kernels.layout import (
    BLOCKS,
    COMMISSIONED,
    CUSUM_DOWN,
    CUSUM_UP,
    DOWN_S,
    KEPT,
    LANES,
    LIMIT_SPIKE,
    MAX_SPIKE,
    NEVER_LIMIT,
    NOISE_NOW,
    RUN,
    SCORED,
    SLOW_MEAN,
    UNKNOWN_REGIME,
    UP_S,
    WIDE,
    WIDTH,
    Blocks,
    Model,
    N,
    Record,
)
from twin.kernels.univariate import OPEN, PENDING, SETTLE_NS, THAWED, ZERO, Hot

BANDS = 3  # of the commanded speed, of equal width between the signal's low and high
BAND_EDGE = 0.05  # of the range: a speed must go so far beyond the edge of its band to leave it
STATE_SPAN, BAND_SPAN = 1 << 16, 1 << 4
CODES = 62  # state codes up to here can be told to be executing
ROW = np.uint64(LANES)


@inlined
def place(signal: int) -> np.uint64:
    """Where the first row of a signal stands in the hot memory."""
    i = np.uint64(signal)
    return i // WIDTH * WIDE + i % WIDTH


@inlined
def begin_anew(hot: Hot, at: np.uint64) -> None:
    """What belongs to the moment starts again."""
    hot[at + CUSUM_UP] = ZERO
    hot[at + CUSUM_DOWN] = ZERO
    hot[at + UP_S] = ZERO
    hot[at + DOWN_S] = ZERO
    hot[at + RUN] = ZERO


@compiled
def enter_regime(exact_i: Record, hot: Hot, at: np.uint64, regimes: Hot, number: int) -> None:
    """Put the present baseline away and take out the one of regime `number`.

    exact_i: `layout.EXACT` record of the signal; hot: the hot memory, at: its place in it;
    regimes: [REGIMES, KEPT] of the signal.
    """
    old, new = regimes[int(exact_i["regime"])], regimes[number]
    for k, row in enumerate(KEPT):
        here = at + np.uint64(row) * ROW
        kept = hot[here]
        hot[here] = new[k] if number != int(exact_i["regime"]) else kept
        old[k] = kept
    exact_i["regime"] = number
    begin_anew(hot, at)
    exact_i["flags"] = int(exact_i["flags"]) & ~PENDING


@compiled
def regime_of(machine: Record, executing: int) -> int:
    """The regime of an asset as it is now; a new one takes the next free place. executing: see `layout.Model`."""
    state, band, product = int(machine["state"]), int(machine["band"]), int(machine["product"])
    if state < 0:
        return UNKNOWN_REGIME
    if state > CODES or ((executing >> state) & 1) == 0:
        band = product = 0
    key = product * (STATE_SPAN * BAND_SPAN) + band * STATE_SPAN + state + 1
    keys = machine["keys"]
    for k in range(UNKNOWN_REGIME):
        if int(keys[k]) == key:
            return k
        if int(keys[k]) == 0:
            keys[k] = key
            return k
    return UNKNOWN_REGIME


@compiled
def settle_in(time: int, asset: int, blocks: Blocks, model: Model) -> None:
    """Each measurement of the asset takes out the baseline of the asset's regime and settles from `time` on."""
    number = regime_of(blocks.machines[asset], int(model.executing[asset]))
    for m in range(model.member_start[asset], model.member_start[asset + 1]):
        j = model.members[m]
        first, count = int(model.config[j]["regime_start"]), int(model.config[j]["regimes"])
        if count > 1:
            enter_regime(blocks.exact[j], blocks.hot, place(j), blocks.regimes[first : first + count], number)
        blocks.exact[j]["settle_until"] = time + SETTLE_NS


@compiled
def enter_state(code: float, time: int, asset: int, blocks: Blocks, model: Model) -> None:
    """A machine enters a state."""
    blocks.machines[asset]["state"] = int(code) if 0.0 <= code < STATE_SPAN - 1 else STATE_SPAN - 2
    settle_in(time, asset, blocks, model)


@compiled
def enter_product(product: int, time: int, asset: int, blocks: Blocks, model: Model) -> None:
    """A machine works on another product; product: its fingerprint, below 2^40."""
    blocks.machines[asset]["product"] = product
    settle_in(time, asset, blocks, model)


@compiled
def enter_speed(value: float, low: float, high: float, time: int, asset: int, blocks: Blocks, model: Model) -> None:
    """The commanded speed of a machine is `value`, which may be in another band."""
    machine = blocks.machines[asset]
    share = (value - low) / (high - low) * BANDS
    band = int(machine["band"])
    edge = BAND_EDGE * BANDS
    if share < band - edge or share > band + 1 + edge:
        machine["band"] = min(max(int(share), 0), BANDS - 1)
        settle_in(time, asset, blocks, model)


@compiled
def new_normal(signal: int, time: int, blocks: Blocks, model: Model) -> None:
    """What the signal does from `time` on is normal: its baseline is learnt anew, what is open ends by being learnt.

    The tails stay: how much a score scatters does not change with the level.
    """
    at, hot, exact_i = place(signal), blocks.hot, blocks.exact[signal]
    hot[at + N] = ZERO
    hot[at + BLOCKS] = ZERO
    hot[at + SLOW_MEAN] = ZERO
    hot[at + COMMISSIONED] = ZERO
    hot[at + NOISE_NOW] = ZERO
    begin_anew(hot, at)
    for k in range(SCORED):
        hot[at + MAX_SPIKE + np.uint64(k) * ROW] = ZERO
        if int(blocks.tails[int(model.config[signal]["regime_start"])][k]["n"]) == 0:
            hot[at + LIMIT_SPIKE + np.uint64(k) * ROW] = NEVER_LIMIT
    exact_i["settle_until"] = time
    flags = int(exact_i["flags"]) & ~PENDING
    exact_i["flags"] = (flags | THAWED) if (flags & OPEN) != 0 else flags
