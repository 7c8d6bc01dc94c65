"""Maintenance events: told once, kept for ever; the same event again changes nothing."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from twin.access.grants import By
from twin.plant.maintenance import MaintenanceEvent, MaintenanceKind
from twin.store.database import Database
from twin.store.queries import load_queries
from twin.store.times import to_datetime, to_ns

_QUERIES = load_queries("maintenance")


class Maintenance:
    """The maintenance events of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def add(self, events: Sequence[MaintenanceEvent], by: By | None = None) -> int:
        """All of them in one transaction; how many were new."""
        new = 0
        async with self._database.transaction(by) as connection:
            for event in events:
                new += len(await (await connection.execute(_QUERIES["add"], _values(event))).fetchall())
        return new

    async def between(
        self, start_ns: int, end_ns: int, *, asset: str | None = None, limit: int = 1_000_000
    ) -> list[MaintenanceEvent]:
        """Events that began in [start, end), oldest first."""
        values = {"start": to_datetime(start_ns), "end": to_datetime(end_ns), "asset": asset, "limit": limit}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["between"], values)).fetchall()
        return [_event(*row) for row in rows]


def _values(event: MaintenanceEvent) -> dict[str, object]:
    return {
        "id": event.id,
        "asset": event.asset,
        "at": to_datetime(event.at_ns),
        "until_at": None if event.until_ns is None else to_datetime(event.until_ns),
        "kind": event.kind.value,
        "component": event.component,
        "comment": event.comment,
        "source": event.source,
    }


def _event(
    identity: UUID,
    asset: str,
    at: datetime,
    until_at: datetime | None,
    kind: str,
    component: str,
    comment: str,
    source: str,
) -> MaintenanceEvent:
    del identity  # follows from the rest
    until_ns = None if until_at is None else to_ns(until_at)
    return MaintenanceEvent(asset, to_ns(at), until_ns, MaintenanceKind(kind), component, comment, source)
