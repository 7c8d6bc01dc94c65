"""Hop *sense*, MQTT: metadata outlives the agent. In: what a mapping has learnt. Out: the same after a restart.

A session that the broker kept delivers queued values before the retained metadata that explains them.
"""

import logging

from edge.mapping import TopicMapping
from edge.sources.source import Memory
from twin.errors import Rejected

logger = logging.getLogger(__name__)


class RememberedMetadata:
    """The metadata of one source, on disk."""

    def __init__(self, source: str, mapping: TopicMapping, memory: Memory | None) -> None:
        self._key = f"metadata/{source}"
        self._mapping = mapping
        self._memory = memory
        self._on_disk: dict[str, bytes] = {}

    async def recall(self) -> None:
        """Teach the mapping what an earlier run knew."""
        if self._memory is None:
            return
        self._on_disk = unpacked(await self._memory.recall(self._key) or b"")
        for topic, payload in self._on_disk.items():
            try:
                self._mapping.learn(topic, payload)
            except Rejected as error:
                logger.warning("%s: remembered metadata of %s is of no use: %s", self._key, topic, error)

    async def remember(self) -> None:
        """Write down what is new."""
        learnt = self._mapping.learnt
        if self._memory is not None and learnt != self._on_disk:
            self._on_disk = dict(learnt)
            await self._memory.remember(self._key, packed(learnt))


def packed(learnt: dict[str, bytes]) -> bytes:
    """Topic and payload in turn, each behind its length."""
    pieces = [piece for topic, payload in learnt.items() for piece in (topic.encode(), payload)]
    return b"".join(len(piece).to_bytes(4, "little") + piece for piece in pieces)


def unpacked(data: bytes) -> dict[str, bytes]:
    """The reverse of `packed`; nothing when it is damaged."""
    pieces: list[bytes] = []
    at = 0
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "little")
        pieces.append(data[at + 4 : end])
        at = end
    try:
        return {topic.decode(): payload for topic, payload in zip(pieces[::2], pieces[1::2], strict=True)}
    except ValueError:
        return {}
