"""The plant as Asset Administration Shells (IDTA 01001-3-0): one shell per asset, four submodels each. Pure.

In: the plant model, the live document and the key figures of an asset. Out: objects of the metamodel. Identifiers are
``urn:fabriquay:<enterprise>:<asset path>`` and, of a submodel, that with ``:<its name>``.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from aas_core3 import types as aas

from twin.plant.tree import Asset, Kind, Plant, Signal

NAMEPLATE, STATE, FIGURES, SERIES = "Nameplate", "OperationalState", "KeyFigures", "TimeSeries"
SUBMODELS = (NAMEPLATE, STATE, FIGURES, SERIES)
_TIME_SERIES = "https://admin-shell.io/idta/TimeSeries/1/1"  # IDTA 02008-1-1
_SEGMENTS = "https://admin-shell.io/idta/TimeSeries/Segments/1/1"
_LINKED = "https://admin-shell.io/idta/TimeSeries/Segments/LinkedSegment/1/1"
_ENDPOINT = "https://admin-shell.io/idta/TimeSeries/Endpoint/1/1"
_QUERY = "https://admin-shell.io/idta/TimeSeries/Query/1/1"
_TYPES: Mapping[type, aas.DataTypeDefXSD] = {
    bool: aas.DataTypeDefXSD.BOOLEAN,
    int: aas.DataTypeDefXSD.LONG,
    float: aas.DataTypeDefXSD.DOUBLE,
    str: aas.DataTypeDefXSD.STRING,
}


def shell_id(plant: Plant, asset: str) -> str:
    """The identifier of an asset's shell."""
    return f"urn:fabriquay:{plant.enterprise}:{asset}"


def submodel_id(plant: Plant, asset: str, name: str) -> str:
    """The identifier of one of its submodels."""
    return f"{shell_id(plant, asset)}:{name}"


def shell(plant: Plant, asset: Asset) -> aas.AssetAdministrationShell:
    """The shell of an asset; its parent's shell is a specific asset id."""
    identity = shell_id(plant, asset.path)
    parent = shell_id(plant, asset.parent) if asset.parent else None
    return aas.AssetAdministrationShell(
        id=identity,
        id_short=id_short(asset.path),
        display_name=[aas.LangStringNameType("en", asset.title[:128])],
        asset_information=aas.AssetInformation(
            asset_kind=aas.AssetKind.INSTANCE,
            global_asset_id=f"{identity}:asset",
            asset_type=asset.type,
            specific_asset_ids=[aas.SpecificAssetID("partOf", parent)] if parent else None,
        ),
        submodels=references(plant, asset.path),
    )


def references(plant: Plant, asset: str) -> list[aas.Reference]:
    """Where its submodels are."""
    names = [submodel_id(plant, asset, name) for name in SUBMODELS]
    return [aas.Reference(aas.ReferenceTypes.MODEL_REFERENCE, [aas.Key(aas.KeyTypes.SUBMODEL, name)]) for name in names]


def nameplate(plant: Plant, asset: Asset) -> aas.Submodel:
    """What the plant model says of it; not IDTA 02006, for it has neither manufacturer nor serial number."""
    return _submodel(
        plant,
        asset.path,
        NAMEPLATE,
        [
            _property("Path", asset.path),
            _property("Title", asset.title),
            _property("Level", str(asset.level)),
            _property("Type", asset.type),
            _property("Enterprise", plant.enterprise),
        ],
    )


def state(plant: Plant, asset: Asset, document: Mapping[str, Any]) -> aas.Submodel:
    """What the twin believes of it now: the live document, member by member; signals with value, time and quality."""
    told = {name: one for name, one in document.items() if name not in {"format", "path", "signals", "findings"}}
    told["open_findings"] = len(document.get("findings", ()))
    told["signals"] = document.get("signals", {})
    return _submodel(plant, asset.path, STATE, list(_elements(told)))


def figures(plant: Plant, asset: Asset, kpis: Mapping[str, float | None], start: str, end: str) -> aas.Submodel:
    """Key figures of a window; what is not defined is left out."""
    known = {name: value for name, value in kpis.items() if value is not None}
    return _submodel(plant, asset.path, FIGURES, list(_elements({"start": start, "end": end, **known})))


def series(plant: Plant, asset: Asset, api: str) -> aas.Submodel:
    """Where its signals' samples are: a linked segment each (IDTA 02008). api: the address in front of ``/v1``."""
    linked = [_segment(plant.signal(path), api) for path in asset.signals]
    segments = aas.SubmodelElementCollection(
        id_short="Segments", semantic_id=_external(_SEGMENTS), value=linked or None
    )
    made = _submodel(plant, asset.path, SERIES, [segments])
    made.semantic_id = _external(_TIME_SERIES)
    return made


def id_short(name: str) -> str:
    """A name as the metamodel allows it: letters, digits, underscores; it begins with a letter."""
    text = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name)
    return text if text[:1].isalpha() else f"x{text}"


def _segment(signal: Signal, api: str) -> aas.SubmodelElement:
    unit = f" in {signal.unit}" if signal.unit else ""
    return aas.SubmodelElementCollection(
        id_short=id_short(signal.name),
        description=[aas.LangStringTextType("en", f"{signal.title}{unit}")],
        semantic_id=_external(_LINKED),
        value=[
            _property("Endpoint", f"{api}/v1/signals/{signal.path}/series", _ENDPOINT),
            _property(
                "Query",
                "start=-1h&format=csv" if signal.kind == Kind.TEXT else "start=-1h&points=2000&format=csv",
                _QUERY,
            ),
        ],
    )


def _submodel(plant: Plant, asset: str, name: str, elements: list[aas.SubmodelElement]) -> aas.Submodel:
    return aas.Submodel(
        id=submodel_id(plant, asset, name),
        id_short=name,
        kind=aas.ModellingKind.INSTANCE,
        submodel_elements=elements or None,
    )


def _elements(told: Mapping[str, Any]) -> Iterator[aas.SubmodelElement]:
    """A document as collections and properties; null and empty members are left out, for a property has a value."""
    for name, value in told.items():
        if isinstance(value, Mapping):
            inside = list(_elements(value))  # pyright: ignore[reportUnknownArgumentType] – JSON
            if inside:
                yield aas.SubmodelElementCollection(id_short=id_short(name), value=inside)
        elif type(value) in _TYPES:
            yield _property(name, value)


def _property(name: str, value: bool | float | str, meaning: str | None = None) -> aas.Property:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return aas.Property(
        value_type=_TYPES[type(value)],
        id_short=id_short(name),
        value=text,
        semantic_id=_external(meaning) if meaning else None,
    )


def _external(meaning: str) -> aas.Reference:
    return aas.Reference(aas.ReferenceTypes.EXTERNAL_REFERENCE, [aas.Key(aas.KeyTypes.GLOBAL_REFERENCE, meaning)])
