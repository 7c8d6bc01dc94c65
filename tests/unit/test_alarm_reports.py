"""Figures about alarms: rate, floods, chattering, standing, bad actors, response, precision."""

from dataclasses import replace

import pytest

from tests.unit.monitor_plant import SECOND as S
from tests.unit.monitor_plant import START_NS as T0
from twin.plant.alarm import Priority
from twin.state.alarm_model import AlarmKind, AlarmRule, AlarmState, AlarmTransition, Phase, Verdict, What
from twin.state.alarm_reports import judged, precision, report, wilson

H = 3600 * S


def rule(name="spike", source="hall/saw/current", **more):
    plain = AlarmRule(
        f"anomaly|{source}|{name}", AlarmKind.ANOMALY, source, name, "hall/saw", "hall", Priority.LOW, name.title()
    )
    return replace(plain, **more)


def step(what, at_s, occurrence=1, one=None, **more):
    one = one or rule()
    plain = AlarmTransition(
        one.id, 1, T0 + round(at_s * S), what, Phase.UNACKNOWLEDGED, occurrence, one.priority, announced=True
    )
    return one, replace(plain, **more)


def test_the_rate_counts_what_was_announced_per_operator_and_hour():
    told = [step(What.RAISED, at) for at in range(0, 1000, 100)] + [step(What.RAISED, 5, announced=False)]
    shown = report(told, [], T0, T0 + 5 * H, operators=2)
    assert (shown["raised"], shown["per_operator_h"]) == (10, 1.0)
    assert shown["most_in_ten_minutes"] == 6


def test_floods_are_ten_minute_intervals_with_more_than_ten_alarms():
    told = [step(What.RAISED, 600 + at) for at in range(11)] + [step(What.RAISED, 2000 + at) for at in range(10)]
    assert report(told, [], T0, T0 + H)["flood_share"] == pytest.approx(1 / 6, abs=1e-4)
    flood = replace(rule("flood"), kind=AlarmKind.FLOOD)
    assert report([step(What.RAISED, 1, one=flood)], [], T0, T0 + H)["raised"] == 0


def test_chattering_is_three_within_a_minute():
    quick = [step(What.RAISED, at) for at in (0, 20, 40, 55, 500)]
    slow = [step(What.RAISED, at, one=rule("drift")) for at in (0, 40, 80, 120)]
    (found,) = report(quick + slow, [], T0, T0 + H)["chattering"]
    assert (found["name"], found["raised"], found["spells"]) == ("spike", 5, 2)


def test_bad_actors_come_with_their_share():
    told = [step(What.RAISED, at) for at in range(3)] + [step(What.RAISED, 9, one=rule("drift"))]
    worst, other = report(told, [], T0, T0 + H)["bad_actors"]
    assert (worst["name"], worst["raised"], worst["share"]) == ("spike", 3, 0.75)
    assert other["share"] == 0.25


def test_standing_is_active_for_more_than_a_day():
    def state(hours, phase):
        return AlarmState(rule().id, rule().key, phase, raised_ns=T0 - hours * H)

    active = [(rule(), state(25, Phase.ACKNOWLEDGED)), (rule("new"), state(23, Phase.UNACKNOWLEDGED))]
    (found,) = report([], [*active, (rule("gone"), state(99, Phase.RETURNED))], T0 - H, T0)["standing"]
    assert found["name"] == "spike"


def test_the_time_to_acknowledge_is_a_median():
    told = []
    for occurrence, wait in enumerate((10, 30, 500), start=1):
        told += [step(What.RAISED, occurrence * 1000, occurrence), step(What.ACKNOWLEDGED, occurrence * 1000 + wait)]
    assert report(told, [], T0, T0 + 2 * H)["acknowledged_after_s"] == {"count": 3, "median": 30.0}


def verdict(word, occurrence, at_s, one=None):
    return step(What.JUDGED, at_s, one=one, detail={"verdict": word, "occurrence": occurrence})


def test_the_last_verdict_of_an_occurrence_counts_and_names_its_finding():
    told = [
        step(What.RAISED, 0, 1, detail={"finding": "f-1"}),
        verdict("false", 1, 5),
        verdict("real", 1, 9),
        step(What.RAISED, 20, 2),
        verdict("known", 2, 25),
    ]
    first, second = judged(told)
    assert (first.verdict, first.finding, second.verdict) == (Verdict.REAL, "f-1", Verdict.KNOWN)


def test_precision_is_per_detector_with_an_interval():
    limit = replace(rule("hi"), kind=AlarmKind.LIMIT, key="limit|hall/saw/current|hi")
    told = [verdict("real" if at < 8 else "false", at, at) for at in range(1, 11)] + [verdict("false", 1, 1, limit)]
    worst, other = precision(judged(told))
    assert (worst.detector, worst.precision) == ("limit:hi", 0.0)
    assert (other.real, other.false, other.precision) == (7, 3, 0.7)
    assert (other.low, other.high) == pytest.approx((0.3968, 0.8922), abs=1e-4)


def test_an_interval_of_nothing_is_everything():
    assert wilson(0, 0) == (0.0, 1.0)
