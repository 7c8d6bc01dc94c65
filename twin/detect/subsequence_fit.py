"""Tier C, fitted: sub-PCA, a codebook by k-means, pieces of the history to be compared with.

In: clean history of one signal at equal steps. Out: models for `twin.detect.subsequence`. Pure; only the slow loop
comes here, so that `twin run` starts without scikit-learn.
Sources: sub-PCA and k-means windows as in TSB-AD (Liu and Paparrizos 2024, NeurIPS Datasets and Benchmarks).
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from twin.detect.subsequence import StretchModel
from twin.errors import Rejected
from twin.kernels.subsequence import Profile, inverse_spreads, left_profile, new_profile, normalise

Floats = NDArray[np.float64]

EXPLAINED = 0.95
WORDS = 32
PIECES, STRETCHES = 8, 128  # of the history that a stretch is compared with: so many pieces of so many
HISTORY = 5_000
LONGEST = 300  # samples of a stretch
UNKNOWN_PERIOD = 32
_FIT_MOST = 4_000  # stretches
_LEAST_FIT = 4  # lengths of a stretch


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
