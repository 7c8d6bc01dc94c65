"""What a connection to the broker needs to know, and what goes over it: settings, messages, refusals. No driver."""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from twin.errors import Retryable
from twin.settings import Settings
from twin.wire.tls import TlsSettings

__all__ = ["BrokerSettings", "Message", "PublishDenied", "TlsSettings"]


class BrokerSettings(Settings):
    """Where the broker is and who we are there."""

    host: str = Field(min_length=1)
    port: int = Field(default=1883, ge=1, le=65535)
    username: str | None = None
    password: str | None = Field(default=None, repr=False)  # may name a variable or a file: resolve_secret
    tls: TlsSettings | None = None
    protocol: Literal["auto", "3.1.1", "5"] = "auto"
    keepalive_s: int = Field(default=30, ge=5, le=3600)


@dataclass(frozen=True, slots=True)
class Message:
    """One message, inbound or as a last will."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    packet_id: int = 0  # for `acknowledge`


class PublishDenied(Retryable):
    """The broker lives but refuses this publish (rights, quota, size); the same one may be allowed later."""
