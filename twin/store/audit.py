"""Who changed what, and who signed in: rows are only added. Changes of tables are told by triggers, as they happen.

In: `Database.transaction(by)` says who it is; log-ins, which no table shows, are added here. Out: pages, newest first.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from psycopg.types.json import Jsonb

from twin.access.grants import By
from twin.store.database import Database
from twin.store.queries import load_queries
from twin.store.times import to_datetime, to_ns

_QUERIES = load_queries("audit")


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries."""

    before: int | None = None  # only with smaller ids
    who: str | None = None
    what: str | None = None  # user.added, or user for all of them
    since_ns: int | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry."""

    id: int
    at_ns: int
    by: By
    what: str
    target: str
    detail: Mapping[str, Any]


class Audit:
    """The audit of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def add(self, by: By, what: str, target: str, detail: Mapping[str, Any] | None = None) -> None:
        """Keep what no table shows."""
        values = {**asdict(by), "what": what, "target": target, "detail": Jsonb(dict(detail or {}))}
        async with self._database.connection() as connection:
            await connection.execute(_QUERIES["add"], values)

    async def page(self, wanted: AuditFilter, limit: int) -> list[AuditEntry]:
        """The newest first."""
        since = None if wanted.since_ns is None else to_datetime(wanted.since_ns)
        values = {"before": wanted.before, "who": wanted.who, "what": wanted.what, "since": since, "limit": limit}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["page"], values)).fetchall()
        return [AuditEntry(row[0], to_ns(row[1]), By(*row[2:6]), *row[6:]) for row in rows]
