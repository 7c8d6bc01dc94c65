"""`GET /v1/bottlenecks`, `GET /v1/lineage`, `POST /v1/intervals/{path}/reclassify`: from figures back to intervals.

Everything here is made anew from the stored samples at each question, by the same pure core as the buckets.
"""

import asyncio
import time
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from api.asked_times import TIME_RULES, TIME_TEXT, asked_window
from api.conditional import FRESH
from api.deps import Parts, PartsDep, PermitDep
from api.errors import ProblemError
from api.kpi_documents import BottlenecksModel, LineageModel, ReclassificationModel, Reclassify
from api.once import Answer, OnceDep
from api.openapi import problems
from api.routes.kpis import End, Under
from api.window import Window, instant_ns, rfc3339
from twin.plant.elements import Element
from twin.store.connect import Store
from twin.store.kpis import Said
from twin.store.units import Window as UnitWindow
from twin.throughput.bottleneck import bottlenecks
from twin.throughput.elements import ELEMENTS, NO_REASON, REASONS, UNKNOWN_CODE, TimeLine
from twin.throughput.schedule import PLANS
from twin.throughput.unit import Unit, UnitSeries, line_of, unit_of, units_of

router = APIRouter(prefix="/v1", tags=["figures"])

LONGEST_NS = 7 * 86_400_000_000_000
MOST_CHAIN = 500
ShiftStart = Annotated[str, Query(description=TIME_TEXT + "; at most 7 days", examples=["-8h"], **TIME_RULES)]


@router.get(
    "/bottlenecks",
    operation_id="getBottlenecks",
    summary="Which machine held up the others",
    response_class=Response,
    responses={200: {"model": BottlenecksModel, "description": "Shares of the window"}, **problems(404, 422, 503)},
)
async def get_bottlenecks(
    parts: PartsDep,
    under: Under,
    start: ShiftStart = "-8h",
    end: End = "now",
    confirm: Annotated[
        bool, Query(description="Also simulate what each of the three likeliest would bring if it were faster")
    ] = False,
) -> Response:
    """Active-period method over the machines at and below an asset: sole and shifting bottlenecks, waiting, arrows."""
    parts.asset(under)
    span = _bounded(asked_window(start, end))
    signal_ids = await parts.link.store.plants.signal_ids()
    lines: dict[str, TimeLine] = {}
    for path, unit in units_of(parts.plant).items():
        if (path == under or path.startswith(under + "/")) and "machine-state" in unit.signals:
            window = UnitWindow(_without_counters(unit), span.start_ns, span.end_ns)
            _, series, _ = await parts.link.store.units.read(window, signal_ids)
            lines[path] = await asyncio.to_thread(line_of, unit, series, span.start_ns, span.end_ns)
    found = await asyncio.to_thread(bottlenecks, lines, parts.plant.flow, span.start_ns, span.end_ns)
    suspects = [one.asset for one in sorted(found.shares, key=lambda one: -one.sole - one.shifting)]
    confirmation = await parts.confirmer.confirm(parts.link.store, under, suspects) if confirm else None
    return _answer(
        {
            **_head("under", under, span),
            "now": found.now,
            "confirmation": confirmation,
            "shares": [
                {
                    "asset": one.asset,
                    "sole": one.sole,
                    "shifting": one.shifting,
                    "starved": one.starved,
                    "blocked": one.blocked,
                }
                for one in found.shares
            ],
            "arrows": [
                {"source": one.source, "target": one.target, "points_to": one.points_to} for one in found.arrows
            ],
            "chain": [
                {"asset": one.asset, "start": rfc3339(one.start_ns), "end": rfc3339(one.end_ns)}
                for one in found.chain[-MOST_CHAIN:]
            ],
        }
    )


@router.get(
    "/lineage",
    operation_id="getLineage",
    summary="What the figures of a unit are made of",
    response_class=Response,
    responses={200: {"model": LineageModel, "description": "Intervals and samples"}, **problems(404, 422, 503)},
)
async def get_lineage(
    parts: PartsDep,
    asset: Annotated[str, Query(description="Path of a unit", examples=["factory/machining/mill-1"])],
    start: ShiftStart = "-8h",
    end: End = "now",
) -> Response:
    """Every interval with its element, every increment of a counter, the signals behind them, what people have said."""
    unit = _unit(parts, asset)
    span = _bounded(asked_window(start, end))
    series = await _read(parts, unit, span)
    line = await asyncio.to_thread(line_of, unit, series, span.start_ns, span.end_ns)
    audit = await parts.link.store.kpis.reclassified(asset, span.start_ns, span.end_ns)
    return _answer(
        {
            **_head("asset", asset, span),
            "signals": {role: signal.path for role, signal in unit.signals.items()},
            "samples": {
                role: int(((one.time >= span.start_ns) & (one.time < span.end_ns)).sum())
                for role, one in series.columns.items()
            },
            "intervals": _intervals(unit, line, span),
            "increments": _increments(series, span),
            "orders": [
                {"since": rfc3339(since), "order": order} for since, order in series.orders if since < span.end_ns
            ],
            "reclassified": [_said(one) for one in audit],
        }
    )


@router.post(
    "/intervals/{path:path}/reclassify",
    operation_id="reclassifyInterval",
    summary="Say what an interval was in truth",
    status_code=202,
    response_class=Response,
    responses={202: {"model": ReclassificationModel, "description": "Kept"}, **problems(404, 422, 503)},
)
async def reclassify_interval(
    path: Annotated[str, Path(description="The unit's path", examples=["factory/machining/mill-1"])],
    order: Reclassify,
    parts: PartsDep,
    permit: PermitDep,
    once: OnceDep,
) -> Response:
    """Kept for ever: who, when, from, to, why. The touched hours are made anew at the next turn of `twin learn`."""
    unit = _unit(parts, path)
    if earlier := await once.earlier():
        return earlier
    now_ns = time.time_ns()
    start_ns, end_ns = (instant_ns("start", one.isoformat(), now_ns) for one in order.span)
    if end_ns <= start_ns or start_ns >= now_ns:
        raise ProblemError(
            422, "bad-window", "the end is not after the start, or all of it is to come", do="correct both"
        )
    span = _bounded(Window(start_ns, min(end_ns, now_ns)))
    line = await asyncio.to_thread(line_of, unit, await _read(parts, unit, span), span.start_ns, span.end_ns)
    said = Said(
        0, path, span.start_ns, span.end_ns, _seconds(line, span), order.reason, permit.caller.name, order.comment, 0
    )

    async def work(store: Store) -> Answer:
        return Answer(202, _said(await store.kpis.reclassify(said, permit.by)))

    return await once.change(work)


def _unit(parts: Parts, path: str) -> Unit:
    parts.asset(path)
    unit = unit_of(parts.plant, path)
    if unit is None or "machine-state" not in unit.signals:
        raise ProblemError(
            422,
            "no-machine-state",
            f"{path!r} has no signal with the role machine-state",
            do="name a machine or a crane",
        )
    return unit


def _bounded(span: Window) -> Window:
    if span.end_ns - span.start_ns > LONGEST_NS:
        raise ProblemError(422, "bad-window", "the window is longer than 7 days", do="ask for a shorter window")
    return span


async def _read(parts: Parts, unit: Unit, span: Window) -> UnitSeries:
    signal_ids = await parts.link.store.plants.signal_ids()
    _, series, _ = await parts.link.store.units.read(UnitWindow(unit, span.start_ns, span.end_ns), signal_ids)
    return series


def _without_counters(unit: Unit) -> Unit:
    roles = {"machine-state", "operation-mode"}
    return Unit(unit.asset, unit.calendar, {role: one for role, one in unit.signals.items() if role in roles})


def _intervals(unit: Unit, line: TimeLine, span: Window) -> list[dict[str, Any]]:
    """Neighbours that are alike as one."""
    states = unit.signals["machine-state"].states
    found: list[dict[str, Any]] = []
    before: tuple[int, int, int, int] | None = None
    for at in range(len(line.start)):
        start_ns, end_ns = max(int(line.start[at]), span.start_ns), min(int(line.end[at]), span.end_ns)
        if start_ns >= end_ns:
            continue
        same = int(line.element[at]), int(line.code[at]), int(line.reason[at]), int(line.plan[at])
        if same == before:
            found[-1]["end"] = rfc3339(end_ns)
            continue
        before = same
        element, code, reason, plan = same
        state = states[code].name if code in states else f"code {code}"
        found.append(
            {
                "start": rfc3339(start_ns),
                "end": rfc3339(end_ns),
                "element": ELEMENTS[element].value,
                "state": None if code == UNKNOWN_CODE else state,
                "reason": None if reason == NO_REASON else REASONS[reason].value,
                "plan": PLANS[plan],
            }
        )
    return found


def _increments(series: UnitSeries, span: Window) -> list[dict[str, Any]]:
    return [
        {"quantity": quantity, "since": rfc3339(since), "at": rfc3339(at), "parts": parts, "estimated": estimated}
        for quantity, made in series.made.items()
        for since, at, parts, estimated in zip(
            made.since.tolist(), made.at.tolist(), made.parts.tolist(), made.estimated.tolist(), strict=True
        )
        if at >= span.start_ns and since < span.end_ns
    ]


def _seconds(line: TimeLine, span: Window) -> dict[str, float]:
    inside = (line.end.clip(span.start_ns, span.end_ns) - line.start.clip(span.start_ns, span.end_ns)) / 1e9
    found = {element.value: float(inside[line.element == place].sum()) for place, element in enumerate(Element)}
    return {name: seconds for name, seconds in found.items() if seconds > 0}


def _said(one: Said) -> dict[str, Any]:
    return {
        "id": one.id,
        "asset": one.asset,
        "start": rfc3339(one.start_ns),
        "end": rfc3339(one.end_ns),
        "was": dict(one.was),
        "reason": one.reason,
        "operator": one.who,
        "comment": one.why,
        "at": rfc3339(one.at_ns),
    }


def _head(name: str, path: str, span: Window) -> dict[str, str]:
    return {name: path, "start": rfc3339(span.start_ns), "end": rfc3339(span.end_ns)}


def _answer(body: dict[str, Any]) -> Response:
    return Response(orjson.dumps(body), media_type="application/json", headers=FRESH)
