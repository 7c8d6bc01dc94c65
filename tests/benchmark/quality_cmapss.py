"""Turbofans run to failure (C-MAPSS): remaining useful life, and the risk of a failure within 30 cycles.

Trained on the training engines only; the test engines are scored once. Life capped at 125 cycles, as published tables
do; the error against uncapped labels stands beside it. Settings of FD002 are operating conditions: signals are
standardised within each. The same product code and parameters for both sets.
"""

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.benchmark.record import Result
from twin.risk.evaluate import average_precision, brier, calibration_error
from twin.risk.exposure import Life, person_period
from twin.risk.hazard import fit_hazard
from twin.risk.rul import fit_rul
from twin.risk.trend import standardise, trend_features

SUITE = "risk"
CAP, SOON = 125.0, 30.0
SEEDS = {"FD001": 5, "FD002": 2}  # the second has three times the rows
CYCLES_AFTER = 1_000.0  # an engine that has failed is known to have failed
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Engines:
    """Rows of engines, in their order."""

    unit: NDArray[np.intp]
    cycle: Floats
    features: Floats
    last: Floats  # [n] the last cycle of the row's engine


def measure(data: Path) -> list[Result]:
    """FD001 and FD002 where they are there."""
    folder = data / "open" / "cmapss"
    found: list[Result] = []
    for name in ("FD001", "FD002"):
        if (folder / f"train_{name}.csv.gz").exists():
            found += _measure(folder, name)
    return found


def _measure(folder: Path, name: str) -> list[Result]:
    train, test, truth = (_table(folder / f"{part}_{name}.csv.gz") for part in ("train", "test", "RUL"))
    engines, tested = _engines(train, test)
    left = truth[:, 1][tested.unit - 1]  # rows of RUL are engines in order
    remaining = left + tested.last - tested.cycle
    return [*_life(name, engines, tested, left), *_soon(name, engines, tested, remaining <= SOON)]


def _life(name: str, engines: Engines, tested: Engines, left: Floats) -> list[Result]:
    at_end = tested.cycle == tested.last
    truth, figures, inside, width = left[at_end], [], [], []
    for seed in range(SEEDS[name]):
        model = fit_rul(
            engines.features, engines.last - engines.cycle, engines.unit, _names(engines), cap=CAP, seed=10 * seed
        )
        assert model is not None
        estimate, low, high = model.predict(tested.features[at_end])
        figures.append((*_error(np.minimum(truth, CAP), estimate), *_error(truth, estimate)))
        inside.append(np.mean((np.minimum(truth, CAP) >= low) & (np.minimum(truth, CAP) <= high)))
        width.append(np.mean(high - low))
    capped, score, uncapped, raw_score = np.mean(figures, axis=0)
    goal = {"FD001": 11.5, "FD002": 13.5}[name]
    what = f"C-MAPSS {name}, mean of {SEEDS[name]} seeds: "
    return [
        Result(f"Q6-{name}-rmse", what + "RMSE, labels capped at 125", capped, "cycles", f"≤ {goal}", capped <= goal, "LSTM 14.9, STAR 10.6" if name == "FD001" else "DCNN 22.4, STAR 13.5"),
        Result(f"Q6-{name}-score", what + "PHM08 score, labels capped at 125", score, "", "(reported)", True),
        Result(f"Q6-{name}-rmse-uncapped", what + "RMSE, labels as they are", uncapped, "cycles", "(reported)", True),
        Result(f"Q6-{name}-score-uncapped", what + "PHM08 score, labels as they are", raw_score, "", "(reported)", True),
        Result(f"Q6-{name}-coverage", what + f"truth inside the 90 % interval ({np.mean(width):.0f} cycles wide)", 100 * float(np.mean(inside)), "%", "85 to 95", bool(85 <= 100 * np.mean(inside) <= 95)),
    ]  # fmt: skip


def _soon(name: str, engines: Engines, tested: Engines, failed: NDArray[np.bool_]) -> list[Result]:
    units = np.unique(engines.unit)
    ends = [float(engines.last[engines.unit == unit][0]) for unit in units]
    lives = [
        Life(np.array([[1.0, end + CYCLES_AFTER]]), np.array([end]), np.array([[end, end + CYCLES_AFTER]]))
        for end in ends
    ]
    rows = person_period(lives, [SOON], step=1.0)
    place = {
        (int(unit), int(cycle)): at for at, (unit, cycle) in enumerate(zip(engines.unit, engines.cycle, strict=True))
    }
    chosen = [place[int(units[asset]), int(at)] for asset, at in zip(rows.asset, rows.at, strict=True)]
    fitted = fit_hazard(rows, engines.features[chosen], _names(engines), [SOON], rolling=False)
    assert fitted is not None
    risks, label = fitted[0].predict(tested.features), failed.astype(np.float64)
    p = risks.p[:, 0]
    what = f"C-MAPSS {name}, failure within {SOON:.0f} cycles, every test row (base rate {label.mean():.1%}): "
    score, precision, error = brier(p, label), average_precision(risks.score, label), calibration_error(p, label)
    return [
        Result(f"Q6-{name}-brier", what + "Brier", score, "", "≤ .0045" if name == "FD001" else "(reported)", score <= 0.0045 or name != "FD001", "base rate", brier(np.full(len(label), label.mean()), label) / score),
        Result(f"Q6-{name}-auprc", what + "area under precision over recall", precision, "", "≥ .96" if name == "FD001" else "(reported)", precision >= 0.96 or name != "FD001"),
        Result(f"Q6-{name}-ece", what + "expected calibration error", error, "", "≤ .01", error <= 0.01),
    ]  # fmt: skip


def _engines(train: Floats, test: Floats) -> tuple[Engines, Engines]:
    """Both sets with the same features; conditions and scales from the training engines."""
    everything = np.vstack([train, test])
    fitted = np.arange(len(everything)) < len(train)
    signals = everything[:, 5:26]
    conditions = np.unique(np.round(everything[:, 2:5] / [1.0, 0.1, 10.0]), axis=0, return_inverse=True)[1]
    scaled = standardise(signals, np.ravel(conditions), fitted)
    moving = np.nanstd(scaled[fitted], axis=0) > 0
    scaled = scaled[:, moving]
    return _of(train, scaled[fitted]), _of(test, scaled[~fitted])


def _of(table: Floats, signals: Floats) -> Engines:
    unit, cycle = table[:, 0].astype(np.intp), table[:, 1]
    features, last = [], np.empty(len(table))
    for one in np.unique(unit):
        mine = unit == one
        features.append(np.column_stack([cycle[mine], trend_features(signals[mine])]))
        last[mine] = cycle[mine].max()
    return Engines(unit, cycle, np.vstack(features), last)


def _error(truth: Floats, estimate: Floats) -> tuple[float, float]:
    """RMSE and the PHM08 score (early errors by 13, late ones by 10 cycles)."""
    miss = estimate - truth
    score = np.where(miss < 0, np.exp(-miss / 13), np.exp(miss / 10)) - 1
    return float(np.sqrt(np.mean(miss**2))), float(score.sum())


def _names(engines: Engines) -> list[str]:
    return [f"feature {at}" for at in range(engines.features.shape[1])]


def _table(path: Path) -> Floats:
    with gzip.open(path, "rt") as lines:
        return np.loadtxt(lines, delimiter=",", skiprows=1)
