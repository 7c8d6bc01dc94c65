"""Roll-ups: what new batches touch is made anew from the samples, per minute, hour and day, the same on every edition.

In: how long a value of each signal holds. Out: remade rows with their watermark in one transaction; a long series in
few bins. A row depends on nothing but the stored samples, so any order of arrival ends in the same rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.store.binary import float_array, int_array, time_array
from twin.store.database import Database, the_row
from twin.store.edition import Edition
from twin.store.partitions import ensure_months
from twin.store.pool import Connection
from twin.store.queries import load_queries
from twin.store.times import to_datetime, to_ns

KEY = "rollups"  # of the watermark
LOCK = 0x46425152  # "FBQR"
TIERS: Mapping[str, int] = {"minute": 60, "hour": 3_600, "day": 86_400}  # seconds of a row
_PIECE_ROWS = 300_000
_DEFAULT_HOLD_S = 60.0  # of signals that the plant model has no more, as in rollups.sql
_QUERIES, _JUDGED = load_queries("rollups"), load_queries("findings")
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Piece:
    """What one transaction did."""

    seq: int  # everything up to this batch is in the roll-ups
    samples: int
    minutes: int


@dataclass(frozen=True, slots=True)
class Bins:
    """A stretch of one signal in bins of equal length, oldest first; bins of which nothing is known are left out."""

    time: NDArray[np.int64]  # [n] when each begins, ns UTC
    mean: NDArray[np.float64]  # [n] time-weighted; NaN: no value was in force
    low: NDArray[np.float64]  # [n] of the good and uncertain samples; NaN: there are none
    high: NDArray[np.float64]  # [n]
    samples: NDArray[np.int64]  # [n]
    good: NDArray[np.int64]  # [n] samples of good quality
    covered_s: NDArray[np.float64]  # [n] so long a value was in force
    width_s: int

    def __len__(self) -> int:
        return len(self.time)


class Rollups:
    """The roll-ups of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def remake(self, holds_s: Mapping[int, float]) -> Piece | None:
        """Take in the next batches behind the watermark; None when there are none.

        `holds_s` says by signal how long a value stays in force when no other follows.
        """
        async with self._database.transaction() as connection:
            await connection.execute(_QUERIES["lock"], {"lock": LOCK})
            row = await (await connection.execute(_JUDGED["watermark"], {"key": KEY})).fetchone()
            after = row[0] if row else 0
            piece = {"after": after, "most": _PIECE_ROWS}
            upto, first_at, last_at, samples = await the_row(connection, _QUERIES["piece"], piece)
            if upto is None:
                return None
            minutes = 0
            if first_at is not None:
                held = {"signals": list(holds_s), "holds": list(holds_s.values())}
                span = {"after": after, "upto": upto, "first_at": first_at, "last_at": last_at}
                minutes = await self._remake(connection, held | span, max(holds_s.values(), default=0.0))
            await connection.execute(_JUDGED["set_watermark"], {"key": KEY, "seq": upto})
        return Piece(upto, int(samples), minutes)

    async def _remake(self, connection: Connection, touching: Mapping[str, Any], longest_s: float) -> int:
        await connection.execute(_QUERIES["make_touched"])
        await connection.execute(_QUERIES["touch"], touching)
        await connection.execute(_QUERIES["pass_over"])
        await connection.execute(_QUERIES["analyze"])
        count, first_at, last_at = await the_row(connection, _QUERIES["span"])
        if not count:
            return 0
        if self._database.edition is Edition.PLAIN:
            months = await (await connection.execute(_QUERIES["months"])).fetchall()
            await ensure_months(connection, [month for (month,) in months])
        reach = timedelta(seconds=max(longest_s, _DEFAULT_HOLD_S))
        bounds = {  # constants let the planner leave partitions out
            "earliest": first_at - reach,
            "latest": last_at + _MINUTE,
            "earliest_hour": first_at - timedelta(hours=1),
            "latest_hour": last_at + timedelta(hours=1),
        }
        for name in ("minutes", "hours", "days"):
            await connection.execute(_QUERIES[name], bounds)
        return count

    async def watermark(self) -> int:
        """Everything up to this batch is in the roll-ups; 0 before the first."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_JUDGED["watermark"], {"key": KEY})).fetchone()
        return row[0] if row else 0

    async def series(self, signal_id: int, start_ns: int, end_ns: int, points: int) -> Bins:
        """At most about `points` bins that cover [start, end), from the widest rows that give as many."""
        tier, width_s = bins_of(start_ns, end_ns, points)
        begin_ns = start_ns // (TIERS[tier] * 10**9) * TIERS[tier] * 10**9
        values = {
            "signal": signal_id,
            "start": to_datetime(begin_ns),
            "end": to_datetime(end_ns),
            "bin": timedelta(seconds=width_s),
        }
        async with self._database.connection() as connection:
            time, mean, low, high, samples, good, covered_s = await the_row(
                connection, _QUERIES[f"series_{tier}"], values, binary=True
            )
        return Bins(
            time_array(time),
            float_array(mean),
            float_array(low),
            float_array(high),
            int_array(samples, 8),
            int_array(good, 8),
            float_array(covered_s),
            width_s,
        )

    async def kept_from_ns(self, tier: str, kind: str) -> int | None:
        """What lies before it may have been dropped; None: nothing was."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_QUERIES["kept_from"], {"tier": tier, "kind": kind})).fetchone()
        return to_ns(row[0]) if row else None


def bins_of(start_ns: int, end_ns: int, points: int) -> tuple[str, int]:
    """(tier, seconds of a bin): whole rows of the widest tier that still gives `points`, at most `points` bins."""
    wanted_s = (end_ns - start_ns) / 1e9 / points
    tier = max((name for name in TIERS if TIERS[name] <= wanted_s), key=TIERS.__getitem__, default="minute")
    return tier, TIERS[tier] * max(1, -int(-wanted_s // TIERS[tier]))
