"""The sense hop's two protocols: a source reads equipment, a sink keeps what was read.

In: nothing (each source knows its device). Out: `Reading`s and `Gap`s handed to a `Sink`, and a `SourceStatus` for
the health report.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from twin.wire.reading import Gap, Lane, Reading


class SourceState(StrEnum):
    """Whether a source reads its device now."""

    CONNECTED = "connected"
    CONNECTING = "connecting"
    DOWN = "down"  # at least one attempt has failed; it goes on trying


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One source in the health report of its gateway."""

    name: str
    kind: str  # opcua, mqtt, replay
    state: SourceState
    detail: str  # one sentence: why it is down, or what of it does not work
    since_ns: int  # when it entered this state
    values: int  # readings handed to the sink since the start; the health report derives the rate
    newest_ns: int  # newest source time handed over, 0 before the first
    facts: Mapping[str, object] = field(default_factory=dict[str, object])  # JSON-able figures of this kind of source


class Sink(Protocol):
    """Where readings become durable: the spool."""

    async def keep(
        self,
        readings: Sequence[Reading],
        gaps: Sequence[Gap] = (),
        *,
        lane: Lane = Lane.LIVE,
        remembered: Mapping[str, bytes] | None = None,
    ) -> None:
        """Return once all of them are on disk; wait while too much is queued. Old readings go into the history lane.

        What is to be `remembered` (see `Memory`) is on disk with the readings or not at all.
        """
        ...

    async def has_room(self) -> None:
        """Return when half of the spool is free: for a source that can read later what it does not read now."""
        ...


class Memory(Protocol):
    """Small things that a source remembers on disk: the spool."""

    async def remember(self, key: str, value: bytes) -> None:
        """Return when it is on disk."""
        ...

    async def recall(self, key: str) -> bytes | None:
        """What was remembered last, or None."""
        ...


class Source(Protocol):
    """One device (or broker) that is read."""

    @property
    def name(self) -> str:
        """Unique within the agent."""
        ...

    async def run(self, sink: Sink) -> None:
        """Read for ever; never returns, reconnects itself, raises only for a bug or a `ConfigError`."""
        ...

    def status(self) -> SourceStatus:
        """What the health report says of it; cheap, never waits."""
        ...
