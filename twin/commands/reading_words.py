"""How the commands show readings and figures. In: quality, time, size, duration, rows. Out: words for people."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from twin.wire.reading import Quality

_SEVERITY = {Quality.GOOD: "good", Quality.UNCERTAIN: "uncertain", Quality.BAD: "bad"}
_FLAGS = {
    Quality.HELD: "held",
    Quality.ESTIMATED: "estimated",
    Quality.BACKFILLED: "backfilled",
    Quality.TIME_ADJUSTED: "time of receipt",
}


def quality_words(quality: int) -> str:
    """``good``, ``bad, time of receipt`` …"""
    flags = [word for flag, word in _FLAGS.items() if quality & flag]
    return ", ".join([_SEVERITY.get(quality & Quality.SEVERITY, "bad"), *flags])


def utc(time_ns: int) -> str:
    """RFC 3339, with milliseconds and as many more digits as there are."""
    second, fraction = divmod(time_ns, 1_000_000_000)
    digits = f"{fraction:09d}".rstrip("0").ljust(3, "0")
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{digits}Z"


def size_words(octets: float) -> str:
    """``950 B``, ``12.3 MB`` …"""
    for unit in ("B", "kB", "MB", "GB"):
        if octets < 1000:
            return f"{octets:.0f} B" if unit == "B" else f"{octets:.1f} {unit}"
        octets /= 1000
    return f"{octets:.1f} TB"


def duration_words(duration_s: float) -> str:
    """``12 s``, ``3.5 min``, ``7.2 h``, ``4.1 days``."""
    for most, unit, length in ((120, "s", 1), (7200, "min", 60), (172_800, "h", 3600)):
        if duration_s < most:
            return f"{duration_s / length:.0f} {unit}" if unit == "s" else f"{duration_s / length:.1f} {unit}"
    return f"{duration_s / 86_400:.1f} days"


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as their widest cell; the first row names them."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
