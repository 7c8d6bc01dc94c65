"""A whole agent against a real broker: one bad source never stops the rest, and what lay between two runs is a gap."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.agent import run_agent
from edge.config import AgentSettings, load_agent
from edge.spool import open_spool
from tests.servers import Broker, free_port, mosquitto
from tests.waiting import until
from twin.errors import ConfigError
from twin.wire.batch import decode
from twin.wire.mqtt import BrokerSettings, Client, connect
from twin.wire.reading import Gap, GapCause, Reading
from twin.wire.schema import NodeSchema

FILE = """\
node: gate-7
broker: {{host: 127.0.0.1, port: {port}}}
spool: {{path: {folder}/spool.db, linger_ms: 5}}
uplink: {{health_s: 0.5}}
sources:
  - kind: mqtt
    name: gates
    broker: {{host: 127.0.0.1, port: {port}}}
    clean_session: {clean}
    uptime_topic: null # a broker of seconds may look restarted
    topics:
      - topic: gates/{{lane}}/queue
        asset: terminal/gates/{{lane}}
        where: {{lane: [lane-1]}}
        signals: {{queue: {{kind: measurement}}}}
{more}"""
BAD_CERTIFICATE = """\
  - kind: opcua
    name: press
    url: opc.tcp://127.0.0.1:{port}
    security:
      policy: Basic256Sha256
      mode: SignAndEncrypt
      certificate: {folder}/nothing.pem
      private_key: {folder}/nothing.key
      trust_any_server: true
    items: [{{node: "ns=2;s=a", signal: factory/pressing/press-1/load}}]
"""
AWAY = """\
  - kind: opcua
    name: lathe
    url: opc.tcp://127.0.0.1:{port}
    items: [{{node: "ns=2;s=a", signal: factory/turning/lathe-1/load}}]
"""


@pytest.fixture
def broker() -> Iterator[Broker]:
    with mosquitto() as started:
        yield started


def settings(broker: Broker, folder: Path, *, clean: bool = False, more: str = "") -> AgentSettings:
    path = folder / "edge.yaml"
    rest = more.format(port=free_port(), folder=folder)
    path.write_text(FILE.format(port=broker.port, folder=folder, clean=str(clean).lower(), more=rest))
    return load_agent(path)


@asynccontextmanager
async def agent(of: AgentSettings) -> AsyncIterator[None]:
    task = asyncio.create_task(run_agent(of))
    try:
        yield
        assert not task.done(), task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Twin:
    """What the other end of the broker hears of the node."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.readings: list[Reading] = []
        self.gaps: list[Gap] = []
        self.health: dict[str, Any] = {}
        self.schema: NodeSchema | None = None
        self._seen: set[int] = set()

    async def listen(self) -> None:
        async for message in self.client.messages():
            if message.topic.endswith("/health"):
                self.health = json.loads(message.payload)
            elif message.topic.endswith("/data"):
                columns = decode(message.payload)
                if columns.header.number not in self._seen:
                    self._seen.add(columns.header.number)
                    self.readings += columns.readings()
                    self.gaps += columns.gaps
            else:
                self.schema = NodeSchema.from_json(message.payload)

    def source(self, name: str) -> dict[str, Any]:
        return next((source for source in self.health.get("sources", ()) if source["name"] == name), {"status": ""})


@asynccontextmanager
async def twin(broker: Broker) -> AsyncIterator[Twin]:
    async with connect(BrokerSettings(host="127.0.0.1", port=broker.port), client_id="twin") as client:
        await client.subscribe([("fabriquay/1/gate-7/#", 1)])
        listener = Twin(client)
        task = asyncio.create_task(listener.listen())
        try:
            yield listener
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_wrong_certificate_and_a_dead_device_leave_the_other_sources_running(broker, tmp_path):
    of = settings(broker, tmp_path, more=BAD_CERTIFICATE + AWAY)
    async with twin(broker) as listener, agent(of):
        await until(lambda: listener.source("gates")["status"] == "connected")
        await listener.client.publish("gates/lane-1/queue", b"5", qos=1)
        await until(lambda: listener.readings)
        await until(lambda: listener.source("press")["status"] == listener.source("lathe")["status"] == "down")
        await until(lambda: listener.source("gates")["values"] == 1)
        told = listener.health
    assert [one.value for one in listener.readings] == [5.0]
    assert listener.schema is not None
    assert [entry.path for entry in listener.schema.entries] == [
        "terminal/gates/lane-1/queue",
        "factory/pressing/press-1/load",
        "factory/turning/lathe-1/load",
    ]
    assert "not configured rightly" in next(one["detail"] for one in told["sources"] if one["name"] == "press")
    assert "nothing.pem" in next(one["detail"] for one in told["sources"] if one["name"] == "press")
    assert (told["status"], told["configuration"]) == ("online", of.revision)
    assert told["backlog"]["batches"] >= 1
    assert told["memory_bytes"] > 10_000_000


async def test_the_time_between_two_runs_is_a_gap_of_the_sources_that_cannot_resume(broker, tmp_path):
    of = settings(broker, tmp_path, clean=True, more=AWAY)
    async with twin(broker) as listener:
        async with agent(of):
            await until(lambda: listener.source("gates")["status"] == "connected")
            await listener.client.publish("gates/lane-1/queue", b"1", qos=1)
            await until(lambda: len(listener.readings) == 1)
        stopped_ns = time.time_ns()
        async with agent(of):
            await until(lambda: [gap.cause for gap in listener.gaps].count(GapCause.AGENT_DOWN) == 2)
            await until(lambda: listener.source("gates")["status"] == "connected")
            await listener.client.publish("gates/lane-1/queue", b"2", qos=1)
            await until(lambda: len(listener.readings) == 2)
    down = [gap for gap in listener.gaps if gap.cause is GapCause.AGENT_DOWN]
    assert [gap.handles for gap in down] == [(0,), (1,)]
    assert all(gap.from_ns <= stopped_ns < gap.to_ns for gap in down)
    assert down[1].from_ns < listener.readings[0].received_ns, "the lathe was never read, since the first start"
    late = [gap for gap in listener.gaps if gap.cause is GapCause.DEVICE_UNREACHABLE and gap.from_ns >= stopped_ns]
    assert late[0].from_ns == down[0].to_ns, "from the start of the agent until its first reading"
    assert late[0].to_ns <= listener.readings[1].received_ns + 1_000_000_000


async def test_a_kept_session_needs_no_gap_between_two_runs(broker, tmp_path):
    of = settings(broker, tmp_path)
    async with twin(broker) as listener:
        async with agent(of):
            await until(lambda: listener.source("gates")["status"] == "connected")
            await listener.client.publish("gates/lane-1/queue", b"1", qos=1)
            await until(lambda: len(listener.readings) == 1)
        gaps = len(listener.gaps)
        await listener.client.publish("gates/lane-1/queue", b"2", qos=1)
        async with agent(of):
            await until(lambda: len(listener.readings) >= 2)
    assert {one.value for one in listener.readings} == {1.0, 2.0}
    assert len(listener.gaps) == gaps


async def test_a_spool_in_use_stops_the_agent_with_a_configuration_error(broker, tmp_path):
    of = settings(broker, tmp_path)
    schema = NodeSchema("gate-7", ())
    async with open_spool(of.spool.path, schema=schema, max_bytes=1_000_000):
        with pytest.raises(ConfigError, match="another agent uses this spool"):
            await run_agent(of)
