"""What was done to the machines: told by people or other systems, kept for ever, an input of the risk."""

import time
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field

from api.asked_times import End, Start
from api.conditional import FRESH
from api.deps import Parts, PartsDep, PermitDep
from api.errors import FieldProblem, ProblemError
from api.once import Answer, OnceDep
from api.openapi import problems
from api.risk_documents import Accepted, EventsModel, NewEvent
from api.window import rfc3339, window
from twin.errors import Rejected
from twin.plant.maintenance import MaintenanceEvent, event_of
from twin.store.connect import Store

router = APIRouter(prefix="/v1", tags=["maintenance"])

MOST_EVENTS = 10_000


@router.post(
    "/maintenance-events",
    operation_id="addMaintenanceEvents",
    summary="Tell of maintenance",
    response_class=Response,
    responses={200: {"model": Accepted, "description": "All are kept"}, **problems(422, 503)},
)
async def add_maintenance_events(
    events: Annotated[list[NewEvent], Field(min_length=1, max_length=MOST_EVENTS)],
    parts: PartsDep,
    permit: PermitDep,
    once: OnceDep,
) -> Response:
    """All of them or none. The same event (asset, at, kind, component) again changes nothing."""
    for asset in {one.asset for one in events}:
        permit.demand(asset)
    kept = _events(parts, events, permit.caller.name)

    async def work(store: Store) -> Answer:
        return Answer(200, {"accepted": len(kept), "new": await store.maintenance.add(kept, permit.by)})

    return await once.change(work)


@router.get(
    "/maintenance-events",
    operation_id="listMaintenanceEvents",
    summary="The maintenance that was told",
    response_class=Response,
    responses={200: {"model": EventsModel, "description": "The events"}, **problems(404, 422, 503)},
)
async def list_maintenance_events(
    parts: PartsDep,
    permit: PermitDep,
    asset: Annotated[str | None, Query(description="Only of this asset", examples=["factory/machining/mill-1"])] = None,
    start: Start = "-30d",
    end: End = "now",
) -> Response:
    """Events that began in the window, oldest first, at most 10,000."""
    if asset is not None:
        parts.asset(asset)
    try:
        span = window(start, end, time.time_ns())
    except Rejected as refused:
        raise ProblemError(422, refused.reason, str(refused), do="give a start before the end") from refused
    found = await parts.link.store.maintenance.between(span.start_ns, span.end_ns, asset=asset, limit=MOST_EVENTS)
    events = [_event(one) for one in found if permit.covers(one.asset)]
    return Response(orjson.dumps({"events": events}), media_type="application/json", headers=FRESH)


def _events(parts: Parts, events: list[NewEvent], who: str) -> list[MaintenanceEvent]:
    kept: list[MaintenanceEvent] = []
    wrong: list[FieldProblem] = []
    for number, one in enumerate(events):
        row: dict[str, str | None] = {
            "asset": one.asset,
            "at": one.at.isoformat(),
            "until_at": one.until_at.isoformat() if one.until_at else "",
            "kind": one.kind.value,
            "component": one.component,
            "comment": one.comment,
        }
        try:
            kept.append(event_of(row, parts.plant, source=who))
        except ValueError as error:
            wrong.append(FieldProblem(field=f"body.{number}", problem=str(error)))
    if wrong:
        detail = "; ".join(f"{one.field}: {one.problem}" for one in wrong[:20])
        raise ProblemError(422, "invalid-parameters", detail, do="correct these events; none was kept", errors=wrong)
    return kept


def _event(event: MaintenanceEvent) -> dict[str, Any]:
    return {
        "id": str(event.id),
        "asset": event.asset,
        "at": rfc3339(event.at_ns),
        "until_at": None if event.until_ns is None else rfc3339(event.until_ns),
        "kind": event.kind.value,
        "component": event.component,
        "comment": event.comment,
        "source": event.source,
    }
