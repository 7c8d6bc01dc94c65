"""The path with few labels: a Weibull hazard over use, shrunk towards the class of assets, times evidence.

In: spells of use between renewals, each ended by a fault or cut off; evidence before faults and on the way. Out:
P(fault within H) with a credible band, marked as an uncalibrated prior. Given the shape, a fault rate over use^shape is
Gamma distributed (conjugate); each asset's rate starts at its class's, as if it had seen two faults there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FEWEST_FAILURES = 3  # of the class; fewer, and without a known time between faults, say nothing
STRENGTH = 2.0  # faults that the class counts for in each asset
_SHAPES = np.linspace(0.6, 4.0, 69)
_SHAPE_PRIOR = (np.log(1.2), 0.4)  # log-normal: wear is more usual than infant mortality
BETA_PRIOR = (0.3, 0.3)  # per unit of evidence (log of one plus the findings)
BAND = (0.05, 0.95)


@dataclass(frozen=True, slots=True)
class Spells:
    """Use between renewals, hours: [k] where it was first and last seen, whether it ended in a fault, whose it was."""

    begin: Floats
    end: Floats
    failed: NDArray[np.bool_]
    asset: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Prior:
    """A class of assets: the rate of faults over use^shape, and what evidence does to it."""

    shape: float
    rate: float  # the class's, per hour^shape
    beta: float
    beta_spread: float
    failures: int


@dataclass(frozen=True, slots=True)
class Chance:
    """P(fault within H) of one asset."""

    p: float
    low: float
    high: float


def fit_prior(
    spells: Spells, events: Floats, exposed: Floats, expected: Floats, *, mtbf_h: float | None = None
) -> Prior | None:
    """The class's prior; None when fewer than three faults are known and no mean time between faults is given.

    `events` [d] is the evidence before each fault, `exposed` [n] that of instants at risk; `expected` [n] says how many
    faults were due there by time alone (any scale).
    """
    failures = int(spells.failed.sum())
    if failures < FEWEST_FAILURES and mtbf_h is None:
        return None
    shape = _shape(spells)
    exposure = _exposure(spells, shape)
    rate = (failures + STRENGTH * (mtbf_h is not None)) / exposure if exposure > 0 else 0.0
    if mtbf_h is not None:  # the given time counts as much as `STRENGTH` faults
        from scipy.special import gamma

        given = (float(gamma(1.0 + 1.0 / shape)) / mtbf_h) ** shape
        rate = (failures + STRENGTH) / (exposure + STRENGTH / given)
    if rate <= 0:
        return None
    beta, spread = _beta(events, exposed, expected)
    return Prior(shape, rate, beta, spread, failures)


def chances(
    prior: Prior, spells: Spells, use: float, load: float, evidence: float, hours: Sequence[float]
) -> list[Chance]:
    """Of an asset with these spells of its own, `use` hours since renewal, `load` hours of use per hour from now on."""
    from scipy.special import gammaincinv

    strength = STRENGTH + int(spells.failed.sum())
    exposure = STRENGTH / prior.rate + _exposure(spells, prior.shape)
    found: list[Chance] = []
    for horizon in hours:
        ahead = max(0.0, (use + load * horizon) ** prior.shape - use**prior.shape)
        factor = np.exp(prior.beta * evidence)
        p = 1.0 - (exposure / (exposure + ahead * factor)) ** strength
        ends = [float(gammaincinv(strength, edge)) / exposure for edge in BAND]
        doubt = np.exp(1.645 * prior.beta_spread * evidence)
        low, high = 1 - np.exp(-ends[0] * ahead * factor / doubt), 1 - np.exp(-ends[1] * ahead * factor * doubt)
        found.append(Chance(float(p), float(min(low, p)), float(max(high, p))))
    return found


def _exposure(spells: Spells, shape: float) -> float:
    return float(np.sum(spells.end**shape - spells.begin**shape))


def _shape(spells: Spells) -> float:
    """The most probable shape: Weibull likelihood with the rate integrated out, times a log-normal prior."""
    failures = int(spells.failed.sum())
    logs = float(np.log(np.maximum(spells.end[spells.failed], 1e-3)).sum())
    middle, width = _SHAPE_PRIOR
    best, found = -np.inf, float(np.exp(middle))
    for shape in _SHAPES:
        exposure = _exposure(spells, float(shape))
        score = -0.5 * ((np.log(shape) - middle) / width) ** 2 + failures * np.log(shape) + (shape - 1.0) * logs
        score -= failures * np.log(exposure) if exposure > 0 else 0.0
        if score > best:
            best, found = score, float(shape)
    return found


def _beta(events: Floats, exposed: Floats, expected: Floats) -> tuple[float, float]:
    """The effect of evidence: partial likelihood of where faults fell, with a normal prior (Newton)."""
    beta, spread = BETA_PRIOR
    if len(events) == 0 or len(exposed) == 0 or expected.sum() <= 0:
        return beta, spread
    for _ in range(50):
        weight = expected * np.exp(beta * exposed)
        mean = float((weight * exposed).sum() / weight.sum())
        variance = float((weight * exposed**2).sum() / weight.sum()) - mean**2
        slope = float(events.sum()) - len(events) * mean - (beta - BETA_PRIOR[0]) / BETA_PRIOR[1] ** 2
        bend = len(events) * max(0.0, variance) + 1.0 / BETA_PRIOR[1] ** 2
        beta += float(np.clip(slope / bend, -0.5, 0.5))
        spread = bend**-0.5
    return max(0.0, beta), spread
