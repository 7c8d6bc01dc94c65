"""What an agent costs on the line to its broker: idle, at rest (few signals change), and when every signal changes.

All bytes of the TCP stream count, both ways: data, MQTT, receipts, PUBACKs, health. The server is node-opcua, whose values
drift like a process; the broker is Mosquitto, behind it a reader that gives receipts.
"""

import asyncio
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.benchmark.agents import Receiver, agent, node_opcua, until
from tests.benchmark.record import Result
from tests.fault.proxy import Proxy
from tests.servers import free_port, mosquitto
from twin.wire.mqtt import BrokerSettings, connect

SUITE = "edge"
ITEMS, INTERVAL_MS = 2_000, 500
SETTLE_S, MEASURED_S = 12.0, 60.0  # a health report comes every ten seconds
GOAL = 12


@dataclass(frozen=True, slots=True)
class Line:
    """What went over it."""

    total: int  # bytes, both ways
    data: int  # bytes of the data messages as MQTT packets
    values: int
    took_s: float


async def _run(hz: float, at_once: int, **sparing: float) -> Line:
    """`at_once` of the items change `hz` times a second; all of them when it is 0. `sparing`: settings of the agent."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(mosquitto())
        line = stack.enter_context(Proxy(lambda: broker.port))
        offer = stack.enter_context(node_opcua(folder, free_port(), ITEMS, hz, "--at-once", str(at_once)))
        receiver = Receiver()
        async with connect(BrokerSettings(host="127.0.0.1", port=broker.port), client_id="receipts") as client:
            receiving = asyncio.create_task(receiver.run(client))
            process = stack.enter_context(agent(folder, offer, line.port, INTERVAL_MS, **sparing))
            await until(lambda: receiver.connected and receiver.values >= ITEMS, process, folder / "edge.log")
            await asyncio.sleep(SETTLE_S)
            began_s, total, data, values = time.monotonic(), line.bytes, receiver.sent_bytes, receiver.values
            await asyncio.sleep(MEASURED_S)
            took_s = time.monotonic() - began_s
            seen = Line(line.bytes - total, receiver.sent_bytes - data, receiver.values - values, took_s)
            assert not receiving.done(), receiving.exception()
            receiving.cancel()
            return seen


def _per_value(kind: str, line: Line, how: str = "") -> Result:
    rate, data = line.values / line.took_s, line.data / line.values
    what = f"{ITEMS:,} items, {rate:,.0f} values/s{how}, all bytes both ways; data messages alone {data:.1f} B"
    per_value = line.total / line.values
    return Result(f"S3-bytes-{kind}", what, per_value, "B/value", f"≤ {GOAL}", per_value <= GOAL)


def measure() -> list[Result]:
    """Four agents one after the other."""
    idle, rest, load = (asyncio.run(_run(*plant)) for plant in ((0.001, 0), (10, 4), (1, 0)))
    metered = asyncio.run(_run(10, 4, linger_ms=2_000, health_s=60))
    assert idle.values == 0
    return [
        Result(
            "S3-bytes-idle", f"{ITEMS:,} items of which none changes: health reports, pings", idle.total / idle.took_s,
            "B/s", "(none)", True,
        ),
        _per_value("rest", rest),
        _per_value("metered", metered, " with linger_ms: 2000 and health_s: 60"),
        _per_value("load", load),
    ]  # fmt: skip
