"""Which candidate to believe, series by series: weights from what each would have lost at earlier origins.

In: a backtest. Out: weights [C, S]. A weight falls with the candidate's median pinball loss (half the mean absolute
error) relative to the seasonal naive; a series with few slots of its own is judged like the panel. Where even the
combination would have lost against the seasonal naive, the seasonal naive is used alone.
"""

import numpy as np

from twin.forecast.panel import Array, mean_of, median_of

SHARPNESS = 8.0  # weights are inverse losses to this power
OWN = 0.8  # how much a series' own losses count against the panel's, once it has a whole backtest
WORST = 1.5  # candidates that lost this many times the best one's loss are left out


def honest_errors(errors: Array, apart: int) -> Array:
    """[C, K, S, h] → [K, S, h]: errors of the combination whose weights come from origins more than `apart` away."""
    windows = range(errors.shape[1])
    each = [combine(weights(errors[:, [j for j in windows if abs(j - k) > apart]]), errors[:, k]) for k in windows]
    return np.stack(each) if each else np.zeros((0, *errors.shape[2:]))


def weights(errors: Array) -> Array:
    """[C, S] from errors [C, K, S, h]; each column sums to 1; the guard alone where there is nothing to judge by."""
    count, windows, series, _ = errors.shape
    alone = np.zeros((count, series))
    alone[0] = 1.0
    if count == 1 or windows == 0:
        return alone
    loss = mean_of(np.abs(errors).transpose(0, 2, 1, 3).reshape(count, series, -1))
    guard = np.maximum(loss[0], 1e-12)
    relative = np.maximum(loss / guard, 1e-6)
    panel = median_of(relative, axis=1)
    known = ~np.isnan(relative)
    panel = np.where(np.isnan(panel), np.inf, panel)
    own = np.where(known, np.log(relative, where=known, out=np.zeros_like(relative)), 0.0)
    judged = np.exp(OWN * own + np.where(known, 1 - OWN, 1.0) * np.log(panel)[:, None])
    kept = judged <= WORST * judged.min(axis=0)
    share = np.where(kept, judged**-SHARPNESS, 0.0)
    total = share.sum(axis=0)
    share = np.where(total > 0, share / np.where(total > 0, total, 1.0), alone)
    combined = mean_of(np.abs(combine(share, errors)).transpose(1, 0, 2).reshape(series, -1))
    return np.where((combined <= guard) | np.isnan(combined), share, alone)


def combine(share: Array, each: Array) -> Array:
    """Weighted sum over candidates: share [C, S], each [C, …, S, h] → […, S, h]; a candidate of no weight may be
    NaN.
    """
    wide = share.reshape(share.shape[0], *(1,) * (each.ndim - 3), share.shape[1], 1)
    return np.where(wide > 0, wide * np.where(wide > 0, each, 0.0), 0.0).sum(axis=0) + 0.0 * each[0]
