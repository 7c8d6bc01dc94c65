"""From histories to a statement per asset: calibrated, a prior, or not enough data. The paths are chosen here.

In: the histories of a class of assets, horizons in hours. Out: a fitted class, and assessments that name their basis.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from twin.risk.exposure import Hours, Rows, person_period
from twin.risk.features import LOAD_WINDOWS_H, History, evidence_at, features, select, use_at, use_since_renewal
from twin.risk.hazard import HazardModel, OutOfFold, fit_hazard
from twin.risk.weibull import Prior, Spells, chances, fit_prior

Floats = NDArray[np.float64]


class Basis(StrEnum):
    """What a probability rests on."""

    CALIBRATED = "calibrated"
    PRIOR = "uncalibrated prior"
    INSUFFICIENT = "insufficient data"


@dataclass(frozen=True, slots=True)
class ClassModel:
    """A fitted class of assets; of the two paths at most one is there."""

    hazard: HazardModel | None
    prior: Prior | None
    failures: int

    @property
    def basis(self) -> Basis:
        """What its probabilities rest on."""
        if self.hazard is not None:
            return Basis.CALIBRATED
        return Basis.INSUFFICIENT if self.prior is None else Basis.PRIOR


@dataclass(frozen=True, slots=True)
class Reason:
    """A feature that raises the risk, by how much in log-odds (occlusion against the class's median)."""

    feature: str
    value: float
    log_odds: float


@dataclass(frozen=True, slots=True)
class Assessment:
    """P(a fault begins within `horizon_h`) of one asset; without data there is no number at all."""

    horizon_h: float
    p: float | None
    low: float | None
    high: float | None
    basis: Basis
    failures: int  # of the class, that the number rests on
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """The person-period rows of a class and their features."""

    rows: Rows
    values: Floats
    names: tuple[str, ...]


def make_table(
    histories: Sequence[History],
    horizons: Sequence[float],
    detectors: Sequence[str],
    *,
    step: float,
    burn_in: float = 0.0,
) -> Table:
    """Every instant at which an asset of the class could have failed."""
    rows = person_period([one.life for one in histories], horizons, step=step, burn_in=burn_in)
    parts: list[Floats] = []
    names: list[str] = []
    for number, history in enumerate(histories):
        values, names = features(history, rows.at[rows.asset == number], detectors)
        parts.append(values)
    return Table(rows, np.concatenate(parts), tuple(names))


def before(table: Table, instant: float, horizon: float) -> Table:
    """Only what was known at an instant: rows whose longest horizon had passed."""
    return _take(table, np.flatnonzero(table.rows.at + horizon <= instant))


def since(table: Table, instant: float) -> Table:
    """Only the rows from an instant on."""
    return _take(table, np.flatnonzero(table.rows.at >= instant))


def fit_class(
    histories: Sequence[History], table: Table, horizons: Sequence[float], *, mtbf_h: float | None = None
) -> tuple[ClassModel, list[OutOfFold]]:
    """The better path that the data allows; with the out-of-fold scores of the calibrated one."""
    spells = spells_of(histories, float(np.max(table.rows.at, initial=-np.inf)))
    failures = int(spells.failed.sum())
    fitted = fit_hazard(table.rows, table.values, table.names, horizons) if len(table.rows) else None
    if fitted is not None:
        return ClassModel(fitted[0], None, fitted[0].failures), fitted[1]
    return ClassModel(None, _prior(histories, table, spells, mtbf_h), failures), []


def assess(
    model: ClassModel, history: History, now: float, horizons: Sequence[float], detectors: Sequence[str]
) -> list[Assessment]:
    """One asset now, per horizon."""
    at = np.array([now])
    if model.hazard is not None:
        values, names = features(history, at, detectors)
        row = select(values, names, model.hazard.names)
        risks = model.hazard.predict(row)
        reasons = tuple(Reason(*one) for one in model.hazard.reasons(row[0]))
        return [
            Assessment(horizon, float(p), float(low), float(high), Basis.CALIBRATED, model.failures, reasons)
            for horizon, p, low, high in zip(
                model.hazard.horizons, risks.p[0], risks.low[0], risks.high[0], strict=True
            )
        ]
    if model.prior is None or len(history.entered) == 0:
        return [Assessment(horizon, None, None, None, Basis.INSUFFICIENT, model.failures) for horizon in horizons]
    use, load, evidence = (
        float(use_since_renewal(history, at)[0]),
        _load(history, now),
        float(evidence_at(history, at)[0]),
    )
    reasons = (
        Reason("hours of use since renewal", use, 0.0),
        Reason("evidence of the last 8 h", evidence, model.prior.beta * evidence),
    )
    own = spells_of([history], now)
    return [
        Assessment(horizon, one.p, one.low, one.high, Basis.PRIOR, model.failures, reasons)
        for horizon, one in zip(horizons, chances(model.prior, own, use, load, evidence, horizons), strict=True)
    ]


def spells_of(histories: Sequence[History], until: float) -> Spells:
    """Use between renewals of every asset, up to an instant; a fault or a renewal ends a spell."""
    parts: list[tuple[Floats, Floats, NDArray[np.bool_], NDArray[np.intp]]] = []
    for number, history in enumerate(histories):
        life = history.life
        if len(life.observed) == 0:
            continue
        first, last = float(life.observed[0, 0]), min(until, float(life.observed[-1, 1]))
        failures = life.failures[(life.failures > first) & (life.failures <= last)]
        cuts = np.unique(np.concatenate([[first], life.renewed, life.failures, [last]]))
        cuts = cuts[(cuts >= first) & (cuts <= last)]
        ends = cuts[1:]
        used = use_at(history, cuts)
        # a fault does not renew: what lies between it and the repair is downtime, and no use
        origin = use_at(history, np.append(first, np.sort(life.renewed)))[
            np.searchsorted(np.sort(life.renewed), cuts[:-1], "right")
        ]
        parts.append((used[:-1] - origin, used[1:] - origin, np.isin(ends, failures), np.full(len(ends), number)))
    if not parts:
        return Spells(np.empty(0), np.empty(0), np.empty(0, bool), np.empty(0, np.intp))
    begin, end, failed, asset = (np.concatenate(one) for one in zip(*parts, strict=True))
    return Spells(begin, end, failed, asset)


def _prior(histories: Sequence[History], table: Table, spells: Spells, mtbf_h: float | None) -> Prior | None:
    at_faults = [evidence_at(one, one.life.failures - 1e-3) for one in histories]
    exposed = [evidence_at(one, table.rows.at[table.rows.asset == number]) for number, one in enumerate(histories)]
    evidence = np.concatenate([np.empty(0), *exposed])
    return fit_prior(spells, np.concatenate([np.empty(0), *at_faults]), evidence, np.ones(len(evidence)), mtbf_h=mtbf_h)


def _load(history: History, now: float) -> float:
    """Hours of use per hour, over the longest window that was observed; between 0 and 1."""
    window = min(LOAD_WINDOWS_H[-1], max(1e-3, now - float(history.entered[0])))
    used = use_at(history, np.array([now - window, now]))
    return float(np.clip((used[1] - used[0]) / window, 0.0, 1.0))


def _take(table: Table, chosen: NDArray[np.intp]) -> Table:
    rows = table.rows
    taken = Rows(
        rows.asset[chosen],
        rows.at[chosen],
        rows.labels[chosen],
        rows.weight[chosen],
        rows.failure[chosen],
        rows.censored,
    )
    return Table(taken, table.values[chosen], table.names)


def hours(time_ns: NDArray[np.int64] | Sequence[int]) -> Hours:
    """Instants in ns UTC as hours since 1970."""
    return np.asarray(time_ns, np.int64) / 3.6e12
