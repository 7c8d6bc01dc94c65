"""A dry run against the real equipment: what a configuration would read, how, and what is in its way. Changes nothing.

In: the settings of one agent. Out: a `Report` per source and one for the twin's broker. Whatever is read meanwhile is
counted and thrown away; sessions and subscriptions are closed again.
"""

import asyncio
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from edge.config import AgentSettings, SourceSettings, node_schema, signals_of
from edge.sources.mqtt import MqttSource
from edge.sources.mqtt_settings import MqttSettings
from edge.sources.opcua_settings import OpcUaSettings
from edge.sources.replay_settings import ReplaySettings
from edge.sources.source import Source, SourceState
from twin.errors import ConfigError, Retryable
from twin.wire import batch
from twin.wire.broker import BrokerSettings
from twin.wire.mqtt import connect
from twin.wire.reading import Gap, Lane, Reading

_MOST_LISTED = 20
_CONNECT_S = 30


@dataclass(slots=True)
class Report:
    """What was found of one source."""

    name: str
    kind: str
    address: str
    errors: list[str] = field(default_factory=list[str])
    warnings: list[str] = field(default_factory=list[str])
    facts: dict[str, object] = field(default_factory=dict[str, object])


class Watcher:
    """A sink that counts, and a memory that forgets."""

    def __init__(self) -> None:
        self.values: dict[int, int] = {}
        self.bytes: int = 0
        self.first_s: float = 0.0

    async def keep(
        self,
        readings: Sequence[Reading],
        gaps: Sequence[Gap] = (),
        *,
        lane: Lane = Lane.LIVE,
        remembered: Mapping[str, bytes] | None = None,
    ) -> None:
        """Forget them."""
        self.first_s = self.first_s or time.monotonic()
        for reading in readings:
            self.values[reading.handle] = self.values.get(reading.handle, 0) + 1
        if readings:
            self.bytes += len(
                batch.encode(
                    readings, (), node="check", epoch="0" * 32, number=1, lane=lane, schema_hash="0" * 16, created_ns=0
                )
            )

    async def has_room(self) -> None:
        """Always."""

    async def remember(self, key: str, value: bytes) -> None:
        """Forget it."""

    async def recall(self, key: str) -> bytes | None:
        """Nothing."""
        return None


async def check_live(settings: AgentSettings, watch_s: float) -> list[Report]:
    """Try every source at once, for `watch_s` seconds after it is connected, and the broker of the uplink."""
    handles = {entry.path: entry.handle for entry in node_schema(settings).entries}
    tries = [_try(source, handles, watch_s) for source in settings.sources]
    return list(await asyncio.gather(*tries, _try_broker(settings.broker)))


async def _try_broker(broker: BrokerSettings) -> Report:
    report = Report("uplink", "broker", f"{broker.host}:{broker.port}")
    try:
        async with connect(broker, client_id=f"fabriquay-check-{uuid4().hex[:12]}") as client:
            report.facts["protocol"] = f"MQTT {client.protocol}"
    except Retryable as error:
        report.warnings.append(f"{error}; values would wait in the spool")
    except ConfigError as error:
        report.errors.append(str(error))
    return report


async def _try(source: SourceSettings, handles: Mapping[str, int], watch_s: float) -> Report:
    if isinstance(source, OpcUaSettings):
        from edge.sources.opcua_look import look  # its library costs memory that an MQTT gateway need not pay

        report = Report(source.name, "opcua", source.url)
        try:
            await look(source, report.facts, report.errors, report.warnings)
        except (Retryable, ConfigError) as error:
            report.errors.append(str(error))
            return report
        await _watch(_opcua(source, handles), report, watch_s, handles, source)
        return report
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(source, ReplaySettings):
            report = Report(source.name, "replay", ", ".join(source.files))
            await _watch(_replay(source, handles, Path(folder)), report, watch_s, handles, source)
        else:
            report = Report(source.name, "mqtt", f"{source.broker.host}:{source.broker.port}")
            await _watch(_mqtt(source, handles, Path(folder)), report, watch_s, handles, source)
    return report


def _opcua(source: OpcUaSettings, handles: Mapping[str, int]) -> Source:
    from edge.sources.opcua import OpcUaSource

    return OpcUaSource(source.model_copy(update={"history": "off"}), handles)


def _mqtt(source: MqttSettings, handles: Mapping[str, int], folder: Path) -> Source:
    """Under a name of its own and without a session, so that the agent's messages stay where they are."""
    alone = source.model_copy(update={"clean_session": True, "client_id": None})
    return MqttSource(
        alone, handles, client_id=f"fabriquay-check-{uuid4().hex[:12]}", dead_letters=folder / "dead-letters.jsonl"
    )


def _replay(source: ReplaySettings, handles: Mapping[str, int], folder: Path) -> Source:
    """From the beginning of its files, whatever the agent has read of them."""
    from edge.sources.replay import ReplaySource

    alone = source.model_copy(update={"dead_letters": None})
    return ReplaySource(alone, handles, dead_letters=folder / "dead-letters.jsonl", memory=Watcher())


async def _watch(
    source: Source, report: Report, watch_s: float, handles: Mapping[str, int], settings: SourceSettings
) -> None:
    """Let it run into a sink that counts, and take down what it says of itself."""
    watcher = Watcher()
    running = asyncio.create_task(source.run(watcher))
    try:
        async with asyncio.timeout(_CONNECT_S):
            while source.status().state is SourceState.CONNECTING and not running.done():
                await asyncio.wait([running], timeout=0.05)
        if source.status().state is SourceState.CONNECTED:
            await asyncio.wait([running], timeout=watch_s)
    except TimeoutError:
        report.errors.append(f"no connection within {_CONNECT_S} s")
    status = source.status()
    running.cancel()
    await asyncio.wait([running])
    if not running.cancelled() and (mistake := running.exception()) is not None:
        report.errors.append(str(mistake))
    if status.state is SourceState.DOWN:
        report.errors.append(status.detail)
    elif status.detail:
        report.warnings.append(status.detail)
    report.facts |= {key: value for key, value in status.facts.items() if key not in report.facts}
    _count(watcher, report, handles, settings)


def _count(watcher: Watcher, report: Report, handles: Mapping[str, int], settings: SourceSettings) -> None:
    total = sum(watcher.values.values())
    elapsed_s = max(time.monotonic() - watcher.first_s, 1e-3) if watcher.first_s else 0.0
    paths = [feed.path for feed in signals_of(settings)]
    silent = [path for path in paths if handles[path] not in watcher.values]
    report.facts |= {
        "signals": len(paths),
        "signals_heard": len(paths) - len(silent),
        "signals_silent": silent[:_MOST_LISTED],
        "values": total,
        "values_per_s": round(total / elapsed_s, 1) if elapsed_s else 0.0,
        "bytes_per_value": round(watcher.bytes / total, 1) if total else None,
    }
