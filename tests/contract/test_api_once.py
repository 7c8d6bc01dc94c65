"""Idempotency-Key on every route that changes something, on a real store: made once, answered again, nothing secret kept."""

import asyncio
import hashlib
import json
import time
import uuid
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest_asyncio

from tests.contract.alarm_samples import Alarms, alarms
from tests.contract.api_samples import START_NS
from tests.contract.api_server import MILL, PASSWORD, Api, api_settings, running_api
from tests.contract.conftest import Database
from tests.contract.test_api_http import problem
from twin.store.audit import AuditFilter
from twin.store.connect import Store

WITHOUT_KEY = {
    "POST /v1/session",  # each log-in is a session of its own
    "DELETE /v1/session",  # signing out again changes nothing
    "POST /v1/alarms/replay",  # it changes nothing
}
ELSEWHERE = "POST /v1/scenarios"  # test_api_scenarios.py, where one is simulated
NEVER = {"POST /v1/alarms/{alarm}/confirm", "POST /v1/alarms/{alarm}/reset"}  # of an alarm without a latch


@pytest_asyncio.fixture
async def api(database: Database) -> AsyncGenerator[Api]:
    async with running_api(api_settings(dsn=database.dsn)) as running:
        await running.parts.link.opened()
        await running.sign_in("root", "admin")
        yield running


def with_key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}


def at(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


@dataclass
class Case:
    """A change, where it stands in the OpenAPI document, and what it differs from."""

    route: str
    address: str
    body: Any
    other: Any = None


def alarm_cases(alarm: uuid.UUID) -> list[Case]:
    here = f"/v1/alarms/{alarm}"
    said, other = {"comment": "seen"}, {"comment": "not seen"}
    more = {"verdict": {"verdict": "real"}, "shelve": {"for_s": 600}}
    return [
        Case(f"POST /v1/alarms/{{alarm}}/{do}", f"{here}/{do}", said | more.get(do, {}), other | more.get(do, {}))
        for do in ("acknowledge", "comment", "verdict", "shelve")
    ]


def plant_cases(window: int) -> list[Case]:
    said, event = {"comment": "c"}, {"asset": MILL, "at": "2026-04-01T10:00:00Z", "kind": "repair"}
    planned = {"under": MILL, "end": at(60)}
    stop = {"start": at(-300), "end": at(-240), "reason": "maintenance", "comment": "filter"}
    return [
        Case("POST /v1/maintenance", "/v1/maintenance", {**said, **planned}, {"comment": "d", **planned}),
        Case("POST /v1/maintenance/{window}/end", f"/v1/maintenance/{window}/end", said, {"comment": "d"}),
        Case("POST /v1/new-normal", "/v1/new-normal", {**said, "path": MILL}, {"comment": "d", "path": MILL}),
        Case(
            "POST /v1/maintenance-events", "/v1/maintenance-events", [event], [event, {**event, "kind": "inspection"}]
        ),
        Case(
            "POST /v1/intervals/{path}/reclassify",
            f"/v1/intervals/{MILL}/reclassify",
            stop,
            {**stop, "comment": "belt"},
        ),
    ]


def access_cases(name: str, key: str) -> list[Case]:
    password = {"password": "first words then more"}
    user = {"name": name, "grants": [{"role": "viewer"}], **password}
    return [
        Case("POST /v1/users", "/v1/users", user, {**user, "password": "other words than before"}),
        Case("PATCH /v1/users/{name}", f"/v1/users/{name}", {"disabled": True}, {"disabled": False}),
        Case(
            "PUT /v1/users/{name}/password",
            f"/v1/users/{name}/password",
            password,
            {"password": "other words than before"},
        ),
        Case("DELETE /v1/keys/{key}", f"/v1/keys/{key}", None),
        Case(
            "PUT /v1/session/password",
            "/v1/session/password",
            {"old": PASSWORD, "new": "five words of my own"},
            {"old": PASSWORD, "new": "five words of another"},
        ),
    ]


async def ask(api: Api, case: Case, body: Any, headers: dict[str, str]) -> httpx.Response:
    return await api.http.request(case.route.partition(" ")[0], case.address, json=body, headers=headers)


async def changes(store: Store) -> int:
    """How many stand in the audit."""
    return len(await store.audit.page(AuditFilter(), 10_000))


async def check(api: Api, store: Store, case: Case) -> None:
    """Once, again, and with another body."""
    headers = with_key()
    first = await ask(api, case, case.body, headers)
    assert first.status_code in (200, 201, 202, 204), (case.route, first.text)
    made = await changes(store)
    again = await ask(api, case, case.body, headers)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (first.status_code, "true"), case.route
    assert (again.json() if again.content else None) == (first.json() if first.content else None), case.route
    assert await changes(store) == made, case.route
    if case.other is not None:
        problem(await ask(api, case, case.other, headers), 409, "key-is-used")
    elsewhere = await api.http.post("/v1/new-normal", json={"comment": "e", "path": MILL}, headers=headers)
    problem(elsewhere, 409, "key-is-used")
    assert await changes(store) == made, case.route


async def test_every_change_is_made_once_per_key_and_answered_again(api: Api, store: Store) -> None:
    await api.sign_in("Sam", "admin")  # whose password changes on the way
    plant: Alarms = alarms(store)
    alarm = await plant.anomaly(START_NS)
    window = (await api.http.post("/v1/maintenance", json={"comment": "c", "under": MILL, "end": at(99)})).json()["id"]
    key = (await api.http.post("/v1/keys", json={"title": "gone", "grants": [{"role": "viewer"}]})).json()["id"]
    cases = [*alarm_cases(alarm), *plant_cases(window), *access_cases("Robin", key)]
    for case in cases:
        await check(api, store, case)
    await plant.obey()
    unshelve = Case("POST /v1/alarms/{alarm}/unshelve", f"/v1/alarms/{alarm}/unshelve", {"comment": "c"})
    await check(api, store, unshelve)
    documented = {
        f"{method.upper()} {path}": operation
        for path, methods in api.app.openapi()["paths"].items()
        for method, operation in methods.items()
        if method != "get"
    }
    tested = {case.route for case in (*cases, unshelve)} | NEVER | {ELSEWHERE, "POST /v1/keys"}
    assert tested | WITHOUT_KEY == set(documented)
    for route in tested:
        operation = documented[route]
        assert "Idempotency-Key" in [one["name"] for one in operation["parameters"]], route
        assert "409" in operation["responses"], route


async def test_a_key_that_was_made_is_named_again_and_its_text_is_not(api: Api, store: Store) -> None:
    order, headers = {"title": "historian-2", "grants": [{"role": "viewer"}]}, with_key()
    made = (await api.http.post("/v1/keys", json=order, headers=headers)).json()
    again = await api.http.post("/v1/keys", json=order, headers=headers)
    detail = problem(again, 409, "shown-once")["detail"]
    assert made["id"] in detail
    assert "historian-2" in detail
    assert made["key"].split("_", 2)[2] not in again.text
    keys = (await api.http.get("/v1/keys")).json()["keys"]
    assert len([one for one in keys if one["title"] == "historian-2"]) == 1


async def test_of_passwords_and_keys_nothing_is_kept_that_could_be_tried_out(api: Api, store: Store) -> None:
    user = {"name": "Toni", "password": "first words then more", "grants": []}
    order = {"title": "historian-3", "grants": [{"role": "viewer"}]}
    assert (await api.http.post("/v1/users", json=user, headers=with_key())).status_code == 201
    made = (await api.http.post("/v1/keys", json=order, headers=with_key())).json()
    async with store.database.connection() as connection:
        rows = await (await connection.execute("SELECT answered_change::text FROM answered_change")).fetchall()
    kept = str(rows)
    assert "historian-3" in kept
    assert "$argon2id$" in kept
    assert made["key"].split("_", 2)[2] not in kept
    assert user["password"] not in kept
    for text in (json.dumps(user), json.dumps(user, sort_keys=True), user["password"]):
        assert hashlib.sha256(text.encode()).hexdigest() not in kept


async def test_the_same_key_at_two_processes_at_once_is_one_change(database: Database, store: Store) -> None:
    settings = api_settings(dsn=database.dsn)
    async with running_api(settings) as one, running_api(settings) as other:
        for api in (one, other):
            await api.parts.link.opened()
            await api.sign_in("root", "admin")
        order, headers = {"title": "at-once", "grants": [{"role": "viewer"}]}, with_key()
        asked = [api.http.post("/v1/keys", json=order, headers=headers) for api in (one, other) for _ in range(4)]
        answers = await asyncio.gather(*asked)
        assert sorted(one.status_code for one in answers) == [201] + [409] * 7
        assert {one.json()["type"] for one in answers if one.status_code == 409} == {"urn:fabriquay:problem:shown-once"}
        event = [{"asset": MILL, "at": "2026-05-01T10:00:00Z", "kind": "repair"}]
        headers = with_key()
        told = [api.http.post("/v1/maintenance-events", json=event, headers=headers) for api in (one, other)]
        assert [one.json() for one in await asyncio.gather(*told)] == [{"accepted": 1, "new": 1}] * 2
    assert len([one for one in await store.keys.all() if one.title == "at-once"]) == 1


async def test_a_change_that_failed_leaves_its_key_free_and_keys_are_each_callers_own(api: Api) -> None:
    headers, password = with_key(), {"password": "first words then more"}
    problem(await api.http.put("/v1/users/Nobody-yet/password", json=password, headers=headers), 404, "unknown-user")
    user = {"name": "Nobody-yet", "grants": [], **password}
    assert (await api.http.post("/v1/users", json=user)).status_code == 201
    assert (await api.http.put("/v1/users/Nobody-yet/password", json=password, headers=headers)).status_code == 204
    order, headers = {"comment": "c", "path": MILL}, with_key()
    first = (await api.http.post("/v1/new-normal", json=order, headers=headers)).json()
    await api.sign_in("Sascha", "engineer")
    second = (await api.http.post("/v1/new-normal", json=order, headers=headers)).json()
    assert (first["operator"], second["operator"]) == ("root", "Sascha")
    assert first["id"] != second["id"]


async def test_a_body_that_is_spaced_and_ordered_in_another_way_is_the_same(api: Api) -> None:
    headers = {**with_key(), "Content-Type": "application/json"}
    order = {"comment": "c", "path": MILL}
    texts = json.dumps(order), json.dumps(dict(reversed(order.items())), indent=3)
    answers = [await api.http.post("/v1/new-normal", content=text, headers=headers) for text in texts]
    assert answers[0].json() == answers[1].json()


async def test_answers_are_forgotten_after_a_week(api: Api, store: Store) -> None:
    order, headers = {"comment": "c", "path": MILL}, with_key()
    await api.http.post("/v1/new-normal", json=order, headers=headers)
    async with store.database.connection() as connection:
        await connection.execute("UPDATE answered_change SET at = at - interval '8 days'")
    await api.http.post("/v1/new-normal", json=order, headers=with_key())
    async with store.database.connection() as connection:
        rows = await (await connection.execute("SELECT key FROM answered_change")).fetchall()
    assert uuid.UUID(headers["Idempotency-Key"]) not in {key for (key,) in rows}
