"""Job `retention`: what is older than `store: retention:` says goes, once its roll-ups and key figures are made.

In: the settings. Out: dropped days of samples and months of minutes.
"""

from collections.abc import Mapping
from typing import Protocol

from twin.learn.job import Job
from twin.learn.store_settings import Retention

_DAY_NS = 86_400_000_000_000


class Dropped(Protocol):
    """See `twin.store.retention.Dropped`."""

    @property
    def days(self) -> int: ...  # noqa: D102
    @property
    def rows(self) -> int: ...  # noqa: D102
    @property
    def months(self) -> int: ...  # noqa: D102
    @property
    def waits(self) -> str: ...  # noqa: D102


class Store(Protocol):
    """What drops."""

    async def drop(self, kept_from_ns: Mapping[str, int], minutes_from_ns: int | None) -> Dropped: ...  # noqa: D102


def retention(store: Store, settings: Retention, *, period_s: float = 3_600.0) -> Job:
    """Once an hour, a bounded piece."""

    async def run(now_ns: int) -> str:
        kept = {kind.value: now_ns - days * _DAY_NS for kind, days in settings.by_kind.items() if days is not None}
        minutes = None if settings.minutes is None else now_ns - settings.minutes * _DAY_NS
        gone = await store.drop(kept, minutes)
        waits = f"; more waits: {gone.waits}" if gone.waits else ""
        return f"dropped {gone.days} days of samples, {gone.rows:,} rows and {gone.months} months of minutes{waits}"

    return Job("retention", period_s, run)
