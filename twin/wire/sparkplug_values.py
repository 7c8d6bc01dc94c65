"""Sparkplug's datatypes: Python values ↔ what stands in a protobuf field.

In: a value and its datatype. Out: field and raw value; and back, where what does not fit its type is `Rejected`. The
traps: negative integers travel as two's complement in unsigned fields (of 32 bits, in some libraries of the type's own
width), dates as milliseconds, arrays as packed octets. Pure.
"""

import struct
from enum import IntEnum
from itertools import islice
from typing import cast

from twin.errors import Rejected

Scalar = bool | int | float | str | bytes
Array = tuple[bool, ...] | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]


class DataType(IntEnum):
    """As the specification numbers them; DateTime is whole milliseconds since 1970."""

    UNKNOWN = 0
    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATE_TIME = 13
    TEXT = 14
    UUID = 15
    DATA_SET = 16
    BYTES = 17
    FILE = 18
    TEMPLATE = 19
    PROPERTY_SET = 20
    PROPERTY_SET_LIST = 21
    INT8_ARRAY = 22
    INT16_ARRAY = 23
    INT32_ARRAY = 24
    INT64_ARRAY = 25
    UINT8_ARRAY = 26
    UINT16_ARRAY = 27
    UINT32_ARRAY = 28
    UINT64_ARRAY = 29
    FLOAT_ARRAY = 30
    DOUBLE_ARRAY = 31
    BOOLEAN_ARRAY = 32
    STRING_ARRAY = 33
    DATE_TIME_ARRAY = 34


SIGNED = {DataType.INT8: 8, DataType.INT16: 16, DataType.INT32: 32, DataType.INT64: 64}  # bits
UNSIGNED = {DataType.UINT8: 8, DataType.UINT16: 16, DataType.UINT32: 32, DataType.UINT64: 64, DataType.DATE_TIME: 64}
TEXTS = frozenset({DataType.STRING, DataType.TEXT, DataType.UUID})
BINARY = frozenset({DataType.BYTES, DataType.FILE})
_PACKED = {
    DataType.INT8_ARRAY: "b",
    DataType.INT16_ARRAY: "h",
    DataType.INT32_ARRAY: "i",
    DataType.INT64_ARRAY: "q",
    DataType.UINT8_ARRAY: "B",
    DataType.UINT16_ARRAY: "H",
    DataType.UINT32_ARRAY: "I",
    DataType.UINT64_ARRAY: "Q",
    DataType.FLOAT_ARRAY: "f",
    DataType.DOUBLE_ARRAY: "d",
    DataType.DATE_TIME_ARRAY: "Q",
}
ARRAYS = frozenset({*_PACKED, DataType.BOOLEAN_ARRAY, DataType.STRING_ARRAY})


def datatype_of(number: int) -> DataType | None:
    """The datatype of that number, None for 0.

    Raises:
        Rejected: 'malformed', when Sparkplug B 3.0 has no such number.
    """
    if number == 0:
        return None
    if number not in _BY_NUMBER:
        raise Rejected("malformed", f"Sparkplug B 3.0 has no datatype {number}")
    return _BY_NUMBER[number]


_BY_NUMBER = {int(datatype): datatype for datatype in DataType}


def to_wire(value: object, datatype: DataType) -> tuple[str, Scalar]:
    """The name of the protobuf field and what stands there.

    Raises:
        Rejected: 'not-encodable', when the value is none of that type.
    """
    try:
        return _to_wire(value, datatype)
    except (TypeError, ValueError, OverflowError, struct.error) as error:
        raise Rejected("not-encodable", f"{value!r} is no {datatype.name}: {error}"[:300]) from error


def from_wire(raw: Scalar, datatype: DataType) -> Scalar | Array:
    """The value that a protobuf field stands for.

    Raises:
        Rejected: 'malformed', when it is none of that type.
    """
    try:
        return _from_wire(raw, datatype)
    except (TypeError, ValueError, struct.error) as error:
        raise Rejected("malformed", f"{raw!r} stands where a {datatype.name} should: {error}"[:300]) from error


def _to_wire(value: object, datatype: DataType) -> tuple[str, Scalar]:
    if datatype in SIGNED or datatype in UNSIGNED:
        return _integer_field(value, datatype)
    if datatype is DataType.BOOLEAN and isinstance(value, bool):
        return "boolean_value", value
    if datatype in (DataType.FLOAT, DataType.DOUBLE) and isinstance(value, int | float):
        return ("float_value" if datatype is DataType.FLOAT else "double_value"), float(value)
    if datatype in TEXTS and isinstance(value, str):
        value.encode()  # a lone surrogate is no text
        return "string_value", value
    if datatype in BINARY and isinstance(value, bytes):
        return "bytes_value", value
    if datatype in ARRAYS and isinstance(value, tuple):
        return "bytes_value", _pack(cast("tuple[object, ...]", value), datatype)
    raise TypeError("another kind of value")


def _integer_field(value: object, datatype: DataType) -> tuple[str, int]:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("not an integer")
    bits = SIGNED.get(datatype) or UNSIGNED[datatype]
    least = -(1 << (bits - 1)) if datatype in SIGNED else 0
    if not least <= value < least + (1 << bits):
        raise ValueError("out of range")
    return ("long_value", value % (1 << 64)) if bits > 32 else ("int_value", value % (1 << 32))


def _from_wire(raw: Scalar, datatype: DataType) -> Scalar | Array:
    if datatype in SIGNED or datatype in UNSIGNED:
        return _integer(raw, datatype)
    if datatype in (DataType.FLOAT, DataType.DOUBLE) and isinstance(raw, int | float):
        return float(raw)
    if datatype is DataType.BOOLEAN and raw in (0, 1):
        return bool(raw)
    if datatype in TEXTS and isinstance(raw, str):
        return raw
    if datatype in BINARY and isinstance(raw, bytes):
        return raw
    if datatype in ARRAYS and isinstance(raw, bytes):
        return _unpack(raw, datatype)
    raise TypeError("another kind of field")


def _integer(raw: Scalar, datatype: DataType) -> int:
    if not isinstance(raw, int):
        raise TypeError("not an integer")
    if datatype in UNSIGNED:
        if raw >= 1 << UNSIGNED[datatype]:
            raise ValueError("out of range")
        return int(raw)
    bits = SIGNED[datatype]
    half = 1 << (bits - 1)
    if raw < half:
        return int(raw)
    for width in (bits, 32, 64):  # in whose two's complement it may stand
        if (1 << width) - half <= raw < 1 << width:
            return raw - (1 << width)
    raise ValueError("out of range")


def _pack(values: tuple[object, ...], datatype: DataType) -> bytes:
    if datatype is DataType.STRING_ARRAY:
        return b"".join(_terminated(value) for value in values)
    if datatype is DataType.BOOLEAN_ARRAY:
        if not all(isinstance(value, bool) for value in values):
            raise TypeError("not only truth values")
        bits = "".join("1" if value else "0" for value in values)
        octets = -(-len(bits) // 8)
        return struct.pack("<I", len(bits)) + int(bits.ljust(8 * octets, "0") or "0", 2).to_bytes(octets, "big")
    return struct.pack(f"<{len(values)}{_PACKED[datatype]}", *values)


def _terminated(value: object) -> bytes:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("not only texts, or one with the sign that ends a text")
    return value.encode() + b"\0"


def _unpack(raw: bytes, datatype: DataType) -> Array:
    if datatype is DataType.STRING_ARRAY:
        if raw and not raw.endswith(b"\0"):
            raise ValueError("a text that does not end")
        return tuple(text.decode() for text in raw.split(b"\0")[:-1])
    if datatype is DataType.BOOLEAN_ARRAY:
        (count,) = struct.unpack_from("<I", raw)
        if -(-count // 8) != len(raw) - 4:
            raise ValueError("another count than it says")
        return tuple(islice((bool(octet >> shift & 1) for octet in raw[4:] for shift in range(7, -1, -1)), count))
    layout = _PACKED[datatype]
    return struct.unpack(f"<{len(raw) // struct.calcsize('<' + layout)}{layout}", raw)
