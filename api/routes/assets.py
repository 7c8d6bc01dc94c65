"""The live state over plain HTTP: one asset, or all below a path. From memory, never from the database."""

from datetime import UTC, datetime
from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from api.board import FORMAT, Noun
from api.deps import Parts, PartsDep, PermitDep
from api.documents import AssetState, StatesModel
from api.openapi import problems
from api.view import View

router = APIRouter(prefix="/v1", tags=["state"])

NO_STORE = {"Cache-Control": "no-store"}
AssetPathParameter = Annotated[
    str, Path(description="The asset's path; its slashes stand as they are", examples=["factory/machining/mill-1"])
]


@router.get(
    "/assets/{path:path}/state",
    operation_id="getAssetState",
    summary="The live state of one asset",
    response_class=Response,
    responses={200: {"model": AssetState, "description": "The state"}, **problems(404, 422)},
)
async def get_asset_state(path: AssetPathParameter, parts: PartsDep) -> Response:
    """What the twin believes of this asset. Before anything was published about it, its freshness reason is `never`."""
    parts.asset(path)
    entry = parts.board.get(Noun.ASSET, path)
    body = entry.rendered(signals=True) if entry else _never(parts, path)
    return Response(body, media_type="application/json", headers=NO_STORE)


@router.get(
    "/states",
    operation_id="listStates",
    summary="The live state of many assets",
    response_class=Response,
    responses={200: {"model": StatesModel, "description": "The states"}, **problems(404, 422)},
)
async def list_states(
    parts: PartsDep,
    permit: PermitDep,
    under: Annotated[
        str | None, Query(description="Only this asset and what is below it", examples=["factory"])
    ] = None,
    signals: Annotated[bool, Query(description="With the last value of every signal")] = True,
) -> Response:
    """Every published state, by path; `feed` says how far they can be trusted."""
    if under is not None:
        parts.asset(under)
    view = View((under,) if under else permit.within or (), signals)
    states = [entry.rendered(signals=signals) for entry in parts.board.all(Noun.ASSET) if view.covers(entry.key)]
    body = b'{"feed":%s,"states":[%s]}' % (orjson.dumps(parts.feed.describe()), b",".join(states))
    return Response(body, media_type="application/json", headers=NO_STORE)


def _never(parts: Parts, path: str) -> bytes:
    return orjson.dumps(
        {
            "format": FORMAT,
            "path": path,
            "at": datetime.now(UTC),
            "seq": 0,
            "machine_state": None,
            "throughput": None,
            "health": "unknown",
            "freshness": {
                "newest_at": None,
                "age_s": None,
                "reason": "never",
                "explanation": f"Nothing was published about this asset yet. {parts.feed.describe()['explanation']}",
            },
            "findings": [],
            "signals": {},
        },
        option=orjson.OPT_UTC_Z,
    )
