"""`GET /v1/findings`: what the detectors found in a window, with the evidence; from the store."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from fastapi.responses import Response

from api.asked_times import End, Start, asked_window
from api.conditional import FRESH
from api.deps import PartsDep, PermitDep
from api.documents import FindingsModel
from api.errors import ProblemError
from api.openapi import problems
from api.window import rfc3339
from twin.state.document import finding_document
from twin.state.model import Finding

router = APIRouter(prefix="/v1", tags=["state"])

MOST_FINDINGS = 10_000


@router.get(
    "/findings",
    operation_id="listFindings",
    summary="What the detectors found in a window",
    response_class=Response,
    responses={200: {"model": FindingsModel, "description": "Episodes that touch it"}, **problems(404, 422, 503)},
)
async def list_findings(
    parts: PartsDep,
    permit: PermitDep,
    asset: Annotated[str | None, Query(description="Only of this asset", examples=["factory/machining/mill-1"])] = None,
    start: Start = "-1d",
    end: End = "now",
) -> Response:
    """Every episode with since, until, score and why, oldest first; at most 10,000."""
    if asset is not None:
        parts.asset(asset)
    span = asked_window(start, end)
    found = await parts.link.store.findings.between(span.start_ns, span.end_ns, asset=asset, limit=MOST_FINDINGS + 1)
    if len(found) > MOST_FINDINGS:
        raise ProblemError(
            422, "too-many-rows", f"the window holds more than {MOST_FINDINGS} findings", do="ask for a shorter window"
        )
    seen = [one for one in found if permit.covers(one.asset)]
    body = {"start": rfc3339(span.start_ns), "end": rfc3339(span.end_ns), "findings": [_kept(one) for one in seen]}
    return Response(orjson.dumps(body), media_type="application/json", headers=FRESH)


def _kept(one: Finding) -> dict[str, Any]:
    until = None if one.until_ns is None else rfc3339(one.until_ns)
    return {**finding_document(one), "asset": one.asset, "until": until}
