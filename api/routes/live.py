"""`WS /v1/live`: frames out, subscriptions in, within what the client may see.

Origin and rights are checked before the handshake and rights again while it lasts; places are counted after it.
"""

import contextlib
from typing import Annotated

from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict, ValidationError

from api.access.caller import Permit
from api.deps import Parts, PartsDep, PermitDep
from api.hub import DEFAULT_INTERVAL_MS, Client, NoPlaceError
from api.security import foreign, origin_allowed
from api.subscription import RefusedError, Subscription, until_rights_change
from api.view import View
from twin.wire.together import together

router = APIRouter()

WRONG_MESSAGE = 1008
TRY_AGAIN_LATER = 1013
LONGEST_REASON = 120  # a close frame holds 123 bytes


class ClientMessage(BaseModel):
    """The one message that a client may send."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    subscribe: Subscription


@router.websocket("/v1/live")
async def live(
    websocket: WebSocket, parts: PartsDep, permit: PermitDep, after: Annotated[str | None, Query()] = None
) -> None:
    """Serve one client until it goes, sends nonsense, or stops reading; one that comes back goes on behind `after`."""
    if not origin_allowed(websocket.headers, parts.settings.allowed_origins):
        parts.metrics.refused.labels("origin").inc()
        await websocket.send_denial_response(foreign(websocket.headers).response(websocket.url.path))
        return
    await websocket.accept()
    try:
        with parts.hub.join(websocket.send_text) as client:
            client.subscribe(View(within=permit.within), DEFAULT_INTERVAL_MS, after)
            await together(
                {
                    "live sender": parts.hub.serve(client),
                    "live listener": _listen(websocket, client, parts, permit),
                    "live rights": until_rights_change(websocket, parts, permit),
                }
            )
    except* NoPlaceError as errors:
        parts.metrics.refused.labels("full").inc()
        await _close(websocket, TRY_AGAIN_LATER, str(errors.exceptions[0]))
    except* RefusedError as errors:
        await _close(websocket, WRONG_MESSAGE, str(errors.exceptions[0]))
    except* WebSocketDisconnect:
        pass


async def _listen(websocket: WebSocket, client: Client, parts: Parts, permit: Permit) -> None:
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        wanted = _parsed(message.get("text") or "")
        client.subscribe(wanted.view(parts, permit), wanted.interval_ms, wanted.after)


def _parsed(text: str) -> Subscription:
    try:
        return ClientMessage.model_validate_json(text).subscribe
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RefusedError(f"{where}: {first['msg']}" if where else first["msg"]) from error


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    short = reason.encode()[:LONGEST_REASON].decode(errors="ignore")
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # it may be gone already
        await websocket.close(code, short)
