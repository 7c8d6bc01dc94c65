"""Waiting for others: what another process has committed is heard of at once, and found by its id after any absence.

In: a channel. Out: one wake-up per notification, and one every `catch_up_s` in any case. A notification carries
nothing: the waker reads what is behind its own cursor, so that a lost one only delays.
"""

from collections.abc import AsyncGenerator
from typing import Literal

from twin.store.database import Database
from twin.store.queries import load_queries

_QUERIES = load_queries("listen")
CATCH_UP_S = 15.0


async def wake_ups(
    database: Database, channel: Literal["action", "alarm"], catch_up_s: float = CATCH_UP_S
) -> AsyncGenerator[None]:
    """Wake once at the start and then whenever something may be new; holds one connection.

    Raises:
        Retryable: the database is away; begin again.
    """
    async with database.connection() as connection:
        try:
            await connection.execute(_QUERIES[f"listen_{channel}"])
            while True:
                yield
                async for _ in connection.notifies(timeout=catch_up_s, stop_after=1):
                    pass
        finally:
            await connection.close()  # it listens: nobody else is to have it
