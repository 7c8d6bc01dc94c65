"""Horizontal carriers: they drive where a crane needs them, wait to be loaded or unloaded, and charge when idle."""

from random import Random

from twin.demo.cargo import Container
from twin.demo.states import IDLE, RUNNING, STARVED
from twin.demo.unit import Unit, lag, towards

Place = tuple[float, float]
CRUISE_M_S = 5.0


class Carrier(Unit):
    """One carrier. `stops` are the places still to visit; whoever sends it also says what the trip is for."""

    def __init__(self, path: str, rng: Random, park: Place) -> None:
        super().__init__(path, rng)
        self.park: Place = park
        self.x_m, self.y_m = park
        self.goal: Place = park
        self.waits_for: str = ""  # the crane that it stands, or will stand, under; "" = free
        self.task: str = ""
        self.orders: int = rng.randrange(100, 900)
        self.load: Container | None = None
        self.delivered: int = 0
        self.clock_s: float = 0.0
        self.sent_s: float = 0.0  # when it was last sent away from its park
        self.delivers: bool = False  # this turn has delivered something
        self.turn_s: float = 0.0  # of the last turn: sent, loaded, unloaded, free again
        self.battery: float = rng.uniform(55, 95)
        self.speed_m_s: float = 0.0
        self.values |= {"state": IDLE, "move-count": 0, "operating-mode": "AUTOMATIC"}

    def send(self, crane: str, place: Place, task: str) -> None:
        """Go to a crane."""
        if not self.task:
            self.orders += 1
            self.sent_s = self.clock_s
        self.waits_for, self.goal, self.task = crane, place, task

    def release(self) -> None:
        """Nothing more to do: park."""
        if self.delivers:
            self.turn_s = self.clock_s - self.sent_s
        self.delivers = False
        self.waits_for, self.goal, self.task = "", self.park, ""

    def put(self, container: Container) -> None:
        """Take a container on."""
        self.load = container

    def give(self) -> Container | None:
        """Hand the container over."""
        given, self.load = self.load, None
        if given is not None:
            self.delivered += given.boxes
            self.delivers = True
        return given

    @property
    def free(self) -> bool:
        """Whether it can be sent."""
        return not self.waits_for and self.load is None and self.repair_s <= 0 and self.battery > 12

    @property
    def there(self) -> bool:
        """Whether it stands where it was sent."""
        return (self.x_m, self.y_m) == self.goal and self.repair_s <= 0

    def step(self, dt_s: float, wanted: bool) -> None:
        """Drive along the quay first, then across."""
        self.clock_s += dt_s
        before = self.x_m + self.y_m
        broken = self.under_repair(dt_s)
        if not broken:
            reach = CRUISE_M_S * dt_s
            if self.x_m != self.goal[0]:
                self.x_m = towards(self.x_m, self.goal[0], reach)
            else:
                self.y_m = towards(self.y_m, self.goal[1], reach)
        driven_m = abs(self.x_m + self.y_m - before)
        driving = driven_m > 0
        if not broken:
            self.values["state"] = RUNNING if driving else STARVED if self.waits_for else IDLE
        self.speed_m_s = lag(self.speed_m_s, CRUISE_M_S if driving else 0.0, dt_s, 1.2)
        charging = not self.waits_for and not driving and not broken
        use = 0.012 * driven_m * (1.5 if self.load else 1.0) / 10 + 0.0004 * dt_s
        self.battery = min(100.0, max(0.0, self.battery - use + (0.06 * dt_s if charging else 0.0)))
        self.values |= {
            "move-count": self.delivered,
            "turn-time": self.turn_s,
            "battery": self.battery,
            "battery-voltage": 560 + 1.1 * self.battery - 2.4 * self.speed_m_s,
            "speed": self.speed_m_s,
            "x": self.x_m,
            "y": self.y_m,
            "driving": int(driving),
            "operating-mode": "AUTOMATIC" if not broken else "MANUAL",
            "order": f"T-{self.orders}-{self.task}" if self.task else "",
        }
