"""Jobs and models: one turn for one process, versions that never change, one champion."""

import asyncio
import hashlib

import pytest

from tests.store.batches import DAY, T0, S
from twin.errors import Rejected
from twin.learn.job import Outcome, Turn


async def save(store, subject="mill", params=b"p1", **more):
    return await store.models.save(
        "risk", subject, params, fitted_ns=T0 + DAY, trained_ns=(T0, T0 + DAY), report={"n": 3}, **more
    )


async def test_of_several_processes_one_gets_the_turn(store):
    answers = await asyncio.gather(*(store.jobs.claim("fit", T0, 60) for _ in range(6)))
    assert answers.count(None) == 1
    assert set(answers) == {None, T0 + 60 * S}


async def test_a_turn_that_never_ended_is_free_after_its_lease(store):
    assert await store.jobs.claim("fit", T0, 60) is None
    assert await store.jobs.claim("fit", T0 + 59 * S, 60) == T0 + 60 * S
    assert await store.jobs.claim("fit", T0 + 60 * S, 60) is None
    assert await store.jobs.claim("fit", T0 + 61 * S, 60, at_once=True) is None


async def test_the_last_turn_of_every_job_is_kept(store):
    await store.jobs.claim("fit", T0, 60)
    await store.jobs.claim("score", T0, 60)
    turn = Turn("fit", T0, T0 + S, Outcome.REFUSED, "bad: of no use", T0 + DAY)
    await store.jobs.ended(turn)
    running = Turn("score", T0, None, Outcome.RUNNING, "", T0 + 60 * S)
    assert await store.jobs.list() == [turn, running]
    assert await store.jobs.claim("fit", T0 + DAY - 1_000, 60) == T0 + DAY


async def test_a_saved_model_is_a_challenger_until_it_is_promoted(store):
    assert await save(store) == 1
    assert await store.models.champions("risk") == []
    await store.models.promote("risk", "mill", 1)
    (champion,) = await store.models.champions("risk")
    assert champion.params == b"p1"
    assert champion.hash == hashlib.sha256(b"p1").hexdigest()
    assert (champion.version, champion.state, champion.report) == (1, "champion", {"n": 3})
    assert (champion.trained_from_ns, champion.trained_to_ns, champion.fitted_ns) == (T0, T0 + DAY, T0 + DAY)
    assert await store.models.champion("risk", "lathe") is None


async def test_a_new_champion_retires_the_old_one_and_older_challengers(store):
    for params in (b"p1", b"p2", b"p3", b"p4"):
        await save(store, params=params)
    await store.models.promote("risk", "mill", 1)
    await store.models.promote("risk", "mill", 3)
    await store.models.dismiss("risk", "mill", 3)  # no challenger any more: stays
    history = await store.models.history("risk")
    assert [(one.version, one.state) for one in history] == [
        (4, "challenger"), (3, "champion"), (2, "retired"), (1, "retired"),
    ]  # fmt: skip
    assert {one.params for one in history} == {b""}
    await store.models.dismiss("risk", "mill", 4)
    assert (await store.models.history("risk", "mill", limit=1))[0].state == "retired"
    await store.models.promote("risk", "mill", 1)  # back to an older one
    assert [one.version for one in await store.models.champions("risk")] == [1]


async def test_versions_that_are_saved_at_once_are_all_kept(store):
    versions = await asyncio.gather(*(save(store, params=bytes([at])) for at in range(6)))
    assert sorted(versions) == [1, 2, 3, 4, 5, 6]


async def test_a_version_that_does_not_exist_cannot_be_promoted_and_the_champion_stays(store):
    await save(store)
    await store.models.promote("risk", "mill", 1)
    with pytest.raises(Rejected, match="no version 2"):
        await store.models.promote("risk", "mill", 2)
    assert [one.version for one in await store.models.champions("risk")] == [1]


async def test_retired_models_are_trimmed_and_nothing_else(store):
    for subject in ("mill", "lathe"):
        for at in range(5):
            await save(store, subject, bytes([at]))
        await store.models.promote("risk", subject, 4)
    assert await store.models.trim(2) == 2
    assert [one.version for one in await store.models.history("risk", "mill")] == [5, 4, 3, 2]
