"""Is the bottleneck of the last hours one? The simulator, from the live state on, says what a faster one would bring.

In: the suspects of the active-period method. Out: for each the gain of its site per hour with its interval.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from api.errors import unavailable
from api.history import Surroundings
from twin.errors import ConfigError
from twin.plant.tree import Plant
from twin.store.connect import Store
from twin.whatif.build import Setting, build
from twin.whatif.outcome import site_of
from twin.whatif.port import pool_name
from twin.whatif.sensitivity import Sensitivity, confirmed, sensitivities
from twin.whatif.simulate import Plan, simulate

HORIZON_H = 8.0
REPLICATIONS = 100
MOST_SUSPECTS = 3


class Confirmer:
    """One confirmation at a time: it takes seconds of the processor."""

    def __init__(self, plant: Plant) -> None:
        self._plant: Plant = plant
        self._busy: asyncio.Lock = asyncio.Lock()

    async def confirm(self, store: Store, under: str, suspects: Sequence[str]) -> dict[str, Any]:
        """The likeliest suspects first; a 503 problem while another question is simulated."""
        if self._busy.locked():
            raise unavailable("another bottleneck is being confirmed")
        async with self._busy:
            setting = await Surroundings(self._plant, store).live(HORIZON_H * 3600)
            gains, why = await asyncio.to_thread(_gains, self._plant, site_of(under), setting, suspects)
        return {
            "simulated_h": HORIZON_H,
            "replications": REPLICATIONS,
            "bottleneck": confirmed(gains),
            "sensitivity": [asdict(one) for one in gains],
            "detail": why,
        }


def _gains(plant: Plant, site: str, setting: Setting, suspects: Sequence[str]) -> tuple[list[Sensitivity], str]:
    try:
        flow = build(plant, site, setting)
    except ConfigError as error:
        return [], str(error)
    names = {one.name for one in flow.resources}
    tried = [name if name in names else pool_name([name]) for name in suspects]
    tried = [name for name in dict.fromkeys(tried) if name in names][:MOST_SUSPECTS]
    if not tried:
        return [], "none of these machines is simulated: they have no work: key"
    plan = Plan(setting.horizon_s, REPLICATIONS, buckets=8, detail=0)
    return sensitivities(simulate(flow, plan), flow, plan, tried), ""
