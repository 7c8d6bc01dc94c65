"""Scenarios over a real api: taken, simulated, answered in every representation, bounded."""

import asyncio
import contextlib
import csv
import io
from datetime import UTC, datetime

import numpy as np
import orjson
import pyarrow
import pyarrow.parquet
import pytest

from api.board import Board, Noun
from api.history import Surroundings
from api.store_link import StoreLink
from tests import servers
from tests.contract.api_samples import commit, register
from tests.contract.api_server import PLANT, api_settings, running_api
from twin.plant.load import load_plant
from twin.store.connect import open_store
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


@pytest.fixture(scope="module")
def database():
    with servers.postgres() as server:
        yield server


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
    listed = (await api.http.get("/v1/scenarios")).json()["scenarios"]
    assert [one["title"] for one in listed] == ["Lathe down"]


async def test_a_live_scenario_without_a_store_says_that_it_cannot_be_trusted_yet():
    with contextlib.ExitStack() as stack:
        dsn = stack.enter_context(servers.postgres()).dsn
        async with running_api(api_settings(dsn=dsn)) as api:
            await api.parts.link.opened()
            await api.sign_in("Ann", "planner")
            await asyncio.to_thread(stack.close)  # who has signed in a moment ago is still believed
            taken = await api.http.post("/v1/scenarios", json={**DOWN, "start": "live"})
            found = await done(api, taken.headers["location"])
    assert found["state"] == "done", found
    assert found["answer"]["trust"].startswith("not yet: the store is away")


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
    assert (await api.http.get("/v1/scenarios/none")).status_code == 404
    heavy = {**DOWN, "replications": 4_000}
    where = (await api.http.post("/v1/scenarios", json=heavy)).headers["location"]
    early = await api.http.get(where, params={"format": "csv"})
    assert early.json()["type"].endswith("not-done")


async def test_history_and_the_live_state_surround_a_live_scenario_and_a_back_test_judges_it(database):
    noon = datetime(2026, 11, 25, 12, tzinfo=UTC)  # a Wednesday, early shift; the sample at noon itself is not yet past
    lathe, packer = "factory/machining/lathe-1", "factory/assembly/line-1/packer-1"
    plant, board = load_plant(PLANT), Board()
    document = {"format": 1, "path": lathe, "at": "2026-11-25T12:00:00Z", "signals": {},
                "machine_state": {"name": "fault", "category": "OutOfService", "since": "2026-11-25T11:50:00Z"}}  # fmt: skip
    board.put(Noun.ASSET, lathe, orjson.dumps(document))
    noon_ns = int(noon.timestamp()) * 10**9
    ids = await register(database.dsn)
    async with open_store(database.dsn) as store:
        times = noon_ns - np.arange(1_000, dtype=np.int64)[::-1] * 11 * 10**9
        await commit(store, ids[f"{lathe}/cycle-time"], times, 11.5 + 0.5 * np.sin(np.arange(1_000.0)))
        parts = noon_ns - np.arange(500, dtype=np.int64)[::-1] * 13_400_000_000  # 269 an hour
        await commit(store, ids[f"{packer}/good-count"], parts, np.arange(7_000.0, 7_500.0))
    link = StoreLink(database.dsn)
    running = asyncio.create_task(link.run())
    await link.opened()
    text = ScenarioText.model_validate({"title": "t", "under": "factory"})
    setting, trust = await Surroundings(plant, board, link, lambda: noon)(text)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert setting.start_at == noon
    assert setting.now[lathe].down_since_s == 600
    assert setting.learnt[lathe].cycle.mean_s == pytest.approx(11.5, rel=0.01)
    assert trust.startswith("trusted since 2026-11-25T12:00Z; factory: "), trust
    assert "498 real in 1.9 h" in trust
