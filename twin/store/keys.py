"""API keys of machines: the digest of the secret, grants, an end; revoked, never deleted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from twin.access.grants import By, Grant
from twin.store.accounts import documents, grants_of
from twin.store.database import Database
from twin.store.queries import load_queries

_QUERIES = load_queries("keys")


@dataclass(frozen=True, slots=True)
class Key:
    """One key, without what is secret."""

    id: str
    title: str
    grants: tuple[Grant, ...]
    made_by: str
    made_at: datetime
    ends_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class UsableKey:
    """What is needed to check one."""

    title: str
    digest: bytes
    grants: tuple[Grant, ...]
    ends_s: float  # Unix time


class Keys:
    """The keys of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def add(
        self, identity: str, digest: bytes, title: str, grants: Sequence[Grant], days: int, by: By
    ) -> Key | None:
        """A new key; None when a key that can be used has this title."""
        values = {"id": identity, "title": title, "digest": digest, "grants": documents(grants), "days": days}
        async with self._database.transaction(by) as connection:
            row = await (await connection.execute(_QUERIES["add"], {**values, "made_by": by.who})).fetchone()
        return _key(*row) if row else None

    async def find(self, identity: str) -> UsableKey | None:
        """The key with this id, unless it has ended or was revoked."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_QUERIES["find"], {"id": identity})).fetchone()
        return UsableKey(row[0], bytes(row[1]), grants_of(row[2]), row[3]) if row else None

    async def all(self) -> list[Key]:
        """Every key that ever was, the newest first."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["all"])).fetchall()
        return [_key(*row) for row in rows]

    async def revoke(self, identity: str, by: By) -> Key | None:
        """End a key now; None when there is none to end."""
        async with self._database.transaction(by) as connection:
            row = await (await connection.execute(_QUERIES["revoke"], {"id": identity})).fetchone()
        return _key(*row) if row else None


def _key(
    identity: str,
    title: str,
    grants: list[dict[str, str]],
    made_by: str,
    made_at: datetime,
    ends_at: datetime,
    revoked_at: datetime | None,
) -> Key:
    return Key(identity, title, grants_of(grants), made_by, made_at, ends_at, revoked_at)
