"""A question for key figures → whose buckets to add up, and sums → rows of answers. Pure.

Groups are assets: each is the sum over its units. Counts of a group are those of the last units of its flow, so that a
part which passes three machines is one part; where these are not alike, those of the cranes that work on calls.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from twin.plant.flow import Link
from twin.plant.tree import Level, Plant
from twin.throughput.kpis import Sums
from twin.throughput.unit import COUNTERS, Unit, units_of


class Period(StrEnum):
    """What a row of the answer covers."""

    HOUR = "hour"
    SHIFT = "shift"
    DAY = "day"
    ORDER = "order"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Question:
    """Units, the group of each (a place in `groups`), whether its counts are the group's output, its ideal cycle."""

    groups: tuple[str, ...]
    units: tuple[str, ...]  # [n] paths; a unit stands once per group that it belongs to
    places: tuple[int, ...]  # [n]
    outputs: tuple[bool, ...]  # [n]
    ideals: tuple[float | None, ...]  # [n] seconds per part
    cranes: tuple[tuple[str, int], ...]  # units that work on calls, with the place of their group
    turning: tuple[tuple[str, int], ...]  # units that tell turn times


@dataclass(frozen=True, slots=True)
class Row:
    """The sums of one group and one period."""

    asset: str
    start_ns: int
    end_ns: int
    label: str  # the shift's name, the order
    sums: Sums
    turn_median_s: float | None = None
    turn_p90_s: float | None = None


def question(plant: Plant, under: str, level: Level | None, ideal: Mapping[str, float]) -> Question:
    """The asset `under` and, with `level`, instead of it every asset of that level at or below it.

    ideal: learnt ideal cycles by unit; what the plant model gives stands above them.
    """
    units = units_of(plant)
    groups = tuple(_groups(plant, under, level))
    rows: list[tuple[str, int, bool, float | None]] = []
    for place, group in enumerate(groups):
        below = [unit for path, unit in units.items() if path == group or path.startswith(group + "/")]
        last = _outputs(below, plant.flow)
        rows += [
            (one.asset.path, place, one.asset.path in last, one.asset.ideal_cycle_s or ideal.get(one.asset.path))
            for one in below
        ]
    return Question(
        groups=groups,
        units=tuple(row[0] for row in rows),
        places=tuple(row[1] for row in rows),
        outputs=tuple(row[2] for row in rows),
        ideals=tuple(row[3] for row in rows),
        cranes=tuple((row[0], row[1]) for row in rows if units[row[0]].works_on_calls),
        turning=tuple((row[0], row[1]) for row in rows if "turn-time" in units[row[0]].signals),
    )


def _groups(plant: Plant, under: str, level: Level | None) -> Iterable[str]:
    if level is None:
        return [under]
    inside = (asset for asset in plant.assets if asset.path == under or asset.path.startswith(under + "/"))
    return [asset.path for asset in inside if asset.level == level]


def _outputs(units: Sequence[Unit], flow: Sequence[Link]) -> frozenset[str]:
    counting = {unit.asset.path: unit for unit in units if set(unit.signals) & set(COUNTERS)}
    last = last_of_flow(counting, flow)
    if len({counting[path].asset.type for path in last}) <= 1:
        return last
    return frozenset(path for path, unit in counting.items() if unit.works_on_calls)


def last_of_flow(paths: Iterable[str], flow: Sequence[Link]) -> frozenset[str]:
    """Those that feed none of the others, directly or through units between."""
    among = frozenset(paths)
    feeds: dict[str, list[str]] = {}
    for link in flow:
        feeds.setdefault(link.source, []).append(link.target)
    return frozenset(path for path in among if not _reaches(path, among, feeds))


def _reaches(path: str, among: frozenset[str], feeds: Mapping[str, Sequence[str]]) -> bool:
    seen, waiting = {path}, list(feeds.get(path, ()))
    while waiting:
        at = waiting.pop()
        if at in among and at != path:
            return True
        if at not in seen:
            seen.add(at)
            waiting += feeds.get(at, ())
    return False
