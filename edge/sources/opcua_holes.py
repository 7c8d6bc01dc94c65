"""The holes that a server's history may still fill. Pure.

In: gaps as they are noticed. Out: which items to ask for which interval next; and gaps with their final state. The list
can be packed for the spool's memory: it outlives the agent.
"""

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from twin.wire.reading import Gap, GapCause, GapState

MOST_HOLES = 200_000  # of one source; beyond it nothing more is promised


class Hole(NamedTuple):
    """One gap of one item."""

    from_ns: int
    to_ns: int
    handle: int
    cause: GapCause
    detail: str


class Holes:
    """Oldest first; an item has at most one hole in a round."""

    def __init__(self, signals: Mapping[int, str]) -> None:
        self._signals = dict(signals)
        self._waiting: set[Hole] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, gap: Gap) -> bool:
        """False when there is no room for it."""
        if len(self._waiting) + len(gap.handles) > MOST_HOLES:
            return False
        self._waiting.update(Hole(gap.from_ns, gap.to_ns, handle, gap.cause, gap.detail) for handle in gap.handles)
        return True

    def next_round(self, most: int) -> list[Hole]:
        """Up to `most` items whose holes overlap: together they do not reach much further than the oldest of them."""
        chosen: dict[int, Hole] = {}
        for hole in sorted(self._waiting):
            first = next(iter(chosen.values()), hole)
            if hole.from_ns >= first.to_ns or len(chosen) == most:
                break
            if hole.handle not in chosen and hole.to_ns - first.from_ns <= 2 * (first.to_ns - first.from_ns):
                chosen[hole.handle] = hole
        return list(chosen.values())

    def settle(self, holes: Iterable[Hole]) -> None:
        """They are done with."""
        self._waiting.difference_update(holes)

    def pack(self) -> bytes:
        """By signal path: handles mean nothing to the next run."""
        rows = [[self._signals[hole.handle], *hole[:2], *hole[3:]] for hole in sorted(self._waiting)]
        return zlib.compress(json.dumps(rows, separators=(",", ":")).encode())

    def unpack(self, told: bytes) -> None:
        """Take over what an earlier run has packed, as far as its signals are still read."""
        handles = {signal: handle for handle, signal in self._signals.items()}
        for signal, from_ns, to_ns, cause, detail in json.loads(zlib.decompress(told)):
            if signal in handles:
                self._waiting.add(Hole(from_ns, to_ns, handles[signal], GapCause(cause), detail))


def told(holes: Sequence[tuple[Hole, GapState, str]]) -> list[Gap]:
    """The records of holes with their state and detail; those that are alike share one."""
    alike: dict[tuple[int, int, GapCause, str, GapState], list[int]] = {}
    for hole, state, detail in holes:
        alike.setdefault((hole.from_ns, hole.to_ns, hole.cause, detail, state), []).append(hole.handle)
    return [Gap(tuple(sorted(handles)), *rest) for rest, handles in alike.items()]
