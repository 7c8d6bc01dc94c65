"""The client against real brokers: Mosquitto (MQTT 5) and amqtt (3.1.1 only), each a process of its own."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator

import pytest

from edge.sources.mqtt_restart import broker_began_ns
from tests.certificates import Authority
from tests.servers import Broker, amqtt, free_port, mosquitto, open_folder
from tests.waiting import until
from twin.errors import Retryable
from twin.wire.mqtt import BrokerSettings, Client, Message, PublishDenied, Refused, TlsSettings, connect


def at(broker: Broker, **more) -> BrokerSettings:
    return BrokerSettings(host="127.0.0.1", port=broker.port, **more)


async def take(client: Client, count: int) -> list[Message]:
    found: list[Message] = []
    async with asyncio.timeout(20):
        async for message in client.messages():
            found.append(message)
            if len(found) == count:
                break
    return found


@pytest.fixture
async def silent_port() -> AsyncIterator[int]:
    """A server that takes connections and never says a word."""

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_mqtt_5_is_spoken_where_the_broker_knows_it_and_3_1_1_elsewhere(mosquitto_broker, amqtt_broker):
    async with connect(at(mosquitto_broker), client_id="five") as client:
        assert client.protocol == "5"
    async with connect(at(mosquitto_broker, protocol="3.1.1"), client_id="three") as client:
        assert client.protocol == "3.1.1"
    async with connect(at(amqtt_broker), client_id="fallen-back") as client:
        assert client.protocol == "3.1.1"
        await client.publish("here", b"alive", qos=1)
    async with connect(at(amqtt_broker), client_id="fallen-back", clean_session=False) as client:
        assert client.protocol == "3.1.1"
    with pytest.raises(Retryable):
        async with connect(at(amqtt_broker, protocol="5"), client_id="stubborn"):
            pass


async def test_every_message_arrives_once_and_in_order(broker):
    async with (
        connect(at(broker), client_id="order-in") as reader,
        connect(at(broker), client_id="order-out") as writer,
    ):
        await reader.subscribe([("order/+", 1)])
        payloads = [bytes([n % 256]) * (1 + 37 * n) for n in range(600)]
        answers = [writer.publish_nowait("order/a", payload) for payload in payloads]
        assert [message.payload for message in await take(reader, 600)] == payloads
        await asyncio.gather(*answers)


async def test_a_retained_message_says_so_and_comes_to_a_late_subscriber(broker):
    async with connect(at(broker), client_id="keeper") as writer:
        await writer.publish("kept/one", b"still here", qos=1, retain=True)
    async with connect(at(broker), client_id="late") as reader:
        await reader.subscribe([("kept/#", 1)])
        (message,) = await take(reader, 1)
        assert (message.topic, message.payload, message.retain) == ("kept/one", b"still here", True)


async def test_nothing_arrives_that_was_not_subscribed_to(broker):
    async with connect(at(broker), client_id="tidy-keeper") as writer:
        await writer.publish("tidy/kept", b"kept", qos=1, retain=True)
        async with connect(at(broker), client_id="tidy-first") as reader:
            await reader.subscribe([("tidy/#", 1)])
            assert [message.payload for message in await take(reader, 1)] == [b"kept"]
        async with connect(at(broker), client_id="tidy-second") as reader:
            await reader.subscribe([("elsewhere", 1)])
            await writer.publish("elsewhere", b"wanted", qos=1)
            assert [message.payload for message in await take(reader, 1)] == [b"wanted"]


async def test_a_full_inbound_queue_stops_the_socket_and_loses_nothing(broker):
    async with (
        connect(at(broker), client_id="slow", max_inbound=10) as reader,
        connect(at(broker), client_id="fast") as writer,
    ):
        await reader.subscribe([("flood", 1)])
        answers = [writer.publish_nowait("flood", n.to_bytes(4) + bytes(5000)) for n in range(1000)]
        await until(lambda: reader.waiting() >= 10)
        await asyncio.wait(answers[:100], timeout=1)
        assert reader.waiting() < 10 + 300  # what paho reads in one go is bounded too
        found = await take(reader, 1000)
        assert [int.from_bytes(message.payload[:4]) for message in found] == list(range(1000))
        await asyncio.gather(*answers)


@pytest.mark.parametrize("waits", [True, False])
async def test_the_answer_to_a_subscription_may_stand_behind_more_messages_than_have_room(waits):
    """The broker sends all that the session has kept first."""
    little_room = {"client_id": "little-room", "clean_session": False, "max_inbound": 10}
    with mosquitto("allow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0") as broker:
        async with connect(at(broker), **little_room) as reader:
            await reader.subscribe([("many/#", 1)])
        async with connect(at(broker), client_id="many") as writer:
            await asyncio.gather(*(writer.publish_nowait(f"many/{n}", bytes(1000)) for n in range(2_000)))
        async with connect(at(broker), **little_room) as reader:
            if waits:
                await reader.subscribe([("many/#", 1)])
            else:
                reader.subscribe_nowait([("many/#", 1)])
                await until(lambda: reader.waiting() >= 10)
                await asyncio.sleep(0.2)
                assert reader.waiting() < 2_000
            assert len({message.topic for message in await take(reader, 2_000)}) == 2_000


class Relay:
    """Passes bytes between one client and the broker and counts the client's pings."""

    def __init__(self, broker: Broker) -> None:
        self.pings = 0
        self.open = 0
        self._broker = broker

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        there, back = await asyncio.open_connection("127.0.0.1", self._broker.port)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pass(reader, back, counted=True))
            tasks.create_task(self._pass(there, writer, counted=False))
        await asyncio.gather(writer.wait_closed(), back.wait_closed(), return_exceptions=True)
        self.open -= 1

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool) -> None:
        while data := await reader.read(65_536):
            self.pings += counted and data == b"\xc0\x00"
            writer.write(data)
            await writer.drain()
        writer.close()


async def test_a_paused_reader_is_not_taken_for_dead_by_the_broker(mosquitto_broker):
    relay = Relay(mosquitto_broker)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    settings = BrokerSettings(host="127.0.0.1", port=server.sockets[0].getsockname()[1], keepalive_s=5)
    async with (
        server,
        connect(at(mosquitto_broker), client_id="feeder") as writer,
        connect(settings, client_id="patient", max_inbound=1) as reader,
    ):
        await reader.subscribe([("drip", 1)])
        for n in range(20):
            await writer.publish("drip", bytes([n]), qos=1)
        await until(lambda: reader.waiting() > 0)
        await until(lambda: relay.pings >= 4)  # twice the keep-alive and more
        assert [message.payload[0] for message in await take(reader, 20)] == list(range(20))
        await reader.publish("alive", b"", qos=1)
    await until(lambda: relay.open == 0)


async def test_an_unacknowledged_message_comes_again_in_the_same_session(mosquitto_broker):
    session = {"client_id": "careful", "clean_session": False, "manual_ack": True}
    async with connect(at(mosquitto_broker), client_id="sender") as writer:
        async with connect(at(mosquitto_broker), **session) as reader:
            assert not reader.session_present
            await reader.subscribe([("care", 1)])
            await writer.publish("care", b"one", qos=1)
            await writer.publish("care", b"two", qos=1)
            first, _ = await take(reader, 2)
            reader.acknowledge(first)
            await reader.publish("flush", b"", qos=1)  # behind the acknowledgement on the same wire
        async with connect(at(mosquitto_broker), **session) as reader:
            assert reader.session_present
            assert [message.payload for message in await take(reader, 1)] == [b"two"]


async def test_a_denied_publish_is_noticed_with_mqtt_5():
    rights = "allow_anonymous true\nacl_file {folder}/acl"
    with open_folder("acl") as folder:
        (folder / "acl").write_text("topic readwrite allowed/#\n")
        with mosquitto(rights, folder=folder) as broker:
            async with connect(at(broker), client_id="limited") as client:
                await client.publish("allowed/x", b"", qos=1)
                with pytest.raises(PublishDenied, match=r"(?i)not authorized"):
                    await client.publish("forbidden/x", b"", qos=1)
                await client.publish("allowed/x", b"", qos=1)


async def test_a_denied_subscription_is_refused_and_a_broker_that_denies_its_uptime_says_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("FABRIQUAY_BROKER_PASSWORD", "secret")
    port = free_port()
    command = [sys.executable, "-m", "twin.commands.cli", "broker", str(port), str(tmp_path)]
    broker = Broker(command, port, tmp_path / "broker.log")
    broker.start()
    try:
        limited = at(broker, username="api", password="secret")
        async with connect(limited, client_id="limited") as client:
            await client.subscribe([("fabriquay/1/_twin/state", 0)])
            with pytest.raises(Refused, match="denies a subscription"):
                await client.subscribe([("$SYS/broker/uptime", 0)])
            client.subscribe_nowait([("$SYS/broker/uptime", 0)])
            with pytest.raises(Retryable, match="denies a subscription"):
                await take(client, 2)  # the state, and no more
        assert await broker_began_ns(limited, "$SYS/broker/uptime", client_id="limited") is None
    finally:
        broker.stop()


async def test_a_broker_that_hangs_up_on_who_asks_for_its_uptime_is_told_with_the_way_out():
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        gone = BrokerSettings(host="127.0.0.1", port=server.sockets[0].getsockname()[1], protocol="5")
        with pytest.raises(Retryable, match="uptime_topic: null"):
            await broker_began_ns(gone, "$SYS/broker/uptime", client_id="asking")


async def test_the_brokers_receive_maximum_and_packet_limit_are_kept():
    with mosquitto("allow_anonymous true\nmax_inflight_messages 3\nmax_packet_size 2000") as broker:
        async with connect(at(broker), client_id="modest") as client:
            await asyncio.gather(*(client.publish_nowait("many", bytes(100)) for _ in range(200)))
            with pytest.raises(PublishDenied, match="2000"):
                await client.publish("big", bytes(3000), qos=1)
            await client.publish("many", b"", qos=1)


async def test_a_killed_broker_ends_messages_and_publishes_with_retryable():
    with mosquitto() as broker:
        async with connect(at(broker), client_id="bereft") as client:
            await client.subscribe([("x", 1)])
            reading = asyncio.create_task(take(client, 1))
            broker.kill()
            with pytest.raises(Retryable):
                await reading
            with pytest.raises(Retryable):
                await client.publish("x", b"", qos=1)
            with pytest.raises(Retryable):
                await client.subscribe([("y", 1)])
        broker.start()
        async with connect(at(broker), client_id="bereft") as client:
            await client.publish("x", b"", qos=1)


async def test_messages_that_arrived_before_the_end_are_still_handed_out():
    with mosquitto() as broker:
        async with connect(at(broker), client_id="heir") as client:
            await client.subscribe([("x", 1)])
            await client.publish("x", b"last words", qos=1)
            await until(lambda: client.waiting() == 1)
            broker.kill()
            messages = client.messages()
            assert (await anext(messages)).payload == b"last words"
            with pytest.raises(Retryable):
                await anext(messages)


async def test_a_last_will_is_sent_when_the_client_vanishes_and_not_when_it_leaves(mosquitto_broker):
    will = Message("wills/a", b"gone", qos=1)
    async with connect(at(mosquitto_broker), client_id="witness") as witness:
        await witness.subscribe([("wills/#", 1)])
        async with connect(at(mosquitto_broker), client_id="polite", will=will):
            pass
        async with connect(at(mosquitto_broker), client_id="vanishing", will=will) as client:
            client._inner.socket().shutdown(socket.SHUT_RDWR)
            (message,) = await take(witness, 1)
            assert message.payload == b"gone"
        await witness.publish("wills/end", b"end", qos=1)
        assert [message.payload for message in await take(witness, 1)] == [b"end"]


async def test_nobody_there_and_bad_passwords_are_retryable():
    with pytest.raises(Retryable, match="cannot be reached"):
        async with connect(BrokerSettings(host="127.0.0.1", port=free_port()), client_id="lonely"):
            pass
    with mosquitto("allow_anonymous false") as broker:
        for protocol in ("auto", "3.1.1"):
            with pytest.raises(Retryable, match=r"(?i)not authori[sz]ed"):
                async with connect(at(broker, protocol=protocol), client_id="stranger"):
                    pass


async def test_users_of_the_embedded_broker_need_their_password():
    with amqtt({"edge": "right"}) as broker:
        async with connect(at(broker, username="edge", password="right"), client_id="known") as client:
            await client.publish("x", b"", qos=1)
        with pytest.raises(Retryable):
            async with connect(at(broker, username="edge", password="wrong"), client_id="unknown"):
                pass


async def test_tls_carries_everything_even_through_a_full_queue_and_checks_the_name():
    config = "allow_anonymous true\ncertfile {folder}/server.crt\nkeyfile {folder}/server.key"
    with open_folder("tls") as folder:
        authority = Authority(folder)
        authority.server("server")
        with mosquitto(config, folder=folder) as broker:
            tls = TlsSettings(ca=authority.ca)
            settings = BrokerSettings(host="localhost", port=broker.port, tls=tls)
            async with (
                connect(settings, client_id="tls-in", max_inbound=8) as reader,
                connect(settings, client_id="tls-out") as writer,
            ):
                await reader.subscribe([("sealed", 1)])
                payloads = [bytes([n % 256]) * (n % 40) * 1000 for n in range(300)]
                answers = [writer.publish_nowait("sealed", payload) for payload in payloads]
                await until(lambda: reader.waiting() >= 8)
                assert [message.payload for message in await take(reader, 300)] == payloads
                await asyncio.gather(*answers)
            for wrong in (
                settings.model_copy(update={"host": "127.0.0.1"}),
                settings.model_copy(update={"tls": TlsSettings()}),
                settings.model_copy(update={"tls": TlsSettings(ca=folder / "missing")}),
                settings.model_copy(update={"tls": None}),
            ):
                with pytest.raises(Retryable):
                    async with connect(wrong, client_id="tls-wrong"):
                        pass


async def test_cancelling_while_the_broker_is_silent_leaves_nothing_open(silent_port):
    dialling = asyncio.create_task(
        connect(BrokerSettings(host="127.0.0.1", port=silent_port), client_id="waiting").__aenter__()
    )
    await asyncio.sleep(0.1)
    dialling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dialling


async def test_bytes_that_are_not_mqtt_end_the_connection_with_retryable():
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"\x20\x03\x00\x00\x00\x30\x03\xff\xff\xff" + bytes(range(256)))
        await reader.read(-1)
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    settings = BrokerSettings(host="127.0.0.1", port=server.sockets[0].getsockname()[1], protocol="5")
    async with server:
        with pytest.raises(Retryable):
            async with connect(settings, client_id="shocked") as client:
                await take(client, 1)
