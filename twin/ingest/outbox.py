"""Hop *commit*, the way back: receipts and requests for schemas to the nodes, health reports to the monitor.

In: what is new. Out: the newest of each, as fast as the broker and the listener take it. Nothing here waits in a queue:
an older receipt of an epoch, an older report of a node is replaced by the newer one.
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any

from twin.errors import Retryable
from twin.ingest.ports import OnHealth
from twin.wire import topic
from twin.wire.backoff import Backoff
from twin.wire.mqtt import Client, PublishDenied
from twin.wire.receipt import Receipt

logger = logging.getLogger(__name__)

WANT_EVERY_S = 5.0  # of the same schema


class Outbox:
    """Everything that leaves ingest towards the nodes and the monitor."""

    def __init__(self, on_health: OnHealth | None) -> None:
        self._on_health: OnHealth | None = on_health
        self._receipts: dict[tuple[str, str], Receipt] = {}  # node, epoch
        self._wanted: dict[tuple[str, str], None] = {}  # node, schema hash; in the order of asking
        self._wanted_at_s: dict[tuple[str, str], float] = {}
        self._reports: dict[str, Mapping[str, Any]] = {}
        self._denied: set[str] = set()
        self._news: asyncio.Event = asyncio.Event()
        self._health_news: asyncio.Event = asyncio.Event()

    def receipt(self, node: str, receipt: Receipt) -> None:
        """Tell a node what is committed."""
        key = (node, receipt.epoch)
        self._receipts.pop(key, None)  # the newest stands last, so that the retained one is of the newest epoch
        self._receipts[key] = receipt
        self._news.set()

    def want_schema(self, node: str, schema_hash: str, now_s: float) -> None:
        """Ask a node for a schema, not too often."""
        key = (node, schema_hash)
        if now_s - self._wanted_at_s.get(key, -WANT_EVERY_S) >= WANT_EVERY_S:
            self._wanted_at_s[key] = now_s
            self._wanted[key] = None
            self._news.set()

    def health(self, node: str, report: Mapping[str, Any]) -> None:
        """Pass a node's report on."""
        self._reports[node] = report
        self._health_news.set()

    async def run(self, client: Client) -> None:
        """Publish until the connection ends; what could not be published waits for the next one."""
        if self._receipts or self._wanted:
            self._news.set()
        while True:
            await self._news.wait()
            self._news.clear()
            await self._send_receipts(client)
            await self._ask(client)

    async def run_health(self) -> None:
        """Hand reports on until cancelled; a listener that cannot take one now gets it again, or the one after it."""
        backoff = Backoff()
        while True:
            await self._health_news.wait()
            self._health_news.clear()
            try:
                while self._reports and self._on_health is not None:
                    node, report = next(iter(self._reports.items()))
                    await self._on_health(node, report)
                    if self._reports.get(node) is report:
                        del self._reports[node]
                backoff.reset()
            except Retryable as error:
                if backoff.fresh:
                    logger.warning("health reports wait: %s", error)
                await backoff.wait()
                self._health_news.set()

    async def _send_receipts(self, client: Client) -> None:
        while self._receipts:
            (node, epoch), receipt = next(iter(self._receipts.items()))
            await self._send(client, topic.receipt(node), receipt.to_json(), retain=True)
            if self._receipts.get((node, epoch)) is receipt:
                del self._receipts[node, epoch]

    async def _ask(self, client: Client) -> None:
        while self._wanted:
            node, schema_hash = next(iter(self._wanted))
            command = json.dumps({"want": "schema", "hash": schema_hash}).encode("ascii")
            await self._send(client, topic.command(node), command, retain=False)
            del self._wanted[node, schema_hash]

    async def _send(self, client: Client, where: str, payload: bytes, *, retain: bool) -> None:
        try:
            await client.publish(where, payload, qos=1, retain=retain)
        except PublishDenied as error:  # the node sends again and gets another receipt, once the rights are mended
            if where not in self._denied:
                logger.error("the broker lets nobody publish on %s: %s", where, error)
            self._denied.add(where)
        else:
            self._denied.discard(where)
