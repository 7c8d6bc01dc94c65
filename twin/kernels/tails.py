"""How odd is a score? Histograms of block maxima, conformal p-values and a generalised-Pareto tail beyond them.

In: the greatest score of each block of ten minutes. Out: the chance that a block without a fault reaches a score, and
the score that a block reaches with a given chance. The block is the unit, so that what is alike within it counts once.
Sources: conformal p (1 + #{s_j ≥ s}) / (n + 1), Vovk et al. 2005, doi:10.1007/b106715; tail by probability-weighted
moments, Hosking and Wallis 1987, doi:10.1080/00401706.1987.10488243, with their k = -xi, here from a survival function.
"""

import math

import numpy as np
from numpy.typing import NDArray

from twin.kernels.compiled import compiled
from twin.kernels.layout import NEVER_LIMIT, TAIL_BINS, Record

UNIT_BLOCKS = 8  # the first blocks give the unit of a stream: their mean maximum
KNOWN_BLOCKS = 32  # in the histogram, before a score has a p-value
FULL = 8192  # blocks (57 days); then all counts are halved: what is old is forgotten
TAIL_SHARE = 0.1  # of the blocks lies beyond the threshold of the tail
TAIL_LEAST = 10  # blocks beyond it
SHAPE_PRIOR, SHAPE_WEIGHT = 0.1, 10.0  # weight in blocks
SHAPE_MAX = 0.5  # below 0 a tail would end where the data end: never taken

LEAST_P = 1.0e-30

# Edges in units of the stream: 0.5 to 1 in 4 bins, to 2 in 16, to 4 in 8, then 4 wider ones; the first is open below.
EDGES = (
    *(0.0, 0.625, 0.75, 0.875),
    *(1.0 + k / 16 for k in range(16)),
    *(2.0 + k / 4 for k in range(8)),
    *(4.0, 5.5, 8.0, 16.0),
)


@compiled
def bin_of(ratio: float) -> int:
    """The last bin whose edge is not above `ratio`."""
    if ratio < 1.0:
        return int(max((ratio - 0.5) * 8.0, 0.0))
    if ratio < 2.0:
        return 4 + int((ratio - 1.0) * 16.0)
    if ratio < 4.0:
        return 20 + int((ratio - 2.0) * 4.0)
    return 28 + (ratio >= 5.5) + (ratio >= 8.0) + (ratio >= 16.0)


@compiled
def fit(tail: Record) -> None:
    """Fit the tail beyond the highest edge that enough blocks have reached; tail: `layout.TAIL` record."""
    above = tail["above"]
    n = int(tail["n"])
    least = max(TAIL_LEAST, int(n * TAIL_SHARE))
    k = TAIL_BINS - 1
    while k > 0 and int(above[k]) < least:
        k -= 1
    beyond = float(above[k])
    first = second = 0.0  # ∫ S and ∫ S² of the survival function beyond the threshold, S falling exponentially in a bin
    for j in range(k, TAIL_BINS):
        width = (EDGES[j + 1] if j + 1 < TAIL_BINS else 2.0 * EDGES[j]) - EDGES[j]
        left = float(above[j]) / beyond
        if left <= 0.0:
            break
        right = float(above[j + 1]) / beyond if j + 1 < TAIL_BINS else 0.0
        right = max(right, 0.1 / beyond)
        if left <= right:
            first += left * width
            second += left * left * width
            continue
        fall = math.log(left / right)
        first += (left - right) / fall * width
        second += (left * left - right * right) / (2.0 * fall) * width
    rest = first - second  # a0 - 2 a1 with a1 = ∫ S² / 2
    shape = 2.0 - first / rest if rest > 0.0 else SHAPE_MAX
    shape = (beyond * min(max(shape, -SHAPE_MAX), SHAPE_MAX) + SHAPE_WEIGHT * SHAPE_PRIOR) / (beyond + SHAPE_WEIGHT)
    shape = min(max(shape, 0.0), SHAPE_MAX)
    tail["threshold"] = k
    tail["shape"] = shape
    tail["scale"] = max(first * (1.0 - shape), 1e-6)


@compiled
def observe(tail: Record, greatest: float) -> None:
    """One more block without a fault, with this greatest score; tail: `layout.TAIL` record."""
    blocks = int(tail["blocks"])
    tail["blocks"] = min(blocks + 1, 1_000_000_000)
    if blocks < UNIT_BLOCKS:
        tail["unit"] = float(tail["unit"]) + greatest / UNIT_BLOCKS
        return
    unit = float(tail["unit"])
    last = bin_of(greatest / unit) if unit > 0.0 else (TAIL_BINS - 1 if greatest > 0.0 else 0)
    above = tail["above"]
    n = int(tail["n"]) + 1
    for k in range(TAIL_BINS):
        above[k] += k <= last
    if n >= FULL:
        n = n // 2
        for k in range(TAIL_BINS):
            above[k] = above[k] // 2
    tail["n"] = n
    if n >= KNOWN_BLOCKS and (n < 4 * KNOWN_BLOCKS or n % 16 == 0):
        fit(tail)


@compiled
def counted(tail: Record, k: int) -> float:
    """The share of blocks that have surely reached more than a score in bin k: no tail says less."""
    return float(tail["above"][k + 1]) / (float(tail["n"]) + 1.0) if k + 1 < TAIL_BINS else 0.0


@compiled
def p_value(tail: Record, score: float) -> float:
    """The chance that a block without a fault reaches `score`; 1 while too few blocks are known."""
    n = int(tail["n"])
    unit = float(tail["unit"])
    if n < KNOWN_BLOCKS or unit <= 0.0:
        return 1.0
    ratio = score / unit
    k = int(tail["threshold"])
    beyond = ratio - EDGES[k]
    if beyond <= 0.0:
        return (1.0 + float(tail["above"][bin_of(ratio)])) / (n + 1.0)
    shape, scale = float(tail["shape"]), float(tail["scale"])
    exponent = -beyond / scale if shape < 1e-6 else -math.log(1.0 + shape * beyond / scale) / shape
    fitted = float(tail["above"][k]) / n * math.exp(max(exponent, -80.0))
    return max(fitted, counted(tail, bin_of(ratio)), LEAST_P)


@compiled
def limit(tail: Record, p: float) -> float:
    """The score that a block without a fault reaches with chance `p`; more than any score while too little is known."""
    n = int(tail["n"])
    unit = float(tail["unit"])
    if n < KNOWN_BLOCKS or unit <= 0.0:
        return float(NEVER_LIMIT)
    k = int(tail["threshold"])
    reached = float(tail["above"][k]) / n
    if p >= reached:
        while k > 0 and float(1 + tail["above"][k - 1]) / (n + 1.0) <= p:
            k -= 1
        return EDGES[k] * unit
    shape, scale = float(tail["shape"]), float(tail["scale"])
    fall = math.log(reached / p)
    fitted = scale * fall if shape < 1e-6 else scale / shape * (math.exp(shape * fall) - 1.0)
    while counted(tail, k) > p:
        k += 1
    return max(EDGES[int(tail["threshold"])] + fitted, EDGES[k]) * unit


@compiled
def observe_all(tails: NDArray[np.void], which: NDArray[np.int64], greatest: NDArray[np.float64]) -> None:
    """`observe` for one block of each of these streams; tails [streams] `layout.TAIL`."""
    for k in range(which.shape[0]):
        observe(tails[which[k]], greatest[k])


@compiled
def p_values(tails: NDArray[np.void], which: NDArray[np.int64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """`p_value` of one score of each of these streams, [n]."""
    out = np.ones(which.shape[0], np.float64)
    for k in range(which.shape[0]):
        out[k] = p_value(tails[which[k]], scores[k])
    return out


@compiled
def limits(tails: NDArray[np.void], which: NDArray[np.int64], p: NDArray[np.float64]) -> NDArray[np.float64]:
    """`limit` of each of these streams, [n]."""
    out = np.zeros(which.shape[0], np.float64)
    for k in range(which.shape[0]):
        out[k] = limit(tails[which[k]], p[k])
    return out
