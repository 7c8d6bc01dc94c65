"""Scenarios in the store: one process works at each, a killed one loses it, few may wait, old ones go."""

import asyncio
from uuid import uuid4

import pytest

from twin.store import scenarios

QUESTION = {"title": "What if?"}


async def ask(store, most_waiting=8):
    return await store.scenarios.add(uuid4(), QUESTION, 40, most_waiting)


async def test_of_any_number_of_processes_one_gets_a_scenario_and_the_oldest_goes_first(store):
    first, second = await ask(store), await ask(store)
    claims = await asyncio.gather(*(store.scenarios.claim(30.0) for _ in range(4)))
    assert {claim.id for claim in claims if claim} == {first.id, second.id}
    assert await store.scenarios.claim(30.0) is None


async def test_what_a_killed_process_held_is_taken_over_and_its_late_answer_does_not_count(store):
    asked = await ask(store)
    killed = await store.scenarios.claim(0.0)
    other = await store.scenarios.claim(30.0)
    assert (other.id, other.attempt) == (asked.id, 2)
    assert not await store.scenarios.progress(killed, 3, 40, phase="", base_ns=None, hold_s=30.0)
    await store.scenarios.answered(killed, {"from": "killed"}, 0, 1.0)
    assert (await store.scenarios.find(asked.id)).state == "running"
    assert await store.scenarios.progress(other, 5, 40, phase="simulating", base_ns=7_000, hold_s=30.0)
    told = await store.scenarios.find(asked.id)
    assert (told.done, told.phase, told.base_ns) == (5, "simulating", 7_000)
    await store.scenarios.answered(other, {"from": "other"}, 7_000, 1.0)
    assert await store.scenarios.answer(asked.id) == {"from": "other"}
    assert (await store.scenarios.find(asked.id)).done == 40


async def test_a_failed_one_says_why_and_has_no_answer(store):
    asked = await ask(store)
    await store.scenarios.failed(await store.scenarios.claim(30.0), "no such asset", 0.5)
    found = await store.scenarios.find(asked.id)
    assert (found.state, found.detail, await store.scenarios.answer(asked.id)) == ("failed", "no such asset", None)
    assert await store.scenarios.find(uuid4()) is None


async def test_no_more_than_so_many_wait_whoever_asks_at_once(store):
    taken = await asyncio.gather(*(ask(store, most_waiting=2) for _ in range(6)))
    assert sum(one is not None for one in taken) == 2


async def test_the_oldest_answered_ones_are_forgotten_and_waiting_ones_never(store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scenarios, "KEPT", 1)
    done, waiting = await ask(store), await ask(store)
    await store.scenarios.answered(await store.scenarios.claim(30.0), {}, 0, 1.0)
    newest = await ask(store)
    assert [one.id for one in await store.scenarios.list(10)] == [newest.id, waiting.id]
    assert await store.scenarios.find(done.id) is None
