"""Scenarios: asked once, simulated by one process of any number, kept with their answers.

In: questions. Out: who works at which, how far it is, what the simulator said. A process holds a scenario for a while
and renews that as it goes on; one that was killed is taken over by the next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from twin.access.grants import By
from twin.store.database import Database, the_row
from twin.store.queries import load_queries
from twin.store.times import to_datetime, to_ns

_QUERIES = load_queries("scenarios")
KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario on its way."""

    id: UUID
    asked_ns: int
    question: Mapping[str, Any]
    state: str  # waiting, running, done or failed
    phase: str  # what is being done
    done: int  # replications of all cases
    total: int
    base_ns: int | None  # the state of the plant from which it starts
    seconds: float
    detail: str  # why it failed


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work at a scenario, until it is taken over."""

    id: UUID
    question: Mapping[str, Any]
    attempt: int  # 1 unless a process has ended over it


class Scenarios:
    """The scenarios of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def add(
        self, identity: UUID, question: Mapping[str, Any], total: int, most_waiting: int, by: By | None = None
    ) -> Scenario | None:
        """Take a question; None when so many wait already."""
        async with self._database.transaction(by) as connection:
            await connection.execute(_QUERIES["lock"])
            (waiting,) = await the_row(connection, _QUERIES["waiting"])
            if waiting >= most_waiting:
                return None
            values = {"id": identity, "question": Jsonb(question), "total": total}
            row = await the_row(connection, _QUERIES["add"], values)
            await connection.execute(_QUERIES["trim"], {"keep": KEPT})
        return _scenario(row)

    async def claim(self, hold_s: float) -> Claim | None:
        """The oldest scenario that nobody works at is ours; None when there is none."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_QUERIES["claim"], {"hold_s": hold_s})).fetchone()
        return None if row is None else Claim(*row)

    async def progress(
        self, claim: Claim, done: int, total: int, *, phase: str, base_ns: int | None, hold_s: float
    ) -> bool:
        """Say how far it is and hold it on; False when another process has taken it over."""
        values = {"id": claim.id, "attempt": claim.attempt, "done": done, "total": total, "phase": phase}
        values |= {"base_at": _at(base_ns), "hold_s": hold_s}
        async with self._database.connection() as connection:
            return await (await connection.execute(_QUERIES["progress"], values)).fetchone() is not None

    async def answered(self, claim: Claim, answer: Mapping[str, Any], base_ns: int, seconds: float) -> None:
        """It is done."""
        await self._finish(claim, "done", Jsonb(answer), base_ns=base_ns, seconds=seconds)

    async def failed(self, claim: Claim, detail: str, seconds: float) -> None:
        """It cannot be answered."""
        await self._finish(claim, "failed", None, seconds=seconds, detail=detail)

    async def list(self, limit: int, roots: Sequence[str] | None = None) -> list[Scenario]:
        """The newest first; with `roots` only of these parts of the plant."""
        values = {"limit": limit, "roots": None if roots is None else [*roots]}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["list"], values)).fetchall()
        return [_scenario(row) for row in rows]

    async def find(self, identity: UUID) -> Scenario | None:
        """One scenario."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_QUERIES["find"], {"id": identity})).fetchone()
        return None if row is None else _scenario(row)

    async def answer(self, identity: UUID) -> Mapping[str, Any] | None:
        """What the simulator said; None before that."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_QUERIES["answer"], {"id": identity})).fetchone()
        return None if row is None else row[0]

    async def _finish(
        self,
        claim: Claim,
        state: str,
        answer: Jsonb | None,
        *,
        base_ns: int | None = None,
        seconds: float,
        detail: str = "",
    ) -> None:
        values = {"id": claim.id, "attempt": claim.attempt, "state": state, "answer": answer}
        values |= {"base_at": _at(base_ns), "seconds": seconds, "detail": detail}
        async with self._database.connection() as connection:
            await connection.execute(_QUERIES["finish"], values)


def _at(instant_ns: int | None) -> datetime | None:
    return None if instant_ns is None else to_datetime(instant_ns)


def _scenario(row: tuple[Any, ...]) -> Scenario:
    identity, asked_at, question, state, phase, done, total, base_at, seconds, detail = row
    base_ns = None if base_at is None else to_ns(base_at)
    return Scenario(identity, to_ns(asked_at), question, state, phase, done, total, base_ns, seconds, detail)
