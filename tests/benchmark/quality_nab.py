"""Q3: the Numenta Anomaly Benchmark through `Engine.push`: every finding of tier A is an alarm, one budget for all files.

One signal per file, streaming, no label used. The budget is one alarm in ten days and series (`alarms_per_day` 0.1), fixed
beforehand; the published detectors choose the threshold that scores best on the labels of the whole corpus.
"""

import csv
import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.benchmark.bench_detect import batch, plant
from tests.benchmark.nab_score import PROFILES, corpus, points
from tests.benchmark.record import Result
from twin.monitor.engine import Engine
from twin.plant.tree import Plant

SUITE = "detect"
ALARMS_PER_DAY = 0.1
GOALS = {"standard": 60.0, "reward low FP rate": 48.0, "reward low FN rate": 0.0}
PUBLISHED = {
    "standard": (58.2, "Skyline 58.2, windowed Gaussian 39.6"),
    "reward low FP rate": (46.2, "Skyline 46.2"),
    "reward low FN rate": (63.9, "Skyline 63.9"),
}


def _plant(period_s: float) -> Plant:
    """One signal without a range, in an area with the budget."""
    whole = plant(10)
    (first, *_) = whole.signals
    signal = replace(first, low=None, high=None, period_s=period_s)
    assets = tuple(
        replace(one, alarms_per_day=ALARMS_PER_DAY, signals=one.signals and (signal.path,)) for one in whole.assets
    )
    return replace(whole, assets=assets, signals=(signal,))


def _alarms(time_ns: NDArray[np.int64], value: NDArray[np.float64]) -> NDArray[np.int64]:
    """The rows at which a finding opens."""
    order = np.unique(time_ns, return_index=True)[1]
    period_s = float(np.median(np.diff(time_ns[order]))) / 1e9
    model = _plant(period_s)
    engine = Engine(model, {model.signals[0].path: 0})
    rows: list[int] = []
    known: set[object] = set()
    for row in order.tolist():
        one = engine.push(batch(np.zeros(1, np.int32), time_ns[row : row + 1], value[row : row + 1]))
        opened = {finding.id for finding in one.findings if finding.until_ns is None} - known
        known |= opened
        if opened:
            rows.append(row)
    return np.array(rows, np.int64)


def _files(data: Path) -> dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for path in sorted((data / "open" / "nab").glob("*.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as text:
            for row in csv.DictReader(text):
                found.setdefault(row["file"], []).append((_ns(row["timestamp"]), float(row["value"])))
    return {
        name: (np.array([at for at, _ in rows], np.int64), np.array([value for _, value in rows]))
        for name, rows in found.items()
    }


def _ns(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def measure(data: Path) -> list[Result]:
    """Three profiles."""
    labels = json.loads((data / "open" / "nab" / "nab_windows.json").read_text())
    files: list[tuple[float, float, int, int]] = []
    labelled = 0
    for name, (time_ns, value) in _files(data).items():
        spans = [(_ns(first[:19]), _ns(last[:19])) for first, last in labels[name]]
        windows = [
            (int(np.searchsorted(time_ns, first)), int(np.searchsorted(time_ns, last, side="right")) - 1)
            for first, last in spans
        ]
        labelled += len(windows)
        files.append(points(len(value), windows, _alarms(time_ns, value)))
    found: list[Result] = []
    for profile in PROFILES:
        score = corpus(files, labelled, profile)
        best, peers = PUBLISHED[profile]
        text = (
            f"NAB, {profile}, {len(files)} files, tier A, one budget of {ALARMS_PER_DAY:g} alarms a day, no label used"
        )
        goal = GOALS[profile]
        found.append(
            Result(
                *(f"Q3-nab-{profile.replace(' ', '-')}", text, score, "points", f"≥ {goal:g}" if goal else "reported"),
                *(score >= goal, peers, score / best),
            )
        )
    return found
