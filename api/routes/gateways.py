"""`GET /v1/gateways`: what every edge agent last said of itself, from memory."""

import orjson
from fastapi import APIRouter
from fastapi.responses import Response

from api.board import Noun
from api.conditional import FRESH
from api.deps import PartsDep, PermitDep
from api.documents import GatewaysModel
from api.openapi import problems
from api.routes.assets import feed_tag

router = APIRouter(prefix="/v1", tags=["gateways"])


@router.get(
    "/gateways",
    operation_id="listGateways",
    summary="The edge agents and their health",
    response_class=Response,
    responses={200: {"model": GatewaysModel, "description": "The gateways"}, **problems()},
)
async def list_gateways(parts: PartsDep, permit: PermitDep) -> Response:
    """Connection, backlog and sources of each gateway; `feed` says how far this can be trusted."""
    seen = [entry for entry in parts.board.all(Noun.GATEWAY) if permit.covers(f"gateways/{entry.key}")]
    gateways = [entry.rendered(signals=True) for entry in seen]
    body = b'{"feed":%s,"gateways":[%s]}' % (orjson.dumps(parts.feed.describe()), b",".join(gateways))
    return Response(body, media_type="application/json", headers={**FRESH, "ETag": feed_tag(parts, gateways)})
