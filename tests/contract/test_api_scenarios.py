"""Scenarios over a real api: taken, simulated, answered in every representation, bounded."""

import asyncio
import csv
import io

import pyarrow
import pyarrow.parquet
import pytest

from tests.contract.api_server import api_settings, running_api

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
    async with asyncio.timeout(100):
        while (found := (await api.http.get(where)).json())["state"] not in {"done", "failed"}:
            await asyncio.sleep(0.05)
    return found


@pytest.fixture
async def api():
    async with running_api(api_settings()) as running:
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


async def test_a_live_scenario_without_a_store_says_that_it_cannot_be_trusted_yet(api):
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
