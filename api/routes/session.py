"""`/v1/session`: who is signed in; signing in and out of the page; choosing a password."""

import secrets
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.access.caller import Caller
from api.access.cookies import drop_flow, drop_session, flow_text, session_token, set_flow, set_session
from api.access.gate import address_of
from api.access.oidc import Oidc, read_flow, refused
from api.access.sign_in import Attempt
from api.access_documents import Credentials, PasswordChange, SessionModel
from api.conditional import NO_STORE
from api.deps import Parts, PartsDep, PermitDep
from api.errors import ProblemError
from api.once import Answer, SecretOnceDep
from api.openapi import problems
from api.security import request_id
from twin.access.grants import By
from twin.access.secrets import digest
from twin.store.connect import Store

router = APIRouter(prefix="/v1", tags=["access"])


@router.get(
    "/session",
    operation_id="getSession",
    summary="Who is signed in?",
    response_class=Response,
    responses={200: {"model": SessionModel, "description": "Who, and with which roles"}, **problems(401, 503)},
)
async def get_session(request: Request, parts: PartsDep) -> Response:
    """Without a log-in `name` is null and `grants` are what everybody has."""
    return _answer(parts, await parts.gate.identities.of(request))


@router.post(
    "/session",
    operation_id="signIn",
    summary="Sign in with name and password",
    response_class=Response,
    responses={
        200: {"model": SessionModel, "description": "Signed in; the cookie is in Set-Cookie"},
        **problems(401, 422, 429, 503),
    },
)
async def sign_in(request: Request, given: Credentials, parts: PartsDep) -> Response:
    """A session of its own for every browser. After some wrong passwords in a row the name is locked for a while."""
    attempt = Attempt(given.name, given.password, address_of(request), request_id(request.scope))
    _, token = await parts.sign_in.password(attempt)
    caller = await parts.gate.identities.session(token)
    if caller is None:
        raise ProblemError(401, "sign-in-needed", "the session has ended already", do="sign in again")
    response = _answer(parts, caller)
    set_session(response, request, token, parts.sign_in.length_s)
    return response


@router.delete(
    "/session",
    operation_id="signOut",
    summary="Sign out",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "Signed out, or nobody was signed in"}, **problems(403, 503)},
)
async def sign_out(request: Request, parts: PartsDep) -> Response:
    """The session ends at once, in every process of the api within seconds."""
    response = Response(status_code=204, headers=NO_STORE)
    token = session_token(request)
    if token:
        name = await parts.link.store.sessions.end(digest(token))
        parts.gate.identities.forget(token)
        if name is not None:
            by = By(name, "session", address_of(request), request_id(request.scope))
            await parts.link.store.audit.add(by, "session.closed", name)
        drop_session(response, request)
    return response


@router.get(
    "/session/oidc",
    operation_id="startSingleSignOn",
    summary="Sign in elsewhere",
    status_code=303,
    response_class=Response,
    responses={303: {"description": "To the provider"}, **problems(401, 404, 503)},
)
async def start_oidc(request: Request, parts: PartsDep) -> Response:
    """For a browser: to the provider of single sign-on and back to the callback."""
    address, flow = await _oidc(parts).begin(_callback(request, parts))
    response = Response(status_code=303, headers={**NO_STORE, "Location": address})
    set_flow(response, request, flow.text())
    return response


@router.get(
    "/session/oidc/callback",
    operation_id="finishSingleSignOn",
    summary="Back from single sign-on",
    status_code=303,
    response_class=Response,
    responses={303: {"description": "Signed in; to the page"}, **problems(401, 403, 404, 422, 503)},
)
async def finish_oidc(
    request: Request,
    parts: PartsDep,
    code: Annotated[str, Query(max_length=4_096, description="The provider's")] = "",
    state: Annotated[str, Query(max_length=200, description="As it was sent")] = "",
    error: Annotated[str, Query(max_length=200, description="Why the provider refuses")] = "",
) -> Response:
    """Only for the browser that began: its cookie holds the same `state`."""
    oidc, flow = _oidc(parts), read_flow(flow_text(request))
    if flow is None or not secrets.compare_digest(flow.state.encode(), state.encode()):
        raise refused("this browser has not begun it, or too long ago")
    if error or not code:
        raise refused(f"the provider says {error or 'nothing'}")
    caller = await oidc.finish(_callback(request, parts), flow, code)
    by = By(caller.name, "single sign-on", address_of(request), request_id(request.scope))
    token = await parts.sign_in.begin(caller.name, by, caller.grants)
    response = Response(status_code=303, headers={**NO_STORE, "Location": "../../../"})
    set_session(response, request, token, parts.sign_in.length_s)
    drop_flow(response, request)
    return response


def _oidc(parts: Parts) -> Oidc:
    if parts.oidc is None:
        detail = "single sign-on is not configured"
        raise ProblemError(404, "no-single-sign-on", detail, do="sign in with a password, or set access.oidc")
    return parts.oidc


def _callback(request: Request, parts: Parts) -> str:
    """Where the provider sends the browser back to; it is registered there."""
    given = parts.settings.access.oidc
    address = given.address if given is not None else None
    return (address or str(request.base_url)).rstrip("/") + "/v1/session/oidc/callback"


@router.put(
    "/session/password",
    operation_id="choosePassword",
    summary="Choose another password for yourself",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "Set; your other sessions have ended"}, **problems(401, 403, 422, 429, 503)},
)
async def choose_password(
    request: Request, given: PasswordChange, parts: PartsDep, permit: PermitDep, once: SecretOnceDep
) -> Response:
    """Only for those who sign in here with a password; the old one is asked for."""
    token = session_token(request)
    if token is None:
        raise ProblemError(403, "no-password", "a key or a token has no password", do="sign in at the page")
    name = permit.caller.name
    if earlier := await once.earlier():  # when the old password was the old one
        return earlier
    hashed = await parts.sign_in.chosen(name, given.old, given.new, permit.by)

    async def work(store: Store) -> Answer:
        await store.accounts.set_password(name, hashed, permit.by, is_initial=False)
        await store.sessions.end_all(name, but=digest(token))
        return Answer(204)

    response = await once.change(work)
    parts.gate.identities.forget()
    return response


def _answer(parts: Parts, caller: Caller) -> Response:
    ends = None if caller.ends_s == float("inf") else datetime.fromtimestamp(caller.ends_s, UTC)
    oidc = parts.settings.access.oidc
    body: dict[str, Any] = {
        "name": None if caller.is_anonymous else caller.name,
        "how": caller.how.value,
        "grants": [grant.document() for grant in caller.grants],
        "ends_at": ends and ends.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "must_choose_password": caller.is_initial,
        "oidc": None if oidc is None else {"title": oidc.title, "address": "v1/session/oidc"},
    }
    return Response(orjson.dumps(body), media_type="application/json", headers=NO_STORE)
