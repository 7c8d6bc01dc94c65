"""`/v1/maintenance`: windows in which alarms are suppressed, assets out of service; `/v1/new-normal`.

Each is an operator's action, kept for ever; it takes effect in `twin run`.
"""

import time
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from api.alarm_documents import ActionModel, MaintenanceOrder, NewNormalOrder, Said, WindowsModel
from api.conditional import FRESH
from api.deps import PartsDep, PermitDep
from api.errors import ProblemError
from api.once import OnceDep
from api.openapi import problems
from api.routes.alarms import keep_action, known_place
from api.window import ns_of
from twin.state.alarm_model import Action, ActionKind
from twin.state.document import rfc3339
from twin.store.actions import KeptWindow

router = APIRouter(prefix="/v1", tags=["alarms"])

_KEPT: dict[int | str, dict[str, Any]] = {202: {"model": ActionModel, "description": "Kept"}}
_MOST_ID = 2**63 - 1
WindowId = Annotated[int, Path(ge=1, le=_MOST_ID, description="The window's id")]


@router.get(
    "/maintenance",
    operation_id="listMaintenance",
    summary="Maintenance windows and assets out of service",
    response_class=Response,
    responses={200: {"model": WindowsModel, "description": "The newest first"}, **problems(422, 503)},
)
async def list_maintenance(
    parts: PartsDep,
    permit: PermitDep,
    before: Annotated[int | None, Query(ge=1, le=_MOST_ID, description="Only older ones than this id")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="At most so many")] = 100,
) -> Response:
    """Who announced it, until when, and who ended it."""
    found = await parts.link.store.actions.windows(before, limit, permit.within)
    body = {"windows": [_window(one) for one in found]}
    return Response(orjson.dumps(body), media_type="application/json", headers=FRESH)


@router.post(
    "/maintenance",
    operation_id="addMaintenance",
    summary="Announce maintenance, or put something out of service",
    status_code=202,
    response_class=Response,
    responses={**_KEPT, **problems(403, 404, 409, 422, 503)},
)
async def add_maintenance(order: MaintenanceOrder, parts: PartsDep, permit: PermitDep, once: OnceDep) -> Response:
    """Alarms at and below the path go on but are not announced; what is still there afterwards is announced then."""
    permit.demand(order.under)
    known_place(parts, order.under)
    now_ns, kind = time.time_ns(), ActionKind(order.kind)
    start_ns = now_ns if order.start is None else ns_of(order.start)
    end_ns = None if order.end is None else ns_of(order.end)
    if kind is ActionKind.MAINTENANCE and end_ns is None:
        raise _wrong("a maintenance window needs an end", "give end, or kind: out-of-service")
    if end_ns is not None and end_ns <= max(start_ns, now_ns):
        raise _wrong("the end is not after the start and the present", "correct start and end")
    detail = {"start_ns": start_ns, "end_ns": end_ns}
    made = Action(0, kind, order.under, now_ns, permit.caller.name, order.comment, detail)
    return await keep_action(once, made)


@router.post(
    "/maintenance/{window}/end",
    operation_id="endMaintenance",
    summary="End a window now",
    status_code=202,
    response_class=Response,
    responses={**_KEPT, **problems(403, 404, 409, 422, 503)},
)
async def end_maintenance(
    window: WindowId,
    said: Said,
    parts: PartsDep,
    permit: PermitDep,
    once: OnceDep,
) -> Response:
    """Back in service, or ready earlier than planned; one that has not begun yet is withdrawn."""
    found = await parts.link.store.actions.window(window)
    if found is None:
        raise ProblemError(404, "unknown-window", f"no window {window}", do="/v1/maintenance lists every window")
    permit.demand(found.action.target)
    now_ns = time.time_ns()
    end_ns = found.ended_ns or found.action.detail.get("end_ns")
    refused = f"window {window} is over since {rfc3339(end_ns)}" if end_ns and end_ns <= now_ns else ""
    made = Action(0, ActionKind.END, str(window), now_ns, permit.caller.name, said.comment)
    return await keep_action(once, made, refused)


@router.post(
    "/new-normal",
    operation_id="addNewNormal",
    summary="What it does now is how it shall be",
    status_code=202,
    response_class=Response,
    responses={**_KEPT, **problems(403, 404, 409, 422, 503)},
)
async def add_new_normal(order: NewNormalOrder, parts: PartsDep, permit: PermitDep, once: OnceDep) -> Response:
    """After a repair or a change of process: the detectors learn this signal, or every signal of this asset, anew."""
    permit.demand(order.path)
    if not parts.plant.has_signal(order.path):
        parts.asset(order.path)
    made = Action(0, ActionKind.NEW_NORMAL, order.path, time.time_ns(), permit.caller.name, order.comment)
    return await keep_action(once, made)


def _window(one: KeptWindow) -> dict[str, Any]:
    detail, action = one.action.detail, one.action
    end_ns = detail.get("end_ns")
    return {
        "id": action.id,
        "kind": action.kind.value,
        "under": action.target,
        "start": rfc3339(int(detail.get("start_ns") or action.at_ns)),
        "end": None if end_ns is None else rfc3339(end_ns),
        "operator": action.operator,
        "comment": action.comment,
        "ended_at": None if one.ended_ns is None else rfc3339(one.ended_ns),
        "ended_by": one.ended_by,
        "ended_comment": one.ended_comment,
    }


def _wrong(detail: str, do: str) -> ProblemError:
    return ProblemError(422, "wrong-window", detail, do=do)
