"""The parts that routes work with, made once per app, and the permit of each request, by FastAPI's dependencies."""

import asyncio
import difflib
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from api.access.caller import Permit
from api.access.gate import Gate
from api.access.oidc import Oidc
from api.access.sign_in import SignIn
from api.board import Board
from api.confirmation import Confirmer
from api.errors import ProblemError
from api.feed import LiveFeed
from api.hub import Hub
from api.metrics import Metrics
from api.scenarios import Desk
from api.settings import ApiSettings
from api.store_link import StoreLink
from twin.plant.tree import Asset, Plant, Signal


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that lives as long as the app."""

    settings: ApiSettings
    plant: Plant
    plant_json: bytes
    link: StoreLink
    gate: Gate
    sign_in: SignIn
    oidc: Oidc | None
    board: Board
    feed: LiveFeed
    hub: Hub
    metrics: Metrics
    scenarios: Desk
    confirmer: Confirmer
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


async def authorise(connection: HTTPConnection) -> Permit:
    """The gate before every route; what comes after it reads the permit."""
    return await connection.app.state.parts.gate.admit(connection)


PermitDep = Annotated[Permit, Depends(authorise)]
