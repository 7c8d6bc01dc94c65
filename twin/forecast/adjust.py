"""What the fault risk does to a forecast: hours that will probably be lost, beyond those that history has lost
already.

In: quantiles of a forecast, the hazard now and the usual one, the expected repair time. Out: adjusted quantiles
and mean. A machine that is up now is down t hours later with probability λR/(1+λR)·(1-exp(-(λ+1/R)·t)) (two-state
Markov availability, repair rate 1/R; Barlow & Proschan 1965), λ being the excess of the hazard over the usual one.
The adjusted distribution is the mixture of nothing produced, with that probability, and the forecast.
"""

from dataclasses import dataclass

import numpy as np

from twin.forecast.panel import Array


@dataclass(frozen=True)
class FaultOutlook:
    """Of each series, [S]: hazards in 1/h of planned time, repair time in h."""

    hazard_per_h: Array
    usual_per_h: Array
    repair_h: Array


def hazard_of(probability: Array, horizon_h: float) -> Array:
    """[S] 1/h from the probability of a fault within a horizon of so many hours."""
    return -np.log1p(-np.minimum(probability, 1 - 1e-12)) / horizon_h


def down_share(outlook: FaultOutlook, hours_ahead: Array) -> Array:
    """[S, h] the probability of being down at hours_ahead [h], beyond what is usual."""
    excess = np.maximum(outlook.hazard_per_h - outlook.usual_per_h, 0.0)[:, None]
    repair = np.maximum(outlook.repair_h, 1e-6)[:, None]
    steady = excess * repair / (1 + excess * repair)
    return steady * (1 - np.exp(-(excess + 1 / repair) * hours_ahead))


def adjusted(quantiles: Array, levels: tuple[float, ...], down: Array) -> Array:
    """[Q, S, h] quantiles of the mixture: zero with probability down [S, h], else the forecast; linear between
    levels.
    """
    known = np.array([0.0, *levels])
    found = np.empty_like(quantiles)
    for s, h in np.ndindex(down.shape):
        share = down[s, h]
        asked = (np.array(levels) - share) / (1 - share) if share < 1 else np.full(len(levels), -1.0)
        column = np.concatenate([[min(0.0, quantiles[0, s, h])], quantiles[:, s, h]])
        found[:, s, h] = np.where(asked <= 0, 0.0, np.interp(asked, known, column))
    return found


def adjusted_mean(mean: Array, down: Array) -> Array:
    """[S, h] mean of the mixture."""
    return mean * (1 - down)
