"""Intervals that are right as often as they say: quantiles of past errors, corrected by how often they were wrong.

In: errors of a backtest in rates. Out: quantiles around a forecast. Errors are divided by the scale of their
series and horizon, pooled over the panel per bucket (horizon × kind of slot), and their order statistics with the
finite-sample correction (n+1) are the quantiles (split conformal prediction: Lei et al. 2018,
doi:10.1080/01621459.2017.1307116). `Adaptive` moves the level after each outcome (Gibbs & Candès 2021,
arXiv:2106.00170).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from twin.forecast.panel import Array, mean_of

LEAST_SCORES = 50  # fewer in a bucket: all buckets together
OWN_ERRORS = 24  # this many own errors weigh as much as the panel's


@dataclass(frozen=True)
class Scores:
    """Scaled errors of a panel, ready to be asked for quantiles."""

    scale: Array  # [S, h]
    bucket: NDArray[np.int64]  # [S, h] of the slots ahead
    sorted: tuple[Array, ...]  # by bucket: ascending scaled errors; empty: use `all`
    all: Array


def horizon_buckets(horizon: int, season: int) -> NDArray[np.int64]:
    """[h] one bucket per shortest cycle, the first cycle in two halves."""
    step = np.arange(horizon)
    return np.where(step < max(1, season // 2), 0, 1 + step // max(1, season))


def scores(errors: Array, unit: Array, past: NDArray[np.int64], ahead: NDArray[np.int64], apart: int) -> Scores:
    """Scores of errors [K, S, h] that fell into buckets past [K, S, h], for slots ahead of buckets [S, h].

    unit: [S] what is a usual change of each series, so that machines of any speed can be compared. The errors of an
    origin are divided by the scale that other origins, more than `apart` away, give: as the errors to come will be.
    """
    errors = errors / unit[:, None]
    windows = range(len(errors))
    scaled = np.stack([errors[k] / scale_of(errors[[j for j in windows if abs(j - k) > apart]]) for k in windows])
    known = ~np.isnan(scaled)
    buckets = range(int(max(past.max(initial=0), ahead.max(initial=0))) + 1)
    of_bucket = tuple(np.sort(scaled[known & (past == one)]) for one in buckets)
    return Scores(scale_of(errors) * unit[:, None], ahead, of_bucket, np.sort(scaled[known]))


def scale_of(errors: Array) -> Array:
    """[S, h] the mean absolute error of each series, shrunk to the panel's, times how the panel's errors grow with
    h.
    """
    size = np.abs(errors)
    series = size.transpose(1, 0, 2).reshape(size.shape[1], -1)
    count = (~np.isnan(series)).sum(axis=1)
    own = np.nan_to_num(mean_of(series))
    centre = float(np.median(own[count > 0])) if (count > 0).any() else 1.0
    trust = count / (count + OWN_ERRORS)
    blended = np.maximum(own * trust + centre * (1 - trust), 1e-12)
    growth = np.nan_to_num(mean_of(mean_of(size / blended[:, None], axis=0), axis=0), nan=1.0)
    return blended[:, None] * np.maximum(growth, 1e-3)


def quantile_of(ordered: Array, level: float) -> float:
    """The conformal quantile of n ascending scores: ⌈(n+1)·level⌉ from below, beyond the ends the outermost one."""
    n = len(ordered)
    if n == 0:
        return 0.0
    if level >= 0.5:
        return float(ordered[min(n - 1, int(np.ceil((n + 1) * level)) - 1)])
    return float(ordered[max(0, int(np.floor((n + 1) * level)) - 1)])


def quantiles(centre: Array, known: Scores, levels: tuple[float, ...], stretch: Array | None = None) -> Array:
    """[Q, S, h] quantiles around centre [S, h], ascending in Q.

    stretch: [S] by how much the tails that are asked for differ from the nominal ones (`Adaptive.stretch`); 1 by
    default.
    """
    asked = np.ones(len(centre)) if stretch is None else stretch
    found = np.empty((len(levels), *centre.shape))
    for q, level in enumerate(levels):
        for tail in np.unique(asked):
            wanted = level * tail if level < 0.5 else 1 - (1 - level) * tail
            offsets = np.array(
                [quantile_of(one if len(one) >= LEAST_SCORES else known.all, wanted) for one in known.sorted]
            )
            rows = asked == tail
            found[q, rows] = centre[rows] + offsets[known.bucket[rows]] * known.scale[rows]
    return np.maximum.accumulate(found, axis=0)


@dataclass(frozen=True)
class Adaptive:
    """The nominal miscoverage that is asked for, so that the realised one is `target`."""

    target: float  # e.g. 0.1 for a 90 % interval
    asked: float
    step: float = 0.01

    @property
    def stretch(self) -> float:
        """The asked miscoverage over the nominal one."""
        return self.asked / self.target

    def after(self, missed: bool) -> "Adaptive":
        """The level after one more outcome."""
        asked = self.asked + self.step * (self.target - float(missed))
        return replace(self, asked=min(0.5, max(1e-3, asked)))
