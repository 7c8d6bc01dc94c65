"""Hop *send*: numbered batches from the spool → MQTT messages, until the store's receipt comes back.

In: `Spool.take`. Out: schema, data and health below ``fabriquay/1/<node>/``; receipts and commands come in. Nothing is
lost here: the spool forgets a batch on its receipt only, and whatever has none is sent again.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from edge import uplink_messages
from edge.spool import Outgoing, Spool
from edge.uplink_settings import UplinkSettings
from edge.uplink_traffic import Receipts, Traffic
from edge.uplink_window import Drain, Flight
from twin.errors import Rejected, Retryable
from twin.wire import topic
from twin.wire.backoff import Backoff
from twin.wire.mqtt import BrokerSettings, Client, Message, PublishDenied, connect
from twin.wire.receipt import Receipt
from twin.wire.schema import NodeSchema
from twin.wire.together import together

logger = logging.getLogger(__name__)

_PATIENCE_S = 30.0  # for a PUBACK, before the connection counts as dead
_LOOK_S = 1.0  # how often health is looked at for a change; the sender never rests longer

Health = Callable[[], Mapping[str, object]]


async def run_uplink(
    settings: UplinkSettings,
    broker: BrokerSettings,
    spool: Spool,
    health: Health,
    *,
    node: str,
    drain: Drain | None = None,
    offer: Callable[[bytes], None] | None = None,
    carries_batches: bool = True,
) -> None:
    """Send for ever; a lost broker is waited for with backoff.

    Args:
        settings: window, resending and pace.
        broker: where to send.
        spool: what to send.
        health: the node's report, asked about once a second; must be JSON-able and quick.
        node: our name in the topics.
        drain: counts what the history lane sends.
        offer: gets the signed configurations that come.
        carries_batches: False where the batches go another way: only health and commands pass here.
    """
    around = _Around(node, health, drain or Drain(settings.history_bytes_per_s), offer or _unmanaged, carries_batches)
    backoff = Backoff()
    away = False
    while True:
        try:
            async with connect(
                broker, client_id=f"fabriquay-edge-{node}", will=uplink_messages.offline(node)
            ) as client:
                logger.info("uplink of %s is connected (MQTT %s)", node, client.protocol)
                away = False
                backoff.reset()
                await _Session(settings, spool, client, around).run()
        except* Retryable as errors:
            if not away:
                logger.warning("uplink of %s is away: %s; batches wait in the spool", node, _first(errors))
            away = True
        await backoff.wait()


@dataclass(frozen=True, slots=True)
class _Around:
    """What a connection works for, beside the spool."""

    node: str
    health: Health
    drain: Drain
    offer: Callable[[bytes], None]
    carries_batches: bool


def _unmanaged(_payload: bytes) -> None:
    logger.warning("a configuration was sent to us and is ignored: the agent's file has no desired.public_key")


class _Session:
    """One connection to the broker."""

    def __init__(self, settings: UplinkSettings, spool: Spool, client: Client, around: _Around) -> None:
        self._settings = settings
        self._spool = spool
        self._health = around.health
        self._node = around.node
        self._offer = around.offer
        self._client = client
        self._epoch = spool.epoch
        self._carries_batches = around.carries_batches
        self._traffic = Traffic(
            settings,
            spool,
            around.drain,
            self._launch,
            advice="see that `twin run` works and that the broker lets it read"
            f" {topic.data(around.node)} and write {topic.receipt(around.node)}",
        )
        self._schemas: dict[str, NodeSchema] = {}
        self._receipts = Receipts(spool)
        self._wake = asyncio.Event()
        self._denied = False

    async def run(self) -> None:
        """Until the connection ends.

        Raises:
            Retryable: alone or in a group.
        """
        if self._carries_batches:
            await self._tell_schemas()
        await self._client.subscribe([(topic.receipt(self._node), 1), (topic.command(self._node), 1)])
        tasks = {"uplink receive": self._receive(), "uplink health": self._report()}
        if self._carries_batches:
            tasks |= {"uplink settle": self._settle(), "uplink watch": self._watch(), "uplink send": self._send()}
        try:
            await together(tasks)
        except asyncio.CancelledError:
            with suppress(Retryable):
                await self._publish_health(uplink_messages.offline(self._node).payload, timeout_s=1)
            raise

    # --- out -------------------------------------------------------------------------------------------------------

    async def _send(self) -> None:
        while True:
            self._wake.clear()
            if self._traffic.window.silent_s(time.monotonic()) > _PATIENCE_S:
                raise Retryable(f"the broker has not acknowledged a publish for {_PATIENCE_S:g} s")
            if not await self._traffic.step():
                await self._rest()

    async def _launch(self, outgoing: Outgoing) -> None:
        flight = self._traffic.window.sent(outgoing.number, outgoing.lane, len(outgoing.payload), time.monotonic())
        answer = self._client.publish_nowait(topic.data(self._node), outgoing.payload, qos=1)
        answer.add_done_callback(partial(self._landed, flight))

    def _landed(self, flight: Flight, answer: "asyncio.Future[None]") -> None:
        """The broker has, or refuses, the message: either way only time and the receipt tell whether to send again."""
        error = None if answer.cancelled() else answer.exception()
        flight.acknowledged = error is None or isinstance(error, PublishDenied)
        if isinstance(error, PublishDenied) and not self._denied:
            self._denied = True
            logger.error(
                "%s on %s: let this node's user write below fabriquay/1/%s/ and check the broker's limits; batches"
                " wait in the spool",
                error, topic.data(self._node), self._node,
            )  # fmt: skip
        self._wake.set()

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._traffic.rest_s(_LOOK_S)):
                await self._wake.wait()

    async def _watch(self) -> None:
        while True:
            await self._spool.changed()
            self._wake.set()

    async def _tell_schemas(self) -> None:
        await self._spool.demote_backlog_to_history()
        self._schemas = {schema.hash: schema for schema in await self._spool.schemas()}
        for schema_hash in self._schemas:
            await self._publish_schema(schema_hash)

    async def _publish_schema(self, schema_hash: str) -> None:
        schema = self._schemas.get(schema_hash)
        if schema is None:
            logger.warning("the twin wants schema %s, which no batch here needs", schema_hash)
            return
        await self._client.publish(topic.schema(self._node, schema_hash), schema.to_json(), qos=1, retain=True)

    # --- in --------------------------------------------------------------------------------------------------------

    async def _receive(self) -> None:
        async for message in self._client.messages():
            try:
                await self._take_in(message)
            except Rejected as error:
                logger.warning("message on %s ignored: %s", message.topic, error)

    async def _take_in(self, message: Message) -> None:
        if message.topic == topic.receipt(self._node):
            receipt = Receipt.from_json(message.payload)
            if receipt.epoch == self._spool.epoch:
                self._receipts.put(receipt)
        elif message.topic == topic.command(self._node):
            if uplink_messages.is_configuration(message.payload):
                self._offer(message.payload)
            else:
                await self._publish_schema(uplink_messages.wanted_schema(message.payload))

    async def _settle(self) -> None:
        while True:
            receipt = await self._receipts.settled(self._epoch)
            if self._traffic.window.settle(receipt) and (self._traffic.heard() or self._denied):
                logger.info("receipts for %s come again", self._node)
                self._denied = False
            self._wake.set()

    # --- health ----------------------------------------------------------------------------------------------------

    async def _report(self) -> None:
        told: object = None
        told_at_s = 0.0
        while True:
            report = dict(self._health())
            now_s, words = time.monotonic(), uplink_messages.words(report)
            if words != told or now_s - told_at_s >= self._settings.health_s:
                await self._publish_health(json.dumps(report).encode(), timeout_s=_PATIENCE_S)
                told, told_at_s = words, now_s
            await asyncio.sleep(_LOOK_S)

    async def _publish_health(self, payload: bytes, *, timeout_s: float) -> None:
        try:
            await self._client.publish(topic.health(self._node), payload, qos=1, retain=True, timeout_s=timeout_s)
        except PublishDenied as error:
            logger.debug("health of %s: %s", self._node, error)


def _first(errors: BaseExceptionGroup[Retryable]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
