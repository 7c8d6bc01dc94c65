"""Alarms → JSON documents: one alarm as the api and the page read it, and the live document of one scope, format 1.

In: rule and state. Out: dictionaries of plain values; instants are RFC 3339.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from twin.plant.alarm import Priority
from twin.state.alarm_model import UNACKNOWLEDGED, AlarmRule, AlarmState, AlarmTransition, Phase
from twin.state.alarms import allowed
from twin.state.document import evidence_document, rfc3339
from twin.state.model import Finding

FORMAT = 1
MOST_LIVE = 200  # alarms in one live document; the api pages through the rest


def alarm_document(rule: AlarmRule, state: AlarmState) -> dict[str, Any]:
    """One alarm."""
    shelf = state.shelf
    return {
        "id": str(state.id),
        "kind": rule.kind.value,
        "name": rule.name,
        "title": rule.title,
        "source": rule.source,
        "asset": rule.asset,
        "scope": rule.scope,
        "priority": rule.priority.value,
        "phase": state.phase.value,
        "active": state.active,
        "announced": state.announced,
        "since": _instant(state.raised_ns),
        "cleared_at": None if state.active else _instant(state.cleared_ns),
        "changed_at": _instant(state.at_ns or None),
        "occurrence": state.occurrence,
        "message": state.message,
        "value": state.value,
        "why": dict(state.detail),
        "shelf": shelf and {"until": _instant(shelf.until_ns), "operator": shelf.operator, "comment": shelf.comment},
        "suppressed_by": list(state.suppressed),
        "grouped": state.grouped,
        "actions": [kind.value for kind in allowed(rule, state)],
    }


def past_document(rule: AlarmRule, last: AlarmTransition, raised_ns: int | None) -> dict[str, Any]:
    """An alarm as it stood behind its transition `last`: nothing can be done to it any more."""
    state = AlarmState(
        rule.id,
        rule.key,
        phase=last.phase,
        occurrence=last.occurrence,
        raised_ns=raised_ns,
        at_ns=last.at_ns,
        value=last.value,
        message=last.message,
        detail=last.detail,
        grouped=last.grouped,
    )
    return {**alarm_document(rule, state), "announced": last.announced, "actions": []}


def transition_document(identity: int, one: AlarmTransition) -> dict[str, Any]:
    """One step in the life of an alarm."""
    return {
        "id": identity,
        "step": one.step,
        "at": rfc3339(one.at_ns),
        "what": one.what.value,
        "phase": one.phase.value,
        "occurrence": one.occurrence,
        "announced": one.announced,
        "message": one.message,
        "value": one.value,
        "operator": one.operator,
        "comment": one.comment,
        "action": one.action,
        "detail": dict(one.detail),
    }


def scope_document(
    scope: str, alarms: Iterable[tuple[AlarmRule, AlarmState]], action: int, now_ns: int
) -> dict[str, Any]:
    """The live document: everything in this scope that is not normal, the most urgent first."""
    every = list(alarms)
    standing = [(rule, state) for rule, state in every if state.phase is not Phase.NORMAL]
    standing.sort(key=lambda one: (not one[1].announced, -one[0].priority.rank, -one[1].at_ns, one[0].key))
    announced = [(rule, state) for rule, state in standing if state.announced]
    return {
        "format": FORMAT,
        "path": scope,
        "at": rfc3339(now_ns),
        "version": sum(state.step for _, state in every),
        "action": action,
        "counts": {priority.value: sum(rule.priority is priority for rule, _ in announced) for priority in Priority},
        "unacknowledged": sum(state.phase in UNACKNOWLEDGED for _, state in announced),
        "total": len(standing),
        "alarms": [alarm_document(rule, state) for rule, state in standing[:MOST_LIVE]],
    }


def finding_detail(finding: Finding) -> Mapping[str, Any]:
    """Why a detector spoke, for the alarm that it raises."""
    return {
        "finding": str(finding.id),
        "detector": finding.detector,
        "signal": finding.signal,
        "since": rfc3339(finding.since_ns),
        "score": round(finding.score, 4),
        **evidence_document(finding.evidence),
    }


def _instant(time_ns: int | None) -> str | None:
    return None if time_ns is None else rfc3339(time_ns)
