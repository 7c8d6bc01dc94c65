"""Changes that came with an Idempotency-Key: what was asked, and what was answered to it.

In: whose key, and an answer in the transaction of its change. Out: that answer, for a week. Of any number of processes
that get the same key at once one makes the change: the others wait for its transaction and then find the answer.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from twin.store.database import Database
from twin.store.queries import load_queries

LOCK = 0x46425149  # "FBQI"
KEPT_DAYS = 7
_QUERIES = load_queries("answered")


@dataclass(frozen=True, slots=True)
class Answered:
    """A change that was made, and what was said of it."""

    asked: str  # method and path
    fingerprint: str  # of the body
    status: int
    answer: str  # JSON, or nothing
    location: str
    shown_once: bool  # the first answer held more than this
    at: datetime | None = None  # None: now


class AnsweredChanges:
    """The answers of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def find(self, who: str, key: UUID) -> Answered | None:
        """What was answered to this key of this caller."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_QUERIES["find"], {"who": who, "key": key})).fetchone()
        return Answered(*row) if row else None

    async def lock(self, who: str, key: UUID) -> None:
        """In a unit of work: nobody else is at this key until it ends."""
        async with self._database.connection() as connection:
            await connection.execute(_QUERIES["lock"], {"lock": LOCK, "who": who, "key": key})

    async def keep(self, who: str, key: UUID, answered: Answered) -> None:
        """In the unit of work that made the change."""
        async with self._database.connection() as connection:
            await connection.execute(_QUERIES["keep"], {"who": who, "key": key, **asdict(answered)})

    async def forget_old(self) -> None:
        """Let go of what is older than a week."""
        async with self._database.connection() as connection:
            await connection.execute(_QUERIES["forget_old"], {"days": KEPT_DAYS})
