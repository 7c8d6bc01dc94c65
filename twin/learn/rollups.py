"""Job `rollups`: new batches → the minutes, hours and days of their signals that they touch are made anew.

In: batches behind the watermark. Out: remade roll-ups, a bounded piece per transaction. Late samples of any age are
not special: a row is always made of everything that is stored.
"""

from collections.abc import Mapping
from typing import Protocol

from twin.learn.job import Job
from twin.plant.tree import Plant

_PIECES = 20  # in one turn; the next turn goes on


class Piece(Protocol):
    """See `twin.store.rollups.Piece`."""

    @property
    def samples(self) -> int: ...  # noqa: D102
    @property
    def minutes(self) -> int: ...  # noqa: D102


class Rollups(Protocol):
    """What remakes."""

    async def remake(self, holds_s: Mapping[int, float]) -> Piece | None: ...  # noqa: D102


def rollups(plant: Plant, signal_ids: Mapping[str, int], store: Rollups, *, period_s: float = 30.0) -> Job:
    """A value stays in force until the next one, at most until its signal counts as stale."""
    holds_s = {signal_ids[signal.path]: signal.stale_after_s for signal in plant.signals}

    async def run(_now_ns: int) -> str:
        samples = minutes = 0
        for _ in range(_PIECES):
            piece = await store.remake(holds_s)
            if piece is None:
                return f"{samples:,} samples taken in, {minutes:,} minutes made anew"
            samples, minutes = samples + piece.samples, minutes + piece.minutes
        return f"{samples:,} samples taken in, {minutes:,} minutes made anew; more wait"

    return Job("rollups", period_s, run)
