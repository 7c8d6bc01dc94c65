"""Which series a plant has: one for every producing unit, one for every line, area and site, whose end units add
up to it.

In: the plant model and the producing units. Out: series in order, bottom first, each with the units that it adds
up. A part that passes three machines is one part: of a line only the units count that feed no other producing unit
of it. Pure.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from twin.plant.tree import Level, Plant
from twin.throughput.asked import last_of_flow


@dataclass(frozen=True, slots=True)
class Series:
    """What is forecast of one asset."""

    asset: str  # path
    unit: str  # parts | moves
    parts: tuple[str, ...]  # paths of the units that add up to it; itself for a unit
    cohort: str  # assets of one cohort are alike: the type of its units


def series_of(plant: Plant, producing: Mapping[str, str]) -> list[Series]:
    """Units first, then everything above them whose end units produce the same; `producing`: path → parts or
    moves.
    """
    units = [Series(path, unit, (path,), plant.asset(path).type) for path, unit in producing.items()]
    above: list[Series] = []
    for asset in plant.assets:
        if asset.level == Level.UNIT or not plant.children(asset.path):
            continue
        below = {path: unit for path, unit in producing.items() if path.startswith(asset.path + "/")}
        last = last_of_flow(below, plant.flow)
        ends = [path for path in below if path in last]
        kinds = {(below[path], plant.asset(path).type) for path in ends}
        if len(kinds) == 1:
            unit, cohort = kinds.pop()
            above.append(Series(asset.path, unit, tuple(ends), cohort))
    return [*units, *above]


def places(series: Collection[Series]) -> list[tuple[int, ...]]:
    """For `reconcile.sums_of`: the places of the units that each series adds up."""
    place = {one.asset: number for number, one in enumerate(series)}
    return [tuple(place[part] for part in one.parts) for one in series]
