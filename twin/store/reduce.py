"""A long series as few points that look the same: per bucket of time the first, last, lowest and highest sample.

In: a signal and an interval. Out: at most as many real samples as asked for. The database does it in one pass with
as much memory as there are buckets. NaN never is an extreme; a bucket of nothing but NaN gives NaN, a break in a line.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.store.database import Connection
from twin.store.queries import load_queries
from twin.store.times import to_datetime_up

_PER_BUCKET = 4
_REDUCE = load_queries("reduce")["reduce"]


NEWEST = 2**63 - 1  # a seq that no batch reaches


@dataclass(frozen=True, slots=True)
class Asked:
    """[start, end) of one signal, as it was known when batch `upto_seq` was the newest."""

    signal_id: int
    start_ns: int
    end_ns: int
    upto_seq: int = NEWEST

    @property
    def values(self) -> dict[str, object]:
        """For the queries."""
        return {
            "signal": self.signal_id,
            "start": to_datetime_up(self.start_ns),
            "end": to_datetime_up(self.end_ns),
            "upto": self.upto_seq,
        }


@dataclass(frozen=True, slots=True)
class SeriesColumns:
    """A stretch of one signal, oldest first."""

    time: NDArray[np.int64]  # [n] ns UTC
    value: NDArray[np.float64]  # [n]
    quality: NDArray[np.uint8]  # [n]
    reduced: bool  # whether samples were left out

    def __len__(self) -> int:
        return len(self.time)


async def reduce(connection: Connection, asked: Asked, points: int) -> SeriesColumns:
    """At most `points` of the samples that keep the outline.

    Raises:
        ValueError: fewer than 4 points cannot hold the extremes of even one bucket.
    """
    if points < _PER_BUCKET:
        raise ValueError(f"a reduced series needs at least {_PER_BUCKET} points, not {points}")
    buckets = points // _PER_BUCKET
    width_us = -(-(asked.end_ns - asked.start_ns) // (1000 * buckets))
    values = asked.values | {"width_us": width_us}
    found = await (await connection.execute(_REDUCE, values, binary=True)).fetchall()
    kept = {int(sample[0]): (sample[1], int(sample[2])) for row in found for sample in row if sample is not None}
    times = sorted(kept)
    return SeriesColumns(
        np.array(times, np.int64) * 1000 + -(-asked.start_ns // 1000) * 1000,
        np.array([kept[time][0] for time in times], np.float64),
        np.array([kept[time][1] for time in times], np.uint8),
        reduced=True,
    )
