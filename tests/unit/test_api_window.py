import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.window import PATTERN, instant_ns, rfc3339, window
from twin.errors import Rejected

NOW_NS = 1_772_446_500_250_000_000  # 2026-03-02T10:15:00.25Z


def test_relative_times_count_back_from_now() -> None:
    assert window("-1h", "now", NOW_NS).start_ns == NOW_NS - 3_600 * 10**9
    assert window("-90s", "-250ms", NOW_NS).end_ns == NOW_NS - 250 * 10**6


def test_a_zone_is_honoured_to_the_microsecond() -> None:
    expected = (datetime(2026, 3, 2, 10, 0, 0, 123456, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        microseconds=1
    )
    for text in ("2026-03-02T10:00:00.123456Z", "2026-03-02t12:00:00.123456+02:00", "2026-03-02 04:30:00.123456-05:30"):
        assert instant_ns("start", text, NOW_NS) == expected * 1000


@pytest.mark.parametrize("text", ["2026-03-02T10:00:00", "2026-13-02T10:00:00Z", "yesterday", "2026-03-02T10:00:60Z"])
def test_what_is_no_instant_is_rejected_with_the_name_of_the_parameter(text: str) -> None:
    with pytest.raises(Rejected, match=r"^start: ") as caught:
        instant_ns("start", text, NOW_NS)
    assert caught.value.reason == "bad-time"


def test_an_end_that_is_not_after_the_start_is_rejected() -> None:
    with pytest.raises(Rejected, match="not after"):
        window("now", "-1h", NOW_NS)


def test_times_beyond_the_store_are_moved_to_its_limits() -> None:
    assert rfc3339(instant_ns("start", "-999999999d", NOW_NS)) == "2000-01-01T00:00:00.000000Z"
    assert rfc3339(instant_ns("start", "0001-01-01T00:00:00+14:00", NOW_NS)) == "2000-01-01T00:00:00.000000Z"
    assert instant_ns("end", "9999-12-31T23:59:59-12:00", NOW_NS) == NOW_NS + 366 * 86_400 * 10**9


@given(st.from_regex(PATTERN, fullmatch=True))
def test_whatever_the_pattern_allows_is_read_or_rejected(text: str) -> None:
    try:
        at_ns = instant_ns("start", text, NOW_NS)
    except Rejected:
        return
    assert at_ns % 1000 == NOW_NS % 1000 == 0


@given(st.integers(min_value=946_684_800_000_000, max_value=1_800_000_000_000_000))
def test_a_written_instant_reads_back_the_same(us: int) -> None:
    text = rfc3339(us * 1000)
    assert re.fullmatch(PATTERN, text)
    assert instant_ns("start", text, 1_800_000_000_000_000_000) == us * 1000
