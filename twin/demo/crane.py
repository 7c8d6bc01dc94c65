"""The mechanics of a crane: trolley, hoist and spreader go from step to step of a move, and wait where they must.

A move is a list of steps: go to (trolley, height, gantry), or do something that may have to wait for somebody else.
"""

import math
from dataclasses import dataclass
from random import Random

from twin.demo.cargo import Container
from twin.demo.states import BLOCKED, IDLE, RUNNING, STARVED
from twin.demo.unit import Unit, lag, spread, towards

SPREADER_KG = 9_000.0
AMBIENT_C = 12.0


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a move: where to be, or the name of the method that does something there."""

    trolley_m: float | None = None
    height_m: float | None = None
    gantry_m: float | None = None
    act: str = ""
    dwell_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Reach:
    """How fast it moves."""

    trolley_m_s: float
    hoist_m_s: float
    gantry_m_s: float = 0.0


class Crane(Unit):
    """A crane without a task of its own; quay and yard cranes give it moves."""

    def __init__(self, path: str, rng: Random, reach: Reach) -> None:
        super().__init__(path, rng)
        self.reach: Reach = reach
        self.trolley_m: float = 0.0
        self.height_m: float = 10.0
        self.gantry_m: float = 0.0
        self.load: Container | None = None
        self.steps: list[Step] = []
        self.dwell_left_s: float | None = None
        self.moves: int = 0  # boxes, as TIC 4.0 counts them
        self.lifts: int = 0  # of any kind, rehandles too
        self.lifted_boxes: int = 0
        self.lifted_teu: int = 0
        self.lifted: Container | None = None  # what was lifted last
        self.move_s: float = 0.0
        self.motor_c: float = AMBIENT_C + 15
        self.felt_kg: float = SPREADER_KG
        self.speed_m_s: float = 0.0
        self.values |= {"state": IDLE, "move-count": 0, "cycle-time": 0.0, "spreader-locked": 0, "spreader-mode": 0}

    def step(self, dt_s: float, wanted: bool) -> None:
        """Move by dt_s."""
        before_m, trolley_before_m = self.height_m, self.trolley_m
        if not self.under_repair(dt_s):
            self.values["state"] = self.work(dt_s)
        self.physics(dt_s, (self.height_m - before_m) / dt_s, (self.trolley_m - trolley_before_m) / dt_s)

    def work(self, dt_s: float) -> int:
        """Go on with the move, or find the next one; the state afterwards."""
        if not self.steps:
            self.steps = self.next_move()
            self.move_s = 0.0
            if not self.steps:
                return self.idle_state()
        self.move_s += dt_s
        now = self.steps[0]
        if not self.arrive(now, dt_s):
            return RUNNING
        if self.dwell_left_s is None:
            self.dwell_left_s = spread(self.rng, now.dwell_s, 0.25) if now.dwell_s else 0.0
        self.dwell_left_s -= dt_s
        if self.dwell_left_s > 0:
            return RUNNING
        held = self.load
        if now.act and not getattr(self, now.act)():
            return BLOCKED if self.load else STARVED
        self.note_lift(held)
        self.dwell_left_s = None
        self.steps.pop(0)
        if not self.steps:
            self.count_move()
        return RUNNING

    def arrive(self, to: Step, dt_s: float) -> bool:
        """Move towards the step's place; whether it is there."""
        if to.trolley_m is not None:
            self.trolley_m = towards(self.trolley_m, to.trolley_m, self.reach.trolley_m_s * dt_s)
        if to.height_m is not None:
            slow = 0.6 if self.load else 1.0
            self.height_m = towards(self.height_m, to.height_m, self.reach.hoist_m_s * slow * dt_s)
        if to.gantry_m is not None:
            self.gantry_m = towards(self.gantry_m, to.gantry_m, self.reach.gantry_m_s * dt_s)
        return (
            to.trolley_m in {None, self.trolley_m}
            and to.height_m in {None, self.height_m}
            and to.gantry_m in {None, self.gantry_m}
        )

    def note_lift(self, held: Container | None) -> None:
        """The spreader takes its width before it locks; a lift counts when the locks open."""
        if self.load is not None and held is None:
            self.lifted = self.load
            self.values["spreader-mode"] = int(self.load.spread)
        elif held is not None and self.load is None:
            self.lifts += 1
            self.lifted_boxes += held.boxes
            self.lifted_teu += held.teu

    def count_move(self) -> None:
        """What was lifted stands where it was to go."""
        self.moves += self.lifted.boxes if self.lifted else 0
        self.values |= {"move-count": self.moves, "cycle-time": min(self.move_s, 900.0)}

    def next_move(self) -> list[Step]:
        """The next move's steps; [] when there is nothing to do."""
        return []

    def idle_state(self) -> int:
        """The state while there is nothing to do."""
        return IDLE

    def physics(self, dt_s: float, hoist_m_s: float, trolley_m_s: float) -> None:
        """Load, currents, power (negative while it lowers), temperature, vibration."""
        mass_kg = SPREADER_KG + (self.load.weight_kg if self.load else 0.0)
        self.felt_kg = lag(self.felt_kg, mass_kg, dt_s, 0.8)
        self.speed_m_s = lag(self.speed_m_s, hoist_m_s, dt_s, 0.4)
        lift_kw = self.felt_kg * 9.81 * self.speed_m_s / 1000
        current_a = abs(lift_kw) * 1.35 + 18 * abs(trolley_m_s) + 6 + 60 * self.bearing * abs(self.speed_m_s)
        self.motor_c = lag(self.motor_c, AMBIENT_C + 12 + 0.11 * current_a + 40 * self.bearing, dt_s, 420)
        sway = 1 + 0.02 * math.sin(self.move_s * 0.9) if self.load else 1.0
        self.values |= {
            "hoist-load": self.felt_kg * sway,
            "hoist-speed": self.speed_m_s,
            "hoist-height": self.height_m,
            "hoist-current": current_a,
            "hoist-temperature": self.motor_c,
            "hoist-vibration": 0.15 + 0.9 * abs(self.speed_m_s) * (1 + 5 * self.bearing**1.3) + 0.08 * abs(trolley_m_s),
            "trolley-position": self.trolley_m,
            "spreader-locked": int(self.load is not None),
            "power": 22 + (lift_kw if lift_kw > 0 else 0.65 * lift_kw) + 14 * abs(trolley_m_s),
        }
