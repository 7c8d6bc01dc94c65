"""Units of measurement: is this text a unit? Over pint, plus the things that a plant counts."""

import re
from functools import lru_cache
from tokenize import TokenError

import pint

_COUNTED = ("part", "move", "container", "vehicle")

_SIGNS = re.compile(r"[\w°%µ*/^(). -]+")  # pint skips others without a word

# How pint's expression parser ends on text that is no expression at all, e.g. "m/" or "(".
_PARSER_ACCIDENTS = (AssertionError, AttributeError, IndexError, TypeError, ValueError, TokenError)


@lru_cache(maxsize=1)
def _registry() -> "pint.UnitRegistry[float]":
    registry: pint.UnitRegistry[float] = pint.UnitRegistry(cache_folder=None)
    for thing in _COUNTED:
        registry.define(f"{thing} = [{thing}]")
    registry.define("TEU = [twenty_foot_unit]")
    return registry


@lru_cache(maxsize=1024)
def is_unit(text: str) -> bool:
    """Whether pint, or the plant's own counting units, know this unit; "" is a unit too (none)."""
    if not text:
        return True
    if not _SIGNS.fullmatch(text):
        return False
    try:
        _registry().parse_units(text)
    except (pint.errors.PintError, *_PARSER_ACCIDENTS):
        return False
    return True


@lru_cache(maxsize=1024)
def is_same_unit(one: str, other: str) -> bool:
    """Whether two texts mean the same unit: kW and kilowatt do, K and °C do not."""
    if one == other:
        return True
    if not (one and other and is_unit(one) and is_unit(other)):
        return False
    return bool(_registry().parse_units(one) == _registry().parse_units(other))
