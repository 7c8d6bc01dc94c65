"""Tier C: detectors of stretches of one signal: sub-PCA, a codebook by k-means, the left matrix profile.

In: clean history of one signal at equal steps. Out: detectors that score the last `length` samples at each sample,
greater = odder, in one contract: `score(values)` of any piece goes on from the piece before. Pure.
Sources: sub-PCA and k-means windows as in TSB-AD (Liu and Paparrizos 2024, NeurIPS Datasets and Benchmarks).
"""

from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from twin.errors import Rejected
from twin.kernels.subsequence import (
    Profile,
    codebook_distance,
    left_profile,
    new_profile,
    normalise,
    subspace_error,
)

Floats = NDArray[np.float64]

EXPLAINED = 0.95
WORDS = 32
HISTORY = 5_000
LONGEST = 300  # samples of a stretch
_FIT_MOST = 20_000  # stretches


class StretchDetector(Protocol):
    """Scores a signal's newest stretch."""

    name: str

    def score(self, values: Floats) -> Floats:
        """[n] samples → [n] scores, NaN while there are fewer than a stretch."""
        ...


class _Windowed:
    """Keeps the end of the last piece, so that pieces are scored like the whole."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._kept = np.zeros(0)

    def score(self, values: Floats) -> Floats:
        """[n] samples → [n] scores, NaN while there are fewer than a stretch."""
        line = np.concatenate([self._kept, values])
        out = np.full(len(values), np.nan)
        whole = len(line) - self._length + 1
        if whole > 0:
            found = np.zeros(whole)
            self._judge(line, found)
            out[-whole:] = found[-len(values) :] if len(values) < whole else found
        self._kept = line[max(len(line) - self._length + 1, 0) :].copy()
        return out

    def _judge(self, line: Floats, out: Floats) -> None:
        raise NotImplementedError


class SubPca(_Windowed):
    """How much of a stretch lies outside the subspace of the usual ones."""

    name: str = "sub-pca"

    def __init__(self, history: Floats, length: int) -> None:
        super().__init__(length)
        stretches = _stretches(history, length)
        self._middle = stretches.mean(axis=0)
        _, values, rows = np.linalg.svd(stretches - self._middle, full_matrices=False)
        share = np.cumsum(values**2) / max(float(np.sum(values**2)), 1e-300)
        self._basis = np.ascontiguousarray(rows[: int(np.searchsorted(share, EXPLAINED)) + 1])

    def _judge(self, line: Floats, out: Floats) -> None:
        subspace_error(line, self._basis, self._middle, out)


class Codebook(_Windowed):
    """How far a stretch is from the nearest of some typical ones."""

    name: str = "codebook"

    def __init__(self, history: Floats, length: int) -> None:
        super().__init__(length)
        stretches = _stretches(history, length)
        model = cast("Any", KMeans)(n_clusters=min(WORDS, len(stretches)), n_init=1, random_state=0).fit(stretches)
        self._words = np.ascontiguousarray(model.cluster_centers_, np.float64)

    def _judge(self, line: Floats, out: Floats) -> None:
        codebook_distance(line, self._words, out)


class LeftProfile:
    """How far a stretch is from every stretch before it."""

    name: str = "left-profile"

    def __init__(self, history: Floats, length: int) -> None:
        self._state: Profile = new_profile(length, max(min(HISTORY, len(history)), length))
        left_profile(self._state, np.ascontiguousarray(history, np.float64), np.zeros(len(history)))

    def score(self, values: Floats) -> Floats:
        """[n] samples → [n] distances."""
        out = np.zeros(len(values))
        left_profile(self._state, np.ascontiguousarray(values, np.float64), out)
        return out


def period_of(history: Floats) -> int:
    """Samples in a cycle by the strongest peak of the autocorrelation, 32 where there is none."""
    centred = history - history.mean()
    size = 1 << (2 * len(centred) - 1).bit_length()
    spectrum = np.fft.rfft(centred, size)
    alike = np.fft.irfft(spectrum * np.conj(spectrum), size)[: min(LONGEST, len(history) // 4) + 1]
    if alike[0] <= 0.0:
        return 32
    inner = alike[1:-1] / alike[0]
    peaks = np.flatnonzero((alike[1:-1] > alike[:-2]) & (alike[1:-1] >= alike[2:]) & (inner > 0.2)) + 1
    peaks = peaks[peaks >= 8]
    return int(peaks[np.argmax(alike[peaks])]) if len(peaks) else 32


def _stretches(history: Floats, length: int) -> Floats:
    """[n, length] z-normalised, at most 20,000 of them, at equal distances.

    Raises:
        Rejected: `too-few-samples`.
    """
    if len(history) < 4 * length:
        raise Rejected("too-few-samples", f"{len(history)} samples, {4 * length} are needed for stretches of {length}")
    every = max((len(history) - length) // _FIT_MOST, 1)
    windows = np.lib.stride_tricks.sliding_window_view(history, length)[::every]
    found = np.zeros(windows.shape)
    for window, out in zip(windows, found, strict=True):
        normalise(np.ascontiguousarray(window), out)
    return found
