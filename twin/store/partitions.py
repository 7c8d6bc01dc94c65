"""The plain edition's native partitions: a UTC day of samples, a month of minutes, made before the first row of it.

In: the times of the rows. Out: partitions that exist. Any day may come, however old: history has no age limit.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from twin.store.database import Connection, the_row
from twin.store.times import EPOCH

LOCK = 0x46425144  # "FBQD"
_DAY_NS = 86_400_000_000_000
_AT_ONCE = 50  # partitions per transaction: each needs locks until its end


class Partitions:
    """Remembers which days of samples have a partition."""

    def __init__(self) -> None:
        self._known: set[int] = set()

    def forget(self) -> None:
        """Somebody dropped a partition: look again."""
        self._known.clear()

    async def ensure(self, connection: Connection, times_ns: Iterable[NDArray[np.int64]]) -> None:
        """Make the partitions of all these times on an autocommit connection."""
        missing = sorted({day for times in times_ns for day in _days(times)} - self._known)
        for start in range(0, len(missing), _AT_ONCE):
            part = missing[start : start + _AT_ONCE]
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
                for day in part:
                    first = EPOCH + timedelta(days=day)
                    await _make(connection, "sample", f"sample_{first:%Y%m%d}", (first, first + timedelta(days=1)))
            self._known.update(part)


async def ensure_months(connection: Connection, months: Iterable[datetime]) -> None:
    """Make the partitions of minutes that begin at these instants, within the caller's transaction."""
    for first in months:
        last = (first + timedelta(days=32)).replace(day=1)
        await _make(connection, "rollup_minute", f"rollup_minute_{first:%Y%m}", (first, last))


def _days(times_ns: NDArray[np.int64]) -> list[int]:
    if not len(times_ns):
        return []
    first, last = int(times_ns.min()) // _DAY_NS, int(times_ns.max()) // _DAY_NS
    return [first] if first == last else np.unique(times_ns // _DAY_NS).tolist()


async def _make(connection: Connection, parent: str, name: str, span: tuple[datetime, datetime]) -> None:
    """A table of its own that is attached when complete: that locks no reader and no writer of other partitions."""
    (there,) = await the_row(connection, "SELECT to_regclass(%(name)s) IS NOT NULL", {"name": name})
    if there:
        return
    whole, part = sql.Identifier(parent), sql.Identifier(name)
    await connection.execute(sql.SQL("CREATE TABLE {} (LIKE {})").format(part, whole))
    await connection.execute(
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
            whole, part, sql.Literal(span[0]), sql.Literal(span[1])
        )
    )
