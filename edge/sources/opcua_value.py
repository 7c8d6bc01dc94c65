"""One OPC UA value, status or time → ours. Pure.

In: what a decoder found. Out: float or str, quality bits, nanoseconds.
"""

import json
import math
from datetime import UTC, datetime, timedelta
from typing import cast

from edge.sources.opcua_library import Opaque, ua
from twin.wire.reading import Quality

EPOCH_TICKS = 116_444_736_000_000_000  # 1970-01-01 in 100 ns since 1601-01-01
LAST_TICKS = EPOCH_TICKS + 2**63 // 100 - 1  # the last that fits into nanoseconds since 1970 (year 2262)
OVERFLOW = 0x480  # InfoType DataValue and the overflow bit: the server has dropped values of this item
MAX_TEXT = 8_192

_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_SEVERITY = (Quality.GOOD, Quality.UNCERTAIN, Quality.BAD, Quality.BAD)


def quality_of(status: int) -> int:
    """The severity of a status code."""
    return _SEVERITY[status >> 30]


def nanoseconds(ticks: int, picoseconds: int = 0) -> int:
    """DateTime ticks and picoseconds (in tens) → ns UTC since 1970; 0 when it is none or out of range."""
    if EPOCH_TICKS < ticks <= LAST_TICKS:
        return (ticks - EPOCH_TICKS) * 100 + min(picoseconds, 9_999) // 100
    return 0


def instant_ns(at: object) -> int:
    """What the library makes of a DateTime → ns UTC since 1970; 0 when it is none, or none that a clock shows."""
    if not isinstance(at, datetime) or at.year < 1971:
        return 0
    return round((at.replace(tzinfo=at.tzinfo or UTC) - _EPOCH) / _MICROSECOND) * 1000


def number(value: object) -> float | None:
    """A scalar as a float (instants as seconds since 1970), or None when it is not a number. No value at all is NaN."""
    if value is None:
        return math.nan
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).timestamp()
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    if isinstance(value, list) and len(members := cast("list[object]", value)) == 1:
        return number(members[0])
    return None


def text(value: object) -> str:
    """Any value as text: strings as they are, instants as RFC 3339, arrays as JSON; never longer than `MAX_TEXT`."""
    if isinstance(value, list):
        return json.dumps(value, default=_plain, ensure_ascii=False)[:MAX_TEXT]
    return str(_plain(value))[:MAX_TEXT]


def _plain(value: Opaque) -> str | float:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, ua.LocalizedText):
        return value.Text or ""
    if isinstance(value, ua.QualifiedName):
        return value.Name or ""
    return value.to_string() if isinstance(value, ua.NodeId) else str(value)
