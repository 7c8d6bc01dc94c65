"""Column coding of the uplink: a list of integers or floats ⇄ few bytes that zstd can squeeze further.

An integer column is `reference + base + unit * tick` modulo 2^64; its ticks are unsigned and stand as byte planes (all
lowest bytes, then all second bytes, …), as differences to the row before, or as one-byte numbers of a small table.
A float column stands as integers of a decimal power where that gives back every bit, else as raw planes; the rows that
do not fit are exceptions. Nothing here knows numpy: the edge writes with `array`; receive reads the planes.
"""

import math
import struct
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from itertools import accumulate
from operator import sub

from twin.errors import Rejected

WRAP = 1 << 64
RAW = 255  # the exponent that stands for "raw planes"
EXPONENTS = (0, 1, 2, 3, 4, 6)  # decimal powers that are tried
LARGEST_DECIMAL = 2.0**50  # of the integers
ROUNDER = 2.0**52 + 2.0**51
ROUNDER_BITS = struct.unpack("<q", struct.pack("<d", ROUNDER))[0]
PROBE = 64  # values that are looked at before all are
MOST_TABLE = 256
_HEAD = struct.Struct("<BBBxIQQ")  # coding, relative, width, count, base, unit
_FLOAT_HEAD = struct.Struct("<BxxxI")  # exponent, exceptions


class Coding(IntEnum):
    """How the ticks of an integer column stand."""

    CONSTANT = 0  # no ticks at all: every one is 0
    PLANES = 1
    STEPS = 2  # planes of `tick[i] - tick[i-1] - step`, the first tick is `step + planes[0]`; step is in the table
    TABLE = 3  # one plane of numbers of rows in the table


@dataclass(frozen=True, slots=True)
class IntColumn:
    """`count` integers modulo 2^64, still coded; `planes` holds `width` planes of `count` bytes."""

    coding: Coding
    relative: bool  # to the reference column, else to 0
    width: int
    count: int
    base: int
    unit: int
    table: tuple[int, ...]
    planes: memoryview

    def values(self, reference: Sequence[int] = ()) -> list[int]:
        """The integers, signed: the plain form of what receive does with arrays."""
        ticks = self._ticks()
        offsets = reference if self.relative else [0] * self.count
        return [_signed(at + self.base + self.unit * tick) for at, tick in zip(offsets, ticks, strict=True)]

    def _ticks(self) -> Sequence[int]:
        if self.coding is Coding.CONSTANT:
            return [0] * self.count
        raw = _unshuffle(self.planes, self.width, self.count)
        if self.coding is Coding.TABLE:
            try:
                return [self.table[index] for index in raw]
            except IndexError as error:
                raise Rejected("malformed", "a column points outside its table") from error
        if self.coding is Coding.STEPS:
            return list(accumulate(self.table[0] + step for step in raw))
        return raw


@dataclass(frozen=True, slots=True)
class FloatColumn:
    """`count` floats, still coded: integers / 10^exponent, or raw planes of their bits; then the exceptions."""

    exponent: int
    integers: IntColumn | None  # None when raw
    raw: memoryview  # 8 planes when raw, else empty
    positions: IntColumn  # rows of the exceptions, ascending
    exceptions: memoryview  # 8 planes of their bits

    def values(self) -> "array[float]":
        """The floats with every bit: the plain form of what receive does with arrays."""
        if self.integers is None:
            return _floats(self.raw)
        scale = 10.0**self.exponent
        found = array("d", [tick / scale for tick in self.integers.values()])
        for position, value in zip(self.positions.values(), _floats(self.exceptions), strict=True):
            if not 0 <= position < len(found):
                raise Rejected("malformed", "an exception stands outside its column")
            found[position] = value
        return found


class ColumnReader:
    """Takes columns off a buffer; whatever would reach beyond it is `Rejected`."""

    def __init__(self, data: memoryview) -> None:
        self._data: memoryview = data
        self._at: int = 0

    def take(self, size: int) -> memoryview:
        """The next `size` bytes."""
        end = self._at + size
        if end > len(self._data):
            raise Rejected("malformed", f"the body ends {end - len(self._data)} bytes too early")
        found = self._data[self._at : end]
        self._at = end
        return found

    def integers(self, count: int, *, referenced: bool = False) -> IntColumn:
        """The next integer column, which must hold `count` rows; it may be relative when there is a reference."""
        coding, relative, width, rows, base, unit = _HEAD.unpack(self.take(_HEAD.size))
        if rows != count or coding > Coding.TABLE or relative > referenced or width > 8:
            raise Rejected("malformed", "a column does not fit to the header's counts")
        table: tuple[int, ...] = ()
        if coding == Coding.TABLE:
            size = self.take(1)[0] + 1
            table = tuple(_unshuffle(self.take(8 * size), 8, size))
        elif coding == Coding.STEPS:
            table = tuple(_unshuffle(self.take(8), 8, 1))
        if (coding == Coding.CONSTANT and width) or (coding == Coding.TABLE and width != 1):
            raise Rejected("malformed", "a column has a width that its coding does not know")
        return IntColumn(Coding(coding), bool(relative), width, count, base, unit, table, self.take(width * count))

    def floats(self, count: int) -> FloatColumn:
        """The next float column, which must hold `count` rows."""
        exponent, odd = _FLOAT_HEAD.unpack(self.take(_FLOAT_HEAD.size))
        if odd > count or (exponent != RAW and exponent > max(EXPONENTS)):
            raise Rejected("malformed", "a float column has an exponent or exceptions that cannot be")
        raw = exponent == RAW
        integers = None if raw else self.integers(count)
        planes = self.take(8 * count) if raw else self.take(0)
        return FloatColumn(exponent, integers, planes, self.integers(odd), self.take(8 * odd))

    def octets(self, count: int, most: int = 255) -> memoryview:
        """The next `count` bytes, none above `most`."""
        found = self.take(count)
        if most < 255 and max(found, default=0) > most:
            raise Rejected("malformed", f"an octet beyond {most}")
        return found

    def finish(self) -> None:
        """Everything must have been taken."""
        if self._at != len(self._data):
            raise Rejected("malformed", f"{len(self._data) - self._at} bytes too many in the body")


def put_integers(values: Sequence[int], *, reference: Sequence[int] | None = None, grouped: bool = False) -> bytes:
    """One integer column; `grouped` says that neighbours mostly belong to one signal, so that steps are small.

    Raises:
        OverflowError: a value has more than 64 bits.
    """
    if not values:
        return _constant(0, 0)
    first = values[0]
    steady = values[-1] == first and values.count(first) == len(values)
    low, high = (first, first) if steady else (min(values), max(values))
    if low < -WRAP >> 1 or high >= WRAP >> 1:
        raise OverflowError(f"{low} or {high} has more than 64 bits")
    if low == high:
        return _constant(low, len(values))
    if len(set(values[:PROBE])) <= PROBE // 4:  # it may be worth looking at all of them
        few = set(values)
        if len(few) <= MOST_TABLE and len(few) * 16 <= len(values):
            return _put_table(values, sorted(few))
    relative = 0
    if reference is not None:
        distances = list(map(sub, values, reference))
        near, far = min(distances), max(distances)
        if far - near < WRAP:
            values, low, high, relative = distances, near, far, 1
    offsets = [value - low for value in values] if low else values
    unit = math.gcd(*offsets) or 1  # 0 when all are equal
    ticks = [offset // unit for offset in offsets] if unit > 1 else offsets
    most = (high - low) // unit
    if grouped and not relative and most < 1 << 62:
        return _put_steps(ticks, low, unit)
    width = (most.bit_length() + 7) // 8
    return _HEAD.pack(Coding.PLANES, relative, width, len(ticks), low % WRAP, unit) + _shuffle(array("Q", ticks), width)


@lru_cache(maxsize=4)
def put_ascending(values: tuple[int, ...]) -> bytes:
    """The same for values ≥ 0 that never fall: a sorted column of handles, which many batches have alike."""
    if not values or values[0] == values[-1]:
        return _constant(values[0] if values else 0, len(values))
    return _put_steps(values, 0, 1)


def put_floats(values: Sequence[float], *, grouped: bool = False) -> bytes:
    """One float column; every bit comes back, NaN payloads and -0.0 too."""
    exact = array("d", values)
    exponent = _decimal_power(exact[:: max(1, len(exact) // PROBE)])
    if exponent is None:
        return _put_raw(exact)
    # A float from 2^52 to 2^53 holds a whole number in its low bits: adding ROUNDER rounds, the bits tell the integer.
    scale, bound = 10.0**exponent, LARGEST_DECIMAL / 10.0**exponent
    rounded = array("d", [value * scale + ROUNDER if -bound < value < bound else ROUNDER for value in exact])
    back = array("d", [(value - ROUNDER) / scale for value in rounded])
    positions: list[int] = []
    if back.tobytes() != exact.tobytes():
        pairs = zip(memoryview(exact).cast("B").cast("Q"), memoryview(back).cast("B").cast("Q"), strict=True)
        positions = [row for row, (wanted, found) in enumerate(pairs) if wanted != found]
        if 2 * len(positions) > len(exact):
            return _put_raw(exact)
    bits = memoryview(rounded).cast("B").cast("q").tolist()
    integers = [value - ROUNDER_BITS for value in bits]
    exceptions = array("d", [exact[row] for row in positions])
    head = _FLOAT_HEAD.pack(exponent, len(positions))
    return head + put_integers(integers, grouped=grouped) + put_integers(positions) + _shuffle(exceptions, 8)


def _decimal_power(sample: "array[float]") -> int | None:
    """The smallest power of ten that makes (nearly) all of the sample whole; None when half of it never is."""
    most, best = len(sample) // 2, None
    for exponent in EXPONENTS:
        scale = 10.0**exponent
        bound = LARGEST_DECIMAL / scale
        fits = sum(-bound < value < bound and round(value * scale) / scale == value for value in sample)
        if fits > most + most // 16:  # a finer power must bring something
            most, best = fits, exponent
        if fits == len(sample):
            break
    return best


def _constant(value: int, count: int) -> bytes:
    return _HEAD.pack(Coding.CONSTANT, 0, 0, count, value % WRAP, 1)


def _put_raw(values: "array[float]") -> bytes:
    return _FLOAT_HEAD.pack(RAW, 0) + _shuffle(values, 8) + put_integers(())


def _put_table(values: Sequence[int], table: Sequence[int]) -> bytes:
    numbers = {value: number for number, value in enumerate(table)}
    low = table[0]
    steps = array("Q", [value - low for value in table])
    head = _HEAD.pack(Coding.TABLE, 0, 1, len(values), low % WRAP, 1)
    return head + bytes([len(table) - 1]) + _shuffle(steps, 8) + bytes(map(numbers.__getitem__, values))


def _put_steps(ticks: Sequence[int], base: int, unit: int) -> bytes:
    steps = [ticks[0], *map(sub, ticks[1:], ticks)]
    low, high = min(steps), max(steps)
    width = ((high - low).bit_length() + 7) // 8
    planes = _shuffle(array("Q", [step - low for step in steps]), width)
    first = _shuffle(array("Q", [low % WRAP]), 8)
    return _HEAD.pack(Coding.STEPS, 0, width, len(steps), base % WRAP, unit) + first + planes


def _shuffle(words: "array[int] | array[float]", width: int) -> bytes:
    data = words.tobytes()
    return b"".join([data[plane::8] for plane in range(width)])


def _unshuffle(planes: memoryview, width: int, count: int) -> "array[int]":
    data = bytearray(8 * count)
    for plane in range(width):
        data[plane::8] = planes[plane * count : (plane + 1) * count]
    return array("Q", bytes(data))


def _floats(planes: memoryview) -> "array[float]":
    return array("d", _unshuffle(planes, 8, len(planes) // 8).tobytes())


def _signed(value: int) -> int:
    value %= WRAP
    return value - WRAP if value >= WRAP >> 1 else value
