"""One class of assets fitted anew, and whether the fit may take the champion's place.

In: histories up to now, the champion. Out: a model, a report with the reliability diagram, the verdict. Where labels
allow it, the challenger has not seen the newest period; both are judged there by their log-loss, a proper score.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.risk.assess import ClassModel, Table, fit_class, make_table, outcomes, predict, since, truncated
from twin.risk.calibrate import shifted
from twin.risk.evaluate import log_loss, report
from twin.risk.exposure import UNKNOWN
from twin.risk.features import History
from twin.risk.hazard import OutOfFold
from twin.risk.rul import RulModel, fit_rul
from twin.risk.statement import Basis

Floats = NDArray[np.float64]
HORIZONS_H = (8.0, 24.0, 168.0)  # one shift, a day, a week
STEP_H = 1.0
BURN_IN_H = 0.5  # after a repair nothing is learnt for so long
LIFE_CAP_H = 720.0
_NEWEST_SHARE, _NEWEST_MOST_H = 0.2, 14 * 24.0
_FEWEST_ROWS = 24
_RANKS = (Basis.INSUFFICIENT, Basis.PRIOR, Basis.CALIBRATED)


@dataclass(frozen=True, slots=True)
class Trained:
    """What a turn of training brought for a class."""

    model: ClassModel
    life: RulModel | None
    report: dict[str, Any]
    promoted: bool


def train(
    histories: Sequence[History],
    detectors: Sequence[str],
    now: float,
    champion: ClassModel | None,
    *,
    mtbf_h: float | None = None,
) -> Trained:
    """Fit a challenger and judge it; instants in hours."""
    table = _table(histories, detectors)
    begin = float(table.rows.at.min()) if len(table.rows) else now
    cut = now - min(_NEWEST_MOST_H, _NEWEST_SHARE * (now - begin))
    known = [truncated(one, cut) for one in histories]
    model, outside = fit_class(known, _table(known, detectors), HORIZONS_H, mtbf_h=mtbf_h)
    newest = since(table, cut)
    told: dict[str, Any] = {"seen": "not seen by the fit"}
    if model.basis is not Basis.CALIBRATED:  # too little before the cut: all of it, and no test
        model, outside = fit_class(histories, table, HORIZONS_H, mtbf_h=mtbf_h)
        newest, told = since(table, now), {"seen": "out of fold"}
    diagrams = _diagrams(model, histories, newest) or _outside(model, outside)
    promoted, why = _verdict(model, champion, histories, newest)
    told |= {
        "basis": model.basis.value,
        "failures": model.failures,
        "rows": len(table.rows),
        "labels_censored_by_maintenance": table.rows.censored,
        "newest_from_h": cut,
        "verdict": why,
        "horizons": diagrams,
    }
    life = _life(table) if model.basis is Basis.CALIBRATED else None
    return Trained(model, life, told, promoted)


def _table(histories: Sequence[History], detectors: Sequence[str]) -> Table:
    return make_table(histories, HORIZONS_H, detectors, step=STEP_H, burn_in=BURN_IN_H)


def _verdict(
    model: ClassModel, champion: ClassModel | None, histories: Sequence[History], newest: Table
) -> tuple[bool, str]:
    ours, theirs = _RANKS.index(model.basis), -1 if champion is None else _RANKS.index(champion.basis)
    if model.basis is Basis.INSUFFICIENT:
        return False, f"{model.failures} failures are not enough for a number"
    if champion is None or ours > theirs:
        return True, f"the first model that is {model.basis}"
    if ours < theirs:
        return False, f"{model.basis} does not replace {champion.basis}"
    if model.basis is Basis.PRIOR:
        return True, "the same prior, with what was observed since"
    mine, his = (_loss(one, histories, newest) for one in (model, champion))
    if mine is None or his is None:
        return False, f"fewer than {_FEWEST_ROWS} labels in the newest period: nothing to judge by"
    return mine <= his, f"log-loss in the newest period {mine:.5f}, champion {his:.5f}"


def _loss(model: ClassModel, histories: Sequence[History], newest: Table) -> float | None:
    """Mean log-loss over the labels that are known, of the shortest horizon, which every model has."""
    known = outcomes(newest.rows)[:, 0] != UNKNOWN if len(newest.rows) else np.zeros(0, bool)
    if known.sum() < _FEWEST_ROWS:
        return None
    p = predict(model, histories, newest, HORIZONS_H)[known, 0]
    return log_loss(p, outcomes(newest.rows)[known, 0].astype(np.float64))


def _diagrams(model: ClassModel, histories: Sequence[History], newest: Table) -> dict[str, Any]:
    """By horizon; those with too few labels are left out."""
    if len(newest.rows) == 0 or model.hazard is None:
        return {}
    p, happened = predict(model, histories, newest, HORIZONS_H), outcomes(newest.rows)
    found: dict[str, Any] = {}
    for number, horizon in enumerate(HORIZONS_H):
        known = (happened[:, number] != UNKNOWN) & np.isfinite(p[:, number])
        if known.sum() >= _FEWEST_ROWS:
            told = p[known, number]
            found[f"{horizon:g}"] = report(told, told, happened[known, number].astype(np.float64))
    return found


def _outside(model: ClassModel, outside: Sequence[OutOfFold]) -> dict[str, Any]:
    """Of the shortest horizon, from scores out of fold, on which the curve itself was fitted."""
    if model.hazard is None or not outside:
        return {}
    first = outside[0]
    p = shifted(model.hazard.curves[0].at(first.score)[0], model.hazard.shifts[0])
    return {f"{model.hazard.horizons[0]:g}": report(p, first.score, first.label)}


def _life(table: Table) -> RulModel | None:
    ended = np.flatnonzero(np.isfinite(table.rows.to_failure))
    rows = table.rows.take(ended)
    return fit_rul(table.values[ended], rows.to_failure, rows.failure, table.names, cap=LIFE_CAP_H)
