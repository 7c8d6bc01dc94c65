"""From a score to a probability: isotonic regression on scores of rows that the model had not seen.

In: out-of-fold log-odds with their labels. Out: a monotone curve with a band. Neighbouring rows share their failure, so
the evidence of a block of scores is counted in failures, not in rows; a block with little of it is drawn to the base
rate, and never reaches 0 or 1. Ties cost ranking: who ranks uses the score itself.
"""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_DRAW = 1.0  # so many observations at the base rate are added to each block
BAND = (0.05, 0.95)
_SPREAD = 0.5  # prior deviation of the base rate's shift, in log-odds


@dataclass(frozen=True, slots=True)
class Calibration:
    """Probability over log-odds: knots [b], joined by straight lines; p, low and high never fall."""

    score: Floats
    p: Floats
    low: Floats
    high: Floats

    def at(self, score: Floats) -> tuple[Floats, Floats, Floats]:
        """p, low, high of each score."""
        return (
            np.interp(score, self.score, self.p),
            np.interp(score, self.score, self.low),
            np.interp(score, self.score, self.high),
        )


def calibrate(score: Floats, label: Floats, weight: Floats, failures: int) -> Calibration:
    """The curve; `failures` is how many different failures the labels 1 stand for.

    Raises:
        ValueError: without any failure, or without anything else, there is no curve.
    """
    if failures < 1 or not label.any() or label.all():
        raise ValueError("a calibration needs labels of both kinds")
    fitted = _isotonic(score, label, weight)
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(fitted[order], prepend=-1.0))
    rows = np.add.reduceat(weight[order], starts)
    middle = np.add.reduceat((weight * score)[order], starts) / rows
    share = failures / float((weight * label).sum())  # of a failure in each row that is one
    base = float(np.average(label, weights=weight))
    trials = rows * min(1.0, share)
    hits = np.add.reduceat((weight * label)[order], starts) * min(1.0, share)
    drawn = (hits + _DRAW * base) / (trials + _DRAW)
    again = _isotonic(np.arange(len(drawn), dtype=np.float64), drawn, trials + _DRAW)
    above, below = hits + _DRAW * base, trials - hits + _DRAW * (1 - base)
    band = [_beta_quantile(edge, above, below) for edge in BAND]
    low, high = np.maximum.accumulate(band[0]), np.minimum.accumulate(band[1][::-1])[::-1]
    return Calibration(middle, again, np.minimum(low, again), np.maximum(high, again))


def _isotonic(score: Floats, label: Floats, weight: Floats) -> Floats:
    from sklearn.isotonic import IsotonicRegression

    return cast("Any", IsotonicRegression)().fit_transform(score, label, sample_weight=weight)


def _beta_quantile(share: float, above: Floats, below: Floats) -> Floats:
    from scipy.special import betaincinv

    return cast("Any", betaincinv)(above, below, share)


def shift_intercept(p: Floats, label: Floats, weight: Floats) -> float:
    """The log-odds to add to p so that it fits labels whose base rate has moved; drawn to 0 where they are few.

    One Newton iteration after another for the maximum of the weighted likelihood times N(0, 0.5²). `weight` counts in
    failures' worth of evidence (see `calibrate`) and fades with age.
    """
    logit = _logit(p)
    delta = 0.0
    for _ in range(50):
        now = expit(logit + delta)
        slope = float((weight * (label - now)).sum()) - delta / _SPREAD**2
        bend = float((weight * now * (1 - now)).sum()) + 1 / _SPREAD**2
        delta += np.clip(slope / bend, -1.0, 1.0)
    return float(delta)


def shifted(p: Floats, delta: float) -> Floats:
    """p with its log-odds moved."""
    return expit(_logit(p) + delta) if delta else p


def expit(score: Floats) -> Floats:
    """1 / (1 + exp(-score)) without overflow."""
    return np.exp(-np.logaddexp(0.0, -score))


def _logit(p: Floats) -> Floats:
    p = np.clip(p, 1e-9, 1 - 1e-9)
    return np.log(p) - np.log1p(-p)
