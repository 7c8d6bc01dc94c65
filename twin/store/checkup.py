"""A look at a database that changes nothing: `twin doctor` must not migrate what it examines.

In: an address. Out: what the server is, how far its schema and its clock are, what each node brought last, who works.
"""

import time
from dataclasses import dataclass
from datetime import datetime

from twin.store.database import Database, complete, public_name, the_row, translated
from twin.store.edition import Edition
from twin.store.leases import LOCK
from twin.store.migrate import applied, migrations
from twin.store.pool import Connection
from twin.store.queries import load_queries
from twin.store.times import to_ns

_QUERIES = load_queries("checkup")


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a server."""

    name: str  # host:port/database
    server: str  # version
    database_bytes: int
    answered_in_s: float
    ahead_s: float  # of its clock before ours; right within half of `answered_in_s`
    has_timescale: bool
    may_take_role: bool
    applied: int  # migrations
    known: int  # to this program

    @property
    def is_up_to_date(self) -> bool:
        """The schema is the one of this program."""
        return self.applied == self.known


@dataclass(frozen=True, slots=True)
class Newest:
    """What a node brought last."""

    committed_ns: int
    sampled_ns: int | None


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease."""

    where: str
    since_ns: int


async def look_at(dsn: str, role: str) -> Look:
    """Connect once.

    Raises:
        ConfigError: the address or the user is wrong.
        Retryable: the server is away.
    """
    name = public_name(dsn)
    with translated(name):
        async with await Connection.connect(complete(dsn, 10), autocommit=True) as connection:
            begun_s = time.time()
            found = await the_row(connection, _QUERIES["server"], {"role": role})
            ended_s = time.time()
            server, size, clock_s, has_timescale, may_take = found
            edition = Edition.APACHE if has_timescale else Edition.PLAIN  # the two dialects have the same numbers
            return Look(
                name=name,
                server=server,
                database_bytes=size,
                answered_in_s=ended_s - begun_s,
                ahead_s=clock_s - (begun_s + ended_s) / 2,
                has_timescale=has_timescale,
                may_take_role=may_take,
                applied=await applied(connection),
                known=len(migrations(edition)),
            )


class CheckUp:
    """What an open store can say of those who work with it."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def newest(self) -> dict[str, Newest]:
        """By node; who brought nothing for a day is left out."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["newest"])).fetchall()
        return {node: Newest(to_ns(committed), None if last is None else to_ns(last)) for node, committed, last in rows}

    async def holder(self, lease: str) -> Holder | None:
        """Who holds a lease; None: nobody works."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_QUERIES["holder"], {"lock": LOCK, "name": lease})).fetchone()
        if row is None:
            return None
        since: datetime = row[1]
        return Holder(row[0], to_ns(since))
