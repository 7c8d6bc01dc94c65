"""The demo's embedded broker keeps what it has acknowledged, whoever goes, waits or comes back meanwhile."""

import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest_asyncio

from tests.fault.proxy import Proxy
from tests.servers import answers, free_port
from tests.waiting import until

TOPIC = "hall/press/load"


@pytest_asyncio.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    """Of a broker in a process of its own, as the demo runs it."""
    chosen = free_port()
    script = (
        "import asyncio, pathlib, sys; from twin.demo.broker import run_broker; from twin.demo.broker_users import BrokerUser;"
        " user = BrokerUser('secret', publish=['hall/#'], subscribe=['hall/#']);"
        " asyncio.run(run_broker(int(sys.argv[1]), {'anyone': user}, pathlib.Path(sys.argv[2])))"
    )
    broker = subprocess.Popen([sys.executable, "-c", script, str(chosen), str(tmp_path)])
    try:
        await until(lambda: broker.poll() is not None or answers(chosen), "the broker")
        yield chosen
    finally:
        broker.terminate()
        broker.wait(20)


class Client:
    """A connection of a persistent session (`name`), or without one; acknowledges only what it is told to."""

    def __init__(self, port: int, name: str = "") -> None:
        self.came: list[paho.MQTTMessage] = []
        self.granted = 0
        self.paho = paho.Client(
            paho.CallbackAPIVersion.VERSION2, name, clean_session=not name, manual_ack=True, reconnect_on_failure=False
        )
        self.paho.username_pw_set("anyone", "secret")
        self.paho.on_message = lambda _client, _data, message: self.came.append(message)
        self.paho.on_subscribe = lambda *_: setattr(self, "granted", self.granted + 1)
        self.paho.max_inflight_messages = 0
        self.paho.connect("127.0.0.1", port)
        self.paho.loop_start()

    async def subscribes(self) -> None:
        self.paho.subscribe(TOPIC, 1)
        await until(lambda: self.granted, "SUBACK")

    async def publishes(self, first: int, count: int) -> None:
        """Until all are acknowledged."""
        sent = [self.paho.publish(TOPIC, str(first + number), 1) for number in range(count)]
        await until(lambda: all(one.is_published() for one in sent), "PUBACKs")

    def numbers(self) -> list[int]:
        return [int(message.payload) for message in self.came]

    def acknowledge(self) -> None:
        for message in list(self.came):
            self.paho.ack(message.mid, message.qos)

    def vanish(self) -> None:
        """As after a power cut, seen from the broker: no DISCONNECT."""
        self.paho.socket().shutdown(socket.SHUT_RDWR)
        self.paho.loop_stop()


@contextmanager
def client(port: int, name: str = "") -> Iterator[Client]:
    made = Client(port, name)
    try:
        yield made
    finally:
        made.paho.disconnect()
        made.paho.loop_stop()


async def test_what_was_on_its_way_to_a_client_that_went_comes_again(port: int) -> None:
    with client(port) as device, client(port, "reader") as reader:
        await reader.subscribes()
        await device.publishes(0, 5)
        await until(lambda: len(reader.came) == 5, "five")
        reader.vanish()
        await device.publishes(5, 5)
        with client(port, "reader") as again:
            await until(lambda: len(again.came) == 10, lambda: f"all ten; {again.numbers()}")
            assert again.numbers() == list(range(10))
            assert [message.dup for message in again.came[:5]] == [True] * 5
            assert not any(message.retain for message in again.came)


async def test_what_a_client_sent_before_it_went_reaches_the_others(port: int) -> None:
    with client(port, "reader") as reader:
        await reader.subscribes()
        with client(port) as device:
            await device.publishes(0, 300)
            device.vanish()
        await until(lambda: len(reader.came) == 300, lambda: f"all; {len(reader.came)}")
    assert reader.numbers() == list(range(300))


async def test_a_reader_that_does_not_acknowledge_loses_nothing_and_gets_a_bounded_number(port: int) -> None:
    with client(port) as device, client(port, "reader") as reader:
        await reader.subscribes()
        await device.publishes(0, 1500)
        await until(lambda: len(reader.came) == 1000, lambda: f"a thousand; {len(reader.came)}")
        reader.acknowledge()
        await until(lambda: len(reader.came) == 1500, lambda: f"the rest; {len(reader.came)}")
    assert reader.numbers() == list(range(1500))


async def test_a_reader_that_comes_back_before_its_old_connection_was_missed_is_served(port: int) -> None:
    with client(port) as device, Proxy(lambda: port) as line:
        first = Client(line.port, "reader")
        await first.subscribes()
        with line.half_open():
            await device.publishes(0, 5)
            with client(port, "reader") as again:
                await device.publishes(5, 5)
                await until(lambda: len(again.came) == 10, lambda: f"all ten; {again.numbers()}")
                again.acknowledge()
                await device.publishes(10, 5)
                await until(lambda: len(again.came) == 15, lambda: f"the rest; {again.numbers()}")
                assert again.numbers() == list(range(15))
        first.paho.loop_stop()
