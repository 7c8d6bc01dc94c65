"""Tier C: how odd is the newest stretch of one signal? Sub-PCA, a codebook by k-means, the nearest earlier stretch.

In: clean history of one signal at equal steps. Out: fitted models, and scorers that judge the last `length` samples at
each sample, greater = odder; a scorer remembers nothing but the end of the last piece. Pure.
Sources: sub-PCA and k-means windows as in TSB-AD (Liu and Paparrizos 2024, NeurIPS Datasets and Benchmarks).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from twin.errors import Rejected
from twin.kernels.subsequence import (
    Profile,
    codebook_distance,
    inverse_spreads,
    left_profile,
    nearest_distance,
    new_profile,
    normalise,
    subspace_error,
)

Floats = NDArray[np.float64]

EXPLAINED = 0.95
WORDS = 32
PIECES, STRETCHES = 8, 128  # of the history that a stretch is compared with: so many pieces of so many
HISTORY = 5_000
LONGEST = 300  # samples of a stretch
UNKNOWN_PERIOD = 32
_FIT_MOST = 4_000  # stretches
_LEAST_FIT = 4  # lengths of a stretch


@dataclass(frozen=True, slots=True)
class StretchModel:
    """What is usual; `arrays` are those of the detector's kernel."""

    detector: str
    length: int  # m, samples of a stretch
    arrays: tuple[Floats, ...]

    def judge(self, line: Floats, out: Floats) -> None:
        """line [n] → out [n - m + 1], the score of each stretch."""
        if self.detector == "sub-pca":
            basis, middle = self.arrays
            subspace_error(line, basis, middle, out)
        elif self.detector == "codebook":
            codebook_distance(line, self.arrays[0], out)
        else:
            pieces, inverses = self.arrays
            nearest_distance(line, pieces, inverses, self.length, out)


class Scorer:
    """A model with the end of the last piece: samples in pieces of any size are scored like the whole."""

    def __init__(self, model: StretchModel) -> None:
        self.model: StretchModel = model
        self.kept: Floats = np.zeros(0)

    def reset(self) -> None:
        """Forget what came before: after a gap."""
        self.kept = np.zeros(0)

    def score(self, values: Floats) -> Floats:
        """[n] samples → [n] scores, NaN while there are fewer than a stretch."""
        line, length = np.concatenate([self.kept, values]), self.model.length
        out = np.full(len(values), np.nan)
        whole = len(line) - length + 1
        if whole > 0:
            found = np.zeros(whole)
            self.model.judge(line, found)
            out[-whole:] = found[-len(values) :] if len(values) < whole else found
        self.kept = line[max(len(line) - length + 1, 0) :].copy()
        return out


def fit_sub_pca(history: Floats, length: int) -> StretchModel:
    """How much of a stretch lies outside the subspace of the usual ones; history [n]."""
    stretches = _stretches(history, length)
    middle: Floats = stretches.mean(axis=0)
    _, values, rows = np.linalg.svd(stretches - middle, full_matrices=False)
    share = np.cumsum(values**2) / max(float(np.sum(values**2)), 1e-300)
    basis = np.ascontiguousarray(rows[: int(np.searchsorted(share, EXPLAINED)) + 1])
    return StretchModel("sub-pca", length, (basis, middle))


def fit_codebook(history: Floats, length: int) -> StretchModel:
    """How far a stretch is from the nearest of some typical ones; history [n]."""
    stretches = _stretches(history, length)
    model = cast("Any", KMeans)(n_clusters=min(WORDS, len(stretches)), n_init=1, random_state=0).fit(stretches)
    return StretchModel("codebook", length, (np.ascontiguousarray(model.cluster_centers_, np.float64),))


def fit_left_profile(history: Floats, length: int) -> StretchModel:
    """How far a stretch is from the nearest one before it, in pieces spread over the history [n]."""
    size = min(STRETCHES + length - 1, len(history))
    count = min(PIECES, max(len(history) // size, 1))
    starts = np.linspace(0, len(history) - size, count).astype(int)
    pieces = np.stack([history[start : start + size] for start in starts.tolist()]) - float(history.mean())
    inverses = np.zeros((count, size - length + 1))
    inverse_spreads(pieces, length, inverses)
    return StretchModel("left-profile", length, (pieces, inverses))


FITS: Mapping[str, Callable[[Floats, int], StretchModel]] = {
    "sub-pca": fit_sub_pca,
    "codebook": fit_codebook,
    "left-profile": fit_left_profile,
}


def profile_of(history: Floats, length: int, bounded: int = HISTORY) -> Floats:
    """The exact left matrix profile of a history [n]: each stretch's distance to the nearest one before it.

    For looking at history; live stretches are compared with a fixed clean history, which does not learn a fault.
    """
    state: Profile = new_profile(length, max(min(bounded, len(history)), length))
    out = np.zeros(len(history))
    left_profile(state, np.ascontiguousarray(history, np.float64), out)
    return out


def period_of(history: Floats) -> int:
    """Samples in a cycle by the strongest peak of the autocorrelation, 32 where there is none."""
    centred = history - history.mean()
    size = 1 << (2 * len(centred) - 1).bit_length()
    spectrum = np.fft.rfft(centred, size)
    alike = np.fft.irfft(spectrum * np.conj(spectrum), size)[: min(LONGEST, len(history) // 4) + 1]
    if alike[0] <= 0.0:
        return UNKNOWN_PERIOD
    inner = alike[1:-1] / alike[0]
    peaks = np.flatnonzero((alike[1:-1] > alike[:-2]) & (alike[1:-1] >= alike[2:]) & (inner > 0.2)) + 1
    peaks = peaks[peaks >= 8]
    return int(peaks[np.argmax(alike[peaks])]) if len(peaks) else UNKNOWN_PERIOD


def _stretches(history: Floats, length: int) -> Floats:
    """[n, length] z-normalised, at most 4,000 of them or so, at equal distances.

    Raises:
        Rejected: `too-few-samples`.
    """
    if len(history) < _LEAST_FIT * length:
        need = _LEAST_FIT * length
        raise Rejected("too-few-samples", f"{len(history)} samples, {need} are needed for stretches of {length}")
    every = max((len(history) - length) // _FIT_MOST, 1)
    windows = np.lib.stride_tricks.sliding_window_view(history, length)[::every]
    found = np.zeros(windows.shape)
    for window, out in zip(windows, found, strict=True):
        normalise(np.ascontiguousarray(window), out)
    return found
