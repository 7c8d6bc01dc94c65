"""`GET /v1/live`: the frames of the live feed as server-sent events, for clients that speak plain HTTP.

The same hub, filters and places as the WebSocket. A client that comes back with `Last-Event-ID` goes on where it was.
"""

from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response
from fastapi.sse import format_sse_event
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from api.access.caller import Permit
from api.deps import Parts, PartsDep, PermitDep
from api.errors import ProblemError
from api.hub import Client, NoPlaceError
from api.openapi import problems
from api.subscription import RefusedError, Subscription, until_rights_change
from api.view import View
from twin.wire.together import together

router = APIRouter(prefix="/v1", tags=["state"])

RETRY_MS = 2_000  # how long a client waits before it comes back
AGAIN_S = "5"

MEDIA_TYPE = "text/event-stream"


class _Events(Response):
    """An answer that goes on until the client goes, stops reading, or may see no more."""

    media_type = MEDIA_TYPE

    def __init__(self, parts: Parts, permit: Permit, wanted: Subscription, view: View) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._parts, self._permit, self._wanted, self._view = parts, permit, wanted, view

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def write(text: bytes, *, more: bool = True) -> None:
            await send({"type": "http.response.body", "body": text, "more_body": more})

        async def frame(text: str) -> None:
            await write(_event(text, client))

        try:
            with self._parts.hub.join(frame) as client:
                client.subscribe(self._view, self._wanted.interval_ms, self._wanted.after)
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                await write(format_sse_event(retry=RETRY_MS))
                request = Request(scope, receive)
                await together(
                    {
                        "live sender": self._parts.hub.serve(client),
                        "live listener": _until_gone(receive),
                        "live rights": until_rights_change(request, self._parts, self._permit),
                    }
                )
            if not client.dropped:  # who reads nothing would not take the end either
                await write(b"", more=False)
        except* NoPlaceError as errors:
            self._parts.metrics.refused.labels("full").inc()
            why = str(errors.exceptions[0])
            problem = ProblemError(503, "no-live-place", why, do="try again later", headers={"Retry-After": AGAIN_S})
            await problem.response(scope["path"])(scope, receive, send)
        except* RefusedError as errors:
            await write(format_sse_event(event="refused", data_str=str(errors.exceptions[0])), more=False)
        except* (ClientDisconnect, OSError):
            pass  # it has gone


@router.get(
    "/live",
    operation_id="followLive",
    summary="The live feed as server-sent events",
    response_class=Response,
    responses={
        200: {
            "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
            "description": "Frames, for as long as you read",
        },
        **problems(403, 422, 503),
    },
)
async def follow_live(
    parts: PartsDep,
    permit: PermitDep,
    wanted: Annotated[Subscription, Query()],
    last_event_id: Annotated[str | None, Header(description="sent by browsers that come back")] = None,
) -> Response:
    """The frames of `WS /v1/live` as the `data` of events; frames of states have an `id`. After an event `refused` the
    answer ends: the rights have changed.
    """
    try:
        view = wanted.view(parts, permit)
    except RefusedError as error:
        raise ProblemError(
            422, "wrong-subscription", str(error), do="take paths of /v1/plant that you may see"
        ) from error
    if last_event_id is not None:
        wanted = wanted.model_copy(update={"after": last_event_id})
    return _Events(parts, permit, wanted, view)


def _event(text: str, client: Client) -> bytes:
    is_states = text.startswith('{"type":"states"')
    return format_sse_event(data_str=text, id=client.id if is_states else None)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
