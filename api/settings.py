"""What one api process is told: where the store, the broker and the plant are, and the limits that protect it.

In: a YAML file or the command line. Out: frozen `ApiSettings` for `api.app.create_app`.
"""

import ipaddress
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from twin.access.settings import AccessSettings, TlsSettings
from twin.settings import Secret, Settings
from twin.state.alarm_policy import AlarmPolicy
from twin.wire.mqtt import BrokerSettings


class LiveLimits(Settings):
    """Bounds of the live feed and of every WebSocket client."""

    max_clients: int = Field(default=1_000, ge=1, le=100_000)
    send_timeout_s: float = Field(default=10.0, gt=0, le=300)  # a client that takes nothing for so long is dropped
    heartbeat_s: float = Field(default=5.0, gt=0, le=60)
    silent_after_s: float = Field(default=15.0, gt=0, le=3_600)  # without any document, the feed counts as silent
    tick_ms: int = Field(default=10, ge=10, le=1_000)  # frames leave on this grid, so that equal clients share them
    max_message_bytes: int = Field(default=4_096, ge=256, le=1_048_576)  # of what a client may send
    max_document_bytes: int = Field(default=1_048_576, ge=1_024)  # of one state document from the broker


class SeriesLimits(Settings):
    """Bounds of one request for a series."""

    max_json_rows: int = Field(default=100_000, ge=4)  # CSV and Arrow stream and need no such bound
    chunk_rows: int = Field(default=50_000, ge=100)  # of a stream at a time; a few such pieces are in memory
    max_streams: int = Field(default=8, ge=1)  # CSV and Arrow downloads at a time


class ApiSettings(Settings):
    """Everything that `create_app` needs."""

    dsn: Secret
    broker: BrokerSettings
    plant: Path
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    static: Path = Path(__file__).parent / "static"
    allowed_hosts: tuple[
        str, ...
    ] = ()  # names in the Host header besides the loopback's; only checked on loopback or when given
    allowed_origins: tuple[str, ...] = ()  # pages on other hosts that may open the WebSocket, e.g. https://wall.example
    live: LiveLimits = LiveLimits()
    series: SeriesLimits = SeriesLimits()
    access: AccessSettings = AccessSettings()
    tls: TlsSettings | None = None
    proxies: tuple[str, ...] = ("127.0.0.1", "::1")  # whose word on address and scheme of the client is believed
    alarms: AlarmPolicy = AlarmPolicy()  # by which a replay of findings is judged

    @model_validator(mode="after")
    def _anonymous_is_meant(self) -> Self:
        if self.access.anonymous != "none" and not self.loopback and self.access.anonymous_reach != "whole-network":
            raise ValueError(
                f"access.anonymous: {self.access.anonymous} lets everybody look who reaches {self.host}; set "
                "access.anonymous: none, or access.anonymous_reach: whole-network if that is meant"
            )
        return self

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the api."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
