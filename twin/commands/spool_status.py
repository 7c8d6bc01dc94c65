"""`twin edge status`: a gateway's spool, without the network. In: a configuration. Out: figures, lines for people."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from edge.config import AgentSettings, load_agent, signals_of
from edge.spool_view import SpoolView, Waiting, agent_runs, open_view
from twin.commands.reading_words import duration_words, size_words, table, utc
from twin.wire.reading import Lane

_AT_CAP = 1 - 2 / 128  # a full spool frees 1/128 of its cap at once
_RECENT_NS = 600_000_000_000  # what was made within so long tells the present rate
_AWAY_NS = 30_000_000_000  # nothing was settled, and the oldest waits for so long
_MOST_DECODED = 40  # of the newest batches, for the newest reading of each source


@dataclass(frozen=True, slots=True)
class SourceNews:
    """How new a source's values are."""

    name: str
    kind: str
    newest_ns: int  # source time; 0 when nothing was ever read


class _Look(NamedTuple):
    at_ns: int
    live: Waiting
    history: Waiting
    recent_bytes: int  # made within the last ten minutes
    last_number: int
    dropped: tuple[int, int]  # batches, readings

    @property
    def bytes(self) -> int:
        return self.live.bytes + self.history.bytes

    @property
    def batches(self) -> int:
        return self.live.batches + self.history.batches


@dataclass(frozen=True, slots=True)
class Status:
    """All figures."""

    node: str
    at_ns: int
    agent_runs: bool | None
    path: Path
    max_bytes: int
    disk_free_bytes: int
    live: Waiting
    history: Waiting
    growth_bytes_per_s: float  # negative while it empties
    dropped_batches: int
    dropped_readings: int
    dropping: bool
    sources: tuple[SourceNews, ...]

    @property
    def bytes(self) -> int:
        """What waits, on disk."""
        return self.live.bytes + self.history.bytes

    @property
    def fill_percent(self) -> float:
        """Of `max_bytes`."""
        return round(100 * self.bytes / self.max_bytes, 1)

    @property
    def full_in_s(self) -> float | None:
        """Until the cap or the end of the disk is reached at the present rate; None when it does not grow."""
        if self.growth_bytes_per_s <= 0:
            return None
        return max(0, min(self.max_bytes - self.bytes, self.disk_free_bytes)) / self.growth_bytes_per_s


def spool_status(config: Path, over_s: float = 1.0) -> Status:
    """Look twice, `over_s` apart.

    Raises:
        ConfigError: no configuration, or no spool.
        Retryable: it cannot be read now.
    """
    settings = load_agent(config)
    path = settings.spool.path
    with open_view(path) as view:
        first = _look(view)
    time.sleep(over_s)
    with open_view(path) as view:
        second, runs = _look(view), agent_runs(path)
        return Status(
            node=settings.node,
            at_ns=second.at_ns,
            agent_runs=runs,
            path=path,
            max_bytes=settings.spool.max_bytes,
            disk_free_bytes=shutil.disk_usage(path.parent).free,
            live=second.live,
            history=second.history,
            growth_bytes_per_s=0.0 if runs is False else _growth(first, second),
            dropped_batches=second.dropped[0],
            dropped_readings=second.dropped[1],
            dropping=_is_dropping(first, second, settings.spool.max_bytes),
            sources=tuple(_news(view, settings)),
        )


def _look(view: SpoolView) -> _Look:
    now_ns, meta = time.time_ns(), view.meta()
    lanes = dict.fromkeys(Lane, Waiting())
    recent = 0
    for size in view.sizes():
        lanes[size.lane] = lanes[size.lane].plus(size)
        if size.created_ns > now_ns - _RECENT_NS:
            recent += size.bytes
    dropped = int(meta.get("dropped_batches", 0)), int(meta.get("dropped_readings", 0))
    return _Look(now_ns, lanes[Lane.LIVE], lanes[Lane.HISTORY], recent, int(meta.get("last_number", 0)), dropped)


def _growth(first: _Look, second: _Look) -> float:
    """Between the looks; while nothing is settled what was made lately tells it better than a moment."""
    oldest = [waiting.oldest_ns for waiting in (second.live, second.history) if waiting.oldest_ns is not None]
    made = second.last_number - first.last_number
    if oldest and first.batches + made == second.batches and second.at_ns - min(oldest) >= _AWAY_NS:
        return second.recent_bytes / (min(_RECENT_NS, second.at_ns - min(oldest)) / 1e9)
    return (second.bytes - first.bytes) / max((second.at_ns - first.at_ns) / 1e9, 1e-3)


def _is_dropping(first: _Look, second: _Look, max_bytes: int) -> bool:
    at_cap = second.bytes >= max_bytes * _AT_CAP
    return second.dropped > first.dropped or (second.dropped[0] > 0 and at_cap)


def _news(view: SpoolView, settings: AgentSettings) -> Iterator[SourceNews]:
    waiting: dict[str, int] = {}
    for decoded in islice(view.newest(view.position().number), _MOST_DECODED):
        for reading in decoded.readings:
            entry = decoded.signals.get(reading.handle)
            if entry is not None:
                waiting[entry.path] = max(waiting.get(entry.path, 0), reading.source_ns)
    for source in settings.sources:
        newest = [waiting.get(feed.path, 0) for feed in signals_of(source)]
        yield SourceNews(source.name, source.kind, max([view.newest_ns(source.name), *newest]))


def status_document(status: Status) -> dict[str, object]:
    """JSON-able."""
    return {
        "node": status.node,
        "at": utc(status.at_ns),
        "agent_runs": status.agent_runs,
        "spool": {
            "path": str(status.path),
            "bytes": status.bytes,
            "max_bytes": status.max_bytes,
            "fill_percent": status.fill_percent,
            "disk_free_bytes": status.disk_free_bytes,
            "growth_bytes_per_s": round(status.growth_bytes_per_s, 1),
            "full_in_s": None if status.full_in_s is None else round(status.full_in_s),
        },
        "backlog": {"live": _lane_document(status.live), "history": _lane_document(status.history)},
        "drops": {"batches": status.dropped_batches, "readings": status.dropped_readings, "now": status.dropping},
        "sources": [
            {
                "name": source.name,
                "kind": source.kind,
                "newest_at": utc(source.newest_ns) if source.newest_ns else None,
                "age_s": round((status.at_ns - source.newest_ns) / 1e9, 1) if source.newest_ns else None,
            }
            for source in status.sources
        ],
    }


def _lane_document(waiting: Waiting) -> dict[str, object]:
    oldest_ns = waiting.oldest_ns
    figures = {"batches": waiting.batches, "readings": waiting.readings, "bytes": waiting.bytes}
    return {**figures, "oldest_at": None if oldest_ns is None else utc(oldest_ns)}


def status_lines(status: Status) -> Iterator[str]:
    """For people."""
    runs = {True: "runs", False: "does not run", None: "may run or not (its lock cannot be read by this user)"}
    yield f"node {status.node}: the agent {runs[status.agent_runs]}"
    free = size_words(status.disk_free_bytes)
    cap = f"{size_words(status.bytes)} of {size_words(status.max_bytes)}"
    yield f"spool {status.path}: {status.fill_percent:g} % full ({cap}), {free} free on the disk"
    rows = [("lane", "batches", "readings", "bytes", "oldest")]
    for name, waiting in (("live", status.live), ("history", status.history)):
        oldest = "-" if waiting.oldest_ns is None else _ago(status.at_ns, waiting.oldest_ns)
        rows.append((name, f"{waiting.batches}", f"{waiting.readings}", size_words(waiting.bytes), oldest))
    yield from table(rows)
    yield _trend(status)
    lost = f"{status.dropped_readings} readings in {status.dropped_batches} batches"
    yield f"dropped since the spool was made: {lost if status.dropped_batches else 'nothing'}"
    if status.dropping:
        yield "DROPPING: the spool is full and the oldest values are being lost"
    rows = [("source", "kind", "newest reading")]
    for source in status.sources:
        newest = f"{utc(source.newest_ns)}, {_ago(status.at_ns, source.newest_ns)}" if source.newest_ns else "none yet"
        rows.append((source.name, source.kind, newest))
    yield from table(rows)


def _trend(status: Status) -> str:
    rate = f"{size_words(abs(status.growth_bytes_per_s))}/s"
    if status.full_in_s is not None:
        return f"grows by {rate}: full in {duration_words(status.full_in_s)} at this rate"
    return f"shrinks by {rate}" if status.growth_bytes_per_s < 0 else "does not grow"


def _ago(now_ns: int, then_ns: int) -> str:
    ahead = then_ns > now_ns
    return f"{duration_words(abs(now_ns - then_ns) / 1e9)} {'ahead' if ahead else 'ago'}"
