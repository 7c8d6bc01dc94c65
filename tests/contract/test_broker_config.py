"""The Mosquitto configuration and ACL that we ship, under a real Mosquitto: who may say what to whom."""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.sources.mqtt_restart import broker_began_ns
from edge.sources.mqtt_settings import MqttSettings
from tests.servers import CHECKOUT, Broker, mosquitto, open_folder
from twin.errors import Retryable
from twin.wire import sparkplug_topic, topic
from twin.wire.broker import BrokerSettings, PublishDenied
from twin.wire.mqtt import connect
from twin.wire.sparkplug_topic import Address, Kind

SHIPPED = CHECKOUT / "configs" / "mosquitto"
USERS = ("twin", "api", "devices", "edge-factory")
LIVE = "fabriquay/1/_twin/state"


def passwords(path: Path) -> None:
    path.touch(mode=0o600)
    for user in USERS:
        subprocess.run(["mosquitto_passwd", "-b", str(path), user, f"{user}-password"], check=True, capture_output=True)


@pytest.fixture(scope="module")
def shipped_broker() -> Iterator[Broker]:
    with open_folder("mosquitto") as folder:
        (folder / "acl").write_text((SHIPPED / "acl").read_text())
        (folder / "acl").chmod(0o600)
        passwords(folder / "passwords")
        text = (SHIPPED / "mosquitto.conf").read_text()
        assert "listener 1883\n" in text
        config = text.replace("listener 1883\n", "").replace("/mosquitto/config/", "{folder}/")
        with mosquitto(config.replace("/mosquitto/data/", "{folder}/"), folder=folder) as broker:
            yield broker


def at(broker: Broker, user: str, password: str = "") -> BrokerSettings:
    return BrokerSettings(host="127.0.0.1", port=broker.port, username=user, password=password or f"{user}-password")


def test_the_shipped_configuration_has_no_deprecated_option(shipped_broker: Broker) -> None:
    assert "deprecated" not in shipped_broker.log.read_text().lower()


@pytest.mark.parametrize(
    ("user", "said", "allowed"),
    [
        ("edge-factory", topic.data("edge-factory"), True),
        ("edge-factory", topic.health("edge-factory"), True),
        ("edge-factory", topic.data("edge-terminal"), False),
        ("edge-factory", topic.receipt("edge-factory"), False),
        ("edge-factory", LIVE, False),
        ("api", LIVE, False),
        ("api", topic.data("edge-factory"), False),
        ("devices", "terminal/reefers/slot-1/supply-temperature", True),
        ("devices", topic.data("edge-factory"), False),
        ("twin", LIVE, True),
        ("twin", topic.receipt("edge-factory"), True),
        ("twin", sparkplug_topic.state("fabriquay"), True),
        ("twin", Address("g", Kind.NCMD, "n").topic, True),
        ("twin", Address("g", Kind.DCMD, "n", "d").topic, False),
        ("edge-factory", Address("g", Kind.DDATA, "edge-factory", "press").topic, True),
        ("edge-factory", Address("g", Kind.DDATA, "edge-terminal", "press").topic, False),
        ("edge-factory", Address("g", Kind.NCMD, "edge-terminal").topic, False),
        ("edge-factory", sparkplug_topic.state("fabriquay"), False),
    ],
)
async def test_each_user_can_write_its_own_topics_only(
    shipped_broker: Broker, user: str, said: str, allowed: bool
) -> None:
    async with connect(at(shipped_broker, user), client_id=f"writer-{user}") as client:
        if allowed:
            await client.publish(said, b"{}", qos=1)
        else:
            with pytest.raises(PublishDenied):
                await client.publish(said, b"{}", qos=1)


async def test_the_api_hears_the_live_feed(shipped_broker: Broker) -> None:
    async with (
        connect(at(shipped_broker, "api"), client_id="hearing-api") as api,
        connect(at(shipped_broker, "twin"), client_id="speaking-twin") as twin,
        asyncio.timeout(20),
    ):
        await api.subscribe([("fabriquay/1/_twin/#", 1)])
        await twin.publish(LIVE, b"running", qos=1)
        assert (await anext(api.messages())).payload == b"running"


async def test_a_gateway_hears_how_long_the_broker_runs(shipped_broker: Broker) -> None:
    topic = MqttSettings.model_fields["uptime_topic"].default
    began_ns = await broker_began_ns(at(shipped_broker, "edge-factory"), topic, client_id="gateway-uptime")
    assert began_ns is not None
    assert abs(time.time_ns() - began_ns) < 120_000_000_000


async def test_a_wrong_password_is_refused(shipped_broker: Broker) -> None:
    with pytest.raises(Retryable):
        async with connect(at(shipped_broker, "twin", "wrong"), client_id="stranger"):
            pass
