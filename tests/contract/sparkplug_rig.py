"""A running twin as a Sparkplug host, between a real broker and a real PostgreSQL, and questions to its store."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.servers import Broker
from twin.commands.run import expected
from twin.ingest.ports import Counters
from twin.ingest.receive import run_ingest
from twin.ingest.sparkplug_settings import SparkplugSettings
from twin.plant.load import load_plant
from twin.store.connect import Store, open_store
from twin.wire.mqtt import BrokerSettings, connect
from twin.wire.sparkplug_topic import HostState, state

PLANT = load_plant(Path(__file__).resolve().parents[2] / "configs" / "plant.yaml")
RULE = {"group": "plant", "device": "{unit}", "metric": "{signal}", "signal": "factory/machining/{unit}/{signal}"}
MILL = "factory/machining/mill-1"


@asynccontextmanager
async def new_store(server_dsn: str) -> AsyncIterator[Store]:
    """A database of its own."""
    name = f"sparkplug_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    async with open_store(psycopg.conninfo.make_conninfo(server_dsn, dbname=name)) as opened:
        yield opened


@dataclass
class Twin:
    """What the running host has done."""

    broker: Broker
    store: Store
    ids: dict[str, int]
    counters: Counters = field(default_factory=Counters)
    reports: dict[str, dict[str, Any]] = field(default_factory=dict)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def hear(self, node: str, report) -> None:
        self.reports[node] = dict(report)

    async def take(self, _committed) -> None:
        await self.gate.wait()

    async def samples(self, path: str) -> list[tuple[int, float, int, int]]:
        """Milliseconds, value, quality, lane."""
        return await self.query(
            "SELECT (extract(epoch FROM time) * 1000)::bigint, value, quality, lane FROM sample JOIN batch ON seq = batch"
            f" WHERE signal = {self.ids[path]} ORDER BY time"
        )

    async def gaps(self, path: str) -> list[tuple[int, int, str]]:
        return await self.query(
            "SELECT (extract(epoch FROM lower(span)) * 1000)::bigint, (extract(epoch FROM upper(span)) * 1000)::bigint,"
            f" cause FROM gap WHERE signal = {self.ids[path]} ORDER BY lower(span)"
        )

    async def rejected(self) -> dict[str, int]:
        return dict(await self.query("SELECT reason, count(*) FROM rejected GROUP BY reason"))

    async def query(self, text: str) -> list[tuple]:
        async with self.store.database.connection() as connection:
            return await (await connection.execute(text)).fetchall()

    async def host_state(self) -> HostState:
        """What a newcomer is told."""
        async with connect(
            BrokerSettings(host="127.0.0.1", port=self.broker.port), client_id=uuid.uuid4().hex
        ) as client:
            await client.subscribe([(state("twin"), 1)])
            async with asyncio.timeout(10):
                async for message in client.messages():
                    return HostState.from_json(message.payload)
        raise AssertionError


@asynccontextmanager
async def hosting(at: Broker, store: Store, **more) -> AsyncIterator[Twin]:
    twin = Twin(at, store, await store.plants.register(PLANT))
    twin.gate.set()
    settings = SparkplugSettings.model_validate(
        {"host": "twin", "signals": [RULE], "reorder_s": 0.5, "rebirth_s": 1, **more}
    )
    running = asyncio.create_task(
        run_ingest(
            BrokerSettings(host="127.0.0.1", port=at.port), store, twin.take, signal_ids=twin.ids,
            plant=expected(PLANT), on_health=twin.hear, counters=twin.counters, sparkplug=settings,
        )
    )  # fmt: skip
    try:
        yield twin
    finally:
        assert not running.done(), running.exception()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def values(twin: Twin, path: str) -> list[float]:
    return [value for _, value, _, _ in await twin.samples(path)]


async def until_values(twin: Twin, path: str, wanted: list[float]) -> None:
    async with asyncio.timeout(30):
        while (found := await values(twin, path)) != wanted:
            assert len(found) <= len(wanted), found
            await asyncio.sleep(0.02)


async def until_state(twin: Twin, *, online: bool) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                if (await twin.host_state()).online is online:
                    return
            except (TimeoutError, json.JSONDecodeError):
                pass
            await asyncio.sleep(0.05)
