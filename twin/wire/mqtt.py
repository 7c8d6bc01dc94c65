"""The door to the broker: paho inside asyncio, and nowhere else.

In: settings. Out: a `Client` for the length of a block, over MQTT 5 where the broker speaks it, else 3.1.1. When the
connection ends the caller connects again, with `twin.wire.backoff`.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from twin.errors import Retryable
from twin.settings import resolve_secret
from twin.wire.broker import BrokerSettings, Message, PublishDenied, TlsSettings
from twin.wire.mqtt_client import CONNECT_TIMEOUT_S, Client, Refused, UnsupportedProtocol

__all__ = ["BrokerSettings", "Client", "Message", "PublishDenied", "Refused", "TlsSettings", "connect"]


@asynccontextmanager
async def connect(
    settings: BrokerSettings,
    *,
    client_id: str,
    will: Message | None = None,
    clean_session: bool = True,
    session_expiry_s: int = 3600,
    max_inbound: int = 1000,
    manual_ack: bool = False,
    receive_maximum: int = 0,
) -> AsyncGenerator[Client]:
    """A connection for the length of the block.

    With `manual_ack` the broker has at most `receive_maximum` messages on their way that were not acknowledged (MQTT 5;
    0 and 3.1.1: as many as the broker likes).

    Raises:
        Retryable: unreachable, refused, or not answered.
        ConfigError: the password's variable or file is missing.
    """

    protocol = await _protocol(settings, client_id) if settings.protocol == "auto" else settings.protocol
    inner = await asyncio.to_thread(_inner, settings, protocol, client_id, clean_session, manual_ack)
    if will is not None:
        inner.will_set(will.topic, will.payload, will.qos, will.retain)
    client = Client(inner, protocol, settings, max_inbound)
    try:
        try:
            await client.open(
                settings,
                clean_session=clean_session,
                session_expiry_s=session_expiry_s,
                receive_maximum=receive_maximum,
            )
        except Retryable as error:
            if not isinstance(error, Refused):
                _spoken.pop((settings.host, settings.port), None)  # the next broker there may be another one
            raise
        yield client
    finally:
        client.close()


_spoken: dict[tuple[str, int], str] = {}  # what the broker at an address was found to speak, while it lives


async def _protocol(settings: BrokerSettings, client_id: str) -> str:
    """A bare MQTT 5 connect shows what the broker speaks: its own answer, even "not authorized", or a refusal.

    Bare, because a broker that knows only 3.1.1 misreads whatever else the packet carries and never answers.
    """
    address = (settings.host, settings.port)
    if address not in _spoken:
        bare = settings.model_copy(update={"username": None, "password": None})
        inner = await asyncio.to_thread(_inner, bare, "5", f"{client_id}-probe", True, False)
        probe = Client(inner, "5", settings, 1)
        try:
            await probe.open(bare, clean_session=True, session_expiry_s=0)
        except UnsupportedProtocol:
            _spoken[address] = "3.1.1"
        except Refused:
            pass
        finally:
            probe.close()
    return _spoken.setdefault(address, "5")


def _inner(
    settings: BrokerSettings, protocol: str, client_id: str, clean_session: bool, manual_ack: bool
) -> paho.Client:
    inner = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id,
        clean_session=None if protocol == "5" else clean_session,
        protocol=MQTTProtocolVersion.MQTTv5 if protocol == "5" else MQTTProtocolVersion.MQTTv311,
        reconnect_on_failure=False,
        manual_ack=manual_ack,
    )
    inner.max_inflight_messages = 0  # the window is ours: paho's cannot change once the broker has named its own
    inner.connect_timeout = CONNECT_TIMEOUT_S
    if settings.username is not None:
        password = None if settings.password is None else resolve_secret(settings.password)
        inner.username_pw_set(settings.username, password)
    if settings.tls is not None:
        inner.tls_set_context(settings.tls.context())  # pyright: ignore[reportUnknownMemberType]
    return inner
