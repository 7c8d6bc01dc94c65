"""The alarms: how each stands, every step of its life, and up to which batch they are complete, in one transaction."""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from psycopg.types.json import Jsonb

from twin.plant.alarm import Priority
from twin.state.alarm_memory import read, written
from twin.state.alarm_model import AlarmKind, AlarmRule, AlarmState, AlarmTransition, Phase, What
from twin.store.database import Database, the_row
from twin.store.listen import wake_ups
from twin.store.queries import load_queries
from twin.store.times import to_datetime, to_ns

_QUERIES = load_queries("alarms")
_PAGE = 500
_RANKS = list(Priority)


@dataclass(frozen=True, slots=True)
class KeptAlarm:
    """An alarm with the rule by which it was last judged."""

    rule: AlarmRule
    state: AlarmState


@dataclass(frozen=True, slots=True)
class KeptTransition:
    """A transition with its place in the order of writing; ids of two writers never interleave, for there is one."""

    id: int
    transition: AlarmTransition
    rule: AlarmRule | None = None


@dataclass(frozen=True, slots=True)
class PastAlarm:
    """An alarm at a past instant: its last step by then, and when it was last raised."""

    kept: KeptTransition
    raised_ns: int | None


@dataclass(frozen=True, slots=True)
class AlarmFilter:
    """Which alarms are wanted; None takes all. `before` is the last alarm of the page before."""

    phases: tuple[str, ...] | None = None
    announced: bool | None = None
    shelved: bool | None = None
    suppressed: bool | None = None
    priority: Priority = Priority.LOW  # and above
    under: str | None = None
    since_ns: int | None = None
    before: tuple[int, int, UUID] | None = None  # rank, at_ns, id


@dataclass(frozen=True, slots=True)
class Kept:
    """What the last write left: the book goes on from here."""

    seq: int
    states: list[AlarmState]
    rest: Mapping[str, Any] | None


class Alarms:
    """The alarms of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def write(
        self,
        seq: int,
        alarms: Iterable[tuple[AlarmRule, AlarmState]],
        transitions: Sequence[AlarmTransition],
        rest: Mapping[str, Any],
    ) -> None:
        """The alarms that changed up to batch `seq`, their steps, the rest of the book. Again: nothing."""
        changed = [_alarm_row(rule, state) for rule, state in alarms]
        steps = [_transition_row(one) for one in transitions]
        async with self._database.transaction() as connection, connection.cursor() as cursor:
            if changed:
                await cursor.executemany(_QUERIES["put_alarm"], changed)
            if steps:
                await cursor.executemany(_QUERIES["add_transition"], steps)
            await cursor.execute(_QUERIES["put_rest"], {"seq": seq, "state": orjson.dumps(rest)})
            if changed:
                await cursor.execute(_QUERIES["tell"])

    async def load(self) -> Kept:
        """Everything that the last write left."""
        async with self._database.transaction() as connection:
            rest = await (await connection.execute(_QUERIES["rest"], binary=True)).fetchone()
            rows = await (await connection.execute(_QUERIES["states"])).fetchall()
        states = [read(state) for (state,) in rows]
        return Kept(rest[0], states, orjson.loads(rest[1])) if rest else Kept(0, states, None)

    async def page(self, wanted: AlarmFilter, limit: int = _PAGE) -> list[KeptAlarm]:
        """The most urgent first, of equal ones the one that moved last."""
        rank, at_ns, identity = wanted.before or (None, None, None)
        values = {
            "phases": None if wanted.phases is None else list(wanted.phases),
            "announced": wanted.announced,
            "shelved": wanted.shelved,
            "suppressed": wanted.suppressed,
            "priority": wanted.priority.rank,
            "under": wanted.under,
            "since": None if wanted.since_ns is None else to_datetime(wanted.since_ns),
            "before_priority": rank,
            "before_at": None if at_ns is None else to_datetime(at_ns),
            "before_id": identity,
            "limit": limit,
        }
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["list"], values)).fetchall()
        return [KeptAlarm(read_rule(rule), read(state)) for _, rule, state, _ in rows]

    async def get(self, identity: UUID) -> KeptAlarm | None:
        """One alarm."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_QUERIES["one"], {"id": identity})).fetchone()
        return KeptAlarm(read_rule(row[1]), read(row[2])) if row else None

    async def history(self, identity: UUID, limit: int = 10_000) -> list[KeptTransition]:
        """Every step of one alarm, oldest first."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["history"], {"id": identity, "limit": limit})).fetchall()
        return [_transition(*row) for row in rows]

    async def between(
        self, start_ns: int, end_ns: int, *, under: str | None = None, limit: int = 200_000
    ) -> list[KeptTransition]:
        """Every step in [start, end), oldest first."""
        values = {"start": to_datetime(start_ns), "end": to_datetime(end_ns), "under": under, "limit": limit}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["between"], values)).fetchall()
        return [_transition(*row) for row in rows]

    async def called_false(self, start_ns: int, end_ns: int) -> set[UUID]:
        """The findings that operators have called false in [start, end), and have not taken back."""
        values = {"start": to_datetime(start_ns), "end": to_datetime(end_ns)}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["called_false"], values)).fetchall()
        return {UUID(finding) for (finding,) in rows}

    async def standing_at(self, at_ns: int, *, under: str | None = None, limit: int = _PAGE) -> list[PastAlarm]:
        """How the alarms that were not normal at an instant stood then, the most urgent first."""
        values = {"at": to_datetime(at_ns), "under": under, "limit": limit}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["standing_at"], values)).fetchall()
        return [PastAlarm(_transition(*row), None if raised is None else to_ns(raised)) for *row, raised in rows]

    async def newest(self) -> int:
        """The id of the last transition; 0 before the first."""
        async with self._database.connection() as connection:
            (found,) = await the_row(connection, _QUERIES["newest"])
        return int(found)

    async def follow(self, identity: int) -> AsyncGenerator[KeptTransition]:
        """Every transition behind an id, for ever, each as soon as it is written.

        Raises:
            Retryable: the database is away; follow again from the last one that came.
        """
        async with aclosing(wake_ups(self._database, "alarm")) as wakes:
            async for _ in wakes:
                while found := await self._after(identity):
                    for one in found:
                        identity = one.id
                        yield one

    async def _after(self, identity: int) -> list[KeptTransition]:
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["after"], {"after": identity, "limit": _PAGE})).fetchall()
        return [_transition(*row) for row in rows]


def _alarm_row(rule: AlarmRule, state: AlarmState) -> dict[str, Any]:
    document = {key: value for key, value in asdict(rule).items() if key != "spec"}
    return {
        "id": state.id,
        "key": rule.key,
        "kind": rule.kind.value,
        "name": rule.name,
        "source": rule.source,
        "asset": rule.asset,
        "scope": rule.scope,
        "priority": rule.priority.rank,
        "phase": state.phase.value,
        "announced": state.announced,
        "raised_at": None if state.raised_ns is None else to_datetime(state.raised_ns),
        "at": to_datetime(state.at_ns),
        "rule": _json(document),
        "state": _json(written(state)),
    }


def _json(document: Mapping[str, Any]) -> Jsonb:
    """As JSON that a store takes: what is no number becomes null."""
    return Jsonb(document, dumps=orjson.dumps)


def read_rule(document: Mapping[str, Any]) -> AlarmRule:
    """The rule that was kept with an alarm."""
    values: dict[str, Any] = {
        **document,
        "kind": AlarmKind(document["kind"]),
        "priority": Priority(document["priority"]),
        "parents": tuple(document["parents"]),
    }
    return AlarmRule(**values)


def _transition_row(one: AlarmTransition) -> dict[str, Any]:
    return {
        "alarm": one.alarm,
        "step": one.step,
        "at": to_datetime(one.at_ns),
        "what": one.what.value,
        "phase": one.phase.value,
        "occurrence": one.occurrence,
        "priority": one.priority.rank,
        "announced": one.announced,
        "is_grouped": one.grouped,
        "value": one.value,
        "message": one.message,
        "operator": one.operator,
        "comment": one.comment,
        "action": one.action,
        "detail": _json(one.detail),
    }


def _transition(
    identity: int,
    alarm: UUID,
    step: int,
    at: datetime,
    what: str,
    phase: str,
    occurrence: int,
    priority: int,
    announced: bool,
    message: str,
    value: float | None,
    grouped: bool,
    operator: str | None,
    comment: str,
    action: int | None,
    detail: Mapping[str, Any],
    rule: Mapping[str, Any] | None = None,
) -> KeptTransition:
    step_made = AlarmTransition(
        alarm,
        step,
        to_ns(at),
        What(what),
        Phase(phase),
        occurrence,
        _RANKS[priority],
        announced,
        message,
        value,
        grouped,
        operator,
        comment,
        action,
        detail,
    )
    return KeptTransition(identity, step_made, None if rule is None else read_rule(rule))
