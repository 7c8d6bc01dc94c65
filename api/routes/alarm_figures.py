"""`/v1/alarms/reports` and `/v1/alarms/replay`: how well the alarms serve, and how a changed one would have served."""

from dataclasses import asdict
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from fastapi.responses import Response

from api.alarm_documents import ReplayModel, ReplayOrder, ReportModel, TrialAnomalies, TrialRule
from api.alarm_replay import replay_anomalies, replay_document, replay_rule
from api.asked_times import End, Start, asked_window
from api.conditional import FRESH, NO_STORE
from api.deps import Parts, PartsDep, PermitDep
from api.errors import ProblemError, unavailable
from api.openapi import problems
from api.routes.alarms import known_place
from api.window import Window, rfc3339
from twin.errors import Rejected
from twin.state.alarm_model import ACTIVE
from twin.state.alarm_reports import judged, precision, report
from twin.state.alarm_trial import trial_policy, trial_rule
from twin.store.alarms import AlarmFilter

router = APIRouter(prefix="/v1", tags=["alarms"])

_MOST_TRANSITIONS = 200_000
_RULE_FIELDS = {"limit", "deadband", "after_s", "on_delay_s", "off_delay_s"}


@router.get(
    "/alarms/reports",
    operation_id="getAlarmReports",
    summary="Rate, floods, standing and chattering alarms, bad actors, precision of the detectors",
    response_class=Response,
    responses={200: {"model": ReportModel, "description": "The figures"}, **problems(404, 422, 503)},
)
async def get_reports(
    parts: PartsDep,
    permit: PermitDep,
    start: Start = "-7d",
    end: End = "now",
    under: Annotated[str | None, Query(description="Only this asset, signal or gateways/<node>, and below")] = None,
    operators: Annotated[int, Query(ge=1, le=1_000, description="On duty at a time")] = 1,
) -> Response:
    """What ISA-18.2 and EEMUA 191 ask of an alarm system; precision comes from operators' verdicts in the window."""
    if under is not None:
        known_place(parts, under)
    under = permit.place(under)
    span, alarms = asked_window(start, end), parts.link.store.alarms
    found = await alarms.between(span.start_ns, span.end_ns, under=under, limit=_MOST_TRANSITIONS + 1)
    if len(found) > _MOST_TRANSITIONS:
        detail = f"the window holds more than {_MOST_TRANSITIONS} transitions"
        raise ProblemError(422, "too-many-rows", detail, do="ask for a shorter window or a part of the plant")
    told = [(one.rule, one.transition) for one in found if one.rule is not None]
    active = await alarms.page(AlarmFilter(phases=tuple(ACTIVE), announced=True, under=under), 10_000)
    standing = [(one.rule, one.state) for one in active]
    body = {
        "start": rfc3339(span.start_ns),
        "end": rfc3339(span.end_ns),
        **report(told, standing, span.start_ns, span.end_ns, operators),
        "precision": [asdict(one) for one in precision(judged(told))],
    }
    return Response(orjson.dumps(body), media_type="application/json", headers=FRESH)


@router.post(
    "/alarms/replay",
    operation_id="replayAlarm",
    summary="How often would this alarm have fired?",
    response_class=Response,
    responses={200: {"model": ReplayModel, "description": "Episodes and totals"}, **problems(403, 404, 422, 503)},
)
async def replay(order: ReplayOrder, parts: PartsDep, permit: PermitDep) -> Response:
    """A new or changed rule over stored history before it is armed: the code of the live alarms, changing nothing."""
    if (order.rule is None) == (order.anomalies is None):
        raise ProblemError(422, "wrong-replay", "give either `rule` or `anomalies`", do="leave out one of the two")
    permit.demand(order.rule.signal if order.rule else (order.anomalies and order.anomalies.under) or "")
    span = asked_window(order.start, order.end)
    if parts.streams.locked():
        raise unavailable("every place for long reads is taken")
    async with parts.streams:
        made = await (
            _rule(parts, order.rule, span)
            if order.rule
            else _anomalies(parts, order.anomalies or TrialAnomalies(), span)
        )
    return Response(orjson.dumps(made), media_type="application/json", headers=NO_STORE)


async def _rule(parts: Parts, wanted: TrialRule, span: Window) -> dict[str, Any]:
    signal = parts.signal(wanted.signal)
    try:
        rule = trial_rule(signal, wanted.name, wanted.model_dump(include=_RULE_FIELDS))
    except Rejected as error:
        raise ProblemError(422, error.reason, str(error), do="correct the rule") from error
    number = await parts.link.signal_id(signal.path)
    return replay_document(await replay_rule(parts.link.store, signal, number, rule, span), rule)


async def _anomalies(parts: Parts, wanted: TrialAnomalies, span: Window) -> dict[str, Any]:
    if wanted.under is not None:
        known_place(parts, wanted.under)
    changes = wanted.model_dump(include={"on_delay_s", "off_delay_s"})
    policy = trial_policy(parts.settings.alarms, tuple(wanted.detectors), changes)
    result = await replay_anomalies(parts.link.store, parts.plant, policy, wanted.under, span)
    return replay_document(result, None)
