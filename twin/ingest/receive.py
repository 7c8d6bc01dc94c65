"""Hop *receive*: the broker's messages → decoded, admitted, handed to the committer; receipts go back.

In: data, schemas and health of every node. Out: admitted batches to `twin.ingest.commit`, health reports to the
monitor, receipts (retained) and requests for schemas to the nodes. The broker being away only means waiting. What is
lost on the way here is sent again by the node's spool, because it has no receipt.
"""

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from twin.errors import Rejected, Retryable
from twin.ingest.admit import Expected, Rejection, admit, refused
from twin.ingest.commit import Committer
from twin.ingest.decode import Received, decode
from twin.ingest.outbox import Outbox
from twin.ingest.ports import Counters, IngestStore, OnCommitted, OnHealth
from twin.ingest.schemas import Schemas
from twin.ingest.sparkplug_receipts import Receipts
from twin.ingest.sparkplug_settings import SparkplugSettings
from twin.wire import topic
from twin.wire.backoff import Backoff
from twin.wire.batch import read_header
from twin.wire.mqtt import BrokerSettings, Client, Message, connect
from twin.wire.receipt import Receipt
from twin.wire.schema import NodeSchema
from twin.wire.together import together
from twin.wire.topic import NODE_NAME

logger = logging.getLogger(__name__)

MALFORMED_EVERY_S = 1.0  # one recorded rejection per node in that time; the others are only counted


async def run_ingest(
    broker: BrokerSettings,
    store: IngestStore,
    on_committed: OnCommitted,
    *,
    signal_ids: Mapping[str, int],
    plant: Mapping[str, Expected],
    on_health: OnHealth | None = None,
    after_seq: int = 0,
    counters: Counters | None = None,
    clock: Callable[[], float] = time.monotonic,
    sparkplug: SparkplugSettings | None = None,
) -> None:
    """Run until cancelled.

    Args:
        broker: where the nodes publish.
        store: see `twin.ingest.ports`; its Retryable errors are waited out.
        on_committed: gets every new batch after its COMMIT, in the order of seq; while it waits, ingest waits.
        signal_ids: path → id in the store.
        plant: path → what the plant model says of it; a path that stands only in one of the two is unknown.
        on_health: gets each node's newest report; reports in between may be left out.
        after_seq: the newest seq that `on_committed` need not get, should the first commit have to be read back.
        counters: written while running.
        clock: monotonic seconds.
        sparkplug: to be a Sparkplug host application, too.
    """
    counters = counters or Counters()
    schemas = Schemas(signal_ids, plant)
    outbox = Outbox(on_health)
    known = await _load(store, schemas)
    receipts = Receipts((node, receipt) for node, receipt in known if not NODE_NAME.fullmatch(node))

    def on_receipt(node: str, receipt: Receipt) -> None:
        (outbox.receipt if NODE_NAME.fullmatch(node) else receipts.add)(node, receipt)

    for node, receipt in known:  # told again: the store may have been set back meanwhile
        if NODE_NAME.fullmatch(node):
            outbox.receipt(node, receipt)
    committer = Committer(store, on_receipt, on_committed, counters, after_seq=after_seq)
    receiver = Receiver(committer, schemas, outbox, counters, clock)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(committer.run(), name="ingest: commit")
        tasks.create_task(outbox.run_health(), name="ingest: health")
        tasks.create_task(_stay_connected(broker, receiver, outbox), name="ingest: receive")
        if sparkplug is not None:
            from twin.ingest.sparkplug import SparkplugHost  # protobuf costs memory that not every twin need pay
            from twin.ingest.sparkplug_desk import SparkplugDesk

            desk = SparkplugDesk(committer.put, store.samples.last, outbox.health, counters, signal_ids, plant)
            host = SparkplugHost(sparkplug, sparkplug.broker or broker, desk, receipts)
            tasks.create_task(host.run(), name="ingest: Sparkplug")


class Receiver:
    """Sorts messages by their topic and works on each before it takes the next."""

    def __init__(
        self,
        committer: Committer,
        schemas: Schemas,
        outbox: Outbox,
        counters: Counters,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._committer: Committer = committer
        self._schemas: Schemas = schemas
        self._outbox: Outbox = outbox
        self._counters: Counters = counters
        self._clock: Callable[[], float] = clock
        self._malformed_at_s: dict[str, float] = {}

    async def take(self, message: Message) -> None:
        """Work on one message; waits while the store is behind."""
        node = topic.node_of(message.topic)
        if node is None:
            return
        kind = message.topic.split("/", 4)[3:]
        try:
            if kind == ["data"]:
                await self._data(node, message.payload)
            elif kind[0] == "schema":
                await self._schema(node, kind[-1], message.payload)
            elif kind == ["health"]:
                self._health(node, message.payload)
        except Rejected as error:
            await self._malformed(node, message.topic, error)

    async def _data(self, node: str, payload: bytes) -> None:
        header = read_header(payload)
        try:
            if header.node != node:
                raise Rejected("wrong-node", f"batch {header.number} of node {header.node} came as one of {node}")
            received = decode(payload)
        except Rejected as error:
            # It would be sent for ever: the spool may forget it, the table tells why.
            self._counters.malformed += 1
            logger.warning("batch %d of node %s is refused: %s", header.number, node, error)
            rejection = Rejection(error.reason, str(error))
            await self._committer.put(
                refused(node, rejection, epoch=header.epoch, number=header.number, lane=header.lane)
            )
            return
        known = self._schemas.registry(node, header.schema_hash)
        if known is not None:
            await self._committer.put(admit(received, known))
        else:
            self._counters.unknown_schema += 1
            self._schemas.park(received, len(payload))
            self._outbox.want_schema(node, header.schema_hash, self._clock())

    async def _schema(self, node: str, schema_hash: str, payload: bytes) -> None:
        if not payload:  # somebody cleared the retained message
            return
        schema = NodeSchema.from_json(payload)
        if schema.node != node or schema.hash != schema_hash:
            raise Rejected("malformed", f"schema {schema.hash} of node {schema.node} on the topic of another one")
        if not self._schemas.add(schema):
            return
        logger.info("schema %s of node %s: %d signals", schema.hash, node, len(schema.entries))
        await self._committer.put(schema)
        self._warn_of_units(schema)
        for received in self._schemas.unpark(node, schema_hash):
            await self._admit(received, node, schema_hash)

    def _warn_of_units(self, schema: NodeSchema) -> None:
        known = self._schemas.registry(schema.node, schema.hash)
        wrong = (
            [f"{path}: {words}" for path, words in zip(known.paths, known.units, strict=True) if words] if known else []
        )
        if wrong:
            few = "; ".join(wrong[:5]) + (f"; and {len(wrong) - 5} more" if len(wrong) > 5 else "")
            logger.warning(
                "node %s has other units than the plant model, these values are rejected: %s. Correct the unit in its"
                " file or in the plant model",
                schema.node, few,
            )  # fmt: skip

    async def _admit(self, received: Received, node: str, schema_hash: str) -> None:
        known = self._schemas.registry(node, schema_hash)
        if known is not None:
            await self._committer.put(admit(received, known))

    def _health(self, node: str, payload: bytes) -> None:
        if not payload:
            return
        try:
            report: object = json.loads(payload)
        except (ValueError, RecursionError) as error:
            raise Rejected("malformed", f"the health report is not JSON: {error}") from error
        if not isinstance(report, dict):
            raise Rejected("malformed", "the health report is not an object")
        self._outbox.health(node, cast("dict[str, Any]", report))

    async def _malformed(self, node: str, where: str, error: Rejected) -> None:
        self._counters.malformed += 1
        now_s = self._clock()
        if now_s - self._malformed_at_s.get(node, -MALFORMED_EVERY_S) >= MALFORMED_EVERY_S:
            self._malformed_at_s[node] = now_s
            logger.warning("a message on %s is refused: %s", where, error)
            await self._committer.put(refused(node, Rejection(error.reason, f"{where}: {error}")))


async def _load(store: IngestStore, schemas: Schemas) -> list[tuple[str, Receipt]]:
    """Schemas to their place; the receipts of all nodes come back."""
    backoff = Backoff()
    while True:
        try:
            for schema in await store.nodes.schemas():
                schemas.add(schema)
            return await store.nodes.receipts()
        except Retryable as error:
            if backoff.fresh:
                logger.warning("the store is away: %s", error)
            await backoff.wait()


async def _stay_connected(broker: BrokerSettings, receiver: Receiver, outbox: Outbox) -> None:
    backoff = Backoff()
    client_id = f"twin-ingest-{secrets.token_hex(4)}"
    while True:
        try:
            async with connect(broker, client_id=client_id) as client:
                client.subscribe_nowait([(topic.ALL_SCHEMAS, 1), (topic.ALL_DATA, 1), (topic.ALL_HEALTH, 1)])
                logger.info("receiving from the broker at %s:%d, MQTT %s", broker.host, broker.port, client.protocol)
                backoff.reset()
                await together({"ingest: messages": _take(client, receiver), "ingest: receipts": outbox.run(client)})
        except* Retryable as group:
            if backoff.fresh:
                logger.warning("not receiving: %s", group.exceptions[0])
            await backoff.wait()


async def _take(client: Client, receiver: Receiver) -> None:
    async for message in client.messages():
        await receiver.take(message)
