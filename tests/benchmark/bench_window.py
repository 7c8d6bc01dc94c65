"""A raw window of a million samples as an Arrow stream: from the store, and over HTTP from a process of its own.

Processor time here and in the database's sessions told apart, and wall time; the peers read the same window: the ADBC
driver for PostgreSQL (C++, COPY into Arrow) and psycopg's fetchall into an Arrow table. All take turns in one run.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import httpx
import numpy as np
import psycopg
import pyarrow as pa

from api.encode import ArrowEncoder
from api.series import Reader
from api.settings import SeriesLimits
from api.window import Window, rfc3339
from tests.benchmark.processor import SESSIONS, processor_s
from tests.benchmark.record import Result
from tests.contract.api_samples import START_NS, commit, register
from tests.contract.api_server import MILL, PLANT, api_process, api_settings
from tests.servers import postgres
from twin.plant.load import load_plant
from twin.store.connect import Store, open_store
from twin.store.embedded import SETTINGS

SUITE = "scale"
ROWS, STEP_NS, TURNS = 1_000_000, 100_000_000, 5
GOAL = 5_000_000
CURRENT = f"{MILL}/spindle-current"
WINDOW = Window(START_NS, START_NS + ROWS * STEP_NS)
CHUNK = SeriesLimits().chunk_rows
QUERY = "SELECT time, value, quality FROM sample WHERE signal = {signal} AND time >= '{start}' AND time < '{end}' ORDER BY time"
Read = Callable[[], Awaitable[int]]


@dataclass
class Spent:
    """Seconds of one turn."""

    wall: float
    client: float
    server: float

    @property
    def processor(self) -> float:
        return self.client + self.server


async def _fill(store: Store, signal: int) -> None:
    """In ten batches, as years of commits would lie there, with one quality in a hundred that is not good."""
    quality = np.where(np.arange(ROWS // 10) % 100, 0, 1).astype(np.uint8)
    for part in range(10):
        times = START_NS + (part * ROWS // 10 + np.arange(ROWS // 10, dtype=np.int64)) * STEP_NS
        await commit(store, signal, times, np.random.default_rng(part).normal(20, 1, len(times)), quality)
    async with store.database.connection() as connection:
        await connection.execute("VACUUM ANALYZE sample")


async def _turn(watcher: "psycopg.Connection[Any]", read: Read, client_pid: int | None = None) -> Spent:
    """One reading; `client_pid`: the api's process, when it is another one."""

    def server_s() -> float:
        return sum(processor_s(pid) for (pid,) in watcher.execute(SESSIONS).fetchall())

    def client_s() -> float:
        return time.process_time() if client_pid is None else processor_s(client_pid)

    before = client_s(), server_s()
    started = time.perf_counter()
    rows = await read()
    wall = time.perf_counter() - started
    assert rows == ROWS, rows
    return Spent(wall, client_s() - before[0], server_s() - before[1])


def _ours(store: Store, signal: int) -> Read:
    reader = Reader(store, load_plant(PLANT).signal(CURRENT), signal)

    async def read() -> int:
        encoder, sent = ArrowEncoder(textual=False, metadata={}), 0
        encoder.begin()
        async for chunk in reader.chunks(WINDOW, CHUNK):
            encoder.encode(chunk)
            sent += len(chunk)
        encoder.end()
        return sent

    return read


def _adbc(connection: Any, query: str) -> Read:
    async def read() -> int:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return int(cursor.fetch_arrow_table().num_rows)

    return read


def _rows(connection: "psycopg.Connection[Any]", query: str) -> Read:
    async def read() -> int:
        found = connection.execute(query.encode(), binary=True).fetchall()
        time_, value, quality = zip(*found, strict=True)
        columns = [pa.array(time_, pa.timestamp("us", "UTC")), pa.array(value), pa.array(quality, pa.uint8())]
        return int(pa.table(columns, list("tvq")).num_rows)

    return read


def _http(client: httpx.Client) -> Read:
    params = {"start": rfc3339(WINDOW.start_ns), "end": rfc3339(WINDOW.end_ns), "format": "arrow"}

    async def read() -> int:
        with client.stream("GET", f"/v1/signals/{CURRENT}/series", params=params) as answer:
            answer.raise_for_status()
            body = b"".join(answer.iter_raw(1 << 20))
        return int(pa.ipc.open_stream(body).read_all().num_rows)

    return read


@contextmanager
def _api(dsn: str) -> Generator[tuple[httpx.Client, int]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        api_process(api_settings(dsn=dsn), Path(folder, "log")) as (port, process),
    ):
        headers = {"Accept-Encoding": "identity"}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, headers=headers) as client:
            yield client, process.pid


async def _measure(dsn: str, signal: int) -> dict[str, list[Spent]]:
    spent: dict[str, list[Spent]] = {name: [] for name in ("store", "adbc", "rows", "http")}
    query = QUERY.format(signal=signal, start=rfc3339(WINDOW.start_ns), end=rfc3339(WINDOW.end_ns))
    with psycopg.connect(dsn, autocommit=True) as watcher, _api(dsn) as (client, api_pid):
        async with open_store(dsn) as store:
            await _fill(store, signal)
            with adbc.connect(dsn) as connection, psycopg.connect(dsn, autocommit=True) as plain:
                turns = {"store": _ours(store, signal), "adbc": _adbc(connection, query), "rows": _rows(plain, query)}
                for _ in range(TURNS + 1):
                    for name, read in turns.items():
                        spent[name].append(await _turn(watcher, read))
                    spent["http"].append(await _turn(watcher, _http(client), api_pid))
    return {name: turns[1:] for name, turns in spent.items()}  # the first opens connections and compiles nothing


def measure() -> list[Result]:
    """Medians of the turns, as rows per second."""
    with postgres(settings=SETTINGS) as server:
        ids = asyncio.run(register(server.dsn))
        spent = asyncio.run(_measure(server.dsn, ids[CURRENT]))

    def rate(name: str, what: str) -> float:
        return ROWS / statistics.median(getattr(one, what) for one in spent[name])

    wall, http = rate("store", "wall"), rate("http", "wall")
    both, peer = rate("store", "processor"), rate("adbc", "processor")
    window = "a window of a million samples as an Arrow stream"
    rows = f"the database alone {rate('store', 'server') / 1e6:.2g} M; psycopg's rows {rate('rows', 'processor') / 1e6:.2g} M"
    return [
        Result(
            "S7-arrow-window", f"{window}, from the store, wall", wall, "rows/s", "≥ 5,000,000", wall >= GOAL,
            "ADBC driver for PostgreSQL", wall / rate("adbc", "wall"),
        ),
        Result(
            "S7-arrow-http", f"{window}, over HTTP, wall, this client included", http, "rows/s", "≥ 5,000,000",
            http >= GOAL,
        ),
        Result(
            "S7-arrow-processor", f"{window}: per processor second of database and reader together ({rows})",
            both, "rows/s", "≥ 1 × ADBC", both >= peer, "ADBC driver for PostgreSQL", both / peer,
        ),
        Result(
            "S7-arrow-client", f"{window}: per processor second of the reader alone, decoding and encoding",
            rate("store", "client"), "rows/s", "≥ 5,000,000", rate("store", "client") >= GOAL,
            "ADBC driver for PostgreSQL", rate("store", "client") / rate("adbc", "client"),
        ),
    ]  # fmt: skip
