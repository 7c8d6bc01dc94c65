"""How right issued forecasts were. In: quantiles, what happened, the history. Out: coverage, pinball loss, MASE,
interval score.

Definitions: MASE, Hyndman & Koehler 2006 (doi:10.1016/j.ijforecast.2006.03.001); interval score, Gneiting &
Raftery 2007 (doi:10.1198/016214506000001437), scaled as MSIS of the M4 competition. Slots whose truth is unknown
count in none of them.
"""

import numpy as np

from twin.forecast.panel import Array, mean_of


def coverage(truth: Array, low: Array, high: Array) -> float:
    """The share of known truths within [low, high]; NaN when none is known."""
    known = ~np.isnan(truth)
    inside = (truth >= low) & (truth <= high)
    return float(inside[known].mean()) if known.any() else float("nan")


def pinball(truth: Array, quantiles: Array, levels: tuple[float, ...]) -> float:
    """Mean over levels and known slots of the pinball loss; quantiles [Q, …], truth […]."""
    level = np.array(levels).reshape(-1, *(1,) * truth.ndim)
    miss = truth - quantiles
    return float(np.nanmean(np.maximum(level * miss, (level - 1) * miss)))


def seasonal_scale(history: Array, season: int) -> Array:
    """[S] in-sample mean absolute error of the seasonal naive forecast, from [S, n]; NaN without two cycles."""
    return mean_of(np.abs(history[:, season:] - history[:, :-season]))


def mase(truth: Array, centre: Array, scale: Array) -> Array:
    """[S] mean absolute error over the seasonal naive one."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return mean_of(np.abs(truth - centre)) / np.where(scale > 0, scale, np.nan)


def msis(truth: Array, low: Array, high: Array, scale: Array, level: float) -> Array:
    """[S] mean scaled interval score of the central interval of this level, e.g. 0.95."""
    cost = 2.0 / (1.0 - level)
    score = (high - low) + cost * np.maximum(low - truth, 0) + cost * np.maximum(truth - high, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return mean_of(score) / np.where(scale > 0, scale, np.nan)
