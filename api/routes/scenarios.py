"""`POST /v1/scenarios`, `GET /v1/scenarios`, `GET /v1/scenarios/{id}`: what if?"""

from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from api.conditional import FRESH
from api.deps import PartsDep, PermitDep
from api.errors import ProblemError
from api.media import TableFormat
from api.once import Answer, OnceDep
from api.openapi import problems
from api.tables import TABLE_CONTENT, FormatParameter, chosen, respond, table, times
from api.window import rfc3339
from twin.store.connect import Store
from twin.store.scenarios import KEPT, Scenario
from twin.whatif.scenario import ScenarioText
from twin.whatif.statement import TableName, answer_rows

router = APIRouter(prefix="/v1", tags=["what-if"])


class ScenarioModel(BaseModel):
    """One scenario on its way."""

    id: str
    title: str
    state: Literal["waiting", "running", "done", "failed"]
    phase: str = Field(description="What is being done", examples=["compiling the simulator, once"])
    asked_at: str
    base_at: str | None = Field(description="The state of the plant from which it starts")
    progress: float = Field(description="Share of the replications that are done, 0 to 1", examples=[0.4])
    seconds: float = Field(description="How long it took")
    detail: str = Field(description="Why it failed")


class AnsweredModel(ScenarioModel):
    """One scenario with its question, and its answer once it is done."""

    question: dict[str, Any]
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
async def post_scenario(text: ScenarioText, parts: PartsDep, permit: PermitDep, once: OnceDep) -> Response:
    """Bounded work, one scenario at a time per process. Durations are seconds or text such as `4 h`."""
    permit.demand(text.under)
    parts.scenarios.check(text)

    async def work(store: Store) -> Answer:
        taken = await parts.scenarios.take(store, text, permit.by)
        return Answer(202, _document(taken), f"/v1/scenarios/{taken.id}")

    response = await once.change(work)
    parts.scenarios.wake()
    return response


@router.get(
    "/scenarios",
    operation_id="listScenarios",
    summary="Scenarios and how far they are",
    response_class=Response,
    responses={
        200: {"model": ScenariosModel, "description": "The scenarios", "content": TABLE_CONTENT},
        **problems(406, 422, 503),
    },
)
async def list_scenarios(
    request: Request,
    parts: PartsDep,
    permit: PermitDep,
    limit: Annotated[int, Query(ge=1, le=KEPT, description="At most so many")] = 100,
    format: FormatParameter = None,  # noqa: A002 – the name in the URL
) -> Response:
    """The newest first; the answers are at each scenario's own address. The newest 1,000 are kept."""
    form = chosen(request, format)
    found = await parts.link.store.scenarios.list(limit, permit.within)
    documents = [_document(one) for one in found]
    if form is TableFormat.JSON:
        return Response(orjson.dumps({"scenarios": documents}), media_type="application/json", headers=FRESH)
    columns: dict[str, Any] = {name: [one[name] for one in documents] for name in ScenarioModel.model_fields}
    columns["asked_at"] = times([one.asked_ns for one in found])
    return respond(table(columns), {}, form, "scenarios")


@router.get(
    "/scenarios/{id}",
    operation_id="getScenario",
    summary="One scenario: progress, then the answer",
    response_class=Response,
    responses={
        200: {"model": AnsweredModel, "description": "The scenario", "content": TABLE_CONTENT},
        **problems(404, 406, 422, 503),
    },
)
async def get_scenario(
    request: Request,
    parts: PartsDep,
    permit: PermitDep,
    identity: Annotated[str, Path(alias="id", max_length=64, description="Its id, as POST gave it")],
    part: Annotated[TableName, Query(alias="table", description="Which part of the answer is the table")] = "fans",
    format: FormatParameter = None,  # noqa: A002 – the name in the URL
) -> Response:
    """JSON says everything; CSV, Arrow and Parquet hold one part of the answer, by default throughput in time."""
    form = chosen(request, format)
    store = parts.link.store
    found = await store.scenarios.find(_uuid(identity))
    if found is None:
        raise _unknown(identity)
    permit.demand(found.question["under"])
    answer = await store.scenarios.answer(found.id)
    if form is TableFormat.JSON:
        document = _document(found) | {"question": found.question, "answer": answer}
        return Response(orjson.dumps(document), media_type="application/json", headers=FRESH)
    if answer is None:
        do = "ask again without format until its state is done"
        raise ProblemError(422, "not-done", f"the scenario is {found.state}", do=do)
    head = {"title": answer["title"], "trust": answer["trust"], "part": part}
    return respond(table(answer_rows(answer, part)), head, form, f"scenario-{found.id}-{part}")


def _uuid(identity: str) -> UUID:
    try:
        return UUID(identity)
    except ValueError:
        raise _unknown(identity) from None


def _unknown(identity: str) -> ProblemError:
    return ProblemError(
        404, "unknown-scenario", f"there is no scenario {identity!r}", do="GET /v1/scenarios lists them"
    )


def _document(one: Scenario) -> dict[str, Any]:
    progress = 1.0 if one.state == "done" else round(one.done / one.total, 4) if one.total else 0.0
    return {
        "id": str(one.id),
        "title": one.question["title"],
        "state": one.state,
        "phase": one.phase,
        "asked_at": rfc3339(one.asked_ns),
        "base_at": None if one.base_ns is None else rfc3339(one.base_ns),
        "progress": progress,
        "seconds": round(one.seconds, 3),
        "detail": one.detail,
    }
