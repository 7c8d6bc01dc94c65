"""From scores to probabilities: what a detector's score means for its own signal, without assuming a distribution.

In: the greatest score of each block of ten minutes, per stream (one signal or asset, one detector, one regime).
Out: the p-value of a score and the score that belongs to a p-value. Any detector can calibrate its scores here; tier A
does it inside the event kernel with the same functions (`twin.kernels.tails`).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twin.kernels import tails
from twin.kernels.layout import TAIL

BLOCK_S = 600.0
"""Length of a block [s of observation in one regime]."""

BLOCKS_PER_DAY = 86_400.0 / BLOCK_S


class Calibration:
    """Histograms and tails of any number of streams. A stream is silent (p = 1) for its first 40 blocks.

    Scores are ≥ 0, greater = odder, in any unit; they need not have a known distribution, and may be alike from
    sample to sample. The state is `records`, one contiguous array: its bytes are a snapshot.

    Example::

        calibration = Calibration(len(assets))
        calibration.observe(which, maxima)  # each time a block of these streams ends without a fault
        p = calibration.p(which, scores)  # at any time, of the greatest score of the running block
        limits = calibration.limit(which, 1e-5)  # to compare scores with in a kernel
    """

    def __init__(self, size: int) -> None:
        self.records: NDArray[np.void] = np.zeros(size, TAIL)

    def observe(self, which: Sequence[int] | NDArray[np.int64], maxima: NDArray[np.float64]) -> None:
        """A block of each stream in `which` has ended; maxima [n]: its greatest scores.

        Leave out blocks in which a fault was found: what is flagged is never learnt.
        """
        tails.observe_all(self.records, _indices(which), np.asarray(maxima, np.float64))

    def p(self, which: Sequence[int] | NDArray[np.int64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The chance that a block without a fault reaches each of `scores` [n]; 1 while too little is known.

        Conformal (1 + #{s_j ≥ s}) / (n + 1) within the histogram, a generalised-Pareto tail beyond it.
        """
        return tails.p_values(self.records, _indices(which), np.asarray(scores, np.float64))

    def limit(self, which: Sequence[int] | NDArray[np.int64], p: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """The score [n] that a block without a fault reaches with chance `p`; huge while too little is known."""
        indices = _indices(which)
        return tails.limits(self.records, indices, np.ascontiguousarray(np.broadcast_to(p, indices.shape), np.float64))

    def known(self) -> NDArray[np.bool_]:
        """Which streams have p-values [size]."""
        return self.records["n"] >= tails.KNOWN_BLOCKS


def budget_level(alarms_per_day: float, units: int) -> float:
    """The p-value of a block at which `units` assets together give `alarms_per_day` without a fault."""
    return min(alarms_per_day / (BLOCKS_PER_DAY * max(units, 1)), 0.5)


def _indices(which: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    return np.ascontiguousarray(which, np.int64)
