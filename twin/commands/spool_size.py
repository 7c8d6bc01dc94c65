"""`twin edge size`: how long an outage a gateway's spool takes. In: a configuration, rates. Out: figures, lines.

Sampling intervals give the rate of an OPC UA source at most; of other sources somebody must know it. What a value takes
on disk is measured where a spool holds some, else it is that of made-up readings.
"""

import random
import shutil
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.config import AgentSettings, SourceSettings, load_agent, signals_of
from edge.sources.opcua_settings import OpcUaSettings
from edge.sources.replay_settings import ReplaySettings
from edge.spool_table import ROW_BYTES
from edge.spool_view import open_view
from twin.commands.reading_words import duration_words, size_words, table
from twin.errors import ConfigError
from twin.wire import batch
from twin.wire.reading import Lane, Reading

_ENOUGH = 1_000  # waiting readings that a measurement needs
_ON_DISK = 1.1  # the file beside what it counts: pages, its log
_MOST_SAMPLED = 10_000
_WHO_DECIDES = {
    "opcua": "it samples as fast as the server can",
    "mqtt": "its devices decide",
    "replay": "its recording decides",
}


@dataclass(frozen=True, slots=True)
class Load:
    """What one source brings."""

    name: str
    kind: str
    signals: int
    values_per_s: float
    known_by: str  # sampling intervals, given, nothing to keep


@dataclass(frozen=True, slots=True)
class Sizing:
    """All figures."""

    node: str
    path: Path
    loads: tuple[Load, ...]
    bytes_per_value: float
    is_measured: bool
    max_bytes: int
    waiting_bytes: int
    disk_bytes: int  # free, or the spool's own already
    days: float | None  # that are wanted

    @property
    def values_per_s(self) -> float:
        """Of all sources."""
        return sum(load.values_per_s for load in self.loads)

    @property
    def bytes_per_s(self) -> float:
        """Into the spool."""
        return self.values_per_s * self.bytes_per_value

    @property
    def usable_bytes(self) -> float:
        """What the cap and the disk leave to the spool."""
        return min(self.max_bytes, self.disk_bytes / _ON_DISK)

    @property
    def outage_s(self) -> float | None:
        """How long nothing is lost, from an empty spool on; None when nothing comes."""
        return self.usable_bytes / self.bytes_per_s if self.bytes_per_s else None

    @property
    def needed_bytes(self) -> float | None:
        """`max_bytes` for the days that are wanted."""
        return None if self.days is None else self.bytes_per_s * self.days * 86_400

    @property
    def fits(self) -> bool:
        """Whether the days that are wanted fit."""
        return self.needed_bytes is None or self.needed_bytes <= self.usable_bytes


def spool_size(config: Path, rates: Sequence[str] = (), days: float | None = None) -> Sizing:
    """Reckon.

    Raises:
        ConfigError: no configuration, a rate that is none or belongs to no source, or one that is missing.
    """
    settings = load_agent(config)
    loads = tuple(_loads(settings, _given(rates, settings)))
    readings, waiting_bytes = _waiting(settings.spool.path)
    is_measured = readings >= _ENOUGH
    return Sizing(
        node=settings.node,
        path=settings.spool.path,
        loads=loads,
        bytes_per_value=waiting_bytes / readings if is_measured else _made_up_bytes(settings, loads),
        is_measured=is_measured,
        max_bytes=settings.spool.max_bytes,
        waiting_bytes=waiting_bytes,
        disk_bytes=_disk_bytes(settings.spool.path),
        days=days,
    )


def _given(rates: Sequence[str], settings: AgentSettings) -> dict[str, float]:
    names = [source.name for source in settings.sources]
    given: dict[str, float] = {}
    for told in rates:
        name, _, text = told.rpartition("=")
        try:
            rate = float(text)
        except ValueError:
            rate = -1.0
        if not 0 <= rate < 1e9 or not name:
            raise ConfigError(f"--rate {told}: write <source>=<values per second>, e.g. {names[0]}=200")
        if name not in names:
            raise ConfigError(f"--rate {told}: there is no source {name!r}; there are {', '.join(names)}")
        given[name] = rate
    return given


def _loads(settings: AgentSettings, given: Mapping[str, float]) -> Iterator[Load]:
    missing: list[str] = []
    for source in settings.sources:
        count = len(signals_of(source))
        if source.name in given:
            yield Load(source.name, source.kind, count, given[source.name], "given")
        elif isinstance(source, ReplaySettings) and source.time == "original":
            yield Load(source.name, source.kind, count, 0.0, "waits for room")
        elif isinstance(source, OpcUaSettings) and (rate := _sampled_per_s(source)) is not None:
            yield Load(source.name, source.kind, count, rate, "sampling intervals, at most")
        else:
            missing.append(_unknown(source))
    if missing:
        raise ConfigError(missing)


def _unknown(source: SourceSettings) -> str:
    why = _WHO_DECIDES[source.kind]
    return f"source {source.name} ({source.kind}): its rate is not known, {why}; give --rate {source.name}=<values/s>"


def _sampled_per_s(source: OpcUaSettings) -> float | None:
    default = source.sampling_interval_ms
    intervals = [default if item.sampling_ms is None else item.sampling_ms for item in source.items]
    return sum(1000 / interval for interval in intervals) if all(intervals) else None


def _waiting(path: Path) -> tuple[int, int]:
    if not path.exists():
        return 0, 0
    with open_view(path) as view:
        sizes = list(view.sizes())
    return sum(size.readings for size in sizes), sum(size.bytes for size in sizes)


def _disk_bytes(path: Path) -> int:
    own = path.stat().st_size if path.exists() else 0
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    return shutil.disk_usage(folder).free + own


def _made_up_bytes(settings: AgentSettings, loads: Sequence[Load]) -> float:
    """Of float32 noise in batches of the size that the rates and the spool's rhythm give."""
    values_per_s = sum(load.values_per_s for load in loads)
    rhythm = 1000 / max(settings.spool.linger_ms, 1.0)
    arrivals = 0.0
    for load, source in zip(loads, settings.sources, strict=True):
        own = 1000 / source.publishing_interval_ms if isinstance(source, OpcUaSettings) else rhythm
        arrivals += min(load.values_per_s, own)
    count = max(1, min(_MOST_SAMPLED, round(values_per_s / max(min(arrivals, rhythm), 1e-9)))) if values_per_s else 1
    chance, signals = random.Random(1), max(1, sum(load.signals for load in loads))  # noqa: S311
    begin_ns, step_ns = 1_790_000_000_000_000_000, round(1e9 / max(values_per_s, 1e-3))
    readings: list[Reading] = []
    for index in range(count):
        at_ns = begin_ns + index * step_ns + chance.randrange(1_000_000)
        value = struct.unpack("<f", struct.pack("<f", 50 + chance.gauss(0, 5)))[0]
        readings.append(Reading(index % signals, at_ns, value, 0, at_ns + 2_000_000, at_ns + 100_000_000))
    payload = batch.encode(
        readings, (), node=settings.node, epoch="0" * 32, number=1, lane=Lane.LIVE, schema_hash="0" * 16,
        created_ns=begin_ns,
    )  # fmt: skip
    return (len(payload) + ROW_BYTES) / count


def sizing_document(sizing: Sizing) -> dict[str, object]:
    """JSON-able."""
    return {
        "node": sizing.node,
        "sources": [
            {
                "name": load.name,
                "kind": load.kind,
                "signals": load.signals,
                "values_per_s": round(load.values_per_s, 3),
                "known_by": load.known_by,
            }
            for load in sizing.loads
        ],
        "values_per_s": round(sizing.values_per_s, 3),
        "bytes_per_value": round(sizing.bytes_per_value, 2),
        "bytes_per_value_measured": sizing.is_measured,
        "bytes_per_s": round(sizing.bytes_per_s, 1),
        "spool": {
            "path": str(sizing.path),
            "max_bytes": sizing.max_bytes,
            "waiting_bytes": sizing.waiting_bytes,
            "disk_bytes": sizing.disk_bytes,
            "usable_bytes": round(sizing.usable_bytes),
        },
        "outage_s": None if sizing.outage_s is None else round(sizing.outage_s),
        "days": sizing.days,
        "needed_bytes": None if sizing.needed_bytes is None else round(sizing.needed_bytes),
        "fits": sizing.fits,
    }


def sizing_lines(sizing: Sizing) -> Iterator[str]:
    """For people."""
    rows = [("source", "kind", "signals", "values/s", "bytes/s", "known by")]
    for load in sizing.loads:
        octets = size_words(load.values_per_s * sizing.bytes_per_value)
        rows.append((load.name, load.kind, f"{load.signals}", f"{load.values_per_s:g}", octets, load.known_by))
    rows.append(("all", "", "", f"{sizing.values_per_s:g}", size_words(sizing.bytes_per_s), ""))
    yield from table(rows)
    how = "measured in the spool" if sizing.is_measured else "estimated, no spool holds enough to measure it"
    yield f"a value takes {sizing.bytes_per_value:.1f} bytes ({how})"
    free = size_words(sizing.disk_bytes)
    yield f"the spool may take {size_words(sizing.max_bytes)} (spool.max_bytes); the disk has {free} for it"
    if sizing.outage_s is None:
        yield "nothing comes: an outage costs no room"
        return
    limit = "the disk" if sizing.disk_bytes / _ON_DISK < sizing.max_bytes else "spool.max_bytes"
    yield f"an outage of {duration_words(sizing.outage_s)} fits; {limit} is the limit"
    if sizing.waiting_bytes:
        left_s = max(0.0, sizing.usable_bytes - sizing.waiting_bytes) / sizing.bytes_per_s
        yield f"with the {size_words(sizing.waiting_bytes)} that wait now, {duration_words(left_s)} are left"
    if sizing.needed_bytes is not None:
        yield _verdict(sizing, sizing.needed_bytes)


def _verdict(sizing: Sizing, needed_bytes: float) -> str:
    need = f"{sizing.days:g} days need {size_words(needed_bytes)}"
    if sizing.fits:
        return f"{need}: they fit"
    disk = size_words(needed_bytes * _ON_DISK)
    return f"{need}: they do NOT fit; set spool.max_bytes: {round(needed_bytes):_} on a disk with {disk} free"
