"""(a) MQTT payloads → committed rows, against one COPY of the same sorted rows into the same table.

Both write in turn into fresh databases of one server, each behind a CHECKPOINT. Ours is the code of `twin run` without
the network: decode, admit, and the committer with its own grouping. The further figure adds the network: the same
payloads, waiting in a Mosquitto, to `run_ingest`.
"""

import asyncio
import random
import statistics
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import LiteralString

import psycopg

from tests.benchmark.record import Result
from tests.servers import mosquitto, postgres
from twin.ingest.admit import Expected, Registry, admit, registry
from twin.ingest.commit import Committer
from twin.ingest.decode import decode
from twin.ingest.ports import Counters
from twin.ingest.receive import run_ingest
from twin.samples import Committed, SampleBatch
from twin.store.binary import HEADER, TRAILER
from twin.store.connect import Store, open_store
from twin.store.embedded import SETTINGS
from twin.store.partitions import Partitions
from twin.store.queries import load_queries
from twin.store.rows import collect
from twin.wire import topic
from twin.wire.batch import encode
from twin.wire.mqtt import BrokerSettings, connect
from twin.wire.reading import Lane, Reading
from twin.wire.schema import NodeSchema, SchemaEntry

NODE, EPOCH = "edge-benchmark", "5" * 32
SIGNALS, EACH, BATCHES = 2000, 5, 100  # a batch is half a second of 2,000 signals at 10 Hz
ROWS = SIGNALS * EACH * BATCHES
ROUNDS = 3
START_NS = 1_760_000_000_000_000_000
PATHS = [f"benchmark/signal-{number}" for number in range(SIGNALS)]
SCHEMA = NodeSchema(NODE, tuple(SchemaEntry(handle, path, "measurement", "") for handle, path in enumerate(PATHS)))
SIGNAL_IDS = {path: number for number, path in enumerate(PATHS, 1)}
SIGNALS = dict.fromkeys(PATHS, Expected("measurement", ""))
PIECE_BYTES = 1 << 20
DEADLINE_S = 120
DIGEST = "SELECT count(*), sum(hash_record((signal, time, value, quality, server_at, received_at))::int8) FROM sample"


@dataclass(frozen=True, slots=True)
class Work:
    """The same rows twice: as payloads for us, as the file of a COPY for the peer."""

    payloads: list[bytes]
    copy: bytes
    batches: list[SampleBatch]


def _work() -> Work:
    payloads = [_payload(number, random.Random(number)) for number in range(1, BATCHES + 1)]
    known = _registry()
    batches = [admit(decode(payload), known).batch for payload in payloads]
    rows = collect(list(enumerate(batches, 1)))
    assert len(rows) == ROWS
    return Work(payloads, HEADER + bytes(rows.encode()) + TRAILER, batches)


def _payload(number: int, chance: random.Random) -> bytes:
    """Ms times with a phase per signal, two decimals, server times in µs, one time of reception."""
    start_ns = START_NS + number * 500_000_000
    received_ns = start_ns + 507_000_000
    rows = [
        Reading(handle, at_ns, round(chance.gauss(50, 5), 2), 0, at_ns + chance.randrange(3000) * 1000, received_ns)
        for handle in range(SIGNALS)
        for at_ns in range(start_ns + handle % 100 * 1_000_000, start_ns + 500_000_000, 100_000_000)
    ]
    return encode(
        rows, (), node=NODE, epoch=EPOCH, number=number, lane=Lane.LIVE, schema_hash=SCHEMA.hash, created_ns=received_ns
    )


def _registry() -> Registry:
    return registry(SCHEMA, SIGNAL_IDS, SIGNALS)


@contextmanager
def _database(server: str) -> Iterator[str]:
    """A new database; what is dirty of earlier runs is on the disk before the next begins."""
    name = f"bench_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield psycopg.conninfo.make_conninfo(server, dbname=name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def _ready_store(dsn: str) -> AsyncIterator[Store]:
    async with open_store(dsn) as store:
        async with store.database.connection() as connection:
            await connection.execute("CHECKPOINT")
        yield store


async def _digest(store: Store) -> tuple[object, ...]:
    async with store.database.connection() as connection:
        found = await (await connection.execute(DIGEST)).fetchone()
    assert found is not None
    assert found[0] == ROWS, found
    return found


async def _ours(dsn: str, work: Work) -> tuple[float, object]:
    known, counters, done = _registry(), Counters(), asyncio.Event()

    async def count(_: Sequence[Committed]) -> None:
        if counters.rows >= ROWS:
            done.set()

    async with _ready_store(dsn) as store:
        committer = Committer(store, lambda _node, _receipt: None, count, counters)
        running = asyncio.create_task(committer.run())
        began_s = time.perf_counter()
        for payload in work.payloads:
            await committer.put(admit(decode(payload), known))
        await _within_deadline(done, running)
        took_s = time.perf_counter() - began_s
        running.cancel()
        return took_s, await _digest(store)


async def _peer(dsn: str, work: Work) -> tuple[float, object]:
    """What a COPY from a file costs: the server's work, and a client that does no more than read the file."""
    query = load_queries("commit")["copy"]
    async with _ready_store(dsn) as store:
        async with store.database.connection() as connection:
            await Partitions().ensure(connection, [batch.time for batch in work.batches])
        began_s = time.perf_counter()
        await asyncio.to_thread(_copy, dsn, query, work.copy)
        return time.perf_counter() - began_s, await _digest(store)


def _copy(dsn: str, query: LiteralString, content: bytes) -> None:
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        _fill(cursor, query, content)
        connection.commit()  # part of what it costs


def _fill(cursor: "psycopg.Cursor[tuple[object, ...]]", query: LiteralString, content: bytes) -> None:
    with cursor.copy(query) as copy:
        for start in range(0, len(content), PIECE_BYTES):
            copy.write(content[start : start + PIECE_BYTES])


async def _through_broker(dsn: str, work: Work) -> tuple[float, object]:
    """All payloads at once into the broker, as edges do after an outage; until the last row is committed."""
    counters, done = Counters(), asyncio.Event()

    async def count(_: Sequence[Committed]) -> None:
        if counters.rows >= ROWS:
            done.set()

    async def hear(_node: str, _report: object) -> None:
        heard.set()

    heard = asyncio.Event()
    with mosquitto("allow_anonymous true\nmax_queued_messages 100000") as process:
        broker = BrokerSettings(host="127.0.0.1", port=process.port)
        async with _ready_store(dsn) as store, connect(broker, client_id=NODE) as client:
            ingest = run_ingest(
                broker, store, count, signal_ids=SIGNAL_IDS, plant=SIGNALS, on_health=hear, counters=counters
            )
            running = asyncio.create_task(ingest)
            await client.publish(topic.schema(NODE, SCHEMA.hash), SCHEMA.to_json(), qos=1, retain=True)
            await client.publish(topic.health(NODE), b"{}", qos=1, retain=True)
            await _within_deadline(heard, running)
            began_s = time.perf_counter()
            for payload in work.payloads:
                client.publish_nowait(topic.data(NODE), payload, qos=1)
            await _within_deadline(done, running)
            took_s = time.perf_counter() - began_s
            running.cancel()
            return took_s, await _digest(store)


async def _within_deadline(event: asyncio.Event, running: "asyncio.Task[None]") -> None:
    """Wait for the event; whatever ends the task first is raised."""
    waiting = asyncio.create_task(event.wait())
    ended, _ = await asyncio.wait({waiting, running}, timeout=DEADLINE_S, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if running in ended:
        running.result()
    assert waiting in ended, f"not within {DEADLINE_S} s"


Run = Callable[[str, Work], Coroutine[None, None, tuple[float, object]]]


def measure() -> list[Result]:
    """Medians of runs in turn; every run must leave the same rows in the table."""
    work = _work()
    took_s: dict[Run, list[float]] = {_peer: [], _ours: [], _through_broker: []}
    digests: set[object] = set()
    with postgres(settings=SETTINGS) as server:
        with _database(server.dsn) as dsn:  # the first run of a new server pays for its new log files
            asyncio.run(_peer(dsn, work))
        for _ in range(ROUNDS):
            for run, found_s in took_s.items():
                with _database(server.dsn) as dsn:
                    run_s, digest = asyncio.run(run(dsn, work))
                found_s.append(run_s)
                digests.add(digest)
    assert len(digests) == 1, digests
    peer, ours, broker = (ROWS / statistics.median(found_s) for found_s in took_s.values())
    name = "COPY of the same sorted rows"
    return [
        Result(
            "a-ingest-rate", "payload → committed rows, one process", ours, "rows/s", "≥ 400,000", ours >= 400_000,
            name, ours / peer,
        ),
        Result(
            "a-ingest-ratio", "payload → committed rows against COPY", ours / peer, "×", "≥ 0.6", ours / peer >= 0.6,
            name, ours / peer,
        ),
        Result(
            "a-ingest-broker-rate", "the same payloads through a broker on the same cores", broker, "rows/s",
            "≥ 200,000", broker >= 200_000, name, broker / peer,
        ),
    ]  # fmt: skip
