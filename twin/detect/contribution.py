"""Which signals made a statistic great. In: a block, its vector, the statistic. Out: share and sign per signal. Pure.

Reconstruction-based (Alcala and Qin 2009, doi:10.1016/j.automatica.2009.04.027): how much of the statistic goes away
when a signal is allowed to be what the others say. It does not smear over healthy signals as the classical ones do.
"""

import numpy as np
from numpy.typing import NDArray

from twin.detect.multivariate import Block

Floats = NDArray[np.float64]


def classical(block: Block, vector: Floats, statistic: int) -> Floats:
    """[D] complete decomposition: the sum is the statistic over its mean; single terms may be negative."""
    deviation = vector - block.mean
    return deviation * (_quadratic(block, statistic) @ deviation)


def reconstruction(block: Block, vector: Floats, statistic: int) -> Floats:
    """[P] what the statistic over its mean loses when one signal, with its lags, is reconstructed from the others."""
    deviation = vector - block.mean
    matrix = _quadratic(block, statistic)
    pull = matrix @ deviation
    size = len(vector) // (block.lag + 1)
    found = np.zeros(size)
    for p in range(size):
        at = np.arange(block.lag + 1) * size + p
        within = matrix[np.ix_(at, at)]
        found[p] = pull[at] @ np.linalg.pinv(within, rcond=1e-9, hermitian=True) @ pull[at]
    return found


def shares(block: Block, vector: Floats, statistic: int) -> tuple[Floats, NDArray[np.int64]]:
    """Per signal: share of all reconstruction-based contributions, and whether it lies above (1) or below (-1) normal.

    The sign is that of the deviation of the signal itself, over its lags.
    """
    found = reconstruction(block, vector, statistic)
    total = float(found.sum())
    size = len(found)
    away = (vector - block.mean).reshape(block.lag + 1, size).sum(axis=0)
    return found / total if total > 0.0 else found, np.sign(away).astype(np.int64)


def _quadratic(block: Block, statistic: int) -> Floats:
    """M of the statistic over its mean, vector' M vector."""
    return (block.loadings * block.weights()[statistic]) @ block.loadings.T
