"""MQTT under TLS with client certificates and ACLs, on a real Mosquitto: who is right passes, who is wrong is told why."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.sources.mqtt import MqttSource
from edge.sources.mqtt_settings import MqttSettings
from edge.sources.source import SourceState
from edge.spool import open_spool
from tests.certificates import Authority, Issued
from tests.contract.test_mqtt_source import kept, running, schema_of
from tests.servers import Broker, mosquitto, open_folder
from tests.waiting import until
from twin.errors import Retryable
from twin.wire.mqtt import BrokerSettings, Client, PublishDenied, TlsSettings, connect

CONFIG = """\
allow_anonymous true
cafile {{folder}}/authority.crt
certfile {{folder}}/{server}.crt
keyfile {{folder}}/{server}.key
max_inflight_messages 0
max_queued_messages 0
{more}
"""
MUTUAL = "require_certificate true\nuse_identity_as_username true\nacl_file {folder}/acl"
ACL = """\
pattern readwrite devices/%u/#
user twin
topic readwrite #
"""


@dataclass(frozen=True)
class Secured:
    """A broker that wants client certificates, and the authority that signs them."""

    broker: Broker
    authority: Authority
    folder: Path

    def at(self, issued: Issued | None, protocol: str = "auto", **more) -> BrokerSettings:
        tls = TlsSettings(ca=self.authority.ca)
        if issued is not None:
            tls = TlsSettings(ca=self.authority.ca, certificate=issued.certificate, key=issued.key)
        return BrokerSettings(
            **{"host": "localhost", "port": self.broker.port, "tls": tls, "protocol": protocol, **more}
        )


@pytest.fixture(scope="module")
def secured() -> Iterator[Secured]:
    with open_folder("mutual") as folder:
        authority = Authority(folder)
        authority.server("server")
        (folder / "acl").write_text(ACL)
        with mosquitto(CONFIG.format(server="server", more=MUTUAL), folder=folder) as broker:
            yield Secured(broker, authority, folder)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_a_certificate_is_the_user_and_opens_its_own_tree_only(secured, protocol):
    gate, twin = secured.authority.client("gate-7"), secured.authority.client("twin")
    async with (
        connect(secured.at(gate, protocol), client_id=f"gate-{protocol}") as reader,
        connect(secured.at(twin), client_id=f"twin-{protocol}") as writer,
    ):
        await reader.subscribe([("devices/#", 1)])
        await writer.publish("devices/gate-8/load", b"not for you", qos=1)
        await writer.publish("devices/gate-7/load", b"for you", qos=1)
        async with asyncio.timeout(20):
            message = await anext(reader.messages())
        assert (message.topic, message.payload) == ("devices/gate-7/load", b"for you")
        if protocol == "5":  # 3.1.1 has no word for it
            with pytest.raises(PublishDenied, match=r"(?i)not authorized"):
                await reader.publish("devices/gate-8/load", b"", qos=1)


async def refusal(settings: BrokerSettings) -> str:
    with pytest.raises(Retryable) as caught:
        async with connect(settings, client_id="stranger"):
            pass
    return str(caught.value)


@pytest.mark.parametrize("protocol", ["auto", "5", "3.1.1"])
async def test_a_broker_that_refuses_our_certificate_says_why(secured, protocol):
    old = secured.authority.client("gate-old", days=(-10, -1))
    foreign = Authority(secured.folder / "foreign", "foreign").client("gate-9")
    assert "wants a client certificate; give tls.certificate" in await refusal(secured.at(None, protocol))
    assert f"our certificate {old.certificate} has expired; renew it" in await refusal(secured.at(old, protocol))
    told = await refusal(secured.at(foreign, protocol))
    assert f"does not know who signed our certificate {foreign.certificate}" in told
    async with connect(secured.at(secured.authority.client("gate-7")), client_id="gate-after") as client:
        assert client.protocol == "5", "a refusal must not pass for a broker that knows only 3.1.1"


@pytest.mark.parametrize(
    ("name", "issue", "expected"),
    [
        ("expired", {"days": (-10, -1)}, "the broker's certificate has expired; renew it at the broker"),
        ("early", {"days": (1, 10)}, "the broker's certificate is not valid yet; check the clocks"),
        ("elsewhere", {"host": "elsewhere.example"}, "the broker's certificate is not for 'localhost'"),
    ],
)
async def test_a_broker_with_a_wrong_certificate_is_not_spoken_to(name, issue, expected):
    with open_folder("wrong") as folder:
        authority = Authority(folder)
        authority.server(name, **issue)
        with mosquitto(CONFIG.format(server=name, more=""), folder=folder) as broker:
            told = await refusal(Secured(broker, authority, folder).at(None))
    assert expected in told


async def test_wrong_files_and_wrong_ports_are_told_apart(secured, tmp_path):
    gate, other = secured.authority.client("gate-7"), secured.authority.client("gate-8")
    foreign = Authority(tmp_path / "foreign", "foreign")

    def with_tls(**files) -> BrokerSettings:
        return secured.at(None, tls=TlsSettings(**files))

    ca = secured.authority.ca
    assert f"not signed by {foreign.ca}" in await refusal(with_tls(ca=foreign.ca))
    assert "not signed by the system's authorities" in await refusal(with_tls())
    told = await refusal(with_tls(ca=ca, certificate=gate.certificate, key=other.key))
    assert f"{other.key} is not the key of {gate.certificate}" in told
    assert "must hold a certificate and its key" in await refusal(with_tls(ca=ca, certificate=gate.certificate))
    assert "nothing.crt cannot be read (No such file" in await refusal(with_tls(ca=tmp_path / "nothing.crt"))
    assert "nothing.key cannot be read (No such file" in await refusal(
        with_tls(ca=ca, certificate=gate.certificate, key=tmp_path / "nothing.key")
    )
    assert f"{gate.key} holds no certificate" in await refusal(with_tls(ca=gate.key))
    assert "if this is a port for TLS, say so with tls" in await refusal(secured.at(None, tls=None))
    with mosquitto() as plain:
        told = await refusal(secured.at(gate, port=plain.port))
    assert "TLS port" in told


async def test_a_key_with_a_pass_phrase_is_refused_instead_of_asking_for_it(secured, tmp_path):
    from cryptography.hazmat.primitives import serialization as pem

    gate = secured.authority.client("gate-7")
    key = pem.load_pem_private_key(gate.key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    phrase = pem.BestAvailableEncryption(b"secret")
    locked.write_bytes(key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, phrase))
    told = await refusal(secured.at(Issued(gate.certificate, locked)))
    assert f"{locked} has a pass phrase" in told


def source_settings(broker: BrokerSettings, **more) -> MqttSettings:
    topic = {
        "topic": "devices/gate-7/{unit}/load",
        "asset": "site/area/{unit}",
        "where": {"unit": ["press-1"]},
        "signals": {"load": {}},
    }
    document = {"kind": "mqtt", "name": "devices", "broker": broker.model_dump(), "topics": [topic]}
    return MqttSettings.model_validate({**document, **more})


def made(settings: MqttSettings, folder: Path, session: str) -> MqttSource:
    handles = {entry.path: entry.handle for entry in schema_of(settings).entries}
    return MqttSource(settings, handles, client_id=session, dead_letters=folder / "letters.jsonl")


async def test_a_renewed_certificate_is_taken_up_without_a_restart(secured, tmp_path):
    old = secured.authority.client("gate-7", days=(-10, -1))
    ours = Issued(tmp_path / "ours.crt", tmp_path / "ours.key")
    shutil.copy(old.certificate, ours.certificate)
    shutil.copy(old.key, ours.key)
    settings = source_settings(secured.at(ours))
    async with (
        open_spool(tmp_path / "spool.db", schema=schema_of(settings), max_bytes=1_000_000) as spool,
        running(made(settings, tmp_path, "renewed"), spool) as source,
    ):
        await until(lambda: source.status().state is SourceState.DOWN)
        assert f"our certificate {ours.certificate} has expired" in source.status().detail
        renewed = secured.authority.client("gate-7")
        shutil.copy(renewed.key, ours.key)
        shutil.copy(renewed.certificate, ours.certificate)
        await until(lambda: source.status().state is SourceState.CONNECTED)


class StuckDisk:
    """Keeps nothing, for ever."""

    def __init__(self) -> None:
        self.offered = 0

    async def keep(self, readings, gaps=(), *, lane=None, **_how) -> None:
        self.offered += len(readings)
        await asyncio.Event().wait()


async def feed(client: Client, first: int, count: int) -> None:
    for number in range(first, first + count):
        await client.publish("devices/gate-7/press-1/load", json.dumps(number).encode(), qos=1)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_under_tls_a_session_keeps_what_was_not_on_disk(secured, tmp_path, protocol):
    gate, twin = secured.authority.client("gate-7"), secured.authority.client("twin")
    settings = source_settings(secured.at(gate, protocol))
    session, stuck = f"durable-{protocol}", StuckDisk()
    async with connect(secured.at(twin), client_id=f"feeder-{protocol}") as writer:
        async with running(made(settings, tmp_path, session), stuck) as source:
            await until(lambda: source.status().state is SourceState.CONNECTED)
            await feed(writer, 0, 30)
            await until(lambda: stuck.offered)
        await feed(writer, 30, 30)
        async with open_spool(tmp_path / "spool.db", schema=schema_of(settings), max_bytes=1_000_000) as spool:
            async with running(made(settings, tmp_path, session), spool) as source:
                await until(lambda: source.status().values >= 60)
                assert source.status().facts["session_resumed"]
            assert {reading.value for reading in await kept(spool)} == set(range(60))


async def test_with_mqtt_5_no_more_is_in_flight_than_we_allow(secured):
    gate, twin = secured.authority.client("gate-7"), secured.authority.client("twin")
    bound = {"manual_ack": True, "receive_maximum": 7}
    async with (
        connect(secured.at(gate, "5"), client_id="bounded", **bound) as reader,
        connect(secured.at(twin), client_id="bounded-feeder") as writer,
    ):
        await reader.subscribe([("devices/gate-7/#", 1)])
        await feed(writer, 0, 50)
        await until(lambda: reader.waiting() == 7)
        await reader.publish("devices/gate-7/flush", b"", qos=1)  # an answer that comes behind whatever was sent
        assert reader.waiting() == 7
        async with asyncio.timeout(20):
            seen = []
            async for message in reader.messages():
                seen.append(message.payload)
                reader.acknowledge(message)
                if len(seen) == 51:
                    break
    assert seen == [*(str(number).encode() for number in range(50)), b""]


async def test_a_session_outlives_us_as_long_as_its_expiry_says(secured):
    gate = secured.authority.client("gate-7")

    async def resumed(expiry_s: int) -> bool:
        session = {"client_id": f"expiring-{expiry_s}", "clean_session": False, "session_expiry_s": expiry_s}
        async with connect(secured.at(gate, "5"), **session) as client:
            await client.subscribe([("devices/gate-7/#", 1)])
        async with connect(secured.at(gate, "5"), **session) as client:
            return client.session_present

    assert await resumed(3600)
    assert not await resumed(0)
