"""A whole agent as a Sparkplug edge node, read by mqtt.js and sparkplug-payload, which this project did not write."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.agent import run_agent
from edge.config import load_agent
from tests.contract.sparkplug_peers import Peer, reader, wrapper
from tests.fault.proxy import Proxy
from tests.servers import Broker, mosquitto
from tests.waiting import until
from twin.errors import ConfigError
from twin.wire.mqtt import BrokerSettings, Client, connect

FILE = """\
node: gate-7
broker: {{host: 127.0.0.1, port: {port}}}
spool: {{path: {folder}/spool.db, linger_ms: 5}}
uplink: {{health_s: 0.5}}
sparkplug: {sparkplug}
sources:
  - kind: mqtt
    name: gates
    broker: {{host: 127.0.0.1, port: {devices}}}
    uptime_topic: null # a broker of seconds may look restarted
    topics:
      - topic: gates/{{lane}}
        asset: terminal/gates/{{lane}}
        where: {{lane: [lane-1]}}
        time: {{at: /t, format: ms}}
        partial: true
        signals:
          queue: {{value: /queue, unit: m}}
          truck: {{value: /truck, kind: text}}
"""
NODE = "spBv1.0/port/{}/gate-7"
DEVICE = "spBv1.0/port/{}/gate-7/gates"
HOST = "spBv1.0/STATE/them"


@pytest.fixture
def broker() -> Iterator[Broker]:
    with mosquitto() as started:
        yield started


@pytest.fixture
def devices() -> Iterator[Broker]:
    with mosquitto() as started:
        yield started


@asynccontextmanager
async def agent(folder: Path, uplink: Broker, devices: Broker, **sparkplug: Any) -> AsyncIterator[asyncio.Task[None]]:
    path = folder / "edge.yaml"
    section = json.dumps({"group": "port", "period_ms": 50, **sparkplug})
    path.write_text(FILE.format(port=uplink.port, devices=devices.port, folder=folder, sparkplug=section))
    task = asyncio.create_task(run_agent(load_agent(path)))
    try:
        yield task
        assert not task.done() or task.cancelled(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def host(broker: Broker) -> AsyncIterator[Peer]:
    async with reader(broker.port) as found:
        await found.until(lambda line: line.get("ready"))
        yield found


@asynccontextmanager
async def gates(devices: Broker) -> AsyncIterator[Client]:
    async with connect(BrokerSettings(host="127.0.0.1", port=devices.port), client_id="gates") as client:
        yield client


async def measure(client: Client, at_ms: int, queue: float | None = None, truck: str | None = None) -> None:
    told = {"t": at_ms, "queue": queue, "truck": truck}
    payload = json.dumps({key: value for key, value in told.items() if value is not None})
    await client.publish("gates/lane-1", payload.encode(), qos=1)


async def said(peer: Peer, topic: str) -> dict[str, Any]:
    """The next message of that topic, which must be sent as the specification wants."""
    line = await peer.until(lambda line: line.get("topic") == topic)
    assert not line["retain"]
    if "NDEATH" not in topic:
        assert line["qos"] == 0
    return line["payload"]


def by_name(payload: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {metric["name"]: metric for metric in payload["metrics"]}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def say_state(peer: Peer, online: bool, timestamp_ms: int) -> None:
    peer.tell(topic=HOST, payload={"online": online, "timestamp": timestamp_ms}, qos=1, retain=True)


async def test_births_data_and_rebirth_are_read_by_a_stranger(tmp_path: Path, broker: Broker, devices: Broker) -> None:
    async with host(broker) as peer, agent(tmp_path, broker, devices), gates(devices) as client:
        birth = by_name(await said(peer, NODE.format("NBIRTH")))
        assert birth["bdSeq"]["value"] == 0
        assert birth["Node Control/Rebirth"] == {**birth["Node Control/Rebirth"], "type": "Boolean", "value": False}
        born = await said(peer, DEVICE.format("DBIRTH"))
        queue, truck = by_name(born)["terminal/gates/lane-1/queue"], by_name(born)["terminal/gates/lane-1/truck"]
        assert (queue["type"], truck["type"], born["seq"]) == ("Double", "String", 1)
        assert queue["properties"]["engUnit"]["value"] == "m"
        assert {queue["alias"], truck["alias"]} == {0, 1}
        t = now_ms()
        await measure(client, t, 2.5, "B-XY 1")
        told = await said(peer, DEVICE.format("DDATA"))
        assert told["seq"] == 2
        assert {metric["alias"]: (metric["value"], metric["timestamp"]) for metric in told["metrics"]} == {
            queue["alias"]: (2.5, t), truck["alias"]: ("B-XY 1", t),
        }  # fmt: skip
        command = {"name": "Node Control/Rebirth", "value": True, "type": "Boolean"}
        peer.tell(topic=NODE.format("NCMD"), payload={"timestamp": t, "metrics": [command]})
        again = await said(peer, NODE.format("NBIRTH"))
        assert (again["seq"], by_name(again)["bdSeq"]["value"]) == (0, 0)
        assert by_name(await said(peer, DEVICE.format("DBIRTH")))["terminal/gates/lane-1/queue"]["value"] == 2.5


async def test_a_primary_host_is_waited_for_and_gets_what_it_missed_as_history(
    tmp_path: Path, broker: Broker, devices: Broker
) -> None:
    t = now_ms()
    async with host(broker) as peer, gates(devices) as client, agent(tmp_path, broker, devices, primary_host="them"):
        say_state(peer, False, t)
        async with watching(broker) as health:
            await until(lambda: health.get("sources") and health["sources"][0]["status"] == "connected", "the source")
            for n in range(3):
                await measure(client, t + n, float(n))
            await until(lambda: health["sparkplug"]["waiting"] == 3, "what waits")
            assert not [line for line in peer.said if "BIRTH" in line["topic"]]
            assert health["sparkplug"]["detail"] == "waiting for the primary host them"
            say_state(peer, True, t - 1)  # older than what was heard: of another connection
            await peer.until(lambda line: line["topic"] == HOST and line["payload"]["timestamp"] == t - 1)
            await measure(client, t + 3, 3.0)
            await until(lambda: health["sparkplug"]["waiting"] == 4, "what waits")
            assert not [line for line in peer.said if "BIRTH" in line["topic"]]
            say_state(peer, True, t + 1)
            await said(peer, NODE.format("NBIRTH"))
            born = by_name(await said(peer, DEVICE.format("DBIRTH")))["terminal/gates/lane-1/queue"]
            assert (born["value"], born["timestamp"]) == (3.0, t + 3)
            missed = (await said(peer, DEVICE.format("DDATA")))["metrics"]
            assert [(one["value"], one["timestamp"], one["isHistorical"]) for one in missed] == [
                (n, t + n, True) for n in range(3)
            ]
            say_state(peer, False, t + 1)
            death = by_name(await said(peer, NODE.format("NDEATH")))
            assert death["bdSeq"]["value"] == 0
            say_state(peer, True, t + 2)
            assert by_name(await said(peer, NODE.format("NBIRTH")))["bdSeq"]["value"] == 1


async def test_a_stopped_agent_says_so_and_a_source_that_goes_is_a_dead_device(
    tmp_path: Path, broker: Broker, devices: Broker
) -> None:
    async with host(broker) as peer:
        async with agent(tmp_path, broker, devices):
            await said(peer, DEVICE.format("DBIRTH"))
            devices.kill()
            assert (await said(peer, DEVICE.format("DDEATH")))["seq"] == 2
            devices.start()
            assert (await said(peer, DEVICE.format("DBIRTH")))["seq"] == 3
        assert by_name(await said(peer, NODE.format("NDEATH")))["bdSeq"]["value"] == 0
        async with agent(tmp_path, broker, devices):  # the number of the session is kept on disk
            assert by_name(await said(peer, NODE.format("NBIRTH")))["bdSeq"]["value"] == 1


async def test_a_node_whose_line_breaks_is_dead_by_its_will_and_then_says_what_was_missed(
    tmp_path: Path, broker: Broker, devices: Broker
) -> None:
    with Proxy(lambda: broker.port) as line:
        via = {"broker": {"host": "127.0.0.1", "port": line.port}}
        async with host(broker) as peer, gates(devices) as client, agent(tmp_path, broker, devices, **via):
            await said(peer, DEVICE.format("DBIRTH"))
            t = now_ms()
            with line.cut():
                assert by_name(await said(peer, NODE.format("NDEATH")))["bdSeq"]["value"] == 0
                for n in range(3):
                    await measure(client, t + n, float(n))
            assert by_name(await said(peer, NODE.format("NBIRTH")))["bdSeq"]["value"] == 1
            queue = by_name(await said(peer, DEVICE.format("DBIRTH")))["terminal/gates/lane-1/queue"]
            found = {(queue["timestamp"], queue["value"])}
            while len(found) < 3:
                told = (await said(peer, DEVICE.format("DDATA")))["metrics"]
                found |= {(one["timestamp"], one["value"]) for one in told}
            assert found == {(t, 0.0), (t + 1, 1.0), (t + 2, 2.0)}


async def test_an_application_that_knows_no_aliases_reads_names(
    tmp_path: Path, broker: Broker, devices: Broker
) -> None:
    """mqtt-spb-wrapper as a reader; it also asks for the births that it has missed."""
    async with agent(tmp_path, broker, devices, aliases=False), gates(devices) as client:
        async with host(broker) as peer:
            peer.tell(topic=NODE.format("NCMD"), payload={"timestamp": 0, "metrics": []})
        async with wrapper("app", broker.port, "port", "app-1") as app:
            await app.until(lambda line: line.get("ready"))
            app.tell(command="Node Control/Rebirth", node="gate-7")
            born = by_name((await app.until(lambda line: line.get("topic") == DEVICE.format("DBIRTH")))["payload"])
            assert born["terminal/gates/lane-1/queue"]["properties"]["key_value"] == {"engUnit": "m"}
            await measure(client, now_ms(), 2.5, "B-XY 1")
            told = by_name((await app.until(lambda line: line.get("topic") == DEVICE.format("DDATA")))["payload"])
            assert {name: one["value"] for name, one in told.items()} == {
                "terminal/gates/lane-1/queue": 2.5, "terminal/gates/lane-1/truck": "B-XY 1",
            }  # fmt: skip


def test_a_name_that_sparkplug_does_not_allow_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "edge.yaml"
    path.write_text(FILE.format(port=1, devices=1, folder=tmp_path, sparkplug='{group: "a/b"}'))
    with pytest.raises(ConfigError, match=r"edge.yaml:5: sparkplug.group: 'a/b' is no Sparkplug name"):
        load_agent(path)


@asynccontextmanager
async def watching(broker: Broker) -> AsyncIterator[dict[str, Any]]:
    """The agent's newest health report."""
    newest: dict[str, Any] = {}

    async def listen(client: Client) -> None:
        async for message in client.messages():
            newest.clear()
            newest.update(json.loads(message.payload))

    async with connect(BrokerSettings(host="127.0.0.1", port=broker.port), client_id="watching") as client:
        await client.subscribe([("fabriquay/1/gate-7/health", 1)])
        task = asyncio.create_task(listen(client))
        try:
            yield newest
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
