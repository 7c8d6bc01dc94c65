"""The gap ledger: where readings may be missing, and whether they came later. Written by the commit, read here."""

from dataclasses import dataclass

from twin.store.database import Database
from twin.store.queries import load_queries
from twin.store.times import to_datetime, to_ns

_QUERIES = load_queries("gaps")


@dataclass(frozen=True, slots=True)
class LedgerGap:
    """One entry of the ledger; the interval is half open."""

    signal_id: int
    from_ns: int
    to_ns: int
    cause: str
    detail: str
    state: str  # open | backfilled | lost


class Gaps:
    """The gap ledger of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def between(self, signal_id: int, start_ns: int, end_ns: int) -> list[LedgerGap]:
        """The gaps of one signal that touch [start, end), oldest first."""
        values = {"signal": signal_id, "start": to_datetime(start_ns), "end": to_datetime(end_ns)}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["between"], values)).fetchall()
        return [LedgerGap(row[0], to_ns(row[1]), to_ns(row[2]), *row[3:]) for row in rows]
