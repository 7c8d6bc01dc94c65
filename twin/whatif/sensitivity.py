"""Which resource is the bottleneck? The one whose speed-up brings most: the derivative of throughput by simulation.

In: a flow. Out: for every likely resource what the whole gains per hour when it alone works faster, replication by
replication with the same luck, with the 95 % interval. Pure.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from twin.whatif.model import Flow
from twin.whatif.outcome import site_of
from twin.whatif.simulate import Plan, Runs, per_hour, simulate

FASTER = 1.1
MOST_TRIED = 6
_LEAST, _MOST = 10, 200  # replications


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """One resource, ten per cent faster."""

    asset: str
    gain_per_h: float  # things per hour of its site
    low: float  # 95 % interval
    high: float


def replications_for(asked: int) -> int:
    """A tenth of the scenario's own: the paired difference needs few."""
    return min(max(asked // 10, _LEAST), _MOST)


def sensitivities(
    runs: Runs, flow: Flow, plan: Plan, tried: Sequence[str], progress: Callable[[int], None] | None = None
) -> list[Sensitivity]:
    """Greatest gain first. `runs` are those of `flow` by a plan of at least as many replications and the same seed."""
    plan = replace(plan, milestones=(), detail=0)
    base = _rates(replace(runs, done=runs.done[: plan.replications]))
    found = [_one(name, base, simulate(faster(flow, name), plan, progress)) for name in tried]
    return sorted(found, key=lambda one: -one.gain_per_h)


def faster(flow: Flow, resource: str, factor: float = FASTER) -> Flow:
    """The flow with one resource that works faster."""
    each = (
        replace(one, cycle=one.cycle.scaled(1 / factor)) if one.resource == resource and not one.idle else one
        for one in flow.operations
    )
    return replace(flow, operations=tuple(each))


def confirmed(found: Sequence[Sensitivity]) -> str | None:
    """The resource whose gain is certain and the greatest; None when none is."""
    return next((one.asset for one in found if one.low > 0), None)


def _rates(runs: Runs) -> dict[str, NDArray[np.float64]]:
    """[N] throughput per site."""
    sites = dict.fromkeys(site_of(name) for name in runs.flow.outputs)
    return {site: per_hour(_of_site(runs, site)) for site in sites}


def _of_site(runs: Runs, site: str) -> Runs:
    mine = [at for at, name in enumerate(runs.flow.outputs) if site_of(name) == site]
    return replace(runs, done=runs.done[:, mine, :])


def _one(name: str, base: dict[str, NDArray[np.float64]], runs: Runs) -> Sensitivity:
    site = site_of(name)
    gap = _rates(runs)[site] - base[site]
    error = 1.96 * float(gap.std(ddof=1)) / np.sqrt(len(gap))
    mean = float(gap.mean())
    return Sensitivity(name, mean, mean - float(error), mean + float(error))
