"""The api as an ASGI application: plant, live state, series, gateways, health, the live WebSocket and the page.

In: settings. Out: a FastAPI app whose lifespan runs the live feed, the hub and the link to the store. Stateless: any
number of these processes can stand behind a load balancer.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import Depends, FastAPI
from starlette_compress import CompressMiddleware

from api import errors, openapi, page
from api.access.gate import Gate, every_route_has_a_rule
from api.access.identify import Identities
from api.access.oidc import Oidc
from api.access.sign_in import SignIn
from api.board import Board
from api.conditional import Conditional
from api.confirmation import Confirmer
from api.deps import Parts, authorise
from api.feed import LiveFeed
from api.hub import Hub
from api.metrics import Metrics
from api.routes import (
    aas,
    alarm_figures,
    alarms,
    assets,
    audit,
    detectors,
    findings,
    forecasts,
    gateways,
    health,
    intervals,
    keys,
    kpis,
    live,
    live_events,
    maintenance,
    maintenance_windows,
    plant,
    risk,
    scenarios,
    session,
    signals,
    users,
)
from api.scenarios import Desk
from api.security import MOST_BODY_BYTES, Guard
from api.settings import ApiSettings
from api.store_link import StoreLink
from twin.plant.load import load_plant

log = logging.getLogger(__name__)


def create_app(settings: ApiSettings) -> FastAPI:
    """The application.

    Raises:
        ConfigError: the plant model is wrong.
    """
    parts = _parts(settings)
    app = FastAPI(
        title="Fabriquay",
        version=version("fabriquay"),
        summary="The live digital twin of a micro-factory and a container terminal",
        description=openapi.DESCRIPTION,
        openapi_tags=openapi.TAGS,
        openapi_url="/openapi.json",
        docs_url=None,  # they load scripts from elsewhere; the page must work on a closed network
        redoc_url=None,
        lifespan=_lifespan,
        redirect_slashes=False,
        dependencies=[Depends(authorise)],
        max_body_size=MOST_BODY_BYTES,  # also of a body whose length nobody has said
    )
    app.state.parts = parts
    app.state.broken = None
    errors.install(app)
    for routes in (
        aas,
        plant,
        assets,
        findings,
        signals,
        detectors,
        scenarios,
        alarm_figures,
        alarms,
        maintenance_windows,
        kpis,
        intervals,
        forecasts,
        risk,
        maintenance,
        gateways,
        health,
        live,
        live_events,
        session,
        users,
        keys,
        audit,
    ):
        app.include_router(routes.router)
    page.install(app, settings)
    openapi.install(app, settings.access)
    every_route_has_a_rule(app)
    app.add_middleware(Conditional)
    app.add_middleware(CompressMiddleware)  # around the other: what is unchanged is not compressed
    # Around everything, also around the answer to a bug, which no ordinary middleware sees.
    app.middleware_stack = Guard(app.build_middleware_stack(), settings, parts.metrics)
    return app


def _parts(settings: ApiSettings) -> Parts:
    loaded = load_plant(settings.plant)
    board, metrics = Board(), Metrics()
    link = StoreLink(settings.dsn)
    oidc = Oidc(settings.access.oidc) if settings.access.oidc else None
    gate = Gate(Identities(link, settings.access, oidc), settings.access, settings.allowed_origins)
    feed = LiveFeed(board, settings.broker, settings.live, metrics)
    return Parts(
        settings=settings,
        plant=loaded,
        plant_json=plant.to_json(loaded),
        link=link,
        gate=gate,
        sign_in=SignIn(link, settings.access),
        oidc=oidc,
        board=board,
        feed=feed,
        hub=Hub(board, feed, settings.live, metrics, loaded.revision),
        metrics=metrics,
        scenarios=Desk(loaded, link),
        confirmer=Confirmer(loaded),
        streams=asyncio.Semaphore(settings.series.max_streams),
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    parts: Parts = app.state.parts
    tasks = [
        asyncio.create_task(parts.feed.run(), name="live feed"),
        asyncio.create_task(parts.hub.run(), name="live hub"),
        asyncio.create_task(parts.link.run(), name="store link"),
        asyncio.create_task(parts.scenarios.run(), name="scenarios"),
    ]

    def ended(task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception() or RuntimeError(f"{task.get_name()} has ended")
        log.critical("%s broke", task.get_name(), exc_info=error)
        broken: asyncio.Future[None] | None = app.state.broken
        if broken is not None and not broken.done():
            broken.set_exception(error)

    for task in tasks:
        task.add_done_callback(ended)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
