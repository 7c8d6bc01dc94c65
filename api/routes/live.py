"""`WS /v1/live`: frames out, subscriptions in, within what the client may see.

Origin and rights are checked before the handshake and rights again while it lasts; places are counted after it.
"""

import asyncio
import contextlib
from typing import Annotated

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.access.caller import Permit
from api.deps import Parts, PartsDep, PermitDep
from api.errors import ProblemError
from api.hub import DEFAULT_INTERVAL_MS, Client, NoPlaceError
from api.security import foreign, origin_allowed
from api.view import View

router = APIRouter()

WRONG_MESSAGE = 1008
TRY_AGAIN_LATER = 1013
LONGEST_REASON = 120  # a close frame holds 123 bytes
RIGHTS_EVERY_S = 15.0  # who was signed out or has lost a role sees nothing more after so long


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
    """The client sent what cannot be used, or may not look any more; the text is the close reason."""


@router.websocket("/v1/live")
async def live(websocket: WebSocket, parts: PartsDep, permit: PermitDep) -> None:
    """Serve one client until it goes, sends nonsense, or stops reading."""
    if not origin_allowed(websocket.headers, parts.settings.allowed_origins):
        parts.metrics.refused.labels("origin").inc()
        await websocket.send_denial_response(foreign(websocket.headers).response(websocket.url.path))
        return
    await websocket.accept()
    try:
        with parts.hub.join(websocket.send_text) as client:
            client.view = View(within=permit.within)
            await _converse(websocket, client, parts, permit)
    except NoPlaceError as error:
        parts.metrics.refused.labels("full").inc()
        await _close(websocket, TRY_AGAIN_LATER, str(error))
    except WrongMessageError as error:
        await _close(websocket, WRONG_MESSAGE, str(error))
    except WebSocketDisconnect:
        pass


async def _converse(websocket: WebSocket, client: Client, parts: Parts, permit: Permit) -> None:
    """Send, listen and look after the rights at once; the first of them to end, ends all."""
    all_of_it = [
        asyncio.create_task(parts.hub.serve(client), name="live sender"),
        asyncio.create_task(_listen(websocket, client, parts, permit), name="live listener"),
        asyncio.create_task(_watch(websocket, parts, permit), name="live rights"),
    ]
    try:
        done, _ = await asyncio.wait(all_of_it, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in all_of_it:
            task.cancel()
        await asyncio.gather(*all_of_it, return_exceptions=True)


async def _watch(websocket: WebSocket, parts: Parts, permit: Permit) -> None:
    """End a connection whose client has lost the rights that it began with."""
    if permit.caller.is_anonymous:
        await asyncio.Event().wait()
    while True:
        await asyncio.sleep(RIGHTS_EVERY_S)
        try:
            now = await parts.gate.admit(websocket)
        except ProblemError as problem:
            if problem.status in (401, 403):
                raise WrongMessageError(f"{problem.detail}: {problem.do}") from problem
            continue  # the store is away: it is asked again
        if now.roots != permit.roots or now.caller.how is not permit.caller.how:
            raise WrongMessageError("your rights have changed; connect again")


async def _listen(websocket: WebSocket, client: Client, parts: Parts, permit: Permit) -> None:
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        wanted = _parsed(message.get("text") or "", parts, permit)
        client.subscribe(View(tuple(sorted(set(wanted.under))), wanted.signals, permit.within), wanted.interval_ms)


def _parsed(text: str, parts: Parts, permit: Permit) -> Subscription:
    try:
        wanted = ClientMessage.model_validate_json(text).subscribe
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise WrongMessageError(f"{where}: {first['msg']}" if where else first["msg"]) from error
    missing = [path for path in wanted.under if not parts.plant.has_asset(path)]
    if missing:
        raise WrongMessageError(f"subscribe.under: there is no asset {missing[0]!r}")
    hidden = [path for path in wanted.under if not permit.covers(path)]
    if hidden:
        raise WrongMessageError(f"subscribe.under: you may not see {hidden[0]!r}")
    return wanted


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    short = reason.encode()[:LONGEST_REASON].decode(errors="ignore")
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # it may be gone already
        await websocket.close(code, short)
