"""The times that a request asks for: how they are written, and a 422 problem for those that are none.

In: query parameters. Out: instants and windows, ns UTC.
"""

import time
from typing import Annotated, Any

from fastapi import Query

from api.errors import ProblemError
from api.window import PATTERN, Window, instant_ns, window
from twin.errors import Rejected

TIME_RULES: dict[str, Any] = {"pattern": PATTERN, "max_length": 40}
TIME_TEXT = "RFC 3339 with a zone (write + as %2B), `now`, or back from now: -90s, -15m, -1h, -7d"
Start = Annotated[str, Query(description=TIME_TEXT, examples=["-1h", "2026-03-02T10:00:00Z"], **TIME_RULES)]
At = Annotated[
    str | None,
    Query(description="A past instant instead of now: " + TIME_TEXT, examples=["-1h"], **TIME_RULES),
]
End = Annotated[str, Query(description=TIME_TEXT + "; after start", examples=["now", "-1ms"], **TIME_RULES)]


def asked_window(start: str, end: str) -> Window:
    """Both ends as instants; a 422 problem when they are none."""
    try:
        return window(start, end, time.time_ns())
    except Rejected as error:
        raise _refused(error, "give RFC 3339 times with a zone, start before end") from error


def asked_instant(name: str, text: str) -> int:
    """One instant, ns UTC; a 422 problem when it is none."""
    try:
        return instant_ns(name, text, time.time_ns())
    except Rejected as error:
        raise _refused(error, "give an RFC 3339 time with a zone, or -1d") from error


def asked_past(text: str) -> int:
    """One instant that is not to come, ns UTC; a 422 problem otherwise."""
    at_ns = asked_instant("at", text)
    if at_ns > time.time_ns():
        raise ProblemError(422, "bad-time", f"at: {text!r} is still to come", do="give a past instant, e.g. -1h")
    return at_ns


def _refused(error: Rejected, advice: str) -> ProblemError:
    return ProblemError(422, error.reason, str(error), do=advice)
