"""A real lathe (NIST SMS Test Bed, Mazak03): P(a fault within the next four powered hours), hour by hour.

In order of time: the model is fitted anew on what lies before each of five test blocks, as the slow loop does; the first
half of the record is never tested. After missing days the clock starts again: no label and no trend reaches over them.
The peer is the mean of past labels, known at the time.
"""

import csv
import gzip
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.benchmark.record import Result
from twin.risk.evaluate import area_under_roc, brier, calibration_error
from twin.risk.exposure import EVENT, UNKNOWN, Life, Rows, person_period
from twin.risk.features import Episodes, History, Signals, features
from twin.risk.hazard import fit_hazard

SUITE = "risk"
AHEAD_H, BLOCKS = 4.0, 5
Floats = NDArray[np.float64]
_NOT_SIGNALS = {"ts", "n_fault", "n_warning"}


def measure(data: Path) -> list[Result]:
    """One machine."""
    folder = data / "open" / "nist_sms"
    rows, values, names = _person_period(folder)
    label = (rows.labels[:, 0] == EVENT).astype(np.float64)
    known = rows.labels[:, 0] != UNKNOWN
    edges = np.quantile(rows.at, np.linspace(0.5, 1.0, BLOCKS + 1))
    edges[-1] = np.inf
    p, score, past = (np.full(len(rows), np.nan) for _ in range(3))
    for begin, end in pairwise(edges):
        before = np.flatnonzero(rows.at + AHEAD_H <= begin)
        tested = (rows.at >= begin) & (rows.at < end)
        fitted = fit_hazard(rows.take(before), values[before], names, [AHEAD_H])
        assert fitted is not None
        risks = fitted[0].predict(values[tested])
        p[tested], score[tested] = risks.p[:, 0], risks.score
    for at in np.flatnonzero(known & (rows.at >= edges[0])):
        past[at] = label[known & (rows.at + AHEAD_H <= rows.at[at])].mean()
    tested = known & (rows.at >= edges[0])
    return _results(p[tested], score[tested], past[tested], label[tested], rows, tested)


def _results(
    p: Floats, score: Floats, past: Floats, label: Floats, rows: Rows, tested: NDArray[np.bool_]
) -> list[Result]:
    base = brier(np.full(len(label), label.mean()), label)
    skill, past_skill = 1 - brier(p, label) / base, 1 - brier(past, label) / base
    failures = len(np.unique(rows.failure[tested & (rows.labels[:, 0] == EVENT)]))
    what = f"NIST Mazak03, fault within 4 powered hours, {len(label)} hours, {failures} faults: "
    area, past_area, error = area_under_roc(score, label), area_under_roc(past, label), calibration_error(p, label)
    return [
        Result("Q6-nist-auroc", what + "AUROC", area, "", "≥ .62, average of past faults", area >= 0.62, "average of past faults, same hours", area / past_area),
        Result("Q6-nist-brier-skill", what + f"Brier skill against the constant base rate (average of past faults: {past_skill:.3f})", skill, "", "> average of past faults", skill > past_skill),
        Result("Q6-nist-ece", what + "expected calibration error", error, "", "≤ .05", error <= 0.05),
    ]  # fmt: skip


def _person_period(folder: Path) -> tuple[Rows, Floats, list[str]]:
    """Rows at the begin of each powered hour; the scale is powered hours, numbered."""
    with gzip.open(folder / "nist_Mazak03_hourly.csv.gz", "rt") as lines:
        table = list(csv.DictReader(lines))
    missing = set((folder / "nist_Mazak03_missing_days.txt").read_text().split())
    starts = _starts([datetime.fromisoformat(row["ts"]) for row in table], missing)
    faults, warned = (np.array([float(row[name] or 0) for row in table]) for name in ("n_fault", "n_warning"))
    spans = np.array([[begin, end] for begin, end in zip(starts, [*starts[1:], len(table)], strict=True)], np.float64)
    executing = np.array([float(row["sec_active"] or 0) > 0 for row in table])
    hours = np.arange(len(table), dtype=np.float64)
    life = Life(spans, failures=hours[faults > 0] + 0.5)
    warnings = Episodes(hours[warned > 0] + 0.5, hours[warned > 0] + 1.0, warned[warned > 0])
    signals = [name for name in table[0] if name not in _NOT_SIGNALS and any(row[name] for row in table)]
    columns = np.array([[float(row[name]) if row[name] else np.nan for name in signals] for row in table])
    known = Signals(hours + 1.0, columns, tuple(signals))  # what an hour has brought is known at its end
    history = History(life, hours, executing, {"warning": warnings}, known)
    rows = person_period([life], [AHEAD_H], step=1.0)
    return rows, *features(history, rows.at, ["warning"])


def _starts(times: list[datetime], missing: set[str]) -> list[int]:
    """The hours before which a missing day lies, and the first one."""
    found = [0]
    for at in range(1, len(times)):
        before, after = (times[one].strftime("%Y%m%d") for one in (at - 1, at))
        if any(before <= day <= after for day in missing):
            found.append(at)
    return found
