"""`POST /v1/scenarios`, `GET /v1/scenarios`, `GET /v1/scenarios/{id}`: what if?"""

from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from api.deps import PartsDep, PermitDep
from api.errors import ProblemError
from api.media import TableFormat
from api.openapi import problems
from api.scenarios import Job
from api.tables import FRESH, TABLE_CONTENT, FormatParameter, chosen, respond, table
from twin.whatif.scenario import ScenarioText

router = APIRouter(prefix="/v1", tags=["what-if"])


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
async def post_scenario(text: ScenarioText, parts: PartsDep, permit: PermitDep) -> Response:
    """Bounded work, one scenario at a time. Durations are seconds or text such as `4 h`."""
    permit.demand(text.under)
    job = parts.scenarios.submit(text)
    headers = {**FRESH, "Location": f"/v1/scenarios/{job.id}"}
    return Response(orjson.dumps(_document(job)), 202, headers, "application/json")


@router.get(
    "/scenarios",
    operation_id="listScenarios",
    summary="Scenarios and how far they are",
    response_class=Response,
    responses={200: {"model": ScenariosModel, "description": "The scenarios"}, **problems()},
)
async def list_scenarios(parts: PartsDep, permit: PermitDep) -> Response:
    """The newest first; the answers are at each scenario's own address."""
    body = orjson.dumps(
        {"scenarios": [_document(job) for job in parts.scenarios.jobs() if permit.covers(job.text.under)]}
    )
    return Response(body, media_type="application/json", headers=FRESH)


@router.get(
    "/scenarios/{id}",
    operation_id="getScenario",
    summary="One scenario: progress, then the answer",
    response_class=Response,
    responses={
        200: {"model": ScenarioModel, "description": "The scenario", "content": TABLE_CONTENT},
        **problems(404, 406, 422),
    },
)
async def get_scenario(
    request: Request,
    parts: PartsDep,
    permit: PermitDep,
    identity: Annotated[str, Path(alias="id", max_length=64, description="Its id, as POST gave it")],
    format: FormatParameter = None,  # noqa: A002 – the name in the URL
) -> Response:
    """JSON says everything; CSV, Arrow and Parquet hold the fan of throughput in time."""
    job = parts.scenarios.job(identity)
    if job is None:
        raise ProblemError(
            404, "unknown-scenario", f"there is no scenario {identity!r}", do="GET /v1/scenarios lists them"
        )
    permit.demand(job.text.under)
    form = chosen(request, format)
    if form is TableFormat.JSON:
        document = _document(job) | {"answer": job.answer.document() if job.answer else None}
        return Response(orjson.dumps(document), media_type="application/json", headers=FRESH)
    if job.answer is None:
        raise ProblemError(
            422, "not-done", f"the scenario is {job.state}", do="ask again without format until its state is done"
        )
    head = {"title": job.text.title, "trust": job.answer.trust}
    return respond(table(job.answer.rows()), head, form, f"scenario-{job.id}")


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
