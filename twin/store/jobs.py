"""The turns of the slow loop's jobs: who has one, how the last one ended, when the next is due."""

from datetime import datetime

from twin.learn.job import Outcome, Turn
from twin.store.database import Database
from twin.store.queries import load_queries
from twin.store.times import to_datetime, to_ns

_QUERIES = load_queries("jobs")
_S = 1_000_000_000


class Jobs:
    """The jobs of one database; a `twin.learn.job.Journal`."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def claim(self, job: str, now_ns: int, lease_s: float, *, at_once: bool = False) -> int | None:
        """Take the turn when it is due, or `at_once`; None when it is ours, else the instant when it is due.

        One statement: of any number of processes one gets it. It is free again when it has not ended within `lease_s`.
        """
        free_at = to_datetime(now_ns + round(lease_s * _S))
        values = {"name": job, "now": to_datetime(now_ns), "free": free_at, "at_once": at_once}
        async with self._database.connection() as connection:
            if await (await connection.execute(_QUERIES["claim"], values)).fetchone():
                return None
            row = await (await connection.execute(_QUERIES["due"], {"name": job})).fetchone()
        return to_ns(row[0]) if row else now_ns

    async def ended(self, turn: Turn) -> None:
        """What became of a turn that was claimed."""
        values = {
            "name": turn.job,
            "started": to_datetime(turn.started_ns),
            "ended": None if turn.ended_ns is None else to_datetime(turn.ended_ns),
            "outcome": turn.outcome.value,
            "detail": turn.detail,
            "next": to_datetime(turn.next_ns),
        }
        async with self._database.connection() as connection:
            await connection.execute(_QUERIES["ended"], values)

    async def list(self) -> list[Turn]:
        """The last turn of every job, by name."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["list"])).fetchall()
        return [_turn(*row) for row in rows]


def _turn(
    name: str, started_at: datetime, ended_at: datetime | None, outcome: str, detail: str, next_at: datetime
) -> Turn:
    ended_ns = None if ended_at is None else to_ns(ended_at)
    return Turn(name, to_ns(started_at), ended_ns, Outcome(outcome), detail, to_ns(next_at))
