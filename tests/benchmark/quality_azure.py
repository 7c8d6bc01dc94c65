"""Machines with telemetry, error codes and replaced components (Azure PdM sample, hourly, simulated by its authors).

Each machine is judged by a model of the others: event recall, lead time, false alarms per machine-month, by alarms on
P(a failure within 24 h). The threshold is the one that, on the other machines, warns of most failures with at most one
false alarm per machine-month. The path (calibrated, or a prior where too few have failed) is the product's own choice.
"""

import csv
import gzip
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.benchmark.record import Result
from twin.risk.assess import Table, fit_class, make_table, predict
from twin.risk.evaluate import Warnings, area_under_roc, brier, warnings
from twin.risk.exposure import EVENT, UNKNOWN, Life
from twin.risk.features import Episodes, History, Signals

SUITE = "risk"
HORIZON_H, MONTH_H, GROUPS = 24.0, 730.0, 3
FALSE_PER_MONTH = 1.0
SIGNALS = ("volt", "rotate", "pressure", "vibration")
Floats = NDArray[np.float64]


def measure(data: Path) -> list[Result]:
    """Out of group: no machine is judged by a model that has seen it."""
    machines = _machines(data / "restricted" / "azure_pdm")
    detectors = sorted({name for one in machines for name in one.episodes})
    table = make_table(machines, [HORIZON_H], detectors, step=1.0)
    p = np.full(len(table.rows), np.nan)
    found = Warnings(0, 0, 0, np.empty(0))
    bases: set[str] = set()
    for group in range(GROUPS):
        others = [one for at, one in enumerate(machines) if at % GROUPS != group]
        theirs = make_table(others, [HORIZON_H], detectors, step=1.0)
        model, _ = fit_class(others, theirs, [HORIZON_H])
        bases.add(model.basis.value)
        tested = table.rows.asset % GROUPS == group
        mine = _take(table, np.flatnonzero(tested))
        p[tested] = predict(model, machines, mine, [HORIZON_H])[:, 0]
        known = predict(model, others, theirs, [HORIZON_H])[:, 0]
        threshold = _threshold(others, theirs.rows.asset, theirs.rows.at, known)
        found = _sum(found, _warn(machines, table.rows.asset[tested], table.rows.at[tested], p[tested], threshold))
    months = sum(float(np.diff(one.life.observed[0])[0]) for one in machines) / MONTH_H
    label, is_known = table.rows.labels[:, 0] == EVENT, table.rows.labels[:, 0] != UNKNOWN
    return _results(found, months, p[is_known], label[is_known].astype(np.float64), " and ".join(sorted(bases)))


def _take(table: Table, chosen: NDArray[np.intp]) -> Table:
    return replace(table, rows=table.rows.take(chosen), values=table.values[chosen])


def _results(found: Warnings, months: float, p: Floats, label: Floats, basis: str) -> list[Result]:
    recall, false = found.warned / found.failures, found.false / months
    lead = float(np.median(found.lead)) if len(found.lead) else 0.0
    skill = 1 - brier(p, label) / brier(np.full(len(label), label.mean()), label)
    area = area_under_roc(p, label)
    what = f"Azure PdM, 12 machines, {found.failures} failures, {basis}, alarms on P(24 h): "
    return [
        Result("Q6-azure-recall", what + "failures warned of", 100 * recall, "%", "≥ 80", recall >= 0.8),
        Result("Q6-azure-lead", what + "median lead time", lead, "h", "≥ 4", lead >= 4),
        Result("Q6-azure-false", what + "false alarms per machine-month", false, "", "≤ 1", false <= FALSE_PER_MONTH),
        Result("Q6-azure-auroc", what + "AUROC", area, "", "≥ .9", area >= 0.9),
        Result("Q6-azure-skill", what + "Brier skill against the base rate", skill, "", "> 0", skill > 0),
    ]


def _threshold(machines: list[History], asset: NDArray[np.intp], at: Floats, p: Floats) -> float:
    months = sum(float(np.diff(one.life.observed[0])[0]) for one in machines) / MONTH_H
    best, chosen = -1, float(np.nanmax(p))
    for threshold in np.unique(np.quantile(p, 1.0 - np.geomspace(1e-4, 0.5, 60))):
        found = _warn(machines, asset, at, p, float(threshold))
        if found.false / months <= FALSE_PER_MONTH and found.warned > best:
            best, chosen = found.warned, float(threshold)
    return chosen


def _warn(machines: list[History], asset: NDArray[np.intp], at: Floats, p: Floats, threshold: float) -> Warnings:
    mine = [np.flatnonzero(asset == number) for number in range(len(machines))]
    there = [number for number, rows in enumerate(mine) if len(rows)]
    return warnings(
        [at[mine[number]] for number in there],
        [p[mine[number]] for number in there],
        [machines[number].life.failures for number in there],
        threshold=threshold,
        horizon=HORIZON_H,
    )


def _sum(one: Warnings, other: Warnings) -> Warnings:
    return Warnings(
        one.failures + other.failures,
        one.warned + other.warned,
        one.false + other.false,
        np.append(one.lead, other.lead),
    )


def _machines(folder: Path) -> list[History]:
    telemetry, errors, repairs, failures = (
        _by_machine(folder / f"PdM_{name}.csv.gz") for name in ("telemetry", "errors", "maint", "failures")
    )
    found: list[History] = []
    for machine, rows in telemetry.items():
        at = _hours(rows)
        fallen = np.unique(_hours(failures.get(machine, [])))
        fallen = fallen[(fallen > at[0]) & (fallen <= at[-1])]
        replaced = np.unique(_hours(repairs.get(machine, [])))
        planned = replaced[~np.isin(replaced, fallen) & (replaced >= at[0])]
        life = Life(np.array([[at[0], at[-1]]]), fallen, treated=planned, renewed=replaced)
        episodes: dict[str, Episodes] = {}
        for name in sorted({row["errorID"] for row in errors.get(machine, [])}):
            since = _hours([row for row in errors[machine] if row["errorID"] == name])
            episodes[name] = Episodes(since, since + 1.0, np.ones(len(since)))
        values = np.array([[float(row[name]) for name in SIGNALS] for row in rows])
        signals = Signals(at, values, SIGNALS)
        found.append(History(life, np.array([min(at[0], *replaced)]), np.array([True]), episodes, signals))
    return found


def _by_machine(path: Path) -> Mapping[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    with gzip.open(path, "rt") as lines:
        for row in csv.DictReader(lines):
            found.setdefault(row["machineID"], []).append(row)
    return found


def _hours(rows: list[dict[str, str]]) -> Floats:
    at = [datetime.fromisoformat(row["datetime"] + "+00:00").timestamp() / 3600 for row in rows]
    return np.sort(np.array(at, np.float64))
