"""What units produced, by the hour, and how often they failed: sums of the key figures' buckets.

In: units and a time. Out: columns. An hour of which less than half is known is unknown.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from twin.learn.outlook import Failures
from twin.store.database import Database
from twin.store.queries import load_queries
from twin.store.times import to_datetime

_QUERIES = load_queries("production")
_HOUR_S = 3600.0
_HOUR_NS = 3_600_000_000_000
_KNOWN = 0.5


class Production:
    """The production of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def hourly(self, units: Mapping[str, str], start_ns: int, end_ns: int) -> dict[str, NDArray[np.float64]]:
        """Per unit (path → parts or moves) the quantity of each hour of [start, end), NaN where it is unknown."""
        count = (end_ns - start_ns) // _HOUR_NS
        found = {unit: np.full(count, np.nan) for unit in units}
        values = {"units": list(units), "start": to_datetime(start_ns), "end": to_datetime(end_ns)}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["hourly"], values)).fetchall()
        for unit, hour, good, moves, unknown_s, length_s in rows:
            if 0 <= hour < count and length_s - unknown_s >= _KNOWN * _HOUR_S:
                found[unit][hour] = moves if units[unit] == "moves" else good
        return found

    async def failures(self, units: Sequence[str], start_ns: int, end_ns: int) -> dict[str, Failures]:
        """Of each unit that was heard of."""
        values = {"units": list(units), "start": to_datetime(start_ns), "end": to_datetime(end_ns)}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["failures"], values)).fetchall()
        return {unit: Failures(count, down_s / _HOUR_S, run_s / _HOUR_S) for unit, count, down_s, run_s in rows}
