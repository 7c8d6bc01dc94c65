"""configs/twin.yaml as a model: what `twin run`, `twin learn`, `twin api` and `twin migrate` need to know."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, PositiveFloat

from api.northbound_settings import NorthboundSettings
from twin.access.settings import AccessSettings, TlsSettings
from twin.ingest.sparkplug_settings import SparkplugSettings
from twin.learn.risk_settings import RiskSettings
from twin.learn.store_settings import StoreSettings
from twin.notify.settings import NotifySettings
from twin.settings import Document, Secret, Settings
from twin.state.alarm_policy import AlarmPolicy
from twin.traces import TracesSettings
from twin.wire.mqtt import BrokerSettings


class ApiAddress(Settings):
    """Where the API listens."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    names: tuple[str, ...] = ()  # by which browsers may call it besides the loopback's; empty: any
    origins: tuple[str, ...] = ()  # pages on other hosts that may act here, e.g. https://wall.example
    proxies: tuple[str, ...] = ("127.0.0.1", "::1")  # whose word on address and scheme of the client is believed
    tls: TlsSettings | None = None  # null: without; then put a proxy with TLS in front


class LearnSettings(Settings):
    """The slow loop."""

    period_s: Mapping[str, PositiveFloat] = {}  # by job; `twin learn --status` names them


class TwinSettings(Settings):
    """The whole file."""

    plant: Path
    database: Secret
    broker: BrokerSettings
    api: ApiAddress = ApiAddress()
    access: AccessSettings = AccessSettings()
    learn: LearnSettings = LearnSettings()
    alarms: AlarmPolicy = AlarmPolicy()
    notify: NotifySettings = NotifySettings()
    risk: RiskSettings = RiskSettings()
    store: StoreSettings = StoreSettings()
    opcua: NorthboundSettings = NorthboundSettings()  # of `twin opcua`
    sparkplug: SparkplugSettings | None = None  # null: Sparkplug nodes are not heard
    traces: TracesSettings | None = None  # null: none are made


def load_twin(path: Path) -> TwinSettings:
    """Read the file; `plant` becomes a path that does not depend on the working directory.

    Raises:
        ConfigError: with every problem that was found.
    """
    settings = Document(path).model(TwinSettings)
    return settings.model_copy(update={"plant": path.parent / settings.plant})
