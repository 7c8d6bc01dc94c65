"""Job `kpi-buckets`: new batches → the buckets that they touch are made anew from what is stored.

In: batches behind the watermark. Out: exactly the touched hours of the touched units, and one transaction that holds
them. Late samples, filled gaps and restarts are not special: a bucket is always made of everything that is stored.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from twin.learn.job import Job
from twin.plant.tree import Plant
from twin.throughput.buckets import Buckets
from twin.throughput.schedule import HOUR_NS, hour_of
from twin.throughput.unit import Unit, UnitSeries, buckets_of, first_heard_ns, units_of

KEY = "kpi-buckets"
_CHUNK_NS = 7 * 24 * HOUR_NS
_BATCHES = 20_000  # in one turn; the next turn goes on
_FOLLOW_NS = 48 * HOUR_NS  # so long a unit that has become silent gets buckets of unknown time

Span = tuple[int, int]


class Touched(Protocol):
    """See `twin.store.kpis.Touched`."""

    @property
    def signal(self) -> int: ...  # noqa: D102
    @property
    def start_ns(self) -> int: ...  # noqa: D102
    @property
    def end_ns(self) -> int: ...  # noqa: D102


class Store(Protocol):
    """What the job needs of the store: see `twin.commands.kpi_store`."""

    async def signal_ids(self) -> dict[str, int]: ...  # noqa: D102
    async def place(self, key: str) -> Span: ...  # noqa: D102 – watermark, newest seq
    async def said(self) -> Sequence[tuple[str, Span]]: ...  # noqa: D102 – what people have said since `done`
    async def touched(self, after_seq: int, upto_seq: int, signals: Sequence[int]) -> Sequence[Touched]: ...  # noqa: D102
    async def ends(self, since_ns: int) -> dict[str, int]: ...  # noqa: D102
    async def read(self, unit: Unit, span: Span, signal_ids: Mapping[str, int]) -> tuple[Span, UnitSeries]: ...  # noqa: D102
    async def replace(self, unit: Unit, span: Span, buckets: Buckets) -> None: ...  # noqa: D102
    async def done(self, key: str, seq: int, now_ns: int) -> None: ...  # noqa: D102


def kpi_buckets(plant: Plant, store: Store, *, period_s: float = 20.0) -> Job:
    """The job."""
    units = units_of(plant)

    async def run(now_ns: int) -> str:
        signal_ids = await store.signal_ids()
        after, newest = await store.place(KEY)
        upto = min(newest, after + _BATCHES)
        spans = await _spans(units, store, signal_ids, (after, upto), now_ns)
        made = 0
        for path, span in spans:
            made += await remake(units[path], span, now_ns, (store, signal_ids))
        await store.done(KEY, upto, now_ns)
        left = f", {newest - upto} batches wait" if newest > upto else ""
        return (
            f"{made} buckets of {len({path for path, _ in spans})} units made from batches {after + 1} to {upto}{left}"
        )

    return Job(KEY, period_s, run)


async def _spans(
    units: Mapping[str, Unit], store: Store, signal_ids: Mapping[str, int], seqs: Span, now_ns: int
) -> list[tuple[str, Span]]:
    """What has to be made anew: whole local hours, the running one to now."""
    owners = {
        signal_ids[signal.path]: path
        for path, unit in units.items()
        for signal in unit.signals.values()
        if signal.path in signal_ids
    }
    found: dict[str, list[Span]] = {}
    for one in await store.touched(*seqs, list(owners)):
        unit = units[owners[one.signal]]
        found.setdefault(unit.asset.path, []).append((one.start_ns - unit.margin_ns, one.end_ns + unit.margin_ns))
    for path, span in await store.said():
        if path in units:
            found.setdefault(path, []).append((span[0] - units[path].margin_ns, span[1] + units[path].margin_ns))
    for path, end_ns in (await store.ends(now_ns - _FOLLOW_NS)).items():
        if path in units and end_ns < hour_of(units[path].calendar, now_ns):
            found.setdefault(path, []).append((end_ns, now_ns))
    return [(path, span) for path, spans in found.items() for span in _merged(units[path], spans, now_ns)]


def _merged(unit: Unit, spans: Sequence[Span], now_ns: int) -> list[Span]:
    """Whole hours, joined where they touch, in pieces of a week."""
    hours = sorted(_whole_hours(unit, span, now_ns) for span in spans)
    joined: list[Span] = []
    for start, end in hours:
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return [
        (at, min(at + _CHUNK_NS, end)) for start, end in joined if end > start for at in range(start, end, _CHUNK_NS)
    ]


def _whole_hours(unit: Unit, span: Span, now_ns: int) -> Span:
    """The running hour ends now."""
    start_ns = hour_of(unit.calendar, span[0])
    end_ns = hour_of(unit.calendar, span[1] - 1) + HOUR_NS
    return start_ns, min(end_ns, now_ns) if start_ns < now_ns else end_ns


async def remake(unit: Unit, span: Span, now_ns: int, source: tuple[Store, Mapping[str, int]]) -> int:
    """Make the buckets of a span of whole hours anew; an estimate that reaches out of it takes its hours along."""
    store, signal_ids = source
    while True:
        reached, series = await store.read(unit, span, signal_ids)
        whole = _whole_hours(unit, reached, now_ns)
        wider = min(span[0], whole[0]), max(span[1], whole[1])
        if wider == span:
            break
        span = wider
    heard_ns = first_heard_ns(series)
    if heard_ns is None or heard_ns >= span[1]:
        return 0
    span = max(span[0], hour_of(unit.calendar, heard_ns)), span[1]  # a unit has no buckets before its first sample
    buckets = await asyncio.to_thread(buckets_of, unit, series, *span)
    await store.replace(unit, span, buckets)
    return len(buckets)
