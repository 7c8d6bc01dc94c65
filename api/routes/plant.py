"""`GET /v1/plant`: the plant model as JSON; made once, revalidated by its revision."""

from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.conditional import FRESH, is_known
from api.deps import PartsDep, PermitDep
from api.documents import PlantModel
from api.openapi import problems
from api.plan_rates import plan_rates
from twin.access.grants import EVERYWHERE, covers
from twin.access.secrets import digest
from twin.plant.calendar import Calendar
from twin.plant.tree import Asset, Plant, Signal

router = APIRouter(prefix="/v1", tags=["plant"])


@router.get(
    "/plant",
    operation_id="getPlant",
    summary="The plant: assets, signals, flow",
    response_class=Response,
    responses={200: {"model": PlantModel, "description": "The plant"}, **problems()},
)
async def get_plant(request: Request, parts: PartsDep, permit: PermitDep) -> Response:
    """Everything that exists, parents before children. Send the ETag back in If-None-Match to save the transfer.

    Who may see a part of the plant gets that part, and the assets above it without their signals.
    """
    part = "" if permit.everywhere else "." + digest("|".join(permit.roots)).hex()[:12]
    tag = f'W/"{parts.plant.revision}{part}"'
    headers = {**FRESH, "ETag": tag}
    if is_known(tag, request.headers.get("if-none-match", "")):  # before a part is made
        return Response(status_code=304, headers=headers)
    body = parts.plant_json if permit.everywhere else to_json(parts.plant, permit.roots)
    return Response(body, media_type="application/json", headers=headers)


def to_json(plant: Plant, roots: tuple[str, ...] = (EVERYWHERE,)) -> bytes:
    """The plant at and below these paths, and what stands above them, as a JSON document."""
    seen = {asset.path for asset in plant.assets if any(covers(root, asset.path) for root in roots)}
    above = {asset.path for asset in plant.assets if any(root.startswith(f"{asset.path}/") for root in roots)}
    rates = plan_rates(plant)
    return orjson.dumps(
        {
            "enterprise": plant.enterprise,
            "title": plant.title,
            "revision": plant.revision,
            "assets": [
                _asset(plant, asset, rates.get(asset.path), signals=asset.path in seen)
                for asset in plant.assets
                if asset.path in seen | above
            ],
            "calendars": {name: _calendar(one) for name, one in plant.calendars.items()},
            "flow": [
                {"source": link.source, "target": link.target, "buffer": link.buffer}
                for link in plant.flow
                if {link.source, link.target} <= seen
            ],
        }
    )


def _calendar(calendar: Calendar) -> dict[str, list[str]]:
    return {"shifts": [one.name for one in calendar.patterns], "stops": [one.title for one in calendar.stops]}


def _asset(plant: Plant, asset: Asset, plan_per_h: float | None, *, signals: bool) -> dict[str, Any]:
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
        "signals": [_signal(plant.signal(path)) for path in asset.signals] if signals else [],
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
