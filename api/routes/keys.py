"""`/v1/keys`: API keys of machines. The key itself is shown once, when it is made."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path
from fastapi.responses import Response

from api.access_documents import KeyModel, KeyOrder, KeysModel, NewKeyModel
from api.conditional import NO_STORE
from api.deps import PartsDep, PermitDep
from api.errors import ProblemError
from api.once import Answer, OnceDep
from api.openapi import problems
from twin.access.secrets import new_key
from twin.state.document import rfc3339
from twin.store.connect import Store
from twin.store.keys import Key
from twin.store.times import to_ns

router = APIRouter(prefix="/v1", tags=["access"])


@router.get(
    "/keys",
    operation_id="listKeys",
    summary="Every key that ever was",
    response_class=Response,
    responses={200: {"model": KeysModel, "description": "The newest first"}, **problems(503)},
)
async def list_keys(parts: PartsDep) -> Response:
    """Without the keys themselves, which nobody keeps."""
    keys = [_document(one) for one in await parts.link.store.keys.all()]
    return Response(orjson.dumps({"keys": keys}), media_type="application/json", headers=NO_STORE)


@router.post(
    "/keys",
    operation_id="addKey",
    summary="A new key",
    status_code=201,
    response_class=Response,
    responses={201: {"model": NewKeyModel, "description": "With the key, this once"}, **problems(409, 422, 503)},
)
async def add_key(order: KeyOrder, permit: PermitDep, once: OnceDep) -> Response:
    """For a machine, with the roles that it needs, and an end.

    With an Idempotency-Key again: 409 `shown-once`, which says what was made; the key itself is kept nowhere.
    """
    made, grants = new_key(), [one.grant() for one in order.grants]

    async def work(store: Store) -> Answer:
        kept = await store.keys.add(made.id, made.digest, order.title, grants, order.days, permit.by)
        if kept is None:
            detail = f"there is a key {order.title!r} already"
            raise ProblemError(409, "title-is-taken", detail, do="revoke that one, or choose another title")
        return Answer(201, _document(kept), shown_once={"key": made.text})

    return await once.change(work)


@router.delete(
    "/keys/{key}",
    operation_id="revokeKey",
    summary="Revoke a key",
    response_class=Response,
    responses={200: {"model": KeyModel, "description": "Revoked"}, **problems(404, 422, 503)},
)
async def revoke_key(
    key: Annotated[str, Path(max_length=64, description="Its id, not the key")],
    parts: PartsDep,
    permit: PermitDep,
    once: OnceDep,
) -> Response:
    """It ends at once, in every process of the api within seconds."""

    async def work(store: Store) -> Answer:
        revoked = await store.keys.revoke(key, permit.by)
        if revoked is None:
            raise ProblemError(404, "unknown-key", "there is no such key to revoke", do="GET /v1/keys lists them")
        return Answer(200, _document(revoked))

    response = await once.change(work)
    parts.gate.identities.forget()
    return response


def _document(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "title": key.title,
        "grants": [grant.document() for grant in key.grants],
        "made_by": key.made_by,
        "made_at": rfc3339(to_ns(key.made_at)),
        "ends_at": rfc3339(to_ns(key.ends_at)),
        "revoked_at": key.revoked_at and rfc3339(to_ns(key.revoked_at)),
    }
