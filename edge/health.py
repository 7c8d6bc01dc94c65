"""What a gateway says of itself. In: the spool's figures and every source's status. Out: the JSON of `topic.health`.

Read by the twin and shown as it is: how much waits, since when, what was dropped, and how each source is.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from edge.sources.source import SourceStatus
from edge.spool import Spool

_RATE_OVER_NS = 10_000_000_000  # values/s are the mean of about so long
_MEMORY = Path("/proc/self/statm")


class RateMeter:
    """A growing count → its mean growth per second over the last ten seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, int]] = deque()

    def per_s(self, count: int, now_ns: int) -> float:
        """The rate now; 0 at the first look."""
        self._seen.append((now_ns, count))
        while len(self._seen) > 2 and now_ns - self._seen[1][0] >= _RATE_OVER_NS:
            self._seen.popleft()
        then_ns, then = self._seen[0]
        return round((count - then) * 1e9 / (now_ns - then_ns), 3) if now_ns > then_ns else 0.0


class HealthReport:
    """Makes the report of one agent, each time it is called."""

    def __init__(
        self,
        node: str,
        revision: str,
        spool: Spool,
        statuses: Callable[[], Iterable[SourceStatus]],
        clock: Callable[[], int],
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

    def __call__(self) -> dict[str, object]:
        """The report as it is now."""
        now_ns = self._clock()
        backlog, drops = self._spool.backlog(), self._spool.drops()
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
            "drops": {"batches": drops.batches, "readings": drops.readings},
            "sources": [self._source(status, now_ns) for status in self._statuses()],
            **({} if self._sparkplug is None else {"sparkplug": self._sparkplug()}),
        }

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
