"""Hop *sense*, MQTT: values whose metadata has not come, so that nobody can say which signals they are.

In: messages that were refused for it, and word that metadata has come. Out: a gap of every signal that they may have
been, from its last reading on. A doubt is on disk before its first message is acknowledged: a kill hides nothing.
"""

import json

from edge.last_read import LastRead
from edge.mapping import TopicMapping
from edge.sources.source import Memory
from twin.wire.reading import Gap, GapCause

_TELL_EVERY_NS = 60_000_000_000  # while no metadata comes
_MOST_TOPICS = 10_000
_DETAIL = "values came before the metadata that names them"


class Unnamed:
    """Of one source."""

    def __init__(self, source: str, mapping: TopicMapping, last_read: LastRead, memory: Memory | None) -> None:
        self._key = f"unnamed/{source}"
        self._mapping = mapping
        self._last_read = last_read
        self._memory = memory
        self._topics: set[str] = set()
        self._since_ns = 0  # of the first message that was refused
        self._told_ns = 0  # until when it is in the ledger already
        self._on_disk = b""

    @property
    def waits(self) -> bool:
        """Whether there are values that were not named, and no metadata yet."""
        return bool(self._topics)

    async def recall(self) -> None:
        """Go on with the doubt of an earlier run."""
        self._on_disk = (await self._memory.recall(self._key) or b"") if self._memory is not None else b""
        if self._on_disk:
            self._since_ns, topics = json.loads(self._on_disk)
            self._topics = {topic for topic in topics if self._mapping.feeds(topic)}

    async def remember(self) -> None:
        """Write the doubt down, or that there is none any more; before messages are acknowledged."""
        now = json.dumps([self._since_ns, sorted(self._topics)]).encode() if self._topics else b""
        if self._memory is not None and now != self._on_disk:
            self._on_disk = now
            await self._memory.remember(self._key, now)

    def note(self, topic: str, received_ns: int) -> None:
        """A message was refused."""
        if not self._topics:
            self._since_ns, self._told_ns = received_ns, 0
        if len(self._topics) < _MOST_TOPICS:
            self._topics.add(topic)

    def end(self, now_ns: int) -> list[Gap]:
        """Metadata has come; when it was the last that was missing, what was refused until now is a gap."""
        if not self._topics or not all(map(self._mapping.is_described, self._topics)):
            return []
        gaps = self._gaps(now_ns)
        self._topics.clear()
        return gaps

    def due(self, now_ns: int) -> list[Gap]:
        """Now and then, so that the ledger knows of it although no metadata comes."""
        if not self._topics or now_ns - max(self._since_ns, self._told_ns) < _TELL_EVERY_NS:
            return []
        gaps = self._gaps(now_ns)
        self._told_ns = now_ns
        return gaps

    def _gaps(self, now_ns: int) -> list[Gap]:
        handles = {handle for topic in self._topics for handle in self._mapping.feeds(topic)}
        unread = self._last_read.gaps(now_ns, GapCause.NO_METADATA, _DETAIL, sorted(handles))
        return [gap._replace(from_ns=max(gap.from_ns, self._told_ns)) for gap in unread]
