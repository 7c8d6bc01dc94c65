"""The last report of every edge node, so that a gateway that is gone is still known by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from twin.store.database import Database
from twin.store.queries import load_queries

_QUERIES = load_queries("gateways")


@dataclass(frozen=True, slots=True)
class Gateway:
    """One node and what it said last."""

    node: str
    status: Mapping[str, Any]
    updated_at: datetime


class Gateways:
    """The gateways of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def upsert(self, node: str, status: Mapping[str, Any]) -> None:
        """Keep the report in place of the one before."""
        async with self._database.connection() as connection:
            await connection.execute(_QUERIES["upsert"], {"node": node, "status": Jsonb(dict(status))})

    async def list(self) -> list[Gateway]:
        """Every node that ever reported, by name."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["list"])).fetchall()
        return [Gateway(*row) for row in rows]
