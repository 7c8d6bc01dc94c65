"""What the deadband leaves out can be put back within its width; nothing old ever looks new."""

import math

from hypothesis import given
from hypothesis import strategies as st

from edge.deadband import Deadband, Thinner
from twin.wire.reading import Quality, Reading

SECOND_NS = 1_000_000_000
START_NS = 1_767_225_600 * SECOND_NS


def reading(at_s: float, value: float | str, *, handle: int = 0, quality: int = Quality.GOOD) -> Reading:
    at_ns = START_NS + round(at_s * SECOND_NS)
    return Reading(handle, at_ns, value, quality, 0, at_ns + 1000)


def thinner(width: float = 1.0, max_interval_s: float = 10.0) -> Thinner:
    return Thinner({0: Deadband(width, max_interval_s)})


def kept(made: Thinner, *readings: Reading) -> list[tuple[float, float | str]]:
    return [((one.source_ns - START_NS) / SECOND_NS, one.value) for one in made.thin(readings)]


def test_small_changes_are_left_out_and_a_jump_brings_the_value_before_it():
    assert kept(thinner(), *(reading(at, value) for at, value in enumerate([5.0, 5.5, 6.0, 4.2, 7.0, 7.1]))) == [
        (0, 5.0),
        (3, 4.2),
        (4, 7.0),
    ]


def test_a_steady_value_is_kept_once_per_interval():
    assert kept(thinner(), *(reading(at, 5.0) for at in range(25))) == [
        (0, 5.0),
        (9, 5.0),
        (10, 5.0),
        (19, 5.0),
        (20, 5.0),
    ]


def test_a_change_of_quality_is_always_kept():
    bad = reading(1, math.nan, quality=Quality.BAD)
    assert len(thinner().thin([reading(0, 5.0), bad, reading(2, math.nan, quality=Quality.BAD), reading(3, 5.0)])) == 4


def test_signals_without_a_deadband_and_late_readings_pass_untouched():
    made = thinner()
    other = reading(1, 5.0, handle=7)
    assert made.thin([reading(5, 5.0), other, other, reading(3, 5.0), reading(5, 5.0)]) == [
        reading(5, 5.0),
        other,
        other,
        reading(3, 5.0),
        reading(5, 5.0),
    ]


def test_a_heartbeat_brings_the_newest_value_left_out_with_its_own_time_and_the_held_flag():
    made = thinner()
    made.thin([reading(0, 5.0), reading(1, 5.1), reading(2, 5.2)])
    assert made.due(START_NS + 9 * SECOND_NS) == []
    assert made.due(START_NS + 11 * SECOND_NS) == [reading(2, 5.2)._replace(quality=Quality.HELD)]
    assert made.due(START_NS + 60 * SECOND_NS) == []  # the device is silent, and that must show
    assert made.withheld == 1


@st.composite
def streams(draw: st.DrawFn) -> list[Reading]:
    steps = draw(st.lists(st.tuples(st.floats(0.001, 30), st.floats(-100, 100)), min_size=1, max_size=60))
    at_s, readings = 0.0, []
    for step_s, value in steps:
        at_s += step_s
        readings.append(reading(at_s, value))
    return readings


@given(streams(), st.floats(0, 50), st.floats(1, 100), st.integers(0, 60))
def test_holding_the_last_kept_value_is_never_wrong_by_more_than_the_width(readings, width, max_interval_s, cut):
    made = Thinner({0: Deadband(width, max_interval_s)})
    left = made.thin(readings[:cut])
    left += made.due(readings[cut - 1].received_ns) if 0 < cut <= len(readings) else []
    left += made.thin(readings[cut:])
    times = [one.source_ns for one in left]
    assert times == sorted(set(times)), "each kept reading is an original one, once, in order"
    originals = {one.source_ns: one.value for one in readings}
    assert all(originals[one.source_ns] == one.value for one in left)
    assert len(left) + made.withheld == len(readings)
    held = iter(left)
    current, following = next(held), next(held, None)
    for one in readings:
        while following is not None and following.source_ns <= one.source_ns:
            current, following = following, next(held, None)
        assert isinstance(one.value, float)
        assert isinstance(current.value, float)
        assert abs(one.value - current.value) <= width
        assert one.source_ns - current.source_ns < max_interval_s * 1e9
