"""An hour of one agent: an OPC UA server → `twin edge run` → its spool → Mosquitto → a reader that gives receipts.

Every value that the server had must have come exactly once; the agent's memory must not move. The server is node-opcua, or
with `SOAK_SERVER=own` ours, which leaves a busy machine to the agent. `SOAK_S=120` makes it shorter, under ids of its own.
The series of every ten seconds goes to benchmarks/soak.csv.
"""

import asyncio
import csv
import os
import statistics
import sys
import tempfile
import time
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from tests.benchmark.agents import Offer, Receiver, agent, blaster, cpu_s, node_opcua, until
from tests.benchmark.record import ROOT, Result
from tests.servers import free_port, mosquitto
from twin.ingest.decode import decode
from twin.wire.batch import BatchHeader
from twin.wire.mqtt import BrokerSettings, connect

SUITE = "edge"
HOUR_S = 3600.0
ITEMS, HZ, PUBLISHING_MS = 2_200, 10.0, 1_000
PERIOD_MS = 100
OWN = os.environ.get("SOAK_SERVER") == "own"
WARM_S, EVERY_S, DRAIN_S = 300.0, 10.0, 30.0
GOAL_RATE, GOAL_DRIFT = 20_000, 0.05
SERIES = ROOT / "benchmarks" / "soak.csv"


@dataclass
class Exact(Receiver):
    """Per signal: how many values came, the sum of their times, the first and the last of them (ms)."""

    since_ns: int = sys.maxsize
    gaps: int = 0  # that end later
    count: np.ndarray = field(default_factory=lambda: np.zeros(ITEMS, np.int64))
    total: np.ndarray = field(default_factory=lambda: np.zeros(ITEMS, np.int64))
    first: np.ndarray = field(default_factory=lambda: np.full(ITEMS, np.iinfo(np.int64).max))
    last: np.ndarray = field(default_factory=lambda: np.zeros(ITEMS, np.int64))

    def take(self, header: BatchHeader, payload: bytes) -> None:
        received = decode(payload)
        batch = received.batch
        self.gaps += sum(gap.to_ns > self.since_ns for gap in received.gaps)
        at_ms = batch.time // 1_000_000
        np.add.at(self.count, batch.signal, 1)
        np.add.at(self.total, batch.signal, at_ms)
        np.minimum.at(self.first, batch.signal, at_ms)
        np.maximum.at(self.last, batch.signal, at_ms)

    def astray(self, emitted_ms: np.ndarray | None) -> int:
        """Values that are missing or too many, of those that the server had from each signal's first to its last.

        Without a log the server has one value per signal in each period, without a pause.
        """
        if emitted_ms is None:
            wanted = (self.last - self.first) // PERIOD_MS + 1
            total = (self.first + self.last) * wanted // 2
        else:
            start, end = np.searchsorted(emitted_ms, self.first), np.searchsorted(emitted_ms, self.last, "right")
            sums = np.concatenate([[0], np.cumsum(emitted_ms)])
            wanted, total = end - start, sums[end] - sums[start]
        off = np.abs(self.count - wanted)
        return int(off.sum() + np.count_nonzero((off == 0) & (self.total != total)))


@dataclass(frozen=True, slots=True)
class Point:
    """What was seen at one moment."""

    at_s: float
    rss_mb: float
    values: int
    spool_kb: int


@dataclass(frozen=True, slots=True)
class Soak:
    points: list[Point]
    cpu_s: float
    astray: int
    gaps: int


def _emitted_ms(log: Path) -> np.ndarray | None:
    if not log.exists():
        return None
    return np.array([int(line.split()[0]) // 1_000_000 for line in log.read_text().splitlines()], np.int64)


def _tell(point: Point, for_s: float) -> None:
    left_min = max(0.0, for_s - point.at_s) / 60
    sys.stderr.write(f"\rsoak: {point.values:,} values, {point.rss_mb:.1f} MB, {left_min:.0f} min left   ")
    sys.stderr.flush()


async def _watch(seen: psutil.Process, receiver: Receiver, spool: Path, for_s: float) -> list[Point]:
    began_s, values, points = time.monotonic(), receiver.values, list[Point]()
    while not points or points[-1].at_s < for_s:
        at_s = time.monotonic() - began_s
        size = sum(path.stat().st_size for path in spool.parent.glob(f"{spool.name}*"))
        points.append(Point(at_s, seen.memory_info().rss / 1e6, receiver.values - values, size // 1000))
        _tell(points[-1], for_s)
        await asyncio.sleep(min(EVERY_S, for_s / 12))
    sys.stderr.write("\n")
    return points


def _server(folder: Path) -> AbstractContextManager[Offer]:
    return blaster(folder, ITEMS, HZ) if OWN else node_opcua(folder, free_port(), ITEMS, HZ)


async def _run(for_s: float) -> Soak:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(mosquitto())
        offer = stack.enter_context(_server(folder))
        receiver = Exact()
        async with connect(BrokerSettings(host="127.0.0.1", port=broker.port), client_id="receipts") as client:
            receiving = asyncio.create_task(receiver.run(client))
            process = stack.enter_context(agent(folder, offer, broker.port, PUBLISHING_MS))
            await until(lambda: receiver.connected and receiver.count.all(), process, folder / "edge.log")
            seen, receiver.since_ns = psutil.Process(process.pid), time.time_ns()
            before_s = cpu_s(seen)
            points = await _watch(seen, receiver, folder / "spool.db", for_s)
            used_s = cpu_s(seen) - before_s
            wanted_ms = receiver.last.max()
            async with asyncio.timeout(DRAIN_S):
                while receiver.last.min() < wanted_ms:
                    await asyncio.sleep(0.1)
            process.terminate()
            await asyncio.to_thread(process.wait, 20)
            await asyncio.sleep(1)  # what the broker still has
            astray = receiver.astray(_emitted_ms(folder / "emitted"))
            assert not receiving.done(), receiving.exception()
            receiving.cancel()
            return Soak(points, used_s, astray, receiver.gaps)


def _slowest_minute(points: list[Point]) -> float:
    """Values per second."""
    rates: list[float] = []
    for first in points:
        later = next((point for point in points if point.at_s - first.at_s >= 60), None)
        if later is not None:
            rates.append((later.values - first.values) / (later.at_s - first.at_s))
    return min(rates, default=0.0)


def _write(points: list[Point]) -> None:
    with SERIES.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["seconds", "agent_rss_mb", "values", "spool_kb"])
        rows.writerows([f"{one.at_s:.0f}", f"{one.rss_mb:.2f}", one.values, one.spool_kb] for one in points)


def measure() -> list[Result]:
    """One run."""
    for_s = float(os.environ.get("SOAK_S", HOUR_S))
    whole = for_s >= HOUR_S
    print(f"{for_s / 60:.0f} minutes (SOAK_S=120 makes it two)", flush=True)
    soak = asyncio.run(_run(for_s))
    points = soak.points
    if whole:
        _write(points)
    kind, how_long = ("soak", "an hour") if whole else ("soak-short", f"{for_s:.0f} s")
    rate = points[-1].values / points[-1].at_s
    settled = [point.rss_mb for point in points if point.at_s >= min(WARM_S, for_s / 2)]
    middle = statistics.median(settled)
    drift = max(abs(found / middle - 1) for found in settled)
    offered = f"{ITEMS:,} items of {'our own server' if OWN else 'node-opcua'} at {HZ:.0f} Hz for {how_long}"
    return [
        Result(
            f"S3-{kind}-rate",
            f"{offered} → spool → Mosquitto → receipts; slowest minute {_slowest_minute(points):,.0f} values/s",
            rate, "values/s", f"≥ {GOAL_RATE:,} for an hour", whole and rate >= GOAL_RATE,
        ),
        Result(
            f"S3-{kind}-astray", f"of {points[-1].values:,} values, missing or doubled behind the broker ({soak.gaps} gaps)",
            soak.astray, "values", "0", soak.astray == 0,
        ),
        Result(
            f"S3-{kind}-memory",
            f"the agent's resident memory after five minutes: {min(settled):.1f} to {max(settled):.1f} MB, farthest from {middle:.1f} MB",
            drift * 100, "%", "≤ 5 for an hour", whole and drift <= GOAL_DRIFT,
        ),
        Result(
            f"S3-{kind}-cpu", "processor time of that agent, from OPC UA to the broker", soak.cpu_s / points[-1].values * 1e6,
            "µs/value", "≤ 25", soak.cpu_s / points[-1].values * 1e6 <= 25,
        ),
    ]  # fmt: skip
