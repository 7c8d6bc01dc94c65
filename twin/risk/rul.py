"""Remaining useful life: hours or cycles to the next failure, with an interval that holds its share.

In: rows whose failure is known, with features. Out: an estimate with a band. Split conformal (Vovk et al. 2005) on
out-of-fold residuals, by bands of the estimate; each asset counts once, for assets are exchangeable and their rows are
not (Javanmardi and Hüllermeier, arXiv 2212.14612).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.kernels.trees import Forest, raw_scores
from twin.risk.boosted import fit_forest, forest_arrays, forest_of, from_bytes, to_bytes
from twin.risk.folds import folds

Floats = NDArray[np.float64]
FEWEST_FAILURES = 20
_MISS = 0.1  # outside the band
_BANDS = 4
_ROUNDS, _RATE = 150, 0.05


@dataclass(frozen=True, slots=True)
class RulModel:
    """A fitted class of assets; the unit is that of the targets."""

    names: tuple[str, ...]
    forest: Forest
    cap: float  # nothing is told apart beyond it
    edges: Floats  # [b-1] of the bands of the estimate
    below: Floats  # [b] the band's lower end against the estimate
    above: Floats  # [b]
    failures: int

    def predict(self, values: Floats) -> tuple[Floats, Floats, Floats]:
        """Estimate, low, high of each row [n, f]; an estimate at the cap means: at least that."""
        estimate = np.clip(raw_scores(self.forest, values), 0.0, self.cap)
        band = np.searchsorted(self.edges, estimate)
        low = np.clip(estimate + self.below[band], 0.0, self.cap)
        return estimate, low, np.clip(estimate + self.above[band], 0.0, self.cap)

    def to_bytes(self) -> bytes:
        """For the store."""
        numbers = {"cap": np.array(self.cap), "failures": np.array(self.failures), "names": np.array(self.names)}
        band = {"edges": self.edges, "below": self.below, "above": self.above}
        return to_bytes(**numbers, **band, **forest_arrays(self.forest))

    @classmethod
    def from_bytes(cls, block: bytes) -> "RulModel":
        """The model again; raises Rejected when the bytes are of no model."""
        found = from_bytes(block)
        names = tuple(str(name) for name in found["names"])
        band = (found["edges"], found["below"], found["above"])
        return cls(names, forest_of(found), float(found["cap"]), *band, int(found["failures"]))


def fit_rul(
    values: Floats, remaining: Floats, asset: NDArray[np.intp], names: Sequence[str], *, cap: float, seed: int = 0
) -> RulModel | None:
    """Fit on rows [n, f] whose time to failure is known; None when fewer than `FEWEST_FAILURES` assets or lives.

    `asset` tells the lives apart: rows that end in the same failure have the same number.
    """
    failures = len(np.unique(asset))
    if failures < FEWEST_FAILURES:
        return None
    target = np.minimum(remaining, cap)
    forest = _fit(values, target, (seed, seed + 1_000))
    tested, estimate = _out_of_fold(values, target, asset, seed, cap)
    edges = np.quantile(estimate, np.linspace(0, 1, _BANDS + 1)[1:-1])
    band = np.searchsorted(edges, estimate)
    ends = [_ends((target[tested] - estimate)[band == one], asset[tested][band == one]) for one in range(_BANDS)]
    below, above = (np.array(one) for one in zip(*ends, strict=True))
    return RulModel(tuple(names), forest, cap, edges, below, above, failures)


def _fit(values: Floats, target: Floats, seeds: Sequence[int]) -> Forest:
    return fit_forest(values, target, kind="duration", trees=_ROUNDS, seeds=seeds, rate=_RATE)


def _out_of_fold(
    values: Floats, target: Floats, asset: NDArray[np.intp], seed: int, cap: float
) -> tuple[NDArray[np.intp], Floats]:
    tested: list[NDArray[np.intp]] = []
    estimate: list[Floats] = []
    for train, test in folds(asset, np.zeros(len(asset)), 0.0, rolling=False):
        forest = _fit(values[train], target[train], (seed,))
        tested.append(test)
        estimate.append(np.clip(raw_scores(forest, values[test]), 0.0, cap))
    return np.concatenate(tested), np.concatenate(estimate)


def _ends(residual: Floats, asset: NDArray[np.intp]) -> tuple[float, float]:
    """The residuals' quantiles, each asset with one vote, with the finite-sample correction (n + 1)."""
    if len(residual) == 0:
        return 0.0, 0.0
    _, number, count = np.unique(asset, return_inverse=True, return_counts=True)
    order = np.argsort(residual, kind="stable")
    votes = np.cumsum((1.0 / count[number])[order]) / (len(count) + 1.0)
    low = int(np.searchsorted(votes, _MISS / 2))
    high = min(len(residual) - 1, int(np.searchsorted(votes, 1.0 - _MISS / 2)))
    return min(0.0, float(residual[order][low])), max(0.0, float(residual[order][high]))
