"""The state over plain HTTP: one asset, or all below a path. Now: from memory, never from the database; with `at`: the
past, from the store.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from api.asked_times import At, asked_past
from api.board import FORMAT, Noun
from api.conditional import FRESH, weak_tag
from api.deps import Parts, PartsDep, PermitDep
from api.documents import AssetState, StatesModel
from api.openapi import problems
from api.view import View
from api.window import rfc3339
from twin.state.document import document
from twin.state.past import states_at

router = APIRouter(prefix="/v1", tags=["state"])
AssetPathParameter = Annotated[
    str, Path(description="The asset's path; its slashes stand as they are", examples=["factory/machining/mill-1"])
]


@router.get(
    "/assets/{path:path}/state",
    operation_id="getAssetState",
    summary="The state of one asset, now or at a past instant",
    response_class=Response,
    responses={200: {"model": AssetState, "description": "The state"}, **problems(404, 422, 503)},
)
async def get_asset_state(path: AssetPathParameter, parts: PartsDep, at: At = None) -> Response:
    """What the twin believes of this asset. Before anything was published about it, its freshness reason is `never`."""
    parts.asset(path)
    if at is not None:
        (state,) = [one for one in await _past(parts, asked_past(at)) if one["path"] == path]
        return Response(orjson.dumps(state), media_type="application/json", headers=FRESH)
    entry = parts.board.get(Noun.ASSET, path)
    body = entry.rendered(signals=True) if entry else _never(parts, path)
    return Response(body, media_type="application/json", headers=FRESH)


@router.get(
    "/states",
    operation_id="listStates",
    summary="The state of many assets, now or at a past instant",
    response_class=Response,
    responses={200: {"model": StatesModel, "description": "The states"}, **problems(404, 422, 503)},
)
async def list_states(
    parts: PartsDep,
    permit: PermitDep,
    under: Annotated[
        str | None, Query(description="Only this asset and what is below it", examples=["factory"])
    ] = None,
    signals: Annotated[bool, Query(description="With the last value of every signal")] = True,
    at: At = None,
) -> Response:
    """Every published state, by path; `feed` says how far they can be trusted.

    With `at`: every asset as it was then, from what is stored; what came late counts as if it had come at once.
    """
    if under is not None:
        parts.asset(under)
    view = View((under,) if under else permit.within or (), signals)
    if at is not None:
        return await _playback(parts, view, asked_past(at))
    states = [entry.rendered(signals=signals) for entry in parts.board.all(Noun.ASSET) if view.covers(entry.key)]
    body = b'{"feed":%s,"states":[%s]}' % (orjson.dumps(parts.feed.describe()), b",".join(states))
    headers = {**FRESH, "ETag": feed_tag(parts, states)}
    return Response(body, media_type="application/json", headers=headers)


async def _playback(parts: Parts, view: View, at_ns: int) -> Response:
    states = [one for one in await _past(parts, at_ns) if view.covers(one["path"])]
    if not view.signals:
        for one in states:
            del one["signals"]
    body = {"feed": parts.feed.describe(), "at": rfc3339(at_ns), "states": states}
    headers = {**FRESH, "ETag": feed_tag(parts, [orjson.dumps(states)])}
    return Response(orjson.dumps(body), media_type="application/json", headers=headers)


def feed_tag(parts: Parts, documents: Sequence[bytes]) -> str:
    """The ETag of documents with the feed's trust above them: the clock in it does not make another answer."""
    return weak_tag(parts.feed.status().value.encode(), *documents)


async def _past(parts: Parts, at_ns: int) -> list[dict[str, Any]]:
    """Every asset as it was; the counting of a shift's parts takes a moment, so it is done beside the loop."""
    store = parts.link.store
    past = await store.past.at(parts.plant, await store.plants.signal_ids(), at_ns)
    return await asyncio.to_thread(lambda: [document(state) for state in states_at(parts.plant, past)])


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
