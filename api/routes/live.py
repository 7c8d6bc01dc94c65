"""`WS /v1/live`: frames out, subscriptions in. Origin is checked before the handshake, places are counted after it."""

import asyncio
import contextlib
from typing import Annotated

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.deps import Parts, PartsDep
from api.errors import ProblemError
from api.hub import DEFAULT_INTERVAL_MS, Client, NoPlaceError, View
from api.security import origin_allowed

router = APIRouter()

WRONG_MESSAGE = 1008
TRY_AGAIN_LATER = 1013
LONGEST_REASON = 120  # a close frame holds 123 bytes


class Subscription(BaseModel):
    """What a client wants to see, and how often at most."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    under: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    signals: bool = True
    interval_ms: Annotated[int, Field(ge=50, le=60_000)] = DEFAULT_INTERVAL_MS


class ClientMessage(BaseModel):
    """The one message that a client may send."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    subscribe: Subscription


class WrongMessageError(Exception):
    """The client sent what cannot be used; the text is the close reason."""


@router.websocket("/v1/live")
async def live(websocket: WebSocket, parts: PartsDep) -> None:
    """Serve one client until it goes, sends nonsense, or stops reading."""
    if not origin_allowed(websocket.headers, parts.settings.allowed_origins):
        parts.metrics.refused.labels("origin").inc()
        await websocket.send_denial_response(_foreign(websocket).response(websocket.url.path))
        return
    await websocket.accept()
    try:
        with parts.hub.join(websocket.send_text) as client:
            await _converse(websocket, client, parts)
    except NoPlaceError as error:
        parts.metrics.refused.labels("full").inc()
        await _close(websocket, TRY_AGAIN_LATER, str(error))
    except WrongMessageError as error:
        await _close(websocket, WRONG_MESSAGE, str(error))
    except WebSocketDisconnect:
        pass


async def _converse(websocket: WebSocket, client: Client, parts: Parts) -> None:
    """Send and listen at once; the first of the two to end, ends both."""
    both = [
        asyncio.create_task(parts.hub.serve(client), name="live sender"),
        asyncio.create_task(_listen(websocket, client, parts), name="live listener"),
    ]
    try:
        done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)


async def _listen(websocket: WebSocket, client: Client, parts: Parts) -> None:
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        wanted = _parsed(message.get("text") or "", parts)
        client.subscribe(View(tuple(sorted(set(wanted.under))), wanted.signals), wanted.interval_ms)


def _parsed(text: str, parts: Parts) -> Subscription:
    try:
        wanted = ClientMessage.model_validate_json(text).subscribe
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise WrongMessageError(f"{where}: {first['msg']}" if where else first["msg"]) from error
    missing = [path for path in wanted.under if not parts.plant.has_asset(path)]
    if missing:
        raise WrongMessageError(f"subscribe.under: there is no asset {missing[0]!r}")
    return wanted


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    short = reason.encode()[:LONGEST_REASON].decode(errors="ignore")
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # it may be gone already
        await websocket.close(code, short)


def _foreign(websocket: WebSocket) -> ProblemError:
    origin = websocket.headers.get("origin", "")[:200]
    return ProblemError(
        403,
        "foreign-origin",
        f"a page from {origin!r} may not open the live feed",
        do="open the page from this address, or add that origin to allowed_origins in the api's settings",
    )
