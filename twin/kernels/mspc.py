"""Multi-scale statistical process control of assets: frames in, one score per frame out.

In: frames of any number of assets, scaled and complete; their fitted banks; their memory. Out: per frame the greatest
-log10 p of all statistics of its bank, and which one it was; the memory is advanced in place.
A block is one EWMA scale, or the frame with its lags. The principal components u of a block's vector give three
statistics, each divided by its mean without a fault: T² = Σ_{k≤K} u²/λ, Q = Σ_{k>K} u², R = Σ_{k>K} u²/λ.
Sources: Jackson and Mudholkar 1979, doi:10.1080/00401706.1979.10489779; scales by EWMA: Lowry et al. 1992,
doi:10.1080/00401706.1992.10485232; lags: Ku, Storer and Georgakis 1995, doi:10.1016/0169-7439(95)00076-3.
Sixteen frames are rotated at once, lane by lane in the order of the plain loop: it does not matter how they are cut.
"""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from twin.kernels.compiled import compiled, inlined

STATISTICS = 3  # of each block: T², Q, R
INPUTS, COMPONENTS = 8, 2  # the rotation's inputs and components are padded to a multiple of these
KNOTS_PER_OCTAVE = 8
FIRST_OCTAVE, OCTAVES = -6, 28
KNOTS = OCTAVES * KNOTS_PER_OCTAVE + 1  # of a table from ratio to -log10 p, at 2^-6 … 2^22

_LANES = 16
_FRACTION_BITS = 20  # of a float32's mantissa below the knots
_FRACTION_MASK = (1 << _FRACTION_BITS) - 1
_FIRST_KNOT = (127 + FIRST_OCTAVE) * KNOTS_PER_OCTAVE
_LEAST, _MOST = np.float32(2.0**FIRST_OCTAVE), np.float32(2.0 ** (FIRST_OCTAVE + OCTAVES) * 0.999)
_STEP = np.float32(2.0**-_FRACTION_BITS)
_ZERO, _ONE, _COUNT_MOST = np.float32(0), np.float32(1), np.float32(1.0e6)
_KNOTS = np.uint64(KNOTS)
_SIXTEEN = np.uint64(_LANES)  # unsigned: a signed index is checked for wrap-around
_N0, _N1, _N2, _N3, _N4, _N5, _N6, _N7, _N8 = (np.uint64(n) for n in range(9))
_V1, _V2, _V3, _V4, _V5, _V6, _V7 = (np.uint64(n * _LANES) for n in range(1, 8))

Floats: TypeAlias = NDArray[np.float32]
Index: TypeAlias = Any  # np.uint64
Float: TypeAlias = Any  # np.float32


class Banks(NamedTuple):
    """The fitted banks of many assets and regimes, all with the same number of blocks."""

    signals: NDArray[np.int64]  # [banks]
    decay: Floats  # [banks, blocks] EWMA weight of a new frame, 1 = none
    lag: NDArray[np.int64]  # [banks, blocks] frames before this one that stand behind it in the vector, 0 = none
    rotation_start: NDArray[np.int64]  # [banks] in `rotation`
    rotation: Floats  # flat, per bank and block: bias [K], loadings [K, D], weights of T², Q, R [3, K]
    tables_start: NDArray[np.int64]  # [banks] in `tables`
    tables: Floats  # flat, per bank [blocks * STATISTICS * KNOTS] -log10 p at the knots of the ratio, rising


def padded(size: int, to: int) -> int:
    """The next multiple of `to`."""
    return -(-size // to) * to


def memory_size(banks: Banks, bank: int) -> int:
    """float32 numbers that an asset remembers: a counter, the last frames, one EWMA per scale."""
    size = int(banks.signals[bank])
    return 1 + int(banks.lag[bank].max()) * size + int((banks.decay[bank] < 1.0).sum()) * size


@inlined
def _look_up(tables: Floats, first: Index, ratio: Float) -> Float:
    """-log10 p at a ratio, linear between the knots, which stand at equal steps of the float32's own bits."""
    bits = np.float32(min(max(ratio, _LEAST), _MOST)).view(np.int32)
    knot = first + np.uint64((bits >> _FRACTION_BITS) - _FIRST_KNOT)
    below = tables[knot]
    return below + np.float32(bits & _FRACTION_MASK) * _STEP * (tables[knot + _N1] - below)


@inlined
def _rotate(
    vectors: Floats, rotation: Floats, at: Index, inputs: Index, width: Index, sums: Floats, ratios: Floats
) -> None:
    """ratios [3 * 16] of sixteen vectors [inputs * 16]; the block's arrays begin at `at`; sums [2 * 16]: scratch."""
    for f in range(_SIXTEEN):
        ratios[f] = _ZERO
        ratios[f + _V1] = _ZERO
        ratios[f + _V2] = _ZERO
    weights = at + width + width * inputs
    for k in range(_N0, width, _N2):
        bias, bias_b = rotation[at + k], rotation[at + k + _N1]
        for f in range(_SIXTEEN):
            sums[f] = bias
            sums[f + _V1] = bias_b
        row = at + width + k * inputs
        for d in range(row, row + inputs, _N8):
            e = d + inputs
            a0, a1, a2, a3 = rotation[d], rotation[d + _N1], rotation[d + _N2], rotation[d + _N3]
            a4, a5, a6, a7 = rotation[d + _N4], rotation[d + _N5], rotation[d + _N6], rotation[d + _N7]
            b0, b1, b2, b3 = rotation[e], rotation[e + _N1], rotation[e + _N2], rotation[e + _N3]
            b4, b5, b6, b7 = rotation[e + _N4], rotation[e + _N5], rotation[e + _N6], rotation[e + _N7]
            first = (d - row) * _SIXTEEN
            for f in range(_SIXTEEN):
                i = first + f
                v0, v1, v2, v3 = vectors[i], vectors[i + _V1], vectors[i + _V2], vectors[i + _V3]
                v4, v5, v6, v7 = vectors[i + _V4], vectors[i + _V5], vectors[i + _V6], vectors[i + _V7]
                sums[f] += (a0 * v0 + a1 * v1 + a2 * v2 + a3 * v3) + (a4 * v4 + a5 * v5 + a6 * v6 + a7 * v7)
                sums[f + _V1] += (b0 * v0 + b1 * v1 + b2 * v2 + b3 * v3) + (b4 * v4 + b5 * v5 + b6 * v6 + b7 * v7)
        w = weights + k
        x0, x1, x2 = rotation[w], rotation[w + width], rotation[w + width + width]
        w += _N1
        y0, y1, y2 = rotation[w], rotation[w + width], rotation[w + width + width]
        for f in range(_SIXTEEN):
            u = sums[f] * sums[f]
            v = sums[f + _V1] * sums[f + _V1]
            ratios[f] += u * x0 + v * y0
            ratios[f + _V1] += u * x1 + v * y1
            ratios[f + _V2] += u * x2 + v * y2


@inlined
def _smooth(
    frames: Floats, first: Index, count: Index, size: Index, decay: Float, ewma: Floats, at: Index, out: Floats
) -> None:
    """out [size * 16]: the frames after an EWMA; ewma [size] from `at` is advanced by `count` frames."""
    for p in range(size):
        level = ewma[at + p]
        for f in range(count):
            level += decay * (frames[first + f * size + p] - level)
            out[p * _SIXTEEN + f] = level
        ewma[at + p] = level


@inlined
def _stack(
    frames: Floats, first: Index, count: Index, size: Index, lag: Index, memory: Floats, past: Index, out: Floats
) -> None:
    """out [(lag + 1) * size * 16]: the frames and those before them; memory has those from `past` on, newest first."""
    for p in range(size):
        for f in range(count):
            out[p * _SIXTEEN + f] = frames[first + f * size + p]
    for back in range(_N1, lag + _N1):
        for p in range(size):
            for f in range(count):
                if f >= back:
                    value = frames[first + (f - back) * size + p]
                else:
                    value = memory[past + (back - f - _N1) * size + p]
                out[(back * size + p) * _SIXTEEN + f] = value


@inlined
def _remember(
    frames: Floats, first: Index, count: Index, size: Index, lags: Index, memory: Floats, past: Index
) -> None:
    """The last `lags` frames, newest first, from `past` on."""
    for n in range(lags):
        back = lags - _N1 - n  # the oldest first: what moves is not overwritten before it has moved
        for p in range(size):
            if back < count:
                memory[past + back * size + p] = frames[first + (count - _N1 - back) * size + p]
            else:
                memory[past + back * size + p] = memory[past + (back - count) * size + p]


@inlined
def _judge(
    frames: Floats,
    begin: Index,
    total: Index,
    banks: Banks,
    bank: int,
    memory: Floats,
    counter: Index,
    vectors: Floats,
    sums: Floats,
    ratios: Floats,
    score: Floats,
    which: NDArray[np.int8],
    out: Index,
) -> None:
    """One segment of `judge`; counter: where the asset's memory begins; vectors, sums, ratios: scratch."""
    size = np.uint64(banks.signals[bank])
    blocks = banks.decay.shape[1]
    lags = _N0
    for b in range(blocks):
        lags = max(lags, np.uint64(banks.lag[bank, b]))
    past = counter + _N1
    if memory[counter] == _ZERO:
        for n in range(lags * size):
            memory[past + n] = frames[begin + n % size]
    for start in range(_N0, total, _SIXTEEN):
        count = min(_SIXTEEN, total - start)
        first = begin + start * size
        for f in range(count):
            score[out + start + f] = -_ONE
        at = np.uint64(banks.rotation_start[bank])
        table = np.uint64(banks.tables_start[bank])
        ewma = past + lags * size
        for b in range(blocks):
            lag, decay = np.uint64(banks.lag[bank, b]), banks.decay[bank, b]
            used = size * (lag + _N1)
            inputs = (used + _N7) // _N8 * _N8
            width = (used + _N1) // _N2 * _N2
            if decay < _ONE:
                _smooth(frames, first, count, size, decay, memory, ewma, vectors)
                ewma += size
            else:
                _stack(frames, first, count, size, lag, memory, past, vectors)
            for i in range(used * _SIXTEEN, inputs * _SIXTEEN):
                vectors[i] = _ZERO
            _rotate(vectors, banks.rotation, at, inputs, width, sums, ratios)
            at += width + width * inputs + _N3 * width
            for s in range(STATISTICS):
                for f in range(count):
                    told = _look_up(banks.tables, table, ratios[np.uint64(s) * _SIXTEEN + f])
                    if told > score[out + start + f]:
                        score[out + start + f] = told
                        which[out + start + f] = b * STATISTICS + s
                table += _KNOTS
        _remember(frames, first, count, size, lags, memory, past)
    memory[counter] = min(memory[counter] + np.float32(total), _COUNT_MOST)


@compiled
def judge(
    frames: Floats,
    segments: NDArray[np.int64],
    banks: Banks,
    memory: Floats,
    score: Floats,
    which: NDArray[np.int8],
) -> None:
    """Score the frames of many assets, each asset's in their order.

    frames: flat, row after row, no NaN; segments [n, 5]: bank, where the asset's memory begins, where the segment's
    frames begin, how many they are, where their scores go; memory: `memory_size` for each asset, zeros = nothing seen;
    out: score, which = block * 3 + statistic.
    Where there are too few frames for the lags, the first one stands for those before it; an EWMA begins at 0.
    """
    widest = 0
    for bank in range(banks.signals.shape[0]):
        for b in range(banks.lag.shape[1]):
            widest = max(widest, banks.signals[bank] * (banks.lag[bank, b] + 1))
    vectors = np.zeros((widest + INPUTS) * _LANES, np.float32)
    sums = np.zeros(COMPONENTS * _LANES, np.float32)
    ratios = np.zeros(STATISTICS * _LANES, np.float32)
    for n in range(segments.shape[0]):
        bank, counter, begin = segments[n, 0], np.uint64(segments[n, 1]), np.uint64(segments[n, 2])
        total, out = np.uint64(segments[n, 3]), np.uint64(segments[n, 4])
        if total > _N0:
            _judge(frames, begin, total, banks, bank, memory, counter, vectors, sums, ratios, score, which, out)
