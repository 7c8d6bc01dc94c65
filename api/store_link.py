"""The link to the store: it comes up when the database does, so that the api starts without it.

In: an address. Out: the open `Store`, or a 503 problem that says why there is none.
"""

import asyncio
import logging

from api.errors import unavailable
from twin.errors import Retryable
from twin.store.connect import Store, open_store
from twin.wire.backoff import Backoff

log = logging.getLogger(__name__)

LONGEST_PAUSE_S = 5.0
POOL_WAIT_S = 3.0  # people wait for the answer
ROLE = "fabriquay_api"  # it reads everything and writes what people say, never a sample


class StoreLink:
    """The store once it could be opened; the pool inside it survives later absences of the database."""

    def __init__(self, dsn: str) -> None:
        self._dsn: str = dsn
        self._store: Store | None = None
        self._open: asyncio.Event = asyncio.Event()
        self._trouble: str = "the store has not been opened yet"
        self._signal_ids: dict[str, int] = {}

    @property
    def store(self) -> Store:
        """The open store; a 503 problem while there is none."""
        if self._store is None:
            raise unavailable(self._trouble)
        return self._store

    async def opened(self) -> None:
        """Wait until it is open."""
        await self._open.wait()

    async def run(self) -> None:
        """Open it, with patience, and keep it open until cancelled."""
        backoff = Backoff(most_s=LONGEST_PAUSE_S)
        while True:
            try:
                async with open_store(self._dsn, wait_s=POOL_WAIT_S, role=ROLE) as store:
                    self._store = store
                    self._open.set()
                    log.info("the store is open")
                    await asyncio.Event().wait()
            except Retryable as error:
                if str(error) != self._trouble:
                    log.warning("the store cannot be opened: %s", error)
                self._trouble = str(error)
            finally:
                self._store = None
                self._open.clear()
            await backoff.wait()

    async def signal_id(self, path: str) -> int:
        """The store's number of a signal; a 503 problem while `twin run` or `twin migrate` has not registered it."""
        if path not in self._signal_ids:
            self._signal_ids = await self.store.plants.signal_ids()
        if path not in self._signal_ids:
            raise unavailable(f"signal {path!r} is in the plant but not in the store yet; `twin migrate` registers it")
        return self._signal_ids[path]
