"""`POST /v1/scenarios`, `GET /v1/scenarios`, `GET /v1/scenarios/{id}`: what if?"""

import csv
import io
from typing import Annotated, Any, Literal, cast

import orjson
import pyarrow
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pyarrow import parquet
from pydantic import BaseModel, Field

from api.deps import PartsDep
from api.errors import ProblemError
from api.openapi import problems
from api.scenarios import Job
from twin.whatif.scenario import ScenarioText

router = APIRouter(prefix="/v1", tags=["what-if"])

NO_STORE = {"Cache-Control": "no-store", "Vary": "Accept"}
ARROW, PARQUET, CSV = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet", "text/csv"
pa = cast("Any", pyarrow)  # it has no types

Representation = Literal["json", "csv", "arrow", "parquet"]
BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}


class ScenarioModel(BaseModel):
    """One scenario on its way; `answer` once it is done."""

    id: str
    title: str
    state: Literal["waiting", "running", "done", "failed"]
    asked_at: str
    progress: float = Field(description="Share of the replications that are done, 0 to 1", examples=[0.4])
    seconds: float = Field(description="How long it took")
    detail: str = Field(description="Why it failed")
    answer: dict[str, Any] | None = Field(description="docs/reference/whatif.md says how to read it")


class ScenariosModel(BaseModel):
    """Every scenario that is kept, newest first, without the answers."""

    scenarios: list[ScenarioModel]


@router.post(
    "/scenarios",
    operation_id="postScenario",
    summary="Simulate a scenario against the base case",
    status_code=202,
    response_class=Response,
    responses={202: {"model": ScenarioModel, "description": "Taken; ask for it at Location"}, **problems(422, 503)},
)
async def post_scenario(text: ScenarioText, parts: PartsDep) -> Response:
    """Bounded work, one scenario at a time. Durations are seconds or text such as `4 h`."""
    job = parts.scenarios.submit(text)
    headers = {**NO_STORE, "Location": f"/v1/scenarios/{job.id}"}
    return Response(orjson.dumps(_document(job)), 202, headers, "application/json")


@router.get(
    "/scenarios",
    operation_id="listScenarios",
    summary="Scenarios and how far they are",
    response_class=Response,
    responses={200: {"model": ScenariosModel, "description": "The scenarios"}, **problems()},
)
async def list_scenarios(parts: PartsDep) -> Response:
    """The newest first; the answers are at each scenario's own address."""
    body = orjson.dumps({"scenarios": [_document(job) for job in parts.scenarios.jobs()]})
    return Response(body, media_type="application/json", headers=NO_STORE)


@router.get(
    "/scenarios/{id}",
    operation_id="getScenario",
    summary="One scenario: progress, then the answer",
    response_class=Response,
    responses={
        200: {
            "model": ScenarioModel,
            "description": "The scenario",
            "content": {CSV: {"schema": {"type": "string"}}, ARROW: BINARY, PARQUET: BINARY},
        },
        **problems(404, 422),
    },
)
async def get_scenario(
    request: Request,
    parts: PartsDep,
    identity: Annotated[str, Path(alias="id", max_length=64)],
    representation: Annotated[
        Representation | None, Query(alias="format", description="Overrides the Accept header")
    ] = None,
) -> Response:
    """JSON says everything; CSV, Arrow and Parquet hold the fan of throughput in time."""
    job = parts.scenarios.job(identity)
    if job is None:
        raise ProblemError(404, "unknown-scenario", f"there is no scenario {identity!r}", do="GET /v1/scenarios")
    chosen = representation or _accepted(request.headers.get("accept", ""))
    if chosen == "json":
        document = _document(job) | {"answer": job.answer.document() if job.answer else None}
        return Response(orjson.dumps(document), media_type="application/json", headers=NO_STORE)
    if job.answer is None:
        raise ProblemError(
            422, "not-done", f"the scenario is {job.state}", do="ask again without format until its state is done"
        )
    media, body = _table(chosen, job.answer.rows())
    name = f'attachment; filename="scenario-{job.id}.{chosen}"'
    return Response(body, media_type=media, headers={**NO_STORE, "Content-Disposition": name})


def _accepted(accept: str) -> Representation:
    kinds: dict[str, Representation] = {CSV: "csv", ARROW: "arrow", PARQUET: "parquet"}
    return next((kind for media, kind in kinds.items() if media in accept), "json")


def _document(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "title": job.text.title,
        "state": job.state,
        "asked_at": job.asked_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "progress": round(job.done / job.total, 4) if job.total else 0.0,
        "seconds": round(job.seconds, 3),
        "detail": job.detail,
        "answer": None,
    }


def _table(chosen: Representation, rows: dict[str, list[Any]]) -> tuple[str, bytes]:
    if chosen == "csv":
        lines = io.StringIO()
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(rows)
        writer.writerows(zip(*rows.values(), strict=True))
        return CSV, lines.getvalue().encode()
    table, sink = pa.table(rows), pa.BufferOutputStream()
    if chosen == "parquet":
        cast("Any", parquet).write_table(table, sink)
        return PARQUET, sink.getvalue().to_pybytes()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return ARROW, sink.getvalue().to_pybytes()
