"""A plug with a refrigerated container: air temperatures follow the compressor with first-order lags."""

from random import Random

from twin.demo.cargo import Container
from twin.demo.unit import Unit, lag

AMBIENT_C = 14.0
_SETPOINTS_C = (-21.0, -18.0, 2.0, 4.0, 13.5)


class ReeferSlot(Unit):
    """One slot of the reefer rack."""

    def __init__(self, path: str, rng: Random, container: Container | None) -> None:
        super().__init__(path, rng)
        self.container: Container | None = None
        self.plugged_s: float = 0.0
        self.stay_s: float = 0.0
        self.setpoint_c: float = 4.0
        self.supply_c: float = AMBIENT_C
        self.return_c: float = AMBIENT_C
        self.cools: bool = False
        self.compressor: bool = True  # False: it has failed
        if container is not None:
            self.plug(container)
            self.supply_c = self.return_c = self.setpoint_c + rng.uniform(-0.3, 0.3)
            self.plugged_s = rng.uniform(0, self.stay_s)

    def plug(self, container: Container) -> None:
        """A container arrives, a little too warm."""
        self.container = container
        self.plugged_s = 0.0
        self.stay_s = self.rng.uniform(1800, 10800)
        self.setpoint_c = self.rng.choice(_SETPOINTS_C)
        self.supply_c = self.return_c = self.setpoint_c + self.rng.uniform(0.5, 4.0)

    def unplug(self) -> Container | None:
        """The container leaves."""
        container, self.container = self.container, None
        return container

    @property
    def ready(self) -> bool:
        """Whether the container may be fetched."""
        return self.container is not None and self.plugged_s > self.stay_s

    def step(self, dt_s: float, wanted: bool) -> None:
        """Two-point control around the set point; an empty slot shows the ambient air."""
        self.plugged_s += dt_s
        if self.container is None:
            self.cools = False
        elif self.return_c > self.setpoint_c + 0.5:
            self.cools = True
        elif self.return_c < self.setpoint_c - 0.4:
            self.cools = False
        working = self.cools and self.compressor
        if working:
            self.supply_c = lag(self.supply_c, self.return_c - 4.5, dt_s, 40)
            self.return_c = lag(self.return_c, self.supply_c, dt_s, 500)
        else:
            self.supply_c = lag(self.supply_c, self.return_c, dt_s, 60)
            self.return_c = lag(self.return_c, AMBIENT_C, dt_s, 120 if self.container is None else 7200)
        fan_kw = 0.45 if self.container else 0.0
        self.values |= {
            "plugged": int(self.container is not None),
            "container": self.container.number if self.container else "",
            "setpoint": self.setpoint_c,
            "supply-temperature": self.supply_c,
            "return-temperature": self.return_c,
            "power": fan_kw + (3.6 + 0.06 * abs(AMBIENT_C - self.setpoint_c) if working else 0.0),
        }
