"""Limits of T² and Q, and the p-value of a statistic that follows no textbook distribution exactly.

In: eigenvalues, mean and variance of a statistic without a fault. Out: the value that it exceeds with chance `alpha`,
or a table from its ratio to the mean → -log10 p. Pure.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

from twin.kernels.mspc import FIRST_OCTAVE, KNOTS, KNOTS_PER_OCTAVE

Floats = NDArray[np.float64]

_LEAST_LOG_P = -300.0  # beyond it the tail goes on as a power of the ratio, as that of an F distribution does


def t2_limit(alpha: float, components: int, frames: int, *, new: bool = True) -> float:
    """Hotelling's T² of `components` fitted to `frames`: F form for new frames, Beta form for those of the fit.

    Tracy, Young and Mason 1992, doi:10.1080/00224065.1992.12015232.
    """
    j, n = components, frames
    if new:
        share = float(special.betaincinv((n - j) / 2, j / 2, alpha))  # F(j, n - j) exceeds f with chance alpha
        f = (n - j) * (1.0 - share) / (j * share)
        return j * (n + 1) * (n - 1) / (n * (n - j)) * f
    return (n - 1) ** 2 / n * float(special.betainccinv(j / 2, (n - j - 1) / 2, alpha))


def q_limit(alpha: float, left: Floats) -> float:
    """Jackson and Mudholkar's limit of Q; left: the eigenvalues that are not among the components.

    doi:10.1080/00401706.1979.10489779, equation 3.4.
    """
    first, second, third = (float(np.sum(left**power)) for power in (1, 2, 3))
    h = 1.0 - 2.0 * first * third / (3.0 * second * second)
    c = -float(special.ndtri(alpha))
    inner = 1.0 + c * math.sqrt(2.0 * second * h * h) / first + second * h * (h - 1.0) / (first * first)
    return first * max(inner, 0.0) ** (1.0 / h)


def box(mean: float, variance: float) -> tuple[float, float]:
    """(g, h) of the g·χ²(h) with this mean and variance (Box 1954, doi:10.1214/aoms/1177728786)."""
    return variance / (2.0 * mean), 2.0 * mean * mean / variance


def box_limit(alpha: float, mean: float, variance: float) -> float:
    """What g·χ²(h) exceeds with chance `alpha`."""
    g, h = box(mean, variance)
    return g * float(special.chdtri(h, alpha))


def ratio_table(freedom: float, known: float) -> NDArray[np.float32]:
    """-log10 p of a statistic's ratio to its mean, at the knots of `twin.kernels.mspc`.

    freedom: h of Box's g·χ²(h); known: independent values that the mean was estimated from. The ratio of a χ²(h)/h to
    the mean of `known` such is F(h, h·known): where little is known, the tail is heavy.
    """
    octave, part = np.divmod(np.arange(KNOTS), KNOTS_PER_OCTAVE)
    step = 2.0 ** (FIRST_OCTAVE + octave) * (1.0 + part / KNOTS_PER_OCTAVE)  # equal steps of a float32's bits
    other = freedom * max(known, 2.0)
    with np.errstate(divide="ignore"):
        log_p = np.log(special.betainc(other / 2.0, freedom / 2.0, other / (other + freedom * step)))
    certain = np.flatnonzero(log_p > _LEAST_LOG_P * math.log(10.0))
    last = int(certain[-1])
    log_p[last + 1 :] = log_p[last] - other / 2.0 * np.log(step[last + 1 :] / step[last])
    return (-log_p / math.log(10.0)).astype(np.float32)
