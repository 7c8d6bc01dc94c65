"""`/v1/users`: who may sign in with a password, and their roles. Users are never deleted: the audit names them."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path
from fastapi.responses import Response

from api.access_documents import PasswordOrder, UserChange, UserModel, UserOrder, UsersModel
from api.conditional import NO_STORE
from api.deps import PartsDep, PermitDep
from api.errors import ProblemError
from api.once import Answer, OnceDep, SecretOnceDep
from api.openapi import problems
from twin.state.document import rfc3339
from twin.store.accounts import Account
from twin.store.connect import Store
from twin.store.times import to_ns

router = APIRouter(prefix="/v1", tags=["access"])
UserName = Annotated[str, Path(max_length=100, description="The user's name", examples=["Kim"])]


@router.get(
    "/users",
    operation_id="listUsers",
    summary="Every user",
    response_class=Response,
    responses={200: {"model": UsersModel, "description": "By name"}, **problems(503)},
)
async def list_users(parts: PartsDep) -> Response:
    """Also those who may not sign in any more."""
    users = [_document(one) for one in await parts.link.store.accounts.all()]
    return Response(orjson.dumps({"users": users}), media_type="application/json", headers=NO_STORE)


@router.post(
    "/users",
    operation_id="addUser",
    summary="A new user",
    status_code=201,
    response_class=Response,
    responses={201: {"model": UserModel, "description": "Added"}, **problems(409, 422, 503)},
)
async def add_user(order: UserOrder, parts: PartsDep, permit: PermitDep, once: SecretOnceDep) -> Response:
    """With a first password; before they change anything, they choose their own."""
    if earlier := await once.earlier():
        return earlier
    hashed = await parts.sign_in.hashed(order.name, order.password)
    grants = [one.grant() for one in order.grants]

    async def work(store: Store) -> Answer:
        account = await store.accounts.add(order.name, hashed, grants, permit.by)
        if account is None:
            detail = f"there is a user {order.name!r} already"
            raise ProblemError(409, "name-is-taken", detail, do="choose another name")
        return Answer(201, _document(account))

    return await once.change(work)


@router.patch(
    "/users/{name}",
    operation_id="changeUser",
    summary="Other roles, or no log-in any more",
    response_class=Response,
    responses={200: {"model": UserModel, "description": "As it is now"}, **problems(404, 409, 422, 503)},
)
async def change_user(
    name: UserName, change: UserChange, parts: PartsDep, permit: PermitDep, once: OnceDep
) -> Response:
    """Takes effect within seconds, also for those who are signed in."""
    if name == permit.caller.name and (change.disabled or change.grants is not None):
        raise ProblemError(409, "yourself", "nobody takes their own rights away", do="have another administrator do it")
    grants = None if change.grants is None else [one.grant() for one in change.grants]

    async def work(store: Store) -> Answer:
        account = await store.accounts.change(name, permit.by, grants=grants, disabled=change.disabled)
        if account is None:
            raise _unknown(name)
        return Answer(200, _document(account))

    response = await once.change(work)
    parts.gate.identities.forget()
    return response


@router.put(
    "/users/{name}/password",
    operation_id="setPassword",
    summary="Another password for somebody",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "Set; their sessions have ended"}, **problems(404, 422, 503)},
)
async def set_password(
    name: UserName, order: PasswordOrder, parts: PartsDep, permit: PermitDep, once: SecretOnceDep
) -> Response:
    """For those who have forgotten theirs; before they change anything, they choose their own."""
    if earlier := await once.earlier():
        return earlier
    hashed = await parts.sign_in.hashed(name, order.password)

    async def work(store: Store) -> Answer:
        if not await store.accounts.set_password(name, hashed, permit.by, is_initial=True):
            raise _unknown(name)
        await store.sessions.end_all(name)
        return Answer(204)

    response = await once.change(work)
    parts.gate.identities.forget()
    return response


def _document(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "grants": [grant.document() for grant in account.grants],
        "disabled": account.disabled,
        "must_choose_password": account.is_initial,
        "created_at": rfc3339(to_ns(account.created_at)),
    }


def _unknown(name: str) -> ProblemError:
    return ProblemError(404, "unknown-user", f"there is no user {name!r}", do="GET /v1/users lists them")
