"""Gate lanes: trucks come, wait, are served one after the other, and go on."""

from dataclasses import dataclass
from random import Random

from twin.demo.cargo import Container
from twin.demo.states import IDLE, RUNNING
from twin.demo.unit import Unit, spread


@dataclass(slots=True)
class Truck:
    """A truck with a container, or one that comes for one."""

    load: Container | None = None
    since_s: float = 0.0  # when it came, on the clock of the lanes


class GateLane(Unit):
    """One lane; `passed` holds the trucks that have left it until somebody takes them on."""

    def __init__(self, path: str, rng: Random, service_s: float) -> None:
        super().__init__(path, rng)
        self.service_s: float = service_s
        self.waiting: list[Truck] = []
        self.served: Truck | None = None
        self.left_s: float = 0.0
        self.passed: list[Truck] = []
        self.count: int = 0
        self.clock_s: float = 0.0  # all lanes' clocks go alike
        self.values |= {"state": IDLE, "move-count": 0, "queue": 0, "turn-time": 0.0}

    def step(self, dt_s: float, wanted: bool) -> None:
        """Serve."""
        self.clock_s += dt_s
        if not self.under_repair(dt_s):
            self.serve(dt_s)
            self.values["state"] = RUNNING if self.served else IDLE
        self.values |= {"move-count": self.count, "queue": len(self.waiting)}

    def trucks(self) -> list[Truck]:
        """Every truck in the lane."""
        return [*self.waiting, *self.passed, *([self.served] if self.served else [])]

    def serve(self, dt_s: float) -> None:
        """One truck after the other."""
        if self.served is not None:
            self.left_s -= dt_s
            if self.left_s > 0:
                return
            self.passed.append(self.served)
            self.values["turn-time"] = self.clock_s - self.served.since_s
            self.served = None
            self.count += 1
        if self.waiting:
            self.served = self.waiting.pop(0)
            self.left_s = spread(self.rng, self.service_s, 0.35)
