"""From histories to a statement per asset: calibrated, a prior, or not enough data. The paths are chosen here.

In: the histories of a class of assets, horizons in hours. Out: a fitted class, and assessments that name their basis.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from twin.errors import Rejected
from twin.risk.exposure import EVENT, UNKNOWN, Hours, Rows, person_period
from twin.risk.features import LOAD_WINDOWS_H, History, evidence_at, features, select, use_at, use_since_renewal
from twin.risk.hazard import HazardModel, OutOfFold, fit_hazard
from twin.risk.statement import Assessment, Basis, Reason
from twin.risk.weibull import Prior, Spells, chances, fit_prior

Floats = NDArray[np.float64]


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

    def to_bytes(self) -> bytes:
        """For the store."""
        if self.hazard is not None:
            return b"H" + self.hazard.to_bytes()
        prior = self.prior and asdict(self.prior)
        return b"P" + json.dumps({"prior": prior, "failures": self.failures}, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, block: bytes) -> "ClassModel":
        """The model again; raises Rejected when the bytes are of no model."""
        if block[:1] == b"H":
            hazard = HazardModel.from_bytes(block[1:])
            return cls(hazard, None, hazard.failures)
        try:
            found = json.loads(block[1:])
            return cls(None, found["prior"] and Prior(**found["prior"]), int(found["failures"]))
        except (ValueError, KeyError, TypeError) as error:
            raise Rejected("damaged-model", f"these are not the bytes of a model: {error}") from error


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


def truncated(history: History, until: float) -> History:
    """The history as it was known at an instant."""
    observed = history.life.observed[history.life.observed[:, 0] < until]
    return replace(history, life=replace(history.life, observed=np.minimum(observed, until)))


def since(table: Table, instant: float) -> Table:
    """Only the rows from an instant on."""
    chosen = np.flatnonzero(table.rows.at >= instant)
    return Table(table.rows.take(chosen), table.values[chosen], table.names)


def fit_class(
    histories: Sequence[History], table: Table, horizons: Sequence[float], *, mtbf_h: float | None = None
) -> tuple[ClassModel, list[OutOfFold]]:
    """The better path that the data allows; with the out-of-fold scores of the calibrated one."""
    spells = spells_of(histories, np.inf)
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
    if any(begin <= now < end for begin, end in history.life.down.tolist()):
        return [Assessment(horizon, None, None, None, Basis.DOWN, model.failures) for horizon in horizons]
    if model.hazard is not None:
        values, names = features(history, at, detectors)
        row = select(values, names, model.hazard.names)
        risks = model.hazard.predict(row)
        reasons = tuple(Reason(*one) for one in model.hazard.reasons(row[0]))
        told = [
            Assessment(horizon, float(p), float(low), float(high), Basis.CALIBRATED, model.failures, reasons)
            for horizon, p, low, high in zip(
                model.hazard.horizons, risks.p[0], risks.low[0], risks.high[0], strict=True
            )
        ]
        return [*told, *(_withheld(horizon, model) for horizon in horizons[len(told) :])]
    if model.prior is None or len(history.entered) == 0:
        return [_withheld(horizon, model) for horizon in horizons]
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


def _withheld(horizon: float, model: ClassModel) -> Assessment:
    return Assessment(horizon, None, None, None, Basis.INSUFFICIENT, model.failures)


def outcomes(rows: Rows) -> NDArray[np.int8]:
    """[n, horizons]: whether a fault began within each horizon, EVENT, NO_EVENT or UNKNOWN."""
    happened = np.logical_or.accumulate(rows.labels == EVENT, axis=1)
    unknown = np.logical_or.accumulate(rows.labels == UNKNOWN, axis=1)
    return np.where(happened, EVENT, np.where(unknown, UNKNOWN, 0)).astype(np.int8)


def predict(model: ClassModel, histories: Sequence[History], table: Table, horizons: Sequence[float]) -> Floats:
    """P of each row [n] and horizon [h] of a table, as `assess` would have said at its instant; NaN where withheld.

    The prior path takes the asset's spells of before the first row.
    """
    found = np.full((len(table.rows), len(horizons)), np.nan)
    if model.hazard is not None:
        values = select(table.values, table.names, model.hazard.names)
        found[:, : len(model.hazard.horizons)] = model.hazard.predict(values).p
    elif model.prior is not None and len(table.rows):
        first = float(table.rows.at.min())
        for number, history in enumerate(histories):
            mine = np.flatnonzero(table.rows.asset == number)
            own = spells_of([history], first)
            for row in mine:
                use, load, evidence = _state(history, float(table.rows.at[row]))
                found[row] = [one.p for one in chances(model.prior, own, use, load, evidence, horizons)]
    return found


def _state(history: History, now: float) -> tuple[float, float, float]:
    """Use since renewal, load, evidence."""
    at = np.array([now])
    return float(use_since_renewal(history, at)[0]), _load(history, now), float(evidence_at(history, at)[0])


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
    at_faults = [evidence_at(one, _known_failures(one) - 1e-3) for one in histories]
    exposed = [evidence_at(one, table.rows.at[table.rows.asset == number]) for number, one in enumerate(histories)]
    evidence = np.concatenate([np.empty(0), *exposed])
    return fit_prior(spells, np.concatenate([np.empty(0), *at_faults]), evidence, np.ones(len(evidence)), mtbf_h=mtbf_h)


def _known_failures(history: History) -> Hours:
    life = history.life
    return life.failures[life.failures <= np.max(life.observed, initial=-np.inf)]


def _load(history: History, now: float) -> float:
    """Hours of use per hour, over the longest window that was observed; between 0 and 1."""
    window = min(LOAD_WINDOWS_H[-1], max(1e-3, now - float(history.entered[0])))
    used = use_at(history, np.array([now - window, now]))
    return float(np.clip((used[1] - used[0]) / window, 0.0, 1.0))


def hours(time_ns: NDArray[np.int64] | Sequence[int]) -> Hours:
    """Instants in ns UTC as hours since 1970."""
    return np.asarray(time_ns, np.int64) / 3.6e12
