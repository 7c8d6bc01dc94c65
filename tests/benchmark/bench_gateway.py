"""The same job by three programs: 1,000 changing items of one node-opcua server to one Mosquitto, one after the other.

Ours (`twin edge run`, with its spool on disk and receipts) against a plain asyncua client, whose handler publishes each
value as JSON (QoS 1), and thingsboard-gateway. Rounds alternate; the processor time is the whole process's.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as paho
import psutil
from asyncua import Client as OpcUaClient
from asyncua import Node, ua

from tests.benchmark import thingsboard
from tests.benchmark.agents import Offer, Receiver, Seen, agent, node_opcua, process, until, watch
from tests.benchmark.record import Result
from tests.servers import free_port, mosquitto
from twin.wire.mqtt import BrokerSettings, Client, connect

SUITE = "edge"
ITEMS, HZ, INTERVAL_MS, NAMESPACE = 1_000, 1.0, 500, 2
SETTLE_S, MEASURED_S, ROUNDS = 5.0, 15.0, 2
PLAIN_TOPIC = "plain/machine"
NAMES = {"ours": "twin edge run", "plain": "plain asyncua client", "thingsboard": "thingsboard-gateway 3.8.5"}


class Publishing:
    """A handler as a tutorial has it."""

    def __init__(self, client: paho.Client) -> None:
        self._client = client

    def datachange_notification(self, node: Node, value: object, data: object) -> None:
        at = data.monitored_item.Value.SourceTimestamp
        message = {"node": node.nodeid.to_string(), "value": value, "time": at.isoformat()}
        self._client.publish(PLAIN_TOPIC, json.dumps(message), qos=1)


async def _plain(url: str, broker: int) -> None:
    publisher = paho.Client(paho.CallbackAPIVersion.VERSION2)
    publisher.connect("127.0.0.1", broker)
    publisher.loop_start()
    async with OpcUaClient(url, timeout=30) as client:
        subscription = await client.create_subscription(INTERVAL_MS, Publishing(publisher))
        nodes = [client.get_node(ua.NodeId(f"v{number}", NAMESPACE)) for number in range(ITEMS)]
        await subscription.subscribe_data_change(nodes, queuesize=100, sampling_interval=0)
        await asyncio.Event().wait()


@dataclass
class Listener:
    """Counts what the other two publish; `connected` once something has come."""

    values: int = 0

    async def run(self, client: Client) -> None:
        await client.subscribe([(PLAIN_TOPIC, 1), *thingsboard.TOPICS])
        async for message in client.messages():
            self.values += 1 if message.topic == PLAIN_TOPIC else await thingsboard.answer(client, message)


@asynccontextmanager
async def _listening(broker: int, way: str) -> AsyncGenerator[Receiver | Listener]:
    receiver = Receiver() if way == "ours" else Listener()
    async with connect(BrokerSettings(host="127.0.0.1", port=broker), client_id=f"end-{way}") as client:
        task = asyncio.create_task(receiver.run(client))
        try:
            yield receiver
            assert not task.done(), task.exception()
        finally:
            task.cancel()


def _program(way: str, folder: Path, offer: Offer, broker: int) -> AbstractContextManager:
    if way == "ours":
        return agent(folder, offer, broker, INTERVAL_MS)
    if way == "thingsboard":
        return thingsboard.thingsboard(folder, offer, NAMESPACE, broker, INTERVAL_MS)
    arguments = ["-m", "tests.benchmark.bench_gateway", "--url", offer.url, "--broker", str(broker)]
    return process(sys.executable, *arguments, log=folder / "edge.log")


async def _measure(way: str, offer: Offer, broker: int) -> Seen:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with _listening(broker, way) as receiver:
            with _program(way, folder, offer, broker) as child:
                await until(lambda: receiver.values > ITEMS, child, folder / "edge.log")
                await asyncio.sleep(SETTLE_S)
                return await watch(psutil.Process(child.pid), receiver, MEASURED_S)


async def _all() -> dict[str, list[Seen]]:
    found: dict[str, list[Seen]] = {way: [] for way in NAMES}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(mosquitto("allow_anonymous true\nmax_queued_messages 100000"))
        offer = stack.enter_context(node_opcua(folder, free_port(), ITEMS, HZ))
        for _ in range(ROUNDS):
            for way, rounds in found.items():
                rounds.append(await _measure(way, offer, broker.port))
    return found


def _median(rounds: list[Seen], figure: Callable[[Seen], float]) -> float:
    return statistics.median(map(figure, rounds))


def measure() -> list[Result]:
    """Processor time per 1,000 values/s: how much of a core that is."""
    found = asyncio.run(_all())
    load = {way: _median(rounds, lambda seen: seen.cpu_s / seen.values * 1e5) for way, rounds in found.items()}
    results: list[Result] = []
    for way, rounds in found.items():
        rate, peak = _median(rounds, lambda seen: seen.values / seen.took_s), _median(rounds, lambda seen: seen.peak_mb)
        what = (
            f"{NAMES[way]}: {ITEMS:,} items of node-opcua at {HZ:g} Hz → Mosquitto, {rate:,.0f} values/s, {peak:.0f} MB"
        )
        complete = rate >= 0.9 * ITEMS * HZ
        if way == "ours":
            rest = {other: load[other] / load["ours"] for other in load if other != "ours"}
            peer = ", ".join(f"{NAMES[other]} {load[other]:.2f} %" for other in rest)
            met = complete and min(rest.values()) >= 1
            goal, ratio = "less than either peer", min(rest.values())
        else:
            peer, met, goal, ratio = NAMES["ours"], complete, "a peer: all values", load[way] / load["ours"]
        results.append(
            Result(f"S3-gateway-{way}", what, load[way], "% of a core per 1,000 values/s", goal, met, peer, ratio)
        )
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--broker", type=int, required=True)
    asked = parser.parse_args()
    asyncio.run(_plain(asked.url, asked.broker))
