"""Snapshots of the judges' memory: from one of them and a replay the rest follows."""

from collections.abc import Mapping

from twin.store.database import Database
from twin.store.queries import load_queries

_QUERIES = load_queries("states")


class States:
    """The snapshots of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def save_snapshots(self, seq: int, states: Mapping[str, bytes]) -> None:
        """Keep each key's state as it was after batch `seq`, in place of the one before: all of them or none."""
        rows = [{"key": key, "seq": seq, "state": state} for key, state in states.items()]
        async with self._database.transaction() as connection, connection.cursor() as cursor:
            await cursor.executemany(_QUERIES["save"], rows)

    async def load_snapshot(self, key: str) -> tuple[int, bytes] | None:
        """(seq, state) of the last snapshot, None when there is none."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_QUERIES["load"], {"key": key}, binary=True)).fetchone()
        return (row[0], bytes(row[1])) if row else None
