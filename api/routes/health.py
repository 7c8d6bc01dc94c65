"""For supervisors: does the process live, can it serve, what has it counted."""

import asyncio
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from api.deps import Parts, PartsDep
from api.errors import ProblemError
from api.openapi import problems
from twin.errors import Retryable

router = APIRouter(tags=["health"])

PING_TIMEOUT_S = 2.0
NO_STORE = {"Cache-Control": "no-store"}
METRICS_TEXT = {CONTENT_TYPE_LATEST: {"schema": {"type": "string"}}}


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class Part(BaseModel):
    """One part behind the api."""

    status: Annotated[str, Field(examples=["ok"])]
    detail: str


class Ready(BaseModel):
    """The api can serve; `degraded` when the twin publishes nothing, so that states are old."""

    status: Literal["ok", "degraded"]
    parts: dict[str, Part]


@router.get("/healthz", operation_id="getHealth", summary="Is the process alive?", responses={**problems()})
async def get_health() -> Alive:
    """Always 200 while the process answers at all."""
    return Alive(status="ok")


@router.get(
    "/readyz",
    operation_id="getReadiness",
    summary="Can it serve?",
    response_class=Response,
    responses={200: {"model": Ready, "description": "It can"}, **problems(503)},
)
async def get_readiness(parts: PartsDep) -> Response:
    """200 when the store answers and the live feed is connected."""
    feed = parts.feed.describe()
    store = await _store_trouble(parts)
    missing: list[str] = []
    if store:
        missing.append(f"store: {store}")
    if not parts.feed.connected:
        missing.append(f"broker: {parts.feed.trouble}")
    if missing:
        raise ProblemError(
            503,
            "not-ready",
            "; ".join(missing),
            do="start the missing part or correct its address; the api connects by itself",
            headers={"Retry-After": "2"},
        )
    document: dict[str, Any] = {
        "status": "degraded" if feed["status"] == "silent" else "ok",
        "parts": {
            "store": {"status": "ok", "detail": f"edition {parts.link.store.edition.value}"},
            "feed": {"status": feed["status"], "detail": feed["explanation"]},
        },
    }
    return Response(orjson.dumps(document), media_type="application/json", headers=NO_STORE)


@router.get(
    "/metrics",
    operation_id="getMetrics",
    summary="Counters for Prometheus",
    response_class=Response,
    responses={200: {"description": "Prometheus text", "content": METRICS_TEXT}, **problems()},
)
async def get_metrics(parts: PartsDep) -> Response:
    """What the api counts about itself."""
    return Response(generate_latest(parts.metrics.registry), media_type=CONTENT_TYPE_LATEST, headers=NO_STORE)


async def _store_trouble(parts: Parts) -> str:
    try:
        async with asyncio.timeout(PING_TIMEOUT_S):
            await parts.link.store.ping()
    except ProblemError as problem:
        return problem.detail
    except Retryable as error:
        return str(error)
    except TimeoutError:
        return f"no answer within {PING_TIMEOUT_S:g} s"
    return ""
