"""Hop *name*: the times that devices write. In: a JSON value and its format. Out: nanoseconds UTC.

ISO 8601 text with 0 to 9 digits of a second (more are cut), with a zone or in the device's own; a number since 1970 in
s, ms, us or ns; a Windows file time; text of any other form by a pattern of strptime; or *auto*: ISO text, or a number
whose size tells its unit. A whole number is exact; a number with a fraction is exact to the microsecond.
"""

import math
import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from twin.errors import Rejected

TimeFormat = str  # iso, auto, s, ms, us, ns, filetime, or a pattern of strptime

_FORMATS = ("iso", "auto", "s", "ms", "us", "ns", "filetime")

EARLIEST_NS = 946_684_800_000_000_000  # 2000-01-01: an older clock has never been set
MOST_AHEAD_NS = 86_400_000_000_000  # a clock more than a day ahead of ours is wrong

_PER_UNIT = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_SIZES = (("s", 1e11), ("ms", 1e14), ("us", 1e17), ("ns", 1e20))  # of a present time; 1e11 s is the year 5138
_FILETIME_1970 = 116_444_736_000_000_000  # 100 ns since 1601
_WHOLE = re.compile(r"-?[0-9]{1,20}")
_NUMBER = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,9})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9})[0-9]*)?)?"
    r"(?:([Zz])|([+-])([0-9]{2}):?([0-9]{2})?)?"
)


def timestamp_ns(value: object, time_format: TimeFormat, zone: tzinfo = UTC) -> int:
    """The instant in nanoseconds UTC; `zone` is used when an ISO text has none.

    Raises:
        Rejected: ``bad-time``.
    """
    if "%" in time_format:
        return _patterned_ns(value, time_format, zone)
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        if time_format in ("iso", "auto"):
            return _iso_ns(value, zone)
    elif time_format != "iso" and isinstance(value, str | int | float) and not isinstance(value, bool):
        return _number_ns(
            float(value) if isinstance(value, str) and not _WHOLE.fullmatch(value) else value, time_format
        )
    raise Rejected("bad-time", f"{str(value)[:60]!r} is not a time of format {time_format}")


def check_format(text: str) -> str:
    """Check the name of a format.

    Raises:
        ValueError: when it is none.
    """
    if text not in _FORMATS and "%" not in text:
        named = ", ".join(_FORMATS)
        raise ValueError(f"{text!r} is not a format of times; use {named}, or a pattern like %d.%m.%Y %H:%M:%S")
    if "%" in text:
        try:
            datetime.strptime(datetime(2000, 12, 31, tzinfo=UTC).strftime(text), text)  # noqa: DTZ007 - only a check
        except ValueError as error:
            raise ValueError(f"{text!r} is not a pattern of strptime: {error}") from error
    return text


def is_sane(source_ns: int, received_ns: int) -> bool:
    """Whether a device clock can be believed at all."""
    return EARLIEST_NS <= source_ns <= received_ns + MOST_AHEAD_NS


@lru_cache(maxsize=64)
def zone_named(name: str) -> tzinfo:
    """The time zone of that name.

    Raises:
        ValueError: when there is none.
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is not a time zone of this machine; use a name like Europe/Berlin") from error


def _bounded(time_ns: int, value: object) -> int:
    if -(1 << 63) < time_ns < 1 << 63:
        return time_ns
    raise Rejected("bad-time", f"{str(value)[:60]!r} lies outside the years that can be kept")


def _number_ns(value: str | float, time_format: TimeFormat) -> int:
    number = int(value) if isinstance(value, str) else value
    if isinstance(number, float) and not (math.isfinite(number) and abs(number) < 1e20):
        raise Rejected("bad-time", f"{str(value)[:60]!r} is not a time of format {time_format}")
    if time_format == "filetime":
        return _bounded((int(number) - _FILETIME_1970) * 100, value)
    if time_format == "auto":
        time_format = next((name for name, beyond in _SIZES if abs(number) < beyond), "ns")
    per_unit = _PER_UNIT[time_format]
    return _bounded(number * per_unit if isinstance(number, int) else round(number * (per_unit / 1000)) * 1000, value)


def _patterned_ns(value: object, pattern: str, zone: tzinfo) -> int:
    try:
        found = datetime.strptime(str(value)[:100], pattern)  # noqa: DTZ007 - the zone comes below
    except ValueError as error:
        raise Rejected("bad-time", f"{str(value)[:60]!r} is not a time like {pattern}") from error
    aware = found if found.tzinfo else found.replace(tzinfo=zone)
    return _bounded((aware - _EPOCH) // timedelta(microseconds=1) * 1000, str(value))


def _iso_ns(text: str, zone: tzinfo) -> int:
    match = _ISO.fullmatch(text, 0, 64)
    if match is None:
        raise Rejected("bad-time", f"{text[:60]!r} is not an ISO 8601 time")
    day, hour, minute, second, fraction, zulu, sign, ahead_h, ahead_min = match.groups()
    hours, minutes, seconds = int(hour), int(minute), int(second or 0)
    if hours > 23 or minutes > 59 or seconds > 60:
        raise Rejected("bad-time", f"{text[:60]!r} is not a time of the day")
    within_s = hours * 3600 + minutes * 60 + seconds
    if sign:
        ahead_s = int(ahead_h) * 3600 + int(ahead_min or 0) * 60
        within_s += -ahead_s if sign == "+" else ahead_s
    elif not zulu and zone is not UTC:
        within_s -= _offset_s(day, hours, minutes, zone)
    fraction_ns = int(fraction.ljust(9, "0")) if fraction else 0
    return _bounded((_day_s(day) + within_s) * 1_000_000_000 + fraction_ns, text)


@lru_cache(maxsize=64)
def _day_s(day: str) -> int:
    try:
        return (date.fromisoformat(day).toordinal() - 719_163) * 86_400
    except ValueError as error:
        raise Rejected("bad-time", f"{day!r} is not a day of the calendar") from error


def _offset_s(day: str, hours: int, minutes: int, zone: tzinfo) -> int:
    _day_s(day)
    local = datetime.fromisoformat(day).replace(tzinfo=zone) + timedelta(hours=hours, minutes=minutes)
    offset = local.utcoffset()
    return int(offset.total_seconds()) if offset else 0
