"""What operators did: an append-only list whose ids follow the order of the commits, heard of as soon as committed."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from twin.access.grants import By
from twin.state.alarm_model import Action, ActionKind
from twin.store.database import Database, the_row
from twin.store.listen import wake_ups
from twin.store.queries import load_queries
from twin.store.times import to_datetime, to_ns

LOCK = 0x46425141  # "FBQA"
_QUERIES = load_queries("actions")
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Order:
    """An action that is to be kept; `key` makes it the same action however often it is sent."""

    key: UUID
    kind: ActionKind
    target: str
    at_ns: int
    operator: str
    comment: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class KeptWindow:
    """A maintenance window or an asset out of service, and how it ended."""

    action: Action
    ended_ns: int | None
    ended_by: str | None
    ended_comment: str | None


class Actions:
    """The operators' actions of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def add(self, order: Order, by: By | None = None) -> tuple[Action, bool]:
        """Keep an action; (action, whether it is new). The same key gives the action that was kept first."""
        values = {
            "lock": LOCK,
            "key": order.key,
            "kind": order.kind.value,
            "target": order.target,
            "operator": order.operator,
            "comment": order.comment,
            "at": to_datetime(order.at_ns),
            "detail": Jsonb(dict(order.detail)),
        }
        async with self._database.transaction(by) as connection:
            await connection.execute(_QUERIES["lock"], values)
            same = await (await connection.execute(_QUERIES["same"], values)).fetchone()
            if same is not None:
                return action(*same), False
            kept = action(*await the_row(connection, _QUERIES["add"], values))
            await connection.execute(_QUERIES["tell"])
        return kept, True

    async def after(self, identity: int, limit: int = _PAGE) -> list[Action]:
        """The actions behind an id, oldest first."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["after"], {"after": identity, "limit": limit})).fetchall()
        return [action(*row) for row in rows]

    async def follow(self, identity: int) -> AsyncGenerator[Action]:
        """Every action behind an id, for ever, each as soon as it is committed.

        Raises:
            Retryable: the database is away; follow again from the last one that came.
        """
        async with aclosing(wake_ups(self._database, "action")) as wakes:
            async for _ in wakes:
                while found := await self.after(identity):
                    for one in found:
                        identity = one.id
                        yield one

    async def windows(
        self, before: int | None = None, limit: int = 100, roots: Sequence[str] | None = None
    ) -> list[KeptWindow]:
        """Maintenance windows and assets out of service, the newest first; with `roots` only at and below these."""
        return await self._windows({"before": before, "limit": limit, "id": None, "roots": roots and list(roots)})

    async def window(self, identity: int) -> KeptWindow | None:
        """One of them."""
        return next(iter(await self._windows({"before": None, "limit": 1, "id": identity, "roots": None})), None)

    async def _windows(self, values: Mapping[str, Any]) -> list[KeptWindow]:
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["windows"], values)).fetchall()
        return [KeptWindow(action(*row[:7]), row[7] and to_ns(row[7]), row[8], row[9]) for row in rows]


def action(
    identity: int, kind: str, target: str, at: datetime, operator: str, comment: str, detail: Mapping[str, Any]
) -> Action:
    """A row in our own terms."""
    return Action(identity, ActionKind(kind), target, to_ns(at), operator, comment, detail)
