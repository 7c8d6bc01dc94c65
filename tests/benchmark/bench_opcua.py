"""(b) 5,000 monitored items at 10 Hz from a real OPC UA server, through our source into the fsync'd spool.

The peer is asyncua's own subscription with a handler that only counts, on the same server in the same run. Each reader
is a process of its own and tells its CPU time per value; rounds alternate, each figure is the median of its rounds.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from asyncua import Client, Node, Server, ua

from edge.memory import settle
from edge.sources.opcua import OpcUaSource
from edge.sources.opcua_settings import OpcUaSettings
from edge.sources.source import Sink
from edge.spool import open_spool
from tests.benchmark.record import ROOT, Result
from tests.contract.opcua_blaster import install
from twin.wire.reading import Gap, Lane, Reading
from twin.wire.schema import NodeSchema, SchemaEntry

ITEMS, HZ, PUBLISHING_MS = 5_000, 10, 100
URI = "urn:fabriquay:benchmark"
WARM_S, MEASURED_S, START_S = 1.0, 4.0, 60.0
ROUNDS = 3
GOAL_RATIO, GOAL_RATE = 10, 30_000


@dataclass(frozen=True)
class Read:
    """What a reader did in its measured time."""

    values: int
    cpu_s: float
    wall_s: float

    @property
    def cpu_us(self) -> float:
        return self.cpu_s / self.values * 1e6

    @property
    def rate(self) -> float:
        return self.values / self.wall_s


class Counter:
    """Counts what is kept, by whatever sink, or what asyncua hands to its handler."""

    def __init__(self, sink: Sink | None = None) -> None:
        self.values = 0
        self._sink = sink

    async def keep(
        self, readings: Sequence[Reading], gaps: Sequence[Gap] = (), *, lane: Lane = Lane.LIVE, **_how: object
    ) -> None:
        if self._sink is not None:
            await self._sink.keep(readings, gaps)
        self.values += len(readings)

    def datachange_notification(self, node: Node, value: object, data: object) -> None:
        self.values += 1


@asynccontextmanager
async def _ours(port: int, spool: Path | None) -> AsyncGenerator[Counter]:
    names = [f"v{number}" for number in range(ITEMS)]
    items = [{"node": f"nsu={URI};s={name}", "signal": f"site/area/unit/{name}"} for name in names]
    settings = OpcUaSettings.model_validate(
        {
            "kind": "opcua", "name": "benchmark", "url": f"opc.tcp://127.0.0.1:{port}/benchmark", "items": items,
            "publishing_interval_ms": PUBLISHING_MS, "sampling_interval_ms": 1000 / HZ,
        }
    )  # fmt: skip
    handles = {item.signal: handle for handle, item in enumerate(settings.items)}
    entries = tuple(SchemaEntry(handle, path, "measurement", "") for path, handle in handles.items())
    async with contextlib.AsyncExitStack() as stack:
        sink = None
        if spool is not None:
            schema = NodeSchema("benchmark", entries)
            sink = await stack.enter_async_context(open_spool(spool, schema=schema, max_bytes=2_000_000_000))
        counter = Counter(sink)
        settle()  # as `twin edge run` does before it reads
        task = asyncio.create_task(OpcUaSource(settings, handles).run(counter))
        try:
            yield counter
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def _plain(port: int) -> AsyncGenerator[Counter]:
    counter = Counter()
    async with Client(f"opc.tcp://127.0.0.1:{port}/benchmark", timeout=30) as client:
        index = await client.get_namespace_index(URI)
        subscription = await client.create_subscription(PUBLISHING_MS, counter)
        nodes = [client.get_node(ua.NodeId(f"v{number}", index)) for number in range(ITEMS)]
        await subscription.subscribe_data_change(nodes, queuesize=100, sampling_interval=1000 / HZ)
        yield counter


async def _serve() -> None:
    """asyncua with its notifications encoded by numpy: as quick as a compiled server, so that the reader is the limit."""
    install(HZ)
    server = Server()
    await server.init()
    server.set_endpoint("opc.tcp://127.0.0.1:0/benchmark")
    index = await server.register_namespace(URI)
    for first in range(0, ITEMS, 100):  # adding is quadratic in the number of children
        folder = await server.nodes.objects.add_folder(ua.NodeId(f"f{first}", index), f"f{first}")
        for number in range(first, first + 100):
            await folder.add_variable(ua.NodeId(f"v{number}", index), f"v{number}", 0.0)
    async with server:
        print(server.bserver.port, flush=True)
        await asyncio.Event().wait()


async def _read(port: int, way: str, folder: Path) -> Read:
    reader = _plain(port) if way == "plain" else _ours(port, folder / "spool.db" if way == "spool" else None)
    async with reader as counter:
        async with asyncio.timeout(START_S):
            while not counter.values:
                await asyncio.sleep(0.05)
        await asyncio.sleep(WARM_S)
        values, cpu_s, wall_s = counter.values, time.process_time(), time.monotonic()
        await asyncio.sleep(MEASURED_S)
        read = Read(counter.values - values, time.process_time() - cpu_s, time.monotonic() - wall_s)
        print(json.dumps(asdict(read)), flush=True)
    return read


@contextmanager
def _child(*arguments: str) -> Generator[str]:
    """This module as a process of its own; the first line that it prints."""
    command = [sys.executable, "-m", "tests.benchmark.bench_opcua", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        assert child.stdout
        try:
            line = child.stdout.readline()
            assert line, f"{' '.join(arguments)} ended without an answer"
            yield line
        finally:
            child.kill()  # the goodbyes of a flooded client are not measured


def _reader(port: str, way: str) -> Read:
    with tempfile.TemporaryDirectory() as folder, _child(way, "--port", port, "--folder", folder) as line:
        return Read(**json.loads(line))


def measure() -> list[Result]:
    """CPU per value against asyncua's, and values per second on disk."""
    reads: dict[str, list[Read]] = {"spool": [], "plain": [], "memory": []}
    with _child("serve") as line:
        port = line.strip()
        for _ in range(ROUNDS):
            reads["spool"].append(_reader(port, "spool"))
            reads["plain"].append(_reader(port, "plain"))
        reads["memory"].append(_reader(port, "memory"))
    cpu_us = {way: statistics.median(read.cpu_us for read in found) for way, found in reads.items()}
    rate = statistics.median(read.rate for read in reads["spool"])
    ratio, unkept = cpu_us["plain"] / cpu_us["spool"], cpu_us["plain"] / cpu_us["memory"]
    offered = f"{ITEMS:,} monitored items at {HZ} Hz"
    return [
        Result(
            "b-opcua-cpu",
            f"{offered} → fsync'd spool, CPU per value; without the spool {cpu_us['memory']:.2f} µs, {unkept:.1f} ×",
            cpu_us["spool"], "µs", f"≥ {GOAL_RATIO} × less than asyncua", ratio >= GOAL_RATIO,
            f"asyncua's handler that only counts, {cpu_us['plain']:.1f} µs", ratio,
        ),
        Result(
            "b-opcua-rate",
            f"{offered} → fsync'd spool, of {ITEMS * HZ:,} values/s that the server offers",
            rate, "values/s", f"≥ {GOAL_RATE:,}", rate >= GOAL_RATE,
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=["serve", "spool", "memory", "plain"])
    parser.add_argument("--port", type=int)
    parser.add_argument("--folder", type=Path)
    chosen = parser.parse_args()
    asyncio.run(_serve() if chosen.way == "serve" else _read(chosen.port, chosen.way, chosen.folder))
