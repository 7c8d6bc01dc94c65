"""Who has signed in with a browser: sessions by the digest of their cookie, shared by all processes of the api."""

from collections.abc import Sequence
from dataclasses import dataclass

from twin.access.grants import Grant
from twin.store.accounts import documents, grants_of
from twin.store.database import Database
from twin.store.queries import load_queries

_QUERIES = load_queries("sessions")


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who has signed in; grants are those of now."""

    name: str
    grants: tuple[Grant, ...]
    ends_s: float  # Unix time
    is_initial: bool = False  # the password was chosen by somebody else


class Sessions:
    """The sessions of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def add(
        self, digest: bytes, name: str, address: str, length_s: float, grants: Sequence[Grant] | None = None
    ) -> None:
        """A new session; without grants those of the user with this name hold, whenever it is looked at."""
        account = name if grants is None else None
        values = {"digest": digest, "name": name, "account": account, "address": address, "length_s": length_s}
        given = None if grants is None else documents(grants)
        async with self._database.transaction() as connection:
            await connection.execute(_QUERIES["forget_old"])
            await connection.execute(_QUERIES["add"], {**values, "grants": given})

    async def find(self, digest: bytes, idle_s: float) -> Session | None:
        """The session, unless it has ended, was unused for so long, or its user is disabled."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_QUERIES["find"], {"digest": digest, "idle_s": idle_s})).fetchone()
            if row is not None:
                await connection.execute(_QUERIES["use"], {"digest": digest})
        return Session(row[0], grants_of(row[1]), row[2], row[3]) if row else None

    async def end(self, digest: bytes) -> str | None:
        """Sign out; whose session it was."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_QUERIES["end"], {"digest": digest})).fetchone()
        return row[0] if row else None

    async def end_all(self, account: str, but: bytes | None = None) -> None:
        """End the sessions of a user, except perhaps one."""
        async with self._database.connection() as connection:
            await connection.execute(_QUERIES["end_all"], {"account": account, "but": but})
