"""What each unit is expected to do per hour when its site makes the most that its slowest unit allows. Pure.

In: the plant. Out: things per hour by asset path, for the plant document: throughput is shown against it.
"""

from datetime import UTC, datetime

from twin.errors import ConfigError
from twin.plant.tree import Level, Plant
from twin.whatif.analytic import bounds, visits_per_output
from twin.whatif.answer import site_of
from twin.whatif.build import Setting, build
from twin.whatif.model import Flow
from twin.whatif.port import pool_name

_SETTING = Setting(datetime(2026, 1, 1, tzinfo=UTC), 3_600.0)  # neither instant nor horizon matters to a rate


def plan_rates(plant: Plant) -> dict[str, float]:
    """Things per hour of every unit and site whose work the plant file describes."""
    found: dict[str, float] = {}
    for site in (asset.path for asset in plant.assets if asset.level is Level.SITE):
        try:
            flow = build(plant, site, _SETTING)
        except ConfigError:  # nothing there says how it works
            continue
        if flow.outputs:
            found |= _rates(plant, site, flow)
    return found


def _rates(plant: Plant, site: str, flow: Flow) -> dict[str, float]:
    most_per_h, visits = bounds(flow).most_per_h, visits_per_output(flow)
    done: dict[str, float] = {}
    for one in flow.operations:
        if not one.idle:
            done[one.resource] = done.get(one.resource, 0.0) + visits[one.name] * most_per_h
    pooled = [path for path, work in plant.work.items() if work.duty == "carrier" and site_of(path) == site]
    for path in pooled:
        done[path] = done.get(pool_name(pooled), 0.0) / len(pooled)
    return {site: most_per_h} | {path: rate for path, rate in done.items() if path in plant.work}
