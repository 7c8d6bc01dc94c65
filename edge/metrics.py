"""The health report for Prometheus (pure). In: the report of `edge.health`. Out: its text format, version 0.0.4.

No client library: the figures are there already, and an agent has no memory to spare.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from twin.settings import Settings

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "fabriquay_edge_"
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class MetricsSettings(Settings):
    """Where Prometheus may fetch the figures."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 9464


class Sample(NamedTuple):
    """One line."""

    value: float
    labels: Mapping[str, str]


class Family(NamedTuple):
    """One metric with its lines."""

    name: str
    kind: str  # gauge | counter
    help: str
    samples: Iterable[Sample]


def exposition(report: Mapping[str, Any]) -> str:
    """The report in lines that Prometheus reads."""
    return "".join(_written(family) for family in (*_gateway(report), *_sources(report)))


def _gateway(report: Mapping[str, Any]) -> Iterator[Family]:
    backlog, drain, drops = report["backlog"], report["drain"], report["drops"]
    info = {key: str(report[key]) for key in ("node", "version", "configuration")}
    oldest = _seconds(backlog["oldest_at"])
    by_class = [Sample(drops["by_priority"][word], {"priority": word}) for word in ("low", "normal", "high")]
    yield Family("info", "gauge", "Who this is; always 1", [Sample(1, info)])
    yield _one("uptime_seconds", "Seconds since the agent started", report["uptime_s"])
    yield _one("memory_bytes", "Resident memory of the agent", report["memory_bytes"])
    yield _one("warnings", "Things that a person should look at", len(report["warnings"]))
    yield _one("backlog_batches", "Batches without a receipt", backlog["batches"])
    yield _one("backlog_readings", "Readings without a receipt", backlog["readings"])
    yield _one("backlog_bytes", "What they take on disk, about", backlog["bytes"])
    yield _one("backlog_oldest_timestamp_seconds", "When the oldest of them was kept", oldest)
    yield Family("dropped_readings_total", "counter", "Readings lost because the spool was full", by_class)
    yield _one("history_sent_bytes_total", "Bytes sent in the history lane", drain["sent_bytes"], "counter")
    allowed = drain["allowed_bytes_per_s"]
    yield _one("history_allowed_bytes_per_second", "What the history lane may send", allowed)


def _sources(report: Mapping[str, Any]) -> Iterator[Family]:
    sources: list[Mapping[str, Any]] = report["sources"]
    labelled = [(source, {"source": str(source["name"]), "kind": str(source["kind"])}) for source in sources]
    up = [Sample(source["status"] == "connected", labels) for source, labels in labelled]
    values = [Sample(source["values"], labels) for source, labels in labelled]
    yield Family("source_up", "gauge", "1 while the source is connected", up)
    yield Family("source_values_total", "counter", "Readings since the start", values)
    newest = [(_seconds(source["newest_at"]), labels) for source, labels in labelled]
    yield _known("source_newest_timestamp_seconds", "Newest source time", newest)
    for name, fact, text in (
        ("source_clock_offset_seconds", "clock_offset_s", "How far the source's clock is ahead of ours"),
        ("source_certificate_days", "certificate_days", "Days until a certificate of the source ends"),
    ):
        yield _known(name, text, [(source["facts"].get(fact), labels) for source, labels in labelled])


def _one(name: str, text: str, value: float | None, kind: str = "gauge") -> Family:
    return Family(name, kind, text, [] if value is None else [Sample(value, {})])


def _known(name: str, text: str, found: Iterable[tuple[object, Mapping[str, str]]]) -> Family:
    samples = [Sample(value, labels) for value, labels in found if isinstance(value, int | float)]
    return Family(name, "gauge", text, samples)


def _written(family: Family) -> str:
    lines = [_line(_PREFIX + family.name, sample) for sample in family.samples]
    if not lines:
        return ""
    head = f"# HELP {_PREFIX}{family.name} {family.help}\n# TYPE {_PREFIX}{family.name} {family.kind}\n"
    return head + "".join(lines)


def _line(name: str, sample: Sample) -> str:
    labels = ",".join(f'{key}="{value.translate(_ESCAPES)}"' for key, value in sample.labels.items())
    return f"{name}{{{labels}}} {float(sample.value)!r}\n" if labels else f"{name} {float(sample.value)!r}\n"


def _seconds(at: str | None) -> float | None:
    return None if at is None else datetime.fromisoformat(at).timestamp()
