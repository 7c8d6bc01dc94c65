"""`/aas`: the plant for Asset Administration Shell clients, read only (IDTA 01002-3-0, repositories' read profiles).

Identifiers in the path are base64url, as the specification wants them; lists come in pages. Errors are problems.
"""

import base64
import binascii
import time
from collections.abc import Sequence
from typing import Annotated, Any, cast

import orjson
from aas_core3 import jsonization
from aas_core3 import types as aas
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from api import aas as shells
from api.board import Noun
from api.deps import Parts, PartsDep, unknown
from api.errors import ProblemError
from api.openapi import problems
from api.routes.kpis import figures
from api.window import rfc3339
from twin.plant.tree import Asset
from twin.throughput.asked import Period
from twin.throughput.kpis import NAMES, kpis

router = APIRouter(prefix="/aas", tags=["aas"])

_DAY_NS = 86_400_000_000_000
_PROFILE = "https://admin-shell.io/aas/API/3/0/{}RepositoryServiceSpecification/SSP-002"
_FRESH = {"Cache-Control": "no-store"}

Identifier = Annotated[str, Path(alias="id", max_length=2_000, description="base64url of the identifier")]
SubmodelIdentifier = Annotated[str, Path(alias="submodel", max_length=2_000, description="base64url of its identifier")]
ElementPath = Annotated[str, Path(alias="path", max_length=1_000, description="idShorts joined by dots")]
Limit = Annotated[int, Query(ge=1, le=500, description="At most so many")]
Cursor = Annotated[int, Query(ge=0, le=10_000_000, description="`cursor` of the page before")]
IdShort = Annotated[str | None, Query(alias="idShort", max_length=1_000, description="Only this one")]


def _route(path: str, operation: str, summary: str) -> dict[str, Any]:
    answers: dict[int | str, dict[str, Any]] = {
        200: {"description": "As IDTA 01002-3-0 says", "content": {"application/json": {"schema": {}}}}
    }
    return {
        "path": path,
        "operation_id": operation,
        "summary": summary,
        "response_class": Response,
        "responses": answers | problems(404, 422, 503),
    }


@router.get(**_route("/description", "getAasDescription", "Which profiles of the AAS interface there are"))
async def description() -> Response:
    """Both repositories, to read."""
    return _json({"profiles": [_PROFILE.format(one) for one in ("AssetAdministrationShell", "Submodel")]})


@router.get(**_route("/shells", "listShells", "The shells of all assets"))
async def list_shells(parts: PartsDep, limit: Limit = 100, cursor: Cursor = 0, id_short: IdShort = None) -> Response:
    """In the order of the plant, parents first."""
    found = [one for one in parts.plant.assets if id_short in {None, shells.id_short(one.path)}]
    page = found[cursor : cursor + limit]
    return _page([_plain(shells.shell(parts.plant, one)) for one in page], cursor, found)


@router.get(**_route("/shells/{id}", "getShell", "The shell of one asset"))
async def get_shell(parts: PartsDep, identity: Identifier) -> Response:
    """Its asset and where its submodels are."""
    return _json(_plain(shells.shell(parts.plant, _asset(parts, identity))))


@router.get(**_route("/shells/{id}/asset-information", "getAssetInformation", "What the shell is of"))
async def get_asset_information(parts: PartsDep, identity: Identifier) -> Response:
    """Kind, type and what it is part of."""
    return _json(_plain(shells.shell(parts.plant, _asset(parts, identity)).asset_information))


@router.get(**_route("/shells/{id}/submodel-refs", "listSubmodelReferences", "Where a shell's submodels are"))
async def list_references(parts: PartsDep, identity: Identifier, limit: Limit = 100, cursor: Cursor = 0) -> Response:
    """Nameplate, state, key figures, time series."""
    found = shells.references(parts.plant, _asset(parts, identity).path)
    return _page([_plain(one) for one in found[cursor : cursor + limit]], cursor, found)


@router.get(**_route("/shells/{id}/submodels/{submodel}", "getSubmodelOfShell", "One submodel of a shell"))
async def get_submodel_of_shell(
    request: Request, parts: PartsDep, identity: Identifier, submodel: SubmodelIdentifier
) -> Response:
    """As `/submodels/{id}`, if it is this shell's."""
    asset, (owner, name) = _asset(parts, identity), _submodel_name(parts, submodel)
    if owner.path != asset.path:
        raise _no_such("submodel", submodel)
    return _json(_plain(await _submodel(request, parts, asset, name)))


@router.get(**_route("/submodels", "listSubmodels", "The submodels of all assets"))
async def list_submodels(
    request: Request, parts: PartsDep, limit: Limit = 100, cursor: Cursor = 0, id_short: IdShort = None
) -> Response:
    """Asset by asset."""
    found = [(one, name) for one in parts.plant.assets for name in shells.SUBMODELS if id_short in {None, name}]
    made = [await _submodel(request, parts, *one) for one in found[cursor : cursor + limit]]
    return _page([_plain(one) for one in made], cursor, found)


@router.get(**_route("/submodels/{id}", "getSubmodel", "One submodel"))
async def get_submodel(request: Request, parts: PartsDep, identity: Identifier) -> Response:
    """Made at this moment: state and key figures are those of now."""
    return _json(_plain(await _asked(request, parts, identity)))


@router.get(**_route("/submodels/{id}/$value", "getSubmodelValue", "The values of one submodel alone"))
async def get_submodel_value(request: Request, parts: PartsDep, identity: Identifier) -> Response:
    """ValueOnly: idShort → value."""
    return _json(_values((await _asked(request, parts, identity)).submodel_elements or ()))


@router.get(**_route("/submodels/{id}/submodel-elements", "listElements", "The elements of one submodel"))
async def list_elements(
    request: Request, parts: PartsDep, identity: Identifier, limit: Limit = 100, cursor: Cursor = 0
) -> Response:
    """The top ones; those inside are part of them."""
    found = (await _asked(request, parts, identity)).submodel_elements or []
    return _page([_plain(one) for one in found[cursor : cursor + limit]], cursor, found)


@router.get(**_route("/submodels/{id}/submodel-elements/{path}", "getElement", "One element"))
async def get_element(request: Request, parts: PartsDep, identity: Identifier, path: ElementPath) -> Response:
    """By its path, such as `signals.spindle_current.value`."""
    return _json(_plain(_element(await _asked(request, parts, identity), path)))


@router.get(**_route("/submodels/{id}/submodel-elements/{path}/$value", "getElementValue", "The value of one element"))
async def get_element_value(request: Request, parts: PartsDep, identity: Identifier, path: ElementPath) -> Response:
    """ValueOnly."""
    return _json(_value(_element(await _asked(request, parts, identity), path)))


async def _asked(request: Request, parts: Parts, identity: str) -> aas.Submodel:
    return await _submodel(request, parts, *_submodel_name(parts, identity))


async def _submodel(request: Request, parts: Parts, asset: Asset, name: str) -> aas.Submodel:
    plant = parts.plant
    if name == shells.NAMEPLATE:
        return shells.nameplate(plant, asset)
    if name == shells.SERIES:
        return shells.series(plant, asset, str(request.base_url).rstrip("/"))
    if name == shells.STATE:
        entry = parts.board.get(Noun.ASSET, asset.path)
        return shells.state(plant, asset, orjson.loads(entry.rendered(signals=True)) if entry else {})
    end_ns = time.time_ns()
    rows = await figures(parts, asset.path, None, Period.TOTAL, (end_ns - _DAY_NS, end_ns))
    found = kpis(rows[0].sums) if rows else None
    told = {one: getattr(found, one) for one in NAMES} if found else {}
    return shells.figures(plant, asset, told, rfc3339(end_ns - _DAY_NS), rfc3339(end_ns))


def _asset(parts: Parts, identity: str) -> Asset:
    path = _decoded(identity).removeprefix(shells.shell_id(parts.plant, ""))
    if not parts.plant.has_asset(path):
        raise unknown("asset", path, [one.path for one in parts.plant.assets])
    return parts.plant.asset(path)


def _submodel_name(parts: Parts, identity: str) -> tuple[Asset, str]:
    path, _, name = _decoded(identity).removeprefix(shells.shell_id(parts.plant, "")).rpartition(":")
    if name not in shells.SUBMODELS or not parts.plant.has_asset(path):
        raise _no_such("submodel", _decoded(identity))
    return parts.plant.asset(path), name


def _decoded(identity: str) -> str:
    try:
        return base64.urlsafe_b64decode(identity + "=" * (-len(identity) % 4)).decode()
    except (ValueError, binascii.Error) as error:
        raise ProblemError(
            422, "bad-identifier", f"{identity[:60]!r} is not base64url", do="encode the identifier as base64url"
        ) from error


def _no_such(noun: str, identity: str) -> ProblemError:
    return ProblemError(
        404,
        f"unknown-{noun}",
        f"there is no {noun} {identity[:200]!r}",
        do="GET /aas/shells names every shell and its submodels",
    )


def _element(submodel: aas.Submodel, path: str) -> aas.SubmodelElement:
    inside, found = submodel.submodel_elements or [], None
    for name in path.split("."):
        found = next((one for one in inside if one.id_short == name), None)
        if found is None:
            raise _no_such("element", path)
        inside = found.value or [] if isinstance(found, aas.SubmodelElementCollection) else []
    return cast("aas.SubmodelElement", found)


def _values(elements: Sequence[aas.SubmodelElement]) -> dict[str, Any]:
    return {str(one.id_short): _value(one) for one in elements}


def _value(element: aas.SubmodelElement) -> Any:  # noqa: ANN401 – JSON
    if isinstance(element, aas.SubmodelElementCollection):
        return _values(element.value or ())
    return element.value if isinstance(element, aas.Property) else None


def _plain(one: aas.Class) -> Any:  # noqa: ANN401 – JSON
    return jsonization.to_jsonable(one)


def _page(result: list[Any], cursor: int, found: Sequence[object]) -> Response:
    behind = cursor + len(result)
    paging = {"cursor": str(behind)} if behind < len(found) else {}
    return _json({"paging_metadata": paging, "result": result})


def _json(document: object) -> Response:
    return Response(orjson.dumps(document), media_type="application/json", headers=_FRESH)
