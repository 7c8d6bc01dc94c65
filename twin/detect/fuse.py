"""Many p-values into one, or into an e-value. In: the p-values of detectors and signals of one asset. Pure.

The smallest p-value with an effective number of tests finds a fault that one signal shows; Cauchy's combination one
that many show a little. E-values may be combined across assets whatever they have in common.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MEMORY = 1008.0  # blocks (a week) in which the effective number of tests is remembered
_TINY = 1e-300


def min_p(smallest: float, effective: float) -> float:
    """Šidák: the chance that the smallest of `effective` independent p-values is at most `smallest`."""
    return -math.expm1(effective * math.log1p(-min(smallest, 1.0 - 1e-16)))


def one_of(level: float, effective: float) -> float:
    """The inverse of `min_p`: what one of `effective` p-values must reach so that all together have `level`."""
    return -math.expm1(math.log1p(-min(level, 1.0 - 1e-16)) / effective)


def learn_effective(
    mean: NDArray[np.float64], blocks: NDArray[np.float64], smallest: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Learn from one block's smallest p-values [assets] how many independent tests each asset stands for.

    The smallest of n independent p-values has -log(1 - p) exponential with mean 1/n: only this mean is kept.
    Where `smallest` is NaN nothing is learnt.

    Returns:
        mean and blocks after it; `effective` reads them.
    """
    seen = np.isfinite(smallest)
    told = -np.log1p(-np.clip(np.where(seen, smallest, 0.5), _TINY, 1.0 - 1e-12))
    grown = np.where(seen, np.minimum(blocks + 1.0, MEMORY), blocks)
    return np.where(seen, mean + (told - mean) / np.maximum(grown, 1.0), mean), grown


def effective(mean: float, blocks: float, tests: int) -> float:
    """The effective number of `tests` p-values, 1 to `tests`; all while fewer than 36 blocks (6 h) are known."""
    if blocks < 36.0 or mean <= 0.0:
        return float(max(tests, 1))
    return min(max(1.0 / mean, 1.0), float(max(tests, 1)))


def cauchy(p: Sequence[float] | NDArray[np.float64], weights: Sequence[float] | None = None) -> float:
    """Cauchy combination, valid for dependent p-values in the tail.

    Source: Liu and Xie 2020, doi:10.1080/01621459.2018.1554485.
    """
    values = np.clip(np.asarray(p, np.float64), 1e-15, 1.0 - 1e-15)
    given = np.ones_like(values) if weights is None else np.asarray(weights, np.float64)
    statistic = float(np.sum(given * np.tan((0.5 - values) * np.pi)) / np.sum(given))
    return 0.5 - math.atan(statistic) / math.pi if statistic < 1e15 else 1.0 / (statistic * math.pi)


def e_value(p: float) -> float:
    """p^(-1/2) / 2: an e-value, its mean without a fault is at most 1 (Vovk and Wang 2021, doi:10.1214/20-AOS2020)."""
    return 0.5 / math.sqrt(max(p, _TINY))
