"""Reading one signal's samples: whole, reduced, in chunks of bounded size, or as roll-ups where they are too many.

In: a signal and a window. Out: `Chunk` columns or `Bins`, oldest first; and what the gap ledger says about the window.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api.window import Window
from twin.plant.tree import Kind, Signal
from twin.store.connect import Store
from twin.store.gaps import LedgerGap
from twin.store.reduce import NEWEST
from twin.store.rollups import Bins
from twin.store.samples import Samples
from twin.wire.reading import Quality

_US = 1_000  # ns; the store's resolution
_FEWEST_POINTS = 4  # of a reduced series
_WIDEST = 8  # times the former window, when that held little
_BACKFILLED = "backfilled"
_FEW_ROWS = 100_000  # so many samples are reduced while one waits; of more the roll-ups tell
_AHEAD = 2  # steps that are read at a time: the database works while what it gave is encoded and sent
_MINUTE_NS = 60 * 10**9


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of samples; either `number` or `text` holds the values."""

    time: NDArray[np.int64]  # [n] ns UTC
    quality: NDArray[np.uint8]  # [n]
    number: NDArray[np.float64] | None
    text: tuple[str, ...] | None
    reduced: bool = False

    def __len__(self) -> int:
        return len(self.time)


class Reader:
    """Reads one signal from the store."""

    def __init__(self, store: Store, signal: Signal, signal_id: int, known_seq: int | None = None) -> None:
        self._store: Store = store
        self._samples: Samples = store.samples
        self._signal: Signal = signal
        self._id: int = signal_id
        self._known: int | None = known_seq  # as it was when that batch was the newest; None: as it is

    @property
    def textual(self) -> bool:
        """Whether the values are texts."""
        return self._signal.kind is Kind.TEXT

    @property
    def _upto(self) -> int:
        return NEWEST if self._known is None else self._known

    async def kept_from_ns(self) -> int | None:
        """From when on every sample is kept; None: all that ever came."""
        return await self._store.rollups.kept_from_ns("sample", self._signal.kind.value)

    async def bins(self, window: Window, points: int, now_ns: int) -> Bins | None:
        """Roll-ups, where the window holds too many samples to be reduced now, or where they are no longer kept."""
        if self.textual or self._known is not None:
            return None
        spanned_ns = min(window.end_ns, now_ns) - window.start_ns
        many = spanned_ns / 1e9 / self._signal.period_s > _FEW_ROWS and spanned_ns / points >= _MINUTE_NS
        kept_ns = await self.kept_from_ns()
        if not many and (kept_ns is None or kept_ns <= window.start_ns):
            return None
        return await self._store.rollups.series(self._id, window.start_ns, window.end_ns, points)

    async def whole(self, window: Window, limit: int) -> Chunk | None:
        """Every sample of the window, or None when there are more than `limit`."""
        if self.textual:
            chunk = await self._texts(window, limit + 1)
            return chunk if len(chunk) <= limit else None
        chunk = await self.reduced(window, limit)
        return None if chunk.reduced else chunk

    async def reduced(self, window: Window, points: int) -> Chunk:
        """At most `points` samples that keep every extreme; all of them when there are no more."""
        points, upto = max(points, _FEWEST_POINTS), self._upto
        found = await self._samples.series(self._id, window.start_ns, window.end_ns, points, upto_seq=upto)
        return Chunk(found.time, found.quality, found.value, None, found.reduced)

    async def chunks(self, window: Window, rows: int) -> AsyncGenerator[Chunk]:
        """Every sample of the window, at most `rows` at a time; nothing is held in the database in between."""
        walk = self._text_chunks(window, rows) if self.textual else self._number_chunks(window, rows)
        async for chunk in walk:
            yield chunk

    async def _text_chunks(self, window: Window, rows: int) -> AsyncGenerator[Chunk]:
        start_ns = window.start_ns
        while start_ns < window.end_ns:
            chunk = await self._texts(Window(start_ns, window.end_ns), rows)
            yield chunk
            if len(chunk) < rows:
                return
            start_ns = int(chunk.time[-1]) + _US

    async def _number_chunks(self, window: Window, rows: int) -> AsyncGenerator[Chunk]:
        """The width of each step follows the density that the one before met; the next one is read meanwhile."""
        begin_ns, width_ns = window.start_ns, int(0.8 * rows * self._signal.period_s * 1e9)
        ahead = 1  # until the density is known
        steps: deque[tuple[Window, asyncio.Task[Chunk]]] = deque()
        try:
            while steps or begin_ns < window.end_ns:
                while len(steps) < ahead and begin_ns < window.end_ns:
                    stop_ns = min(begin_ns + max(width_ns, _US), window.end_ns)
                    steps.append(self._step(Window(begin_ns, stop_ns), rows))
                    begin_ns = stop_ns
                span, reading = steps.popleft()
                chunk = await reading
                ahead = _AHEAD
                if len(chunk) == rows:  # denser than expected: the rest of this step comes before the others
                    rest = Window(int(chunk.time[-1]) + _US, span.end_ns)
                    steps.appendleft(self._step(rest, rows))
                    width_ns = int(0.8 * (rest.start_ns - span.start_ns))
                else:
                    grown = min(_WIDEST, 0.8 * rows / max(len(chunk), 1))
                    width_ns = int((span.end_ns - span.start_ns) * grown)
                if len(chunk):
                    yield chunk
        finally:
            for _, reading in steps:
                reading.cancel()
            await asyncio.gather(*(reading for _, reading in steps), return_exceptions=True)

    def _step(self, span: Window, rows: int) -> tuple[Window, asyncio.Task[Chunk]]:
        return span, asyncio.create_task(self._first(span, rows), name="series: a step")

    async def _first(self, span: Window, rows: int) -> Chunk:
        found = await self._samples.first(self._id, span.start_ns, span.end_ns, rows, upto_seq=self._upto)
        return Chunk(found.time, found.quality, found.value, None)

    async def _texts(self, window: Window, limit: int) -> Chunk:
        found = await self._samples.texts(self._id, window.start_ns, window.end_ns, limit, upto_seq=self._upto)
        return Chunk(found.time, found.quality, None, found.text)


def bin_quality(bins: Bins) -> NDArray[np.uint8]:
    """Good where every sample is, held where there is none, else uncertain."""
    mixed = np.where(bins.good == bins.samples, Quality.GOOD, Quality.UNCERTAIN)
    return np.where(bins.samples == 0, Quality.HELD, mixed).astype(np.uint8)


def coverage(gaps: Sequence[LedgerGap], window: Window, now_ns: int) -> float:
    """The share of the window, up to now, that no unfilled gap touches; 1 for a window that lies ahead."""
    end_ns = min(window.end_ns, now_ns)
    if end_ns <= window.start_ns:
        return 1.0
    missing_ns, reached_ns = 0, window.start_ns
    for gap in sorted(gaps, key=lambda gap: gap.from_ns):
        if gap.state == _BACKFILLED:
            continue
        from_ns, to_ns = max(gap.from_ns, reached_ns), min(gap.to_ns, end_ns)
        missing_ns += max(0, to_ns - from_ns)
        reached_ns = max(reached_ns, to_ns)
    return round(1.0 - missing_ns / (end_ns - window.start_ns), 6)
