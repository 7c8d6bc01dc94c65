"""Limits over columns against a plain loop, in any pieces."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.monitor_plant import make_plant
from twin.plant.alarm import AlarmSpec, Priority
from twin.state.alarm_limits import Samples, edges, judge_limit
from twin.state.alarm_model import AlarmState, What
from twin.state.alarm_rules import signal_rule
from twin.state.alarms import Sensed, Steps

S = 1_000_000_000
T0 = 1_795_000_000 * S
CURRENT = make_plant().signal("factory/hall/saw/current")


def spec(name="hi", limit=10.0, deadband=2.0, on_delay_s=0.0, off_delay_s=0.0):
    return AlarmSpec(name, Priority.HIGH, limit, deadband, on_delay_s=on_delay_s, off_delay_s=off_delay_s)


def columns(values, quality=None, step_s=1.0) -> Samples:
    n = len(values)
    time = T0 + (np.arange(n) * step_s * S).astype(np.int64)
    return Samples(time, np.array(values, np.float64), np.array(quality or [0] * n, np.uint8))


def reference(one: AlarmSpec, condition, samples: Samples):
    """Row by row, as the operator would read it."""
    found = []
    for row, (value, quality) in enumerate(zip(samples.value.tolist(), samples.quality.tolist(), strict=True)):
        if quality & 3 >= 2 or not math.isfinite(value):
            continue
        distance = value - one.limit if one.name in {"hi", "hi-hi"} else one.limit - value
        if not condition and distance > 0:
            condition = True
            found.append((row, True))
        elif condition and distance <= -one.deadband:
            condition = False
            found.append((row, False))
    return found


def judged(one: AlarmSpec, parts):
    rule = signal_rule(CURRENT, one, "factory/hall")
    steps = Steps(rule, AlarmState(rule.id, rule.key))
    for part in parts:
        judge_limit(steps, part)
    return steps


def test_the_deadband_keeps_a_noisy_value_from_chattering():
    rows, says = edges(spec(), False, *columns([9, 10.1, 9.5, 10.2, 8.1, 8.0, 10.1])[1:])
    assert list(zip(rows.tolist(), says.tolist(), strict=True)) == [(1, True), (5, False), (6, True)]


def test_the_limit_itself_is_not_beyond():
    assert not len(edges(spec(deadband=0.0), False, *columns([10.0, 10.0])[1:])[0])


def test_bad_quality_and_nan_say_nothing():
    rows, _ = edges(spec(), False, *columns([99, math.nan, 5, 99], [2, 0, 0, 0])[1:])
    assert rows.tolist() == [3]


def test_the_message_says_value_limit_and_unit():
    (raised,) = judged(spec("lo", 1.0), [columns([0.123456])]).told
    assert raised.message == "Current is 0.1235 A, below 1 A"
    assert raised.value == pytest.approx(0.123456)


VALUES = st.lists(st.sampled_from([5.0, 7.9, 8.0, 8.1, 9.99, 10.0, 10.01, 12.0, math.nan, math.inf]), max_size=60)


@settings(max_examples=100, deadline=None)
@given(
    values=VALUES,
    name=st.sampled_from(["hi", "lo"]),
    deadband=st.sampled_from([0.0, 2.0]),
    before=st.booleans(),
    data=st.data(),
)
def test_columns_equal_the_plain_loop(values, name, deadband, before, data):
    quality = data.draw(st.lists(st.sampled_from([0, 1, 2, 16]), min_size=len(values), max_size=len(values)))
    samples, one = columns(values, quality), spec(name, deadband=deadband)
    rows, says = edges(one, before, samples.value, samples.quality)
    assert list(zip(rows.tolist(), says.tolist(), strict=True)) == reference(one, before, samples)


@settings(max_examples=60, deadline=None)
@given(values=VALUES, on_s=st.sampled_from([0.0, 1.0, 3.5]), off_s=st.sampled_from([0.0, 2.0]), data=st.data())
def test_any_split_gives_the_same_alarms(values, on_s, off_s, data):
    samples, one = columns(values), spec(on_delay_s=on_s, off_delay_s=off_s)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(values)), max_size=5)))
    parts = [
        Samples(*(column[begin:end] for column in samples))
        for begin, end in zip([0, *cuts], [*cuts, len(values)], strict=True)
    ]
    whole, pieces = judged(one, [samples]), judged(one, parts)
    assert (whole.state, whole.told) == (pieces.state, pieces.told)


def test_the_delay_is_over_between_two_samples():
    steps = judged(spec(on_delay_s=2.5), [columns([11, 11, 11, 11])])
    assert [(one.what, one.at_ns) for one in steps.told] == [(What.RAISED, T0 + round(2.5 * S))]
    steps.sense(Sensed(T0 + 4 * S, False))
    assert steps.told[-1].what is What.CLEARED
