"""Which life of the store this is: a restore or a takeover by a standby begins another one, and receipts name it.

In: a connection. Out: a number, ever greater. Another cluster (pg_restore elsewhere) or timeline (promotion, recovery
to a point in time) is noticed at the next commit; who puts the data back in another way says so with `set_back`.
"""

from twin.store.database import Connection, Database, the_row
from twin.store.queries import load_queries

_QUERIES = load_queries("incarnation")


async def current(connection: Connection) -> int:
    """The number of this life."""
    (number,) = await the_row(connection, _QUERIES["current"])
    return int(number)


async def set_back(database: Database) -> None:
    """The database was brought back to an earlier state."""
    async with database.connection() as connection:
        await connection.execute(_QUERIES["set_back"])
