"""Clocks that are off, drift, step; and source times that cannot be right. Old values stay old."""

from hypothesis import given
from hypothesis import strategies as st

from edge.sources.opcua_clock import ServerClock
from twin.wire.reading import Quality, Reading

S = 1_000_000_000
NOW = 1_800_000_000 * S
HOUR = 3600 * S


def measured(*offsets_s: float, tolerance_s: float = 2.0, correct: bool = True) -> ServerClock:
    clock = ServerClock(tolerance_s, correct=correct)
    for place, offset_s in enumerate(offsets_s):
        at = NOW + place * 30 * S
        clock.measure(at, round(at + offset_s * S) + 5_000_000, at + 10_000_000)
    return clock


def message(*sources: tuple[int, int], received: int = NOW) -> list[Reading]:
    return [Reading(handle, at, 1.0, 0, 0, received) for handle, at in sources]


def test_a_right_clock_changes_nothing() -> None:
    clock = measured(0.4, -0.3, 0.1)
    readings = message((1, NOW - 10 * HOUR), (2, NOW - S), (2, NOW))
    assert clock.adjust(readings, {1: NOW - 10 * HOUR, 2: NOW - 2 * S}) is readings
    assert (clock.steps, clock.correction_ns, clock.warning()) == (0, 0, "")


def test_a_clock_that_is_off_shifts_every_time_by_what_was_measured_and_says_so() -> None:
    clock = measured(3600.0)
    found = clock.adjust(message((1, NOW + HOUR), (2, NOW - 2 * HOUR)), {})
    assert [one.source_ns for one in found] == [NOW, NOW - 3 * HOUR]  # an old value never looks fresher than it is
    assert all(one.quality & Quality.TIME_ADJUSTED for one in found)
    assert clock.warning().startswith("the server's clock is +3,600.0 s off, its times are corrected")


def test_times_that_do_not_follow_the_servers_clock_are_left_alone() -> None:
    clock = measured(-3600.0)
    readings = message((1, NOW - S))
    assert clock.adjust(readings, {}) == readings
    assert clock.correction_ns == 0
    assert "taken as they are" in clock.warning()


def test_a_step_is_told_once_with_its_size() -> None:
    clock = ServerClock(2.0)
    assert clock.measure(NOW, NOW, NOW) == ""
    assert clock.measure(NOW + S, NOW + S - HOUR, NOW + S) == "the server's clock was stepped by -3,600.000 s"
    assert clock.measure(NOW + 2 * S, NOW + 2 * S - HOUR, NOW + 2 * S) == ""
    assert clock.steps == 1


def test_a_slow_answer_is_no_step() -> None:
    clock = ServerClock(2.0)
    clock.measure(NOW, NOW, NOW)
    assert clock.measure(NOW, NOW + 9 * S, NOW + 10 * S) == ""


def test_drift_needs_time() -> None:
    clock = ServerClock(2.0)
    clock.measure(NOW, NOW, NOW)
    clock.measure(NOW + 100 * S, NOW + 100 * S, NOW + 100 * S)
    assert clock.drift_ppm is None
    later = NOW + 1000 * S
    clock.measure(later, later + S // 20, later)
    assert clock.drift_ppm == 50.0


def test_a_device_that_was_reset_gets_the_receive_time_and_the_others_keep_theirs() -> None:
    clock = measured(0.0)
    year_2000 = 946_684_800 * S
    last = {1: NOW - S, 2: NOW - S}
    found = clock.adjust(message((1, year_2000), (1, year_2000 + S), (2, NOW - S // 2)), last)
    assert [one.source_ns for one in found] == [NOW, NOW + 1000, NOW - S // 2]
    assert [bool(one.quality & Quality.TIME_ADJUSTED) for one in found] == [True, True, False]
    assert clock.replaced == 2


def test_suspicion_is_future_or_going_back_and_not_age() -> None:
    clock = measured(0.0)
    assert clock.suspects(message((1, NOW + 3 * S)), {})
    assert clock.suspects(message((1, NOW - 9 * S)), {1: NOW - 5 * S})
    assert not clock.suspects(message((1, NOW - 9 * HOUR)), {2: NOW})
    assert not clock.suspects([], {})


def test_the_first_value_after_a_loss_is_as_old_as_it_is() -> None:
    """A restarted server shows again what it had before."""
    clock = measured(0.0)
    readings = message((1, NOW - HOUR), (1, NOW - S), (2, NOW - HOUR))
    found = clock.adjust(readings, {1: NOW - 2 * S, 2: NOW - 2 * S}, lost={1})
    assert [one.source_ns for one in found] == [NOW - HOUR, NOW - S, NOW]


def test_a_clock_that_was_never_set_is_noticed_when_its_values_change() -> None:
    clock = measured(0.0)
    year_1970 = 3600 * S
    assert clock.adjust(message((1, year_1970)), {})[0].source_ns == year_1970
    assert clock.adjust(message((1, year_1970 + S)), {1: year_1970})[0].source_ns == NOW


def test_report_only_changes_nothing() -> None:
    clock = measured(3600.0, correct=False)
    readings = message((1, NOW + HOUR))
    assert clock.adjust(readings, {1: NOW + 2 * HOUR}) is readings


times = st.integers(NOW - 30 * 86_400 * S, NOW + 30 * 86_400 * S)


@given(st.lists(st.tuples(st.integers(0, 3), times), max_size=20), st.sampled_from([0.0, 3600.0, -3600.0, 1e6]))
def test_no_value_lies_in_the_future_and_none_is_lost(sources: list[tuple[int, int]], offset_s: float) -> None:
    clock = measured(offset_s)
    last = {0: NOW - S, 1: NOW - HOUR}
    found = clock.adjust(message(*sources), last)
    assert [(one.handle, one.received_ns) for one in found] == [(handle, NOW) for handle, _ in sources]
    for one in found:
        assert one.source_ns <= NOW + 2 * S + 1000 * len(sources)
    for (_, raw), one in zip(sources, found, strict=True):
        assert one.source_ns == raw or one.quality & Quality.TIME_ADJUSTED
