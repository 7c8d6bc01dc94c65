"""Signals as features: where each stands, how far from where it began, and which way it goes, on several time scales.

In: the columns of one asset, one row per step. Out: columns of the same length that use nothing of the future.
"""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SPANS = (5, 15, 40)  # steps of the exponential means
_FIRST = 20  # steps from which the beginning is taken


TRENDS = (*(f"mean {span}" for span in SPANS), "since the beginning", "quick - slow")


def trend_features(signals: Floats) -> Floats:
    """[n, c] → [n, 5c], in the order of `TRENDS`: exponential means, the middle one against the beginning, a slope.

    NaN is skipped; a signal without any value yet has none.
    """
    means = [exponential_mean(signals, span) for span in SPANS]
    return np.hstack([*means, means[1] - beginning(signals), exponential_mean(signals, 10) - means[2]])


def exponential_mean(signals: Floats, span: float) -> Floats:
    """The bias-corrected exponential mean along axis 0, α = 2/(span+1) (as pandas' ewm, adjusted); NaN is skipped."""
    import scipy.signal

    keep = 1.0 - 2.0 / (span + 1.0)
    seen = np.isfinite(signals)
    smooth = cast("Any", scipy.signal).lfilter
    top: Floats = smooth([1.0], [1.0, -keep], np.where(seen, signals, 0.0), axis=0)
    bottom: Floats = smooth([1.0], [1.0, -keep], seen.astype(np.float64), axis=0)
    return np.where(bottom > 0, top / np.maximum(bottom, 1e-300), np.nan)


def beginning(signals: Floats) -> Floats:
    """The mean of the first twenty values, of those that had come by then."""
    seen = np.isfinite(signals)
    early = seen & (np.cumsum(seen, axis=0) <= _FIRST)
    count = np.cumsum(early, axis=0)
    total = np.cumsum(np.where(early, signals, 0.0), axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def standardise(signals: Floats, regime: NDArray[np.intp], fitted: NDArray[np.bool_] | None = None) -> Floats:
    """Each signal in deviations from its mean in the same regime; both from the rows `fitted`, or from all.

    Without it a change of regime hides what wears: [n, c] → [n, c]. A signal that never moves in a regime is 0 there.
    """
    found = np.full_like(signals, np.nan)
    known = np.ones(len(signals), bool) if fitted is None else fitted
    for one in np.unique(regime[known]):
        mine = regime == one
        centre, spread = np.nanmean(signals[mine & known], axis=0), np.nanstd(signals[mine & known], axis=0)
        moves = spread > 1e-9 * np.maximum(1.0, np.abs(centre))
        found[mine] = np.where(moves, (signals[mine] - centre) / np.where(moves, spread, 1.0), 0.0)
    return found
