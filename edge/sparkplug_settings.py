"""What the configuration says of this agent as a Sparkplug edge node. In: YAML. Out: frozen settings."""

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from twin.settings import Settings
from twin.wire.broker import BrokerSettings
from twin.wire.sparkplug_topic import is_name


class SparkplugNodeSettings(Settings):
    """The agent's values once more, for readers that speak Sparkplug B; with `receipts` the twin is one of them."""

    group: str
    node: str | None = None  # null: the agent's
    broker: BrokerSettings | None = None  # null: the agent's
    primary_host: str | None = None  # null: published whether anybody listens or not
    receipts: bool = False  # True: the twin gets the values this way, and not over the uplink
    period_ms: Annotated[float, Field(ge=10, le=60_000)] = 500.0  # values that come within share a message
    aliases: bool = True  # False: DATA bears names, for readers that do not know aliases
    keep_values: Annotated[int, Field(ge=0)] = 50_000  # of each device in memory, while broker or host is away

    @field_validator("group", "node", "primary_host")
    @classmethod
    def _is_a_name(cls, name: str | None) -> str | None:
        if name is not None and not is_name(name):
            raise ValueError(f"{name!r} is no Sparkplug name; use words without / + #")
        return name

    @model_validator(mode="after")
    def _receipts_come_from_somebody(self) -> "SparkplugNodeSettings":
        if self.receipts and self.primary_host is None:
            raise ValueError(
                "receipts come from the twin: name its host id (sparkplug.host of twin.yaml) as primary_host"
            )
        return self
