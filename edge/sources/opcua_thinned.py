"""Hop *thin* of an OPC UA source: what its connections bring, one after the other, thinned on its way to the sink.

In: readings and gaps of one connection or of several that read the same. Out: each (signal, source time) once, less
what is left out by the signals' bands.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter

from edge.deadband import Thinner
from edge.sources.opcua_twice import Seen
from edge.sources.source import Memory, Sink
from twin.wire.reading import Gap, Lane, Reading

_LOOK_S = 1.0  # how often heartbeats are looked at
_source_ns = itemgetter(1)


class ThinnedSink:
    """A `Sink` before the sink. `seen`: what to know repetitions by, where several connections read the same."""

    def __init__(
        self, sink: Sink, thinner: Thinner, *, seen: Seen | None = None, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._sink: Sink = sink
        self._thinner: Thinner = thinner
        self._seen: Seen | None = seen
        self._clock: Callable[[], int] = clock
        self._turn: asyncio.Lock = asyncio.Lock()  # what one connection repeats is on disk before it is acknowledged
        self.values: int = 0
        self.newest_ns: int = 0

    async def resume(self, memory: Memory | None) -> None:
        """Go on behind an earlier run of the agent."""
        await self._thinner.resume(memory, self._sink, self._clock())

    async def keep(
        self,
        readings: Sequence[Reading],
        gaps: Sequence[Gap] = (),
        *,
        lane: Lane = Lane.LIVE,
        remembered: Mapping[str, bytes] | None = None,
    ) -> None:
        """See `Sink.keep`; history passes as it is."""
        if lane is Lane.HISTORY:
            await self._sink.keep(readings, gaps, lane=lane, remembered=remembered)
            return
        async with self._turn:
            fresh = readings if self._seen is None else self._seen.fresh(readings)
            await self._pass(self._thinner.thin(fresh), gaps)

    async def has_room(self) -> None:
        """See `Sink.has_room`."""
        await self._sink.has_room()

    async def beat(self) -> None:
        """Heartbeats of signals whose values are left out, for ever."""
        while True:
            await asyncio.sleep(_LOOK_S)
            async with self._turn:
                await self._pass(self._thinner.due(self._clock()), ())

    async def _pass(self, readings: list[Reading], gaps: Sequence[Gap]) -> None:
        lines = self._thinner.unsaved()
        if readings or gaps or lines:
            await self._sink.keep(readings, gaps, remembered=lines)
            self.values += len(readings)
            self.newest_ns = max(self.newest_ns, max(map(_source_ns, readings), default=0))
