"""BATADAL: time to detection and classification of attacks on a water network, fitted to the year without attacks.

Hours that the organisers left unlabelled count as normal although some hold attacks: S and TNR are lower bounds.
"""

from pathlib import Path

import numpy as np

from tests.benchmark.record import Result
from tests.benchmark.recordings import events, read
from twin.detect.multivariate import Bank
from twin.detect.multivariate_fit import fit_bank


def measure(data: Path) -> list[Result]:
    """S at the bank's own limit."""
    normal = np.array([row[1:-1] for row in read(data, "batadal/batadal_03_normal.csv.gz")[1]], float)
    rows = read(data, "batadal/batadal_04_attacks.csv.gz")[1]
    values, truth = np.array([row[1:-1] for row in rows], float), np.array([float(row[-1]) == 1.0 for row in rows])
    bank = fit_bank([normal], frame_s=3600.0)
    alarm = Bank(bank).push(bank.scaled(values))[0] > bank.limit()
    late = []
    for first, end in events(truth):
        hours = np.flatnonzero(alarm[first:end])
        late.append((hours[0] if len(hours) else end - first) / (end - first))
    tpr, tnr = float(alarm[truth].mean()), 1.0 - float(alarm[~truth].mean())
    s = (1.0 - float(np.mean(late)) + (tpr + tnr) / 2.0) / 2.0
    found = sum(one < 1.0 for one in late)
    what = f"BATADAL S of data set 04 (TNR {tnr:.3f}, TPR {tpr:.2f}, {found} of {len(late)} labelled attacks found)"
    peer = "Housh and Ohar 0.970, Giacomoni 0.927, Chandy 0.802 (test data set)"
    return [Result("Q-batadal-s", what, s, "", "≥ 0.80 at TNR ≥ 0.97", bool(s >= 0.8 and tnr >= 0.97), peer, s / 0.97)]
