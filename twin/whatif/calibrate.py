"""What history says of a unit: cycle times, time between failures, repairs.

In: columns from the store. Out: `Learnt`. Pure.
Failure rates are the means of a gamma posterior: what the plant model says counts as `PRIOR_FAILURES` failures.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from twin.plant.tree import Category, Plant
from twin.whatif import model
from twin.whatif.build import Learnt, planned_failure
from twin.whatif.model import Duration, Failure

FEWEST_CYCLES = 30
PRIOR_FAILURES = 2.0
_KEPT = 512  # quantiles of the observed cycles
_STOPPED = 3.0  # medians; a longer cycle holds a stop, which is a failure's or a neighbour's


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
