"""The door to the database: pool, edition, schema, and the translation of every psycopg error.

In: an address. Out: a `Store`, whose members speak in this project's own types and errors.
What comes back by itself (server away, lock or time limit, failover) is `Retryable`; what a person has to mend
(address, password, rights) is `ConfigError`; anything else is a bug and stays what it is.
"""

import logging
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict
from typing import Any, LiteralString

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from twin.access.grants import By
from twin.errors import ConfigError, Retryable
from twin.store.edition import Edition, find_edition
from twin.store.migrate import migrate
from twin.store.pool import Connection, Lent, Pool
from twin.store.queries import load_queries

_QUERIES = load_queries("database")

log = logging.getLogger(__name__)

_AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
)
_DENIED = (errors.InsufficientPrivilege, errors.InvalidPassword, errors.InvalidAuthorizationSpecification)
_HOPELESS = ("password authentication failed", "does not exist", "no pg_hba.conf entry", "no password supplied")


class Database:
    """A pool of connections to one database whose edition is known."""

    def __init__(self, pool: Pool | Lent, edition: Edition, name: str) -> None:
        self._pool: Pool | Lent = pool
        self.edition: Edition = edition
        self.name: str = name

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Connection]:
        """A connection in autocommit: each statement is its own transaction."""
        with translated(self.name):
            async with self._pool.connection() as connection:
                yield connection

    @asynccontextmanager
    async def transaction(self, by: By | None = None) -> AsyncGenerator[Connection]:
        """One unit of work: committed at the end of the block, undone when it raises; `by` stands in the audit."""
        async with self.connection() as connection, connection.transaction():
            if by is not None:
                await connection.execute(_QUERIES["by"], asdict(by))
            yield connection

    @asynccontextmanager
    async def unit(self, by: By | None = None) -> AsyncGenerator["Database"]:
        """One transaction around what several members do; their own transactions are savepoints of it."""
        async with self.transaction(by) as connection:
            yield Database(Lent(connection), self.edition, self.name)


async def the_row(
    connection: Connection, query: LiteralString, values: Mapping[str, Any] | None = None, *, binary: bool = False
) -> tuple[Any, ...]:
    """The row of a query that always gives exactly one."""
    (row,) = await (await connection.execute(query, values, binary=binary)).fetchall()
    return row


@contextmanager
def translated(name: str) -> Generator[None]:
    """Turn psycopg's errors into ours; `name` says which database, without its password."""
    try:
        yield
    except _DENIED as error:
        raise ConfigError(
            f"the database {name} denies access: {_first_line(error)}; check its user's rights"
        ) from error
    except _AWAY as error:
        text = str(error)
        if error.sqlstate is None and any(sign in text for sign in _HOPELESS):
            raise ConfigError(f"the database {name} refuses: {_first_line(error)}; check the address") from error
        raise Retryable(f"the database {name} is away: {_first_line(error)}") from error


@asynccontextmanager
async def open_database(
    dsn: str, *, size: int = 8, statement_timeout_s: float = 60, wait_s: float = 10, role: str = ""
) -> AsyncGenerator[Database]:
    """Connect, find the edition, bring the schema up to date, keep a pool of at most `size` connections.

    With a `role`, where the server has it and this user may take it, the pool has its rights and no others.

    Raises:
        ConfigError: the address, the user or the schema's version is wrong.
        Retryable: the server is away.
    """
    name = public_name(dsn)
    with translated(name):
        async with await Connection.connect(complete(dsn, 0), autocommit=True) as connection:
            edition = await find_edition(connection)
            await migrate(connection, edition)
            taken = role if role and await _may_take(connection, role) else ""
    async with Pool(complete(dsn, statement_timeout_s, taken), size=size, wait_s=wait_s) as pool:
        yield Database(pool, edition, name)


async def _may_take(connection: Connection, role: str) -> bool:
    (found,) = await the_row(connection, _QUERIES["may_take"], {"role": role})
    if not found:
        log.warning("role %s is not there, or this user may not take it: the own rights of the user hold", role)
    return bool(found)


def complete(dsn: str, statement_timeout_s: float, role: str = "") -> str:
    """The address with what all our connections have in common."""
    try:
        given = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError as error:
        raise ConfigError(
            f"not a database address: {_first_line(error)}; expected postgresql://user@host/name"
        ) from error
    options = f"-c statement_timeout={int(statement_timeout_s * 1000)} -c timezone=UTC -c jit=off"
    options += " -c idle_in_transaction_session_timeout=30000"  # a client that is cut off must not hold the commit lock
    options += f" -c role={role}" if role else ""
    keepalive = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}
    own: dict[str, Any] = {"application_name": "fabriquay", "connect_timeout": 5, **keepalive}
    return make_conninfo(dsn, **{**own, **given, "options": f"{options} {given.get('options') or ''}".strip()})


def public_name(dsn: str) -> str:
    """Which database, without its password."""
    try:
        given = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        return "?"
    return f"{given.get('host') or 'localhost'}:{given.get('port') or 5432}/{given.get('dbname') or ''}"


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
