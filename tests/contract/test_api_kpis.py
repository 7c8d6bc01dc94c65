"""Key figures over the api: from stored samples to OEE, back to intervals, and what a person says of them."""

import asyncio
import io
import json
import re
import time

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tests import servers
from tests.contract.api_samples import commit, commit_texts, register
from tests.contract.api_server import MILL, api_process, api_settings, make_key
from tests.contract.api_server import PLANT as PLANT_FILE
from twin.client import ApiProblem, Twin
from twin.commands.cli import app
from twin.commands.kpi_store import KpiStore
from twin.learn.kpi_buckets import kpi_buckets
from twin.plant.load import load_plant
from twin.store.connect import open_store

S = 1_000_000_000
NOW_NS = time.time_ns() // S * S
START_NS = NOW_NS - 4 * 3600 * S
PLANT = load_plant(PLANT_FILE)


async def _turn(dsn):
    async with open_store(dsn) as store:
        return await kpi_buckets(PLANT, KpiStore(store)).run(NOW_NS)


async def _fill(dsn):
    """Four hours of a mill: a part every 20 s, each fourth minute in fault; 2 of 60 parts are scrap."""
    ids = await register(dsn)
    times = np.arange(START_NS, NOW_NS, 5 * S, dtype=np.int64)
    state = np.where((times - START_NS) // (60 * S) % 4 == 2, 4.0, 1.0)
    runs = np.flatnonzero((state == 1) & ((times - START_NS) % (20 * S) == 0))
    async with open_store(dsn) as store:
        await commit(store, ids[f"{MILL}/state"], times, state)
        await commit(store, ids[f"{MILL}/good-count"], times[runs], np.arange(float(len(runs))))
        await commit(store, ids[f"{MILL}/scrap-count"], times[runs], np.floor(np.arange(float(len(runs))) / 30))
        await commit_texts(store, ids[f"{MILL}/order"], times[:2], ["PO-1", "PO-2"])


@pytest.fixture(scope="module")
def served(tmp_path_factory, database):
    folder = tmp_path_factory.mktemp("kpis")
    asyncio.run(_fill(database.dsn))
    asyncio.run(_turn(database.dsn))
    with api_process(api_settings(dsn=database.dsn), folder / "api.log") as (port, _):
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
            servers.wait_for(lambda: http.get("/v1/kpis?under=factory").status_code == 200, what="the store")
            http.headers["Authorization"] = f"Bearer {asyncio.run(make_key(database.dsn, 'ann', 'engineer'))}"
            yield http, database.dsn, folder
        assert "Traceback" not in (folder / "api.log").read_text()


def test_the_sum_of_a_machine_says_how_well_it_did(served):
    http, _, _ = served
    (row,) = http.get("/v1/kpis", params={"under": MILL}).raise_for_status().json()["rows"]
    assert row["quantities"]["good"] == 539
    assert row["seconds"]["production"] + row["seconds"]["minor-stop"] == pytest.approx(4 * 3600, abs=10)
    assert row["figures"]["quality_ratio"] == pytest.approx(539 / 556, abs=0.002)
    assert row["figures"]["mttr_s"] is None  # a minute of fault is a minor stop here
    assert row["figures"]["coverage"] > 0.7


def test_every_format_says_the_same(served):
    http, _, _ = served
    asked = {"under": "factory", "level": "unit", "by": "hour", "start": "-6h"}
    rows = http.get("/v1/kpis", params=asked).json()["rows"]
    lines = http.get("/v1/kpis", params={**asked, "format": "csv"}).text.splitlines()
    arrow = pa.ipc.open_stream(http.get("/v1/kpis", params={**asked, "format": "arrow"}).content).read_all()
    parquet = pq.read_table(io.BytesIO(http.get("/v1/kpis", params={**asked, "format": "parquet"}).content))
    assert len(rows) == len(lines) - 1 == arrow.num_rows == parquet.num_rows > 4
    assert parquet.equals(arrow)
    assert arrow["availability"].to_pylist() == [row["figures"]["availability"] for row in rows]
    assert arrow["good"].to_pylist() == [row["quantities"].get("good", 0.0) for row in rows]


def test_units_that_turn_are_answered_too(served):
    http, _, _ = served
    found = http.get("/v1/kpis", params={"under": "terminal", "level": "unit", "start": "-6h"})
    assert found.status_code == 200, found.text


def test_the_lineage_leads_to_intervals_and_increments_that_add_up_to_the_figures(served):
    http, _, _ = served
    window = {"start": "-5h", "end": "now"}
    found = http.get("/v1/lineage", params={"asset": MILL, **window}).raise_for_status().json()
    assert sum(one["parts"] for one in found["increments"] if one["quantity"] == "good") == 539
    assert found["signals"]["machine-state"] == f"{MILL}/state"
    assert found["samples"]["machine-state"] == 2880
    assert all(
        one["end"] == after["start"] for one, after in zip(found["intervals"], found["intervals"][1:], strict=False)
    )
    assert {"production", "minor-stop"} <= {one["element"] for one in found["intervals"]}
    bottleneck = http.get("/v1/bottlenecks", params={"under": "factory/machining", **window}).json()
    assert max(bottleneck["shares"], key=lambda one: one["sole"])["asset"] == MILL
    assert bottleneck["confirmation"] is None


def test_a_bottleneck_is_confirmed_by_what_the_site_gains_when_it_is_faster(served):
    http, _, _ = served
    asked = {"under": "factory/machining", "start": "-2h", "confirm": "true"}
    found = http.get("/v1/bottlenecks", params=asked, timeout=300).raise_for_status().json()["confirmation"]
    assert (found["detail"], found["replications"]) == ("", 100)
    gains = {one["asset"]: one for one in found["sensitivity"]}
    assert len(gains) == 3
    assert gains[MILL]["low"] > 0  # a mill with a fault in every fourth minute
    assert found["bottleneck"] == max(gains, key=lambda asset: gains[asset]["gain_per_h"])


def test_what_an_operator_says_is_kept_with_what_it_was_and_moves_the_time(served):
    http, dsn, _ = served

    def at(minutes):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW_NS / 1e9 - 60 * minutes))

    order = {"start": at(90), "end": at(80), "reason": "maintenance", "comment": "filter change"}
    kept = http.post(f"/v1/intervals/{MILL}/reclassify", json=order)
    assert kept.status_code == 202, kept.text
    assert sum(kept.json()["was"].values()) == pytest.approx(600)
    asyncio.run(_turn(dsn))
    (row,) = http.get("/v1/kpis", params={"under": MILL}).json()["rows"]
    assert row["seconds"]["maintenance"] == pytest.approx(600)
    audit = http.get("/v1/lineage", params={"asset": MILL, "start": "-5h"}).json()["reclassified"]
    assert [(one["reason"], one["operator"], one["comment"]) for one in audit] == [
        ("maintenance", "key:ann", "filter change")
    ]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/kpis?under=nowhere", 404),
        ("/v1/kpis?under=factory&by=year", 422),
        ("/v1/lineage?asset=factory", 422),
        ("/v1/bottlenecks?under=factory&start=-9d", 422),
    ],
)
def test_a_question_that_cannot_be_answered_says_why(served, path, status):
    found = served[0].get(path)
    assert found.status_code == status
    assert found.json()["do"]


def test_the_command_line_shows_the_figures_and_exports_every_sample_once(served):
    _, dsn, folder = served
    config = folder / "twin.yaml"
    config.write_text(json.dumps({"plant": str(PLANT_FILE), "database": dsn, "broker": {"host": "127.0.0.1"}}))
    run = CliRunner()
    shown = run.invoke(app, ["kpis", "factory", "--level", "unit", "-c", str(config)])
    assert shown.exit_code == 0, shown.output
    assert MILL in shown.output
    assert "%" in shown.output
    out = folder / "export"
    for expected in ("3,962 samples", "0 samples in 0 new files"):
        said = run.invoke(app, ["export", str(out), "-c", str(config)])
        assert said.exit_code == 0, said.output
        assert expected in said.output
    table = pq.ParquetDataset(out).read() if not list(out.glob("*.part")) else None
    assert table is not None
    keys = list(zip(table["signal"].to_pylist(), table["time"].to_pylist(), strict=True))
    assert len(keys) == len(set(keys)) == 2880 + 2 * 540 + 2


def test_an_export_that_was_killed_between_file_and_cursor_writes_nothing_twice(served):
    _, dsn, folder = served
    config = folder / "twin.yaml"
    config.write_text(json.dumps({"plant": str(PLANT_FILE), "database": dsn, "broker": {"host": "127.0.0.1"}}))
    run, out = CliRunner(), folder / "killed"
    assert run.invoke(app, ["export", str(out), "-c", str(config)]).exit_code == 0
    (out / "_cursor.json").unlink()
    (out / "samples-000000000009-000000000010.parquet.part").write_bytes(b"torn")
    said = run.invoke(app, ["export", str(out), "-c", str(config)])
    assert "0 samples in 0 new files" in said.output
    assert not list(out.glob("*.part"))


@pytest.fixture
def client(served):
    """The planner's client, and what it has asked."""
    key = served[0].headers["Authorization"].removeprefix("Bearer ")
    with Twin(str(served[0].base_url), key=key) as twin:
        asked = []
        twin._http.event_hooks["request"].append(asked.append)
        yield twin, asked


def test_the_client_gives_the_figures_as_a_frame(served, client):
    twin, _ = client
    frame = twin.kpis(MILL, by="hour", start="-6h")
    rows = served[0].get("/v1/kpis", params={"under": MILL, "by": "hour", "start": "-6h"}).json()["rows"]
    assert frame["production_s"].tolist() == [row["seconds"]["production"] for row in rows]
    assert str(frame["start"].dtype) == "datetime64[us, UTC]"
    assert len(twin.series(f"{MILL}/good-count", start="-5h")) == 540
    assert set(twin.bottlenecks("factory/machining")["asset"]) >= {MILL}


def test_every_request_of_the_client_stands_in_the_api_document(served, client):
    twin, asked = client
    twin.plant(), twin.state(MILL), twin.series(f"{MILL}/state", points=10), twin.kpis("factory", level="unit")
    twin.bottlenecks("factory"), twin.forecasts("factory"), twin.forecast_accuracy(days=3), twin.alarms(), twin.risk()
    with pytest.raises(ApiProblem, match="nowhere: no unit"):
        twin.whatif({"title": "none", "under": "nowhere", "horizon": "1 h", "changes": []})
    paths = served[0].get("/openapi.json").json()["paths"]
    for request in asked:
        known = next(one for path, one in paths.items() if _fits(path, request.url.path))[request.method.lower()]
        names = {one["name"] for one in known.get("parameters", ()) if one["in"] == "query"}
        assert set(request.url.params) <= names, request.url
    assert len({request.url.path for request in asked}) == 10


def _fits(path, asked):
    return re.fullmatch(re.sub(r"\\{[^}]*\\}", ".+", re.escape(path)), asked) is not None


def test_the_client_says_what_is_wrong_and_what_to_do(client):
    twin, _ = client
    with pytest.raises(ApiProblem, match="there is no") as caught:
        twin.kpis("factory/machining/mil-1")
    assert (caught.value.status, bool(caught.value.do)) == (404, True)
    with Twin(f"http://127.0.0.1:{servers.free_port()}") as nowhere, pytest.raises(ApiProblem, match="is the address"):
        nowhere.plant()
