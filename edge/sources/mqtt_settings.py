"""What the configuration says of one MQTT broker that devices publish to. In: YAML. Out: a frozen `MqttSettings`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from edge.mapping_settings import MqttTopic
from twin.settings import Settings
from twin.wire.broker import BrokerSettings


class MqttSettings(Settings):
    """One broker and the messages that are read from it."""

    kind: Literal["mqtt"]
    name: Annotated[str, Field(pattern=r"[a-z0-9][a-z0-9-]{0,62}")]
    broker: BrokerSettings
    client_id: Annotated[str, Field(min_length=1, max_length=65)] | None = None  # default: <node>-<name>
    clean_session: bool = False  # false: the broker keeps messages (QoS 1) for us while we are away
    redelivers: bool = True  # False: the broker forgets what was on its way when we left, so every absence is a gap
    uptime_topic: Annotated[str, Field(min_length=1)] | None = (
        "$SYS/broker/uptime"  # seconds that the broker runs: tells of a restart; null = it saves before it acknowledges
    )
    session_expiry_s: Annotated[int, Field(ge=0, le=0xFFFFFFFE)] = 86_400  # … for so long (MQTT 5)
    in_flight: Annotated[int, Field(ge=1, le=65_535)] = (
        1000  # messages on their way that are not on our disk yet (MQTT 5)
    )
    silent_after_s: Annotated[float, Field(gt=0)] = 60.0  # without any message the status says so
    dead_letters: Path | None = None  # default: <name>.dead-letters.jsonl beside the spool
    dead_letters_max_bytes: Annotated[int, Field(ge=10_000)] = 10_000_000
    topics: Annotated[tuple[MqttTopic, ...], Field(min_length=1)]
