"""Hop *sense*, OPC UA: one server, or a redundant set of them → readings.

In: what `opcua_reader` brings. Out: `Reading`s and `Gap`s for the sink, thinned; of servers that are read at once, each
value once, and only what all of them have missed as a gap. Never writes to a server; the only method that is called is
ConditionRefresh, where events are read.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from edge.deadband import Thinner, thin_keys
from edge.sources.opcua_history import Backfill
from edge.sources.opcua_items import item_table
from edge.sources.opcua_reader import Reader
from edge.sources.opcua_settings import OpcUaSettings
from edge.sources.opcua_thinned import ThinnedSink
from edge.sources.opcua_twice import Seen
from edge.sources.source import Memory, Sink, SourceState, SourceStatus
from twin.wire.reading import Gap
from twin.wire.together import together


class OpcUaSource:
    """One OPC UA source.

    Args:
        settings: of this source.
        handles: every signal path of its items → the signal's place in the node's schema.
        memory: keeps the gaps that are still to be filled from the server's history, and the lines of swinging doors.
        unread_since_ns: from then on its signals are unread; 0: from their first reading on.
        clock: nanoseconds UTC.
    """

    kind: str = "opcua"

    def __init__(
        self,
        settings: OpcUaSettings,
        handles: Mapping[str, int],
        *,
        memory: Memory | None = None,
        unread_since_ns: int = 0,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._settings: OpcUaSettings = settings
        self._clock: Callable[[], int] = clock
        self._memory: Memory | None = memory
        table = item_table(settings, handles)
        self.backfill: Backfill = Backfill(settings, table, memory, clock)
        bands = {item.handle: item.settings.thin.band for item in table.items if item.settings.thin}
        self._thinner: Thinner = Thinner(bands, thin_keys(settings.name, handles))
        self._seen: Seen | None = None
        each = [settings]
        if settings.redundancy == "hot":
            self._seen = Seen()
            urls = (settings.url, *settings.redundant_urls)
            each = [settings.model_copy(update={"url": url, "redundant_urls": ()}) for url in urls]
            unread_since_ns = unread_since_ns or clock()
        self._readers: list[Reader] = [Reader(one, handles, self.backfill, unread_since_ns, clock) for one in each]
        for reader in self._readers:
            reader.redundant |= len(each) > 1
        self._sink: ThinnedSink | None = None

    @property
    def name(self) -> str:
        """Unique within the agent."""
        return self._settings.name

    async def run(self, sink: Sink) -> None:
        """Read for ever; see `Source.run`."""
        thinned = ThinnedSink(sink, self._thinner, seen=self._seen, clock=self._clock)
        await thinned.resume(self._memory)
        self._sink = thinned
        readers = {
            f"{self.name} reads {place}": reader.run(thinned, partial(self._judge, reader))
            for place, reader in enumerate(self._readers)
        }
        await together({f"{self.name} heartbeat": thinned.beat(), **readers})

    def status(self) -> SourceStatus:
        """What the health report says of it."""
        reader = next((one for one in self._readers if one.state is SourceState.CONNECTED), self._readers[0])
        detail = reader.detail
        if reader.state is SourceState.CONNECTED:
            away = [f"{one.url} is away: {one.detail}" for one in self._readers if one.state is SourceState.DOWN]
            detail = "; ".join([*away, *reader.warnings()])
        values, newest_ns = (self._sink.values, self._sink.newest_ns) if self._sink else (0, 0)
        facts = {**reader.facts(), "withheld": self._thinner.withheld, **self.backfill.facts(), **self._hot_facts()}
        return SourceStatus(self.name, self.kind, reader.state, detail, reader.since_ns, values, newest_ns, facts)

    def _hot_facts(self) -> dict[str, object]:
        if self._seen is None:
            return {}
        servers = [{"url": one.url, "status": one.state.value, "detail": one.detail} for one in self._readers]
        return {"servers": servers, "repeated": self._seen.repeated}

    async def _judge(self, reader: Reader, gaps: Sequence[Gap]) -> Sequence[Gap]:
        """Of one server's gaps what nobody else has brought; the server's history may have it."""
        others = [one for one in self._readers if one is not reader]
        asked_s = asyncio.get_running_loop().time()
        sound = await asyncio.gather(*(one.heard_since(asked_s) for one in others))
        for other, is_sound in zip(others, sound, strict=True):
            gaps = other.cover.missed_too(gaps, sound=is_sound)
        return await self.backfill.take_up(gaps) if gaps else ()
