"""Many gateways from one process, each with an MQTT connection, a spool's numbers and receipts of its own.

`python -m tests.benchmark.load_gateways plant --gateways 1000 > load.yaml` writes a plant model for `twin migrate` and
`twin run`; without `plant` the gateways connect, send a batch each `--every` seconds, and wait for the receipts. What it
prints every five seconds: samples per second, batches without a receipt, and the time from sending to receipt.
"""

import argparse
import asyncio
import os
import secrets
import statistics
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import yaml

from twin.errors import Rejected, Retryable
from twin.wire import batch, topic
from twin.wire.mqtt import BrokerSettings, Client, connect
from twin.wire.reading import Lane, Reading
from twin.wire.receipt import Receipt
from twin.wire.schema import NodeSchema, SchemaEntry

SITE, AREA = "load", "field"


@dataclass
class Seen:
    """What all gateways have seen since it was last told."""

    samples: int = 0
    waits_s: list[float] = field(default_factory=list[float])
    broken: int = 0  # connections


class Gateway:
    """One node: a new value of every signal in each batch."""

    def __init__(self, number: int, signals: int, seen: Seen) -> None:
        self.node = f"load-{number:05d}"
        self.schema = NodeSchema(
            self.node,
            tuple(SchemaEntry(i, f"{SITE}/{AREA}/{self.node}/s{i}", "measurement", "") for i in range(signals)),
        )
        self.waiting: dict[int, tuple[bytes, float]] = {}  # number → payload, when it was sent first
        self._epoch = secrets.token_hex(16)
        self._last = 0
        self._seen = seen

    async def run(self, broker: BrokerSettings, every_s: float, offset_s: float) -> None:
        """For ever; what has no receipt goes again behind the next connection."""
        await asyncio.sleep(offset_s)  # not all at once
        while True:
            try:
                async with connect(broker, client_id=f"fabriquay-{self.node}") as client:
                    await client.publish(
                        topic.schema(self.node, self.schema.hash), self.schema.to_json(), qos=1, retain=True
                    )
                    await client.subscribe([(topic.receipt(self.node), 1)])
                    for payload, _ in list(self.waiting.values()):
                        await client.publish(topic.data(self.node), payload, qos=1)
                    async with asyncio.TaskGroup() as tasks:
                        tasks.create_task(self._hear(client))
                        tasks.create_task(self._send(client, every_s))
            except* Retryable:
                self._seen.broken += 1
                await asyncio.sleep(1 + offset_s)

    async def _send(self, client: Client, every_s: float) -> None:
        while True:
            payload = self._next()
            self.waiting[self._last] = (payload, time.monotonic())
            await client.publish(topic.data(self.node), payload, qos=1)
            await asyncio.sleep(every_s)

    async def _hear(self, client: Client) -> None:
        async for message in client.messages():
            try:
                receipt = Receipt.from_json(message.payload)
            except Rejected:
                continue
            if receipt.epoch != self._epoch:
                continue
            for number in [number for number in self.waiting if receipt.covers(number)]:
                _, sent_s = self.waiting.pop(number)
                self._seen.waits_s.append(time.monotonic() - sent_s)
                self._seen.samples += len(self.schema.entries)

    def _next(self) -> bytes:
        self._last += 1
        now_ns = time.time_ns()
        readings = [
            Reading(entry.handle, now_ns, float((self._last * 7 + entry.handle) % 100), 0, now_ns, now_ns)
            for entry in self.schema.entries
        ]
        return batch.encode(
            readings, (), node=self.node, epoch=self._epoch, number=self._last, lane=Lane.LIVE,
            schema_hash=self.schema.hash, created_ns=now_ns,
        )  # fmt: skip


async def load(broker: BrokerSettings, gateways: int, signals: int, every_s: float, seconds: float) -> None:
    """Run all of them for so long and print what they see."""
    seen = Seen()
    nodes = [Gateway(number, signals, seen) for number in range(gateways)]
    async with asyncio.TaskGroup() as tasks:
        running = [
            tasks.create_task(node.run(broker, every_s, every_s * at / gateways)) for at, node in enumerate(nodes)
        ]
        async for line in _figures(nodes, seen, seconds):
            print(line, flush=True)
        for one in running:
            one.cancel()


async def _figures(nodes: list[Gateway], seen: Seen, seconds: float) -> AsyncGenerator[str]:
    end_s, step_s = time.monotonic() + seconds, 5.0
    while time.monotonic() < end_s:
        processor_s = time.process_time()
        await asyncio.sleep(step_s)
        waits = sorted(seen.waits_s) or [float("nan")]
        yield (
            f"{seen.samples / step_s:9,.0f} samples/s  {sum(len(node.waiting) for node in nodes):7,} without receipt"
            f"  receipt after {statistics.median(waits) * 1e3:6.0f} ms, 99 % {waits[int(len(waits) * 0.99)] * 1e3:6.0f} ms"
            f"  {seen.broken} broken lines  {(time.process_time() - processor_s) / step_s:4.0%} of a core here"
        )
        seen.samples, seen.waits_s, seen.broken = 0, [], 0


def plant(gateways: int, signals: int, every_s: float) -> dict[str, object]:
    """A plant model with a unit for each gateway."""
    told = {f"s{i}": {"title": f"s{i}", "kind": "measurement", "period_s": every_s} for i in range(signals)}
    units = {f"load-{n:05d}": {"title": f"Gateway {n}", "type": "gateway"} for n in range(gateways)}
    return {
        "format": 1,
        "enterprise": "load",
        "title": "Load",
        "calendars": {"always": {"timezone": "UTC", "shifts": {"day": {"hours": "00:00-24:00"}}}},
        "states": {"machine": {0: {"name": "off", "category": "NotAvailable"}}},
        "types": {"gateway": {"title": "Gateway", "signals": told}},
        "sites": {SITE: {"title": "Load", "calendar": "always", "areas": {AREA: {"title": "Field", "units": units}}}},
    }


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark.load_gateways", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["load", "plant"], default="load")
    parser.add_argument("--gateways", type=int, default=1_000)
    parser.add_argument("--signals", type=int, default=20, help="of each gateway")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two batches of a gateway")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--broker", default="127.0.0.1:1883", help="host:port; user from FABRIQUAY_BROKER_USER")
    asked = parser.parse_args()
    if asked.what == "plant":
        print(yaml.safe_dump(plant(asked.gateways, asked.signals, asked.every), sort_keys=False))
        return
    host, _, port = asked.broker.rpartition(":")
    user, password = os.environ.get("FABRIQUAY_BROKER_USER"), os.environ.get("FABRIQUAY_BROKER_PASSWORD")
    more = {"username": user, "password": password} if user else {}
    broker = BrokerSettings.model_validate({"host": host, "port": int(port), **more})
    asyncio.run(load(broker, asked.gateways, asked.signals, asked.every, asked.seconds))


if __name__ == "__main__":
    main()
