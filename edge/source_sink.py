"""Hop *keep*, seen from a source: its way into the spool, which remembers until when each signal is accounted for.

In: readings and gaps of one source. Out: to `edge.spool`, with what was missed between two runs of the agent.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter

from edge.last_read import LastRead
from edge.spool import Spool
from edge.spool_view import newest_key
from twin.wire.reading import Gap, GapCause, Lane, Reading

_END_OF_TIME_NS = (1 << 63) - 1
_source_ns = itemgetter(1)
_REMEMBER_EVERY_NS = 2_000_000_000  # a gap begins at most so much too early


class SourceSink:
    """A source's way into the spool, which remembers on disk until when each of its signals is accounted for.

    A source that cannot resume where it was gets a gap from then until its first reading of this run.
    """

    def __init__(
        self, spool: Spool, name: str, handles: tuple[int, ...], schema_hash: str, clock: Callable[[], int]
    ) -> None:
        self._spool = spool
        self._name = name
        self._key = f"read-until/{name}"
        self._newest_ns = 0
        self._handles = handles
        self._schema_hash = schema_hash
        self._clock = clock
        self._remembered_ns = 0
        self._unread_since_ns = 0
        self.last_read: LastRead = LastRead(handles)
        self.also: Callable[[Sequence[Reading]], None] = _nobody  # hears of what is on disk

    async def recall(self) -> None:
        """Take over what an earlier run has accounted for."""
        told = await self._spool.recall(self._key)
        if told:
            self.last_read.unpack(told, self._schema_hash)
        self._newest_ns = int.from_bytes(await self._spool.recall(newest_key(self._name)) or b"", "little", signed=True)

    def missed(self, now_ns: int) -> list[Gap]:
        """What lies between the runs, for a source that begins at nothing."""
        return self.last_read.gaps(now_ns, GapCause.AGENT_DOWN, "the agent did not run or read")

    async def begin_anew(self, missed: Sequence[Gap], now_ns: int) -> None:
        """Record what was missed; from now on every signal is accounted for."""
        self.last_read.begin(now_ns)
        await asyncio.gather(self._spool.keep((), missed), self._remember())

    def unread_since(self, now_ns: int) -> None:
        """What comes from now until the source reads is missing, too (a source that knows better tells it itself)."""
        self._unread_since_ns = now_ns

    async def keep(
        self,
        readings: Sequence[Reading],
        gaps: Sequence[Gap] = (),
        *,
        lane: Lane = Lane.LIVE,
        remembered: Mapping[str, bytes] | None = None,
    ) -> None:
        """See `Sink.keep`."""
        self._newest_ns = max(self._newest_ns, max(map(_source_ns, readings), default=0))
        if lane is Lane.HISTORY:
            newest = self._newest() if remembered else {}
            await self._spool.keep(readings, gaps, lane=lane, remembered={**(remembered or {}), **newest})
            return
        now_ns = self._clock()
        if readings and self._unread_since_ns:
            gap = Gap(
                self._handles, self._unread_since_ns, now_ns, GapCause.DEVICE_UNREACHABLE, "not read since the start"
            )
            gaps = [gap, *gaps] if gap.from_ns < gap.to_ns else gaps
            self._unread_since_ns = 0
        await self._spool.keep(readings, gaps, remembered=remembered)
        self.also(readings)
        self.last_read.take(readings)
        if readings and now_ns - self._remembered_ns >= _REMEMBER_EVERY_NS:
            self._remembered_ns = now_ns
            await self._remember()

    async def has_room(self) -> None:
        """See `Sink.has_room`."""
        await self._spool.has_room()

    async def _remember(self) -> None:
        told = {self._key: self.last_read.pack(self._schema_hash), **self._newest()}
        await self._spool.keep((), remembered=told)

    def _newest(self) -> dict[str, bytes]:
        """For `twin edge status`, which asks when everything is sent already."""
        return {newest_key(self._name): min(self._newest_ns, _END_OF_TIME_NS).to_bytes(8, "little", signed=True)}


def _nobody(_readings: Sequence[Reading]) -> None:
    """Where no one else listens."""
