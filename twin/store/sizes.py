"""What the store takes on disk: rows and bytes per table, and what came lately."""

from dataclasses import dataclass
from datetime import datetime

from twin.store.database import Database, the_row
from twin.store.queries import load_queries
from twin.store.times import to_datetime, to_ns

TABLES = ("sample", "sample_text", "rollup_minute", "rollup_hour", "rollup_day")
_QUERIES = load_queries("sizes")
_PARTS = {dialect: load_queries(f"sizes.{dialect}") for dialect in ("plain", "timescale")}


@dataclass(frozen=True, slots=True)
class TableSize:
    """Rows are those of the database's statistics: right within a few per cent, zero before the first ANALYZE."""

    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Brought:
    """What was committed since an instant."""

    samples: int
    texts: int
    first_ns: int | None  # the first commit since then


class Sizes:
    """The sizes of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def tables(self) -> dict[str, TableSize]:
        """Each table that grows, with its indexes and parts."""
        found: dict[str, TableSize] = {}
        async with self._database.connection() as connection:
            for table in TABLES:
                parts, *_ = await the_row(connection, _PARTS[self._database.edition.dialect]["parts"], {"table": table})
                found[table] = TableSize(*await the_row(connection, _QUERIES["rows_bytes"], {"parts": parts}))
        return found

    async def database_bytes(self) -> int:
        """The whole database."""
        async with self._database.connection() as connection:
            (size,) = await the_row(connection, _QUERIES["database"])
        return int(size)

    async def brought(self, since_ns: int) -> Brought:
        """What was committed since an instant."""
        async with self._database.connection() as connection:
            samples, texts, first = await the_row(connection, _QUERIES["brought"], {"since": to_datetime(since_ns)})
        first_at: datetime | None = first
        return Brought(samples, texts, None if first_at is None else to_ns(first_at))
