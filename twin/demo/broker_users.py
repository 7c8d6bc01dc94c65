"""Who may say and hear what at the demo's broker, whichever it is; for production see configs/mosquitto/acl."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BrokerUser:
    """One user: what it may publish and what it may subscribe to (MQTT topic filters)."""

    password: str
    publish: Sequence[str]
    subscribe: Sequence[str]


def demo_users(password: str) -> dict[str, BrokerUser]:
    """The demo's users; configs/mosquitto/acl says the same for production."""
    return {
        "edge": BrokerUser(
            password,
            publish=["fabriquay/1/+/data", "fabriquay/1/+/schema/+", "fabriquay/1/+/health"],
            subscribe=[
                "fabriquay/1/+/receipt",
                "fabriquay/1/+/command",
                "terminal/#",
                "uagv/#",
                "$SYS/broker/uptime",
            ],
        ),
        "twin": BrokerUser(password, publish=["fabriquay/1/#"], subscribe=["fabriquay/1/#"]),
        "api": BrokerUser(password, publish=[], subscribe=["fabriquay/1/_twin/#"]),
        "devices": BrokerUser(password, publish=["terminal/#", "uagv/#"], subscribe=["terminal/#", "uagv/#"]),
    }
