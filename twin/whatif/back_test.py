"""Does the simulator deserve trust? A past span is simulated and compared with the plant's own counters. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twin.plant.tree import Plant
from twin.whatif.build import Setting, build
from twin.whatif.outcome import Quantiles, quantiles_of, site_of
from twin.whatif.simulate import Plan, simulate

BACKTEST_REPLICATIONS = 200
FEWEST_THINGS = 20
NOT_YET = "not yet: no back-test against this plant's history has been made"


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
    return BackTest(site, setting.horizon_s, quantiles_of(total), real)


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


@dataclass(frozen=True, slots=True)
class Trust:
    """How far the simulator agrees with the plant's own past."""

    words: str = NOT_YET
    tests: tuple[BackTest, ...] = ()
