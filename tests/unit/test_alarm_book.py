"""All alarms of a plant: parents, windows, floods, actions once, and a book that goes on from what was kept."""

import json
import random
from dataclasses import replace

import pytest

from tests.unit.monitor_plant import SECOND as S
from tests.unit.monitor_plant import START_NS as T0
from tests.unit.monitor_plant import make_plant
from twin.plant.alarm import AlarmSpec, Priority
from twin.state.alarm_book import AlarmBook
from twin.state.alarm_memory import read, rest, restored, written
from twin.state.alarm_model import Action, ActionKind, AlarmKind, Phase, What, alarm_id, alarm_key
from twin.state.alarm_policy import AlarmPolicy, AnomalyPolicy, FloodPolicy
from twin.state.alarm_rules import Rules
from twin.state.alarms import Sensed

SAW = "factory/hall/saw"
HI = AlarmSpec("hi", Priority.MEDIUM, 10.0, parent=f"{SAW}/current.hi-hi", on_delay_s=0, off_delay_s=0)
HIHI = AlarmSpec("hi-hi", Priority.CRITICAL, 20.0, on_delay_s=0, off_delay_s=0)
POLICY = AlarmPolicy(
    anomalies=AnomalyPolicy(on_delay_s=0, off_delay_s=0, priorities={"quality": None, "range": Priority.CRITICAL})
)


def plant():
    plain = make_plant()
    signals = [replace(one, alarms=(HI, HIHI)) if one.path == f"{SAW}/current" else one for one in plain.signals]
    return replace(plain, signals=tuple(signals))


def book(policy=POLICY) -> AlarmBook:
    return AlarmBook(Rules(plant(), policy))


def key(name):
    return alarm_key(AlarmKind.LIMIT, f"{SAW}/current", name)


def state(one: AlarmBook, name):
    return one.alarms[alarm_id(key(name))]


def sense(one: AlarmBook, name, at_s, condition=True):
    return one.sense(one.rules.rule(key(name)), Sensed(T0 + round(at_s * S), condition, 1.0, name))


def anomaly(one: AlarmBook, source, detector, at_s, condition=True):
    return one.sense(one.rules.anomaly(source, detector), Sensed(T0 + round(at_s * S), condition, 5.0, detector))


def act(one: AlarmBook, number, kind, target, at_s, **detail):
    return one.act(Action(number, kind, target, T0 + round(at_s * S), "Kim", "c", detail))


def test_a_child_is_suppressed_while_its_parent_is_active():
    one = book()
    sense(one, "hi", 0)
    told = sense(one, "hi-hi", 1)
    assert [(step.what, step.alarm) for step in told] == [
        (What.RAISED, alarm_id(key("hi-hi"))),
        (What.SUPPRESSED, alarm_id(key("hi"))),
    ]
    assert not state(one, "hi").announced
    assert [step.what for step in sense(one, "hi-hi", 5, condition=False)] == [What.CLEARED, What.UNSUPPRESSED]
    assert state(one, "hi").announced


def test_a_child_that_comes_after_its_parent_is_never_announced():
    one = book()
    sense(one, "hi-hi", 0)
    (raised,) = sense(one, "hi", 1)
    assert not raised.announced
    assert state(one, "hi").suppressed == (f"parent:{key('hi-hi')}",)


def test_a_maintenance_window_suppresses_what_is_below_it_from_its_start_to_its_end():
    one = book()
    sense(one, "hi", 0)
    act(one, 1, ActionKind.MAINTENANCE, SAW, 1, start_ns=T0 + 100 * S, end_ns=T0 + 200 * S)
    assert state(one, "hi").announced
    told = one.advance(T0 + 150 * S)
    assert [(step.what, step.at_ns) for step in told] == [(What.SUPPRESSED, T0 + 100 * S)]
    anomaly(one, f"{SAW}/current", "spike", 160)
    anomaly(one, "factory/hall/press/current", "spike", 160)
    announced = {one.rules.rule(s.key).asset for s in one.alarms.values() if s.announced}
    assert announced == {"factory/hall/press"}
    assert {step.what for step in one.advance(T0 + 900 * S)} == {What.UNSUPPRESSED}
    assert not one.windows
    assert all(s.announced for s in one.alarms.values())


def test_out_of_service_lasts_until_somebody_ends_it():
    one = book()
    act(one, 7, ActionKind.OUT_OF_SERVICE, "factory", 0)
    assert not sense(one, "hi-hi", 1)[0].announced
    one.advance(T0 + 10**6 * S)
    assert not state(one, "hi-hi").announced
    act(one, 8, ActionKind.END, "7", 20)
    assert state(one, "hi-hi").announced


def test_an_action_takes_effect_once():
    one = book()
    sense(one, "hi", 0)
    alarm = str(alarm_id(key("hi")))
    assert act(one, 3, ActionKind.ACKNOWLEDGE, alarm, 1)
    assert not act(one, 3, ActionKind.ACKNOWLEDGE, alarm, 1)
    assert not act(one, 2, ActionKind.COMMENT, alarm, 1)
    assert one.action == 3


@pytest.mark.parametrize("target", ["", "no-uuid", "00000000-0000-0000-0000-000000000000"])
def test_an_action_on_nothing_is_passed_over(target):
    one = book()
    assert act(one, 1, ActionKind.ACKNOWLEDGE, target, 1) == []
    assert one.action == 1


def flooded(count, policy=None, every_s=10):
    one = book(POLICY.model_copy(update={"floods": policy or FloodPolicy()}))
    told = []
    for at in range(count):
        told += anomaly(one, f"{SAW}/current", f"detector-{at}", at * every_s)
    return one, told


def test_the_eleventh_alarm_in_ten_minutes_is_a_flood_and_the_rest_is_grouped():
    one, told = flooded(13)
    raised = [step for step in told if step.what is What.RAISED]
    assert [step.grouped for step in raised] == [False] * 10 + [True, False, True, True]
    (flood,) = [s for s in one.alarms.values() if s.key.startswith("flood|")]
    assert flood.message == "11 alarms within 10 min in factory/hall: they are grouped"
    assert anomaly(one, f"{SAW}/current", "range", 130)[0].grouped is False  # critical


def test_ten_alarms_in_ten_minutes_are_none():
    one, told = flooded(10)
    assert not any(step.grouped for step in told)
    assert not one.floods["factory/hall"].active


def test_a_flood_is_over_when_fewer_than_five_are_left_in_the_window():
    one, _ = flooded(13)
    told = one.advance(T0 + 5000 * S)
    assert [(step.what, step.at_ns) for step in told] == [(What.CLEARED, T0 + (80 + 600) * S)]
    assert not anomaly(one, f"{SAW}/order", "late", 6000)[0].grouped


def test_a_flood_that_nobody_ticked_over_ends_before_the_next_alarm():
    one, _ = flooded(13)
    told = anomaly(one, f"{SAW}/order", "late", 6000)
    assert [step.what for step in told] == [What.CLEARED, What.RAISED]
    assert told[0].at_ns == T0 + 680 * S
    assert not told[1].grouped


def test_what_is_suppressed_makes_no_flood():
    one = book()
    act(one, 1, ActionKind.OUT_OF_SERVICE, SAW, 0)
    for at in range(30):
        anomaly(one, f"{SAW}/current", f"detector-{at}", at)
    assert not one.floods


def test_an_alarm_whose_rule_is_gone_is_retired():
    one = book()
    anomaly(one, f"{SAW}/current", "spike", 0)
    without = AlarmPolicy(anomalies=AnomalyPolicy(priority=None))
    later = restored(Rules(plant(), without), list(one.alarms.values()), rest(one))
    assert [step.what for step in later.retire(T0 + S)] == [What.RETIRED]
    assert later.alarms[alarm_id(f"anomaly|{SAW}/current|spike")].phase is Phase.NORMAL
    assert later.retire(T0 + 2 * S) == []


def test_a_policy_without_a_priority_makes_no_rule():
    rules = book().rules
    assert rules.anomaly(f"{SAW}/current", "quality") is None
    assert rules.anomaly("factory/nowhere", "spike") is None
    assert rules.rule("limit|factory/hall/saw/current|lo") is None
    assert rules.gateway("edge-1", "problem").parents == ("gateway|gateways/edge-1|offline",)


def random_events(seed):
    chance, now_s = random.Random(seed), 0.0
    for number in range(1, 250):
        now_s += chance.random() * 12
        what = chance.random()
        if what < 0.5:
            name, condition = chance.choice(["hi", "hi-hi"]), chance.random() < 0.6
            yield lambda one, n=name, at=now_s, c=condition: sense(one, n, at, c)
        elif what < 0.8:
            detector, condition = f"d{chance.randrange(14)}", chance.random() < 0.6
            machine = chance.choice(["saw", "press"])
            yield lambda one, d=detector, m=machine, at=now_s, c=condition: anomaly(
                one, f"factory/hall/{m}/current", d, at, c
            )
        elif what < 0.9:
            yield lambda one, at=now_s: one.advance(T0 + round(at * S))
        elif what < 0.95:
            kind = chance.choice([ActionKind.ACKNOWLEDGE, ActionKind.SHELVE, ActionKind.COMMENT])
            detail = {"until_ns": T0 + round((now_s + 100) * S)} if kind is ActionKind.SHELVE else {}
            target = str(alarm_id(key(chance.choice(["hi", "hi-hi"]))))
            yield lambda one, k=kind, t=target, at=now_s, n=number, d=detail: act(one, n, k, t, at, **d)
        else:
            end = {"start_ns": T0 + round((now_s + 10) * S), "end_ns": T0 + round((now_s + 90) * S)}
            yield lambda one, at=now_s, n=number, e=end: act(one, n, ActionKind.MAINTENANCE, SAW, at, **e)


def kept(one: AlarmBook):
    """Through JSON, as through the store."""
    states = [read(json.loads(json.dumps(written(state)))) for state in one.alarms.values()]
    return restored(one.rules, states, json.loads(json.dumps(rest(one))))


def picture(one: AlarmBook):
    return sorted(map(str, one.alarms.values())), rest(one)


@pytest.mark.parametrize("seed", range(3))
def test_a_book_restored_after_every_event_equals_one_that_never_was(seed):
    steady, interrupted, told, told_again = book(), book(), [], []
    for event in random_events(seed):
        told += event(steady)
        interrupted = kept(interrupted)
        told_again += event(interrupted)
    assert told == told_again
    assert picture(steady) == picture(interrupted)
    assert {What.RAISED, What.CLEARED, What.SUPPRESSED, What.SHELVED} <= {one.what for one in told}
    assert any(one.grouped for one in told)


def test_what_changed_is_told_once():
    one = book()
    sense(one, "hi", 0)
    assert [state.key for state in one.take_changed()] == [key("hi")]
    assert one.take_changed() == []
    sense(one, "hi", 1)
    assert one.take_changed() == []
