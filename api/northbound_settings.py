"""What the configuration says of the twin's own OPC UA server. No asyncua here: `twin check` must not pay for it."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from twin.settings import Settings

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class NorthboundSettings(Settings):
    """Where the twin's own OPC UA server listens, and who may read."""

    host: str = "127.0.0.1"  # another address needs certificate, private_key, username and password
    port: int = Field(default=4841, ge=0, le=65535)
    certificate: Path | None = None  # of this server: .der or .pem, for SignAndEncrypt with Basic256Sha256
    private_key: Path | None = None
    username: str | None = None
    password: str | None = Field(default=None, repr=False)
    interval_ms: int = Field(default=200, ge=20, le=10_000)  # between two looks at what has changed

    @model_validator(mode="after")
    def _open_only_with_locks(self) -> Self:
        locks = (self.certificate, self.private_key, self.username, self.password)
        if any(locks) and not all(locks):
            raise ValueError("certificate, private_key, username and password need each other")
        if self.host not in _LOOPBACK and not all(locks):
            raise ValueError(
                f"host {self.host} can be reached by others: give certificate, private_key, username and password"
            )
        return self
