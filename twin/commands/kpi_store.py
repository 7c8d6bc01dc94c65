"""The store as the job `kpi-buckets` sees it."""

from collections.abc import Mapping, Sequence

from twin.learn.kpi_buckets import Span
from twin.store.connect import Store
from twin.store.kpis import Remade, Touched
from twin.store.units import Memory, Window
from twin.throughput.buckets import Buckets
from twin.throughput.unit import Unit, UnitSeries

_SAID = "kpi-buckets-said"


class KpiStore:
    """Reads series, writes buckets, keeps how far the job has come."""

    def __init__(self, store: Store) -> None:
        self._store: Store = store
        self._memories: list[Memory] = []
        self._said: int = 0

    async def signal_ids(self) -> dict[str, int]:
        """Path → number of every registered signal."""
        return await self._store.plants.signal_ids()

    async def place(self, key: str) -> Span:
        """How far the job has come, and the newest batch."""
        return await self._store.findings.watermark(key), await self._store.samples.newest_seq()

    async def said(self) -> Sequence[tuple[str, Span]]:
        """What people have said since the last turn."""
        rows = await self._store.kpis.said_after(await self._store.findings.watermark(_SAID))
        self._said = max((number for number, *_ in rows), default=0)
        return [(asset, (start, end)) for _, asset, start, end in rows]

    async def touched(self, after_seq: int, upto_seq: int, signals: Sequence[int]) -> list[Touched]:
        """What batches touch; from there on counters are counted anew."""
        found = await self._store.kpis.touched(after_seq, upto_seq, signals)
        await self._store.kpis.forget_memories(found)
        return found

    async def ends(self, since_ns: int) -> dict[str, int]:
        """How far the buckets of each unit reach."""
        return await self._store.kpis.ends(since_ns)

    async def read(self, unit: Unit, span: Span, signal_ids: Mapping[str, int]) -> tuple[Span, UnitSeries]:
        """The series around a span, and the span that estimates reach over."""
        window, series, self._memories = await self._store.units.read(Window(unit, *span), signal_ids)
        return (window.start_ns, window.end_ns), series

    async def replace(self, unit: Unit, span: Span, buckets: Buckets) -> None:
        """Write what was made of the series that was read last."""
        await self._store.kpis.replace([Remade(unit.asset.path, *span, buckets)], self._memories)

    async def done(self, key: str, seq: int, now_ns: int) -> None:
        """The job has come so far."""
        await self._store.kpis.thin_memories(now_ns)
        await self._store.findings.write(self._said, (), (), _SAID)
        await self._store.findings.write(seq, (), (), key)
