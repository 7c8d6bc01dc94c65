"""Four days without a line to the twin, in seconds: a device and the whole agent live by a simulated clock.

The device sends a message with five values every ten seconds of that clock, over a broker of its own; the agent's spool is
too small for all of it. When the clock has caught up with the real one, the line comes back.
"""

import asyncio
import json
import random
import sqlite3
import time
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import cache
from pathlib import Path

import yaml

from edge.agent import run_agent
from edge.config import load_agent
from tests.fault.chain import ITEMS, Account, Chain, account_of
from tests.fault.proxy import Proxy
from tests.servers import mosquitto
from tests.waiting import until
from twin.wire.mqtt import BrokerSettings, Client, connect

DAYS, EVERY_S = 4, 10
MESSAGES = DAYS * 86_400 // EVERY_S
TOPIC = "works/press/state"
_S = 1_000_000_000
_AT_ONCE = 400  # messages that are published before their acknowledgements are waited for


@cache
def values(count: int) -> list[float]:
    """What the device measures at its tick `count`: noise that no codec can make smaller than it is."""
    chance = random.Random(count)
    return [chance.random() for _ in range(ITEMS)]


class Outage:
    """The device, its broker, the agent and the line; `emitted` is all that the device had, time → tick."""

    def __init__(self, made: Chain, name: str) -> None:
        self.chain = made
        self.node = f"edge-{name}"
        self.folder = made.folder / name
        self.folder.mkdir()
        self.emitted: dict[int, int] = {}
        self.uplink = Proxy(lambda: made.broker.port)
        # The other faults' presses have the same signals and tick at whole milliseconds; a sample of one of them at the
        # same time would be the same row.
        self.now_ns = time.time_ns() // _S * _S - DAYS * 86_400 * _S + 500_000

    def clock(self) -> int:
        """Simulated until it has caught up."""
        return self.now_ns

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[Client]:
        """The device's connection."""
        with ExitStack() as stack:
            stack.callback(self.uplink.stop)
            broker = stack.enter_context(mosquitto("allow_anonymous true\npersistence false\nmax_queued_messages 0"))
            agent = asyncio.create_task(run_agent(load_agent(self._configured(broker.port)), clock=self.clock))
            try:
                async with connect(BrokerSettings(host="127.0.0.1", port=broker.port), client_id="device") as device:
                    await self._connected(device)
                    yield device
                    assert not agent.done(), agent.exception()
            finally:
                agent.cancel()
                with suppress(asyncio.CancelledError):
                    await agent

    def _configured(self, port: int) -> Path:
        signals: dict[str, dict[str, object]] = {f"v{number}": {"value": f"/v{number}"} for number in range(ITEMS)}
        signals["v0"]["priority"] = "high"
        topic = {"topic": TOPIC, "asset": "works/hall/press", "time": {"at": "/t", "format": "us"}, "signals": signals}
        source = {
            "kind": "mqtt", "name": "press", "uptime_topic": None, "topics": [topic],
            "broker": {"host": "127.0.0.1", "port": port},
        }  # fmt: skip
        document = {
            "node": self.node,
            "broker": {"host": "127.0.0.1", "port": self.uplink.port},
            "spool": {"path": str(self.folder / "spool.db"), "max_bytes": 1_000_000},
            "uplink": {"history_bytes_per_s": 200_000},
            "sources": [source],
        }
        path = self.folder / "edge.yaml"
        path.write_text(yaml.safe_dump(document))
        return path

    async def _connected(self, device: Client) -> None:
        """Until the agent reads, and the first values are in the store: from there on everything counts."""
        while not self.chain.newest_ns(self.node):
            await self.tick(device)
            await asyncio.sleep(0.2)

    async def tick(self, device: Client, step_s: float = EVERY_S) -> None:
        """One message, and wait for its acknowledgement."""
        await self._publish(device, step_s)

    def _publish(self, device: Client, step_s: float) -> "asyncio.Future[None]":
        self.now_ns += round(step_s * _S)
        count = self.emitted[self.now_ns] = len(self.emitted) + 1
        found = {f"v{number}": value for number, value in enumerate(values(count))}
        return device.publish_nowait(TOPIC, json.dumps({"t": self.now_ns // 1_000, **found}).encode(), qos=1)

    async def days(self, device: Client) -> None:
        """The outage, as fast as the agent reads."""
        for _ in range(0, MESSAGES, _AT_ONCE):
            await asyncio.gather(*(self._publish(device, EVERY_S) for _ in range(_AT_ONCE)))
        await until(lambda: self.newest_kept_ns() == self.now_ns, "everything in the spool", deadline_s=60)

    def newest_kept_ns(self) -> int:
        return self._ask("SELECT max(newest_ns) FROM batch")

    def waiting(self) -> int:
        """Batches without a receipt."""
        return self._ask("SELECT count(*) FROM batch")

    def _ask(self, question: str) -> int:
        connection = sqlite3.connect(f"file:{self.folder / 'spool.db'}?mode=ro", uri=True)
        try:
            return connection.execute(question).fetchone()[0] or 0
        finally:
            connection.close()

    def account(self, *numbers: int) -> Account:
        """Of the signals with these numbers, or of all."""
        wanted = numbers or tuple(range(ITEMS))
        return account_of(
            self.chain.dsn, self.node, lambda: self.emitted, lambda count, number: values(count)[number], numbers=wanted
        )
