"""The time window of a request: RFC 3339 with a zone, or relative to now, as nanoseconds UTC.

Pure; the present is a parameter.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from twin.errors import Rejected

PATTERN = (
    r"^(now|-\d{1,9}(ms|s|m|h|d)"
    r"|\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2}))$"
)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)  # the store admits nothing older
LATEST_AHEAD = timedelta(days=366)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_RELATIVE = re.compile(r"-(\d{1,9})(ms|s|m|h|d)")
_UNIT_NS = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3_600 * 10**9, "d": 86_400 * 10**9}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """Half open: start ≤ time < end, nanoseconds UTC."""

    start_ns: int
    end_ns: int


def window(start: str, end: str, now_ns: int) -> Window:
    """Both ends as instants.

    Raises:
        Rejected: `bad-time` for text that is no instant, `bad-window` when the end is not after the start.
    """
    found = Window(instant_ns("start", start, now_ns), instant_ns("end", end, now_ns))
    if found.end_ns <= found.start_ns:
        raise Rejected("bad-window", f"end ({end}) is not after start ({start})")
    return found


def instant_ns(name: str, text: str, now_ns: int) -> int:
    """One instant within what the store can hold; earlier and later ones are moved to its limits."""
    earliest_ns, latest_ns = _ns(EARLIEST), now_ns + int(LATEST_AHEAD.total_seconds()) * 10**9
    return min(max(_parsed_ns(name, text, now_ns), earliest_ns), latest_ns)


def ns_of(at: datetime) -> int:
    """An aware instant within what the store can hold in any time zone."""
    return min(max(_ns(at), _ns(EARLIEST)), _ns(_LATEST))


def rfc3339(time_ns: int) -> str:
    """With microseconds and Z."""
    return (_EPOCH + timedelta(microseconds=time_ns // 1_000)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _parsed_ns(name: str, text: str, now_ns: int) -> int:
    if text == "now":
        return now_ns
    if match := _RELATIVE.fullmatch(text):
        return now_ns - int(match[1]) * _UNIT_NS[match[2]]
    try:
        at = datetime.fromisoformat(text)
        offset = at.utcoffset()
    except ValueError as error:
        raise Rejected("bad-time", f"{name}: {text!r} is no instant ({error})") from error
    if offset is None:
        raise Rejected("bad-time", f"{name}: {text!r} has no zone")
    return _ns(at)


def _ns(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1) * 1_000
