"""The risk of a fault per machine, and how far it can be trusted. Read from the store: it changes once an hour."""

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import APIRouter
from fastapi.responses import Response

from api.asked_times import At, asked_past
from api.conditional import FRESH
from api.deps import PartsDep, PermitDep
from api.openapi import problems
from api.risk_documents import ReliabilitiesModel, RiskModel, RisksModel
from api.routes.assets import AssetPathParameter
from api.window import rfc3339
from twin.risk.statement import Assessment, Basis, Reason, RemainingLife, Statement

router = APIRouter(prefix="/v1", tags=["risk"])

KIND = "risk"  # of the stored models


@router.get(
    "/assets/{path:path}/risk",
    operation_id="getAssetRisk",
    summary="The risk of a fault of one machine",
    response_class=Response,
    responses={200: {"model": RiskModel, "description": "The risk"}, **problems(404, 422, 503)},
)
async def get_asset_risk(path: AssetPathParameter, parts: PartsDep, at: At = None) -> Response:
    """P(a fault begins within 8 h, 24 h, 7 d), from the newest turn of `risk-score`; without data, no number."""
    parts.asset(path)
    found = await parts.link.store.risks.latest(path, _by(at))
    never: dict[str, Any] = {"asset": path, "at": None, "model": None, "horizons": [], "remaining_life": None}
    return _json(_risk(found[0]) if found else never)


@router.get(
    "/risk",
    operation_id="listRisks",
    summary="The risk of a fault of every machine",
    response_class=Response,
    responses={200: {"model": RisksModel, "description": "The risks"}, **problems(422, 503)},
)
async def list_risks(parts: PartsDep, permit: PermitDep, at: At = None) -> Response:
    """Every machine of the newest turn of `risk-score`, by path."""
    found = await parts.link.store.risks.latest(by_ns=_by(at))
    return _json({"risks": [_risk(one) for one in found if permit.covers(one.asset)]})


@router.get(
    "/risk/reliability",
    operation_id="listReliability",
    summary="How far the risks can be trusted",
    response_class=Response,
    responses={200: {"model": ReliabilitiesModel, "description": "The models"}, **problems(503)},
)
async def list_reliability(parts: PartsDep) -> Response:
    """Per type of machine every version with its report: scores, reliability diagram, verdict against the champion."""
    models = [
        {
            "type": one.subject,
            "version": one.version,
            "state": one.state,
            "fitted_at": rfc3339(one.fitted_ns),
            "report": one.report,
        }
        for one in await parts.link.store.models.history(KIND)
    ]
    return _json({"models": models})


def _by(at: str | None) -> int | None:
    return None if at is None else asked_past(at)


def _risk(statement: Statement) -> dict[str, Any]:
    return {
        "asset": statement.asset,
        "at": rfc3339(statement.at_ns),
        "model": statement.model,
        "horizons": [_horizon(one) for one in statement.risks],
        "remaining_life": statement.life and _life(statement.life),
    }


def _horizon(risk: Assessment) -> dict[str, Any]:
    return {
        "horizon_h": risk.horizon_h,
        "p": risk.p,
        "low": risk.low,
        "high": risk.high,
        "basis": risk.basis.value,
        "calibrated": risk.basis is Basis.CALIBRATED,
        "failures": risk.failures,
        "reasons": [_reason(one) for one in risk.reasons],
    }


def _reason(reason: Reason) -> dict[str, Any]:
    return {"feature": reason.feature, "value": reason.value, "log_odds": reason.log_odds}


def _life(life: RemainingLife) -> dict[str, Any]:
    return {"hours": life.hours, "low": life.low, "high": life.high, "cap": life.cap, "failures": life.failures}


def _json(document: Mapping[str, Any]) -> Response:
    return Response(orjson.dumps(document), media_type="application/json", headers=FRESH)
