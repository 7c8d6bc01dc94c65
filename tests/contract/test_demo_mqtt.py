"""The terminal's MQTT devices against a real broker: what they log is what subscribers get, come what may."""

import asyncio
import json
import os
import signal
import sqlite3
import sys
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import pytest

from tests.servers import free_port, mosquitto
from tests.waiting import until
from twin.demo.dialects import TIC_LEAVES, VDA_FIELDS
from twin.demo.equipment import EquipmentSettings, run_equipment
from twin.errors import Retryable
from twin.wire.mqtt import BrokerSettings, connect

FILE = Path(__file__).parents[2] / "configs" / "plant.yaml"
KEEPS_EVERYTHING = "allow_anonymous true\npersistence true\npersistence_location {folder}/\nmax_queued_messages 0\n"

CHILD = """
import asyncio, sys
from twin.demo.equipment import EquipmentSettings, run_equipment
settings = EquipmentSettings.model_validate_json(sys.argv[1])
asyncio.run(run_equipment(settings, ready=lambda _: print("ready", flush=True)))
"""


def settings_for(folder, port, **options):
    broker = BrokerSettings(host="127.0.0.1", port=port)
    return EquipmentSettings(
        plant=FILE,
        truth_log=folder / "truth.db",
        sites=("terminal",),
        opcua_port=free_port(),
        broker=broker,
        **options,
    )


def samples(folder, table="sample"):
    connection = sqlite3.connect(folder / "truth.db")
    try:
        return {
            (path, time_us): value if text is None else text
            for path, time_us, value, text in connection.execute(f"SELECT * FROM {table}")
        }
    finally:
        connection.close()


def unsent(folder):
    connection = sqlite3.connect(folder / "truth.db")
    try:
        return set(connection.execute("SELECT signal_path, time_us FROM unsent").fetchall())
    finally:
        connection.close()


def microseconds(text):
    return round(datetime.fromisoformat(text).timestamp() * 1000) * 1000


def read(message):
    """The samples in one message: (signal path, µs) → value. A second, independent reader of the dialects."""
    document = json.loads(message.payload)
    parts = message.topic.split("/")
    if parts[1] == "tic":
        area = "quay" if parts[2].startswith("sts") else "yard"
        for name, leaf in TIC_LEAVES.items():
            place = document["che"][0]
            for step in leaf:
                place = place.get(step, {})
            for one in place:
                yield (f"terminal/{area}/{parts[2]}/{name}", microseconds(one["timestamp"])), one["value"]
    elif parts[0] == "uagv":
        for name, field in VDA_FIELDS.items():
            value = document
            for step in field:
                value = value[step]
            key = f"terminal/transport/{parts[3]}/{name}", microseconds(document["timestamp"])
            yield key, int(value) if isinstance(value, bool) else value
    else:
        yield (message.topic, document["timestamp_ms"] * 1000), document["value"]


class Listener:
    """A subscriber with a lasting session that connects again after each loss."""

    def __init__(self):
        self.values = {}
        self.doubles = 0
        self.connected = asyncio.Event()

    async def run(self, port):
        while True:
            try:
                broker = BrokerSettings(host="127.0.0.1", port=port)
                async with connect(broker, client_id="listener", clean_session=False, max_inbound=60_000) as client:
                    await client.subscribe([("terminal/#", 1), ("uagv/#", 1)])
                    self.connected.set()
                    async for message in client.messages():
                        for key, value in read(message):
                            self.doubles += key in self.values
                            self.values[key] = value
            except Retryable:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def listening(port):
    listener = Listener()
    task = asyncio.create_task(listener.run(port))
    try:
        await asyncio.wait_for(listener.connected.wait(), 30)
        yield listener
    finally:
        task.cancel()
        await asyncio.wait({task})


@asynccontextmanager
async def terminal(folder, port, **options):
    ready = asyncio.Event()
    running = asyncio.create_task(run_equipment(settings_for(folder, port, **options), ready=lambda _: ready.set()))
    try:
        await asyncio.wait_for(ready.wait(), 60)
        yield running
    finally:
        running.cancel()
        await asyncio.wait({running})


async def test_subscribers_get_exactly_the_truth_log(tmp_path):
    with mosquitto(KEEPS_EVERYTHING) as broker:
        async with listening(broker.port) as listener:
            async with terminal(tmp_path, broker.port, rate=2_000):
                await until(lambda: len(listener.values) > 6_000)
                so_far = samples(tmp_path)
                await until(lambda: so_far.keys() <= listener.values.keys())
            assert {key: listener.values[key] for key in so_far} == so_far
            assert listener.values.items() <= samples(tmp_path).items()


async def test_a_broker_that_was_away_gets_every_sample_afterwards(tmp_path):
    with mosquitto(KEEPS_EVERYTHING) as broker:
        async with listening(broker.port) as listener, terminal(tmp_path, broker.port, rate=2_000):
            await until(lambda: len(listener.values) > 3_000)
            broker.stop()
            away = len(samples(tmp_path))
            await until(lambda: len(samples(tmp_path)) > away + 3_000)
            broker.start()
            every = samples(tmp_path)
            await until(lambda: every.keys() <= listener.values.keys())
            assert {key: listener.values[key] for key in every} == every
            assert not unsent(tmp_path)


async def test_a_full_queue_drops_the_newest_and_lists_them_as_not_emitted(tmp_path):
    with mosquitto(KEEPS_EVERYTHING) as broker:
        async with listening(broker.port) as listener, terminal(tmp_path, broker.port, rate=2_000, most_queued=50):
            await until(lambda: len(listener.values) > 2_000)
            broker.stop()
            away = len(samples(tmp_path))
            await until(lambda: len(samples(tmp_path)) > away + 3_000)
            broker.start()
            count = len(listener.values)
            await until(lambda: len(listener.values) > count + 2_000)
            dropped = unsent(tmp_path)
            certain = samples(tmp_path, "certain")
            newest = max(time_us for _, time_us in listener.values)
            settled = {key for key in certain if key[1] < newest - 3_000_000}
            assert len(dropped) > 1_000
            await until(lambda: settled <= listener.values.keys())
            assert not dropped & listener.values.keys()


async def test_a_killed_terminal_has_emitted_nothing_that_is_not_in_the_log(tmp_path):
    with mosquitto(KEEPS_EVERYTHING) as broker:
        async with listening(broker.port) as listener:
            before = 0
            for _ in range(3):
                child = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-c",
                    CHILD,
                    settings_for(tmp_path, broker.port, rate=2_000).model_dump_json(),
                    stdout=asyncio.subprocess.PIPE,
                )
                assert await asyncio.wait_for(child.stdout.readline(), 60) == b"ready\n"
                await until(lambda least=before + 2_000: len(listener.values) > least)
                os.kill(child.pid, signal.SIGKILL)
                await child.wait()
                before = len(listener.values)
            async with terminal(tmp_path, broker.port, rate=2_000):  # lists what is in doubt
                await until(lambda: len(listener.values) > before + 1_000)
            certain, every = samples(tmp_path, "certain"), samples(tmp_path)
            newest = max(time_us for _, time_us in certain)
            settled = {key: value for key, value in certain.items() if key[1] < newest - 2_000_000}
            await until(lambda: settled.items() <= listener.values.items())
            assert listener.values.items() <= every.items()
            assert len(settled) > 0.8 * len(every) - 4_000


async def test_devices_without_a_broker_in_the_settings_are_refused(tmp_path):
    settings = settings_for(tmp_path, 1).model_copy(update={"broker": None})
    with pytest.raises(Exception, match="broker: is missing"):
        await run_equipment(settings)
