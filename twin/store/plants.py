"""Which signals exist: the plant model gives the paths, the store gives each an id for ever."""

from twin.plant.tree import Plant
from twin.store.database import Connection, Database
from twin.store.queries import load_queries

LOCK = 0x46425150  # "FBQP"
_QUERIES = load_queries("plants")


class Plants:
    """The plant models of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def register(self, plant: Plant) -> dict[str, int]:
        """Make the plant's signals known; idempotent. Ids by path of this plant's signals."""
        values = {
            "revision": plant.revision,
            "enterprise": plant.enterprise,
            "lock": LOCK,
            "paths": [signal.path for signal in plant.signals],
            "kinds": [signal.kind.value for signal in plant.signals],
            "units": [signal.unit for signal in plant.signals],
        }
        async with self._database.transaction() as connection:
            for name in ("lock", "add_plant", "update_signals", "add_signals"):
                await connection.execute(_QUERIES[name], values)
            ids = await _signal_ids(connection)
        return {signal.path: ids[signal.path] for signal in plant.signals}

    async def signal_ids(self) -> dict[str, int]:
        """Ids by path of every signal that was ever registered."""
        async with self._database.connection() as connection:
            return await _signal_ids(connection)


async def _signal_ids(connection: Connection) -> dict[str, int]:
    rows = await (await connection.execute(_QUERIES["signal_ids"])).fetchall()
    return dict(rows)
