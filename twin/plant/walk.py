"""The document's nested sites, areas, lines and units → assets in order, parents first, ranged names expanded."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from twin.plant.document import AreaText, LinkText, PlantText, UnitText, expand
from twin.plant.flow import Link
from twin.plant.tree import Asset, Level


class Place(NamedTuple):
    """An asset (without its signals), the unit it was made from, and where that stands in the file."""

    asset: Asset
    unit: UnitText | None
    keys: tuple[str, ...]


def walk(text: PlantText) -> Iterator[Place]:
    """Every asset of the plant."""
    for name, site in text.sites.items():
        keys = ("sites", name)
        top = _group(name, site.title, Level.SITE, None, site.calendar)
        yield Place(top, None, keys)
        for area_name, area in site.areas.items():
            yield from _walk_area(area_name, area, top, (*keys, "areas", area_name))


def links(group: LinkText) -> Iterator[Link]:
    """Every pair of units that an entry of the flow connects."""
    for source in _expanded(group.source):
        for target in _expanded(group.target):
            yield Link(source, target, group.buffer, group.share)


def _expanded(paths: list[str]) -> Iterator[str]:
    for path in paths:
        for one, _ in expand(path, None):
            yield one


def _walk_area(name: str, area: AreaText, site: Asset, keys: tuple[str, ...]) -> Iterator[Place]:
    asset = replace(_group(name, area.title, Level.AREA, site, area.calendar), alarms_per_day=area.alarms_per_day)
    yield Place(asset, None, keys)
    for line_name, line in area.lines.items():
        line_keys = (*keys, "lines", line_name)
        line_asset = _group(line_name, line.title, Level.LINE, asset, line.calendar)
        yield Place(line_asset, None, line_keys)
        yield from _walk_units(line.units, line_asset, line_keys)
    yield from _walk_units(area.units, asset, keys)


def _walk_units(units: Mapping[str, UnitText], parent: Asset, keys: tuple[str, ...]) -> Iterator[Place]:
    for ranged, unit in units.items():
        for name, title in expand(ranged, unit.title):
            calendar = unit.calendar or parent.calendar
            asset = Asset(f"{parent.path}/{name}", name, title, Level.UNIT, unit.type, parent.path, (), calendar)
            yield Place(asset, unit, (*keys, "units", ranged))


def _group(name: str, title: str | None, level: Level, parent: Asset | None, calendar: str | None) -> Asset:
    path = f"{parent.path}/{name}" if parent else name
    inherited = calendar or (parent.calendar if parent else "")
    shown = title or name.replace("-", " ").capitalize()
    return Asset(path, name, shown, level, level.value, parent.path if parent else None, (), inherited)
