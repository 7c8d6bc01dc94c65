"""What every simulated unit has: true values by signal name, and the ways in which it can break.

The true value is physics; what a sensor makes of it (noise, steps, drift, sticking) is `twin.demo.probe`.
"""

from random import Random

from twin.demo.states import FAULT

Value = float | str


class Unit:
    """One unit of the plant. `step` moves it by dt_s seconds and updates `values`."""

    def __init__(self, path: str, rng: Random) -> None:
        self.path: str = path
        self.rng: Random = rng
        self.values: dict[str, Value] = {}
        self.repair_s: float = 0.0  # > 0: broken down, and so much longer
        self.bearing: float = 0.0  # damage of the bearing, 0 = sound, 1 = about to seize

    def step(self, dt_s: float, wanted: bool) -> None:
        """One step of plant time; `wanted` is False outside planned production."""
        raise NotImplementedError

    def break_down(self, repair_s: float) -> None:
        """Stop at once; after repair_s it goes on where it was."""
        self.repair_s = max(self.repair_s, repair_s)

    def under_repair(self, dt_s: float) -> bool:
        """Whether it stands broken for this step; counts the repair down."""
        if self.repair_s <= 0:
            return False
        self.repair_s -= dt_s
        self.values["state"] = FAULT
        return True


def seeded(rng: Random) -> Random:
    """A sequence of its own, which follows from this one."""
    return Random(rng.random())  # noqa: S311 - physics, no secrets


def lag(value: float, target: float, dt_s: float, tau_s: float) -> float:
    """First-order lag: the value after dt_s on its way to the target."""
    return value + (target - value) * min(1.0, dt_s / tau_s)


def towards(value: float, target: float, reach: float) -> float:
    """The value moved to the target by at most `reach`."""
    return min(value + reach, target) if target > value else max(value - reach, target)


def spread(rng: Random, mean: float, variation: float) -> float:
    """A duration around the mean with this coefficient of variation, never below half of the mean."""
    return max(mean * 0.5, mean * rng.lognormvariate(-variation * variation / 2, variation))
