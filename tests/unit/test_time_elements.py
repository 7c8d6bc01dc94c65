"""Time elements: no overlap, no hole, always calendar time; what the table says; minor stops, failures, what people say."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.plant.calendar import Calendar, Hours, PlannedStop, ShiftPattern
from twin.plant.elements import Element, StopReason
from twin.plant.tree import Category, MachineState, OperationMode
from twin.throughput.buckets import PLACE, SECONDS, UnitEvents, bucket_up
from twin.throughput.counting import Made
from twin.throughput.elements import (
    ELEMENTS,
    UNKNOWN_CODE,
    Reclassified,
    Steps,
    UnitTime,
    element_of,
    held_steps,
    reason_elements,
    table,
    time_line,
)
from twin.throughput.schedule import BUSY, NONE, STOP, hours_between, make_schedule

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
START = 1_795_003_200 * SECOND  # Wednesday 2026-11-18 12:00 UTC
DAILY = frozenset(range(7))
CALENDAR = Calendar(
    "shifts",
    "Europe/Berlin",
    (ShiftPattern("early", Hours(6 * 60, 14 * 60), DAILY), ShiftPattern("late", Hours(14 * 60, 22 * 60), DAILY)),
    frozenset(),
    (PlannedStop("break", Hours(16 * 60, 16 * 60 + 30), DAILY, None),),
)
STATES = {
    0: MachineState("off", Category.NOT_AVAILABLE),
    1: MachineState("running", Category.EXECUTING),
    2: MachineState("starved", Category.NOT_EXECUTING, reason=StopReason.STARVED),
    3: MachineState("blocked", Category.NOT_EXECUTING, reason=StopReason.BLOCKED),
    4: MachineState("fault", Category.OUT_OF_SERVICE),
    5: MachineState("setup", Category.NOT_EXECUTING, mode=OperationMode.SETUP),
    6: MachineState("idle", Category.NOT_EXECUTING),
}
NO_STEPS = Steps(np.zeros(0, np.int64), np.zeros(0, np.int64))


def unit(state, *, start=START, end=START + 30 * HOUR, microstop_s=60.0, reclassified=(), cuts=None):
    return UnitTime(STATES, state, make_schedule(CALENDAR, start, end), microstop_s, {}, NO_STEPS, reclassified, cuts)


def steps(*pairs):
    return Steps(np.array([START + round(at * SECOND) for at, _ in pairs]), np.array([code for _, code in pairs]))


def test_the_table_has_exactly_one_row_for_every_state_mode_and_plan():
    every = {
        (str(state), str(mode), plan)
        for state in Category
        for mode in OperationMode
        for plan in ("busy", "stop", "none")
    }
    assert set(table()) == every
    assert set(reason_elements()) == set(StopReason)


def test_the_rows_that_a_published_reading_gives():
    def found(state, mode):
        return table()[state, mode, "busy"]

    assert found("Executing", "Processing") is Element.PRODUCTION
    assert found("NotExecuting", "Processing") is Element.IDLE
    assert found("NotExecuting", "Setup") is Element.SETUP
    assert found("OutOfService", "Processing") is Element.FAILURE


def test_a_reason_decides_only_within_planned_busy_time():
    assert element_of(STATES[2], "", BUSY) is Element.STARVED
    assert element_of(STATES[2], "", STOP) is Element.PLANNED_STOP
    assert element_of(STATES[2], "", NONE) is Element.UNSCHEDULED
    assert element_of(MachineState("warm-up", "NotExecuting", element=Element.SETUP), "", NONE) is Element.SETUP


@st.composite
def lives(draw):
    """Samples of a machine's state with gaps and bad quality, gaps of the ledger, and what people have said of it."""
    size = draw(st.integers(0, 40))
    gaps = draw(st.lists(st.integers(1, 9000), min_size=size, max_size=size))
    time = np.cumsum([START - HOUR, *(gap * SECOND for gap in gaps)])[1:] if size else np.zeros(0, np.int64)
    code = np.array(draw(st.lists(st.sampled_from([*STATES, 99]), min_size=size, max_size=size)), np.int64)
    good = np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size)), np.bool_)
    spans = st.tuples(st.integers(-3600, 90_000), st.integers(1, 9000))
    unheard = [(START + a * SECOND, START + (a + n) * SECOND) for a, n in draw(st.lists(spans, max_size=3))]
    said = [
        Reclassified(START + a * SECOND, START + (a + n) * SECOND, reason)
        for a, n, reason in draw(
            st.lists(
                st.tuples(*[st.integers(-3600, 90_000), st.integers(1, 9000), st.sampled_from(list(StopReason))]),
                max_size=3,
            )
        )
    ]
    return held_steps(time, code, good, draw(st.integers(1, 4000)) * SECOND, unheard), said


@settings(max_examples=150, deadline=None)
@given(lives(), st.integers(0, 20 * 3600), st.integers(1, 10 * 3600))
def test_intervals_never_overlap_and_always_add_up_to_calendar_time(life, begin_s, length_s):
    state, said = life
    start, end = START + begin_s * SECOND, START + (begin_s + length_s) * SECOND
    line = time_line(unit(state, reclassified=said), start, end)
    assert line.start[0] == start
    assert line.end[-1] == end
    assert (line.start[1:] == line.end[:-1]).all()
    assert (line.end > line.start).all()
    assert int((line.end - line.start).sum()) == end - start
    np.testing.assert_allclose(sum(line.seconds(element) for element in ELEMENTS), length_s, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(lives(), st.integers(0, 10), st.integers(1, 12), st.lists(st.integers(0, 86_400), max_size=5, unique=True))
def test_buckets_add_up_to_calendar_time_and_a_window_gives_the_same_buckets_as_its_parts(life, first, count, changes):
    state, said = life
    start, end = START + first * HOUR, START + (first + count) * HOUR
    order_since = np.sort(np.array([START + at * SECOND for at in changes], np.int64))
    events = UnitEvents(
        made={"good": Made(*(np.array([], np.int64),) * 3, np.zeros(0, np.bool_))},
        order_since=order_since,
        order=[f"A{at % 2}" for at in range(len(order_since))],
    )

    def buckets(begin, until):
        margin = 2 * HOUR
        hours = hours_between(CALENDAR, begin, until)
        cuts = np.concatenate([hours, [begin, until], order_since]).astype(np.int64)
        one = unit(state, reclassified=said, cuts=cuts)
        return bucket_up(time_line(one, begin - margin, until + margin), one.schedule, hours, events, begin, until)

    whole = buckets(start, end)
    amounts = whole.amount[:, [PLACE[name] for name in SECONDS]]
    np.testing.assert_allclose(amounts.sum(axis=1), (whole.end - whole.start) / 1e9, atol=1e-6)
    parts = [buckets(start + hour * HOUR, start + (hour + 1) * HOUR) for hour in range(count)]
    np.testing.assert_allclose(np.concatenate([one.amount for one in parts]), whole.amount, atol=1e-6)
    assert [at for one in parts for at in one.start.tolist()] == whole.start.tolist()
    assert sum((one.order for one in parts), ()) == whole.order


def test_a_short_stop_between_production_is_a_minor_stop_and_a_long_one_is_not():
    line = time_line(
        unit(steps((0, 1), (100, 4), (130, 1), (200, 4), (300, 1), (400, 2), (410, 1))), START, START + 500 * SECOND
    )
    assert line.seconds(Element.MINOR_STOP) == 30
    assert line.seconds(Element.FAILURE) == 100
    assert line.seconds(Element.STARVED) == 10
    assert (int(line.begins_minor.sum()), int(line.begins_failure.sum())) == (1, 1)


def test_a_failure_that_lasts_through_a_break_is_one_failure():
    # the break is 16:00 to 16:30 in Berlin, 15:00 to 15:30 UTC
    line = time_line(unit(steps((0, 1), (2 * 3600, 4), (4 * 3600, 1))), START, START + 5 * HOUR)
    assert line.seconds(Element.FAILURE) == 1.5 * 3600
    assert line.seconds(Element.PLANNED_STOP) == 1800
    assert int(line.begins_failure.sum()) == 1


def test_silence_is_unknown_time_and_not_the_last_state():
    time = np.array([START, START + 10 * SECOND, START + 500 * SECOND])
    state = held_steps(time, np.array([1, 1, 2]), np.ones(3, np.bool_), 30 * SECOND)
    line = time_line(unit(state), START, START + 510 * SECOND)
    assert line.seconds(Element.PRODUCTION) == 40
    assert line.seconds(Element.UNKNOWN) == 460
    assert line.seconds(Element.STARVED) == 10


def test_a_gap_of_the_ledger_is_unknown_until_the_next_sample_although_the_value_could_hold():
    time = np.array([START, START + 300 * SECOND])
    state = held_steps(
        time, np.array([1, 1]), np.ones(2, np.bool_), HOUR, [(START + 100 * SECOND, START + 200 * SECOND)]
    )
    line = time_line(unit(state), START, START + 400 * SECOND)
    assert line.seconds(Element.UNKNOWN) == 100
    assert line.seconds(Element.PRODUCTION) == 300


def test_what_a_person_says_stands_above_the_machine_and_the_later_word_above_the_earlier():
    said = [
        Reclassified(START + 10 * SECOND, START + 50 * SECOND, StopReason.MAINTENANCE),
        Reclassified(START + 40 * SECOND, START + 60 * SECOND, StopReason.NO_OPERATOR),
    ]
    line = time_line(unit(steps((0, 4)), reclassified=said, microstop_s=0), START, START + 100 * SECOND)
    assert line.seconds(Element.MAINTENANCE) == 30
    assert line.seconds(Element.DELAY) == 20
    assert line.seconds(Element.FAILURE) == 50


def test_before_the_first_sample_nothing_is_known():
    line = time_line(unit(NO_STEPS), START, START + HOUR)
    assert line.seconds(Element.UNKNOWN) == 3600
    assert line.code.tolist() == [UNKNOWN_CODE] * len(line.code)
