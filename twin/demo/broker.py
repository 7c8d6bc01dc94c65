"""The embedded MQTT broker of the demo: amqtt on loopback, in its own process, with users and per-user topics.

In: a port and the users. Out: an MQTT 3.1.1 broker. Production runs Mosquitto; nothing else imports amqtt.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pwdlib.hashers.argon2 import Argon2Hasher

from twin.demo.broker_sessions import KeepingBroker
from twin.demo.broker_users import BrokerUser


class _Steady(dict[str, Any]):
    """A dictionary that may change while somebody walks through it.

    amqtt walks through its subscriptions across awaits; a client that connects meanwhile would cost others messages.
    """

    def __iter__(self) -> Iterator[str]:
        return iter(list(super().keys()))

    def items(self) -> Any:  # noqa: ANN401 - a list instead of a view
        return list(super().items())


async def run_broker(port: int, users: Mapping[str, BrokerUser], folder: Path) -> None:
    """Serve on 127.0.0.1:`port` until cancelled. `folder` receives the password file (argon2 hashes, mode 0600)."""
    passwords = await asyncio.to_thread(_write_passwords, folder, users)
    for noisy in ("amqtt", "transitions"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    broker = KeepingBroker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {
                "amqtt.plugins.authentication.FileAuthPlugin": {"password_file": str(passwords)},
                "amqtt.plugins.topic_checking.TopicAccessControlListPlugin": {
                    "publish_acl": {name: list(user.publish) for name, user in users.items()},
                    # amqtt's word for what may be subscribed to
                    "acl": {name: list(user.subscribe) for name, user in users.items()},
                },
            },
        }
    )
    broker._subscriptions = _Steady()  # pyright: ignore[reportPrivateUsage]
    await broker.start()
    try:
        await asyncio.Event().wait()
    finally:
        await broker.shutdown()


def _write_passwords(folder: Path, users: Mapping[str, BrokerUser]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "broker-passwords"
    path.touch(mode=0o600)
    hasher = Argon2Hasher(time_cost=2, memory_cost=19_456, parallelism=1)
    path.write_text("".join(f"{name}:{hasher.hash(user.password)}\n" for name, user in users.items()))
    return path
