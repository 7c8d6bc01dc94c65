"""How parts flow through a machine: it takes one part from each input, works, hands on, and waits when it cannot.

No part appears or vanishes: started = good + scrap + in work, and good = handed on + held.
"""

from dataclasses import dataclass
from random import Random

from twin.demo.states import BLOCKED, OFF, RUNNING, SETUP, STARVED
from twin.demo.unit import Unit, spread


@dataclass(slots=True)
class Stock:
    """The parts in one buffer."""

    path: str
    capacity: int
    level: int = 0


@dataclass(frozen=True, slots=True)
class Work:
    """How a machine works: seconds per part, their variation, the share of scrap, parts per order."""

    cycle_s: float
    variation: float = 0.08
    scrap_share: float = 0.01
    order_size: int = 50
    setup_s: float = 40.0


class Station(Unit):
    """A machine between buffers; without inputs it takes raw stock, without output it ships."""

    def __init__(self, path: str, rng: Random, inputs: list[Stock], output: Stock | None, work: Work) -> None:
        super().__init__(path, rng)
        self.inputs: list[Stock] = inputs
        self.output: Stock | None = output
        self.work: Work = work
        self.started: int = 0
        self.good: int = 0
        self.scrap: int = 0
        self.shipped: int = 0
        self.in_work: bool = False
        self.held: bool = False
        self.duration_s: float = work.cycle_s
        self.remaining_s: float = 0.0
        self.elapsed_s: float = 0.0
        self.setup_left_s: float = 0.0
        self.order: int = rng.randrange(1000, 9000)
        self.values |= {"state": OFF, "good-count": 0, "scrap-count": 0, "cycle-time": 0.0, "power": 0.0}
        self.values["order"] = self.order_text()

    def step(self, dt_s: float, wanted: bool) -> None:
        """Flow first, then physics."""
        if self.in_work:
            self.elapsed_s += dt_s
        if not self.under_repair(dt_s):
            self.values["state"] = self.flow(dt_s, wanted)
        self.physics(dt_s)

    def flow(self, dt_s: float, wanted: bool) -> int:
        """Move parts; the machine's state afterwards."""
        if self.setup_left_s > 0:
            self.setup_left_s -= dt_s
            return SETUP
        if self.in_work:
            self.remaining_s -= dt_s
            if self.remaining_s > 0:
                return RUNNING
            self.complete()
        if self.held and not self.hand_on():
            return BLOCKED
        if self.setup_left_s > 0:
            return SETUP
        if not wanted:
            return OFF
        return RUNNING if self.take() else STARVED

    def take(self) -> bool:
        """Start on one part, when every input has one."""
        if any(stock.level == 0 for stock in self.inputs):
            return False
        for stock in self.inputs:
            stock.level -= 1
        self.started += 1
        self.in_work = True
        self.duration_s = self.remaining_s = spread(self.rng, self.work.cycle_s, self.work.variation)
        self.elapsed_s = 0.0
        return True

    def complete(self) -> None:
        """The part is done: good and held, or scrap."""
        self.in_work = False
        if self.rng.random() < self.scrap_share():
            self.scrap += 1
        else:
            self.good += 1
            self.held = True
        self.values |= {"good-count": self.good, "scrap-count": self.scrap, "cycle-time": self.elapsed_s}
        if (self.good + self.scrap) % self.work.order_size == 0:
            self.order += 1
            self.values["order"] = self.order_text()
            self.setup_left_s = self.work.setup_s
        self.after_part()

    def hand_on(self) -> bool:
        """Put the held part into the output, when there is room."""
        if self.output is None:
            self.shipped += 1
        elif self.output.level < self.output.capacity:
            self.output.level += 1
        else:
            return False
        self.held = False
        return True

    def contents(self) -> int:
        """Parts inside the machine."""
        return int(self.in_work) + int(self.held)

    def order_text(self) -> str:
        """The order's number as the machine shows it."""
        return f"PO-{self.order}"

    def scrap_share(self) -> float:
        """Probability that this part is scrap."""
        return self.work.scrap_share

    def after_part(self) -> None:
        """What wears or changes with each part."""

    def physics(self, dt_s: float) -> None:
        """Currents, temperatures, vibrations after this step."""

    @property
    def running(self) -> bool:
        """Whether it works on a part right now."""
        return self.values["state"] == RUNNING

    @property
    def progress(self) -> float:
        """Share of the current part that is done, 0 to 1."""
        return 1.0 - self.remaining_s / self.duration_s if self.in_work else 0.0
