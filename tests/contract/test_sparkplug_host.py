"""This twin as a Sparkplug host: an edge node that this project did not write, a real Mosquitto, a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.contract.sparkplug_peers import Peer, edge_node, wrapper
from tests.contract.sparkplug_rig import MILL, hosting, new_store, now_ms, until_state, until_values, values
from tests.servers import Broker, mosquitto, postgres
from tests.waiting import until
from twin.ingest import commit
from twin.store.connect import Store
from twin.wire.mqtt import BrokerSettings, Client, connect
from twin.wire.sparkplug import DataType, Metric, Payload, encode
from twin.wire.sparkplug_topic import Address, HostState, Kind, state


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


def metric(name: str, value: object, at: int, kind: str = "Double", **more: Any) -> dict[str, Any]:
    return {"name": name, "value": value, "type": kind, "timestamp": at, **more}


def node_birth(node: Peer, at: int) -> None:
    rebirth = metric("Node Control/Rebirth", False, at, "Boolean")
    node.call("publishNodeBirth", {"timestamp": at, "metrics": [rebirth]})


def device_birth(node: Peer, at: int, *metrics: dict[str, Any], device: str = "mill-1") -> None:
    node.call("publishDeviceBirth", device, {"timestamp": at, "metrics": list(metrics)})


def device_data(node: Peer, at: int, *metrics: dict[str, Any], device: str = "mill-1") -> None:
    node.call("publishDeviceData", device, {"timestamp": at, "metrics": list(metrics)})


def aliased(alias: int, value: object, at: int, kind: str = "Double", **more: Any) -> dict[str, Any]:
    return {"alias": alias, "value": value, "type": kind, "timestamp": at, **more}


async def test_births_aliases_qualities_and_history_become_samples(broker: Broker, store: Store) -> None:
    async with hosting(broker, store) as twin, edge_node(broker.port, "plant", "line-1") as node:
        await node.event("birth")
        t = now_ms()
        node_birth(node, t)
        unit = {"engUnit": {"type": "String", "value": "kW"}}
        stale = {"Quality": {"type": "Int32", "value": 500}}
        device_birth(
            node, t,
            metric("power", 1.5, t, alias=11, properties=unit),
            metric("state", -3, t, "Int16", alias=12),
            metric("order", "order 7", t, "String", alias=13),
            metric("vibration", 0.25, t, "Float", alias=14),
            metric("spindle-speed", 5.0, t, alias=15, properties={"engUnit": {"type": "String", "value": "m/s"}}),
            metric("what the plant has not", 1.0, t, alias=16),
        )  # fmt: skip
        device_data(node, t + 10, aliased(11, 2.5, t + 10), aliased(12, -4, t + 10, "Int16"), aliased(16, 2.0, t + 10))
        device_data(
            node, t + 20, aliased(11, 3.5, t + 20, properties=stale), aliased(11, 0.5, t - 500, isHistorical=True)
        )
        device_data(node, t + 20, aliased(11, 3.5, t + 20, properties=stale))  # the same again
        device_birth(node, t, metric("?", 1.0, t), device="empty")
        await until(lambda: twin.counters.sparkplug_messages >= 6, "the messages")
        await until_values(twin, f"{MILL}/power", [0.5, 1.5, 2.5, 3.5])
        assert [(at, quality, lane) for at, _, quality, lane in await twin.samples(f"{MILL}/power")] == [
            (t - 500, 0, 1), (t, 0, 0), (t + 10, 0, 0), (t + 20, 1, 0),
        ]  # fmt: skip
        assert await values(twin, f"{MILL}/state") == [-3.0, -4.0]
        assert await values(twin, f"{MILL}/vibration") == [0.25]
        assert await twin.query("SELECT text FROM sample_text") == [("order 7",)]
        assert await values(twin, f"{MILL}/spindle-speed") == []
        found = await twin.rejected()
        assert found["wrong-unit"] == 1
        assert found["unknown-signal"] >= 1
        assert twin.counters.sparkplug_ignored >= 3
        assert await twin.gaps(f"{MILL}/power") == []
        counts = [twin.reports["plant:line-1"][name] for name in ("signals", "no_signals")]
        assert counts == [4, 3]
        await until(lambda: twin.reports.get("plant:line-1", {}).get("status") == "online", "the report of the node")
        assert {source["name"]: source["status"] for source in twin.reports["plant:line-1"]["sources"]} == {
            "mill-1": "connected", "empty": "connected",
        }  # fmt: skip


async def test_the_columns_of_a_data_set_are_samples(broker: Broker, store: Store) -> None:
    rule = {"device": "block", "metric": "{unit}/{signal}", "signal": "factory/machining/{unit}/{signal}"}
    async with hosting(broker, store, signals=[rule]) as twin, edge_node(broker.port, "plant", "line-1") as node:
        await node.event("birth")
        t = now_ms()
        node_birth(node, t)
        table = {
            "numOfColumns": 2, "columns": ["at", "power"], "types": ["Int64", "Double"], "rows": [[t, 20.5]],
        }  # fmt: skip
        device_birth(node, t, metric("mill-1", table, t, "DataSet"), device="block")
        device_data(node, t + 10, metric("mill-1", {**table, "rows": [[t, 21.5]]}, t + 10, "DataSet"), device="block")
        await until_values(twin, f"{MILL}/power", [20.5, 21.5])


async def test_a_node_that_was_born_unheard_is_asked_and_a_lost_message_leaves_a_gap(
    broker: Broker, store: Store
) -> None:
    async with edge_node(broker.port, "plant", "line-1") as node:
        await node.event("birth")
        t = now_ms()
        node_birth(node, t)
        async with hosting(broker, store) as twin:
            await until_state(twin, online=True)
            device_data(node, t, metric("power", 1.0, t))  # nobody knows this node
            asked = await node.event("ncmd")
            (command,) = asked["payload"]["metrics"]
            assert (command["name"], command["value"], command["type"]) == ("Node Control/Rebirth", True, "Boolean")
            t = now_ms()
            node_birth(node, t)
            device_birth(node, t, metric("power", 2.0, t, alias=1))
            device_data(node, t + 1, aliased(1, 3.0, t + 1))
            await until_values(twin, f"{MILL}/power", [2.0, 3.0])
            node.tell(skip=1)
            device_data(node, t + 3, aliased(1, 5.0, t + 3))
            await node.event("ncmd")
            u = now_ms()
            node_birth(node, u)
            device_birth(node, u, metric("power", 6.0, u, alias=1))
            await until_values(twin, f"{MILL}/power", [2.0, 3.0, 6.0])
            assert await twin.gaps(f"{MILL}/power") == [(t + 1, u, "sequence-jump")]
            assert twin.counters.sparkplug_rebirths == 2
            assert twin.counters.sparkplug_refused >= 1


async def test_a_killed_node_leaves_a_gap_until_its_next_birth(broker: Broker, store: Store) -> None:
    async with hosting(broker, store) as twin:
        await until_state(twin, online=True)
        async with edge_node(broker.port, "plant", "line-1") as node:
            await node.event("birth")
            t = now_ms()
            node_birth(node, t)
            device_birth(node, t, metric("power", 1.0, t, alias=1))
            await until_values(twin, f"{MILL}/power", [1.0])
            node.tell(die=True)
            await until(lambda: twin.reports.get("plant:line-1", {}).get("status") == "offline", "the death")
        async with edge_node(broker.port, "plant", "line-1") as node:
            await node.event("birth")
            u = now_ms()
            node_birth(node, u)
            device_birth(node, u, metric("power", 2.0, u, alias=1))
            await until_values(twin, f"{MILL}/power", [1.0, 2.0])
            assert await twin.gaps(f"{MILL}/power") == [(t, u, "device-unreachable")]


async def test_a_restarted_twin_accounts_for_what_it_did_not_hear(broker: Broker, store: Store) -> None:
    async with edge_node(broker.port, "plant", "line-1") as node:
        await node.event("birth")
        async with hosting(broker, store) as twin:
            await until_state(twin, online=True)
            t = now_ms()
            node_birth(node, t)
            device_birth(node, t, metric("power", 1.0, t, alias=1))
            await until_values(twin, f"{MILL}/power", [1.0])
        assert not (await twin.host_state()).online  # told on the way out
        device_data(node, now_ms(), aliased(1, 2.0, now_ms()))
        async with hosting(broker, store) as twin:
            await until_state(twin, online=True)
            device_data(node, now_ms(), aliased(1, 3.0, now_ms()))
            await node.event("ncmd")
            u = now_ms()
            node_birth(node, u)
            device_birth(node, u, metric("power", 4.0, u, alias=1))
            await until_values(twin, f"{MILL}/power", [1.0, 4.0])
            assert await twin.gaps(f"{MILL}/power") == [(t, u, "session-lost")]


async def test_a_broker_that_comes_back_is_told_the_state_and_nodes_are_asked(broker: Broker, store: Store) -> None:
    async with hosting(broker, store) as twin, edge_node(broker.port, "plant", "line-1") as node:
        await node.event("birth")
        await until_state(twin, online=True)
        t = now_ms()
        node_birth(node, t)
        device_birth(node, t, metric("power", 1.0, t, alias=1))
        await until_values(twin, f"{MILL}/power", [1.0])
        broker.kill()
        broker.start()
        await node.event("birth")
        await until_state(twin, online=True)
        u = now_ms()
        node_birth(node, u)
        device_birth(node, u, metric("power", 2.0, u, alias=1))
        await until_values(twin, f"{MILL}/power", [1.0, 2.0])
        assert [(start, cause) for start, _, cause in await twin.gaps(f"{MILL}/power")] == [(t, "session-lost")]


async def test_a_library_with_habits_of_its_own_is_understood(broker: Broker, store: Store) -> None:
    """mqtt-spb-wrapper: births say DATA/power where data say power, and its deaths count on from the births."""
    async with hosting(broker, store) as twin, wrapper("edge", broker.port, "plant", "wrapped") as node:
        await until_state(twin, online=True)
        for words in ({"set": {"x": 1.0}}, {"device": {"power": 1.5, "state": -3, "order": "order 7"}}):
            node.tell(**words)
            await node.until(lambda line: line.get("done"))
        for power in (2.5, 3.5):
            node.tell(device={"power": power, "state": -4, "order": "order 8"})
            await node.until(lambda line: line.get("done"))
        await until_values(twin, f"{MILL}/power", [2.5, 3.5])
        assert (await values(twin, f"{MILL}/state"))[-1] == -4.0
        assert {text for (text,) in await twin.query("SELECT text FROM sample_text")} == {"order 8"}
        assert twin.counters.sparkplug_rebirths == 0
        assert (await twin.rejected()).keys() == {"unknown-signal"}
        node.tell(die=True)
        await until(lambda: twin.reports.get("plant:wrapped", {}).get("status") == "offline", "the death")


async def test_what_a_slow_store_makes_the_broker_drop_lies_in_a_gap(
    broker: Broker, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """QoS 0 to a reader that does not read: Mosquitto drops. Each value is stored, or lies in a gap."""
    monkeypatch.setattr(commit, "MOST_WAITING_ROWS", 500)
    count, alias = 40_000, 1
    async with hosting(broker, store) as twin, raw_node(broker) as node:
        await until_state(twin, online=True)
        await node.bear()
        await until_values(twin, f"{MILL}/power", [-1.0])
        twin.gate.clear()
        for n in range(count):
            await node.say(Kind.DDATA, Metric(None, float(n), None, node.t + n, alias), body=bytes(2_000))
        twin.gate.set()
        async with asyncio.timeout(60):
            while not (await twin.gaps(f"{MILL}/power")):
                count += 1
                await node.say(Kind.DDATA, Metric(None, float(count - 1), None, node.t + count - 1, alias))
                await asyncio.sleep(0.05)
        stored = {at for at, value, _, _ in await twin.samples(f"{MILL}/power") if value >= 0}
        gaps = await twin.gaps(f"{MILL}/power")
        missing = {node.t + n for n in range(count)} - stored
        assert missing
        assert stored
        assert not [at for at in missing if not any(start <= at < end for start, end, _ in gaps)]


async def test_nonsense_is_counted_and_named_and_the_next_message_read(broker: Broker, store: Store) -> None:
    async with hosting(broker, store) as twin:
        await until_state(twin, online=True)
        async with connect(BrokerSettings(host="127.0.0.1", port=broker.port), client_id="nonsense") as client:
            t = now_ms()
            await client.publish("spBv1.0/plant/NBIRTH/odd", b"\xff\xff", qos=0)
            await client.publish("spBv1.0/plant/NBIRTH/odd", encode(Payload((Metric(None, 1.0),), t, 0)))
            await client.publish("spBv1.0/plant/DBIRTH/odd/mill-1", encode(Payload((), t, 999)))
            await client.publish("spBv1.0/plant/WHAT/odd", b"?")
            for word in (HostState(False, 1).to_json(), b"OFFLINE", b""):
                await client.publish(state("twin"), word, qos=1, retain=True)
            await until(lambda: twin.counters.malformed == 2 and twin.counters.sparkplug_refused == 1, "the refusals")
        await until_state(twin, online=True)  # somebody else's word that we are offline does not stay
        async with asyncio.timeout(20):
            while (await twin.rejected()).get("malformed", 0) < 3:
                await asyncio.sleep(0.02)


@dataclass
class RawNode:
    """An edge node that is as fast as the line; it obeys a Rebirth."""

    client: Client
    t: int
    seq: int = 0
    newest: float = -1.0

    async def say(self, kind: Kind, *metrics: Metric, body: bytes | None = None) -> None:
        self.seq = 0 if kind is Kind.NBIRTH else (self.seq + 1) % 256
        if kind is Kind.DDATA and isinstance(metrics[0].value, float):
            self.newest = metrics[0].value
        where = Address("plant", kind, "raw", "mill-1" if kind.startswith("D") else "")
        payload = Payload(metrics, self.t + int(self.newest), self.seq, body=body)
        await self.client.publish(where.topic, encode(payload))

    async def bear(self) -> None:
        await self.say(Kind.NBIRTH, Metric("bdSeq", 0, DataType.INT64, self.t))
        at = self.t + int(self.newest)
        await self.say(Kind.DBIRTH, Metric("power", self.newest, DataType.DOUBLE, at, 1))

    async def obey(self) -> None:
        async for _ in self.client.messages():
            await self.bear()


@asynccontextmanager
async def raw_node(broker: Broker) -> AsyncIterator[RawNode]:
    async with connect(BrokerSettings(host="127.0.0.1", port=broker.port), client_id="raw") as client:
        await client.subscribe([(Address("plant", Kind.NCMD, "raw").topic, 1)])
        node = RawNode(client, now_ms() - 100_000)
        obeying = asyncio.create_task(node.obey())
        try:
            yield node
        finally:
            obeying.cancel()
            await asyncio.gather(obeying, return_exceptions=True)
