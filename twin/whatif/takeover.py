"""Something is closed or down: who does its work in its place, and how much more could they do? Pure.

In: the runs of base case and scenario. Out: per closed resource what it misses and what others do instead. Only what is
alike takes over: the same duty in the plant model, and for machines the same type.
"""

from collections.abc import Collection
from dataclasses import dataclass

from twin.plant.tree import Plant
from twin.whatif.analytic import capacity, seconds_per_thing
from twin.whatif.simulate import Runs

_NOTICED = 0.005  # of what the closed one misses; less is chance


@dataclass(frozen=True, slots=True)
class Substitute:
    """One resource that does the work of a closed one."""

    asset: str
    gained: float  # things over the horizon, mean
    spare_per_h: float  # what it could do beyond that


@dataclass(frozen=True, slots=True)
class Takeover:
    """One closed resource."""

    asset: str
    missed: float  # things over the horizon that it makes in the base case only, mean
    by: list[Substitute]  # most first; empty: nobody
    alike: list[str]  # who could in principle, elsewhere too

    @property
    def words(self) -> str:
        """One sentence for the planner."""
        if self.missed <= 0:
            return f"{self.asset} misses nothing."
        if not self.alike:
            return f"{self.asset} misses {self.missed:,.0f}; nothing in the simulated part does the same work."
        if not self.by:
            return f"{self.asset} misses {self.missed:,.0f}; {', '.join(self.alike)} could, but do not get its work."
        told = ", ".join(f"{one.asset} {one.gained:,.0f} (and {one.spare_per_h:,.0f}/h to spare)" for one in self.by)
        return f"{self.asset} misses {self.missed:,.0f}; instead {told}."


def takeovers(plant: Plant, closed: Collection[str], base: Runs, changed: Runs) -> list[Takeover]:
    """For every resource of `closed` who takes over."""
    before, after = _made(base), _made(changed)
    found: list[Takeover] = []
    for name in sorted(closed):
        alike = [one for one in after if one not in closed and _kind(plant, one) == _kind(plant, name)]
        missed = max(before.get(name, 0.0) - after.get(name, 0.0), 0.0)
        gains = {one: after[one] - before.get(one, 0.0) for one in alike}
        by = [
            Substitute(one, gain, _spare_per_h(one, changed))
            for one, gain in sorted(gains.items(), key=lambda item: -item[1])
            if gain > max(_NOTICED * missed, 0.5)
        ]
        found.append(Takeover(name, missed, by, alike))
    return found


def _made(runs: Runs) -> dict[str, float]:
    """Mean things of every resource over the horizon."""
    found: dict[str, float] = {}
    for number, one in enumerate(runs.flow.operations):
        if not one.idle:
            found[one.resource] = found.get(one.resource, 0.0) + float(runs.total[number, -1])
    return found


def _kind(plant: Plant, resource: str) -> tuple[str, str]:
    if resource not in plant.work:
        return "", resource  # a pool of carriers is alone
    duty = plant.work[resource].duty
    return duty, plant.asset(resource).type if duty == "machine" else ""


def _spare_per_h(name: str, runs: Runs) -> float:
    """Its idle share at its own pace."""
    at = [one.name for one in runs.flow.resources].index(name)
    work_s = [seconds_per_thing(one) for one in runs.flow.operations if one.resource == name and not one.idle]
    idle = max(1.0 - float(runs.spent[at].sum()), 0.0)
    return 3600 * capacity(runs.flow.resources[at]) * idle * len(work_s) / max(sum(work_s), 1e-9)
