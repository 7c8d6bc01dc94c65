"""A `Duration` → what the kernels draw from: kind, scale in ticks, quantile table. Pure."""

import numpy as np
from numpy.typing import NDArray
from scipy import special

from twin.kernels import chance
from twin.whatif.model import Duration, Shape

_FINE = 64  # points per cell for the exact mean
_ENDS = 0.25 / chance.CELLS  # the outermost points of a table stand for the tails behind them


def kernel_form(duration: Duration, tick_s: float) -> tuple[int, float, NDArray[np.float32]]:
    """(kind, scale, table [CELLS + 1]) of `flow_layout.Distributions`."""
    ticks = duration.mean_s / tick_s
    unit = np.ones(chance.CELLS + 1, np.float32)
    if duration.shape is Shape.EXPONENTIAL:
        return chance.EXPONENTIAL, ticks * np.log(2.0), unit
    if duration.shape is Shape.DETERMINISTIC:
        return chance.DETERMINISTIC, ticks, unit
    points = np.clip(np.linspace(0.0, 1.0, chance.CELLS + 1), _ENDS, 1.0 - _ENDS)
    fine = (np.arange(chance.CELLS * _FINE) + 0.5) / (chance.CELLS * _FINE)
    table = quantile(duration, points)
    mean = float(quantile(duration, fine).mean())
    drawn = float((table[:-1] + table[1:]).mean() / 2)  # of the table, linear between its points
    if drawn <= 0:
        return chance.DETERMINISTIC, 0.0, unit
    return chance.TABLE, mean / tick_s, (table / drawn).astype(np.float32)


def quantile(duration: Duration, share: NDArray[np.float64]) -> NDArray[np.float64]:
    """The duration below which this share of all durations lies, seconds."""
    if duration.shape is Shape.EXPONENTIAL:
        return -duration.mean_s * np.log1p(-share)
    if duration.shape is Shape.LOGNORMAL:
        sigma = np.sqrt(np.log1p(duration.cv**2))
        found = duration.mean_s * np.exp(sigma * special.ndtri(share) - sigma**2 / 2)
        return np.maximum(found, duration.least_s)
    if duration.shape is Shape.EMPIRICAL:
        return np.quantile(np.asarray(duration.observed_s, np.float64), share)
    return np.full(share.shape, duration.mean_s)


def residual(duration: Duration, elapsed_s: float, share: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is left of durations that have lasted for `elapsed_s` already: quantiles of the remaining time."""
    if duration.shape is Shape.EXPONENTIAL:
        return quantile(duration, share)
    if duration.shape is Shape.DETERMINISTIC:
        return np.full(share.shape, max(duration.mean_s - elapsed_s, 0.0))
    grid = (np.arange(chance.CELLS) + 0.5) / chance.CELLS
    survived = float((quantile(duration, grid) <= elapsed_s).mean())
    if survived >= 1.0:  # longer than any before: as memoryless as its mean
        return -duration.mean_s * np.log1p(-share)
    return np.maximum(quantile(duration, survived + (1.0 - survived) * share) - elapsed_s, 0.0)
