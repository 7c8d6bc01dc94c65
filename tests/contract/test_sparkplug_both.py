"""Our agent as a Sparkplug edge node and our twin as its primary host, over lines that break."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest

from edge.agent import run_agent
from edge.config import load_agent
from edge.spool_view import open_view
from tests.contract.sparkplug_peers import reader
from tests.contract.sparkplug_rig import MILL, Twin, hosting, new_store, now_ms
from tests.fault.proxy import Proxy
from tests.servers import Broker, free_port, mosquitto, postgres
from tests.waiting import until
from twin.store.connect import Store
from twin.wire.mqtt import BrokerSettings, connect

AGENT = """\
node: line-1
broker: {{host: 127.0.0.1, port: {nowhere}}} # the uplink carries nothing here
spool: {{path: {folder}/spool.db, linger_ms: 5}}
uplink: {{resend_s: 1}}
sparkplug:
  {{group: plant, primary_host: twin, period_ms: 50, receipts: {receipts}, broker: {{host: 127.0.0.1, port: {line}}}}}
sources:
  - kind: mqtt
    name: mills
    broker: {{host: 127.0.0.1, port: {port}}}
    uptime_topic: null # a broker of seconds may look restarted
    topics:
      - topic: mills/{{unit}}
        asset: factory/machining/{{unit}}
        where: {{unit: [mill-1]}}
        time: {{at: /t, format: ms}}
        signals: {{power: {{value: /power, unit: kW}}}}
"""


@pytest.fixture(scope="module")
def server_dsn() -> Iterator[str]:
    with postgres() as server:
        yield server.dsn


@pytest.fixture
async def store(server_dsn: str) -> AsyncIterator[Store]:
    async with new_store(server_dsn) as opened:
        yield opened


@pytest.fixture
def broker() -> Iterator[Broker]:
    with mosquitto() as running:
        yield running


async def test_between_our_agent_and_our_host_every_value_arrives_or_lies_in_a_gap(
    tmp_path: Path, broker: Broker, store: Store
) -> None:
    """Both lines to the broker are cut in turn while a mill measures."""
    rule = {"metric": "{path...}", "signal": "{path}"}
    with Proxy(lambda: broker.port) as edge_line, Proxy(lambda: broker.port) as host_line:
        path = agent_file(tmp_path, broker, edge_line, receipts="false")
        host_broker = {"host": "127.0.0.1", "port": host_line.port}
        agent = asyncio.create_task(run_agent(load_agent(path)))
        measured: list[int] = []
        enough = asyncio.Event()
        mill = asyncio.create_task(measure(broker, measured, enough))
        try:
            async with hosting(broker, store, signals=[rule], broker=host_broker) as twin:
                for line in (edge_line, host_line, edge_line, host_line):
                    before = len(await twin.samples(f"{MILL}/power"))
                    await until_more(twin, before + 30)
                    with line.cut():
                        await until(partial(longer, measured, len(measured) + 50), "the mill to go on")
                await until_more(twin, len(await twin.samples(f"{MILL}/power")) + 30)
                enough.set()
                await mill
                async with asyncio.timeout(30):
                    while (found := await twin.samples(f"{MILL}/power"))[-1][0] < measured[-1]:
                        await asyncio.sleep(0.1)
                stored = {at for at, *_ in found}
                gaps = await twin.gaps(f"{MILL}/power")
        finally:
            for task in (mill, agent):
                task.cancel()
            await asyncio.gather(mill, agent, return_exceptions=True)
    assert len(measured) == len(set(measured))
    assert stored <= set(measured)
    first = min(stored)
    missing = [at for at in measured if at >= first and at not in stored]
    assert not [at for at in missing if not any(start <= at < end for start, end, _ in gaps)], (missing, gaps)
    assert gaps


def agent_file(folder: Path, broker: Broker, line: Proxy, receipts: str) -> Path:
    path = folder / "edge.yaml"
    path.write_text(
        AGENT.format(nowhere=free_port(), port=broker.port, line=line.port, folder=folder, receipts=receipts)
    )
    return path


async def test_with_receipts_every_value_is_stored_once_whatever_breaks(
    tmp_path: Path, broker: Broker, store: Store
) -> None:
    """Both lines are cut in turn, the twin stops and starts, the agent stops and starts; a stranger reads along."""
    with Proxy(lambda: broker.port) as edge_line, Proxy(lambda: broker.port) as host_line:
        path = agent_file(tmp_path, broker, edge_line, receipts="true")
        host = partial(
            hosting, broker, store,
            signals=[{"metric": "{path...}", "signal": "{path}"}], broker={"host": "127.0.0.1", "port": host_line.port},
        )  # fmt: skip
        agent = asyncio.create_task(run_agent(load_agent(path)))
        measured: list[int] = []
        enough = asyncio.Event()
        mill = asyncio.create_task(measure(broker, measured, enough))
        try:
            async with reader(broker.port) as stranger:
                async with host() as twin:
                    for line in (edge_line, host_line, edge_line, host_line):
                        await until_more(twin, len(await twin.samples(f"{MILL}/power")) + 20)
                        with line.cut():
                            await until(partial(longer, measured, len(measured) + 30), "the mill to go on")
                    await until_more(twin, len(await twin.samples(f"{MILL}/power")) + 20)
                await until(partial(longer, measured, len(measured) + 30), "the mill to go on without a twin")
                agent.cancel()
                await asyncio.gather(agent, return_exceptions=True)
                agent = asyncio.create_task(run_agent(load_agent(path)))
                async with host() as twin:
                    await until_more(twin, len(await twin.samples(f"{MILL}/power")) + 50)
                    enough.set()
                    await mill
                    async with asyncio.timeout(30):
                        while (await twin.samples(f"{MILL}/power"))[-1][0] < measured[-1] or unsettled(path):
                            await asyncio.sleep(0.1)
                    found = await twin.samples(f"{MILL}/power")
                    numbers = await twin.query("SELECT node, epoch, committed::text FROM node_epoch")
                assert [line for line in stranger.said if line.get("topic") == "spBv1.0/plant/DBIRTH/line-1/mills"]
        finally:
            for task in (mill, agent):
                task.cancel()
            await asyncio.gather(mill, agent, return_exceptions=True)
    stored = [at for at, *_ in found]
    assert len(stored) == len(set(stored))
    assert set(stored) == {at for at in measured if at >= stored[0]}
    ((node, _, ranges),) = numbers
    assert node == "plant:line-1"
    assert ranges.count("[") == 1, "no number is missing"


def unsettled(path: Path) -> int:
    """Batches in the spool."""
    with open_view(load_agent(path).spool.path) as view:
        return len(list(view.sizes()))


async def measure(broker: Broker, measured: list[int], enough: asyncio.Event) -> None:
    """A mill that measures a hundred times a second; no time twice."""
    async with connect(BrokerSettings(host="127.0.0.1", port=broker.port), client_id="mill") as client:
        while not enough.is_set():
            at = now_ms()
            payload = json.dumps({"t": at, "power": at % 1000 / 100}).encode()
            measured.append(at)
            await client.publish("mills/mill-1", payload, qos=1)
            await asyncio.sleep(0.01)


async def until_more(twin: Twin, count: int) -> None:
    async with asyncio.timeout(30):
        while len(await twin.samples(f"{MILL}/power")) < count:
            await asyncio.sleep(0.05)


def longer(measured: list[int], than: int) -> bool:
    return len(measured) > than
