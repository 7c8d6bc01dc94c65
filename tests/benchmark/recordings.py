"""Recordings with labels, and the scores that their publishers use. In: the folder of `--data`. Out: arrays."""

import csv
import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def read(data: Path, name: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a recording; it lies under open/ or restricted/ or in the folder itself."""
    path = next((one for one in (data / "open" / name, data / "restricted" / name, data / name) if one.exists()), None)
    if path is None:
        raise SystemExit(f"{name} is not in {data}")
    with gzip.open(path, "rt") as lines:
        rows = csv.reader(lines)
        return next(rows), list(rows)


def f1_far_mar(truth: NDArray[np.bool_], alarm: NDArray[np.bool_]) -> tuple[float, float, float]:
    """F1, false-alarm rate and missed-alarm rate [%], point by point."""
    hit, false = int((truth & alarm).sum()), int((~truth & alarm).sum())
    missed, quiet = int((truth & ~alarm).sum()), int((~truth & ~alarm).sum())
    return 2 * hit / max(2 * hit + false + missed, 1), 100 * false / (false + quiet), 100 * missed / (missed + hit)


def events(truth: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """[first, end) of each labelled event."""
    steps = np.diff(np.concatenate([[0], truth.astype(np.int8), [0]]))
    return list(zip(np.flatnonzero(steps == 1).tolist(), np.flatnonzero(steps == -1).tolist(), strict=True))


def vus_pr(truth: NDArray[np.bool_], score: Floats, window: int, thresholds: int = 250) -> float:
    """Volume under the range-aware precision-recall surface (Paparrizos et al. 2022, doi:10.14778/3551793.3551830).

    Labels are softened by sqrt(1 - d / w) up to w / 2 from an event, for every w up to `window`; recall is multiplied by
    the share of widened events that hold an alarm.
    """
    found, size = events(truth), len(truth)
    order = np.argsort(-score, kind="stable")
    falling = score[order]
    levels = falling[np.linspace(0, size - 1, thresholds).astype(int)]
    alarms = np.searchsorted(-falling, -levels, side="right")
    positives = float(truth.sum())
    exact = np.concatenate([[0.0], np.cumsum(truth[order])])[alarms]
    areas = [_area(truth, score, order, alarms, levels, exact, positives, found, width) for width in range(window + 1)]
    return float(np.mean(areas))


def _area(truth, score, order, alarms, levels, exact, positives, found, width) -> float:
    soft = np.concatenate([[0.0], np.cumsum(_softened(truth, found, width)[order])])[alarms]
    recall = np.minimum(soft / (positives + (soft - exact) / 2.0), 1.0) * _existence(score, levels, found, width)
    return float(np.sum(np.diff(np.concatenate([[0.0], recall])) * soft / alarms))


def _softened(truth: NDArray[np.bool_], found: list[tuple[int, int]], width: int) -> Floats:
    soft, half = truth.astype(np.float64), width // 2
    for first, end in found:
        for place, distance in ((np.arange(end, min(end + half, len(truth))), 1 - end), (None, 0)):
            if place is None:
                place = np.arange(max(first - half, 0), first)
                soft[place] += np.sqrt(1.0 - (first - place) / max(width, 1))
            else:
                soft[place] += np.sqrt(1.0 - (place + distance) / max(width, 1))
    return np.minimum(soft, 1.0)


def _existence(score: Floats, levels: Floats, found: list[tuple[int, int]], width: int) -> Floats:
    half, size = width // 2, len(score)
    merged: list[list[int]] = []
    for first, end in found:
        if merged and first - half <= merged[-1][1]:
            merged[-1][1] = min(end - 1 + half, size - 1)
        else:
            merged.append([max(first - half, 0), min(end - 1 + half, size - 1)])
    tops = np.sort([score[first : last + 1].max() for first, last in merged])
    return (len(tops) - np.searchsorted(tops, levels, side="left")) / len(tops)


def window_of(values: Floats, most: int = 400, otherwise: int = 125) -> int:
    """The width for `vus_pr`: the strongest local peak of the autocorrelation of the first 20,000 values."""
    centred = values[:20_000] - values[:20_000].mean()
    size = 1 << (2 * len(centred) - 1).bit_length()
    spectrum = np.fft.rfft(centred, size)
    alike = np.fft.irfft(spectrum * np.conj(spectrum), size)[: most + 1]
    if alike[0] <= 0:
        return otherwise
    alike = (alike / alike[0])[3:]
    peaks = np.flatnonzero((alike[1:-1] > alike[:-2]) & (alike[1:-1] > alike[2:])) + 1
    if not len(peaks):
        return otherwise
    best = int(peaks[np.argmax(alike[peaks])])
    return otherwise if best < 3 or best > 300 else best + 3


def plain_pca(train: Floats, test: Floats) -> Floats:
    """Plain T² and Q with quantile limits, 95 % of the variance: above 1 is an alarm. What ours is compared with."""
    centre, spread = train.mean(axis=0), train.std(axis=0)
    spread[spread < 1e-9] = 1.0
    values, vectors = np.linalg.eigh(np.cov(((train - centre) / spread).T))
    values, vectors = np.maximum(values[::-1], 1e-12), vectors[:, ::-1]
    k = int(np.searchsorted(np.cumsum(values) / values.sum(), 0.95)) + 1

    def statistics(rows: Floats) -> tuple[Floats, Floats]:
        z = (rows - centre) / spread
        u = z @ vectors[:, :k]
        return (u**2 / values[:k]).sum(axis=1), ((z - u @ vectors[:, :k].T) ** 2).sum(axis=1)

    limits = [np.quantile(one, 0.99) for one in statistics(train)]
    return np.max([one / limit for one, limit in zip(statistics(test), limits, strict=True)], axis=0)
