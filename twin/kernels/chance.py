"""Random draws by number: draw n of a stream is a function of (key, n), so that every engine draws the same.

In: a 64-bit key per (seed, replication, item, stream) and the draw's number. Out: 32 random bits, or a duration in
ticks. Nothing is kept between draws; a scenario and its base case meet the same luck (common random numbers).
The mixer is the two-round multiply-xorshift "lowbias32" (Wellons, hash-prospector) with half of the key in its middle.
"""

from collections.abc import Callable
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from twin.kernels.compiled import bits_float, compiled, float_bits, inlined
from twin.kernels.layout import Float, Scalar

U32, U64, I32, F = np.uint32, np.uint64, np.int32, np.float32

# Every whole number that a step takes is of this width: another width would be other machine code.
I64 = cast("Callable[[Scalar], int]", np.int64)

CYCLE, FAILURE, ROUTE, LOT, START = range(5)  # streams of one item

DETERMINISTIC, EXPONENTIAL, TABLE = range(3)  # kinds of distribution
CELLS = 1024  # of equal probability in a quantile table
FAR = 1 << 30  # ticks; no duration is longer, no clock goes further

Word: TypeAlias = Scalar  # uint32
Words: TypeAlias = NDArray[np.uint32]
Tables: TypeAlias = NDArray[np.float32]

_A, _B = U32(0x21F0AAAD), U32(0x735A2D97)
_16, _15, _8, _22, _23 = U32(16), U32(15), U32(8), U32(22), I32(23)
_CELL_BITS, _CELL_MASK, _CELL_UNIT = U32(22), U32((1 << 22) - 1), F(2.0**-22)
_HALF, _ONE, _FAR = F(0.5), F(1), F(FAR - 64)
_TWO, _EXPONENT_TOP, _MANTISSA, _ONE_BITS = F(2), I32(127 + 24), I32(0x007FFFFF), I32(0x3F800000)
_R0, _R1, _R2, _R3, _R4 = F(-1.0262175), F(1.03914171), F(-0.62985391), F(0.19996688), F(-0.02569126)


@inlined
def word(number: Word, low: Word, high: Word) -> Word:
    """32 random bits: draw `number` of the stream with the key (low, high). Every step is cast back to 32 bits."""
    x = U32(number + low)
    x = U32(x ^ U32(x >> _16))
    x = U32(x * _A)
    x = U32(x ^ U32(x >> _15))
    x = U32(x + high)
    x = U32(x * _B)
    return U32(x ^ U32(x >> _15))


@inlined
def _splitmix(x: Scalar) -> Scalar:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014, doi:10.1145/2660193.2660195)."""
    x = U64(x + U64(0x9E3779B97F4A7C15))
    x = U64(U64(x ^ U64(x >> U64(30))) * U64(0xBF58476D1CE4E5B9))
    x = U64(U64(x ^ U64(x >> U64(27))) * U64(0x94D049BB133111EB))
    return U64(x ^ U64(x >> U64(31)))


@compiled
def key(seed: int, replication: int, item: int, stream: int) -> tuple[Word, Word]:
    """The key of one stream: `item` is an operation or a server, `stream` one of CYCLE … START."""
    x = _splitmix(U64(seed))
    x = _splitmix(U64(x ^ U64(replication)))
    x = _splitmix(U64(x ^ U64(U64(item) * U64(16) + U64(stream))))
    return U32(x & U64(0xFFFFFFFF)), U32(x >> U64(32))


@inlined
def exponential(bits: Word, mean: Float) -> Float:
    """An exponential duration with a mean of `mean` · ln 2: −log2 u of the upper 24 bits, u in (0, 1].

    The mantissa's polynomial is exact at both ends, so that no duration is negative; relative error below 3.1e-5, of
    the mean below 1e-7.
    """
    pattern = float_bits(F(I32(bits >> _8)) + _HALF)
    exponent = F(I32(_EXPONENT_TOP - I32(pattern >> _23)))
    f = bits_float(I32(I32(pattern & _MANTISSA) | _ONE_BITS))
    r = (((_R4 * f + _R3) * f + _R2) * f + _R1) * f + _R0
    return (exponent - (f - _ONE) * (_ONE + (f - _TWO) * r)) * mean


@inlined
def tabled(bits: Word, scale: Float, tables: Tables, which: int) -> Scalar:
    """A duration in whole ticks by quantile table `which` of [D, CELLS + 1], linear between its points."""
    cell = U32(bits >> _CELL_BITS)
    share = F(I32(bits & _CELL_MASK)) * _CELL_UNIT
    low = tables[which, cell]
    return I32(min((low + (tables[which, U32(cell + U32(1))] - low) * share) * scale + _HALF, _FAR))


@inlined
def ticks(kind: int, scale: Float, tables: Tables, which: int, bits: Word) -> Scalar:
    """A duration in whole ticks from 32 random bits; `scale` as in `Distributions`."""
    if kind == EXPONENTIAL:
        return I32(min(exponential(bits, scale) + _HALF, _FAR))
    if kind == TABLE:
        return tabled(bits, scale, tables, which)
    return I32(min(scale + _HALF, _FAR))


@compiled
def exponential_row(number: Word, low: Words, high: Words, mean: Float, out: NDArray[np.int32]) -> None:
    """Draw `number` of each lane's stream: exponential ticks [W]."""
    for w in range(out.shape[0]):
        out[w] = I32(exponential(word(number, low[w], high[w]), mean) + _HALF)


@compiled
def tabled_row(
    number: Word, low: Words, high: Words, scale: Float, tables: Tables, which: int, out: NDArray[np.int32]
) -> None:
    """Draw `number` of each lane's stream: ticks by a table [W]."""
    for w in range(out.shape[0]):
        out[w] = tabled(word(number, low[w], high[w]), scale, tables, which)
