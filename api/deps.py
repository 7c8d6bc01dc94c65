"""The parts that routes work with, made once per app and handed over by FastAPI's dependencies.

In: settings. Out: `Parts`; the store is a link that comes up when the database does, so the api starts without it.
"""

import asyncio
import difflib
import logging
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from api.board import Board
from api.errors import ProblemError, unavailable
from api.feed import LiveFeed
from api.hub import Hub
from api.metrics import Metrics
from api.scenarios import Desk
from api.settings import ApiSettings
from twin.errors import Retryable
from twin.plant.tree import Asset, Plant, Signal
from twin.store.connect import Store, open_store
from twin.wire.backoff import Backoff

log = logging.getLogger(__name__)

LONGEST_PAUSE_S = 5.0
POOL_WAIT_S = 3.0  # people wait for the answer


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
                async with open_store(self._dsn, wait_s=POOL_WAIT_S) as store:
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


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that lives as long as the app."""

    settings: ApiSettings
    plant: Plant
    plant_json: bytes
    link: StoreLink
    board: Board
    feed: LiveFeed
    hub: Hub
    metrics: Metrics
    scenarios: Desk
    streams: asyncio.Semaphore  # places for CSV and Arrow downloads

    def asset(self, path: str) -> Asset:
        """The asset, or a 404 problem that names the nearest ones."""
        if not self.plant.has_asset(path):
            raise unknown("asset", path, [asset.path for asset in self.plant.assets])
        return self.plant.asset(path)

    def signal(self, path: str) -> Signal:
        """The signal, or a 404 problem that names the nearest ones."""
        if not self.plant.has_signal(path):
            raise unknown("signal", path, [signal.path for signal in self.plant.signals])
        return self.plant.signal(path)


def unknown(noun: str, path: str, known: list[str]) -> ProblemError:
    """404 with a suggestion."""
    near = difflib.get_close_matches(path[:200], known, n=3, cutoff=0.7)
    hint = f"did you mean {' or '.join(repr(one) for one in near)}?" if near else "/v1/plant lists every path"
    return ProblemError(404, f"unknown-{noun}", f"there is no {noun} {path[:200]!r} in the plant", do=hint)


def _parts(connection: HTTPConnection) -> Parts:
    return connection.app.state.parts


PartsDep = Annotated[Parts, Depends(_parts)]
