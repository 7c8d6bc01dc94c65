"""configs/twin.yaml as a model: what `twin run`, `twin api` and `twin migrate` need to know."""

from pathlib import Path

from pydantic import Field

from twin.ingest.sparkplug_settings import SparkplugSettings
from twin.settings import Document, Secret, Settings
from twin.wire.mqtt import BrokerSettings


class ApiAddress(Settings):
    """Where the API listens."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)


class TwinSettings(Settings):
    """The whole file."""

    plant: Path
    database: Secret
    broker: BrokerSettings
    api: ApiAddress = ApiAddress()
    sparkplug: SparkplugSettings | None = None  # null: Sparkplug nodes are not heard


def load_twin(path: Path) -> TwinSettings:
    """Read the file; `plant` becomes a path that does not depend on the working directory.

    Raises:
        ConfigError: with every problem that was found.
    """
    settings = Document(path).model(TwinSettings)
    return settings.model_copy(update={"plant": path.parent / settings.plant})
