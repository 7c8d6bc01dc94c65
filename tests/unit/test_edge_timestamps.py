"""The times that devices write, in every usual form; what is no time is refused."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.timestamps import check_format, timestamp_ns, zone_named
from twin.errors import Rejected

NAIVE_1970 = datetime(1970, 1, 2)  # noqa: DTZ001 - Hypothesis draws wall times


@pytest.mark.parametrize(
    ("value", "time_format", "expected"),
    [
        (1631186545, "s", 1631186545_000000000),
        (1631186545.04, "s", 1631186545_040000000),
        ("1670001234567", "ms", 1670001234567_000000),
        (1670001234567.5, "ms", 1670001234567_500000),
        (1670001234567891, "us", 1670001234567891_000),
        (1670001234567891234, "ns", 1670001234567891234),
        ("2022-03-18T12:55:21.3424136Z", "iso", 1647608121_342413600),
        ("2022-03-18T12:55:21.123456789123+01:00", "iso", 1647604521_123456789),
        ("2022-03-18 12:55:21", "iso", 1647608121_000000000),
        ("2022-03-18T12:55-0130", "iso", 1647613500_000000000),
        ("2016-12-31T23:59:60Z", "iso", 1483228800_000000000),
    ],
)
def test_times_are_read_in_every_format_that_devices_use(value, time_format, expected):
    assert timestamp_ns(value, time_format) == expected


@pytest.mark.parametrize(
    ("value", "time_format"),
    [
        ("yesterday", "iso"), ("2022-13-01T00:00:00Z", "iso"), ("2022-02-30T00:00:00", "iso"),
        ("2022-01-01T25:00Z", "iso"), (5, "iso"), (True, "s"),
        ("", "s"), (1e30, "s"), (10**30, "ns"), ([], "ms"), ("9" * 19, "s"),
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(value, time_format):
    with pytest.raises(Rejected) as caught:
        timestamp_ns(value, time_format)
    assert caught.value.reason == "bad-time"


@given(
    st.datetimes(min_value=NAIVE_1970, max_value=NAIVE_1970.replace(year=2200)),
    st.sampled_from([UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("America/St_Johns")]),
)
def test_an_iso_time_equals_what_the_standard_library_reads(naive, zone):
    aware = naive.replace(tzinfo=zone)
    expected = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
    assert timestamp_ns(naive.isoformat(), "iso", zone) == expected
    assert timestamp_ns(aware.astimezone(UTC).isoformat(), "iso") == expected


@pytest.mark.parametrize(
    ("value", "time_format", "zone", "expected"),
    [
        ("16.04.2024 09:15:03", "%d.%m.%Y %H:%M:%S", "Europe/Berlin", "2024-04-16T07:15:03Z"),
        ("04/16/24 09:15:03 PM", "%m/%d/%y %I:%M:%S %p", "UTC", "2024-04-16T21:15:03Z"),
        ("Tue, 16 Apr 2024 09:15:03 +0200", "%a, %d %b %Y %H:%M:%S %z", "UTC", "2024-04-16T07:15:03Z"),
        (20240416091503, "%Y%m%d%H%M%S", "UTC", "2024-04-16T09:15:03Z"),
        (133577325030000000, "filetime", "UTC", "2024-04-16T09:15:03Z"),
        ("133577325030000000", "filetime", "UTC", "2024-04-16T09:15:03Z"),
        (1713258903, "auto", "UTC", "2024-04-16T09:15:03Z"),
        (1713258903.0, "auto", "UTC", "2024-04-16T09:15:03Z"),
        ("1713258903000", "auto", "UTC", "2024-04-16T09:15:03Z"),
        (1713258903000000, "auto", "UTC", "2024-04-16T09:15:03Z"),
        (1713258903000000000, "auto", "UTC", "2024-04-16T09:15:03Z"),
        ("2024-04-16T11:15:03", "auto", "Europe/Berlin", "2024-04-16T09:15:03Z"),
        ("1713258903.000", "s", "UTC", "2024-04-16T09:15:03Z"),
    ],
)
def test_other_forms_of_time_are_named_or_told_by_a_pattern(value, time_format, zone, expected):
    assert check_format(time_format) == time_format
    wanted = round(datetime.fromisoformat(expected).timestamp()) * 1_000_000_000
    assert timestamp_ns(value, time_format, zone_named(zone)) == wanted


@pytest.mark.parametrize(
    ("value", "time_format"),
    [
        ("16.4.24", "%d.%m.%Y"),
        (None, "%Y"),
        ("x" * 10_000, "%Y"),
        ("soon", "auto"),
        (float("inf"), "auto"),
        (True, "auto"),
    ],
)
def test_what_does_not_look_like_its_pattern_is_refused(value, time_format):
    with pytest.raises(Rejected) as caught:
        timestamp_ns(value, time_format)
    assert caught.value.reason == "bad-time"


@pytest.mark.parametrize("text", ["month", "%Q", "%d %", "ISO"])
def test_a_format_that_is_none_is_refused_before_anything_runs(text):
    with pytest.raises(ValueError, match=r"not a format|pattern"):
        check_format(text)
