"""Forecasts over HTTP: the newest issue, an earlier one, in every form; how right they were."""

import asyncio
import io
import time
from collections.abc import AsyncGenerator
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet
import pytest
import pytest_asyncio

from tests.contract.api_server import MILL, Api, api_settings, running_api
from tests.contract.conftest import Database
from twin.forecast.issued import LEVELS, Forecast
from twin.store.connect import open_store

HOUR_NS = 3_600_000_000_000
NOW_NS = time.time_ns() // HOUR_NS * HOUR_NS
OTHER = "factory/machining/mill-2"


def shift(asset: str, number: int, origin_ns: int = NOW_NS) -> Forecast:
    start_ns = NOW_NS + 8 * number * HOUR_NS
    quantiles = tuple(100 * level for level in LEVELS)
    return Forecast(
        asset,
        "shift",
        origin_ns,
        start_ns,
        start_ns + 8 * HOUR_NS,
        "early",
        "parts",
        50.0,
        quantiles,
        40.0,
        quantiles,
        20.0,
        "mature",
    )


async def _fill(dsn: str) -> None:
    ended = replace(shift(MILL, -3, NOW_NS - 30 * HOUR_NS), centre=1.0)
    async with open_store(dsn) as store:
        await store.forecasts.save([*(shift(MILL, number) for number in range(2)), shift(OTHER, 0), ended])
        await store.forecasts.settle([replace(ended, actual=21.0)])


@pytest.fixture(scope="module")
def filled(database: Database) -> Database:
    asyncio.run(_fill(database.dsn))
    return database


@pytest_asyncio.fixture
async def api(filled: Database) -> AsyncGenerator[Api]:
    async with running_api(api_settings(dsn=filled.dsn)) as running:
        await running.parts.link.opened()
        yield running


async def test_the_newest_issue_of_everything_below_a_path(api: Api):
    body = (await api.http.get("/v1/forecasts", params={"under": "factory/machining", "by": "shift"})).json()
    assert body["levels"] == list(LEVELS)
    assert body["asset"] == [MILL, MILL, OTHER]
    assert body["mean"] == [50.0] * 3
    assert body["quantiles"][0] == [100 * level for level in LEVELS]
    assert body["actual"] == [None] * 3


async def test_an_earlier_origin_gives_what_was_said_then_and_what_came(api: Api):
    body = (await api.http.get("/v1/forecasts", params={"under": MILL, "origin": "-1d"})).json()
    assert (body["mean"], body["actual"]) == ([1.0], [21.0])


async def test_a_forecast_is_a_data_frame_in_one_call(api: Api):
    csv = await api.http.get("/v1/forecasts", params={"under": MILL, "format": "csv"})
    lines = csv.text.splitlines()
    assert len(lines) == 3
    assert lines[0].split(",")[7] == '"quantiles_1"'
    parquet = await api.http.get("/v1/forecasts", params={"under": MILL, "format": "parquet"})
    table = pa.parquet.read_table(io.BytesIO(parquet.content))
    assert table.column("mean").to_pylist() == [50.0, 50.0]
    arrow = await api.http.get(
        "/v1/forecasts", params={"under": MILL}, headers={"Accept": "application/vnd.apache.arrow.stream"}
    )
    assert pa.ipc.open_stream(arrow.content).read_all().equals(table)


async def test_accuracy_says_how_often_the_truth_lay_inside(api: Api):
    body = (await api.http.get("/v1/forecasts/accuracy", params={"under": MILL})).json()
    assert (body["count"], body["days_ahead"]) == ([1], [0])
    assert (body["inside_50"], body["inside_80"]) == ([0.0], [1.0])
    assert body["mase"] == [1.0]  # wrong by 20, as the seasonal naive


@pytest.mark.parametrize(
    ("parameters", "status", "kind"),
    [
        ({"under": "factory/nowhere"}, 404, "unknown-asset"),
        ({"origin": "yesterday"}, 422, "invalid-parameters"),
        ({"by": "month"}, 422, "invalid-parameters"),
    ],
)
async def test_what_cannot_be_answered_says_why(api: Api, parameters: dict[str, str], status: int, kind: str):
    answer = await api.http.get("/v1/forecasts", params=parameters)
    assert answer.status_code == status
    assert answer.json()["type"].endswith(kind)
    assert answer.json()["do"]
