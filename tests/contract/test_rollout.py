"""A real agent process on a real broker gets its configuration signed from elsewhere: kept, refused, rolled back."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Broker, free_port, mosquitto
from tests.waiting import until
from twin.wire.batch import decode
from twin.wire.mqtt import BrokerSettings, Client, connect
from twin.wire.receipt import Receipt
from twin.wire.schema import NodeSchema

FILE = """\
node: gate-7
broker: {{host: 127.0.0.1, port: {port}}}
spool: {{path: {folder}/spool.db, linger_ms: 5}}
uplink: {{health_s: 0.5}}
desired: {{public_key: {key}, probation_s: 4}}
sources:
  - kind: mqtt
    name: gates
    broker: {{host: 127.0.0.1, port: {devices}}}
    uptime_topic: null # a broker of seconds may look restarted
    topics:
      - {{mapping: ./own.yaml, asset: "terminal/gates/{{lane}}", where: {{lane: [{lanes}]}}}}
"""
MAPPING = "topic: gates/{lane}/queue\nsignals: {queue: {}}\n"
TWIN = "plant: plant.yaml\ndatabase: none\nbroker: {{host: 127.0.0.1, port: {port}}}\n"


def command(*words: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "twin.commands.cli", "edge", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


async def beside(*words: object) -> subprocess.CompletedProcess[str]:
    """The same while the devices, which live in the test's loop, go on publishing."""
    return await asyncio.to_thread(command, *words)


class Site:
    """A gateway's folder, the administrator's tools, and what the twin hears of the node."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        self.folder, self.port = folder, broker.port
        made = command("keygen", folder / "key.pem")
        assert made.returncode == 0, made.stderr
        self.key = made.stdout.rpartition("public_key: ")[2].strip().rstrip("}")
        self.config = folder / "edge.yaml"
        self.config.write_text(self.text())
        (folder / "own.yaml").write_text(MAPPING)
        (folder / "twin.yaml").write_text(TWIN.format(port=self.port))
        self.process: subprocess.Popen[bytes] | None = None
        self.health: dict[str, Any] = {}
        self.paths: list[str] = []
        self.committed: set[int] = set()
        self.high_water = 0
        self.schemas: dict[str, NodeSchema] = {}

    def text(self, lanes: str = "lane-1", devices: int = 0) -> str:
        return FILE.format(port=self.port, folder=self.folder, key=self.key, devices=devices or self.port, lanes=lanes)

    async def bundle(self, serial: int, text: str, key: str = "key.pem", mapping: str = MAPPING) -> Path:
        made = self.folder / f"made-{serial}"
        made.mkdir()
        (made / "fleet.yaml").write_text(text)
        (made / "own.yaml").write_text(mapping)
        done = await beside(
            "sign", "-c", made / "fleet.yaml", "-k", self.folder / key, "-o", made / "bundle", "--serial", serial
        )
        assert done.returncode == 0, done.stderr
        return made / "bundle"

    async def push(self, *bundle: Any, **more: Any) -> None:
        done = await beside("push", await self.bundle(*bundle, **more), "-c", self.folder / "twin.yaml")
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        with (self.folder / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "twin.commands.cli", "edge", "run", "-c", str(self.config)],
                stdout=log,
                stderr=log,
            )

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(20)
            self.process = None

    def state(self) -> str:
        path = self.folder / "edge.yaml.desired" / "state.json"
        return path.read_text() if path.exists() else ""

    @property
    def desired(self) -> tuple[int, str]:
        told = self.health.get("desired") or {"serial": -1, "status": "", "detail": ""}
        return told["serial"], told["status"]

    async def reaches(self, condition: Callable[[], object], what: str) -> None:
        try:
            await until(condition, what, 30)
        except AssertionError as error:
            raise AssertionError(
                f"{error}; {self.health}\n{self.state()}\n{(self.folder / 'agent.log').read_text()[-3000:]}"
            ) from None

    async def flows(self, lane: str) -> None:
        self.paths.clear()
        await self.reaches(lambda: f"terminal/gates/{lane}/queue" in self.paths, f"values of {lane}")

    async def run(self) -> None:
        """The devices, and the twin's ear."""
        async with connect(BrokerSettings(host="127.0.0.1", port=self.port), client_id="world") as client:
            await client.subscribe([("fabriquay/1/gate-7/#", 1)])
            async with asyncio.TaskGroup() as group:
                group.create_task(self._publish(client))
                async for message in client.messages():
                    await self._hear(client, message.topic, message.payload)

    async def _publish(self, client: Client) -> None:
        count = 0
        while True:
            count += 1
            for lane in ("lane-1", "lane-2"):
                await client.publish(f"gates/{lane}/queue", str(count).encode(), qos=1)
            await asyncio.sleep(0.02)

    async def _hear(self, client: Client, topic: str, payload: bytes) -> None:
        if topic.endswith("/health"):
            self.health = json.loads(payload)
        elif "/schema/" in topic:
            schema = NodeSchema.from_json(payload)
            self.schemas[schema.hash] = schema
        elif topic.endswith("/data"):
            columns = decode(payload)
            entries = self.schemas[columns.header.schema_hash].entries
            self.paths += {entries[one.handle].path for one in columns.readings()}
            self.committed.add(columns.header.number)
            while self.high_water + 1 in self.committed:
                self.high_water += 1
            receipt = Receipt(columns.header.epoch, self.high_water)
            client.publish_nowait("fabriquay/1/gate-7/receipt", receipt.to_json(), qos=1, retain=True)


@pytest.fixture
def broker() -> Iterator[Broker]:
    with mosquitto() as started:
        yield started


@asynccontextmanager
async def site(folder: Path, broker: Broker) -> AsyncIterator[Site]:
    there = Site(folder, broker)
    world = asyncio.create_task(there.run())
    there.start()
    try:
        yield there
        assert not world.done(), world.result()
    finally:
        there.end()
        world.cancel()
        await asyncio.gather(world, return_exceptions=True)


async def test_a_signed_configuration_proves_itself_and_stays_without_a_new_process(broker: Broker, tmp_path: Path):
    async with site(tmp_path, broker) as there:
        await there.flows("lane-1")
        before = there.config.read_text()
        process = there.process
        await there.push(7, there.text("lane-1, lane-2"))
        await there.reaches(lambda: there.desired == (7, "probation"), "probation")
        await there.flows("lane-2")
        await there.reaches(lambda: there.desired == (7, "in-force"), "in force")
        assert process is not None
        assert process.poll() is None
        assert there.config.read_text() == before
        there.end(signal.SIGKILL)
        there.start()
        await there.flows("lane-2")
        await there.reaches(lambda: there.desired == (7, "in-force"), "in force after a restart")


async def test_one_that_loses_a_source_is_rolled_back_and_told(broker: Broker, tmp_path: Path):
    async with site(tmp_path, broker) as there:
        await there.flows("lane-1")
        await there.push(7, there.text("lane-1", devices=free_port()))
        await there.reaches(lambda: there.desired == (7, "probation"), "probation")
        await there.reaches(lambda: there.desired == (7, "rolled-back"), "rolled back")
        detail = there.health["desired"]["detail"]
        assert detail.startswith("source gates was connected before and is not now")
        assert any("configuration 7 was rolled back" in text for text in there.health["warnings"])
        await there.flows("lane-1")


async def test_one_that_brings_fewer_values_is_rolled_back_also_when_the_agent_is_killed_on_the_way(
    broker: Broker, tmp_path: Path
):
    async with site(tmp_path, broker) as there:
        there.config.write_text(there.text("lane-1, lane-2"))
        there.end()
        there.start()
        await there.flows("lane-2")
        await there.push(7, there.text("lane-1"), mapping=MAPPING.replace("gates/{lane}", "nothing/{lane}"))
        await there.reaches(lambda: there.desired == (7, "probation"), "probation")
        there.end(signal.SIGKILL)
        there.start()
        await there.reaches(lambda: there.desired == (7, "rolled-back"), "rolled back")
        assert "0.0 values/s come from gates" in there.health["desired"]["detail"]
        await there.flows("lane-2")


async def test_what_is_wrong_old_or_signed_by_somebody_else_changes_nothing(broker: Broker, tmp_path: Path):
    async with site(tmp_path, broker) as there:
        await there.flows("lane-1")
        assert (await beside("keygen", tmp_path / "other.pem")).returncode == 0
        await there.push(5, there.text("lane-2"), key="other.pem")
        await there.reaches(lambda: "not signed" in there.health["desired"]["refused"], "the foreign one refused")
        assert any("not signed" in text for text in there.health["warnings"])
        await there.push(6, there.text().replace("kind: mqtt", "kind: mqqt"))
        await there.reaches(lambda: there.desired == (6, "refused"), "the wrong one refused")
        assert "edge.yaml:7: sources.0" in there.health["desired"]["detail"]
        await there.push(7, there.text())
        await there.reaches(lambda: there.desired == (7, "unchanged"), "the same")
        await there.push(4, there.text("lane-2"))
        await there.reaches(lambda: "not newer than 7" in there.health["desired"]["refused"], "the old one refused")
        assert there.health["warnings"] == []
        await there.flows("lane-1")
        assert "terminal/gates/lane-2/queue" not in there.paths


async def test_a_site_without_a_network_applies_a_bundle_from_a_file(broker: Broker, tmp_path: Path):
    async with site(tmp_path, broker) as there:
        await there.flows("lane-1")
        wrong = await beside(
            "apply", await there.bundle(6, there.text().replace("kind: mqtt", "kind: mqqt")), "-c", there.config
        )
        assert wrong.returncode == 2
        assert "edge.yaml:7: sources.0" in wrong.stderr
        bundle = await there.bundle(7, there.text("lane-1, lane-2"))
        done = await beside("apply", bundle, "-c", there.config)
        assert done.returncode == 0, done.stderr
        await there.reaches(lambda: there.desired == (7, "in-force"), "in force")
        await there.flows("lane-2")
        again = await beside("apply", bundle, "-c", there.config)
        assert "was decided on already: in-force" in again.stdout
        old = await beside("apply", await there.bundle(3, there.text()), "-c", there.config)
        assert old.returncode == 2
        assert "not newer than 7" in old.stderr


def test_keys_and_bundles_are_never_overwritten_and_the_key_is_private(tmp_path: Path):
    assert command("keygen", tmp_path / "key.pem").returncode == 0
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    again = command("keygen", tmp_path / "key.pem")
    assert again.returncode == 2
    assert "nothing is overwritten" in again.stderr
