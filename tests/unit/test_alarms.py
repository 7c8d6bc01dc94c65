"""One alarm: the table of its life, its delays, shelving, latching; and that any order of events keeps it whole."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.plant.alarm import Priority
from twin.state.alarm_memory import read, written
from twin.state.alarm_model import (
    ACTIVE,
    UNACKNOWLEDGED,
    Action,
    ActionKind,
    AlarmKind,
    AlarmRule,
    AlarmState,
    Phase,
    What,
    alarm_key,
)
from twin.state.alarm_phases import LATCHING, TABLE, Trigger, after
from twin.state.alarms import MOST_SHELVED_S, Sensed, Steps, allowed, deadline_ns, refusal

S = 1_000_000_000
T0 = 1_795_000_000 * S


def rule(**more) -> AlarmRule:
    key = alarm_key(AlarmKind.LIMIT, "hall/saw/current", "hi")
    plain = AlarmRule(key, AlarmKind.LIMIT, "hall/saw/current", "hi", "hall/saw", "hall", Priority.HIGH, "Current")
    return replace(plain, **more)


def begin(one: AlarmRule) -> Steps:
    return Steps(one, AlarmState(one.id, one.key))


def sense(steps: Steps, at_s, condition=True, value=7.0):
    steps.sense(Sensed(T0 + round(at_s * S), condition, value, "too high"))


def act(steps: Steps, kind: ActionKind, at_s, number=1, **detail):
    steps.act(Action(number, kind, str(steps.state.id), T0 + round(at_s * S), "Kim", "seen", detail))


def story(steps: Steps):
    return [(one.what, (one.at_ns - T0) / S, one.phase) for one in steps.told]


def test_an_alarm_is_raised_acknowledged_and_cleared():
    steps = begin(rule())
    sense(steps, 0)
    act(steps, ActionKind.ACKNOWLEDGE, 5)
    sense(steps, 9, condition=False)
    assert story(steps) == [
        (What.RAISED, 0, Phase.UNACKNOWLEDGED),
        (What.ACKNOWLEDGED, 5, Phase.ACKNOWLEDGED),
        (What.CLEARED, 9, Phase.NORMAL),
    ]
    assert (steps.told[1].operator, steps.told[1].comment, steps.told[1].action) == ("Kim", "seen", 1)


def test_an_alarm_that_nobody_saw_stays_until_it_is_acknowledged():
    steps = begin(rule())
    sense(steps, 0)
    sense(steps, 3, condition=False)
    assert steps.state.phase is Phase.RETURNED
    assert not steps.state.active
    assert steps.state.announced
    act(steps, ActionKind.ACKNOWLEDGE, 60)
    assert steps.state.phase is Phase.NORMAL


def test_the_on_delay_is_told_with_the_instant_at_which_it_was_over():
    steps = begin(rule(on_delay_s=10))
    sense(steps, 0)
    steps.advance(T0 + 9 * S)
    assert not steps.told
    steps.advance(T0 + 500 * S)
    assert story(steps) == [(What.RAISED, 10, Phase.UNACKNOWLEDGED)]


def test_a_condition_shorter_than_the_on_delay_raises_nothing():
    steps = begin(rule(on_delay_s=10))
    sense(steps, 0)
    sense(steps, 9.5, condition=False)
    steps.advance(T0 + 100 * S)
    assert not steps.told
    assert steps.state.due_ns is None


def test_a_condition_that_returns_within_the_off_delay_is_one_occurrence():
    steps = begin(rule(off_delay_s=30))
    sense(steps, 0)
    for at_s in range(10, 100, 20):
        sense(steps, at_s, condition=False)
        sense(steps, at_s + 10)
    steps.advance(T0 + 500 * S)
    assert [one.what for one in steps.told] == [What.RAISED]
    assert steps.state.occurrence == 1


def test_an_acknowledged_alarm_that_lasts_asks_again():
    steps = begin(rule(re_alarm_s=3600))
    sense(steps, 0)
    act(steps, ActionKind.ACKNOWLEDGE, 60)
    steps.advance(T0 + 4000 * S)
    assert story(steps)[-1] == (What.RE_ALARMED, 3660, Phase.UNACKNOWLEDGED)
    assert deadline_ns(steps.rule, steps.state) is None


def test_a_latched_alarm_stays_until_it_is_acknowledged_and_reset():
    steps = begin(rule(latch=True))
    sense(steps, 0)
    sense(steps, 1, condition=False)
    assert steps.state.phase is Phase.LATCHED_UNACKNOWLEDGED
    act(steps, ActionKind.RESET, 2)
    assert steps.told[-1].what is What.REFUSED
    act(steps, ActionKind.ACKNOWLEDGE, 3)
    act(steps, ActionKind.RESET, 4)
    assert steps.state.phase is Phase.NORMAL


def test_an_alarm_that_asks_for_it_is_over_only_when_confirmed():
    steps = begin(rule(confirm=True, latch=True))
    sense(steps, 0)
    act(steps, ActionKind.ACKNOWLEDGE, 1)
    sense(steps, 2, condition=False)
    act(steps, ActionKind.RESET, 3)
    assert steps.state.phase is Phase.UNCONFIRMED
    act(steps, ActionKind.CONFIRM, 4)
    assert steps.state.phase is Phase.NORMAL


def test_timed_shelving_ends_by_itself_and_tells_who_shelved():
    steps = begin(rule())
    sense(steps, 0)
    act(steps, ActionKind.SHELVE, 10, until_ns=T0 + 100 * S)
    assert not steps.state.announced
    assert steps.state.active
    steps.advance(T0 + 101 * S)
    assert story(steps)[-1][:2] == (What.UNSHELVED, 100)
    assert steps.state.announced


def test_one_shot_shelving_lasts_until_the_alarm_clears():
    steps = begin(rule())
    sense(steps, 0)
    act(steps, ActionKind.SHELVE, 1)
    steps.advance(T0 + 50_000 * S)
    assert steps.state.shelf is not None
    sense(steps, 50_001, condition=False)
    assert [one.what for one in steps.told] == [What.RAISED, What.SHELVED, What.CLEARED, What.UNSHELVED]


def test_an_alarm_raised_while_shelved_is_not_announced_until_then():
    steps = begin(rule())
    sense(steps, 0)
    sense(steps, 1, condition=False)
    act(steps, ActionKind.SHELVE, 2, until_ns=T0 + 100 * S)
    sense(steps, 50)
    assert steps.told[-1].what is What.RAISED
    assert not steps.told[-1].announced
    steps.advance(T0 + 100 * S)
    assert steps.told[-1].announced


@pytest.mark.parametrize(
    ("kind", "detail", "why"),
    [
        (ActionKind.ACKNOWLEDGE, {}, "normal cannot be acknowledged"),
        (ActionKind.CONFIRM, {}, "cannot be confirmed"),
        (ActionKind.UNSHELVE, {}, "not shelved"),
        (ActionKind.SHELVE, {}, "not active"),
        (ActionKind.SHELVE, {"until_ns": T0 - 1}, "has passed"),
        (ActionKind.SHELVE, {"until_ns": T0 + round((MOST_SHELVED_S + 60) * S)}, "at most 12 h"),
        (ActionKind.VERDICT, {"verdict": "maybe"}, "one of real, false, known"),
        (ActionKind.VERDICT, {"verdict": "real"}, "raised 0 times"),
        (ActionKind.NEW_NORMAL, {}, "not done to a single alarm"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(kind, detail, why):
    one = rule()
    action = Action(1, kind, "", T0, "Kim", "", detail)
    assert why in refusal(one, AlarmState(one.id, one.key), action)


def test_a_verdict_names_its_occurrence():
    steps = begin(rule())
    sense(steps, 0)
    act(steps, ActionKind.VERDICT, 1, verdict="false")
    assert steps.told[-1].detail == {"verdict": "false", "occurrence": 1}


def test_an_alarm_is_announced_again_when_its_parent_is_gone():
    steps = begin(rule())
    sense(steps, 0)
    steps.suppress(["parent:x", "maintenance:3"], T0 + S)
    steps.suppress(["parent:x"], T0 + 2 * S)
    assert not steps.state.announced
    steps.suppress([], T0 + 3 * S)
    assert [one.what for one in steps.told] == [What.RAISED, What.SUPPRESSED, What.UNSUPPRESSED]
    assert steps.state.announced


def test_every_phase_can_be_reached_and_left():
    reached = {Phase.NORMAL, *TABLE.values(), *LATCHING.values(), Phase.UNCONFIRMED}
    assert reached == set(Phase)
    assert {phase for phase, _ in TABLE} == set(Phase)


@pytest.mark.parametrize("latch", [False, True])
@pytest.mark.parametrize("confirm", [False, True])
@pytest.mark.parametrize("phase", list(Phase))
def test_the_table_raises_only_what_is_not_active_and_clears_only_what_is(phase, latch, confirm):
    assert (after(phase, Trigger.RAISE, latch=latch, confirm=confirm) is None) == (phase in ACTIVE)
    cleared = after(phase, Trigger.CLEAR, latch=latch, confirm=confirm)
    assert (cleared is not None) == (phase in ACTIVE)
    assert cleared not in ACTIVE
    acknowledged = after(phase, Trigger.ACKNOWLEDGE, latch=latch, confirm=confirm)
    assert (acknowledged is not None) == (phase in UNACKNOWLEDGED)
    assert acknowledged not in UNACKNOWLEDGED


RULES = st.builds(
    rule,
    on_delay_s=st.sampled_from([0.0, 2.5, 20.0]),
    off_delay_s=st.sampled_from([0.0, 3.0, 40.0]),
    re_alarm_s=st.sampled_from([None, 15.0]),
    latch=st.booleans(),
    confirm=st.booleans(),
)
PAUSES = st.floats(0, 30)
SINGLE = [kind for kind in ActionKind if kind not in {ActionKind.MAINTENANCE, ActionKind.OUT_OF_SERVICE}]
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("sense"), PAUSES, st.booleans()),
        st.tuples(st.just("time"), PAUSES, st.just(None)),
        st.tuples(st.just("late"), st.floats(0, 20), st.booleans()),
        st.tuples(st.just("suppress"), PAUSES, st.sampled_from([(), ("parent:x",), ("maintenance:1", "parent:x")])),
        st.tuples(
            st.sampled_from(SINGLE),
            PAUSES,
            st.sampled_from([{}, {"until": 25.0}, {"verdict": "real"}, {"until": -1.0}]),
        ),
    ),
    max_size=40,
)


def apply(steps: Steps, event, now_s, number):
    kind, _, what = event
    at_ns = T0 + round(now_s * S)
    if kind == "sense":
        steps.sense(Sensed(at_ns, what, 1.0, "m"))
    elif kind == "late":
        steps.sense(Sensed(at_ns - round(event[1] * S), what, 1.0, "m"))
    elif kind == "time":
        steps.advance(at_ns)
    elif kind == "suppress":
        steps.suppress(what, at_ns)
    else:
        detail = {"until_ns": at_ns + round(what["until"] * S)} if "until" in what else what
        steps.act(Action(number, kind, "", at_ns, "Kim", "c", detail))


def run(one, events, *, restart_at=(), extra_ticks=False):
    steps, now_s, told = begin(one), 0.0, []
    for number, event in enumerate(events, start=1):
        if event[0] != "late":
            if extra_ticks:
                for part in (0.3, 0.6, 0.9):
                    steps.advance(T0 + round((now_s + part * event[1]) * S))
            now_s += event[1]
            steps.advance(T0 + round(now_s * S))
        apply(steps, event, now_s, number)
        if number in restart_at:
            told += steps.told
            steps = Steps(one, read(json.loads(json.dumps(written(steps.state)))))
    return steps.state, told + steps.told


@settings(max_examples=120, deadline=None)
@given(one=RULES, events=EVENTS)
def test_any_order_of_events_keeps_the_invariants(one, events):
    state, told = run(one, events)
    assert [step.step for step in told] == list(range(1, len(told) + 1))
    assert all(before.at_ns <= later.at_ns for before, later in pairwise(told))
    assert sum(step.what is What.RAISED for step in told) == state.occurrence
    raised = [step.what for step in told if step.what in {What.RAISED, What.CLEARED}]
    assert raised == [What.RAISED, What.CLEARED] * (len(raised) // 2) + [What.RAISED] * (len(raised) % 2)
    assert state.active == bool(len(raised) % 2)
    assert (state.due_ns is not None) == (state.condition != state.active)
    for step in told:
        assert step.announced <= (step.phase is not Phase.NORMAL)
        assert (step.operator is not None) == (step.action is not None)
    for kind in ActionKind:
        action = Action(1, kind, "", state.at_ns + S, "Kim", "", {"until_ns": state.at_ns + 2 * S, "verdict": "real"})
        assert (refusal(one, state, action) == "") == (kind in allowed(one, state))


@settings(max_examples=60, deadline=None)
@given(one=RULES, events=EVENTS, data=st.data())
def test_a_restart_at_any_place_changes_nothing(one, events, data):
    places = data.draw(st.sets(st.integers(1, len(events) + 1), max_size=8))
    assert run(one, events, restart_at=places) == run(one, events)


@settings(max_examples=60, deadline=None)
@given(one=RULES, events=EVENTS)
def test_time_passes_in_any_steps_with_the_same_result(one, events):
    assert run(one, events, extra_ticks=True) == run(one, events)
