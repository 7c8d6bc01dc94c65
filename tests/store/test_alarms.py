"""Alarms and operators' actions in the store: kept for ever, written once, heard of at once."""

import asyncio
import uuid
from contextlib import aclosing

import psycopg
import pytest

from tests.unit.monitor_plant import SECOND as S
from tests.unit.monitor_plant import START_NS as T0
from tests.unit.test_alarm_book import SAW, act, book, key, random_events, sense, state
from twin.plant.alarm import Priority
from twin.state.alarm_memory import rest, restored
from twin.state.alarm_model import Action, ActionKind, What, alarm_id
from twin.state.alarms import Sensed
from twin.store.actions import Order
from twin.store.alarms import AlarmFilter
from twin.store.connect import open_store


def order(kind=ActionKind.COMMENT, target="x", at_s=0.0, key=None, **detail):
    return Order(key or uuid.uuid4(), kind, target, T0 + round(at_s * S), "Kim", "seen", detail)


async def write(store, one, told, seq=1):
    changed = [(one.rules.rule(state.key), state) for state in one.take_changed()]
    await store.alarms.write(seq, changed, told, rest(one))


async def filled(store):
    """hi-hi active, hi suppressed by it, and a press alarm of low priority."""
    one = book()
    told = sense(one, "hi", 0) + sense(one, "hi-hi", 1)
    press = one.rules.anomaly("factory/hall/press/current", "spike")
    told += one.sense(press, Sensed(T0 + 5 * S, True, 2.0, "far off", {"finding": "f-1"}))
    await write(store, one, told)
    return one, told


async def test_the_same_steps_again_are_nothing(store):
    one, told = await filled(store)
    again = [(one.rules.rule(s.key), s) for s in one.alarms.values()]
    await store.alarms.write(1, again, told, rest(one))
    history = await store.alarms.history(alarm_id(key("hi")))
    assert [kept.transition for kept in history] == [step for step in told if step.alarm == alarm_id(key("hi"))]
    assert [kept.transition.what for kept in history] == [What.RAISED, What.SUPPRESSED]


async def test_what_was_written_is_read_again_bit_for_bit(store):
    one = book()
    for number, event in enumerate(list(random_events(1))[:80], start=1):
        before = one.action
        told = event(one)
        if one.action != before:  # the action that a transition names must be there
            await add_until(store, one.action)
        await write(store, one, told, seq=number)
    kept = await store.alarms.load()
    again = restored(one.rules, kept.states, kept.rest)
    assert kept.seq == number
    assert again.alarms == one.alarms
    assert rest(again) == rest(one)


async def add_until(store, identity):
    while (await store.actions.add(order()))[0].id < identity:
        pass


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE alarm_transition SET comment = 'never happened'",
        "DELETE FROM alarm_transition",
        "TRUNCATE alarm_transition CASCADE",
        "UPDATE operator_action SET operator = 'somebody else'",
        "DELETE FROM operator_action",
    ],
)
async def test_history_cannot_be_changed(store, dsn, statement):
    await filled(store)
    await store.actions.add(order())
    with psycopg.connect(dsn) as connection, pytest.raises(psycopg.errors.RaiseException, match="kept for ever"):
        connection.execute(statement)


async def test_alarms_are_found_by_state_priority_place_and_time(store):
    await filled(store)

    async def names(**wanted):
        return [found.rule.name for found in await store.alarms.page(AlarmFilter(**wanted))]

    assert await names() == ["hi-hi", "hi", "spike"]
    assert await names(priority=Priority.MEDIUM) == ["hi-hi", "hi"]
    assert await names(under=SAW) == ["hi-hi", "hi"]
    assert await names(under="factory/hall/sa") == []
    assert await names(announced=True) == ["hi-hi", "spike"]
    assert await names(suppressed=True) == ["hi"]
    assert await names(shelved=True) == []
    assert await names(since_ns=T0 + 2 * S) == ["spike"]
    assert await names(phases=("normal",)) == []


async def test_pages_hold_every_alarm_once(store):
    await filled(store)
    found, before = [], None
    while page := await store.alarms.page(AlarmFilter(before=before), limit=1):
        found += page
        last = page[-1]
        before = (last.rule.priority.rank, last.state.at_ns, last.state.id)
    assert [one.rule.name for one in found] == ["hi-hi", "hi", "spike"]


async def test_the_same_key_is_the_same_action(store):
    first = order(comment := ActionKind.COMMENT, "a")
    kept, new = await store.actions.add(first)
    again, new_again = await store.actions.add(first)
    assert (new, new_again) == (True, False)
    assert kept == again == Action(1, comment, "a", T0, "Kim", "seen", {})


async def test_actions_at_once_get_ids_without_a_hole_in_the_order_of_commits(store):
    kept = await asyncio.gather(*(store.actions.add(order(target=str(at))) for at in range(20)))
    assert sorted(action.id for action, _ in kept) == list(range(1, 21))
    assert [action.id for action in await store.actions.after(0)] == list(range(1, 21))


async def test_a_follower_hears_of_what_was_before_and_of_what_comes(store, dsn):
    await store.actions.add(order(target="before"))
    async with aclosing(store.actions.follow(0)) as following, open_store(dsn) as other, asyncio.timeout(10):
        assert (await anext(following)).target == "before"
        waiting = asyncio.ensure_future(anext(following))
        await other.actions.add(order(target="later"))
        assert (await waiting).target == "later"


async def test_transitions_are_followed_with_their_rule(store):
    await filled(store)
    async with aclosing(store.alarms.follow(0)) as following, asyncio.timeout(10):
        first = await anext(following)
    assert (first.rule.key, first.transition.what) == (key("hi"), What.RAISED)
    assert await store.alarms.newest() >= first.id


async def test_a_window_is_listed_with_how_it_ended(store):
    window, _ = await store.actions.add(order(ActionKind.OUT_OF_SERVICE, SAW))
    open_one, _ = await store.actions.add(order(ActionKind.MAINTENANCE, SAW, end_ns=T0 + 9 * S))
    await store.actions.add(order(ActionKind.END, str(window.id), at_s=7))
    found = await store.actions.windows()
    assert [one.action.id for one in found] == [open_one.id, window.id]
    assert [one.ended_ns for one in found] == [None, T0 + 7 * S]


async def test_an_acknowledgement_names_its_operator_in_the_history(store):
    one, _ = await filled(store)
    action, _ = await store.actions.add(order(ActionKind.ACKNOWLEDGE, str(alarm_id(key("hi-hi")))))
    await write(store, one, act(one, action.id, action.kind, action.target, 30), seq=2)
    last = (await store.alarms.history(state(one, "hi-hi").id))[-1].transition
    assert (last.what, last.operator, last.comment, last.action) == (What.ACKNOWLEDGED, "Kim", "c", action.id)


async def test_a_past_instant_shows_the_alarms_as_they_stood_then(store):
    await filled(store)

    async def stood(at_s, **wanted):
        found = await store.alarms.standing_at(T0 + round(at_s * S), **wanted)
        return [(one.kept.rule.name, one.kept.transition.announced, one.raised_ns) for one in found]

    assert await stood(-1) == []
    (first,) = await stood(0.5)
    assert first[:2] == ("hi", True)
    later = await stood(60)
    assert [one[:2] for one in later] == [("hi-hi", True), ("spike", True), ("hi", False)]
    assert later[2][2] == first[2]
    assert [one[0] for one in await stood(60, under=SAW)] == ["hi-hi", "hi"]
