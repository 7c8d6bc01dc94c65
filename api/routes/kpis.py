"""`GET /v1/kpis`: key figures per asset and period, as JSON, CSV, an Arrow stream or Parquet."""

from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.asked_times import TIME_RULES, TIME_TEXT, asked_window
from api.conditional import FRESH
from api.deps import Parts, PartsDep
from api.errors import ProblemError
from api.kpi_documents import KpisModel
from api.media import TableFormat
from api.openapi import problems
from api.tables import TABLE_CONTENT, FormatParameter, chosen, numbers, respond, table, times
from api.window import rfc3339
from twin.plant.tree import Level
from twin.throughput.asked import Period, Row, question
from twin.throughput.buckets import QUANTITIES, SECONDS
from twin.throughput.kpis import NAMES, kpis, losses
from twin.throughput.unit import units_of

router = APIRouter(prefix="/v1", tags=["figures"])

MOST_ROWS = 50_000
Under = Annotated[str, Query(description="Path of a site, area, line or unit", examples=["factory"])]
Start = Annotated[str, Query(description=TIME_TEXT, examples=["-7d", "2026-03-02T10:00:00Z"], **TIME_RULES)]
End = Annotated[str, Query(description=TIME_TEXT + "; after start", examples=["now"], **TIME_RULES)]


@router.get(
    "/kpis",
    operation_id="getKpis",
    summary="Key figures per asset and period",
    response_class=Response,
    responses={
        200: {"model": KpisModel, "description": "One row per asset and period", "content": TABLE_CONTENT},
        **problems(404, 406, 422, 503),
    },
)
async def get_kpis(
    request: Request,
    parts: PartsDep,
    under: Under,
    by: Annotated[Period, Query(description="What a row covers")] = Period.TOTAL,
    level: Annotated[
        Level | None, Query(description="Every asset of this level at or below it, not only itself")
    ] = None,
    start: Start = "-1d",
    end: End = "now",
    form: FormatParameter = None,
) -> Response:
    """Sums of whole hours, shifts, days or orders that begin in the window; ratios are made of sums, never averaged.

    Formulas: docs/reference/kpis.md. At most 50,000 rows.
    """
    parts.asset(under)
    wanted = chosen(request, form)
    span = asked_window(start, end)
    rows = await figures(parts, under, level, by, (span.start_ns, span.end_ns))
    head = {"under": under, "by": by.value, "start": rfc3339(span.start_ns), "end": rfc3339(span.end_ns)}
    if wanted is TableFormat.JSON:
        body = orjson.dumps({**head, "rows": [_json_row(row) for row in rows]})
        return Response(body, media_type=TableFormat.JSON.media_type, headers=FRESH)
    return respond(table(_columns(rows)), head, wanted, f"kpis.{under.replace('/', '.')}.{by.value}")


async def figures(parts: Parts, under: str, level: Level | None, by: Period, span: tuple[int, int]) -> list[Row]:
    """The rows of a question; a 422 problem when there are too many."""
    store = parts.link.store
    below = [path for path in units_of(parts.plant) if path == under or path.startswith(under + "/")]
    asked = question(parts.plant, under, level, await store.kpis.best_cycles(below))
    rows = await store.kpis.sums(asked, by, *span, MOST_ROWS + 1)
    if len(rows) > MOST_ROWS:
        raise ProblemError(
            422,
            "too-many-rows",
            f"the answer holds more than {MOST_ROWS} rows",
            do="ask for a shorter window, a longer period (by) or fewer assets (under, level)",
        )
    return rows


def _json_row(row: Row) -> dict[str, Any]:
    found = kpis(row.sums)
    return {
        "asset": row.asset,
        "start": rfc3339(row.start_ns),
        "end": rfc3339(row.end_ns),
        "label": row.label,
        "figures": {name: getattr(found, name) for name in NAMES},
        "turn_median_s": row.turn_median_s,
        "turn_p90_s": row.turn_p90_s,
        "seconds": {name.removesuffix("_s").replace("_", "-"): row.sums.of(name) for name in SECONDS},
        "losses_s": losses(row.sums),
        "quantities": {name: row.sums.output[name] for name in QUANTITIES if row.sums.output.get(name)},
        "estimated": row.sums.of("estimated"),
        "remarks": list(found.remarks),
    }


def _columns(rows: Sequence[Row]) -> dict[str, Any]:
    """One column per figure, second and quantity, for tables."""
    found = [kpis(row.sums) for row in rows]
    columns: dict[str, Any] = {
        "asset": [row.asset for row in rows],
        "start": times([row.start_ns for row in rows]),
        "end": times([row.end_ns for row in rows]),
        "label": [row.label for row in rows],
    }
    columns |= {name: numbers([getattr(one, name) for one in found]) for name in NAMES}
    columns |= {
        "turn_median_s": numbers([row.turn_median_s for row in rows]),
        "turn_p90_s": numbers([row.turn_p90_s for row in rows]),
    }
    columns |= {name: [row.sums.of(name) for row in rows] for name in SECONDS}
    columns |= {name: [row.sums.output.get(name, 0.0) for row in rows] for name in QUANTITIES}
    return columns | {"remarks": ["; ".join(one.remarks) for one in found]}
