"""`/v1/alarms`: what stands, what became of it, and what operators do about it.

Reads come from the store. An action is kept there and takes effect in `twin run`; what cannot be done in the alarm's
present state is refused here already. The operator is whoever is signed in.
"""

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response

from api.access.caller import Permit
from api.alarm_documents import ActionModel, AlarmHistoryModel, AlarmsModel, Judgement, Said, Shelving
from api.asked_times import TIME_RULES, TIME_TEXT, At, asked_instant, asked_past
from api.conditional import FRESH
from api.cursor import read_cursor, write_cursor
from api.deps import Parts, PartsDep, PermitDep
from api.errors import ProblemError
from api.once import Answer, Once, OnceDep
from api.openapi import problems
from twin.plant.alarm import Priority
from twin.state.alarm_document import alarm_document, past_document, transition_document
from twin.state.alarm_model import ACTIVE, UNACKNOWLEDGED, Action, ActionKind, Phase
from twin.state.alarms import refusal
from twin.state.document import rfc3339
from twin.store.actions import Order
from twin.store.alarms import AlarmFilter, KeptAlarm
from twin.store.connect import Store

router = APIRouter(prefix="/v1", tags=["alarms"])

GATEWAYS = "gateways"
_STANDING = tuple(phase.value for phase in Phase if phase is not Phase.NORMAL)

AlarmId = Annotated[UUID, Path(description="The alarm's id; the same source and rule always have the same one")]


class Standing(StrEnum):
    """Which alarms are wanted."""

    STANDING = "standing"  # everything but normal ones
    ANNOUNCED = "announced"
    ACTIVE = "active"
    UNACKNOWLEDGED = "unacknowledged"
    SHELVED = "shelved"
    SUPPRESSED = "suppressed"
    ALL = "all"


_FILTERS: dict[Standing, dict[str, Any]] = {
    Standing.STANDING: {"phases": _STANDING},
    Standing.ANNOUNCED: {"announced": True},
    Standing.ACTIVE: {"phases": tuple(ACTIVE)},
    Standing.UNACKNOWLEDGED: {"phases": tuple(UNACKNOWLEDGED), "announced": True},
    Standing.SHELVED: {"shelved": True},
    Standing.SUPPRESSED: {"phases": _STANDING, "suppressed": True},
    Standing.ALL: {},
}


@router.get(
    "/alarms",
    operation_id="listAlarms",
    summary="Alarms, the most urgent first",
    response_class=Response,
    responses={200: {"model": AlarmsModel, "description": "A page"}, **problems(404, 422, 503)},
)
async def list_alarms(
    parts: PartsDep,
    permit: PermitDep,
    state: Annotated[Standing, Query(description="Which ones")] = Standing.STANDING,
    priority: Annotated[Priority, Query(description="This one and above")] = Priority.LOW,
    under: Annotated[str | None, Query(description="Only this asset, signal or gateways/<node>, and below")] = None,
    since: Annotated[str | None, Query(description=f"That changed since: {TIME_TEXT}", **TIME_RULES)] = None,
    cursor: Annotated[str | None, Query(max_length=200, description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="At most so many")] = 200,
    at: At = None,
) -> Response:
    """Standing alarms by default: whatever is active, or still asks for something.

    With `at`: those that were standing then, as they stood; of the other parameters only `under` and `limit` count.
    """
    if under is not None:
        known_place(parts, under)
    under = permit.place(under)
    if at is not None:
        return await _playback(parts, asked_past(at), under, limit)
    wanted = AlarmFilter(
        **_FILTERS[state],
        priority=priority,
        under=under,
        since_ns=None if since is None else asked_instant("since", since),
        before=None if cursor is None else read_cursor(cursor),
    )
    found = await parts.link.store.alarms.page(wanted, limit + 1)
    page = found[:limit]
    following = write_cursor(page[-1].rule, page[-1].state) if len(found) > limit else None
    body = {"alarms": [alarm_document(one.rule, one.state) for one in page], "next": following}
    return Response(orjson.dumps(body), media_type="application/json", headers=FRESH)


@router.get(
    "/alarms/{alarm:uuid}",
    operation_id="getAlarm",
    summary="One alarm with its whole history",
    response_class=Response,
    responses={200: {"model": AlarmHistoryModel, "description": "The alarm"}, **problems(404, 422, 503)},
)
async def get_alarm(alarm: AlarmId, parts: PartsDep, permit: PermitDep) -> Response:
    """Why it was raised, every step since the first time, who did what and what they wrote."""
    kept = await _known(parts, alarm)
    permit.demand(kept.rule.source)
    history = await parts.link.store.alarms.history(alarm)
    steps = [transition_document(one.id, one.transition) for one in history]
    body = {**alarm_document(kept.rule, kept.state), "history": steps}
    return Response(orjson.dumps(body), media_type="application/json", headers=FRESH)


async def _playback(parts: Parts, at_ns: int, under: str | None, limit: int) -> Response:
    found = await parts.link.store.alarms.standing_at(at_ns, under=under, limit=limit)
    told = [(one.kept.rule, one.kept.transition, one.raised_ns) for one in found]
    alarms = [past_document(rule, last, raised_ns) for rule, last, raised_ns in told if rule is not None]
    return Response(orjson.dumps({"alarms": alarms, "next": None}), media_type="application/json", headers=FRESH)


@dataclass(frozen=True, slots=True)
class On:
    """An alarm that somebody acts on."""

    alarm: UUID
    parts: Parts
    permit: Permit
    once: Once


def _on(alarm: AlarmId, parts: PartsDep, permit: PermitDep, once: OnceDep) -> On:
    return On(alarm, parts, permit, once)


OnDep = Annotated[On, Depends(_on)]


def _action_route(kind: ActionKind, summary: str) -> dict[str, Any]:
    return {
        "path": f"/alarms/{{alarm:uuid}}/{kind.value}",
        "operation_id": f"{kind.value}Alarm",
        "summary": summary,
        "status_code": 202,
        "response_class": Response,
        "responses": {202: {"model": ActionModel, "description": "Kept"}, **problems(403, 404, 409, 422, 503)},
    }


@router.post(**_action_route(ActionKind.ACKNOWLEDGE, "I have seen it"))
async def acknowledge(on: OnDep, said: Said) -> Response:
    """Somebody knows of the alarm and takes care of it."""
    return await _act(on, ActionKind.ACKNOWLEDGE, said)


@router.post(**_action_route(ActionKind.CONFIRM, "The cause was dealt with"))
async def confirm(on: OnDep, said: Said) -> Response:
    """For alarms whose rule asks for it, once they have cleared."""
    return await _act(on, ActionKind.CONFIRM, said)


@router.post(**_action_route(ActionKind.RESET, "Let go of a latched alarm"))
async def reset(on: OnDep, said: Said) -> Response:
    """A latched alarm stays until it is acknowledged and reset."""
    return await _act(on, ActionKind.RESET, said)


@router.post(**_action_route(ActionKind.UNSHELVE, "Hear of it again"))
async def unshelve(on: OnDep, said: Said) -> Response:
    """Ends a shelving before its time."""
    return await _act(on, ActionKind.UNSHELVE, said)


@router.post(**_action_route(ActionKind.COMMENT, "Write something to it"))
async def comment(on: OnDep, said: Said) -> Response:
    """A note for the next shift; changes nothing else."""
    return await _act(on, ActionKind.COMMENT, said)


@router.post(**_action_route(ActionKind.SHELVE, "Not now"))
async def shelve(on: OnDep, said: Shelving) -> Response:
    """The alarm goes on but nobody hears of it: for `for_s` seconds (12 h at most), or until it clears."""
    until_ns = None if said.for_s is None else time.time_ns() + round(said.for_s * 1e9)
    return await _act(on, ActionKind.SHELVE, said, {"until_ns": until_ns})


@router.post(**_action_route(ActionKind.VERDICT, "Was it real?"))
async def verdict(on: OnDep, said: Judgement) -> Response:
    """Real, false or known: from these the precision of every detector is reported and its calibration learns."""
    detail = {"verdict": said.verdict.value, "occurrence": said.occurrence}
    return await _act(on, ActionKind.VERDICT, said, detail)


async def _act(on: On, kind: ActionKind, said: Said, detail: dict[str, Any] | None = None) -> Response:
    kept = await _known(on.parts, on.alarm)
    on.permit.demand(kept.rule.source)
    made = Action(0, kind, str(on.alarm), time.time_ns(), on.permit.caller.name, said.comment, detail or {})
    return await keep_action(on.once, made, refusal(kept.rule, kept.state, made))


async def keep_action(once: Once, made: Action, refused: str = "") -> Response:
    """202 with the action that is kept; one that was kept under this key before is answered again."""
    if earlier := await once.earlier():
        return earlier
    if refused:
        raise ProblemError(409, "not-possible-now", refused, do="look at the alarm's `actions`, then try again")

    async def work(store: Store) -> Answer:
        order = Order(once.identity, made.kind, made.target, made.at_ns, made.operator, made.comment, made.detail)
        kept, _ = await store.actions.add(order, once.permit.by)
        return Answer(202, action_document(kept))

    return await once.change(work)


def action_document(kept: Action) -> dict[str, Any]:
    """An action as the clients read it."""
    return {
        "id": kept.id,
        "kind": kept.kind.value,
        "target": kept.target,
        "at": rfc3339(kept.at_ns),
        "operator": kept.operator,
        "comment": kept.comment,
        "detail": dict(kept.detail),
    }


def known_place(parts: Parts, path: str) -> None:
    """404 unless alarms can come from there: an asset, a signal, or a gateway."""
    if path.partition("/")[0] != GATEWAYS and not parts.plant.has_signal(path):
        parts.asset(path)


async def _known(parts: Parts, alarm: UUID) -> KeptAlarm:
    kept = await parts.link.store.alarms.get(alarm)
    if kept is None:
        detail = f"no alarm {alarm} was ever raised"
        raise ProblemError(404, "unknown-alarm", detail, do="/v1/alarms?state=all lists every alarm")
    return kept
