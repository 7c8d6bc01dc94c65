"""`GET /v1/forecasts`: what was forecast, and how right that was; as JSON columns, CSV, Arrow or Parquet."""

import time
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.access.caller import Permit
from api.asked_times import TIME_RULES, TIME_TEXT, asked_instant
from api.deps import Parts, PartsDep, PermitDep
from api.forecast_documents import AccuracyModel, ForecastsModel
from api.openapi import problems
from api.tables import TABLE_CONTENT, FormatParameter, chosen, respond, table, times
from twin.access.grants import covers
from twin.forecast.issued import LEVELS, Forecast

router = APIRouter(prefix="/v1", tags=["forecasts"])

DAY_NS = 86_400_000_000_000
Under = Annotated[str | None, Query(description="Only this asset and what is below it", examples=["factory/machining"])]


class By(StrEnum):
    """The stretches of time that are forecast."""

    HOUR = "hour"
    SHIFT = "shift"
    DAY = "day"
    WEEK = "week"


@router.get(
    "/forecasts",
    operation_id="getForecasts",
    summary="Throughput ahead of time, as quantiles",
    response_class=Response,
    responses={
        200: {"model": ForecastsModel, "description": "One row per asset and stretch", "content": TABLE_CONTENT},
        **problems(404, 406, 422, 503),
    },
)
async def get_forecasts(
    request: Request,
    parts: PartsDep,
    permit: PermitDep,
    under: Under = None,
    by: Annotated[
        By, Query(description="Hours reach 48 h ahead, shifts and days 7 to 8 days, a week 168 h")
    ] = By.SHIFT,
    origin: Annotated[
        str,
        Query(description=f"The newest issue at or before this instant: {TIME_TEXT}", examples=["-1d"], **TIME_RULES),
    ] = "now",
    form: FormatParameter = None,
) -> Response:
    """The newest issue of every asset; `quantiles` and `adjusted` (with the fault risk) stand at `levels`."""
    wanted = chosen(request, form)
    rows = await parts.link.store.forecasts.latest(
        _assets(parts, permit, under), by.value, asked_instant("origin", origin)
    )
    return respond(_table(rows), {"by": by.value, "levels": list(LEVELS)}, wanted, f"forecast-{by.value}")


@router.get(
    "/forecasts/accuracy",
    operation_id="getForecastAccuracy",
    summary="How right the forecasts were",
    response_class=Response,
    responses={
        200: {"model": AccuracyModel, "description": "One row per asset, stretch and lead", "content": TABLE_CONTENT},
        **problems(404, 406, 422, 503),
    },
)
async def get_accuracy(
    request: Request,
    parts: PartsDep,
    permit: PermitDep,
    under: Under = None,
    days: Annotated[int, Query(description="Of forecasts whose time ended in the last days", ge=1, le=400)] = 28,
    form: FormatParameter = None,
) -> Response:
    """How many truths lay inside the intervals, mean error, MASE (below 1 beats the seasonal naive), pinball loss."""
    wanted = chosen(request, form)
    since_ns = time.time_ns() - days * DAY_NS
    rows = await parts.link.store.forecasts.accuracy(_assets(parts, permit, under), since_ns)
    names = (
        "asset",
        "by",
        "days_ahead",
        "count",
        "inside_50",
        "inside_80",
        "inside_95",
        "mean_error",
        "mase",
        "pinball",
    )
    columns: dict[str, Any] = {name: [getattr(row, name) for row in rows] for name in names}
    return respond(table(columns), {"days": days}, wanted, "forecast-accuracy")


def _assets(parts: Parts, permit: Permit, under: str | None) -> list[str]:
    if under is not None:
        parts.asset(under)
    return [
        asset.path
        for asset in parts.plant.assets
        if (under is None or covers(under, asset.path)) and permit.covers(asset.path)
    ]


def _table(rows: list[Forecast]) -> Any:  # noqa: ANN401 – a pyarrow table
    return table(
        {
            "asset": [row.asset for row in rows],
            "name": [row.name for row in rows],
            "origin": times([row.origin_ns for row in rows]),
            "start": times([row.start_ns for row in rows]),
            "end": times([row.end_ns for row in rows]),
            "unit": [row.unit for row in rows],
            "mean": [row.centre for row in rows],
            "quantiles": [list(row.quantiles) for row in rows],
            "adjusted_mean": [row.adjusted_mean for row in rows],
            "adjusted": [list(row.adjusted) for row in rows],
            "maturity": [row.maturity for row in rows],
            "actual": [row.actual for row in rows],
        }
    )
