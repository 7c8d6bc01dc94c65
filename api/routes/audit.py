"""`GET /v1/audit`: who changed what, who signed in, who tried to."""

from typing import Annotated

import orjson
from fastapi import APIRouter, Query
from fastapi.responses import Response

from api.access_documents import AuditModel
from api.asked_times import TIME_RULES, TIME_TEXT, asked_instant
from api.conditional import NO_STORE
from api.deps import PartsDep
from api.openapi import problems
from twin.state.document import rfc3339
from twin.store.audit import AuditFilter

router = APIRouter(prefix="/v1", tags=["access"])

_MOST_ID = 2**63 - 1
_TEXT = r"^[^\x00-\x1f\x7f]*$"


@router.get(
    "/audit",
    operation_id="listAudit",
    summary="Who changed what, and who signed in",
    response_class=Response,
    responses={200: {"model": AuditModel, "description": "A page, the newest first"}, **problems(422, 503)},
)
async def list_audit(
    parts: PartsDep,
    who: Annotated[str | None, Query(max_length=120, pattern=_TEXT, description="Only what this one did")] = None,
    what: Annotated[
        str | None, Query(max_length=60, pattern=r"^[a-z.]*$", description="Only this, e.g. user.added, or user")
    ] = None,
    since: Annotated[str | None, Query(description=f"Not older than: {TIME_TEXT}", **TIME_RULES)] = None,
    before: Annotated[int | None, Query(ge=1, le=_MOST_ID, description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="At most so many")] = 100,
) -> Response:
    """Kept for ever; the database lets nobody change or delete an entry."""
    since_ns = None if since is None else asked_instant("since", since)
    found = await parts.link.store.audit.page(AuditFilter(before, who, what, since_ns), limit + 1)
    entries = [
        {
            "id": one.id,
            "at": rfc3339(one.at_ns),
            "who": one.by.who,
            "how": one.by.how,
            "address": one.by.address,
            "request": one.by.request,
            "what": one.what,
            "target": one.target,
            "detail": dict(one.detail),
        }
        for one in found[:limit]
    ]
    body = {"entries": entries, "next": found[limit - 1].id if len(found) > limit else None}
    return Response(orjson.dumps(body), media_type="application/json", headers=NO_STORE)
