"""Stopping at the worst moment: a cancellation that comes while a connection ends on an error is never lost.

A TaskGroup of Python 3.11 forgets it, and a loop that waits for the connection to come back then runs for ever.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from edge.sources import opcua_reader
from edge.sources.opcua import OpcUaSource
from edge.sources.source import SourceState
from edge.spool import open_spool
from edge.uplink import run_uplink
from edge.uplink_settings import UplinkSettings
from tests.contract.opcua_rig import MemorySink, ServerProcess, node, source_settings
from tests.contract.sparkplug_rig import new_store
from tests.servers import mosquitto, postgres
from tests.waiting import until
from twin.errors import Retryable
from twin.ingest.receive import run_ingest
from twin.store.connect import Store
from twin.wire import topic
from twin.wire.mqtt import BrokerSettings, connect
from twin.wire.schema import NodeSchema, SchemaEntry

SCHEMA = NodeSchema("gateway-1", (SchemaEntry(0, "site/line/unit/s", "measurement", "A"),))
TURNS = range(1, 6)  # of the event loop between the error and the cancellation


@pytest.fixture(scope="module")
def broker() -> Iterator[BrokerSettings]:
    with mosquitto() as running:
        yield BrokerSettings(host="127.0.0.1", port=running.port)


class Fault:
    """Fails once, when it is armed, and cancels its task so many turns of the loop later."""

    def __init__(self, turns: int) -> None:
        self.turns = turns
        self.task: asyncio.Task[None] | None = None

    def strike(self) -> None:
        task, self.task = self.task, None
        if task is not None:
            self._later(task, self.turns)
            raise Retryable("something ended the connection")

    def _later(self, task: asyncio.Task[None], turns: int) -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(task.cancel) if turns == 1 else loop.call_soon(self._later, task, turns - 1)


async def assert_ends(task: asyncio.Task[None]) -> None:
    done, _ = await asyncio.wait({task}, timeout=20)
    if not done:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert done
    assert task.cancelled()


@pytest.mark.parametrize("turns", TURNS[:-1])  # by the fifth a TaskGroup would have ended, too
async def test_the_uplink_ends(tmp_path: Path, broker: BrokerSettings, turns: int) -> None:
    fault, asked = Fault(turns), 0

    def health() -> dict[str, object]:
        nonlocal asked
        asked += 1
        fault.strike()
        return {"asked": asked}

    async with open_spool(tmp_path / "spool.db", schema=SCHEMA, max_bytes=1_000_000) as spool:
        settings = UplinkSettings(health_s=0.1)
        task = asyncio.create_task(run_uplink(settings, broker, spool, health, node="gateway-1"))
        await until(lambda: asked > 0, "a report")
        fault.task = task
        await assert_ends(task)


@pytest.fixture(scope="module")
def server_dsn() -> Iterator[str]:
    with postgres() as running:
        yield running.dsn


@pytest.fixture
async def store(server_dsn: str) -> AsyncIterator[Store]:
    async with new_store(server_dsn) as opened:
        yield opened


@pytest.mark.parametrize("turns", TURNS)
async def test_the_receiver_ends(broker: BrokerSettings, store: Store, turns: int) -> None:
    """Its clock is asked when a message cannot be read."""
    fault, asked = Fault(turns), 0

    def clock() -> float:
        nonlocal asked
        asked += 1
        fault.strike()
        return float(asked)

    async def take(_batch: object) -> None: ...

    ingest = run_ingest(broker, store, take, signal_ids={}, plant={}, clock=clock)
    task = asyncio.create_task(ingest)
    async with connect(broker, client_id="a-node") as client:
        while not asked:
            await client.publish(topic.data("gateway-1"), b"nonsense", qos=1)
            await asyncio.sleep(0.05)
        fault.task = task
        await client.publish(topic.data("gateway-1"), b"nonsense", qos=1)
        await assert_ends(task)


async def test_the_opcua_source_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is asked by the task that measures the server's."""
    monkeypatch.setattr(opcua_reader, "_MEASURE_EVERY_S", 0.05)
    server = ServerProcess(tmp_path, ("--items", "1"))
    await server.start()
    try:
        for turns in TURNS:
            fault = Fault(turns)

            def clock(fault: Fault = fault) -> int:
                asking = asyncio.current_task()
                if asking is not None and asking.get_name().endswith(" clock"):
                    fault.strike()
                return time.time_ns()

            source = OpcUaSource(source_settings(server.port, [node("v0")]), {"plant/v0": 0}, clock=clock)
            task = asyncio.create_task(source.run(MemorySink()))
            await until(lambda: source.status().state is SourceState.CONNECTED, "the connection")  # noqa: B023
            fault.task = task
            await assert_ends(task)
    finally:
        await server.kill()
