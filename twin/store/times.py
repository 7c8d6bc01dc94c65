"""Instants between the inside (int64 ns UTC) and the store (timestamptz, whole µs)."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


def to_datetime(time_ns: int) -> datetime:
    """Floored to the µs."""
    return EPOCH + timedelta(microseconds=time_ns // 1000)


def to_datetime_up(time_ns: int) -> datetime:
    """Rounded up to the µs: the open end of an interval must not lose its last ns."""
    return EPOCH + timedelta(microseconds=-(-time_ns // 1000))


def to_ns(at: datetime) -> int:
    """Exact: no float on the way."""
    return (at - EPOCH) // _US * 1000
