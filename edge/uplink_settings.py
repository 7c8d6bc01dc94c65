"""What the configuration says of the way to the store. In: YAML. Out: frozen settings."""

from pydantic import Field

from twin.settings import Settings


class UplinkSettings(Settings):
    """How hard the uplink works; the defaults suit a gateway behind an ordinary site connection."""

    window_batches: int = Field(default=64, ge=4, le=10_000)
    window_bytes: int = Field(default=4_000_000, ge=100_000)
    resend_s: float = Field(default=5.0, gt=0)
    resend_max_s: float = Field(default=60.0, gt=0)
    history_bytes_per_s: float = Field(default=2_000_000, gt=0)
    live_age_s: float = Field(default=30.0, gt=0)  # what could not be sent for so long becomes history
    health_s: float = Field(default=10.0, gt=0)
