"""SKAB: outliers point by point, and change points, with everything set by the first 400 rows of each file.

Change points are where a finding opens and where it ends, as `twin.monitor` tells them; scored as NAB does, with
windows of 60 s to the right of each labelled point.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.benchmark.record import Result
from tests.benchmark.recordings import Floats, f1_far_mar, read
from twin.detect.multivariate import Bank
from twin.detect.multivariate_fit import fit_bank
from twin.monitor.spells import OFF_FRAMES, ON_FRAMES

TRAIN, WINDOW_S = 400, 60.0
SENSORS = slice(2, 10)


def change_points(beyond: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where a finding opens (after some frames beyond the limit) and where it ends (after some within it)."""
    told = np.zeros(len(beyond), bool)
    streak = quiet = 0
    is_open = False
    for n, one in enumerate(beyond):
        streak, quiet = (streak + 1, 0) if one else (0, quiet + 1)
        if (not is_open and streak >= ON_FRAMES) or (is_open and quiet >= OFF_FRAMES):
            told[n], is_open = True, not is_open
    return told


def nab_score(files: list[tuple[Floats, NDArray[np.bool_], NDArray[np.bool_]]]) -> float:
    """The standard NAB profile (Lavin and Ahmad 2015, doi:10.1109/ICMLA.2015.141) on (time [s], labelled, told)."""
    hits, missed, false, count = 0.0, 0, 0, 0
    for time, labelled, told in files:
        alarms = time[told]
        free = np.ones(len(alarms), bool)
        starts = time[labelled]
        ends = np.minimum(starts + WINDOW_S, np.append(starts[1:], np.inf))
        for start, end in zip(starts, ends, strict=True):
            inside = (alarms >= start) & (alarms <= end)
            free &= ~inside
            count += 1
            if inside.any():
                place = (alarms[inside][0] - start) / (end - start) if end > start else 0.0
                shape = -np.tanh(np.pi * (min(place, 0.999) - 0.5)) / np.tanh(np.pi / 2)
                hits += (1.0 + 0.11) / 2.0 * shape + (1.0 - 0.11) / 2.0
            else:
                missed += 1
        false += int(free.sum())
    return 100.0 * float(hits - 0.11 * false - missed + count) / (2.0 * count)


def measure(data: Path) -> list[Result]:
    """Pooled over the files."""
    _, rows = read(data, "skab/skab_valve1.csv.gz")
    truth, alarm, points = [], [], []
    for name in dict.fromkeys(row[0] for row in rows):
        mine = [row for row in rows if row[0] == name]
        values = np.array([row[SENSORS] for row in mine], float)
        labels = np.array([row[10:12] for row in mine], float) > 0.5
        time = np.array([np.datetime64(row[1]) for row in mine]).astype("datetime64[s]").astype(float)
        bank = fit_bank([values[:TRAIN]])
        beyond = (Bank(bank).push(bank.scaled(values))[0] > bank.limit())[TRAIN:]
        truth.append(labels[TRAIN:, 0])
        alarm.append(beyond)
        points.append((time[TRAIN:], labels[TRAIN:, 1], change_points(beyond)))
    f1, far, mar = f1_far_mar(np.concatenate(truth), np.concatenate(alarm))
    everything = f1_far_mar(np.concatenate(truth), np.ones(sum(map(len, truth)), bool))[0]
    nab = nab_score(points)
    return [
        Result(
            "Q2-skab-f1",
            f"SKAB outlier F1 of valve 1 (FAR {far:.1f} %, MAR {mar:.1f} %; everything anomalous: {everything:.3f})",
            f1,
            "",
            "≥ 0.82",
            f1 >= 0.82,
            "Conv-AE, published over all files: F1 0.78, FAR 13.6 %, MAR 28.0 %",
            f1 / 0.78,
        ),
        Result(
            "Q2-skab-cpd",
            "SKAB change points of valve 1, NAB standard",
            nab,
            "points",
            "≥ 35",
            nab >= 35.0,
            "MSCRED, published over all files: 32.4",
            nab / 32.42,
        ),
    ]
