"""What a connection to the broker needs to know, and what goes over it: settings, messages, refusals. No driver."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from twin.errors import Retryable
from twin.settings import Settings


class _TidySocket(ssl.SSLSocket):
    """Closes itself when the handshake fails, since then nobody else knows it."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


class TlsSettings(Settings):
    """TLS to the broker; without `ca` the system's certificates decide."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """The files, read; Retryable when they cannot be, since they may be renewed at any time."""
        try:
            context = ssl.create_default_context(cafile=self.ca)
            context.sslsocket_class = _TidySocket
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except OSError as error:
            raise Retryable(f"the certificates for the broker cannot be read: {error}") from error
        return context


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
