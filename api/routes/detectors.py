"""`GET /v1/signals/{path}/detectors`: what judges a signal, in which version, and why it was chosen."""

from typing import Any

import orjson
from fastapi import APIRouter
from fastapi.responses import Response

from api.conditional import FRESH
from api.deps import Parts, PartsDep
from api.detector_documents import DetectorsModel
from api.openapi import problems
from api.routes.signals import SignalPathParameter
from api.window import rfc3339
from twin.plant.tree import Kind
from twin.state.model import Detector

router = APIRouter(prefix="/v1", tags=["series"])

BANK, STRETCH = "mspc", "stretch"  # kinds of the stored models
_ALWAYS = {Detector.QUALITY, Detector.STALE}
_OF_FRAMES = {Detector.MULTIVARIATE, Detector.SUB_PCA, Detector.CODEBOOK, Detector.LEFT_PROFILE}


@router.get(
    "/signals/{path:path}/detectors",
    operation_id="getSignalDetectors",
    summary="What judges this signal, and why",
    response_class=Response,
    responses={200: {"model": DetectorsModel, "description": "The detectors"}, **problems(404, 422, 503)},
)
async def get_detectors(path: SignalPathParameter, parts: PartsDep) -> Response:
    """Every sample (tier A), the bank of its asset (tier B), and the chosen detectors of stretches (tier C)."""
    signal = parts.signal(path)
    measured = signal.kind is Kind.MEASUREMENT
    body = {
        "signal": path,
        "asked_for": None if signal.detectors is None else list(signal.detectors),
        "samples": [one.value for one in Detector if one in _ALWAYS or (measured and one not in _OF_FRAMES)],
        "bank": await _newest(parts, BANK, signal.asset) if measured else None,
        "stretches": await _newest(parts, STRETCH, path) if measured else None,
    }
    return Response(orjson.dumps(body), media_type="application/json", headers=FRESH)


async def _newest(parts: Parts, kind: str, subject: str) -> dict[str, Any] | None:
    stored = await parts.link.store.models.champion(kind, subject)
    if stored is None:
        return None
    return {
        "version": stored.version,
        "fitted_at": rfc3339(stored.fitted_ns),
        "trained_from": rfc3339(stored.trained_from_ns),
        "trained_to": rfc3339(stored.trained_to_ns),
        "report": stored.report,
    }
