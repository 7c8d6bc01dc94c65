"""How good a probability is: proper scores, calibration, ranking, and what a maintenance crew feels.

In: probabilities and what came. Out: figures and the reliability diagram.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_EDGE = 1e-9


def brier(p: Floats, label: Floats) -> float:
    """Mean squared error (Brier 1950)."""
    return float(np.mean((p - label) ** 2))


def log_loss(p: Floats, label: Floats) -> float:
    """Mean negative log-likelihood, nats."""
    p = np.clip(p, _EDGE, 1 - _EDGE)
    return float(-np.mean(np.where(label > 0.5, np.log(p), np.log1p(-p))))


def reliability(p: Floats, label: Floats, bins: int = 10) -> list[dict[str, float]]:
    """The diagram over bins with equally many rows: mean p, share that failed, rows."""
    order = np.argsort(p, kind="mergesort")
    return [
        {"p": float(p[part].mean()), "observed": float(label[part].mean()), "rows": len(part)}
        for part in np.array_split(order, bins)
        if len(part)
    ]


def calibration_error(p: Floats, label: Floats, bins: int = 10) -> float:
    """Expected calibration error over equal-count bins (Naeini et al., AAAI 2015)."""
    table = reliability(p, label, bins)
    return sum(abs(one["p"] - one["observed"]) * one["rows"] for one in table) / max(1, len(p))


def area_under_roc(score: Floats, label: Floats) -> float:
    """The chance that a row that failed ranks above one that did not; NaN without both."""
    import scipy.stats

    hits = label > 0.5
    positive, negative = int(hits.sum()), int((~hits).sum())
    if not positive or not negative:
        return float("nan")
    ranks = np.asarray(cast("Any", scipy.stats).rankdata(score), np.float64)
    return float((ranks[hits].sum() - positive * (positive + 1) / 2) / (positive * negative))


def average_precision(score: Floats, label: Floats) -> float:
    """Area under precision over recall, as a sum over the thresholds; NaN without a failure."""
    if not label.any():
        return float("nan")
    order = np.argsort(-score, kind="mergesort")
    hits, ranked = label[order] > 0.5, score[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # ties are taken together
    found = np.cumsum(hits)[last]
    precision, recall = found / (last + 1), found / found[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


@dataclass(frozen=True, slots=True)
class Warnings:
    """Alarms against failures."""

    failures: int
    warned: int
    false: int
    lead: Floats  # hours before each failure that was warned of, the earliest alarm within the horizon


def warnings(
    at: Sequence[Floats], p: Sequence[Floats], failures: Sequence[Floats], *, threshold: float, horizon: float
) -> Warnings:
    """Per asset: an alarm when p comes to `threshold`, a new one a horizon later at the earliest.

    A failure is warned of by an alarm within the horizon before it; an alarm that no failure follows so is false.
    """
    warned = false = 0
    lead: list[float] = []
    for times, probability, fallen in zip(at, p, failures, strict=True):
        alarms: list[float] = []
        for instant in times[probability >= threshold]:
            if not alarms or instant - alarms[-1] >= horizon:
                alarms.append(float(instant))
        raised = np.array(alarms)
        for failure in fallen:
            before = raised[(raised <= failure) & (raised >= failure - horizon)]
            warned += len(before) > 0
            lead += [float(failure - before.min())] if len(before) else []
        false += sum(not np.any((fallen >= alarm) & (fallen <= alarm + horizon)) for alarm in alarms)
    return Warnings(sum(map(len, failures)), warned, false, np.array(lead))


def report(p: Floats, score: Floats, label: Floats) -> dict[str, Any]:
    """Everything about one horizon, as JSON."""
    base = brier(np.full(len(label), label.mean()), label)
    return {
        "rows": len(label),
        "base_rate": float(label.mean()),
        "brier": brier(p, label),
        "brier_skill": None if base == 0 else 1 - brier(p, label) / base,
        "log_loss": log_loss(p, label),
        "calibration_error": calibration_error(p, label),
        "area_under_roc": _number(area_under_roc(score, label)),
        "average_precision": _number(average_precision(score, label)),
        "diagram": reliability(p, label),
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value
