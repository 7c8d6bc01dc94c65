"""The left matrix profile of a stream: how far the newest stretch is from every stretch before it, exactly.

In: samples one after the other, of one signal at equal steps. Out: per sample the z-normalised distance of the last m
samples to their nearest neighbour in a bounded history (large = never seen before). State in place.
Dot products of the newest stretch with all others follow from those of the stretch before it (Zhu et al. 2016, STOMP,
doi:10.1109/ICDM.2016.0085); only what lies before counts, as DAMP does (Lu et al. 2022, doi:10.1145/3534678.3539271).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.kernels.compiled import compiled
from twin.kernels.layout import Scalar

_LANES = 16
_SIXTEEN = np.uint64(_LANES)
_LEAST_VARIANCE = 1e-12
_N0, _N1 = np.uint64(0), np.uint64(1)


class Profile(NamedTuple):
    """The state of one signal. History and stretches lie in one line that is moved back when its end is reached."""

    length: int  # m, samples in a stretch
    history: int  # N, stretches that are compared with
    samples: NDArray[np.float64]  # [2 N + m] centred on the first sample
    products: NDArray[np.float64]  # [2, 2 N + 1] of the newest stretch with each other one; two rows in turn
    means: NDArray[np.float64]  # [2 N + 1] times sqrt(m): a stretch's mean
    inverses: NDArray[np.float64]  # [2 N + 1] 1 / (standard deviation · sqrt(m))
    counts: NDArray[np.int64]  # [3]: samples there, samples ever, which row of products is the newest
    offset: NDArray[np.float64]  # [1] the first sample


def new_profile(length: int, history: int) -> Profile:
    """Nothing was seen; length ≥ 4, history ≥ length."""
    room = 2 * history
    return Profile(
        length,
        history,
        np.zeros(room + length),
        np.zeros((2, room + 1 + _LANES)),
        np.zeros(room + 1 + _LANES),
        np.zeros(room + 1 + _LANES),
        np.zeros(3, np.int64),
        np.zeros(1),
    )


@compiled
def nearest(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    head: NDArray[np.float64],
    tail: NDArray[np.float64],
    means: NDArray[np.float64],
    inverses: NDArray[np.float64],
    best: NDArray[np.float64],
    dropped: float,
    added: float,
    mean: float,
) -> float:
    """after [n] = before - dropped · head + added · tail; the greatest (after - mean · means) · inverses.

    best: [16] scratch; sixteen maxima side by side, so that the loop packs.
    """
    size = np.uint64(after.shape[0])
    for lane in range(_SIXTEEN):
        best[lane] = -1.0e300
    whole = size // _SIXTEEN * _SIXTEEN
    for first in range(_N0, whole, _SIXTEEN):
        for lane in range(_SIXTEEN):
            j = first + lane
            product = before[j] - dropped * head[j] + added * tail[j]
            after[j] = product
            alike = (product - mean * means[j]) * inverses[j]
            best[lane] = max(best[lane], alike)
    for j in range(whole, size):
        product = before[j] - dropped * head[j] + added * tail[j]
        after[j] = product
        alike = (product - mean * means[j]) * inverses[j]
        best[_N0] = max(best[_N0], alike)
    greatest = best[_N0]
    for lane in range(_N1, _SIXTEEN):
        greatest = max(greatest, best[lane])
    return greatest


@compiled
def _move_back(profile: Profile) -> None:
    """Forget the older half: the newest N + m - 1 samples and N stretches go to the front."""
    length, history = profile.length, profile.history
    there = profile.counts[0]
    kept = history + length - 1
    shift = there - kept
    newest = profile.counts[2]
    for j in range(kept):
        profile.samples[j] = profile.samples[j + shift]
    for j in range(history):
        profile.products[newest, j] = profile.products[newest, j + shift]
        profile.means[j] = profile.means[j + shift]
        profile.inverses[j] = profile.inverses[j + shift]
    profile.counts[0] = kept


@compiled
def _product(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    total = 0.0
    for k in range(a.shape[0]):
        total += a[k] * b[k]
    return total


@compiled
def _moments(stretch: NDArray[np.float64]) -> tuple[float, float]:
    """A stretch's row of `Profile.means` and `Profile.inverses`."""
    length = stretch.shape[0]
    total = squares = 0.0
    for k in range(length):
        total += stretch[k]
    mean = total / length
    for k in range(length):
        squares += (stretch[k] - mean) * (stretch[k] - mean)
    return mean * np.sqrt(float(length)), 1.0 / np.sqrt(max(squares, _LEAST_VARIANCE * length))


@compiled
def _append(profile: Profile, value: float, best: NDArray[np.float64]) -> float:
    """Take one sample; the distance of the newest stretch, NaN while there is nothing to compare it with."""
    length, history = profile.length, profile.history
    samples, means, inverses = profile.samples, profile.means, profile.inverses
    if profile.counts[1] == 0:
        profile.offset[0] = value
    if profile.counts[0] == samples.shape[0]:
        _move_back(profile)
    there = profile.counts[0]
    samples[there] = value - profile.offset[0]
    profile.counts[0] = there + 1
    profile.counts[1] += 1
    i = there + 1 - length  # the newest stretch begins here
    if i < 0:
        return np.nan
    means[i], inverses[i] = _moments(samples[i : i + length])
    newest = profile.counts[2]
    before, after = profile.products[newest], profile.products[1 - newest]
    profile.counts[2] = 1 - newest
    first = max(i - history, 0)
    end = i - length // 2  # what overlaps by more than half is not another stretch
    after[i] = _product(samples[i : i + length], samples[i : i + length])
    start = max(first, 1)
    if first == 0 and i > 0:
        after[0] = _product(samples[:length], samples[i : i + length])
    dropped: Scalar = samples[i - 1] if i > 0 else 0.0
    added: Scalar = samples[i + length - 1]
    mean: Scalar = means[i]
    for j in range(max(end, start), i):
        after[j] = before[j - 1] - dropped * samples[j - 1] + added * samples[j + length - 1]
    greatest = -1.0e300
    if end > start:
        greatest = nearest(
            before[start - 1 : end - 1],
            after[start:end],
            samples[start - 1 : end - 1],
            samples[start + length - 1 : end + length - 1],
            means[start:end],
            inverses[start:end],
            best,
            dropped,
            added,
            mean,
        )
    if first == 0 and end > 0:
        alike: Scalar = (after[0] - mean * means[0]) * inverses[0]
        greatest = max(greatest, alike)
    if greatest < -1.0e299:
        return np.nan
    return float(np.sqrt(max(2.0 * length * (1.0 - greatest * inverses[i]), 0.0)))


@compiled
def left_profile(profile: Profile, values: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Take samples [n] without NaN, one after the other; out [n]: distance, NaN while there is nothing before."""
    best = np.zeros(_LANES)
    for n in range(values.shape[0]):
        out[n] = _append(profile, values[n], best)


@compiled
def subspace_error(
    values: NDArray[np.float64], basis: NDArray[np.float64], middle: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    """Sub-PCA: squared distance of each z-normalised stretch from the subspace of the usual ones.

    values [n]; basis [k, m] orthonormal rows; middle [m]; out [n - m + 1].
    Standing stretches (no variance) count as zeros.
    """
    k, length = basis.shape
    stretch = np.zeros(length)
    for i in range(out.shape[0]):
        normalise(values[i : i + length], stretch)
        total = 0.0
        for j in range(length):
            stretch[j] -= middle[j]
            total += stretch[j] * stretch[j]
        for row in range(k):
            along = 0.0
            for j in range(length):
                along += stretch[j] * basis[row, j]
            total -= along * along
        out[i] = max(total, 0.0)


@compiled
def codebook_distance(values: NDArray[np.float64], words: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """k-means codebook: distance of each z-normalised stretch to its nearest word.

    values [n]; words [k, m], z-normalised stretches; out [n - m + 1].
    """
    k, length = words.shape
    stretch = np.zeros(length)
    for i in range(out.shape[0]):
        normalise(values[i : i + length], stretch)
        least = np.inf
        for row in range(k):
            total = 0.0
            for j in range(length):
                difference = stretch[j] - words[row, j]
                total += difference * difference
            least = min(least, total)
        out[i] = np.sqrt(least)


@compiled
def inverse_spreads(pieces: NDArray[np.float64], length: int, out: NDArray[np.float64]) -> None:
    """out [r, n] = 1 / standard deviation of each stretch of pieces [r, n + m - 1]; 0 where nothing moves."""
    for row in range(out.shape[0]):
        for j in range(out.shape[1]):
            inverse = _moments(pieces[row, j : j + length])[1] * np.sqrt(float(length))
            out[row, j] = inverse if inverse < 1.0 / np.sqrt(_LEAST_VARIANCE) else 0.0


@compiled
def add_product(total: NDArray[np.float64], factor: float, values: NDArray[np.float64]) -> None:
    """total [n] += factor · values [n]; a loop of its own, so that it packs."""
    for j in range(total.shape[0]):
        total[j] += factor * values[j]


@compiled
def nearest_distance(
    values: NDArray[np.float64],
    pieces: NDArray[np.float64],
    inverses: NDArray[np.float64],
    length: int,
    out: NDArray[np.float64],
) -> None:
    """Distance of each z-normalised stretch of `values` to the nearest one of a fixed history.

    values [n]; pieces [r, s + m - 1] of the history, inverses [r, s] see `inverse_spreads`; out [n - m + 1].
    """
    stretch, alike = np.zeros(length), np.zeros(inverses.shape[1])
    for i in range(out.shape[0]):
        normalise(values[i : i + length], stretch)
        own = _product(stretch, stretch)
        least = np.inf
        for row in range(inverses.shape[0]):
            alike[:] = 0.0
            for k in range(length):
                add_product(alike, stretch[k], pieces[row, k : k + inverses.shape[1]])
            for j in range(inverses.shape[1]):
                other = float(length) if inverses[row, j] > 0.0 else 0.0
                least = min(least, own + other - 2.0 * alike[j] * inverses[row, j])
        out[i] = np.sqrt(max(least, 0.0))


@compiled
def normalise(values: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """out [m] = (values - mean) / standard deviation; zeros where nothing moves."""
    length = values.shape[0]
    mean = 0.0
    for j in range(length):
        mean += values[j]
    mean /= length
    variance = 0.0
    for j in range(length):
        variance += (values[j] - mean) * (values[j] - mean)
    variance /= length
    inverse = 1.0 / np.sqrt(variance) if variance > _LEAST_VARIANCE else 0.0
    for j in range(length):
        out[j] = (values[j] - mean) * inverse
