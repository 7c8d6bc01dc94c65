"""(e) The memory of `twin edge run`: connected and idle, and while a real OPC UA server sends 20,000 values/s.

The agent is a process of its own with its real spool, a Mosquitto and, behind that, a reader that gives receipts as the
store does. What counts is the largest resident set that was seen, shared pages of libraries included.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.benchmark.record import ROOT, Result
from tests.servers import mosquitto
from twin.wire import topic
from twin.wire.batch import read_header
from twin.wire.mqtt import BrokerSettings, Client, connect
from twin.wire.receipt import Receipt

NODE = "edge-benchmark"
ITEMS, LOAD_HZ, IDLE_HZ = 2000, 10.0, 0.01
OFFERED_PER_S = ITEMS * LOAD_HZ
SETTLE_S, REST_S, LOAD_S = 3.0, 8.0, 20.0
READY_S = 60.0
GOAL_MB = 120.0
IDLE_INTERVAL_MS, LOAD_INTERVAL_MS = 60_000, 500
CONFIG = """
node: {node}
broker: {{host: 127.0.0.1, port: {broker}}}
spool: {{path: {folder}/spool.db}}
sources:
  - kind: opcua
    name: blaster
    url: opc.tcp://127.0.0.1:{server}/blast
    publishing_interval_ms: {interval_ms}
    sampling_interval_ms: 100
    queue_size: 100
    items:
{items}
"""


@dataclass
class Receiver:
    """Takes every batch and receipts it, at most every 50 ms, as the committer's outbox does."""

    epoch: str = ""
    numbers: set[int] = field(default_factory=set)
    high_water: int = 0
    values: int = 0
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
                header = read_header(message.payload)
                if header.epoch == self.epoch and (header.number <= self.high_water or header.number in self.numbers):
                    continue
                self.epoch = header.epoch
                self.numbers.add(header.number)
                self.values += header.numbers

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
def _process(*command: str, log: Path) -> Iterator["subprocess.Popen[str]"]:
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()


@contextmanager
def _server(folder: Path, hz: float) -> Iterator[int]:
    script = str(Path("tests") / "contract" / "opcua_blaster.py")
    arguments = ["--items", str(ITEMS), "--hz", str(hz)]
    with _process(script, *arguments, log=folder / "server.log") as process:
        yield int(process.stdout.readline().split()[1])


def _agent(folder: Path, server: int, broker: int, interval_ms: int) -> AbstractContextManager["subprocess.Popen[str]"]:
    items = "\n".join(
        f'      - {{node: "nsu=urn:fabriquay:blast;s=v{number}", signal: benchmark/blaster/v{number}}}'
        for number in range(ITEMS)
    )
    path = folder / "edge.yaml"
    path.write_text(
        CONFIG.format(node=NODE, broker=broker, folder=folder, server=server, interval_ms=interval_ms, items=items)
    )
    return _process("-m", "twin.commands.cli", "edge", "run", "--config", str(path), log=folder / "edge.log")


@dataclass(frozen=True, slots=True)
class Seen:
    """Of one measured interval."""

    peak_mb: float
    cpu_s: float
    took_s: float
    values: int


async def _watch(agent: psutil.Process, receiver: Receiver, for_s: float) -> Seen:
    began_s, before, values, peak = time.monotonic(), agent.cpu_times(), receiver.values, 0
    while time.monotonic() - began_s < for_s:
        peak = max(peak, agent.memory_info().rss)
        await asyncio.sleep(0.1)
    after = agent.cpu_times()
    cpu_s = after.user + after.system - before.user - before.system
    return Seen(peak / 1e6, cpu_s, time.monotonic() - began_s, receiver.values - values)


async def _until(condition: Callable[[], object], process: "subprocess.Popen[str]", log: Path) -> None:
    end_s = time.monotonic() + READY_S
    while not condition():
        assert process.poll() is None, log.read_text()[-2000:]
        assert time.monotonic() < end_s, f"not ready within {READY_S} s:\n{log.read_text()[-2000:]}"
        await asyncio.sleep(0.05)


async def _run(hz: float, interval_ms: int, settled: Callable[[Receiver], bool], for_s: float) -> Seen:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(mosquitto())
        server = stack.enter_context(_server(folder, hz))
        receiver = Receiver()
        async with connect(BrokerSettings(host="127.0.0.1", port=broker.port), client_id="receipts") as client:
            receiving = asyncio.create_task(receiver.run(client))
            process = stack.enter_context(_agent(folder, server, broker.port, interval_ms))
            log = folder / "edge.log"
            await _until(lambda: settled(receiver), process, log)
            await asyncio.sleep(SETTLE_S)
            seen = await _watch(psutil.Process(process.pid), receiver, for_s)
            receiving.cancel()
            return seen


def measure() -> list[Result]:
    """Two agents one after the other: one with nothing to do, one with the offered load."""
    rest = asyncio.run(_run(IDLE_HZ, IDLE_INTERVAL_MS, lambda receiver: receiver.connected, REST_S))
    load = asyncio.run(
        _run(LOAD_HZ, LOAD_INTERVAL_MS, lambda receiver: receiver.connected and receiver.values > 0, LOAD_S)
    )
    per_s = load.values / load.took_s
    enough = per_s >= 0.95 * OFFERED_PER_S
    return [
        Result(
            "e-memory-rest", f"edge agent connected to {ITEMS:,} items, idle", rest.peak_mb, "MB", "≤ 120 MB",
            rest.peak_mb <= GOAL_MB,
        ),
        Result(
            "e-memory-load", "edge agent at 20,000 values/s from OPC UA, peak", load.peak_mb, "MB", "≤ 120 MB at ≥ 95 %",
            load.peak_mb <= GOAL_MB and enough,
        ),
        Result("e-memory-rate", "values received from that agent meanwhile", per_s, "values/s", "≥ 19,000", enough),
        Result(
            "e-memory-cpu", "processor time of that agent, from OPC UA to the broker", load.cpu_s / max(load.values, 1) * 1e6,
            "µs/value", "≤ 25", load.cpu_s / max(load.values, 1) * 1e6 <= 25,
        ),
    ]  # fmt: skip
