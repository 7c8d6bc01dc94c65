"""Retention: old samples and minutes go, whole days and months where they can, never before their roll-ups are made.

In: until when what is kept. Out: dropped partitions or chunks, deleted rows in steps of a day, and `retention`, which
says from when on a tier is complete. Each step is one transaction in which nobody commits and nothing is remade.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import errors, sql

from twin.store import commit, rollups
from twin.store.database import Database
from twin.store.pool import Connection
from twin.store.queries import load_queries
from twin.store.times import to_datetime

READERS = (rollups.KEY, "kpi-buckets")  # watermarks that a sample must lie behind before it goes
_DAY = timedelta(days=1)
_MOST_PARTS = 50  # in one turn; the next turn goes on
_MOST_DAYS = 50
_TEXTS_AT_ONCE = 50_000
_QUERIES = load_queries("retention")
_MADE = {dialect: load_queries(f"retention.{dialect}") for dialect in ("plain", "timescale")}


@dataclass(frozen=True, slots=True)
class Dropped:
    """What a turn has dropped."""

    days: int = 0  # whole days of samples
    rows: int = 0  # samples and texts of kinds that are kept less long than others
    months: int = 0  # of minutes
    waits: str = ""  # why there is more to drop; "": there is not


class _WaitingError(Exception):
    """Something must happen first."""


class Retention:
    """What is kept in one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database
        self._parts = _MADE[database.edition.dialect]

    async def drop(self, kept_from_ns: Mapping[str, int], minutes_from_ns: int | None) -> Dropped:
        """Drop what is older than is kept, by kind of signal (those that are kept for ever are not in it)."""
        numbers = {kind: _day(at_ns) for kind, at_ns in kept_from_ns.items() if kind != "text"}
        days = rows = months = 0
        try:
            if {"measurement", "counter", "state"} <= set(numbers):
                days = await self._drop_parts("sample", list(numbers), min(numbers.values()))
            for kind, before in numbers.items():
                rows += await self._delete(kind, before)
            if "text" in kept_from_ns:
                rows += await self._delete_texts(_day(kept_from_ns["text"]))
            if minutes_from_ns is not None:
                months = await self._drop_parts("rollup_minute", list(numbers), _day(minutes_from_ns))
        except _WaitingError as waits:
            return Dropped(days, rows, months, str(waits))
        return Dropped(days, rows, months)

    async def _drop_parts(self, table: str, kinds: Sequence[str], before: datetime) -> int:
        tier = "sample" if table == "sample" else "minute"
        async with self._database.connection() as connection:
            parts = await (await connection.execute(self._parts["parts"], {"table": table})).fetchall()
        old = [(name, start, end) for name, start, end in parts if end <= before][:_MOST_PARTS]
        for name, start, end in old:
            async with self._database.transaction() as connection:
                await self._prepare(connection, start, end)
                await _keep_from(connection, tier, kinds, end)
                await self._drop_part(connection, table, name, end)
        return len(old)

    async def _drop_part(self, connection: Connection, table: str, name: str, end: datetime) -> None:
        try:
            if "drop" in self._parts:
                await connection.execute(self._parts["drop"], {"table": table, "end": end})
            else:
                await connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
        except errors.LockNotAvailable as error:
            raise _WaitingError("somebody reads for long") from error

    async def _delete(self, kind: str, before: datetime) -> int:
        """The samples of one kind, a day per transaction."""
        rows = 0
        for _ in range(_MOST_DAYS):
            async with self._database.transaction() as connection:
                values = {"kinds": [kind], "before": before}
                found = await (await connection.execute(_QUERIES["oldest"], values)).fetchone()
                if found is None or found[0] is None:
                    break
                start = found[0].replace(hour=0, minute=0, second=0, microsecond=0)
                span = {"kinds": [kind], "start": start, "end": start + _DAY}
                await self._prepare(connection, start, start + _DAY)
                await _keep_from(connection, "sample", [kind], start + _DAY)
                rows += (await connection.execute(_QUERIES["delete_samples"], span)).rowcount
        return rows

    async def _delete_texts(self, before: datetime) -> int:
        values = {"before": before, "limit": _TEXTS_AT_ONCE}
        async with self._database.transaction() as connection:
            await self._prepare(connection, datetime.min.replace(tzinfo=before.tzinfo), before)
            return (await connection.execute(_QUERIES["delete_texts"], values)).rowcount

    async def _prepare(self, connection: Connection, start: datetime, end: datetime) -> None:
        """From here on nobody commits; everything that touches [start, end) has been taken in by its readers."""
        await connection.execute(_QUERIES["locks"], {"rollups": rollups.LOCK, "commit": commit.LOCK})
        awaited = {"readers": list(READERS), "start": start, "end": end + _DAY}
        row = await (await connection.execute(_QUERIES["awaited"], awaited)).fetchone()
        if row is not None:
            raise _WaitingError(f"batch {row[0]} is to be taken in first by {' and '.join(READERS)}")


async def _keep_from(connection: Connection, tier: str, kinds: Sequence[str], dropped_to: datetime) -> None:
    """A day more than is dropped: its first minutes may need the values that were in force before them."""
    await connection.execute(
        _QUERIES["set_kept_from"], {"tier": tier, "kinds": list(kinds), "kept_from": dropped_to + _DAY}
    )


def _day(at_ns: int) -> datetime:
    return to_datetime(at_ns).replace(hour=0, minute=0, second=0, microsecond=0)
