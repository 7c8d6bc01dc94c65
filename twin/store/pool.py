"""A few open connections that are lent one at a time; a server that comes back is used again at once.

In: an address. Out: idle connections in autocommit. A connection that the server has closed is found without a round
trip; an attempt to connect fails at once, for waiting is the caller's business. (psycopg's own pool doubles its pause
between attempts: after an hour without a server it would stay away for minutes more.)
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Self

import psycopg
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

Connection = AsyncConnection[Any]


class Pool:
    """At most `size` connections; who finds none free within `wait_s` gets an OperationalError."""

    def __init__(self, conninfo: str, *, size: int, wait_s: float) -> None:
        self._conninfo: str = conninfo
        self._free: asyncio.Semaphore = asyncio.Semaphore(size)
        self._wait_s: float = wait_s
        self._idle: list[Connection] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        while self._idle:
            await self._idle.pop().close()

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Connection]:
        """Lend a connection; one that comes back in the middle of something is closed."""
        try:
            async with asyncio.timeout(self._wait_s):
                await self._free.acquire()
        except TimeoutError as error:
            raise psycopg.OperationalError(f"no connection was free within {self._wait_s:g} s") from error
        try:
            connection = await self._take()
            try:
                yield connection
            finally:
                await self._give_back(connection)
        finally:
            self._free.release()

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if _lives(connection):
                return connection
            await connection.close()
        return await Connection.connect(self._conninfo, autocommit=True)

    async def _give_back(self, connection: Connection) -> None:
        if not connection.closed and connection.info.transaction_status is TransactionStatus.IDLE:
            self._idle.append(connection)
        else:
            await connection.close()


class Lent:
    """The connection of a unit of work in the place of a pool: whoever asks gets it."""

    def __init__(self, connection: Connection) -> None:
        self._connection: Connection = connection

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Connection]:
        """Lend it; it stays in its transaction."""
        yield self._connection


def _lives(connection: Connection) -> bool:
    """Whether the other end is still there, as far as this machine has heard."""
    try:
        connection.pgconn.consume_input()
    except psycopg.OperationalError:
        return False
    return not connection.closed
