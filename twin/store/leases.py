"""Leases: of any number of processes one does a work; when it dies, or the database has lost it, another takes over.

In: a name and the work. Out: the work runs here while the lease is ours. The lease is an advisory lock of a session of
its own, so nobody has to give it back: a killed process loses it with its connection.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from twin.errors import Retryable
from twin.store.database import Database, the_row
from twin.store.pool import Connection
from twin.store.queries import load_queries

LOCK = 0x4642514C  # "FBQL"
_LOOK_S = 0.5  # how soon somebody who stands by sees that the lease is free
_log = logging.getLogger(__name__)
_QUERIES = load_queries("leases")

Work = Callable[[], Awaitable[None]]


class Leases:
    """The leases of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def hold(self, name: str, work: Work) -> None:
        """Do the work while the lease is ours, stand by while it is another's; until cancelled.

        While the database is away the work goes on, for nobody can take the lease; when another was faster afterwards,
        the work is cancelled. What the work raises is raised here.
        """
        holder = _Holder(name, work)
        try:
            while True:
                try:
                    async with self._database.connection() as connection:
                        try:
                            await holder.watch(connection)
                        except asyncio.CancelledError:
                            await holder.stop()  # while the lock is still ours
                            raise
                        finally:
                            await connection.close()  # the lock goes with the session: never back into the pool
                except Retryable as away:
                    holder.lost(away)
                await holder.pause()
        finally:
            await holder.stop()


class _Holder:
    """One process's part in one lease."""

    def __init__(self, name: str, work: Work) -> None:
        self._name = name
        self._work = work
        self._working: asyncio.Future[None] | None = None
        self._told = ""

    async def watch(self, connection: Connection) -> None:
        """Ask for the lease again and again; once it is ours, ask whether the session still lives."""
        await connection.execute(_QUERIES["notice_a_dead_host"])
        held = False
        while True:
            if held:
                await connection.execute(_QUERIES["alive"])
            else:
                (held,) = await the_row(connection, _QUERIES["try_lock"], {"lock": LOCK, "name": self._name})
                await (self._begin() if held else self._stand_by())
            await self.pause()

    async def pause(self) -> None:
        """A moment; what the work raises, or that it has ended, shows here."""
        if self._working is None:
            await asyncio.sleep(_LOOK_S)
            return
        await asyncio.wait({self._working}, timeout=_LOOK_S)
        if self._working.done():
            self._working.result()
            raise RuntimeError(f"the work under the lease {self._name!r} has ended by itself")

    async def stop(self) -> None:
        """Cancel the work and wait for its end."""
        working, self._working = self._working, None
        if working is not None:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    def lost(self, away: Retryable) -> None:
        """The session is gone: tell it once."""
        self._tell(f"the lease {self._name!r} cannot be looked at: {away}")

    async def _begin(self) -> None:
        self._tell(f"this process holds the lease {self._name!r}")
        if self._working is None:
            self._working = asyncio.ensure_future(self._work())

    async def _stand_by(self) -> None:
        self._tell(f"another process holds the lease {self._name!r}; standing by")
        await self.stop()

    def _tell(self, text: str) -> None:
        if text != self._told:
            _log.info(text)
        self._told = text
