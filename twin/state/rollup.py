"""The state of a line, an area or a site: made of the states of the units below it.

In: unit states. Out: one `AssetState`; worst health, counts of machines, production where adding makes sense.
"""

from collections.abc import Mapping, Sequence

from twin.plant.tree import Asset, Plant
from twin.state.model import AssetState, Children, Freshness, FreshnessReason, Health, Production
from twin.throughput.asked import last_of_flow

_WORST_FIRST = (Health.BAD, Health.WARNING, Health.UNKNOWN, Health.GOOD)


def roll_up(plant: Plant, asset: Asset, units: Sequence[AssetState], now_ns: int, seq: int) -> AssetState:
    """The state of `asset`, whose units are `units`."""
    healths = {unit.health for unit in units}
    return AssetState(
        path=asset.path,
        at_ns=now_ns,
        seq=seq,
        machine_state=None,
        throughput=_throughput(plant, {unit.path: unit.throughput for unit in units if unit.throughput is not None}),
        health=next((health for health in _WORST_FIRST if health in healths), Health.UNKNOWN),
        freshness=_freshness(units),
        findings=tuple(finding for unit in units for finding in unit.findings),
        children=_children(units),
    )


def _children(units: Sequence[AssetState]) -> Children:
    categories = [unit.machine_state.category for unit in units if unit.machine_state is not None]
    return Children(running=categories.count("Executing"), down=categories.count("OutOfService"), total=len(categories))


def _freshness(units: Sequence[AssetState]) -> Freshness:
    heard = [unit.freshness for unit in units if unit.freshness.newest_ns is not None]
    if not heard:
        return Freshness(None, None, FreshnessReason.NEVER, "No value has ever come from below here.")
    newest = max(heard, key=lambda fresh: fresh.newest_ns or 0)
    silent = [unit for unit in units if unit.freshness.reason not in {FreshnessReason.LIVE, FreshnessReason.NEVER}]
    if not silent:
        return Freshness(newest.newest_ns, newest.age_s, FreshnessReason.LIVE, "Values arrive as expected.")
    if len(silent) == len(heard):
        return newest
    names = ", ".join(unit.path.rpartition("/")[2] for unit in silent[:3])
    more = f" and {len(silent) - 3} more" if len(silent) > 3 else ""
    sentence = f"Values arrive, but not from {names}{more}."
    return Freshness(newest.newest_ns, newest.age_s, FreshnessReason.LIVE, sentence)


def _throughput(plant: Plant, producing: Mapping[str, Production]) -> Production | None:
    """The sum over the last producing units of the flow; None when these are not alike.

    A part that passes three machines is one part: only units that feed no other producing unit here count.
    """
    last = {path: producing[path] for path in producing if path in last_of_flow(producing, plant.flow)}
    kinds = {(made.unit, plant.asset(path).type) for path, made in last.items()}
    if len(kinds) != 1:
        return None
    made = list(last.values())
    rates = [one.now_per_h for one in made if one.now_per_h is not None]
    return Production(
        unit=made[0].unit,
        now_per_h=sum(rates) if rates else None,
        this_shift=sum(one.this_shift for one in made),
        estimated=sum(one.estimated for one in made),
        shift=made[0].shift,
    )
