"""(d) From the device's change to the frame in the browser: `twin demo` at 5,000 samples/s, all its processes.

A WebSocket client watches one machine that is read over OPC UA and one unit that is read over MQTT; each new time of a
measurement gives its age on arrival. The state document also says when the edge had received the value, which separates
plant and network from the rest.
"""

import asyncio
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import psycopg
import yaml
from websockets.asyncio.client import connect

from tests.benchmark.record import ROOT, Result
from tests.journey.demo_process import Demo

RATE = 5_000  # at least; some signals speak only when something happens
ASKED = 5_600
WARM_S, COLLECT_S, START_S = 12.0, 25.0, 60.0
SETTLED_S = 5.0  # what is younger may still be on its way into the store
GOAL_MS = 250
OPCUA, MQTT = "factory/machining/mill-1", "terminal/quay/sts-1"


@dataclass
class Seen:
    """Ages in ms of the new values of one unit."""

    at_client: list[float] = field(default_factory=list)  # device → frame
    at_edge: list[float] = field(default_factory=list)  # device → edge
    after_edge: list[float] = field(default_factory=list)  # edge → frame
    frames: int = 0
    newest: dict[str, str] = field(default_factory=lambda: defaultdict(str))

    def take(self, state: dict[str, Any], now_ms: float, *, counted: bool) -> None:
        self.frames += counted
        for name, value in state["signals"].items():
            if value["time"] <= self.newest[name]:
                continue
            self.newest[name] = value["time"]
            if counted:
                measured_ms, received_ms = _ms(value["time"]), _ms(value["received_at"])
                self.at_client.append(now_ms - measured_ms)
                self.at_edge.append(received_ms - measured_ms)
                self.after_edge.append(now_ms - received_ms)


def _ms(text: str) -> float:
    return datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000


def _publishing_ms() -> float:
    settings = yaml.safe_load((ROOT / "configs" / "edge-factory.yaml").read_text())
    return float(settings["sources"][0]["publishing_interval_ms"])


async def _watch(page: str, unit: str) -> Seen:
    """One connection per unit: its frames hold nothing else."""
    seen = Seen()
    url = page.replace("http", "ws", 1) + "v1/live"
    async with connect(url, max_size=None, compression=None) as socket:
        await socket.send(orjson.dumps({"subscribe": {"under": [unit], "interval_ms": 50}}).decode())
        counted_from_s = time.monotonic() + WARM_S
        ends_s = counted_from_s + COLLECT_S
        while (now_s := time.monotonic()) < ends_s:
            async with asyncio.timeout(START_S):
                text = await socket.recv()
            now_ms = time.time() * 1000
            frame = orjson.loads(text)
            for state in frame.get("states", ()):
                if state["path"] == unit:
                    seen.take(state, now_ms, counted=now_s > counted_from_s and not frame["full"])
    return seen


async def _watch_both(page: str) -> tuple[Seen, Seen]:
    opcua, mqtt = await asyncio.gather(_watch(page, OPCUA), _watch(page, MQTT))
    return opcua, mqtt


def _stored_per_s(folder: Path) -> float:
    """Samples per second of source time in the store, over the measured time: the load under which it was measured."""
    ends_s = time.time()
    window = {"from": ends_s - COLLECT_S, "to": ends_s - SETTLED_S}
    window = {name: datetime.fromtimestamp(at, UTC) for name, at in window.items()}
    inside = "WHERE time >= %(from)s AND time < %(to)s"
    count = f"SELECT (SELECT count(*) FROM sample {inside}) + (SELECT count(*) FROM sample_text {inside})"
    with psycopg.connect((folder / "data" / "database" / "dsn").read_text().strip()) as connection:
        row = connection.execute(count, window).fetchone()
    assert row
    return row[0] / (COLLECT_S - SETTLED_S)


def collect() -> tuple[Seen, Seen, float]:
    """What a client of a running demo has seen, OPC UA and MQTT, and the samples per second that were stored."""
    with tempfile.TemporaryDirectory() as folder, Demo(Path(folder), rate=ASKED) as demo:
        opcua, mqtt = asyncio.run(_watch_both(demo.page))
        return opcua, mqtt, _stored_per_s(Path(folder))


def _figures(way: str, title: str, seen: Seen, rate: float, interval_ms: float) -> list[Result]:
    edge_ms, rest_ms = (float(np.median(part)) for part in (seen.at_edge, seen.after_edge))
    what = f"device change → WebSocket frame, {title} at {rate:,.0f} samples/s"
    parts = f"; median {edge_ms:.0f} ms to the edge, {rest_ms:.0f} ms from there, {len(seen.at_client):,} values"
    goal = f"≤ {GOAL_MS} ms" + (f" and the publishing interval of {interval_ms:.0f} ms" if interval_ms else "")
    found: list[Result] = []
    for percent in (50, 99):
        value = float(np.percentile(seen.at_client, percent))
        met = value <= GOAL_MS + interval_ms and rate >= RATE
        found.append(Result(f"d-latency-{way}-p{percent}", f"p{percent} {what}{parts}", value, "ms", goal, met))
    return found


def measure() -> list[Result]:
    """Both ways; over OPC UA the server waits for the publishing interval on purpose."""
    opcua, mqtt, rate = collect()
    return _figures("mqtt", "MQTT", mqtt, rate, 0.0) + _figures("opcua", "OPC UA", opcua, rate, _publishing_ms())
