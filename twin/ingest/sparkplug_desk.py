"""Hop *admit* for Sparkplug: what the sessions have found → batches without a number, for the committer.

In: `Outcome`s of one edge node. Out: rows, gaps and rejections through the same admission as everybody's. A metric that
is no signal is told once and its values are counted; one that is heard for the first time since the start gets a gap
from its last stored sample on.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from twin.errors import Retryable
from twin.ingest.admit import Admitted, Expected, Registry, Rejection, admit, registry
from twin.ingest.decode import Received
from twin.ingest.ports import Counters, LastSample
from twin.ingest.sparkplug_outcome import Birth, Hole, Key, Numbered, Outcome
from twin.ingest.sparkplug_samples import Value
from twin.ingest.sparkplug_settings import Naming
from twin.plant.units import is_same_unit
from twin.samples import SampleBatch, TextColumns
from twin.wire.backoff import Backoff
from twin.wire.reading import Gap, GapCause, Lane
from twin.wire.schema import NodeSchema, SchemaEntry

MOST_TOLD = 10_000  # rejections of one node that are remembered as told

Row = tuple[int, Value]  # handle


class Book:
    """What the metrics of one edge node are here: handles for those that are signals."""

    def __init__(self, group: str, node: str, naming: Naming) -> None:
        self.node: str = f"{group}:{node}"
        self._where = (group, node)
        self._naming = naming
        self._entries: list[SchemaEntry] = []
        self._handles: dict[Key, int] = {}
        self._owners: dict[str, Key] = {}
        self._registry: Registry | None = None
        self._told: set[tuple[Key, str]] = set()
        self._no_signals: set[tuple[Key, str]] = set()

    def handle(self, key: Key) -> int | None:
        """None for a metric that is no signal, or of which no birth was heard."""
        return self._handles.get(key)

    @property
    def counts(self) -> tuple[int, int]:
        """Metrics that are signals, and those that are not."""
        return len(self._handles), len(self._no_signals)

    def path(self, key: Key) -> str:
        """The signal that the rules make of it."""
        return self._naming.named(*self._where, *key).path

    def born(self, birth: Birth, plant: Mapping[str, Expected]) -> Rejection | None:
        """Find the signal of a metric; why it is none."""
        named = self._naming.named(*self._where, *birth.key)
        unit = birth.unit if named.unit is None else named.unit
        expected = plant.get(named.path)
        if expected is None:
            return self._no_signal(birth.key, named.path, "unknown-signal", "the plant model has no such signal")
        if unit and not is_same_unit(unit, expected.unit):
            words = f"the birth says {unit!r}, the plant model {expected.unit!r}"
            return self._no_signal(birth.key, named.path, "wrong-unit", words)
        if self._owners.setdefault(named.path, birth.key) != birth.key:
            other = "/".join(self._owners[named.path])
            return self._no_signal(birth.key, named.path, "fed-twice", f"metric {other} is this signal already")
        if birth.key not in self._handles:
            self._handles[birth.key] = len(self._entries)
            self._entries.append(SchemaEntry(len(self._entries), named.path, expected.kind, ""))
            self._registry = None
        return None

    def registry(self, signal_ids: Mapping[str, int], plant: Mapping[str, Expected]) -> Registry:
        """What the handles mean to the store."""
        if self._registry is None:
            self._registry = registry(NodeSchema(self.node, tuple(self._entries)), signal_ids, plant)
        return self._registry

    def tell(self, key: Key, reason: str) -> bool:
        """Whether to tell of it: once until the next birth."""
        if (key, reason) in self._told or len(self._told) >= MOST_TOLD:
            return False
        self._told.add((key, reason))
        return True

    def forget_told(self) -> None:
        """A birth begins anew."""
        self._told.clear()

    def _no_signal(self, key: Key, path: str, reason: str, detail: str) -> Rejection | None:
        self._handles.pop(key, None)
        where = "/".join(part for part in (*self._where, *key) if part)
        if (key, reason) in self._no_signals:
            return None
        self._no_signals.add((key, reason))
        return Rejection(reason, f"Sparkplug metric {where}: {detail}", path)


class SparkplugDesk:
    """Takes outcomes to the committer."""

    def __init__(
        self,
        put: Callable[[Admitted], Awaitable[None]],
        last: Callable[[Sequence[int]], Awaitable[Mapping[int, LastSample]]],
        on_health: Callable[[str, Mapping[str, Any]], None],
        counters: Counters,
        signal_ids: Mapping[str, int],
        plant: Mapping[str, Expected],
    ) -> None:
        self._put = put
        self._last = last
        self.on_health: Callable[[str, Mapping[str, Any]], None] = on_health
        self.counters: Counters = counters
        self._signal_ids = signal_ids
        self._plant = plant

    async def take(self, book: Book, outcome: Outcome, now_ns: int) -> None:
        """Hand over what one or more messages of one node came to; waits while the store is behind."""
        rejections = [one for birth in outcome.births if (one := book.born(birth, self._plant)) is not None]
        rejections += self._refusals(book, outcome)
        gaps = [gap for hole in outcome.holes if (gap := _gap(book, hole)) is not None]
        gaps += await self._unheard(book, [birth for birth in outcome.births if birth.first])
        lanes: dict[Lane, list[Row]] = {Lane.LIVE: [], Lane.HISTORY: []}
        for key, value in outcome.values:
            handle = book.handle(key)
            if handle is None:
                self.counters.sparkplug_ignored += 1
            else:
                lanes[Lane.HISTORY if value.historical else Lane.LIVE].append((handle, value))
        for lane, rows in lanes.items():
            if rows or (lane is Lane.LIVE and (gaps or rejections)):
                await self._admit(book, _batch(book.node, lane, rows, now_ns), now_ns, gaps, rejections)
                gaps, rejections = [], []
        for numbered in outcome.batches:
            await self._take_batch(book, numbered, now_ns)

    async def refuse(self, book: Book, rejection: Rejection, now_ns: int) -> None:
        """Something that is no payload."""
        await self._admit(book, _batch(book.node, Lane.LIVE, [], now_ns), now_ns, [], [rejection])

    async def _take_batch(self, book: Book, numbered: Numbered, now_ns: int) -> None:
        """A batch with its number: once in the store however often it comes, and its receipt after COMMIT."""
        rows = [(handle, value) for key, value in numbered.values if (handle := book.handle(key)) is not None]
        self.counters.sparkplug_ignored += len(numbered.values) - len(rows)
        gaps = [
            Gap((handle,), *gap[2:])
            for gap in numbered.gaps
            if (handle := book.handle(Key(gap.device, gap.metric))) is not None
        ]
        batch = replace(_batch(book.node, numbered.lane, rows, now_ns), epoch=numbered.epoch, number=numbered.number)
        await self._admit(book, batch, now_ns, gaps, [])

    async def _admit(
        self, book: Book, batch: SampleBatch, now_ns: int, gaps: list[Gap], rejections: list[Rejection]
    ) -> None:
        received = Received(batch, tuple(gaps), "", now_ns)
        admitted = admit(received, book.registry(self._signal_ids, self._plant))
        await self._put(replace(admitted, rejections=(*rejections, *admitted.rejections)))

    def _refusals(self, book: Book, outcome: Outcome) -> list[Rejection]:
        self.counters.sparkplug_refused += len(outcome.refusals)
        return [
            Rejection(refusal.reason, f"Sparkplug metric {'/'.join(key)}: {refusal.detail}", book.path(key))
            for key, refusal in outcome.refusals
            if book.tell(key, refusal.reason)
        ]

    async def _unheard(self, book: Book, births: Sequence[Birth]) -> list[Gap]:
        """From the last stored sample to the first birth that this process has heard."""
        since_ns = {handle: birth.time_ns for birth in births if (handle := book.handle(birth.key)) is not None}
        if not since_ns:
            return []
        known = book.registry(self._signal_ids, self._plant)
        places = known.rows(np.array(list(since_ns), np.int32))
        signals = {handle: int(known.signal[place]) for handle, place in zip(since_ns, places, strict=True)}
        last = await self._stored([signal for signal in signals.values() if signal >= 0])
        detail = "the host application did not hear the node"
        return [
            Gap((handle,), stored.time_ns, since_ns[handle], GapCause.SESSION_LOST, detail)
            for handle, signal in signals.items()
            if (stored := last.get(signal)) is not None and stored.time_ns < since_ns[handle]
        ]

    async def _stored(self, signals: list[int]) -> Mapping[int, LastSample]:
        backoff = Backoff()
        while True:
            try:
                return await self._last(signals)
            except Retryable:
                await backoff.wait()


def _gap(book: Book, hole: Hole) -> Gap | None:
    handle = book.handle(hole.key)
    return None if handle is None else Gap((handle,), hole.from_ns, hole.to_ns, hole.cause, hole.detail)


def _batch(node: str, lane: Lane, rows: Sequence[Row], now_ns: int) -> SampleBatch:
    numbers = [(handle, one) for handle, one in rows if isinstance(one.value, float)]
    texts = [(handle, one) for handle, one in rows if isinstance(one.value, str)]
    return SampleBatch(
        node=node,
        epoch="",
        number=0,
        lane=lane,
        signal=np.array([handle for handle, _ in numbers], np.int32),
        time=np.array([one.time_ns for _, one in numbers], np.int64),
        value=np.array([one.value for _, one in numbers], np.float64),
        quality=np.array([one.quality for _, one in numbers], np.uint8),
        server=np.zeros(len(numbers), np.int64),
        received=np.full(len(numbers), now_ns, np.int64),
        texts=TextColumns(
            np.array([handle for handle, _ in texts], np.int32),
            np.array([one.time_ns for _, one in texts], np.int64),
            tuple(str(one.value) for _, one in texts),
            np.array([one.quality for _, one in texts], np.uint8),
            np.zeros(len(texts), np.int64),
            np.full(len(texts), now_ns, np.int64),
        ),
    )
