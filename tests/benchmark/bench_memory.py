"""(e) The memory of `twin edge run`: connected and idle, and while a real OPC UA server sends 20,000 values/s.

The agent is a process of its own with its real spool, a Mosquitto and, behind that, a reader that gives receipts as the
store does. What counts is the largest resident set that was seen, shared pages of libraries included.
"""

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psutil

from tests.benchmark.agents import Receiver, Seen, agent, blaster, until, watch
from tests.benchmark.record import Result
from tests.servers import mosquitto
from twin.wire.mqtt import BrokerSettings, connect

ITEMS, LOAD_HZ, IDLE_HZ = 2000, 10.0, 0.01
OFFERED_PER_S = ITEMS * LOAD_HZ
SETTLE_S, REST_S, LOAD_S = 3.0, 8.0, 20.0
GOAL_MB = 120.0
IDLE_INTERVAL_MS, LOAD_INTERVAL_MS = 60_000, 500


async def _run(hz: float, interval_ms: int, settled: Callable[[Receiver], bool], for_s: float) -> Seen:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(mosquitto())
        offer = stack.enter_context(blaster(folder, ITEMS, hz))
        receiver = Receiver()
        async with connect(BrokerSettings(host="127.0.0.1", port=broker.port), client_id="receipts") as client:
            receiving = asyncio.create_task(receiver.run(client))
            process = stack.enter_context(agent(folder, offer, broker.port, interval_ms))
            log = folder / "edge.log"
            await until(lambda: settled(receiver), process, log)
            await asyncio.sleep(SETTLE_S)
            seen = await watch(psutil.Process(process.pid), receiver, for_s)
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
