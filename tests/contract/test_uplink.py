"""The uplink against real brokers and a peer that speaks receipts: what is kept arrives, whatever happens between."""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from edge.spool import Spool, open_spool
from edge.spool_sent import KeepSent
from edge.uplink import run_uplink
from edge.uplink_settings import UplinkSettings
from tests.servers import Broker, amqtt, mosquitto
from tests.waiting import until
from twin.errors import Retryable
from twin.wire import topic
from twin.wire.batch import decode
from twin.wire.mqtt import BrokerSettings, Client, Message, connect
from twin.wire.reading import Lane, Reading
from twin.wire.receipt import Receipt
from twin.wire.schema import NodeSchema, SchemaEntry

NODE = "gateway-1"
SCHEMA = NodeSchema(NODE, tuple(SchemaEntry(i, f"site/line/unit/s{i}", "measurement", "A") for i in range(50)))
QUICK = UplinkSettings(resend_s=0.3, resend_max_s=1.0, health_s=0.5)


def readings(count: int, start: int = 0) -> list[Reading]:
    return [
        Reading(i % 50, 1_790_000_000_000_000_000 + i * 1_000_000, (i * i * 2654435761 % (1 << 32)) / 7.0, 0, 0, 1_000)
        for i in range(start, start + count)
    ]


class Store:
    """The other end: remembers batches and publishes cumulative receipts, as the twin does after COMMIT."""

    def __init__(self, spool: Spool) -> None:
        self.epoch = spool.epoch
        self.incarnation = 1
        self.committed: dict[int, list[Reading]] = {}
        self.arrived: list[tuple[int, Lane]] = []  # with doubles
        self.schemas: list[Message] = []
        self.health: list[dict[str, object]] = []
        self.receipts = True
        self.client: Client | None = None

    async def run(self, broker: BrokerSettings, *, durable: bool = False) -> None:
        async with connect(broker, client_id="the-store", clean_session=not durable) as client:
            await client.subscribe([(topic.ALL_DATA, 1), (topic.ALL_SCHEMAS, 1), (topic.ALL_HEALTH, 1)])
            self.client = client
            async for message in client.messages():
                await self.take(client, message)

    async def take(self, client: Client, message: Message) -> None:
        if message.topic == topic.health(NODE):
            self.health.append(json.loads(message.payload))
        elif message.topic != topic.data(NODE):
            self.schemas.append(message)
        else:
            columns = decode(message.payload)
            self.arrived.append((columns.header.number, columns.header.lane))
            if self.receipts:
                self.committed[columns.header.number] = columns.readings()
                await client.publish(topic.receipt(NODE), self.receipt().to_json(), qos=1, retain=True)

    def receipt(self) -> Receipt:
        ranges: list[tuple[int, int]] = [(0, 0)]
        for number in sorted(self.committed):
            if ranges[-1][1] == number - 1:
                ranges[-1] = (ranges[-1][0], number)
            else:
                ranges.append((number, number))
        return Receipt(self.epoch, ranges[0][1], tuple(ranges[1:]), self.incarnation)

    def readings(self) -> list[Reading]:
        return sorted(one for batch in self.committed.values() for one in batch)


@asynccontextmanager
async def running(*coroutines) -> AsyncIterator[None]:
    """Run the coroutines during the block; whatever they raise on the way fails the test."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in coroutines]
        yield
        for task in tasks:
            task.cancel()


def spool_at(tmp_path: Path, **more):
    options = {"max_bytes": 10_000_000, "linger_s": 0.005, **more}
    return open_spool(tmp_path / "spool.db", schema=SCHEMA, **options)


def uplink(spool: Spool, broker: BrokerSettings, settings: UplinkSettings = QUICK, health=None):
    report = health or (lambda: {"format": 1, "node": NODE, "status": "online"})
    return run_uplink(settings, broker, spool, report, node=NODE)


def address(broker: Broker, **more) -> BrokerSettings:
    return BrokerSettings(host="127.0.0.1", port=broker.port, **more)


async def keep(spool: Spool, batches: int, start: int = 0) -> list[Reading]:
    kept: list[Reading] = []
    for i in range(start, start + batches):
        kept += readings(20, start=20 * i)
        await spool.keep(readings(20, start=20 * i))
    return kept


@pytest.fixture(params=[mosquitto, amqtt], ids=["mosquitto", "amqtt"])
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    with request.param() as started:
        yield started


async def test_what_is_kept_arrives_and_leaves_the_spool_on_its_receipt(broker: Broker, tmp_path: Path):
    async with spool_at(tmp_path) as spool:
        store = Store(spool)
        async with running(store.run(address(broker)), uplink(spool, address(broker))):
            await until(lambda: store.health, "health")
            kept = await keep(spool, 50)
            await until(lambda: spool.backlog().batches == 0, "empty spool")
        assert store.readings() == sorted(kept)
        assert {lane for _, lane in store.arrived} == {Lane.LIVE}
        assert NodeSchema.from_json(store.schemas[0].payload) == SCHEMA
        assert store.schemas[0].topic == topic.schema(NODE, SCHEMA.hash)


async def test_a_store_that_was_set_back_gets_again_what_the_spool_has_kept(broker: Broker, tmp_path: Path):
    async with spool_at(tmp_path, keep_sent=KeepSent(1 << 60, 1_000_000)) as spool:
        store = Store(spool)
        async with running(store.run(address(broker)), uplink(spool, address(broker))):
            await until(lambda: store.health, "health")
            kept = await keep(spool, 20)
            await until(lambda: spool.backlog().batches == 0 and store.client, "empty spool")
            before = store.receipt()
            for number in (*range(8, 12), *range(15, 21)):
                del store.committed[number]
            store.incarnation = 2
            await store.client.publish(topic.receipt(NODE), store.receipt().to_json(), qos=1, retain=True)
            await until(lambda: len(store.committed) == 20 and spool.backlog().batches == 0, "all batches again")
            store.receipts = False
            kept += await keep(spool, 1, start=20)
            await store.client.publish(topic.receipt(NODE), Receipt(spool.epoch, 21).to_json(), qos=1)
            await until(lambda: spool.backlog().batches == 0, "receipt of an older twin")
            await keep(spool, 1, start=21)
            late = Receipt(spool.epoch, 22, (), before.incarnation)  # of the former life: it says nothing any more
            await store.client.publish(topic.receipt(NODE), late.to_json(), qos=1, retain=True)
            await until(lambda: store.arrived.count((22, Lane.LIVE)) > 1, "batch 22 again")
            assert spool.backlog().batches == 1
        assert store.readings() == sorted([*kept[:400]])
        assert {lane for number, lane in store.arrived[20:] if number < 21} == {Lane.HISTORY}


async def test_a_batch_without_a_receipt_is_sent_again_though_the_broker_acknowledged_it(
    broker: Broker, tmp_path: Path
):
    async with spool_at(tmp_path) as spool:
        store = Store(spool)
        store.receipts = False
        async with running(store.run(address(broker)), uplink(spool, address(broker))):
            await until(lambda: store.health, "health")
            kept = await keep(spool, 1)
            await until(lambda: store.arrived.count((1, Lane.LIVE)) >= 3, "third sending")
            assert spool.backlog().batches == 1
            store.receipts = True
            await until(lambda: spool.backlog().batches == 0, "empty spool")
        assert store.readings() == kept


async def test_the_window_bounds_what_is_on_its_way_and_live_keeps_a_share_of_it(broker: Broker, tmp_path: Path):
    settings = UplinkSettings(window_batches=8, resend_s=60)
    async with spool_at(tmp_path) as spool:
        await keep(spool, 30)
        store = Store(spool)
        store.receipts = False
        async with running(store.run(address(broker)), uplink(spool, address(broker), settings)):
            await until(lambda: len(store.arrived) == 6, "history up to its share")
            await keep(spool, 5, start=30)
            await until(lambda: len(store.arrived) == 8, "live up to the window")
            assert [lane for _, lane in store.arrived] == [Lane.HISTORY] * 6 + [Lane.LIVE] * 2
            store.receipts = True
            assert store.client is not None
            store.committed = {number: [] for number, _ in store.arrived}
            await store.client.publish(topic.receipt(NODE), store.receipt().to_json(), qos=1, retain=True)
            await until(lambda: len({number for number, _ in store.arrived}) == 35, "the rest")


async def test_after_an_outage_live_batches_overtake_the_backlog(broker: Broker, tmp_path: Path):
    slow = UplinkSettings(history_bytes_per_s=20_000)
    async with spool_at(tmp_path) as spool:
        kept = await keep(spool, 150)
        store = Store(spool)
        async with running(store.run(address(broker)), uplink(spool, address(broker), slow)):
            await until(lambda: store.arrived, "first batch")
            kept += await keep(spool, 20, start=150)
            await until(lambda: set(range(151, 171)) <= store.committed.keys(), "live batches")
            assert len(store.committed) < 150
            backlog = spool.backlog()
            assert backlog.batches > 20
            assert backlog.oldest_live_ns is None or backlog.oldest_live_ns > backlog.oldest_ns
        async with running(store.run(address(broker)), uplink(spool, address(broker))):
            await until(lambda: spool.backlog().batches == 0, "empty spool")
        assert store.readings() == sorted(kept)
        lanes = dict(store.arrived)
        assert {lanes[number] for number in range(1, 151)} == {Lane.HISTORY}


async def test_a_broker_that_is_killed_again_and_again_loses_nothing(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, logger="edge.uplink")
    async with spool_at(tmp_path) as spool:
        store = Store(spool)

        async def patient() -> None:
            while True:
                with suppress(Retryable):
                    await store.run(address(broker))
                await asyncio.sleep(0.05)

        async with running(patient(), uplink(spool, address(broker))):
            kept: list[Reading] = []
            for turn in range(3):
                before = len(store.arrived)
                kept += await keep(spool, 30, start=60 * turn)
                await until(lambda before=before: len(store.arrived) > before, "arrivals")
                await asyncio.to_thread(broker.kill)
                kept += await keep(spool, 30, start=60 * turn + 30)
                await asyncio.to_thread(broker.start)
            await until(lambda: spool.backlog().batches == 0, "empty spool", 30)
        assert store.readings() == sorted(kept)
    away = [record for record in caplog.records if record.levelno == logging.WARNING and "is away" in record.message]
    assert len(away) <= 3


async def test_dropped_batches_are_told_so_that_the_high_water_mark_reaches_the_end(broker: Broker, tmp_path: Path):
    async with spool_at(tmp_path, max_bytes=10_000) as spool:
        await keep(spool, 200)
        assert spool.drops().batches > 100
        store = Store(spool)
        async with running(store.run(address(broker)), uplink(spool, address(broker))):
            await until(lambda: (left := spool.backlog()).batches + left.withdrawn == 0, "empty spool")
        receipt = store.receipt()
        assert receipt.above == ()
        assert receipt.high_water > 200
        assert len(store.readings()) == 200 * 20 - spool.drops().readings


async def test_a_wanted_schema_is_published_again_and_nonsense_is_ignored(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    async with spool_at(tmp_path) as spool:
        store = Store(spool)
        async with running(store.run(address(broker)), uplink(spool, address(broker))):
            await until(lambda: store.schemas and store.health, "schema")
            assert store.client is not None
            for nonsense in (b"\xff", b"[]", b'{"want":"control"}', b'{"want":"schema","hash":"0000000000000000"}'):
                await store.client.publish(topic.command(NODE), nonsense, qos=1)
            await store.client.publish(topic.receipt(NODE), b"{}", qos=1, retain=True)
            before = len(store.schemas)
            command = json.dumps({"want": "schema", "hash": SCHEMA.hash}).encode()
            await store.client.publish(topic.command(NODE), command, qos=1)
            await until(lambda: len(store.schemas) > before, "schema again")
            await keep(spool, 3)
            await until(lambda: spool.backlog().batches == 0, "empty spool")
    assert sum(record.levelno == logging.WARNING for record in caplog.records if record.name == "edge.uplink") == 5


async def test_health_is_told_regularly_on_change_and_offline_at_the_end(broker: Broker, tmp_path: Path):
    report: dict[str, object] = {"format": 1, "status": "online", "values": 1, "sources": [{"status": "connected"}]}
    seldom = UplinkSettings(health_s=600)
    async with spool_at(tmp_path) as spool:
        store = Store(spool)
        async with running(store.run(address(broker))):
            await until(lambda: store.client, "the store's connection")
            async with running(uplink(spool, address(broker), seldom, lambda: report)):
                await until(lambda: len(store.health) == 1, "first report")
                report.update(values=2)
                report.update(sources=[{"status": "down"}])
                await until(lambda: len(store.health) == 2, "report of the change", 5)
                assert store.health[-1]["sources"] == [{"status": "down"}]
            await until(lambda: store.health[-1]["status"] == "offline", "offline")
            async with running(uplink(spool, address(broker), QUICK, lambda: report)):
                await until(lambda: len(store.health) >= 5, "regular reports")


_AGENT = """
import asyncio, sys
from pathlib import Path
from edge.spool import open_spool
from edge.uplink import run_uplink
from edge.uplink_settings import UplinkSettings
from twin.wire.mqtt import BrokerSettings
from twin.wire.schema import NodeSchema

async def main():
    schema = NodeSchema("gateway-1", ())
    async with open_spool(Path(sys.argv[1]) / "child.db", schema=schema, max_bytes=1_000_000) as spool:
        broker = BrokerSettings(host="127.0.0.1", port=int(sys.argv[2]))
        await run_uplink(UplinkSettings(), broker, spool, lambda: {"status": "online"}, node="gateway-1")

asyncio.run(main())
"""


async def test_the_broker_says_offline_when_the_agent_is_killed(tmp_path: Path):
    with mosquitto() as broker:
        async with spool_at(tmp_path) as spool:
            store = Store(spool)
            async with running(store.run(address(broker))):
                await until(lambda: store.client, "the store's connection")
                child = await asyncio.create_subprocess_exec(
                    sys.executable, "-c", _AGENT, str(tmp_path), str(broker.port)
                )
                await until(lambda: store.health, "health")
                child.send_signal(signal.SIGKILL)
                await child.wait()
                await until(lambda: store.health[-1]["status"] == "offline", "the last will")


async def test_messages_that_a_full_broker_queue_threw_away_are_sent_again(tmp_path: Path):
    with mosquitto("allow_anonymous true\nmax_queued_messages 5") as broker:
        async with spool_at(tmp_path) as spool:
            store = Store(spool)
            async with running(store.run(address(broker), durable=True)):
                await until(lambda: store.client, "subscription")
            async with running(uplink(spool, address(broker))):
                kept = await keep(spool, 60)
                await until(lambda: spool.backlog().batches == 60, "backlog")
                async with running(store.run(address(broker), durable=True)):
                    await until(lambda: spool.backlog().batches == 0, "empty spool", 30)
            assert store.readings() == sorted(kept)


ACL_DENIES = f"user edge\ntopic read #\ntopic write {topic.health(NODE)}\ntopic write {topic.ROOT}/{NODE}/schema/#\n"
ACL_ALLOWS = "user edge\ntopic readwrite #\n"


async def test_a_denied_publish_is_logged_once_and_nothing_is_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, logger="edge.uplink")
    acl = tmp_path / "acl"
    write(acl, ACL_DENIES + "user store\ntopic readwrite #\n")
    with mosquitto(f"allow_anonymous true\nacl_file {acl}\n") as broker:
        async with spool_at(tmp_path) as spool:
            store = Store(spool)
            edge, twin = address(broker, username="edge"), address(broker, username="store")
            async with running(store.run(twin), uplink(spool, edge)):
                kept = await keep(spool, 20)
                await until(lambda: "denies the publish" in caplog.text, "refusal in the log")
                assert store.arrived == []
                assert spool.backlog().batches == 20
                write(acl, ACL_ALLOWS + "user store\ntopic readwrite #\n")
                assert broker.process is not None
                os.kill(broker.process.pid, signal.SIGHUP)
                await until(lambda: spool.backlog().batches == 0, "empty spool", 30)
            assert store.readings() == sorted(kept)
    refusals = [record for record in caplog.records if "denies the publish" in record.message]
    assert len(refusals) == 1
    assert f"write below fabriquay/1/{NODE}/" in refusals[0].message
    assert "come again" in caplog.text


def write(path: Path, text: str) -> None:
    path.write_text(text)


async def test_what_could_not_be_sent_for_long_becomes_history_without_a_reconnect(tmp_path: Path):
    settings = UplinkSettings(window_batches=4, resend_s=0.3, resend_max_s=0.4, live_age_s=2)
    with mosquitto() as broker:
        async with spool_at(tmp_path) as spool:
            store = Store(spool)
            store.receipts = False
            async with running(store.run(address(broker)), uplink(spool, address(broker), settings)):
                kept = await keep(spool, 20)
                await until(lambda: spool.backlog().oldest_live_ns is None, "demotion")
                store.receipts = True
                kept += await keep(spool, 5, start=20)
                await until(lambda: spool.backlog().batches == 0, "empty spool")
            lanes = dict(store.arrived)
            assert lanes[20] is Lane.HISTORY
            assert {lanes[number] for number in range(21, 26)} == {Lane.LIVE}
            assert store.readings() == sorted(kept)
