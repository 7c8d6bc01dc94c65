"""Hop *name*: units of devices → ours. In: two names of units. Out: the factor and the offset between them.

A small table instead of a library: an agent on a gateway has no memory to spare for one (pint takes 17 MB). A test
holds every entry against pint. Angles are a dimension of their own, so that 1/min never passes for Hz by accident.
"""

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

Dimensions = tuple[tuple[str, int], ...]


class Linear(NamedTuple):
    """value in our unit = scale × value + offset."""

    scale: float
    offset: float


class _Unit(NamedTuple):
    factor: float  # in SI base units
    dimensions: Mapping[str, int]
    offset: float = 0.0  # kelvin at zero


_L, _M, _T = {"m": 1}, {"kg": 1}, {"s": 1}
_FORCE = {"kg": 1, "m": 1, "s": -2}
_PRESSURE = {"kg": 1, "m": -1, "s": -2}
_ENERGY = {"kg": 1, "m": 2, "s": -2}
_POWER = {"kg": 1, "m": 2, "s": -3}
_VOLUME = {"m": 3}
_TEMPERATURE = {"K": 1}
_ANGLE = {"rad": 1}

_PREFIXES = {
    "G": 1e9, "M": 1e6, "k": 1e3, "h": 1e2, "d": 1e-1, "c": 1e-2, "m": 1e-3, "µ": 1e-6, "μ": 1e-6, "u": 1e-6, "n": 1e-9,
}  # fmt: skip
_LONG_PREFIXES = {
    "giga": 1e9, "mega": 1e6, "kilo": 1e3, "hecto": 1e2, "deci": 1e-1, "centi": 1e-2, "milli": 1e-3, "micro": 1e-6,
    "nano": 1e-9,
}  # fmt: skip

_PREFIXED: dict[str, _Unit] = {  # symbols that take a prefix
    "m": _Unit(1, _L), "g": _Unit(1e-3, _M), "t": _Unit(1e3, _M), "s": _Unit(1, _T), "A": _Unit(1, {"A": 1}),
    "K": _Unit(1, _TEMPERATURE), "mol": _Unit(1, {"mol": 1}), "cd": _Unit(1, {"cd": 1}),
    "N": _Unit(1, _FORCE), "Nm": _Unit(1, _ENERGY), "J": _Unit(1, _ENERGY), "Pa": _Unit(1, _PRESSURE),
    "bar": _Unit(1e5, _PRESSURE),
    "W": _Unit(1, _POWER), "Wh": _Unit(3600, _ENERGY), "V": _Unit(1, {**_POWER, "A": -1}), "Hz": _Unit(1, {"s": -1}),
    "VA": _Unit(1, {**_POWER, "apparent": 1}), "var": _Unit(1, {**_POWER, "reactive": 1}),
    "VAh": _Unit(3600, {**_ENERGY, "apparent": 1}), "varh": _Unit(3600, {**_ENERGY, "reactive": 1}),
    "Ω": _Unit(1, {**_POWER, "A": -2}), "Ohm": _Unit(1, {**_POWER, "A": -2}), "H": _Unit(1, {**_ENERGY, "A": -2}),
    "S": _Unit(1, {"kg": -1, "m": -2, "s": 3, "A": 2}), "F": _Unit(1, {"kg": -1, "m": -2, "s": 4, "A": 2}),
    "T": _Unit(1, {"kg": 1, "s": -2, "A": -1}), "Ah": _Unit(3600, {"A": 1, "s": 1}), "C": _Unit(1, {"A": 1, "s": 1}),
    "l": _Unit(1e-3, _VOLUME), "L": _Unit(1e-3, _VOLUME), "lm": _Unit(1, {"cd": 1}), "lx": _Unit(1, {"cd": 1, "m": -2}),
    "B": _Unit(1, {"byte": 1}),
}  # fmt: skip
_WHOLE: dict[str, _Unit] = {  # symbols that take none
    "": _Unit(1, {}), "1": _Unit(1, {}), "%": _Unit(1e-2, {}), "‰": _Unit(1e-3, {}), "ppm": _Unit(1e-6, {}),
    "ppb": _Unit(1e-9, {}),
    "°C": _Unit(1, _TEMPERATURE, 273.15), "degC": _Unit(1, _TEMPERATURE, 273.15), "℃": _Unit(1, _TEMPERATURE, 273.15),
    "°F": _Unit(5 / 9, _TEMPERATURE, 273.15 - 32 * 5 / 9), "degF": _Unit(5 / 9, _TEMPERATURE, 273.15 - 32 * 5 / 9),
    "min": _Unit(60, _T), "h": _Unit(3600, _T), "hr": _Unit(3600, _T), "d": _Unit(86_400, _T),
    "rad": _Unit(1, _ANGLE), "mrad": _Unit(1e-3, _ANGLE),
    "°": _Unit(math.pi / 180, _ANGLE), "deg": _Unit(math.pi / 180, _ANGLE), "rev": _Unit(2 * math.pi, _ANGLE),
    "rpm": _Unit(2 * math.pi / 60, {"rad": 1, "s": -1}),
    "in": _Unit(0.0254, _L), "ft": _Unit(0.3048, _L), "yd": _Unit(0.9144, _L), "mi": _Unit(1609.344, _L),
    "nmi": _Unit(1852, _L), "lb": _Unit(0.45359237, _M), "oz": _Unit(0.028349523125, _M),
    "lbf": _Unit(4.4482216152605, _FORCE), "kgf": _Unit(9.80665, _FORCE), "psi": _Unit(6894.757293168362, _PRESSURE),
    "atm": _Unit(101_325, _PRESSURE), "mmHg": _Unit(133.322387415, _PRESSURE), "hp": _Unit(745.6998715822701, _POWER),
    "BTU": _Unit(1055.056, _ENERGY), "cal": _Unit(4.184, _ENERGY), "kcal": _Unit(4184, _ENERGY),
    "gal": _Unit(0.003785411784, _VOLUME), "ft³": _Unit(0.028316846592, _VOLUME), "bit": _Unit(0.125, {"byte": 1}),
    "km/h": _Unit(1 / 3.6, {"m": 1, "s": -1}), "kph": _Unit(1 / 3.6, {"m": 1, "s": -1}),
    "mph": _Unit(0.44704, {"m": 1, "s": -1}), "kn": _Unit(1852 / 3600, {"m": 1, "s": -1}),
    "kt": _Unit(1852 / 3600, {"m": 1, "s": -1}),
}  # fmt: skip
_LONG: dict[str, str] = {  # written out, in any case, with or without a written-out prefix
    "meter": "m", "metre": "m", "gram": "g", "second": "s", "ampere": "A", "amp": "A", "kelvin": "K", "volt": "V",
    "watt": "W", "joule": "J", "hertz": "Hz", "pascal": "Pa", "newton": "N", "liter": "L", "litre": "L", "ohm": "Ω",
    "celsius": "°C", "fahrenheit": "°F", "percent": "%", "percentage": "%", "degree": "°", "radian": "rad",
    "revolution": "rev", "minute": "min", "hour": "h", "day": "d", "inch": "in", "foot": "ft", "pound": "lb",
    "tonne": "t", "volt_ampere": "VA", "volt_ampere_reactive": "var", "watt_hour": "Wh", "lumen": "lm", "lux": "lx",
    "tesla": "T", "farad": "F", "henry": "H", "siemens": "S", "coulomb": "C", "mole": "mol", "candela": "cd",
}  # fmt: skip
_COUNTED = ("part", "move", "container", "vehicle", "TEU", "piece", "cycle")
_POWERS = {"²": "2", "³": "3"}
_FACTOR = re.compile(r"(.*?)(?:\^?(-?[1-4]))?", re.DOTALL)


@lru_cache(maxsize=4096)
def conversion(source: str, wanted: str) -> Linear:
    """How a value in `source` becomes one in `wanted`; the same text is the same unit, known or not.

    Raises:
        ValueError: when one of them is not known, or they measure different things.
    """
    if source == wanted:
        return Linear(1.0, 0.0)
    ours, theirs = _unit(wanted), _unit(source)
    if _dimensions(ours) != _dimensions(theirs):
        raise ValueError(f"{source!r} and {wanted!r} do not measure the same thing")
    return Linear(theirs.factor / ours.factor, (theirs.offset - ours.offset) / ours.factor)


def is_known(unit: str) -> bool:
    """Whether values in this unit can be converted at all."""
    try:
        _unit(unit)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1024)
def _unit(text: str) -> _Unit:
    text = text.strip()
    found = _simple(text)
    if found is not None:
        return found
    if not text or text[0] in "/*·. _" or text[-1] in "/*·. _":
        raise ValueError(f"the unit {text!r} is not known; say with scale and offset what it is in ours")
    factor, dimensions, sign = 1.0, dict[str, int](), 1
    for part in re.split(r"([/*·. ]|_(?=[A-Za-z]))", text):
        if part == "/":
            sign = -1  # a/b/c and a/b·c: all that follows is below
        elif part and part not in "*·. _":
            unit, power = _powered(part, text)
            factor *= unit.factor ** (sign * power)
            for name, exponent in unit.dimensions.items():
                dimensions[name] = dimensions.get(name, 0) + sign * power * exponent
    return _Unit(factor, dimensions)


def _powered(part: str, whole: str) -> tuple[_Unit, int]:
    found = _simple(part)
    if found is not None:
        return found, 1
    for sign, digit in _POWERS.items():
        part = part.replace(sign, digit)
    match = _FACTOR.fullmatch(part)
    found = _simple(match[1]) if match and match[2] else None
    if match is None or found is None:
        raise ValueError(f"the unit {whole!r} is not known; say with scale and offset what it is in ours")
    return found, int(match[2])


def _simple(text: str) -> _Unit | None:
    found = _WHOLE.get(text) or _PREFIXED.get(text)
    if found is None and len(text) > 1:
        found = _scaled(_PREFIXED.get(text[1:]), _PREFIXES.get(text[0]))
    return found or _written_out(text)


def _written_out(text: str) -> _Unit | None:
    if text in _COUNTED or text.removesuffix("s") in _COUNTED:
        return _Unit(1, {text.removesuffix("s"): 1})
    name = text.lower()
    for singular in (name, name.removesuffix("s"), name.removesuffix("es")):
        symbol = _LONG.get(singular)
        if symbol:
            return _WHOLE.get(symbol) or _PREFIXED[symbol]
        for prefix, factor in _LONG_PREFIXES.items():
            symbol = _LONG.get(singular.removeprefix(prefix)) if singular.startswith(prefix) else None
            if symbol in _PREFIXED:
                return _scaled(_PREFIXED[symbol], factor)
    return None


def _scaled(unit: _Unit | None, factor: float | None) -> _Unit | None:
    return None if unit is None or factor is None else unit._replace(factor=unit.factor * factor)


def _dimensions(unit: _Unit) -> Dimensions:
    return tuple(sorted((name, exponent) for name, exponent in unit.dimensions.items() if exponent))
