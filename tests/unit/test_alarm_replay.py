"""A replay raises what the live alarms raised; the quick look over a batch misses nothing; findings replay as policies."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.monitor_plant import SECOND as S
from tests.unit.monitor_plant import START_NS as T0
from tests.unit.monitor_plant import batch, make_ids, make_plant
from twin.errors import Rejected
from twin.plant.alarm import AlarmSpec, Priority
from twin.state.alarm_book import AlarmBook
from twin.state.alarm_limits import Samples
from twin.state.alarm_model import What
from twin.state.alarm_policy import AlarmPolicy, AnomalyPolicy
from twin.state.alarm_replay import RuleReplay, replay_findings
from twin.state.alarm_rules import Rules
from twin.state.alarm_trial import trial_policy, trial_rule
from twin.state.alarm_watch import LimitWatch
from twin.state.model import Finding, finding_id

SAW, PRESS = "factory/hall/saw/current", "factory/hall/press/current"
SPECS = (
    AlarmSpec("lo", Priority.LOW, -5.0, deadband=1.0, on_delay_s=2.0, off_delay_s=0.0),
    AlarmSpec("hi", Priority.MEDIUM, 5.0, deadband=2.0, on_delay_s=3.0, off_delay_s=4.0),
    AlarmSpec("hi-hi", Priority.HIGH, 9.0, deadband=1.0, on_delay_s=0.0, off_delay_s=5.0),
)
END = T0 + 10_000 * S


def plant():
    plain = make_plant()
    signals = [replace(one, alarms=SPECS) if one.path in {SAW, PRESS} else one for one in plain.signals]
    return replace(plain, signals=tuple(signals))


PLANT = plant()
IDS = make_ids(PLANT)


def live(rows, cuts):
    """Batch by batch through the quick look and the book, as the desk does."""
    rules = Rules(PLANT, AlarmPolicy())
    book, watch, told = AlarmBook(rules), LimitWatch(rules, IDS), []
    newest = {number: np.iinfo(np.int64).min for number in IDS.values()}
    for begin, end in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        part = batch(rows[begin:end])
        before = np.array([newest[number] for number in part.signal.tolist()], np.int64)
        for rule, samples in watch.concerned(part, before):
            told += book.judge(rule, samples)
        for state in book.take_changed():
            watch.note(state)
        for number, time in zip(part.signal.tolist(), part.time.tolist(), strict=True):
            newest[number] = max(newest[number], time)
    return book, told + book.advance(END)


def replayed(rows, path, spec, pieces=3):
    rule = Rules(PLANT, AlarmPolicy()).rule(f"limit|{path}|{spec.name}")
    mine = [(time, value, quality) for number, time, value, quality in rows if number == IDS[path]]
    replay = RuleReplay(rule, T0, END)
    for piece in np.array_split(np.arange(len(mine)), pieces):
        columns = [[mine[at][column] for at in piece] for column in range(3)]
        replay.take(Samples(np.array(columns[0], np.int64), np.array(columns[1]), np.array(columns[2], np.uint8)))
    return replay.finish()


ROWS = st.lists(
    st.tuples(
        st.sampled_from([IDS[SAW], IDS[PRESS]]),
        st.sampled_from([-7.0, -4.5, 0.0, 4.0, 5.5, 8.5, 9.5, float("nan")]),
        st.sampled_from([0, 0, 0, 2]),
    ),
    max_size=80,
)


@settings(max_examples=80, deadline=None)
@given(values=ROWS, data=st.data())
def test_a_replay_raises_exactly_what_the_live_alarms_raised(values, data):
    rows = [(number, T0 + at * S, value, quality) for at, (number, value, quality) in enumerate(values)]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(rows)), max_size=6)))
    book, told = live(rows, cuts)
    for path in (SAW, PRESS):
        for spec in SPECS:
            result = replayed(rows, path, spec)
            key = f"limit|{path}|{spec.name}"
            mine = [one for one in told if book.alarms[one.alarm].key == key]
            raised = [one.at_ns for one in mine if one.what is What.RAISED]
            cleared = [one.at_ns for one in mine if one.what is What.CLEARED]
            assert [one.raised_ns for one in result.episodes] == raised
            assert [one.cleared_ns for one in result.episodes if one.cleared_ns is not None] == cleared
            assert result.raised == len(raised)


def test_the_live_test_raises_alarms():
    rows = [(IDS[SAW], T0 + at * S, 9.5 if at % 20 > 9 else 0.0, 0) for at in range(100)]
    _, told = live(rows, [13, 40])
    assert sum(one.what is What.RAISED for one in told) == 10  # hi and hi-hi, five times


def test_late_samples_change_no_alarm():
    rows = [(IDS[SAW], T0 + 100 * S, 0.0, 0), (IDS[SAW], T0 + 50 * S, 9.5, 0)]
    _, told = live(rows, [1])
    assert told == []


def test_a_long_history_takes_little_memory_and_counts_on():
    rule = Rules(PLANT, AlarmPolicy()).rule(f"limit|{SAW}|hi-hi")
    replay = RuleReplay(rule, T0, T0 + 600_000 * S)
    for piece in range(15):
        time = T0 + (piece * 400 + np.arange(400, dtype=np.int64)) * 100 * S
        replay.take(Samples(time, np.where(np.arange(400) % 2, 10.0, 0.0), np.zeros(400, np.uint8)))
    result = replay.finish()
    assert (result.raised, len(result.episodes), result.samples) == (3_000, 1_000, 6_000)
    assert sum(result.per_day.values()) == 3_000


def test_silence_is_replayed_from_the_pauses_between_samples():
    rule = trial_rule(PLANT.signal(SAW), "stale", {"after_s": 30.0})
    replay = RuleReplay(rule, T0, T0 + 1_000 * S)
    for seconds in ([0, 10, 20], [100, 110]):
        time = T0 + np.array(seconds, np.int64) * S
        replay.take(Samples(time, np.zeros(len(time)), np.zeros(len(time), np.uint8)))
    result = replay.finish()
    spans = [((one.raised_ns - T0) // S, one.cleared_ns and (one.cleared_ns - T0) // S) for one in result.episodes]
    assert spans == [(50, 100), (140, None)]
    assert result.active_ns == (50 + 860) * S


@pytest.mark.parametrize(
    ("path", "name", "reason"),
    [
        (SAW, "high", "no-such-alarm"),
        (SAW, "lo-lo", "no-limit"),
        ("factory/hall/saw/count", "hi", "wrong-kind"),
        ("factory/hall/saw/order", "stale", "wrong-kind"),
    ],
)
def test_a_trial_that_cannot_be_is_refused(path, name, reason):
    with pytest.raises(Rejected) as caught:
        trial_rule(PLANT.signal(path), name, {})
    assert caught.value.reason == reason


def test_a_trial_changes_only_what_is_given():
    rule = trial_rule(PLANT.signal(SAW), "hi", {"limit": 7.0, "deadband": None})
    assert (rule.spec.limit, rule.spec.deadband, rule.on_delay_s) == (7.0, 2.0, 3.0)


def finding(since_s, until_s, detector="spike"):
    since_ns = T0 + since_s * S
    until_ns = None if until_s is None else T0 + until_s * S
    return Finding(finding_id(SAW, detector, since_ns), "factory/hall/saw", SAW, detector, since_ns, until_ns, 6.0, "m")


def test_a_longer_delay_makes_fewer_alarms_of_the_same_findings():
    found = [finding(0, 5), finding(100, 130), finding(200, 290), finding(400, None, "drift")]

    def raised(**changes):
        policy = trial_policy(AlarmPolicy(), (), changes)
        return replay_findings(PLANT, policy, found, T0, END).raised

    assert raised(on_delay_s=0.0, off_delay_s=0.0) == 4
    assert raised(on_delay_s=20.0, off_delay_s=0.0) == 3
    assert raised(on_delay_s=0.0, off_delay_s=150.0) == 2
    only = trial_policy(AlarmPolicy(anomalies=AnomalyPolicy(priority=None)), ("drift",), {"on_delay_s": 0.0})
    assert replay_findings(PLANT, only, found, T0, END).raised == 1
