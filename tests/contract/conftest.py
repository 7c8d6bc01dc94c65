"""Brokers that contract tests share: Mosquitto (MQTT 5) and amqtt (3.1.1 only), each a process of its own."""

from collections.abc import Iterator

import pytest

from tests.servers import Broker, amqtt, mosquitto


@pytest.fixture(scope="package")
def mosquitto_broker() -> Iterator[Broker]:
    with mosquitto("allow_anonymous true\nmax_queued_messages 100000\nmax_inflight_messages 200") as broker:
        yield broker


@pytest.fixture(scope="package")
def amqtt_broker() -> Iterator[Broker]:
    with amqtt() as broker:
        yield broker


@pytest.fixture(params=["mosquitto", "amqtt"])
def broker(request: pytest.FixtureRequest) -> Broker:
    return request.getfixturevalue(f"{request.param}_broker")
