"""`GET /v1/plant`: the plant model as JSON; made once, revalidated by its revision."""

from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.deps import PartsDep
from api.documents import PlantModel
from api.openapi import problems
from api.plan_rates import plan_rates
from twin.plant.calendar import Calendar
from twin.plant.tree import Asset, Plant, Signal

router = APIRouter(prefix="/v1", tags=["plant"])


@router.get(
    "/plant",
    operation_id="getPlant",
    summary="The plant: assets, signals, flow",
    response_class=Response,
    responses={200: {"model": PlantModel, "description": "The plant"}, 304: {"description": "Unchanged"}, **problems()},
)
async def get_plant(request: Request, parts: PartsDep) -> Response:
    """Everything that exists, parents before children. Send the ETag back in If-None-Match to save the transfer."""
    tag = f'"{parts.plant.revision}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(parts.plant_json, media_type="application/json", headers=headers)


def to_json(plant: Plant) -> bytes:
    """The plant as a JSON document."""
    rates = plan_rates(plant)
    return orjson.dumps(
        {
            "enterprise": plant.enterprise,
            "title": plant.title,
            "revision": plant.revision,
            "assets": [_asset(plant, asset, rates.get(asset.path)) for asset in plant.assets],
            "calendars": {name: _calendar(one) for name, one in plant.calendars.items()},
            "flow": [{"source": link.source, "target": link.target, "buffer": link.buffer} for link in plant.flow],
        }
    )


def _calendar(calendar: Calendar) -> dict[str, list[str]]:
    return {"shifts": [one.name for one in calendar.patterns], "stops": [one.title for one in calendar.stops]}


def _asset(plant: Plant, asset: Asset, plan_per_h: float | None) -> dict[str, Any]:
    buffer, work = plant.buffers.get(asset.path), plant.work.get(asset.path)
    return {
        "path": asset.path,
        "name": asset.name,
        "title": asset.title,
        "level": asset.level.value,
        "type": asset.type,
        "parent": asset.parent,
        "capacity": buffer.capacity if buffer else None,
        "duty": work.duty if work else None,
        "servers": work.servers if work else None,
        "plan_per_h": None if plan_per_h is None else round(plan_per_h, 2),
        "calendar": asset.calendar,
        "signals": [_signal(plant.signal(path)) for path in asset.signals],
    }


def _signal(signal: Signal) -> dict[str, Any]:
    return {
        "path": signal.path,
        "name": signal.name,
        "title": signal.title,
        "kind": signal.kind.value,
        "unit": signal.unit,
        "low": signal.low,
        "high": signal.high,
        "role": signal.role,
        "period_s": signal.period_s,
        "stale_after_s": signal.stale_after_s,
        "states": {
            str(code): {"name": state.name, "category": str(state.category)} for code, state in signal.states.items()
        },
    }
