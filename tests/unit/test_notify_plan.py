"""Whom to tell of which alarm, when, and in which words."""

from dataclasses import replace

import pytest

from tests.unit.monitor_plant import SECOND as S
from tests.unit.monitor_plant import START_NS as T0
from tests.unit.monitor_plant import make_plant
from twin.errors import ConfigError
from twin.notify.check import notify_problems
from twin.notify.door import Targets
from twin.notify.plan import Reason, Waiting, body_of, due, next_due_ns, title_of
from twin.notify.run import shift_of
from twin.notify.settings import NotifySettings
from twin.plant.alarm import Priority
from twin.state.alarm_model import AlarmKind, AlarmRule, AlarmState, Phase

MIN = 60 * S
RULE = AlarmRule(
    "anomaly|factory/hall/saw/current|spike",
    AlarmKind.ANOMALY,
    "factory/hall/saw/current",
    "spike",
    "factory/hall/saw",
    "factory/hall",
    Priority.HIGH,
    "Saw Current: spike",
)
WHY = {"p": 1.5e-6, "contributions": [{"signal": "factory/hall/saw/current", "share": 0.8, "sign": 1}]}


def waiting(rule=RULE, since_ns=T0, told=(), **state):
    made = AlarmState(rule.id, rule.key, Phase.UNACKNOWLEDGED, occurrence=2, message="far off", detail=WHY)
    return Waiting(rule, replace(made, **state), 7, since_ns, frozenset(told))


def settings(*routes):
    return NotifySettings(targets={"mail": "x", "chat": "y"}, routes=list(routes))


def told(alarms, made, now_ns, shift="early"):
    return [(notice.target, notice.reason) for notice in due(alarms, made, now_ns, lambda *_: shift)]


def test_an_alarm_goes_once_to_every_target_of_its_routes():
    made = settings({"to": ["mail", "chat"]}, {"to": ["mail"], "priority": "low"})
    assert told([waiting()], made, T0) == [("chat", Reason.NEW), ("mail", Reason.NEW)]
    assert told([waiting(told=[("mail", "new")])], made, T0) == [("chat", Reason.NEW)]


@pytest.mark.parametrize(
    ("route", "fits"),
    [
        ({"priority": "critical"}, False),
        ({"priority": "high"}, True),
        ({"under": ["factory/hall"]}, True),
        ({"under": ["factory/hal"]}, False),
        ({"under": ["factory/hall/saw/current"]}, True),
        ({"shifts": ["late"]}, False),
        ({"shifts": ["late", "early"]}, True),
    ],
)
def test_a_route_chooses_by_priority_place_and_shift(route, fits):
    assert bool(told([waiting()], settings({"to": ["mail"], **route}), T0)) == fits


def test_nobody_is_told_of_a_grouped_alarm_or_after_an_hour():
    made = settings({"to": ["mail"]})
    assert not told([waiting(grouped=True)], made, T0)
    assert not told([waiting()], made, T0 + 3600 * S)


def test_an_escalation_comes_when_nobody_has_acknowledged_for_so_long():
    made = settings({"to": ["mail"]}, {"to": ["chat"], "after_min": 15})
    alarm = waiting(told=[("mail", "new")])
    assert not told([alarm], made, T0 + 14 * MIN)
    assert next_due_ns([alarm], made, T0 + 14 * MIN) == T0 + 15 * MIN
    assert told([alarm], made, T0 + 15 * MIN) == [("chat", Reason.ESCALATED)]


def test_a_message_says_what_where_since_when_and_why():
    (notice,) = due([waiting()], settings({"to": ["mail"]}), T0 + S, lambda *_: None)
    assert title_of(notice) == "HIGH factory/hall/saw: far off"
    body = body_of(notice, "https://twin.example/", T0 + S)
    assert body.splitlines() == [
        "far off",
        "where: factory/hall/saw/current (anomaly spike)",
        "since: 2026-11-18 11:06:40 UTC, occurrence 2",
        "why: p = 1.5e-06",
        "why: current 80%, above its usual value",
        "https://twin.example/#/alarms",
    ]


def test_the_shift_comes_from_the_calendar_of_the_place():
    at = shift_of(make_plant())
    assert at("factory/hall", T0) == "early"
    assert at("factory/hall", T0 + 15 * 3600 * S) is None
    assert at("gateways", T0) is None


def test_a_route_to_nowhere_is_a_mistake_in_the_file():
    with pytest.raises(ValueError, match="there is no target pager"):
        NotifySettings.model_validate({"targets": {"mail": "x"}, "routes": [{"to": ["mail", "pager"]}]})
    wrong = settings({"to": ["mail"], "under": ["factory/nowhere", "gateways/edge-1"], "shifts": ["noon"]})
    assert list(notify_problems(wrong, make_plant())) == [
        "notify.routes.0.under: there is no asset or signal 'factory/nowhere' in the plant; correct the path",
        "notify.routes.0.shifts: there is no shift 'noon'; name one of early, late",
    ]


def test_an_address_that_apprise_does_not_know_is_named_without_its_secret():
    with pytest.raises(ConfigError, match=r"notify\.targets\.mail: is no address") as caught:
        Targets({"mail": "carrier-pigeon://s3cret@roof", "hook": "json://127.0.0.1:1/x"})
    assert "s3cret" not in str(caught.value)
    assert len(caught.value.problems) == 1
