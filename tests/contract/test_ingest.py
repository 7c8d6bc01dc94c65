"""Ingest between a real broker and a real PostgreSQL: exactly once, whatever comes twice, late, early or broken."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from tests.servers import Broker, mosquitto, postgres
from tests.waiting import until
from twin.commands.run import expected
from twin.errors import Retryable
from twin.ingest import commit
from twin.ingest.ports import Counters
from twin.ingest.receive import run_ingest
from twin.plant.load import load_plant
from twin.samples import Committed
from twin.store.connect import Store, open_store
from twin.store.incarnation import set_back
from twin.wire import topic
from twin.wire.batch import encode
from twin.wire.mqtt import BrokerSettings, Client, connect
from twin.wire.reading import Gap, GapCause, Lane, Reading
from twin.wire.receipt import Receipt
from twin.wire.schema import NodeSchema, SchemaEntry

NODE, EPOCH, NOW_NS = "edge-1", "5" * 32, 1_760_000_000_000_000_000
PLANT = load_plant(Path(__file__).resolve().parents[2] / "configs" / "plant.yaml")
SIGNALS = expected(PLANT)
NUMBER, OTHER = [path for path, signal in SIGNALS.items() if signal.kind == "measurement"][:2]
TEXT = next(path for path, signal in SIGNALS.items() if signal.kind == "text")
SCHEMA = NodeSchema(
    NODE, tuple(SchemaEntry(handle, path, SIGNALS[path].kind, "") for handle, path in enumerate([NUMBER, OTHER, TEXT]))
)


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with mosquitto("allow_anonymous true\nmax_queued_messages 100000") as running:
        yield running


@pytest.fixture(scope="module")
def server_dsn() -> Iterator[str]:
    with postgres() as server:
        yield server.dsn


@pytest.fixture
async def store(server_dsn: str) -> AsyncIterator[Store]:
    name = f"ingest_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    async with open_store(psycopg.conninfo.make_conninfo(server_dsn, dbname=name)) as opened:
        yield opened


@pytest.fixture
async def client(broker: Broker) -> AsyncIterator[Client]:
    """A connection of the node, that hears its receipts and commands; leaves no retained message behind."""
    async with connect(BrokerSettings(host="127.0.0.1", port=broker.port), client_id=f"node-{uuid.uuid4()}") as found:
        await found.subscribe([(topic.receipt(NODE), 1), (topic.command(NODE), 1)])
        yield found
        for where in (topic.receipt(NODE), topic.schema(NODE, SCHEMA.hash), topic.health(NODE)):
            await found.publish(where, b"", qos=1, retain=True)


def batch(number: int, values: Sequence[float] = (1.0,), *, signal: int = 0, **changes) -> bytes:
    readings = [Reading(signal, NOW_NS + (number * 1000 + n) * 10**6, v, 0, 0, NOW_NS) for n, v in enumerate(values)]
    named = {
        "node": NODE, "epoch": EPOCH, "number": number, "lane": Lane.LIVE, "schema_hash": SCHEMA.hash,
        "created_ns": NOW_NS, "gaps": (),
    }  # fmt: skip
    return encode(readings, **{**named, **changes})


async def register(store: Store) -> dict[str, int]:
    return await store.plants.register(PLANT)


@dataclass
class Ingest:
    committed: list[Committed] = field(default_factory=list)
    reports: list[tuple[str, dict]] = field(default_factory=list)
    counters: Counters = field(default_factory=Counters)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def take(self, committed: Sequence[Committed]) -> None:
        await self.gate.wait()
        self.committed += committed

    async def hear(self, node: str, report) -> None:
        self.reports.append((node, dict(report)))

    def values(self) -> list[float]:
        return [value for one in self.committed for value in one.batch.value.tolist()]


async def until_subscribed(broker: Broker, ingest: Ingest) -> None:
    """A health report comes through as soon as ingest hears the broker."""
    ingest.reports.clear()
    async with connect(BrokerSettings(host="127.0.0.1", port=broker.port), client_id="knocking") as client:
        async with asyncio.timeout(20):
            while not ingest.reports:
                await client.publish(topic.health("knocking"), b"{}", qos=1)
                await asyncio.sleep(0.02)


@asynccontextmanager
async def ingesting(broker: Broker, store, signal_ids: dict[str, int], **more) -> AsyncIterator[Ingest]:
    ingest = Ingest()
    running = asyncio.create_task(
        run_ingest(
            BrokerSettings(host="127.0.0.1", port=broker.port), store, ingest.take, signal_ids=signal_ids, plant=SIGNALS,
            on_health=ingest.hear, counters=ingest.counters, **more,
        )
    )  # fmt: skip
    try:
        await until_subscribed(broker, ingest)
        yield ingest
    finally:
        assert not running.done(), running.exception()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def receipt_for(client: Client, number: int, epoch: str = EPOCH) -> Receipt:
    async with asyncio.timeout(20):
        async for message in client.messages():
            if message.topic == topic.receipt(NODE) and message.payload:
                receipt = Receipt.from_json(message.payload)
                if receipt.epoch == epoch and receipt.covers(number):
                    return receipt
    raise AssertionError


async def stored(store: Store, query: str) -> list[tuple]:
    async with store.database.connection() as connection:
        return await (await connection.execute(query)).fetchall()


async def publish_schema(client: Client) -> None:
    await client.publish(topic.schema(NODE, SCHEMA.hash), SCHEMA.to_json(), qos=1, retain=True)


async def test_a_batch_is_stored_receipted_and_handed_on_once_however_often_it_comes(broker, store, client):
    ids = await register(store)
    await publish_schema(client)
    async with ingesting(broker, store, ids) as ingest:
        gap = Gap((0, 1), NOW_NS, NOW_NS + 10**9, GapCause.AGENT_DOWN, "restart")
        payload = batch(1, [1.5, 2.5], gaps=(gap,))
        for _ in range(3):
            await client.publish(topic.data(NODE), payload, qos=1)
        await client.publish(topic.data(NODE), batch(3, [4.0]), qos=1)
        receipt = await receipt_for(client, 3)
        assert (receipt.high_water, receipt.above) == (1, ((3, 3),))
        await client.publish(topic.data(NODE), batch(2, [3.0]), qos=1)
        assert (await receipt_for(client, 2)).high_water == 3
        await until(lambda: ingest.counters.repeated == 2 and len(ingest.committed) == 3)
        assert ingest.values() == [1.5, 2.5, 4.0, 3.0]
        assert [one.seq for one in ingest.committed] == sorted({one.seq for one in ingest.committed})
    rows = await stored(store, "SELECT value FROM sample ORDER BY value")
    assert [value for (value,) in rows] == [1.5, 2.5, 3.0, 4.0]
    assert len(await stored(store, "SELECT * FROM gap")) == 2


async def test_a_batch_before_its_schema_waits_for_it_and_the_node_is_asked(broker, store, client):
    ids = await register(store)
    async with ingesting(broker, store, ids) as ingest:
        await client.publish(topic.data(NODE), batch(1, [7.0]), qos=1)
        async with asyncio.timeout(20):
            async for message in client.messages():
                if message.topic == topic.command(NODE):
                    break
        assert json.loads(message.payload) == {"want": "schema", "hash": SCHEMA.hash}
        assert ingest.counters.unknown_schema == 1
        await publish_schema(client)
        await receipt_for(client, 1)
        await until(lambda: ingest.values() == [7.0])
    assert [schema.hash for schema in await store.nodes.schemas()] == [SCHEMA.hash]


async def test_a_schema_that_the_broker_forgot_is_known_from_the_store(broker, store, client):
    ids = await register(store)
    await store.nodes.save_schema(SCHEMA)
    async with ingesting(broker, store, ids):
        await client.publish(topic.data(NODE), batch(1, [7.0]), qos=1)
        await receipt_for(client, 1)


async def test_poison_is_recorded_and_the_spool_may_forget_it(broker, store, client):
    ids = await register(store)
    await publish_schema(client)
    async with ingesting(broker, store, ids) as ingest:
        good = batch(2, [1.0])
        broken = batch(1, [1.0])[:-3] + b"\0\0\0"
        foreign = batch(3, [1.0], node="edge-2")
        rejected_rows = batch(4, [1.0, 2.0], signal=2)
        for payload in (broken, b"no batch at all", good, foreign, rejected_rows):
            await client.publish(topic.data(NODE), payload, qos=1)
        await client.publish(topic.schema(NODE, "0" * 16), SCHEMA.to_json(), qos=1)
        assert (await receipt_for(client, 4)).high_water == 4
        await until(lambda: ingest.values() == [1.0])
        assert ingest.counters.malformed >= 3
    rows = await stored(store, "SELECT reason, count(*) FROM rejected GROUP BY reason")
    found = dict(rows)
    assert found["wrong-node"] == 1
    assert found["wrong-type"] == 2
    assert found["malformed"] >= 2
    assert len(await stored(store, "SELECT * FROM sample")) == 1


async def test_batches_without_a_number_are_stored_once_by_key_and_get_no_receipt(broker, store, client):
    ids = await register(store)
    await publish_schema(client)
    async with ingesting(broker, store, ids) as ingest:
        for _ in range(2):
            await client.publish(topic.data(NODE), batch(0, [1.0, 2.0]), qos=1)
        await until(lambda: ingest.counters.batches == 2)
        assert ingest.values() == [1.0, 2.0]
        await client.publish(topic.data(NODE), batch(1), qos=1)
        first = await receipt_for(client, 1)
        assert (first.high_water, first.above) == (1, ())
    assert len(await stored(store, "SELECT * FROM sample")) == 3


async def test_after_a_restore_every_node_is_told_at_once_what_the_store_has(broker, store, client):
    ids = await register(store)
    await publish_schema(client)
    async with ingesting(broker, store, ids):
        await client.publish(topic.data(NODE), batch(1), qos=1)
        before = await receipt_for(client, 1)
    await set_back(store.database)
    async with ingesting(broker, store, ids):
        after = await receipt_for(client, 1)
        assert (after.high_water, after.incarnation > before.incarnation > 0) == (1, True)


async def test_texts_are_stored_and_handed_on(broker, store, client):
    ids = await register(store)
    await publish_schema(client)
    async with ingesting(broker, store, ids) as ingest:
        await client.publish(topic.data(NODE), batch(1, ["order 7"], signal=2), qos=1)
        await receipt_for(client, 1)
        await until(lambda: ingest.committed)
        assert ingest.committed[0].batch.texts.text == ("order 7",)
        assert ingest.committed[0].batch.texts.signal.tolist() == [ids[TEXT]]


async def test_health_reports_are_handed_on_and_nonsense_is_not(broker, store, client):
    ids = await register(store)
    async with ingesting(broker, store, ids) as ingest:
        for payload in (b"not json", b"[1]", b"[" * 100_000, b'{"status": "offline"}'):
            await client.publish(topic.health(NODE), payload, qos=1)
        await until(lambda: ingest.reports[-1] == (NODE, {"status": "offline"}))
        assert ingest.counters.malformed == 3


@dataclass
class Cut:
    """The real samples behind a connection that breaks when told: before the transaction, or right after its COMMIT."""

    samples: object
    before: int = 0
    after: int = 0

    async def commit(self, admitted):
        if self.before:
            self.before -= 1
            raise Retryable("the connection broke")
        committed = await self.samples.commit(admitted)
        if self.after:
            self.after -= 1
            raise Retryable("the connection broke after COMMIT")
        return committed

    def since(self, seq):
        return self.samples.since(seq)


@dataclass
class CutStore:
    samples: Cut
    nodes: object


async def test_a_store_that_comes_back_gets_everything_and_no_receipt_left_before(broker, store, client):
    ids = await register(store)
    await publish_schema(client)
    cut = CutStore(Cut(store.samples, before=2), store.nodes)
    async with ingesting(broker, cut, ids) as ingest:
        for number in range(1, 21):
            await client.publish(topic.data(NODE), batch(number, [float(number)]), qos=1)
        receipt = await receipt_for(client, 20)
        assert receipt.high_water == 20
        assert cut.samples.before == 0
        await until(lambda: len(ingest.values()) == 20)
        assert ingest.values() == [float(number) for number in range(1, 21)]
        assert ingest.counters.store_failures == 2


async def test_a_commit_whose_answer_was_lost_is_handed_on_from_the_store(broker, store, client):
    ids = await register(store)
    await publish_schema(client)
    cut = CutStore(Cut(store.samples), store.nodes)
    async with ingesting(broker, cut, ids) as ingest:
        for number in range(1, 11):
            cut.samples.after = number % 3 == 1
            await client.publish(topic.data(NODE), batch(number, [float(number)]), qos=1)
            await receipt_for(client, number)
        await until(lambda: len(ingest.values()) >= 10)
        assert ingest.values() == [float(number) for number in range(1, 11)]
        seqs = [one.seq for one in ingest.committed]
        assert seqs == sorted(set(seqs))
    assert len(await stored(store, "SELECT * FROM sample")) == 10


async def test_unnumbered_batches_whose_answer_was_lost_are_handed_on_once(broker, store, client):
    ids = await register(store)
    await publish_schema(client)
    cut = CutStore(Cut(store.samples, after=1), store.nodes)
    async with ingesting(broker, cut, ids) as ingest:
        await client.publish(topic.data(NODE), batch(0, [1.0, 2.0]), qos=1)
        await until(lambda: ingest.counters.batches == 1 and len(ingest.committed) == 2)
        assert ingest.values() == [1.0, 2.0]


async def test_a_listener_that_waits_stops_the_reading_and_loses_nothing(broker, store, client, monkeypatch):
    monkeypatch.setattr(commit, "MOST_WAITING_ROWS", 500)
    monkeypatch.setattr(commit, "MOST_GROUP_ROWS", 200)
    ids = await register(store)
    await publish_schema(client)
    async with ingesting(broker, store, ids) as ingest:
        ingest.gate.clear()
        for number in range(1, 101):
            await client.publish(topic.data(NODE), batch(number, [float(number)] * 10), qos=1)
        await until(lambda: ingest.counters.waiting_rows >= 500)
        assert ingest.counters.waiting_rows < 600
        assert ingest.counters.batches < 100
        ingest.gate.set()
        await receipt_for(client, 100)
        await until(lambda: len(ingest.values()) == 1000)


async def test_ingest_outlives_its_broker(store):
    ids = await register(store)
    await store.nodes.save_schema(SCHEMA)
    with mosquitto() as own:
        async with ingesting(own, store, ids) as ingest:
            settings = BrokerSettings(host="127.0.0.1", port=own.port)
            async with connect(settings, client_id="before") as node:
                await node.subscribe([(topic.receipt(NODE), 1)])
                await node.publish(topic.data(NODE), batch(1, [1.0]), qos=1)
                await receipt_for(node, 1)
            own.kill()
            own.start()
            await until_subscribed(own, ingest)
            async with connect(settings, client_id="after") as node:
                await node.subscribe([(topic.receipt(NODE), 1)])
                await node.publish(topic.data(NODE), batch(2, [2.0]), qos=1)
                assert (await receipt_for(node, 2)).high_water == 2
            await until(lambda: ingest.values() == [1.0, 2.0])


async def test_the_newest_seq_is_that_of_the_last_committed_batch(broker: Broker, store: Store, client: Client) -> None:
    assert await store.samples.newest_seq() == 0
    async with ingesting(broker, store, await register(store)) as ingest:
        await client.publish(topic.schema(NODE, SCHEMA.hash), SCHEMA.to_json(), qos=1, retain=True)
        await client.publish(topic.data(NODE), batch(1), qos=1)
        await client.publish(topic.data(NODE), batch(2), qos=1)
        await until(lambda: len(ingest.committed) >= 2)
    assert await store.samples.newest_seq() == ingest.committed[-1].seq > 0
