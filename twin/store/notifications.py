"""What notification asks of the store: alarms that nobody has acknowledged, and what was told to whom."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from twin.notify.plan import Notice, Waiting
from twin.state.alarm_memory import read
from twin.store.alarms import read_rule
from twin.store.database import Database, the_row
from twin.store.listen import wake_ups
from twin.store.queries import load_queries
from twin.store.times import to_datetime, to_ns

_QUERIES = load_queries("notifications")


@dataclass(frozen=True, slots=True)
class KeptNotice:
    """What became of one message."""

    transition: int
    target: str
    reason: str
    at_ns: int
    outcome: str


class Notifications:
    """The messages of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    def wake_ups(self) -> AsyncGenerator[None]:
        """At the start, and whenever an alarm has changed or some time has passed."""
        return wake_ups(self._database, "alarm")

    async def waiting(self, since_ns: int) -> list[Waiting]:
        """The announced, unacknowledged, active alarms that were raised since."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["waiting"], {"since": to_datetime(since_ns)})).fetchall()
        return [
            Waiting(read_rule(rule), read(state), transition, to_ns(at), frozenset(_told(one) for one in told))
            for rule, state, transition, at, told in rows
        ]

    async def note(self, notice: Notice, at_ns: int, outcome: str) -> None:
        """Keep what became of a message."""
        values = {
            "transition": notice.waiting.transition,
            "target": notice.target,
            "reason": notice.reason.value,
            "at": to_datetime(at_ns),
            "outcome": outcome,
        }
        async with self._database.connection() as connection:
            await connection.execute(_QUERIES["note"], values)

    async def sent(self, target: str, since_ns: int) -> int:
        """How many messages a target has got since."""
        async with self._database.connection() as connection:
            values = {"target": target, "since": to_datetime(since_ns)}
            (count,) = await the_row(connection, _QUERIES["sent"], values)
        return int(count)

    async def newest(self, limit: int = 100) -> list[KeptNotice]:
        """What was told lately, the newest first."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["all"], {"limit": limit})).fetchall()
        return [
            KeptNotice(transition, target, reason, to_ns(at), outcome)
            for transition, target, reason, at, outcome in rows
        ]


def _told(text: str) -> tuple[str, str]:
    target, _, reason = text.partition("|")
    return target, reason
