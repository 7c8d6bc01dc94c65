"""The labelled path: a discrete hazard by gradient boosting, calibrated out of fold.

In: person-period rows with features. Out: P(fault within each horizon), its band, a score to rank by. One model gives
the hazard of each interval between two horizons, P = 1 - Π(1 - h): longer horizons are never less probable.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.kernels.trees import Forest, raw_scores
from twin.risk.boosted import fit_forest, forest_arrays, forest_of, from_bytes, prefix, to_bytes
from twin.risk.calibrate import Calibration, calibrate, shift_intercept, shifted
from twin.risk.exposure import EVENT, UNKNOWN, Rows
from twin.risk.folds import folds

Floats = NDArray[np.float64]
FEWEST_FAILURES = 20  # below that a probability would be invented
FEWEST_TESTED = 10  # of them, in each interval, of models that had not seen them: what the curve is made from
_ROUNDS = (10, 20, 40, 70, 140)  # of boosting; the number is chosen out of fold
_HALF_LIFE_SHARE = 0.25  # of the history: how fast an old label stops to speak for today's base rate


@dataclass(frozen=True, slots=True)
class Risks:
    """Of each row [n] and horizon [h]."""

    p: Floats
    low: Floats
    high: Floats
    score: Floats  # [n] log-odds of the longest horizon: ranks without ties


@dataclass(frozen=True, slots=True)
class HazardModel:
    """A fitted class of assets."""

    names: tuple[str, ...]
    horizons: tuple[float, ...]
    forest: Forest
    curves: tuple[Calibration, ...]  # one per interval
    shifts: tuple[float, ...]  # log-odds by which today's base rate differs
    usual: Floats  # the median of each feature
    failures: int

    def predict(self, values: Floats) -> Risks:
        """Probabilities of each row [n, f]."""
        alive = [np.ones(len(values)) for _ in range(3)]
        columns: list[list[Floats]] = [[], [], []]
        score = np.zeros(len(values))
        for number, (curve, shift) in enumerate(zip(self.curves, self.shifts, strict=True)):
            raw = raw_scores(self.forest, with_interval(values, number))
            score = np.logaddexp(score, raw) if number else raw
            for which, hazard in enumerate(curve.at(raw)):
                alive[which] = alive[which] * (1.0 - shifted(hazard, shift))
                columns[which].append(1.0 - alive[which])
        p, low, high = (np.stack(one, axis=1) for one in columns)
        return Risks(p, low, high, score)

    def reasons(self, row: Floats, most: int = 5) -> list[tuple[str, float | None, float]]:
        """The features that raise this row's score most: (name, its value, log-odds).

        By occlusion: what the score loses when the feature alone takes its usual value.
        """
        without = np.repeat(row[None, :], len(row), axis=0)
        np.fill_diagonal(without, self.usual)
        last = len(self.horizons) - 1
        lost = raw_scores(self.forest, with_interval(row[None, :], last)) - raw_scores(
            self.forest, with_interval(without, last)
        )
        order = np.argsort(-lost, kind="stable")[:most]
        known = [None if np.isnan(value) else float(value) for value in row]
        return [(self.names[at], known[at], float(lost[at])) for at in order if lost[at] > 0]

    def to_bytes(self) -> bytes:
        """For the store."""
        curves = {
            f"curve_{number}": np.stack([curve.score, curve.p, curve.low, curve.high])
            for number, curve in enumerate(self.curves)
        }
        return to_bytes(
            names=np.array(self.names),
            horizons=np.array(self.horizons),
            shifts=np.array(self.shifts),
            usual=self.usual,
            failures=np.array(self.failures),
            **curves,
            **forest_arrays(self.forest),
        )

    @classmethod
    def from_bytes(cls, block: bytes) -> "HazardModel":
        """The model again; raises Rejected when the bytes are of no model."""
        found = from_bytes(block)
        curves = tuple(Calibration(*found[f"curve_{number}"]) for number in range(len(found["horizons"])))
        return cls(
            tuple(str(name) for name in found["names"]),
            tuple(float(one) for one in found["horizons"]),
            forest_of(found),
            curves,
            tuple(float(one) for one in found["shifts"]),
            found["usual"],
            int(found["failures"]),
        )


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Scores of rows by models that had not seen them, one interval; what the curves and the reports are made of."""

    row: NDArray[np.intp]
    score: Floats
    label: Floats
    weight: Floats


def fit_hazard(
    rows: Rows, values: Floats, names: Sequence[str], horizons: Sequence[float], *, rolling: bool = True
) -> tuple[HazardModel, list[OutOfFold]] | None:
    """Fit and calibrate as many horizons, from the shortest on, as the failures allow; None when not even that one.

    `values` [n, f] are the features of `rows`; `rolling` when their instants are on a common scale.
    """
    for count in range(len(horizons), 0, -1):
        fitted = _fit_horizons(rows.within(count), values, names, horizons[:count], rolling=rolling)
        if fitted is not None:
            return fitted
    return None


def _fit_horizons(
    rows: Rows, values: Floats, names: Sequence[str], horizons: Sequence[float], *, rolling: bool
) -> tuple[HazardModel, list[OutOfFold]] | None:
    everything = np.arange(len(rows))
    if rows.events() < FEWEST_FAILURES or not all(
        _failures(rows, everything, number) >= FEWEST_TESTED for number in range(len(horizons))
    ):
        return None
    rounds, outside = _out_of_fold(rows, values, max(horizons), rolling=rolling)
    tested = [_failures(rows, one.row, number) for number, one in enumerate(outside)]
    if min(tested) < FEWEST_TESTED or not all(0 < one.label.mean() < 1 for one in outside):
        return None
    curves = tuple(
        calibrate(one.score, one.label, one.weight, count) for one, count in zip(outside, tested, strict=True)
    )
    shifts = tuple(
        _shift(rows, one, curve, count) if rolling else 0.0
        for one, curve, count in zip(outside, curves, tested, strict=True)
    )
    forest = _fit(rows, values, everything, rounds, seeds=(0, 1, 2))
    known = np.isfinite(values).any(axis=0)
    usual = np.full(values.shape[1], np.nan)
    usual[known] = np.nanmedian(values[:, known], axis=0)
    return HazardModel(tuple(names), tuple(horizons), forest, curves, shifts, usual, rows.events()), outside


def _failures(rows: Rows, chosen: NDArray[np.intp], interval: int) -> int:
    """Different failures that labels of this interval stand for."""
    return len(np.unique(rows.failure[chosen[rows.labels[chosen, interval] == EVENT]]))


def with_interval(values: Floats, number: int) -> Floats:
    """The rows with the number of the interval that is asked about as their last feature."""
    return np.column_stack([values, np.full(len(values), float(number))])


def _shift(rows: Rows, one: OutOfFold, curve: Calibration, failures: int) -> float:
    at = rows.at[one.row]
    half_life = max(1e-9, _HALF_LIFE_SHARE * float(at.max() - at.min()))
    share = min(1.0, failures / float((one.weight * one.label).sum()))
    fading = 0.5 ** ((at.max() - at) / half_life)
    return shift_intercept(curve.at(one.score)[0], one.label, one.weight * share * fading)


def _out_of_fold(rows: Rows, values: Floats, horizon: float, *, rolling: bool) -> tuple[int, list[OutOfFold]]:
    """The number of rounds with the least log-loss, and the scores at it."""
    intervals = rows.labels.shape[1]
    row: list[list[NDArray[np.intp]]] = [[] for _ in range(intervals)]
    score: list[list[Floats]] = [[] for _ in range(intervals)]  # each [candidates, n]
    for train, test in folds(rows.asset, rows.at, horizon, rolling=rolling):
        if len(np.unique(rows.labels[train][rows.labels[train] != UNKNOWN])) < 2:
            continue  # nothing had failed yet
        forest = _fit(rows, values, train, max(_ROUNDS), seeds=(0,))
        for number in range(intervals):
            known = test[rows.labels[test, number] != UNKNOWN]
            asked = with_interval(values[known], number)
            row[number].append(known)
            score[number].append(np.stack([raw_scores(prefix(forest, rounds), asked) for rounds in _ROUNDS]))
    if not row[0]:
        none = np.empty(0)
        return _ROUNDS[0], [OutOfFold(np.empty(0, np.intp), none, none, none) for _ in range(intervals)]
    rows_of = [np.concatenate(one) for one in row]
    scores = [np.concatenate(one, axis=1) for one in score]
    label = [(rows.labels[one, number] == EVENT).astype(np.float64) for number, one in enumerate(rows_of)]
    weight = [rows.weight[one, number] for number, one in enumerate(rows_of)]
    loss = sum((w * (np.logaddexp(0.0, s) - y * s)).sum(axis=1) for s, y, w in zip(scores, label, weight, strict=True))
    best = int(np.argmin(loss))
    outside = [OutOfFold(r, s[best], y, w) for r, s, y, w in zip(rows_of, scores, label, weight, strict=True)]
    return _ROUNDS[best], outside


def _fit(rows: Rows, values: Floats, chosen: NDArray[np.intp], rounds: int, seeds: Sequence[int]) -> Forest:
    """Every row once for each interval of which its label is known."""
    parts: list[tuple[Floats, Floats, Floats]] = []
    for number in range(rows.labels.shape[1]):
        known = chosen[rows.labels[chosen, number] != UNKNOWN]
        label = (rows.labels[known, number] == EVENT).astype(np.float64)
        parts.append((with_interval(values[known], number), label, rows.weight[known, number]))
    asked, label, weight = (np.concatenate(one) for one in zip(*parts, strict=True))
    return fit_forest(asked, label, weight, kind="hazard", trees=rounds, seeds=seeds)
