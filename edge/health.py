"""What a gateway says of itself. In: the spool's figures and every source's status. Out: the JSON of `topic.health`.

Read by the twin and shown as it is: how much waits, since when, what was dropped, how each source is, and in words what
of all this needs a person.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from edge.health_warnings import SpoolSigns, warnings
from edge.sources.source import SourceStatus
from edge.spool import Backlog, Drops, Spool
from edge.uplink_window import Drain

_RATE_OVER_NS = 10_000_000_000  # values/s are the mean of about so long
_GROWTH_OVER_NS = 60_000_000_000  # a backlog that is larger than so long ago, and older, grows
_MEMORY = Path("/proc/self/statm")


class RateMeter:
    """A count → its mean growth per second over the last ten seconds (or another time)."""

    def __init__(self, over_ns: int = _RATE_OVER_NS) -> None:
        self._over_ns = over_ns
        self._seen: deque[tuple[int, int]] = deque()

    def per_s(self, count: int, now_ns: int) -> float:
        """The rate now; 0 at the first look."""
        self._seen.append((now_ns, count))
        while len(self._seen) > 2 and now_ns - self._seen[1][0] >= self._over_ns:
            self._seen.popleft()
        then_ns, then = self._seen[0]
        return round((count - then) * 1e9 / (now_ns - then_ns), 3) if now_ns > then_ns else 0.0


class Remote(Protocol):
    """What became of configurations that came from elsewhere."""

    def told(self) -> Mapping[str, object]:
        """For the report."""
        ...

    def warnings(self) -> Iterable[str]:
        """What of it needs a person."""
        ...


class HealthReport:
    """Makes the report of one agent, each time it is called."""

    def __init__(
        self,
        node: str,
        revision: str,
        spool: Spool,
        statuses: Callable[[], Iterable[SourceStatus]],
        clock: Callable[[], int],
        drain: Drain,
        rollout: Remote | None = None,
        *,
        sparkplug: Callable[[], Mapping[str, object]] | None = None,
    ) -> None:
        self._node = node
        self._revision = revision
        self._spool = spool
        self._statuses = statuses
        self._clock = clock
        self._sparkplug = sparkplug
        self._started_ns = clock()
        self._version = version("fabriquay")
        self._meters: dict[str, RateMeter] = {}
        self._drain = drain
        self._rollout = rollout
        self._drain_meter = RateMeter()
        self._shrink_meter = RateMeter()
        self._growth_meter = RateMeter(_GROWTH_OVER_NS)
        self._drops_before = spool.drops()  # it became full

    def __call__(self) -> dict[str, object]:
        """The report as it is now."""
        now_ns = self._clock()
        backlog, drops = self._spool.backlog(), self._spool.drops()
        statuses = list(self._statuses())
        return {
            "format": 1,
            "node": self._node,
            "status": "online",
            "at": rfc3339(now_ns),
            "version": self._version,
            "configuration": self._revision,
            "uptime_s": (now_ns - self._started_ns) // 1_000_000_000,
            "memory_bytes": memory_bytes(),
            "backlog": {
                "batches": backlog.batches,
                "readings": backlog.readings,
                "bytes": backlog.bytes,
                "oldest_at": None if backlog.oldest_ns is None else rfc3339(backlog.oldest_ns),
            },
            "drain": self._draining(backlog, now_ns),
            "drops": {
                "batches": drops.batches,
                "readings": drops.readings,
                "by_priority": {"low": drops.low, "normal": drops.normal, "high": drops.high},
            },
            "clock_offset_s": max(_facts(statuses, "clock_offset_s"), key=abs, default=None),
            "certificate_days": min(_facts(statuses, "certificate_days"), default=None),
            "desired": None if self._rollout is None else self._rollout.told(),
            "warnings": [
                *warnings(statuses, self._signs(backlog, drops, now_ns)),
                *([] if self._rollout is None else self._rollout.warnings()),
            ],
            "sources": [self._source(status, now_ns) for status in statuses],
            **({} if self._sparkplug is None else {"sparkplug": self._sparkplug()}),
        }

    def _draining(self, backlog: Backlog, now_ns: int) -> dict[str, object]:
        """How fast the history lane goes, and when all that waits is gone if it goes on like this."""
        shrinks = -self._shrink_meter.per_s(backlog.bytes, now_ns)
        only_live = backlog.oldest_ns == backlog.oldest_live_ns
        return {
            "allowed_bytes_per_s": self._drain.allowed_bytes_per_s,
            "sent_bytes": self._drain.sent_bytes,
            "bytes_per_s": self._drain_meter.per_s(self._drain.sent_bytes, now_ns),
            "empty_in_s": 0 if only_live else round(backlog.bytes / shrinks) if shrinks > 0 else None,
        }

    def _signs(self, backlog: Backlog, drops: Drops, now_ns: int) -> SpoolSigns:
        if not self._spool.is_dropping():
            self._drops_before = drops
        before, oldest_ns = self._drops_before, backlog.oldest_ns
        grows = self._growth_meter.per_s(backlog.bytes, now_ns) > 0
        old = oldest_ns is not None and now_ns - oldest_ns > _GROWTH_OVER_NS
        return SpoolSigns(
            self._spool.trouble(),
            tuple(word for word in ("low", "normal", "high") if getattr(drops, word) > getattr(before, word)),
            rfc3339(oldest_ns) if grows and old and oldest_ns is not None else "",
        )

    def _source(self, status: SourceStatus, now_ns: int) -> dict[str, object]:
        meter = self._meters.setdefault(status.name, RateMeter())
        return {
            "name": status.name,
            "kind": status.kind,
            "status": str(status.state),
            "detail": status.detail,
            "since": rfc3339(status.since_ns),
            "values": status.values,
            "values_per_s": meter.per_s(status.values, now_ns),
            "newest_at": rfc3339(status.newest_ns) if status.newest_ns else None,
            "facts": dict(status.facts),
        }


def _facts(statuses: Iterable[SourceStatus], name: str) -> list[float]:
    found = [status.facts.get(name) for status in statuses]
    return [value for value in found if isinstance(value, int | float)]


def rfc3339(time_ns: int) -> str:
    """Milliseconds, UTC; an instant that no calendar has is cut to the last one that it has."""
    time_ms = max(0, min(time_ns // 1_000_000, 253_402_300_799_999))
    seconds, rest_ms = divmod(time_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ms:03d}Z"


def memory_bytes() -> int:
    """Resident memory of this process, 0 where the system does not tell."""
    try:
        return int(_MEMORY.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
