"""Clean history of one asset in one regime → its bank: scaled robustly, checked on rows that were held out. Pure.

No label is used. Limits are those of held-out blocks of the history, and never below theory; a signal that wanders in
the history is expected to wander on, so that a drift of the weather is not a fault of the machine.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from twin.detect.limits import box, ratio_table
from twin.detect.multivariate import Block, RegimeBank
from twin.errors import Rejected
from twin.kernels.mspc import FIRST_OCTAVE, KNOTS, KNOTS_PER_OCTAVE, STATISTICS

Floats = NDArray[np.float64]

DECAYS = (1.0, 0.3, 0.1, 0.03)  # EWMA weight of a new frame
LAG = 2  # frames, in the block with lags
EXPLAINED = 0.9  # share of the variance in the components of T²
LEAST_FRAMES = 200
FOLDS = 5
_CLIP = 5.0  # robust standard deviations; a training value further out teaches no more than this
_FLOOR = 1e-3  # of the greatest variance: smaller ones are noise of the estimate
_DEAD = 1e-2  # spread of a signal that never moved, relative to its value or 1
_WARM = 1.0  # EWMA time constants at the start of a segment that are left out
_TAIL_AT = 0.95  # quantile of the held-out scores where their tail begins
_PRIOR = 10.0  # values


class _Layer(NamedTuple):
    """A block's vectors, all segments behind each other."""

    decay: float
    lag: int
    rows: Floats  # [n, D]
    frame: NDArray[np.int64]  # [n] number of each row's frame in the whole history
    fold: NDArray[np.int64]  # [n]


class _Core(NamedTuple):
    """Mean, eigenvectors, floored eigenvalues and the number of components of one layer."""

    mean: Floats
    loadings: Floats
    variances: Floats
    components: int


def fit_bank(
    segments: Sequence[Floats], *, frame_s: float = 1.0, decays: Sequence[float] = DECAYS, lag: int = LAG
) -> RegimeBank:
    """Fit the bank of one regime.

    segments: uninterrupted stretches [n, P] of frames without NaN and without a known fault, in the signals' units;
    frame_s: seconds from frame to frame; lag: 0 leaves the block with lags out.

    Raises:
        Rejected: `too-few-frames`.
    """
    kept = [np.asarray(one, np.float64) for one in segments if len(one) >= 2 * (lag + 1)]
    frames = sum(map(len, kept))
    size = kept[0].shape[1] if kept else 0
    if frames < max(LEAST_FRAMES, 4 * size):
        raise Rejected(
            "too-few-frames", f"{frames} frames, {max(LEAST_FRAMES, 4 * size)} are needed for {size} signals"
        )
    centre, spread = _scale(np.vstack(kept))
    scaled = [(one - centre) / spread for one in kept]
    wander = _wander(scaled, min(decays))
    layers = _layers(scaled, decays, lag)
    blocks: list[Block] = []
    worst = np.zeros(frames)  # -log10 p of the worst held-out statistic; 0 where no block has warmed up
    for layer in layers:
        block, ratios = _fit_block(layer, wander)
        blocks.append(block)
        told = np.vstack([_log_p(block, s, ratios[s]) for s in range(STATISTICS)]).max(axis=0)
        worst[layer.frame] = np.maximum(worst[layer.frame], told)
    tests, bend_at, slope = _tail(worst)
    first = layers[0].rows
    covariance = np.cov(first.T).reshape(size, size) + np.diag(wander) + _FLOOR * np.eye(size)
    return RegimeBank(
        centre=centre,
        spread=spread,
        covariance=covariance,
        blocks=tuple(blocks),
        tests=tests,
        bend_at=bend_at,
        slope=slope,
        frames=frames,
        maxima=_block_maxima(worst, max(round(600.0 / frame_s), 1)),
    )


def _scale(rows: Floats) -> tuple[Floats, Floats]:
    """Centre and spread of each signal, from values clipped at five robust standard deviations."""
    middle, plain = _quantile(rows, 0.5), rows.std(axis=0)
    quartile = (_quantile(rows, 0.75) - _quantile(rows, 0.25)) / 1.349
    still = quartile <= 0.2 * plain  # a signal that mostly stands still has no quartiles
    reach = _CLIP * np.maximum(quartile, plain * still)
    clipped = np.minimum(np.maximum(rows, middle - reach), middle + reach)
    centre, spread = clipped.mean(axis=0), clipped.std(axis=0)
    size = np.maximum(np.abs(centre), 1.0)
    return centre, np.maximum(spread, _DEAD * size * (spread <= 1e-9 * size))


def _quantile(rows: Floats, part: float) -> Floats:
    return np.asarray(np.quantile(rows, part, axis=0), np.float64)


def _wander(segments: Sequence[Floats], decay: float) -> Floats:
    """[P] variance by which each signal's level is still going to leave what was seen of it.

    From the structure function of the smoothed signal at half and a quarter of the longest segment, continued to its
    whole length: a level that is settled adds nothing, a random walk or a trend does.
    """
    half = max(map(len, segments)) // 2
    sums = np.zeros((3, segments[0].shape[1]))
    counts = np.zeros(3)
    warm = round(1.0 / decay)
    for one in segments:
        level = _smoothed(one - one[:warm].mean(axis=0), decay)[warm:]
        long = min(half, len(level) // 2)
        if long < 2:
            continue
        for k, step in enumerate((long, long // 2)):
            change = level[step:] - level[:-step]
            sums[k] += (change**2).sum(axis=0) / 2.0
            counts[k] += len(change)
        sums[2] += ((level - level.mean(axis=0)) ** 2).sum(axis=0)
        counts[2] += len(level)
    if counts[2] == 0:
        return np.zeros_like(segments[0][0])
    far, near, seen = (np.asarray(sums[k] / counts[k], np.float64) for k in range(3))
    growth = np.minimum(np.maximum(far / np.maximum(near, 1e-12), 1.0), 4.0)
    return np.asarray(np.maximum(far * growth - seen, 0.0), np.float64)


def _layers(segments: Sequence[Floats], decays: Sequence[float], lag: int) -> list[_Layer]:
    made = [_layer(segments, decay, 0) for decay in decays]
    return [*made, _layer(segments, 1.0, lag)] if lag else made


def _layer(segments: Sequence[Floats], decay: float, lag: int) -> _Layer:
    rows: list[Floats] = []
    frames: list[NDArray[np.int64]] = []
    seen = 0
    for one in segments:
        smooth = _smoothed(one, decay)
        vectors = np.hstack([_behind(smooth, back) for back in range(lag + 1)])
        warm = min(round(_WARM / decay) if decay < 1.0 else lag, len(one) // 4)
        rows.append(vectors[warm:])
        frames.append(np.arange(seen + warm, seen + len(one)))
        seen += len(one)
    frame = np.concatenate(frames)
    return _Layer(decay, lag, np.vstack(rows), frame, frame * FOLDS // seen)


def _smoothed(rows: Floats, decay: float) -> Floats:
    """An EWMA that begins at 0."""
    if decay == 1.0:
        return rows
    return np.asarray(cast("Any", signal).lfilter([decay], [1.0, decay - 1.0], rows, axis=0), np.float64)


def _behind(rows: Floats, back: int) -> Floats:
    """The rows `back` frames before; the first stands for those before it."""
    return rows if back == 0 else np.vstack([np.repeat(rows[:1], back, axis=0), rows[:-back]])


def _core(rows: Floats, wander: Floats, lag: int) -> _Core:
    clipped = np.clip(rows, -_CLIP, _CLIP)
    mean = clipped.mean(axis=0)
    size = rows.shape[1]
    moved = np.kron(np.ones((lag + 1, lag + 1)), np.diag(wander))  # a level moves all its lags alike
    found, vectors = np.linalg.eigh(np.cov(clipped.T).reshape(size, size) + moved)
    values, loadings = np.maximum(found[::-1], 0.0), vectors[:, ::-1]
    share = np.cumsum(values) / max(values.sum(), 1e-300)
    components = min(int(np.searchsorted(share, EXPLAINED)) + 1, max(size - 1, 1))
    return _Core(mean, loadings, np.maximum(values, max(_FLOOR * values[0], 1e-12)), components)


def _statistics(core: _Core, rows: Floats) -> Floats:
    """[3, n] T², Q, R."""
    squares = ((rows - core.mean) @ core.loadings) ** 2
    k = core.components
    return np.vstack(
        [
            squares[:, :k] @ (1.0 / core.variances[:k]),
            squares[:, k:].sum(axis=1),
            squares[:, k:] @ (1.0 / core.variances[k:]),
        ]
    )


def _fit_block(layer: _Layer, wander: Floats) -> tuple[Block, Floats]:
    """The block, and the ratios [3, n] of its held-out statistics to their means."""
    held = np.zeros((STATISTICS, len(layer.rows)))
    for fold in np.unique(layer.fold):
        out = layer.fold == fold
        held[:, out] = _statistics(_core(layer.rows[~out], wander, layer.lag), layer.rows[out])
    core = _core(layer.rows, wander, layer.lag)
    k = core.components
    theory = np.array([k, core.variances[k:].sum(), len(core.mean) - k], np.float64)
    spread = 2.0 * np.array([k, (core.variances[k:] ** 2).sum(), len(core.mean) - k], np.float64)
    mean = np.maximum(np.maximum(held.mean(axis=1), theory), 1e-12)
    variance = np.maximum(np.maximum(held.var(axis=1), spread), 1e-24)
    freedom = np.array([box(m, v)[1] for m, v in zip(mean, variance, strict=True)])
    known = np.array([_independent(row, layer.fold) for row in held])
    block = Block(layer.decay, layer.lag, k, core.mean, core.loadings, core.variances, mean, freedom, known)
    return block, held / mean[:, None]


def _independent(values: Floats, fold: NDArray[np.int64]) -> float:
    """How many independent values a series that resembles itself is worth (integrated autocorrelation)."""
    centred = values - values.mean()
    variance = float(centred @ centred) / len(values)
    if variance <= 0.0:
        return float(len(values))
    parts = [centred[fold == one] for one in np.unique(fold)]
    longest = min(map(len, parts)) // 2
    time = 1.0
    for back in range(1, longest):
        alike = float(np.mean(np.concatenate([part[back:] * part[:-back] for part in parts]))) / variance
        if alike < 0.05:
            break
        time += 2.0 * alike
    return len(values) / time


def _log_p(block: Block, statistic: int, ratios: Floats) -> Floats:
    """-log10 p of ratios, as the kernel reads them from its table."""
    table = ratio_table(block.freedom[statistic], block.known[statistic])
    clipped = np.maximum(ratios, 2.0**FIRST_OCTAVE)
    octave = np.floor(np.log2(clipped))
    place = (octave - FIRST_OCTAVE + clipped / 2.0**octave - 1.0) * KNOTS_PER_OCTAVE
    return np.asarray(cast("Any", np).interp(place, np.arange(KNOTS), table), np.float64)


def _tail(score: Floats) -> tuple[float, float, float]:
    """Effective number of tests, the score from which on the tail has a slope of its own, and that slope (at most 1).

    An exponential tail of the held-out scores, with ten values of the theoretical slope as a prior.
    """
    bend_at = float(np.quantile(score, _TAIL_AT))
    smallest = 10.0**-bend_at
    tests = max(float(np.log(_TAIL_AT) / np.log1p(-min(smallest, 0.5))), 1.0)
    beyond = (score[score > bend_at] - bend_at) * np.log(10.0)
    slope = (len(beyond) + _PRIOR) / (float(beyond.sum()) + _PRIOR)
    return tests, bend_at, min(slope, 1.0)


def _block_maxima(score: Floats, frames: int) -> Floats:
    whole = len(score) // frames
    return score[: whole * frames].reshape(whole, frames).max(axis=1) if whole else np.zeros(0)
