import asyncio
import csv
import io
from collections.abc import AsyncGenerator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import pytest_asyncio

from api.series import Chunk, Reader
from api.settings import SeriesLimits
from api.window import Window, rfc3339
from tests import servers
from tests.contract.api_samples import START_NS, commit, commit_texts, register
from tests.contract.api_server import MILL, PLANT, Api, api_settings, running_api, until
from tests.contract.conftest import Database
from twin.plant.load import load_plant
from twin.state.model import Finding, Transition, finding_id
from twin.store.connect import Store, open_store
from twin.store.embedded import EmbeddedPostgres

CURRENT = f"{MILL}/spindle-current"
ORDER = f"{MILL}/order"
SECOND = 10**9


@pytest.fixture(scope="module")
def ids(database: Database) -> dict[str, int]:
    return asyncio.run(register(database.dsn))


@pytest_asyncio.fixture
async def store(database: Database, ids: dict[str, int]) -> AsyncGenerator[Store]:
    async with open_store(database.dsn) as opened:
        yield opened
        async with opened.database.connection() as connection:
            await connection.execute(
                "TRUNCATE sample, sample_text, gap, finding, transition, rollup_minute, rollup_hour, rollup_day, retention"
            )


@pytest_asyncio.fixture
async def api(database: Database, store: Store) -> AsyncGenerator[Api]:
    limits = SeriesLimits(max_json_rows=5_000, chunk_rows=1_000)
    async with running_api(api_settings(dsn=database.dsn, series=limits)) as running:
        await running.parts.link.opened()
        yield running


def series_url(path: str) -> str:
    return f"/v1/signals/{path}/series"


def around(seconds: float) -> dict[str, str]:
    return {"start": rfc3339(START_NS), "end": rfc3339(START_NS + int(seconds * SECOND))}


def wave(n: int, step_ns: int = SECOND // 10) -> tuple[np.ndarray, np.ndarray]:
    """Values at uneven whole microseconds."""
    random = np.random.default_rng(7)
    times = START_NS + np.arange(n, dtype=np.int64) * step_ns + random.integers(0, step_ns // 2000, n) * 1000
    return times, np.round(10 + 3 * np.sin(np.arange(n) / 50) + random.normal(0, 0.1, n), 3)


async def test_json_columns_hold_every_sample_exactly(api: Api, store: Store, ids: dict[str, int]) -> None:
    times, values = wave(500)
    quality = (np.arange(500) % 3).astype(np.uint8)
    await commit(store, ids[CURRENT], times, values, quality)
    document = (await api.http.get(series_url(CURRENT), params=around(60))).json()
    assert document["signal"] == CURRENT
    assert document["unit"] == "A"
    assert document["reduced"] is False
    assert document["rows"] == 500
    assert [round(ms * 1000) for ms in document["time_ms"]] == (times // 1000).tolist()
    assert document["value"] == values.tolist()
    assert document["quality"] == quality.tolist()


async def test_the_window_is_half_open(api: Api, store: Store, ids: dict[str, int]) -> None:
    times = START_NS + np.arange(4, dtype=np.int64) * SECOND
    await commit(store, ids[CURRENT], times, np.arange(4.0))
    document = (await api.http.get(series_url(CURRENT), params=around(3))).json()
    assert document["value"] == [0.0, 1.0, 2.0]


async def test_a_reduced_series_keeps_the_extremes(api: Api, store: Store, ids: dict[str, int]) -> None:
    times, values = wave(4_000)
    values[1234], values[2345] = 99.0, -99.0
    await commit(store, ids[CURRENT], times, values)
    document = (await api.http.get(series_url(CURRENT), params={**around(500), "points": 100})).json()
    assert document["reduced"] is True
    assert 20 <= document["rows"] <= 100
    assert {99.0, -99.0, values[0], values[-1]} <= set(document["value"])


async def test_a_gap_is_listed_and_lowers_the_coverage(api: Api, store: Store, ids: dict[str, int]) -> None:
    times, values = wave(100)
    hole = (START_NS + 20 * SECOND, START_NS + 30 * SECOND)
    overlap = (START_NS + 25 * SECOND, START_NS + 40 * SECOND)
    await commit(store, ids[CURRENT], times, values, gaps=[hole, overlap])
    document = (await api.http.get(series_url(CURRENT), params=around(100))).json()
    assert document["coverage"] == 0.8
    assert [gap["start"] for gap in document["gaps"]] == [rfc3339(hole[0]), rfc3339(overlap[0])]
    assert document["gaps"][0]["cause"] == "subscription-lost"
    untouched = (await api.http.get(series_url(CURRENT), params=around(10))).json()
    assert (untouched["coverage"], untouched["gaps"]) == (1.0, [])


async def test_texts_come_in_every_representation(api: Api, store: Store, ids: dict[str, int]) -> None:
    texts = ["order 1", 'with "quotes", and commas', "two\nlines", "Grüße"]
    times = START_NS + np.arange(4, dtype=np.int64) * SECOND
    await commit_texts(store, ids[ORDER], times, texts)
    answer = await api.http.get(series_url(ORDER), params=around(60))
    assert answer.json()["value"] == texts
    answer = await api.http.get(series_url(ORDER), params=around(60), headers={"Accept": "text/csv"})
    assert [row["value"] for row in csv.DictReader(io.StringIO(answer.text, newline=""))] == texts
    answer = await api.http.get(series_url(ORDER), params={**around(60), "format": "arrow"})
    assert pa.ipc.open_stream(answer.content).read_all()["value"].to_pylist() == texts


async def test_texts_beyond_one_chunk_are_all_streamed(api: Api, store: Store, ids: dict[str, int]) -> None:
    times = START_NS + np.arange(2_500, dtype=np.int64) * 1000
    await commit_texts(store, ids[ORDER], times, [f"order {n}" for n in range(2_500)])
    answer = await api.http.get(series_url(ORDER), params={**around(60), "format": "arrow"})
    assert pa.ipc.open_stream(answer.content).read_all()["value"].to_pylist() == [f"order {n}" for n in range(2_500)]


async def test_points_of_a_text_are_refused(api: Api) -> None:
    answer = await api.http.get(series_url(ORDER), params={"points": 100})
    assert answer.status_code == 422
    assert answer.json()["do"] == "leave points out"


async def test_csv_arrow_and_parquet_stream_a_long_window_exactly(api: Api, store: Store, ids: dict[str, int]) -> None:
    times, values = wave(200_000, SECOND // 100)
    await commit(store, ids[CURRENT], times, values)
    window = around(3_000)
    answer = await api.http.get(series_url(CURRENT), params=window, headers={"Accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    header, *lines = answer.text.splitlines()
    assert header == "time,value,quality"
    assert lines[0] == f"{rfc3339(int(times[0]))},{values[0]},0"
    assert len(lines) == 200_000
    answer = await api.http.get(
        series_url(CURRENT), params=window, headers={"Accept": "application/vnd.apache.arrow.stream"}
    )
    table = pa.ipc.open_stream(answer.content).read_all()
    assert table.schema.field("time").type == pa.timestamp("us", "UTC")
    assert table.schema.metadata[b"unit"] == b"A"
    assert np.array_equal(table["time"].cast(pa.int64()).to_numpy() * 1000, times)
    assert np.array_equal(table["value"].to_numpy(), values)
    answer = await api.http.get(series_url(CURRENT), params={**window, "format": "parquet"})
    assert answer.headers["content-disposition"].endswith('.parquet"')
    assert pq.read_table(io.BytesIO(answer.content)).equals(table)


async def test_no_chunk_of_a_stream_exceeds_its_limit_however_dense_a_burst_is(
    store: Store, ids: dict[str, int]
) -> None:
    sparse = START_NS + np.arange(2_000, dtype=np.int64) * 60 * SECOND
    burst = int(sparse[1000]) + 1000 + np.arange(30_000, dtype=np.int64) * 1000
    times = np.sort(np.concatenate([sparse, burst]))
    await commit(store, ids[CURRENT], times, np.arange(len(times), dtype=np.float64))
    reader = Reader(store, load_plant(PLANT).signal(CURRENT), ids[CURRENT])
    window = Window(946_684_800 * SECOND, START_NS + 200 * 86_400 * SECOND)
    chunks: list[Chunk] = [chunk async for chunk in reader.chunks(window, 1_000)]
    assert max(len(chunk) for chunk in chunks) <= 1_000
    assert np.array_equal(np.concatenate([chunk.time for chunk in chunks]), times)
    assert len(chunks) < 200


async def test_a_short_series_is_a_spreadsheet_and_a_long_one_is_told_how_to_come(
    api: Api, store: Store, ids: dict[str, int]
) -> None:
    times, values = wave(40)
    await commit(store, ids[CURRENT], times, values)
    answer = await api.http.get(series_url(CURRENT), params={**around(3_000), "format": "xlsx"})
    assert answer.headers["content-disposition"].endswith('.xlsx"')
    assert answer.content.startswith(b"PK")
    times, values = wave(5_001, SECOND // 10)
    await commit(store, ids[CURRENT], times, values)
    refused = await api.http.get(series_url(CURRENT), params={**around(3_000), "format": "xlsx"})
    assert refused.status_code == 422
    assert "parquet, which stream" in refused.json()["do"]


async def test_json_of_too_many_rows_is_refused_with_the_ways_out(api: Api, store: Store, ids: dict[str, int]) -> None:
    times, values = wave(5_001)
    await commit(store, ids[CURRENT], times, values)
    answer = await api.http.get(series_url(CURRENT), params=around(3_000))
    assert answer.status_code == 422
    assert answer.json()["type"].endswith(":too-many-rows")
    assert "points=" in answer.json()["do"]


async def rolled_up(store: Store, signal_id: int) -> np.ndarray:
    """Forty days, a value every half hour that holds for twenty minutes."""
    values = np.arange(40 * 48) % 7 + 1.0
    await commit(store, signal_id, START_NS + np.arange(len(values), dtype=np.int64) * 1_800 * SECOND, values)
    while await store.rollups.remake({signal_id: 1_200.0}):
        pass
    return values


async def test_a_long_window_is_told_by_roll_ups(api: Api, store: Store, ids: dict[str, int]) -> None:
    values = await rolled_up(store, ids[CURRENT])
    asked = {**around(40 * 86_400), "points": 400}
    document = (await api.http.get(series_url(CURRENT), params=asked)).json()
    assert (document["reduced"], document["bin_s"]) == (True, 3 * 3_600)
    assert document["rows"] == len(document["low"]) <= 401
    assert sum(document["samples"]) == len(values)
    assert sum(document["covered_s"]) == pytest.approx(len(values) * 1_200)
    assert document["low"][-1] is None  # only the last value holds into the last bin
    assert (min(document["low"][:-1]), max(document["high"][:-1])) == (1.0, 7.0)
    assert document["quality"] == [0] * (document["rows"] - 1) + [4]
    answer = await api.http.get(series_url(CURRENT), params={**asked, "format": "csv"})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [float(row["value"]) for row in rows] == document["value"]
    answer = await api.http.get(series_url(CURRENT), params={**asked, "format": "arrow"})
    assert pa.ipc.open_stream(answer.content).read_all()["samples"].to_pylist() == document["samples"]


async def test_what_was_known_at_an_instant_stays_available(api: Api, store: Store, ids: dict[str, int]) -> None:
    times = START_NS + np.arange(10, dtype=np.int64) * SECOND
    await commit(store, ids[CURRENT], times[::2], np.zeros(5))
    await commit_texts(store, ids[ORDER], times[:1], ["early"])
    async with store.database.connection() as connection:
        (then,) = await (await connection.execute("SELECT clock_timestamp()")).fetchone() or ()
    await commit(store, ids[CURRENT], times[1::2], np.ones(5))
    await commit_texts(store, ids[ORDER], times[1:2], ["late"])
    asked = {**around(60), "known_at": then.isoformat()}
    assert (await api.http.get(series_url(CURRENT), params=asked)).json()["value"] == [0.0] * 5
    assert (await api.http.get(series_url(ORDER), params=asked)).json()["value"] == ["early"]
    answer = await api.http.get(series_url(CURRENT), params={**asked, "format": "csv"})
    assert len(answer.text.splitlines()) == 6
    assert (await api.http.get(series_url(CURRENT), params={**asked, "known_at": "now"})).json()["rows"] == 10


async def test_where_samples_are_no_longer_kept_roll_ups_tell_of_short_windows_too(
    api: Api, store: Store, ids: dict[str, int]
) -> None:
    await rolled_up(store, ids[CURRENT])
    asked = {**around(2 * 3_600), "points": 1_000}
    assert (await api.http.get(series_url(CURRENT), params=asked)).json()["bin_s"] is None
    kept_from = rfc3339(START_NS + 86_400 * SECOND)
    async with store.database.connection() as connection:
        await connection.execute("INSERT INTO retention VALUES ('sample', 'measurement', %s)", [kept_from])
    document = (await api.http.get(series_url(CURRENT), params=asked)).json()
    assert document["bin_s"] == 60
    assert document["kept_from"] == kept_from
    assert sum(document["samples"]) == 4
    assert set(document["quality"]) == {0, 4}  # minutes with a sample, and minutes into which one holds


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"start": "now", "end": "-1h"}, "bad-window"),
        ({"start": "2026-13-02T10:00:00Z"}, "bad-time"),
        ({"start": "2026-03-02T10:00:00"}, "invalid-parameters"),
        ({"points": "3"}, "invalid-parameters"),
        ({"points": "many"}, "invalid-parameters"),
        ({"format": "xml"}, "invalid-parameters"),
    ],
)
async def test_parameters_that_cannot_be_used_are_named(api: Api, parameters: dict[str, str], name: str) -> None:
    answer = await api.http.get(series_url(CURRENT), params=parameters)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].endswith(f":{name}")
    assert answer.json()["do"]
    assert next(iter(parameters)) in answer.json()["detail"]


async def test_a_type_that_cannot_be_made_is_refused_with_those_that_can(api: Api) -> None:
    answer = await api.http.get(series_url(CURRENT), headers={"Accept": "image/png"})
    assert answer.status_code == 406
    assert "text/csv" in answer.json()["do"]


async def test_an_unknown_signal_is_answered_with_the_nearest_one(api: Api) -> None:
    answer = await api.http.get(series_url(f"{MILL}/spindle-curent"))
    assert answer.status_code == 404
    assert repr(CURRENT) in answer.json()["do"]


async def test_a_signal_that_the_store_does_not_know_yet_is_a_503_that_names_the_remedy(api: Api, store: Store) -> None:
    async with store.database.connection() as connection:
        await connection.execute("UPDATE signal SET path = 'elsewhere' WHERE path = %s", [CURRENT])
    try:
        answer = await api.http.get(series_url(CURRENT))
    finally:
        async with store.database.connection() as connection:
            await connection.execute("UPDATE signal SET path = %s WHERE path = 'elsewhere'", [CURRENT])
    assert answer.status_code == 503
    assert "twin migrate" in answer.json()["detail"]


async def test_a_download_beyond_the_places_is_asked_to_come_back(api: Api, store: Store, ids: dict[str, int]) -> None:
    for _ in range(api.parts.settings.series.max_streams):
        await api.parts.streams.acquire()
    answer = await api.http.get(series_url(CURRENT), params={"format": "csv"})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]


async def test_a_client_that_leaves_early_frees_its_place(api: Api, store: Store, ids: dict[str, int]) -> None:
    times, values = wave(300_000, SECOND // 100)
    await commit(store, ids[CURRENT], times, values)
    places = api.parts.streams._value
    async with api.http.stream("GET", series_url(CURRENT), params={**around(3_000), "format": "csv"}) as answer:
        async for _ in answer.aiter_bytes():
            assert api.parts.streams._value == places - 1
            break
    await until(lambda: api.parts.streams._value == places, what="free place")


async def test_an_absent_database_is_a_503_and_its_return_is_noticed() -> None:
    with servers.open_folder("postgres") as folder, EmbeddedPostgres(folder, port=servers.free_port()) as server:
        ids = await register(server.dsn)
        async with running_api(api_settings(dsn=server.dsn)) as api:
            await api.parts.link.opened()
            async with open_store(server.dsn) as store:
                await commit(store, ids[CURRENT], *wave(10))
            assert (await api.http.get(series_url(CURRENT), params=around(60))).json()["rows"] == 10
            await asyncio.to_thread(server.stop)
            answer = await api.http.get(series_url(CURRENT), params=around(60))
            assert answer.status_code == 503
            assert answer.headers["content-type"] == "application/problem+json"
            await asyncio.to_thread(server.start)

            async def answers() -> bool:
                answer = await api.http.get(series_url(CURRENT), params=around(60))
                return answer.status_code == 200

            await until(answers, deadline_s=30, what="answer after the database is back")


async def test_what_judges_a_signal_is_told_with_version_and_reasons(api: Api, store: Store) -> None:
    url = f"/v1/signals/{CURRENT}/detectors"
    never = (await api.http.get(url)).json()
    assert (never["stretches"], never["bank"], never["asked_for"]) == (None, None, None)
    assert {"spike", "drift"} <= set(never["samples"])
    report = {"chosen": ["sub-pca"], "by": "trial", "reasons": {"sub-pca": "found of made-up faults: spike 100%"}}
    span = (START_NS, START_NS + SECOND)
    version = await store.models.save("stretch", CURRENT, b"-", fitted_ns=START_NS, trained_ns=span, report=report)
    await store.models.promote("stretch", CURRENT, version)
    told = (await api.http.get(url)).json()["stretches"]
    assert (told["version"], told["report"], told["fitted_at"]) == (version, report, rfc3339(START_NS))
    assert (await api.http.get("/v1/signals/factory/nowhere/detectors")).status_code == 404


async def test_the_whole_tree_is_told_as_it_was(api: Api, store: Store, ids: dict[str, int]) -> None:
    times = START_NS + np.arange(4, dtype=np.int64) * SECOND
    await commit(store, ids[CURRENT], times, np.arange(4.0))
    entered = Transition(MILL, START_NS, 1, "running", "Executing")
    spike = Finding(finding_id(CURRENT, "spike", START_NS), MILL, CURRENT, "spike", START_NS, None, 5.0, "far off")
    await store.findings.write(1, [spike], [entered], "test")
    at = rfc3339(START_NS + 2 * SECOND)
    document = (await api.http.get("/v1/states", params={"at": at})).json()
    states = {state["path"]: state for state in document["states"]}
    assert document["at"] == at
    assert list(states) == [asset.path for asset in load_plant(PLANT).assets]
    assert states[MILL]["signals"]["spindle-current"]["value"] == 2.0
    assert states[MILL]["machine_state"]["name"] == "running"
    assert states["factory"]["children"] == {"running": 1, "down": 0, "total": 1}
    alone = (await api.http.get(f"/v1/assets/{MILL}/state", params={"at": at})).json()
    assert alone == states[MILL]
    below = {"at": at, "under": "terminal", "signals": "false"}
    slim = (await api.http.get("/v1/states", params=below)).json()["states"]
    assert {state["path"].partition("/")[0] for state in slim} == {"terminal"}
    assert all("signals" not in state for state in slim)
    found = (await api.http.get("/v1/findings", params={**around(9), "asset": MILL})).json()["findings"]
    assert [(one["message"], one["asset"], one["until"]) for one in found] == [("far off", MILL, None)]
    assert (await api.http.get("/v1/findings", params={**around(9), "asset": "terminal"})).json()["findings"] == []


async def test_a_time_to_come_is_no_past(api: Api) -> None:
    for path in ("/v1/states", f"/v1/assets/{MILL}/state", "/v1/alarms"):
        answer = await api.http.get(path, params={"at": "2199-01-01T00:00:00Z"})
        assert (answer.status_code, answer.json()["do"]) == (422, "give a past instant, e.g. -1h")
