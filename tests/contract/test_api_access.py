"""Who may do what: every route × every role on a real store, sessions, keys, locks, the audit, parts of the plant."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from api.access.gate import routes_of
from api.app import create_app
from api.board import Noun
from api.settings import ApiSettings
from tests import servers
from tests.contract.alarm_samples import alarms
from tests.contract.api_samples import START_NS
from tests.contract.api_server import (
    LOOK,
    MILL,
    PASSWORD,
    Api,
    add_user,
    api_settings,
    gateway_document,
    make_key,
    running_api,
    state_document,
)
from tests.contract.conftest import Database
from tests.contract.test_api_http import problem
from twin.access.grants import Role
from twin.errors import ConfigError
from twin.store.connect import Store

pytestmark = pytest.mark.timeout(300)

CLOSED = LOOK.model_copy(update={"anonymous": "none"})
CRANE = "terminal"


@pytest_asyncio.fixture
async def api(database: Database) -> AsyncGenerator[Api]:
    """Nobody may look without a log-in."""
    async with running_api(api_settings(dsn=database.dsn, access=CLOSED)) as running:
        await running.parts.link.opened()
        yield running


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def key_for(database: Database, *roles: str) -> dict[str, str]:
    return bearer(await make_key(database.dsn, uuid.uuid4().hex, *roles))


# --- every route × every role -----------------------------------------------------------------------------------------

OPEN = {
    "GET /healthz", "GET /readyz", "GET /openapi.json", "HEAD /openapi.json", "GET /{path:path}", "HEAD /{path:path}",
    "GET /v1/session", "POST /v1/session", "DELETE /v1/session", "GET /v1/session/oidc",
    "GET /v1/session/oidc/callback",
}  # fmt: skip
FOR_ADMINS = ("/v1/users", "/v1/keys", "/v1/audit")
OF_THE_WHOLE_PLANT = (*FOR_ADMINS, "/aas/")  # a role below it is not enough
FOR_GATEWAYS = {
    "GET /metrics", "WS /v1/live", "GET /v1/live", "GET /v1/plant", "GET /v1/states", "GET /v1/assets/{path:path}/state",
    "GET /v1/signals/{path:path}/series", "GET /v1/gateways",
}  # fmt: skip
WITHOUT_PLACE = {"GET /metrics", "WS /v1/live", "GET /v1/plant", "GET /v1/gateways", "GET /v1/risk",
                 "GET /v1/risk/reliability", "GET /v1/maintenance", "GET /v1/scenarios",
                 "PUT /v1/session/password"}  # fmt: skip


def may(route: str, role: Role) -> bool:
    """What the roles are for, in other words than the table's."""
    method, path = route.split(" ", 1)
    if route in OPEN or role is Role.ADMIN or path == "/v1/session/password":
        return True
    if path.startswith(FOR_ADMINS):
        return False
    if route == "POST /v1/alarms/replay":
        return role is not Role.GATEWAY
    if route == "POST /v1/scenarios":
        return role in (Role.PLANNER, Role.ENGINEER)
    if method not in ("GET", "WS"):
        return role is Role.ENGINEER
    return role is not Role.GATEWAY or route in FOR_GATEWAYS


BODIES: dict[str, Any] = {
    "POST /v1/alarms/replay": {"rule": {"signal": f"{MILL}/power", "name": "lo"}},
    "POST /v1/maintenance": {"comment": "c", "under": MILL},
    "POST /v1/new-normal": {"comment": "c", "path": MILL},
    "POST /v1/maintenance-events": [{"asset": MILL, "at": "2026-04-01T10:00:00Z", "kind": "repair"}],
    "POST /v1/scenarios": {"title": "t", "under": "factory", "replications": 100_000, "horizon": "60 d"},
    "POST /v1/users": {"name": "x", "password": "weak", "grants": []},
    "POST /v1/session": {"name": "nobody", "password": "wrong"},
    "PUT /v1/users/{name}/password": {"password": "weak"},
    "PATCH /v1/users/{name}": {},
    "POST /v1/keys": {"title": "k", "grants": []},
    "PUT /v1/session/password": {"old": "x", "new": "y"},
    "POST /v1/intervals/{path:path}/reclassify": {
        "start": "2026-04-01T10:00:00Z", "end": "2026-04-01T09:00:00Z", "reason": "maintenance",
    },
}  # fmt: skip
BODIES["POST /v1/alarms/{alarm:uuid}/verdict"] = {"comment": "c", "verdict": "real"}
QUERIES = {"GET /v1/findings": "asset", "GET /v1/lineage": "asset", "GET /v1/maintenance-events": "asset"}


async def ask(api: Api, route: str, places: dict[str, str], headers: dict[str, str]) -> httpx.Response:
    method, template = route.split(" ", 1)
    path = f"{MILL}/power" if "/signals/" in template else MILL
    address = template.replace("{path:path}", "assets/x.js" if template == "/{path:path}" else path)
    for name, value in places.items():
        address = address.replace(f"{{{name}}}", value)
    body = BODIES.get(route, {"comment": "c"} if method == "POST" else None)
    if method == "WS":
        return await handshake(api, headers)
    query = {} if "{" in template or route in WITHOUT_PLACE or route in OPEN else {QUERIES.get(route, "under"): MILL}
    asked = query if method == "GET" else {}
    async with api.http.stream(method, address, json=body, headers=headers, params=asked) as answer:
        if route != "GET /v1/live" or answer.status_code != 200:  # which goes on for ever
            await answer.aread()
        return answer


async def handshake(api: Api, headers: dict[str, str]) -> httpx.Response:
    try:
        async with connect(api.live_url, additional_headers=headers):
            return httpx.Response(101)
    except InvalidStatus as error:
        return httpx.Response(error.response.status_code, content=bytes(error.response.body or b""))


def refusal(answer: httpx.Response) -> str:
    """The gate's word; empty when it has let the request through."""
    if answer.status_code not in (401, 403):
        return ""
    name = str(answer.json()["type"]).rsplit(":", 1)[-1]
    return name if name in ("sign-in-needed", "not-allowed") else ""


@pytest.mark.timeout(600)
async def test_every_route_for_every_role_and_for_nobody(api: Api, database: Database, store: Store) -> None:
    alarm = await alarms(store).anomaly(START_NS)
    admin = await key_for(database, "admin")
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    order = {"comment": "c", "under": MILL, "end": end}
    window = (await api.http.post("/v1/maintenance", json=order, headers=admin)).json()["id"]
    places = {"alarm:uuid": str(alarm), "window": str(window), "id": "none", "name": "nobody", "key": "none"}
    everywhere = {role: await key_for(database, role.value) for role in Role}
    elsewhere = {role: await key_for(database, f"{role.value}:{CRANE}") for role in Role}
    below = {role: await key_for(database, f"{role.value}:factory") for role in Role}
    wrong: list[str] = []
    for route in sorted(routes_of(api.app)):
        found = refusal(await ask(api, route, places, {}))
        if found != ("" if route in OPEN else "sign-in-needed"):
            wrong.append(f"{route} for nobody: {found or 'let through'}")
        for role in Role:
            answers = [refusal(await ask(api, route, places, keys[role])) for keys in (everywhere, below, elsewhere)]
            here = may(route, role)
            inside = here and not route.split(" ", 1)[1].startswith(OF_THE_WHOLE_PLANT)
            outside = inside and (route in OPEN or route in WITHOUT_PLACE or "{id}" in route)
            if [answer == "" for answer in answers] != [here, inside, outside]:
                wrong.append(f"{route} for {role}: {answers}")
    assert not wrong, "\n".join(wrong)


async def test_an_api_with_a_route_that_has_no_rule_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(__import__("api.access.rules", fromlist=["RULES"]).RULES, "GET /v1/risk")
    with pytest.raises(LookupError, match="GET /v1/risk"):
        create_app(api_settings())


# --- sessions ---------------------------------------------------------------------------------------------------------


async def test_a_person_signs_in_acts_under_their_name_and_signs_out(api: Api, store: Store) -> None:
    alarm = await alarms(store).anomaly(START_NS)
    problem(await api.http.get("/v1/plant"), 401, "sign-in-needed")
    await api.sign_in("Kim")
    who = (await api.http.get("/v1/session")).json()
    assert (who["name"], who["how"], who["grants"]) == ("Kim", "session", [{"role": "engineer", "under": ""}])
    kept = await api.http.post(f"/v1/alarms/{alarm}/comment", json={"comment": "seen"}, headers={"X-Request-ID": "r-1"})
    assert (kept.json()["operator"], kept.headers["x-request-id"]) == ("Kim", "r-1")
    assert (await api.http.delete("/v1/session")).status_code == 204
    assert (await api.http.get("/v1/session")).json()["name"] is None
    problem(await api.http.get("/v1/plant"), 401, "sign-in-needed")


async def test_the_cookie_is_for_our_own_page_alone(api: Api) -> None:
    await api.sign_in("Kim")
    answer = await api.http.post("/v1/session", json={"name": "Kim", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie  # this is not TLS; see the test of TLS
    order = {"comment": "c", "path": MILL}
    for headers, accepted in (
        ({}, True),
        ({"Origin": "https://elsewhere.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "", "Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "same-origin"}, True),
    ):
        told = await api.http.post("/v1/new-normal", json=order, headers=headers)
        assert told.status_code == (202 if accepted else 403), (headers, told.text)
    del api.http.headers["Origin"]
    problem(await api.http.post("/v1/new-normal", json=order), 403, "foreign-origin")


async def test_a_first_password_opens_the_view_and_is_changed_before_anything_else(api: Api, store: Store) -> None:
    await api.sign_in("root", "admin")
    made = {"name": "Lee", "password": "a first password", "grants": [{"role": "engineer"}]}
    assert (await api.http.post("/v1/users", json=made)).status_code == 201
    problem(await api.http.post("/v1/users", json={**made, "name": "LEE"}), 409, "name-is-taken")
    problem(
        await api.http.post("/v1/users", json={**made, "name": "Lou", "password": "Lou-and-more"}), 422, "weak-password"
    )
    answer = await api.http.post("/v1/session", json={"name": "lee", "password": "a first password"})
    assert answer.json()["must_choose_password"]
    assert (await api.http.get("/v1/plant")).status_code == 200
    order = {"comment": "c", "path": MILL}
    problem(await api.http.post("/v1/new-normal", json=order), 403, "choose-a-password")
    change = {"old": "a first password", "new": "something of my own"}
    problem(await api.http.put("/v1/session/password", json={**change, "old": "x"}), 401, "wrong-name-or-password")
    assert (await api.http.put("/v1/session/password", json=change)).status_code == 204
    assert (await api.http.post("/v1/new-normal", json=order)).status_code == 202
    entries = await store.audit.page(_filter(), 3)
    assert [(one.by.who, one.what) for one in entries] == [
        ("Lee", "action.added"),
        ("Lee", "user.changed"),
        ("Lee", "session.opened"),
    ]
    assert entries[1].detail["password"] == "set"
    assert "argon2" not in str([one.detail for one in entries])


async def test_wrong_passwords_lock_a_name_whether_it_exists_or_not(database: Database) -> None:
    strict = CLOSED.model_copy(update={"attempts": 3, "lock_s": 1.0})
    async with running_api(api_settings(dsn=database.dsn, access=strict)) as api:
        await api.parts.link.opened()
        await add_user(api.parts.link.store, "Max", "viewer")
        for name in ("Max", "nobody-here"):
            wrong = {"name": name, "password": "not this one"}
            for _ in range(3):
                problem(await api.http.post("/v1/session", json=wrong), 401, "wrong-name-or-password")
            locked = await api.http.post("/v1/session", json={"name": name, "password": PASSWORD})
            problem(locked, 429, "too-many-wrong-passwords")
            assert locked.headers["retry-after"] == "1"

        async def open_again() -> bool:
            answer = await api.http.post("/v1/session", json={"name": "max", "password": PASSWORD})
            return answer.status_code == 200

        async with asyncio.timeout(10):
            while not await open_again():
                await asyncio.sleep(0.1)


async def test_who_is_disabled_or_loses_a_role_is_out_also_when_signed_in(api: Api, database: Database) -> None:
    admin = await key_for(database, "admin")
    await api.sign_in("Pat")
    assert (await api.http.get("/v1/alarms")).status_code == 200
    change = {"grants": [{"role": "gateway"}]}
    assert (await api.http.patch("/v1/users/Pat", json=change, headers=admin)).status_code == 200
    problem(await api.http.get("/v1/alarms"), 403, "not-allowed")
    assert (await api.http.patch("/v1/users/Pat", json={"disabled": True}, headers=admin)).status_code == 200
    problem(await api.http.get("/v1/plant"), 401, "sign-in-needed")
    problem(await api.http.patch("/v1/users/Nobody", json=change, headers=admin), 404, "unknown-user")


# --- keys -------------------------------------------------------------------------------------------------------------


async def test_a_key_is_shown_once_works_until_it_is_revoked_and_is_nowhere_kept(api: Api, store: Store) -> None:
    await api.sign_in("root", "admin")
    order = {"title": "historian", "grants": [{"role": "viewer", "under": "factory"}], "days": 7}
    made = (await api.http.post("/v1/keys", json=order)).json()
    problem(await api.http.post("/v1/keys", json=order), 409, "title-is-taken")
    api.http.cookies.clear()
    headers = bearer(made["key"])
    assert (await api.http.get(f"/v1/assets/{MILL}/state", headers=headers)).status_code == 200
    problem(await api.http.get("/v1/states", params={"under": CRANE}, headers=headers), 403, "not-allowed")
    problem(await api.http.get("/v1/plant", headers=bearer(made["key"][:-1] + "x")), 401, "unusable-credential")
    problem(await api.http.get("/v1/plant", headers={"Authorization": "Basic a2ltOng="}), 401, "unusable-credential")
    async with store.database.connection() as connection:
        rows = await (await connection.execute("SELECT api_key::text FROM api_key")).fetchall()
    assert made["key"].split("_", 2)[2] not in str(rows)
    await api.sign_in("root", "admin")
    assert made["key"] not in (await api.http.get("/v1/keys")).text
    assert (await api.http.delete(f"/v1/keys/{made['id']}")).json()["revoked_at"]
    api.http.cookies.clear()
    problem(await api.http.get("/v1/plant", headers=headers), 401, "unusable-credential")


async def test_a_key_ends(api: Api, database: Database, store: Store) -> None:
    key = await make_key(database.dsn, uuid.uuid4().hex, "viewer")
    async with store.database.connection() as connection:
        await connection.execute("UPDATE api_key SET ends_at = now() WHERE id = %s", [key.split("_")[1]])
    problem(await api.http.get("/v1/plant", headers=bearer(key)), 401, "unusable-credential")


# --- parts of the plant -----------------------------------------------------------------------------------------------


def fill(api: Api) -> None:
    board = api.parts.board
    for path in ("factory", MILL, CRANE):
        board.put(Noun.ASSET, path, state_document(path))
    for node in ("edge-factory", "edge-terminal"):
        board.put(Noun.GATEWAY, node, gateway_document(node))
    two = [
        {"source": f"{MILL}/power", "phase": "unacknowledged", "announced": True, "priority": "high"},
        {"source": "factory/machining/lathe-1/power", "phase": "returned", "announced": True, "priority": "low"},
    ]
    alarms_of = {"format": 1, "path": "factory/machining", "at": "2026-03-02T10:00:00Z", "version": 1, "action": 0}
    document = {**alarms_of, "counts": {}, "unacknowledged": 2, "total": 2, "alarms": two}
    board.put(Noun.ALARMS, "factory/machining", orjson.dumps(document))


async def test_lists_hold_only_the_part_that_the_caller_may_see(api: Api, database: Database) -> None:
    fill(api)
    headers = await key_for(database, f"viewer:{MILL}", "gateway:gateways/edge-factory")
    states = (await api.http.get("/v1/states", headers=headers)).json()["states"]
    assert [one["path"] for one in states] == [MILL]
    gateways = (await api.http.get("/v1/gateways", headers=headers)).json()["gateways"]
    assert [one["node"] for one in gateways] == ["edge-factory"]
    plant = await api.http.get("/v1/plant", headers=headers)
    seen = {one["path"]: len(one["signals"]) for one in plant.json()["assets"]}
    assert list(seen) == ["factory", "factory/machining", MILL]
    assert [count > 0 for count in seen.values()] == [False, False, True]
    whole = await api.http.get("/v1/plant", headers=await key_for(database, "viewer"))
    assert whole.headers["etag"] != plant.headers["etag"]
    alarms_seen = await api.http.get("/v1/alarms", headers=headers)
    assert {one["asset"] for one in alarms_seen.json()["alarms"]} <= {MILL}
    several = await key_for(database, f"viewer:{MILL}", f"viewer:{CRANE}")
    problem(await api.http.get("/v1/alarms", headers=several), 422, "which-part")
    twice = await api.http.get(f"/v1/states?under={MILL}&under={CRANE}", headers=headers)
    problem(twice, 403, "not-allowed")


async def test_the_live_feed_shows_the_part_and_refuses_the_rest(api: Api, database: Database) -> None:
    fill(api)
    headers = await key_for(database, f"viewer:{MILL}")
    async with connect(api.live_url, additional_headers=headers) as client:
        frame = await _states(client)
        assert [one["path"] for one in frame["states"]] == [MILL]
        assert frame["gateways"] == []
        (area,) = frame["alarms"]
        assert [one["source"] for one in area["alarms"]] == [f"{MILL}/power"]
        assert (area["total"], area["unacknowledged"], area["counts"]["high"], area["counts"]["low"]) == (1, 1, 1, 0)
        await client.send('{"subscribe":{"under":["terminal"]}}')
        with pytest.raises(ConnectionClosed) as caught:
            await _never(client)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1008
        assert "may not see" in caught.value.rcvd.reason


async def test_who_loses_the_right_loses_the_live_feed(
    api: Api, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.subscription.RIGHTS_EVERY_S", 0.05)
    monkeypatch.setattr("api.access.identify.FRESH_S", 0.0)
    key = await make_key(database.dsn, uuid.uuid4().hex, "viewer")
    async with connect(api.live_url, additional_headers=bearer(key)) as client:
        await _states(client)
        admin = await key_for(database, "admin")
        assert (await api.http.delete(f"/v1/keys/{key.split('_')[1]}", headers=admin)).status_code == 200
        with pytest.raises(ConnectionClosed) as caught:
            await _never(client)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1008


async def _states(client: Any) -> dict[str, Any]:
    async with asyncio.timeout(15):
        while True:
            found = orjson.loads(await client.recv())
            if found["type"] == "states":
                return found


async def _never(client: Any) -> None:
    async with asyncio.timeout(15):
        while True:
            await client.recv()


# --- audit, limits, addresses -----------------------------------------------------------------------------------------


def _filter(**more: Any) -> Any:
    from twin.store.audit import AuditFilter

    return AuditFilter(**more)


async def test_the_audit_says_who_did_what_from_where_and_turns_pages(api: Api) -> None:
    await api.http.post("/v1/session", json={"name": "mallory", "password": "guess"})
    await api.sign_in("Audrey", "admin")
    await api.http.post("/v1/new-normal", json={"comment": "c", "path": MILL}, headers={"X-Request-ID": "abc"})
    (entry,) = (await api.http.get("/v1/audit", params={"what": "action", "who": "Audrey"})).json()["entries"]
    assert (entry["what"], entry["target"], entry["how"]) == ("action.added", MILL, "session")
    assert (entry["address"], entry["request"]) == ("127.0.0.1", "abc")
    assert entry["detail"]["kind"] == "new-normal"
    (refused,) = (await api.http.get("/v1/audit", params={"who": "mallory"})).json()["entries"]
    assert refused["what"] == "session.refused"
    first = (await api.http.get("/v1/audit", params={"limit": 2})).json()
    second = (await api.http.get("/v1/audit", params={"limit": 2, "before": first["next"]})).json()
    ids = [one["id"] for page in (first, second) for one in page["entries"]]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 4


async def test_too_many_requests_are_told_when_to_come_back_and_others_are_not_held_up(
    database: Database,
) -> None:
    few = LOOK.model_copy(update={"requests_per_s": 0.5, "burst": 3})
    key = await key_for(database, "viewer")
    async with running_api(api_settings(dsn=database.dsn, access=few)) as api:
        await api.parts.link.opened()
        for _ in range(3):
            assert (await api.http.get("/v1/gateways")).status_code == 200
        held = await api.http.get("/v1/gateways")
        problem(held, 429, "too-many-requests")
        assert held.headers["retry-after"] == "2"
        assert (await api.http.get("/v1/gateways", headers=key)).status_code == 200
        assert (await api.http.get("/healthz")).status_code == 200


def test_everybody_may_look_beyond_this_machine_only_when_that_is_said_in_words() -> None:
    settings = api_settings().model_dump() | {"host": "0.0.0.0"}
    with pytest.raises(ValueError, match="anonymous_reach: whole-network"):
        ApiSettings.model_validate(settings)
    meant = LOOK.model_copy(update={"anonymous_reach": "whole-network"})
    assert ApiSettings.model_validate(settings | {"access": meant}).access.anonymous == "viewer"
    assert ApiSettings.model_validate(settings | {"access": CLOSED}).host == "0.0.0.0"


def test_the_command_says_the_same_in_terms_of_the_file(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from twin.commands.serve_api import api_settings as from_file
    from twin.commands.settings import load_twin

    for name, value in (
        ("DSN", "postgresql://x"),
        ("BROKER_PASSWORD", "x"),
        ("ANONYMOUS", "viewer"),
        ("API_HOST", "0.0.0.0"),
    ):
        monkeypatch.setenv(f"FABRIQUAY_{name}", value)
    with pytest.raises(ConfigError, match=r"access\.anonymous: viewer lets everybody look"):
        from_file(load_twin(servers.CHECKOUT / "configs" / "twin.yaml"))


async def test_answers_are_compressed_as_asked_and_large_bodies_refused(api: Api, database: Database) -> None:
    key = await key_for(database, "admin")
    for coding in ("zstd", "gzip"):
        answer = await api.http.get("/v1/plant", headers={**key, "Accept-Encoding": coding})
        assert answer.headers["content-encoding"] == coding
    huge = await api.http.post("/v1/maintenance-events", content=b" " * (9 * 2**20), headers=key)
    problem(huge, 413, "content-too-large")
