"""Scenarios over a real api and store: taken, simulated, answered in every representation, kept, bounded."""

import asyncio
import csv
import io
import uuid
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from api.history import Surroundings
from tests.contract.api_samples import commit, register
from tests.contract.api_server import PLANT, api_settings, running_api
from twin.plant.load import load_plant
from twin.risk.statement import Assessment, Basis, Statement
from twin.state.model import Transition
from twin.store.connect import open_store
from twin.whatif.build import Chance
from twin.whatif.scenario import ScenarioText

pytestmark = pytest.mark.timeout(600)

DOWN = {
    "title": "Lathe down",
    "under": "factory",
    "horizon": "4 h",
    "replications": 20,
    "buckets": 16,
    "start": "plan",
    "start_at": "2026-11-25T06:00:00Z",
    "changes": [{"change": "down", "asset": "factory/machining/lathe-1", "for": "1 h"}],
}


async def done(api, where):
    async with asyncio.timeout(500):  # the first simulation on a machine compiles its kernels
        while (found := (await api.http.get(where)).json())["state"] not in {"done", "failed"}:
            await asyncio.sleep(0.05)
    return found


@pytest.fixture
async def api(database):
    async with running_api(api_settings(dsn=database.dsn)) as running:
        await running.parts.link.opened()
        await running.sign_in("Ann", "planner")
        yield running


async def test_a_scenario_is_taken_simulated_and_answered_in_every_representation(api):
    taken = await api.http.post("/v1/scenarios", json=DOWN)
    assert taken.status_code == 202, taken.text
    where = taken.headers["location"]
    found = await done(api, where)
    assert found["state"] == "done", found
    assert found["progress"] == 1.0
    assert found["base_at"] == "2026-11-25T06:00:00.000000Z"
    assert found["question"]["changes"][0]["for"] == 3600
    (output,) = found["answer"]["outputs"]
    assert output["high"] < 0
    assert found["answer"]["trust"].startswith("not asked")
    rows = list(csv.DictReader(io.StringIO((await api.http.get(where, params={"format": "csv"})).text)))
    assert len(rows) == 16
    assert float(rows[0]["base_q50"]) > float(rows[0]["changed_q50"])
    arrow = await api.http.get(where, headers={"Accept": "application/vnd.apache.arrow.stream"})
    parquet = await api.http.get(where, params={"format": "parquet"})
    tables = [
        pyarrow.ipc.open_stream(arrow.content).read_all(),
        pyarrow.parquet.read_table(io.BytesIO(parquet.content)),
    ]
    assert [table.num_rows for table in tables] == [16, 16]
    for part in ("outputs", "assets", "orders", "sensitivity", "takeovers", "back_tests"):
        rows = (await api.http.get(where, params={"format": "parquet", "table": part})).content
        assert pyarrow.parquet.read_table(io.BytesIO(rows)).num_rows == len(found["answer"][part])


async def test_answers_outlive_the_process_and_any_other_one_has_them(database):
    settings = api_settings(dsn=database.dsn)
    async with running_api(settings) as one, running_api(settings) as other:
        await one.parts.link.opened()
        await other.parts.link.opened()
        await one.sign_in("Ann", "planner")
        await other.sign_in("Ann", "planner")
        key, order = {"Idempotency-Key": str(uuid.uuid4())}, {**DOWN, "title": "Kept"}
        asked = [api.http.post("/v1/scenarios", json=order, headers=key) for api in (one, other)]
        (where,) = {answer.headers["location"] for answer in await asyncio.gather(*asked)}
        again = await one.http.post("/v1/scenarios", json={**order, "title": "Other"}, headers=key)
        assert again.json()["type"].endswith("key-is-used")
        assert (await other.http.get(where)).json()["title"] == "Kept"
        answered = await done(other, where)
    async with running_api(settings) as restarted:
        await restarted.parts.link.opened()
        assert (await restarted.http.get(where)).json() == answered
        listed = await restarted.http.get("/v1/scenarios")
        assert [one["title"] for one in listed.json()["scenarios"]].count("Kept") == 1
        rows = list(
            csv.DictReader(io.StringIO((await restarted.http.get("/v1/scenarios", params={"format": "csv"})).text))
        )
        assert (rows[0]["title"], rows[0]["state"]) == ("Kept", "done")


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"replications": 100_000, "horizon": "60 d"}, "too-much-work"),
        ({"under": "nowhere"}, "unknown-in-scenario"),
        ({"changes": [{"change": "down", "asset": "factory/nothing", "for": 1}]}, "unknown-in-scenario"),
        ({"orders": [{"asset": "factory/machining", "things": 1, "due": 1}]}, "unknown-in-scenario"),
        ({"changes": [{"change": "explode"}]}, "invalid-parameters"),
        ({"replications": 0}, "invalid-parameters"),
        ({"strange": 1}, "invalid-parameters"),
    ],
)
async def test_what_cannot_be_simulated_is_a_problem_that_says_what_to_do(api, change, name):
    refused = await api.http.post("/v1/scenarios", json={**DOWN, **change})
    document = refused.json()
    assert refused.status_code == 422
    assert document["type"].endswith(name), document
    assert document["do"]


async def test_an_unknown_scenario_and_an_early_table_are_problems(api):
    for unknown in ("none", uuid.uuid4()):
        assert (await api.http.get(f"/v1/scenarios/{unknown}")).status_code == 404
    heavy = {**DOWN, "replications": 4_000}
    where = (await api.http.post("/v1/scenarios", json=heavy)).headers["location"]
    early = await api.http.get(where, params={"format": "csv"})
    assert early.json()["type"].endswith("not-done")


async def test_history_risk_and_the_live_state_surround_a_live_scenario_and_a_back_test_judges_it(
    own_database,
):
    noon = datetime(2026, 11, 25, 12, tzinfo=UTC)  # a Wednesday, early shift; the sample at noon itself is not yet past
    lathe, packer, mill = (
        f"factory/{unit}" for unit in ("machining/lathe-1", "assembly/line-1/packer-1", "machining/mill-1")
    )
    rack = "factory/machining/rack-milled"
    plant = load_plant(PLANT)
    noon_ns = int(noon.timestamp()) * 10**9
    ids = await register(own_database.dsn)
    async with open_store(own_database.dsn) as store:
        times = noon_ns - np.arange(1_000, dtype=np.int64)[::-1] * 11 * 10**9
        await commit(store, ids[f"{lathe}/cycle-time"], times, 11.5 + 0.5 * np.sin(np.arange(1_000.0)))
        parts = noon_ns - np.arange(500, dtype=np.int64)[::-1] * 13_400_000_000  # 269 an hour
        await commit(store, ids[f"{packer}/good-count"], parts, np.arange(7_000.0, 7_500.0))
        await commit(store, ids[f"{rack}/level"], times[-2:], np.array([3.0, 11.0]))
        fault = Transition(lathe, noon_ns - 600 * 10**9, 4, "fault", "OutOfService")
        await store.findings.write(1, [], [fault], "test")
        risks = tuple(
            Assessment(hours, p, 0.1, 0.9, basis, 9)
            for hours, p, basis in ((8.0, 0.5, Basis.CALIBRATED), (168.0, 0.8, Basis.CALIBRATED))
        )
        guess = (Assessment(8.0, 0.9, 0.1, 0.95, Basis.PRIOR, 0),)
        at_ns = noon_ns - 3_600 * 10**9
        await store.risks.write([Statement(mill, at_ns, risks, 1), Statement(packer, at_ns, guess, None)])
        text = ScenarioText.model_validate({"title": "t", "under": "factory", "horizon": "8 h"})
        setting, trust = await Surroundings(plant, store, lambda: noon)(text)
        late = lambda: noon + timedelta(hours=7)  # noqa: E731
        assert (await Surroundings(plant, store, late)(text))[0].risk == {}  # what was said then holds no more
    assert setting.start_at == noon
    assert setting.now[lathe].down_since_s == pytest.approx(600)
    assert setting.now[rack].level == 11
    assert setting.learnt[lathe].cycle.mean_s == pytest.approx(11.5, rel=0.01)
    assert setting.risk == {mill: Chance(0.5, 8 * 3600.0)}
    assert trust.words.startswith("trusted since 2026-11-25T12:00Z; factory: "), trust
    assert "498 real in 1.9 h" in trust.words
    (test,) = trust.tests
    assert (test.real, test.holds) == (498, True)
