"""Users: name, argon2id hash, grants; and the wrong passwords that lock a name. Never deleted: the audit names them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from twin.access.grants import By, Grant, Role
from twin.store.database import Database
from twin.store.queries import load_queries

_QUERIES = load_queries("accounts")


@dataclass(frozen=True, slots=True)
class Account:
    """One user."""

    name: str
    grants: tuple[Grant, ...]
    is_initial: bool  # somebody else has chosen the password
    disabled: bool
    created_at: datetime
    password: str = ""  # the hash; only where it is checked


@dataclass(frozen=True, slots=True)
class Lock:
    """How a name is locked after too many wrong passwords."""

    attempts: int
    lock_s: float


class Accounts:
    """The users of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def add(
        self, name: str, password: str, grants: Sequence[Grant], by: By, *, is_initial: bool = True
    ) -> Account | None:
        """A new user with this hash; None when the name is taken, in whatever case."""
        values = {"name": name, "password": password, "grants": documents(grants), "is_initial": is_initial}
        return await self._one("add", values, by)

    async def all(self) -> list[Account]:
        """Every user, by name."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["all"])).fetchall()
        return [_account(*row) for row in rows]

    async def get(self, name: str) -> Account | None:
        """The user with this name in any case, with the hash."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_QUERIES["one"], {"name": name})).fetchone()
        return _account(*row) if row else None

    async def change(
        self, name: str, by: By, *, grants: Sequence[Grant] | None = None, disabled: bool | None = None
    ) -> Account | None:
        """Other grants, or no log-in any more; None when there is no such user."""
        given = None if grants is None else documents(grants)
        return await self._one("change", {"name": name, "grants": given, "disabled": disabled}, by)

    async def set_password(self, name: str, password: str, by: By, *, is_initial: bool) -> bool:
        """Another hash; whether there is such a user."""
        values = {"name": name, "password": password, "is_initial": is_initial}
        async with self._database.transaction(by) as connection:
            row = await (await connection.execute(_QUERIES["set_password"], values)).fetchone()
        return row is not None

    async def locked_s(self, name: str) -> float:
        """For how long nobody can sign in with this name; 0: not locked."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_QUERIES["failure"], {"name": name})).fetchone()
        return max(0.0, row[1] or 0.0) if row else 0.0

    async def failed(self, name: str, lock: Lock) -> None:
        """A wrong password for this name, whether it exists or not."""
        values = {"name": name, "attempts": lock.attempts, "lock_s": lock.lock_s}
        async with self._database.transaction() as connection:
            await connection.execute(_QUERIES["forget_old"])
            await connection.execute(_QUERIES["failed"], values)

    async def succeeded(self, name: str) -> None:
        """The right password."""
        async with self._database.connection() as connection:
            await connection.execute(_QUERIES["succeeded"], {"name": name})

    async def _one(self, query: str, values: dict[str, Any], by: By) -> Account | None:
        async with self._database.transaction(by) as connection:
            row = await (await connection.execute(_QUERIES[query], values)).fetchone()
        return _account(*row) if row else None


def documents(grants: Iterable[Grant]) -> Jsonb:
    """Grants as they are kept."""
    return Jsonb([grant.document() for grant in grants])


def grants_of(rows: Iterable[dict[str, str]]) -> tuple[Grant, ...]:
    """Grants as they were kept."""
    return tuple(Grant(Role(row["role"]), row["under"]) for row in rows)


def _account(
    name: str, grants: list[dict[str, str]], is_initial: bool, disabled: bool, created_at: datetime, password: str = ""
) -> Account:
    return Account(name, grants_of(grants), is_initial, disabled, created_at, password)
