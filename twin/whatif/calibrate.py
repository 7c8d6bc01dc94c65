"""What history says of a unit: cycle times, time between failures, repairs; and whether the simulator deserves trust.

In: columns from the store. Out: `Learnt`, `Now`, and the verdict of a back-test. Pure.
Failure rates are the means of a gamma posterior: what the plant model says counts as `PRIOR_FAILURES` failures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.plant.tree import Category, Plant
from twin.whatif import model
from twin.whatif.answer import Quantiles, site_of
from twin.whatif.build import Learnt, Now, Setting, build, planned_failure
from twin.whatif.model import Duration, Failure
from twin.whatif.simulate import Plan, simulate

FEWEST_CYCLES = 30
PRIOR_FAILURES = 2.0
_KEPT = 512  # quantiles of the observed cycles
_STOPPED = 3.0  # medians; a longer cycle holds a stop, which is a failure's or a neighbour's
BACKTEST_REPLICATIONS = 200
FEWEST_THINGS = 20


@dataclass(frozen=True, slots=True)
class History:
    """One unit's past."""

    cycles_s: NDArray[np.float64]  # as reported, repeated values included
    states: Sequence[tuple[float, str]]  # (second, OPC 40001-1 category) of every change, oldest first
    until_s: float  # when it ends, on the clock of `states`


def learn(plant: Plant, path: str, history: History) -> Learnt:
    """What the past says of a unit; None where it says too little."""
    work = plant.work[path]
    # A crane's cycle holds its waits, and one of several servers reports the gap between exits: no cycle times.
    plain = work.duty == "machine" and work.servers == 1
    return Learnt(cycle_from(history.cycles_s) if plain else None, failure_from(planned_failure(work), history))


def cycle_from(cycles_s: NDArray[np.float64]) -> Duration | None:
    """The observed cycle times without repetitions and without those that hold a stop."""
    if len(cycles_s) == 0:
        return None
    changed = np.concatenate([[True], np.diff(cycles_s) != 0])
    found = cycles_s[changed & np.isfinite(cycles_s) & (cycles_s > 0)]
    found = found[found <= _STOPPED * np.median(found)] if len(found) else found
    if len(found) < FEWEST_CYCLES:
        return None
    kept = np.quantile(found, (np.arange(_KEPT) + 0.5) / _KEPT) if len(found) > _KEPT else found
    scaled = kept * (found.mean() / kept.mean())
    return model.empirical(tuple(float(one) for one in scaled))


def failure_from(prior: Failure | None, history: History) -> Failure | None:
    """Time between failures (of work) and repair times; the plant model's shape, shrunk to its figures."""
    works_s, downs = 0.0, list[float]()
    for (at, category), (end, _) in pairwise([*history.states, (history.until_s, "")]):
        if category == Category.EXECUTING:
            works_s += end - at
        elif category == Category.OUT_OF_SERVICE and end < history.until_s:
            downs.append(end - at)
    if prior is None and len(downs) < FEWEST_CYCLES // 10:
        return None
    weight = PRIOR_FAILURES if prior else 0.0
    up_s = (works_s + weight * (prior.up.mean_s if prior else 0.0)) / (len(downs) + weight)
    down_s = (sum(downs) + weight * (prior.down.mean_s if prior else 0.0)) / (len(downs) + weight)
    if prior is None:
        return Failure(model.exponential(max(up_s, 1.0)), model.exponential(max(down_s, 1.0)))
    return replace(
        prior,
        up=prior.up.scaled(max(up_s, 1.0) / prior.up.mean_s),
        down=prior.down.scaled(max(down_s, 1.0) / prior.down.mean_s),
    )


def now_of(plant: Plant, states: Mapping[str, Mapping[str, Any]], age_s: Mapping[str, float]) -> dict[str, Now]:
    """The live state of every unit from its state document; age_s: seconds since its machine state began, by path."""
    found: dict[str, Now] = {}
    for path, document in states.items():
        machine = document.get("machine_state")
        if machine and machine.get("category") == Category.OUT_OF_SERVICE and path in age_s:
            found[path] = Now(down_since_s=max(age_s[path], 0.0))
        level = _level(plant, path, document)
        if level is not None:
            found[path] = replace(found.get(path, Now()), level=level)
    return found


def _level(plant: Plant, path: str, document: Mapping[str, Any]) -> int | None:
    for name in plant.asset(path).signals:
        signal = plant.signal(name)
        value = document.get("signals", {}).get(signal.name, {}).get("value")
        if signal.role == "buffer-level" and isinstance(value, int | float):
            return round(value)
    return None


@dataclass(frozen=True, slots=True)
class BackTest:
    """Simulated against real throughput of one site over a past span."""

    site: str
    span_s: float
    simulated: Quantiles
    real: float

    @property
    def holds(self) -> bool:
        """Within the 90 % of simulated futures, or within 5 % of their mean."""
        near = abs(self.real - self.simulated.mean) <= 0.05 * max(self.simulated.mean, 1.0)
        return near or self.simulated.q05 <= self.real <= self.simulated.q95


def back_test(plant: Plant, site: str, setting: Setting, real: float) -> BackTest:
    """Simulate a past span from the plant model and history, and compare; `setting` begins where the span began."""
    runs = simulate(build(plant, site, setting), Plan(setting.horizon_s, BACKTEST_REPLICATIONS, buckets=8))
    mine = [at for at, name in enumerate(runs.flow.outputs) if site_of(name) == site_of(site)]
    total = runs.done[:, mine, -1].sum(axis=1).astype(np.float64)
    levels = np.quantile(total, (0.05, 0.25, 0.5, 0.75, 0.95))
    return BackTest(site, setting.horizon_s, Quantiles(float(total.mean()), *(float(one) for one in levels)), real)


def verdict(tests: Sequence[BackTest], at: str) -> str:
    """One sentence for the reader of an answer."""
    told = [
        f"{one.site}: {one.simulated.mean:,.0f} simulated ({one.simulated.q05:,.0f} … {one.simulated.q95:,.0f}), "
        f"{one.real:,.0f} real in {one.span_s / 3600:.1f} h"
        for one in tests
    ]
    if not tests or any(one.real < FEWEST_THINGS for one in tests):
        few = f"; {'; '.join(told)}" if told else ""
        return f"not yet: too little history for a back-test{few}"
    word = "trusted since" if all(one.holds for one in tests) else "not yet: the back-test fails, as of"
    return f"{word} {at}; {'; '.join(told)}"
