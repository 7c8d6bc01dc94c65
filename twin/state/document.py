"""`AssetState` → the JSON document of the live feed, format 1.

In: a frozen state. Out: dictionaries and lists that any JSON writer takes. Times become RFC 3339 with microseconds.
"""

from datetime import datetime, timedelta
from typing import Any

from twin.state.alarm_model import RiskLevel
from twin.state.model import AssetState, Evidence, Finding, Production, SignalValue

FORMAT = 1
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 – written with an explicit Z below


def rfc3339(time_ns: int) -> str:
    """``2026-11-23T22:41:07.123456Z``."""
    return (_EPOCH + timedelta(microseconds=time_ns // 1000)).isoformat(timespec="microseconds") + "Z"


def document(state: AssetState) -> dict[str, Any]:
    """The live state document of one asset."""
    machine, fresh = state.machine_state, state.freshness
    written: dict[str, Any] = {
        "format": FORMAT,
        "path": state.path,
        "at": rfc3339(state.at_ns),
        "seq": state.seq,
        "machine_state": machine
        and {"name": machine.name, "category": machine.category, "since": rfc3339(machine.at_ns)},
        "throughput": state.throughput and _production(state.throughput),
        "health": state.health.value,
        "freshness": {
            "newest_at": None if fresh.newest_ns is None else rfc3339(fresh.newest_ns),
            "age_s": None if fresh.age_s is None else round(fresh.age_s, 3),
            "reason": fresh.reason.value,
            "explanation": fresh.explanation,
        },
        "findings": [finding_document(finding) for finding in state.findings],
        "signals": {name: _signal(value) for name, value in state.signals.items()},
    }
    if state.risks:
        written["risks"] = [_risk(risk) for risk in state.risks]
    if state.gateways:
        written["gateways"] = list(state.gateways)
    if state.children is not None:
        children = state.children
        written["children"] = {"running": children.running, "down": children.down, "total": children.total}
    return written


def _risk(risk: RiskLevel) -> dict[str, Any]:
    return {
        "horizon": risk.horizon,
        "p": risk.p,
        "low": risk.detail.get("low"),
        "high": risk.detail.get("high"),
        "calibrated": risk.calibrated,
        "at": rfc3339(risk.at_ns),
    }


def _production(production: Production) -> dict[str, Any]:
    shift, rate = production.shift, production.now_per_h
    return {
        "unit": production.unit,
        "now_per_h": None if rate is None else round(rate, 2),
        "this_shift": production.this_shift,
        "estimated": production.estimated,
        "shift": shift
        and {"name": shift.name, "started_at": rfc3339(shift.started_ns), "ends_at": rfc3339(shift.ends_ns)},
    }


def finding_document(finding: Finding) -> dict[str, Any]:
    """A finding that goes on, as the live document and the api write it."""
    return {
        "id": str(finding.id),
        "signal": finding.signal,
        "detector": finding.detector,
        "since": rfc3339(finding.since_ns),
        "score": round(finding.score, 2),
        "message": finding.message,
        **evidence_document(finding.evidence),
    }


def evidence_document(evidence: Evidence) -> dict[str, Any]:
    """The evidence of a finding, for the page and the store."""
    baseline = None if evidence.centre is None else {"centre": evidence.centre, "spread": evidence.spread}
    return {
        "p": evidence.p,
        "expected_per_day": evidence.expected_per_day,
        "baseline": baseline,
        "contributions": [
            {"signal": one.signal, "share": round(one.share, 4), "sign": one.sign} for one in evidence.contributions
        ],
        "regime": evidence.regime,
        "model": evidence.model,
        "earlier": None if evidence.earlier is None else str(evidence.earlier),
    }


def _signal(value: SignalValue) -> dict[str, Any]:
    return {
        "value": value.value,
        "time": rfc3339(value.time_ns),
        "received_at": rfc3339(value.received_ns),
        "quality": value.quality,
        "fresh": value.fresh,
    }
