"""Alarms over HTTP: what stands, its history, what operators do, maintenance, reports and replay, on a real store."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator

import numpy as np
import pytest
import pytest_asyncio

from tests.contract.alarm_samples import VIBRATION, Alarms, alarms
from tests.contract.api_samples import START_NS, commit, register
from tests.contract.api_server import MILL, Api, api_settings, running_api
from tests.contract.conftest import Database
from tests.contract.test_api_http import problem
from twin.store.connect import Store, open_store

S = 10**9
KIM = {"comment": "I am on my way"}


@pytest.fixture(scope="module")
def ids(database: Database) -> dict[str, int]:
    return asyncio.run(register(database.dsn))


@pytest_asyncio.fixture
async def store(database: Database, ids: dict[str, int]) -> AsyncGenerator[Store]:
    async with open_store(database.dsn) as opened:
        yield opened
        async with opened.database.connection() as connection:  # what is kept for ever is only emptied by its owner
            await connection.execute("SET session_replication_role = replica")
            await connection.execute("DELETE FROM notification; DELETE FROM alarm_transition; DELETE FROM alarm")
            await connection.execute("DELETE FROM operator_action; DELETE FROM sample; DELETE FROM snapshot")
            await connection.execute("RESET session_replication_role")


@pytest_asyncio.fixture
async def api(database: Database, store: Store) -> AsyncGenerator[Api]:
    async with running_api(api_settings(dsn=database.dsn)) as running:
        await running.parts.link.opened()
        await running.sign_in("Kim")
        yield running


@pytest.fixture
def plant(store: Store) -> Alarms:
    return alarms(store)


async def test_standing_alarms_come_most_urgent_first_with_why_and_what_can_be_done(api: Api, plant: Alarms) -> None:
    await plant.anomaly(START_NS)
    await plant.gateway(START_NS)
    gateway, spike = (await api.http.get("/v1/alarms")).json()["alarms"]
    assert (gateway["source"], gateway["priority"]) == ("gateways/edge-factory", "high")
    assert spike["source"] == VIBRATION
    assert spike["since"] == "2026-03-02T10:15:10.000000Z"
    assert spike["why"]["score"] == 7.5
    assert spike["actions"] == ["acknowledge", "shelve", "comment", "verdict"]


async def test_filters_and_pages(api: Api, plant: Alarms) -> None:
    for detector in ("spike", "drift", "range"):
        await plant.anomaly(START_NS, detector=detector)
    await plant.gateway(START_NS)

    async def names(**query: object) -> list[str]:
        answer = await api.http.get("/v1/alarms", params=query)  # type: ignore[arg-type]
        return [one["name"] for one in answer.json()["alarms"]]

    assert sorted(await names(under=MILL)) == ["drift", "range", "spike"]
    assert await names(priority="high") == ["offline"]
    assert await names(under="gateways/edge-factory") == ["offline"]
    assert await names(state="shelved") == []
    assert await names(since="now") == []
    found, cursor = [], None
    while True:
        page = (await api.http.get("/v1/alarms", params={"limit": 3} | ({"cursor": cursor} if cursor else {}))).json()
        found += [one["id"] for one in page["alarms"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(found) == len(set(found)) == 4
    problem(await api.http.get("/v1/alarms", params={"cursor": "nonsense"}), 422, "wrong-cursor")
    problem(await api.http.get("/v1/alarms", params={"under": "factory/nowhere"}), 404, "unknown-asset")


async def test_an_acknowledgement_is_kept_takes_effect_and_stands_in_the_history(api: Api, plant: Alarms) -> None:
    alarm = await plant.anomaly(START_NS)
    answer = await api.http.post(f"/v1/alarms/{alarm}/acknowledge", json=KIM)
    assert answer.status_code == 202
    await plant.obey()
    shown = (await api.http.get(f"/v1/alarms/{alarm}")).json()
    assert shown["phase"] == "acknowledged"
    assert [step["what"] for step in shown["history"]] == ["raised", "acknowledged"]
    last = shown["history"][-1]
    assert (last["operator"], last["comment"], last["action"]) == ("Kim", "I am on my way", answer.json()["id"])
    again = problem(await api.http.post(f"/v1/alarms/{alarm}/acknowledge", json=KIM), 409, "not-possible-now")
    assert "cannot be acknowledged" in again["detail"]


async def test_the_same_key_is_the_same_action_also_when_it_has_taken_effect(api: Api, plant: Alarms) -> None:
    alarm, headers = await plant.anomaly(START_NS), {"Idempotency-Key": str(uuid.uuid4())}
    first = await api.http.post(f"/v1/alarms/{alarm}/acknowledge", json=KIM, headers=headers)
    await plant.obey()
    second = await api.http.post(f"/v1/alarms/{alarm}/acknowledge", json=KIM, headers=headers)
    assert (second.status_code, second.json()) == (202, first.json())
    other = await api.http.post(f"/v1/alarms/{alarm}/comment", json=KIM, headers=headers)
    problem(other, 409, "key-is-used")
    assert len(await plant.store.actions.after(0)) == 1


@pytest.mark.parametrize("body", [{}, {"comment": " "}, {**KIM, "password": "x"}, {**KIM, "operator": "Alex"}])
async def test_why_is_asked_for_and_who_is_whoever_is_signed_in(api: Api, plant: Alarms, body: dict[str, str]) -> None:
    alarm = await plant.anomaly(START_NS)
    problem(await api.http.post(f"/v1/alarms/{alarm}/acknowledge", json=body), 422, "invalid-parameters")


async def test_shelving_has_an_end_and_can_be_ended(api: Api, plant: Alarms) -> None:
    alarm = await plant.anomaly(START_NS)
    await api.http.post(f"/v1/alarms/{alarm}/shelve", json={**KIM, "for_s": 600})
    await plant.obey()
    (shown,) = (await api.http.get("/v1/alarms", params={"state": "shelved"})).json()["alarms"]
    assert shown["shelf"]["operator"] == "Kim"
    assert not shown["announced"]
    assert (await api.http.get("/v1/alarms", params={"state": "announced"})).json()["alarms"] == []
    await api.http.post(f"/v1/alarms/{alarm}/unshelve", json=KIM)
    await plant.obey()
    assert (await api.http.get(f"/v1/alarms/{alarm}")).json()["announced"]


async def test_an_unknown_alarm_is_a_404_problem(api: Api) -> None:
    problem(await api.http.get(f"/v1/alarms/{uuid.uuid4()}"), 404, "unknown-alarm")
    problem(await api.http.post(f"/v1/alarms/{uuid.uuid4()}/comment", json=KIM), 404, "unknown-alarm")


async def test_a_page_from_elsewhere_may_not_act_in_the_operators_name(api: Api, plant: Alarms) -> None:
    alarm = await plant.anomaly(START_NS)
    headers = {"Origin": "https://elsewhere.example"}
    problem(await api.http.post(f"/v1/alarms/{alarm}/acknowledge", json=KIM, headers=headers), 403, "foreign-origin")
    assert await plant.store.actions.after(0) == []


async def test_maintenance_suppresses_until_it_is_ended(api: Api, plant: Alarms) -> None:
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    body = {**KIM, "under": MILL, "end": end}
    window = (await api.http.post("/v1/maintenance", json=body)).json()["id"]
    await plant.obey()
    await plant.anomaly(time.time_ns())
    (shown,) = (await api.http.get("/v1/alarms", params={"state": "suppressed"})).json()["alarms"]
    assert shown["suppressed_by"] == [f"maintenance:{window}"]
    assert (await api.http.post(f"/v1/maintenance/{window}/end", json=KIM)).status_code == 202
    await plant.obey()
    assert (await api.http.get("/v1/alarms", params={"state": "suppressed"})).json()["alarms"] == []
    (listed,) = (await api.http.get("/v1/maintenance")).json()["windows"]
    assert (listed["under"], listed["ended_by"]) == (MILL, "Kim")
    problem(await api.http.post(f"/v1/maintenance/{window}/end", json=KIM), 409, "not-possible-now")


async def test_a_window_that_cannot_be_is_refused(api: Api) -> None:
    problem(await api.http.post("/v1/maintenance", json={**KIM, "under": MILL}), 422, "wrong-window")
    past = {**KIM, "under": MILL, "end": "2026-01-01T00:00:00Z"}
    problem(await api.http.post("/v1/maintenance", json=past), 422, "wrong-window")
    problem(await api.http.post("/v1/maintenance", json={**past, "under": "factory/nowhere"}), 404, "unknown-asset")
    problem(await api.http.post("/v1/maintenance/99/end", json=KIM), 404, "unknown-window")
    problem(await api.http.post("/v1/new-normal", json={**KIM, "path": "nowhere"}), 404, "unknown-asset")


async def test_a_new_normal_is_kept_for_the_detectors(api: Api, plant: Alarms) -> None:
    assert (await api.http.post("/v1/new-normal", json={**KIM, "path": VIBRATION})).status_code == 202
    (action,) = await plant.store.actions.after(0)
    assert (action.kind, action.target) == ("new-normal", VIBRATION)


async def test_a_report_names_bad_actors_and_the_precision_of_each_detector(api: Api, plant: Alarms) -> None:
    now = time.time_ns() - 3600 * S
    for at in range(4):
        alarm = await plant.anomaly(now + at * 300 * S)
        await plant.anomaly(now + (at * 300 + 100) * S, condition=False)
    await plant.anomaly(now, detector="drift")
    for occurrence in range(1, 5):
        verdict = {**KIM, "verdict": "false" if occurrence == 1 else "real", "occurrence": occurrence}
        assert (await api.http.post(f"/v1/alarms/{alarm}/verdict", json=verdict)).status_code == 202
    await plant.obey()
    shown = (await api.http.get("/v1/alarms/reports", params={"start": "-2h"})).json()
    assert shown["raised"] == 5
    assert shown["per_operator_h"] == 2.5
    assert (shown["bad_actors"][0]["name"], shown["bad_actors"][0]["raised"]) == ("spike", 4)
    (precision,) = shown["precision"]
    assert (precision["detector"], precision["real"], precision["false"], precision["precision"]) == (
        "spike",
        3,
        1,
        0.75,
    )
    assert shown["flood_share"] == 0


async def test_a_replay_finds_the_episodes_of_a_limit_that_is_not_armed(
    api: Api, store: Store, ids: dict[str, int]
) -> None:
    times = START_NS + np.arange(3_000, dtype=np.int64) * S
    values = np.where((np.arange(3_000) // 100) % 5 == 4, 9.0, 1.0)
    await commit(store, ids[VIBRATION], times, values)
    rule = {"signal": VIBRATION, "name": "hi", "limit": 8, "on_delay_s": 5, "off_delay_s": 0}
    body = {"rule": rule, "start": "2026-03-02T10:15:00Z", "end": "2026-03-02T11:15:00Z"}
    shown = (await api.http.post("/v1/alarms/replay", json=body)).json()
    assert (shown["raised"], shown["read"]) == (6, 3_000)
    first = shown["episodes"][0]
    assert first["raised_at"] == "2026-03-02T10:21:45.000000Z"
    assert first["cleared_at"] == "2026-03-02T10:23:20.000000Z"
    assert shown["episodes"][-1]["cleared_at"] is None  # nothing came after it
    assert shown["active_share"] == pytest.approx((5 * 95 + 3600 - 2905) / 3600, abs=1e-5)
    assert shown["per_day"] == [{"day": "2026-03-02", "raised": 6}]
    longer = {**body, "rule": {**rule, "on_delay_s": 900}}
    assert (await api.http.post("/v1/alarms/replay", json=longer)).json()["raised"] == 0


async def test_a_replay_that_cannot_be_made_says_why(api: Api) -> None:
    problem(await api.http.post("/v1/alarms/replay", json={}), 422, "wrong-replay")
    no_limit = {"rule": {"signal": f"{MILL}/power", "name": "lo"}}
    problem(await api.http.post("/v1/alarms/replay", json=no_limit), 422, "no-limit")
    counter = {"rule": {"signal": f"{MILL}/good-count", "name": "hi", "limit": 1}}
    problem(await api.http.post("/v1/alarms/replay", json=counter), 422, "wrong-kind")
    unknown = {"rule": {"signal": f"{MILL}/vibratoin", "name": "hi", "limit": 1}}
    assert VIBRATION in problem(await api.http.post("/v1/alarms/replay", json=unknown), 404, "unknown-signal")["do"]
