"""What a server has sent and the sink does not have yet.

In: readings and gaps of its messages, in order. Out: they are in the sink, then the message may be acknowledged.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from edge.sources.opcua_decode import MOST_AT_ONCE
from edge.sources.source import Sink
from twin.wire.reading import Gap, Reading

_MOST_UNKEPT = 8  # messages, or parts of them, that may wait for the sink; then the server's queues have to hold

Judge = Callable[[Sequence[Gap]], Awaitable[Sequence[Gap]]]


class Message(NamedTuple):
    """One message, or a part of it; the acknowledgement (subscription, sequence number) is due with the last part."""

    acknowledgement: tuple[int, int] | None
    readings: list[Reading]
    gaps: list[Gap]


class Unkept:
    """A bounded queue; `put` waits while it is full, which holds up the server's queues and nothing else."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Message] = asyncio.Queue(_MOST_UNKEPT)

    async def put(self, message: Message) -> None:
        """The next one."""
        await self._queue.put(message)

    async def keep(self, sink: Sink, judge: Judge, acknowledgements: list[tuple[int, int]]) -> None:
        """Hand over for ever; `judge` says what becomes of gaps; what is on disk is added to `acknowledgements`."""
        while True:
            messages = [await self._queue.get()]
            readings, gaps = messages[0].readings, messages[0].gaps
            while not self._queue.empty() and len(readings) < MOST_AT_ONCE:
                messages.append(self._queue.get_nowait())
                readings = readings + messages[-1].readings
                gaps = gaps + messages[-1].gaps
            if readings or gaps:
                await sink.keep(readings, await judge(gaps) if gaps else ())
            acknowledgements += [one.acknowledgement for one in messages if one.acknowledgement is not None]
