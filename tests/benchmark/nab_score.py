"""Scoring of the Numenta Anomaly Benchmark at one given set of alarms (Lavin and Ahmad 2015, arXiv:1510.03336, NAB v1.1).

The first 15 % of a file (at most 750 rows) are probation. The best-placed alarm of a labelled window earns a scaled
sigmoid, more when early; an alarm outside every window costs the more, the further it is past the last window; a window
without an alarm costs its weight. 100 is every window at its left edge and nothing else, 0 is silence.
"""

import numpy as np
from numpy.typing import NDArray

PROFILES = {"standard": (0.11, 1.0), "reward low FP rate": (0.22, 1.0), "reward low FN rate": (0.11, 2.0)}
_MOST = 2.0 / (1.0 + np.exp(-5.0)) - 1.0


def _sigmoid(x: float) -> float:
    return -1.0 if x > 3.0 else float(2.0 / (1.0 + np.exp(5.0 * x)) - 1.0)


def points(rows: int, windows: list[tuple[int, int]], alarms: NDArray[np.int64]) -> tuple[float, float, int, int]:
    """What one file earns in its windows and loses outside, the windows that were missed, and all that count.

    windows: (first, last) row of each; alarms: rows. Alarms and windows in probation do not count.
    """
    begin = min(int(0.15 * rows), 750)
    alarms = alarms[alarms >= begin]
    earned = lost = 0.0
    missed = count = 0
    for first, last in sorted(windows):
        if last < begin:
            continue
        count += 1
        inside = alarms[(alarms >= first) & (alarms <= last)]
        if len(inside):
            earned += _sigmoid(-(last - int(inside[0]) + 1) / (last - first + 1)) / _MOST
        else:
            missed += 1
    for row in alarms.tolist():
        if any(first <= row <= last for first, last in windows):
            continue
        before = [(first, last) for first, last in sorted(windows) if last < row]
        if not before:
            lost += 1.0
        else:
            first, last = before[-1]
            lost -= _sigmoid((row - last) / max(last - first, 1))
    return earned, lost, missed, count


def corpus(files: list[tuple[float, float, int, int]], labelled: int, profile: str) -> float:
    """The normalised score of all files; labelled: all windows, those in probation too."""
    wrong, miss = PROFILES[profile]
    raw = sum(earned - wrong * lost - miss * missed for earned, lost, missed, _ in files)
    silence = -miss * sum(count for *_, count in files)
    return 100.0 * (raw - silence) / ((1.0 + miss) * labelled)
