"""The physics of the micro-factory's machines: what their sensors would see while parts flow.

First-order lags for temperatures; currents and vibration follow load, tool wear and bearing damage.
"""

import math
from random import Random

from twin.demo.states import BLOCKED, OFF, RUNNING, STARVED
from twin.demo.station import Station, Stock, Work
from twin.demo.unit import Unit, lag, spread

AMBIENT_C = 22.0


class MachineTool(Station):
    """A mill or a lathe: two cuts per part, a tool that wears and is changed."""

    def __init__(
        self, path: str, rng: Random, inputs: list[Stock], output: Stock | None, work: Work, speed_rpm: float
    ) -> None:
        super().__init__(path, rng, inputs, output, work)
        self.speed_rpm: float = speed_rpm
        self.wear: float = rng.uniform(0.05, 0.6)  # 1 = the tool's planned life
        self.spindle_c: float = AMBIENT_C + 8
        self.coolant_c: float = AMBIENT_C
        self.turning_rpm: float = 0.0
        self.values["program"] = self.program_text()

    def after_part(self) -> None:
        """A part costs the tool about 1.5 % of its life; a worn tool is changed."""
        self.wear += spread(self.rng, 0.015, 0.3)
        if self.wear >= 1.0:
            self.wear = 0.0
            self.setup_left_s = max(self.setup_left_s, 60.0)
        self.values["program"] = self.program_text()

    def program_text(self) -> str:
        """Each order has its program."""
        return f"O{self.order % 7 + 1:04d}"

    def scrap_share(self) -> float:
        """A worn tool and a bad bearing make more scrap."""
        return self.work.scrap_share * (1 + 4 * self.wear**4) + 0.08 * self.bearing

    def physics(self, dt_s: float) -> None:
        """Two cuts: roughing from 10 to 55 %, finishing from 60 to 92 % of the cycle."""
        done = self.progress if self.running else 0.0
        load = 0.9 if 0.10 < done < 0.55 else 0.45 if 0.60 < done < 0.92 else 0.0
        target_rpm = self.speed_rpm * (1.0 if 0.05 < done < 0.95 else 0.0)
        self.turning_rpm = lag(self.turning_rpm, target_rpm, dt_s, 0.6)
        turning = self.turning_rpm / self.speed_rpm
        ripple = 1 + 0.04 * math.sin(done * 90)
        current = 1.2 + 4.5 * turning + 16 * load * ripple * (1 + 0.45 * self.wear) + 3.5 * self.bearing * turning
        vibration = 0.12 + turning * (0.7 + 1.1 * load * (1 + 0.9 * self.wear) + 6.0 * self.bearing**1.3)
        self.spindle_c = lag(self.spindle_c, AMBIENT_C + 1.1 * current + 45 * self.bearing * turning, dt_s, 240)
        self.coolant_c = lag(self.coolant_c, AMBIENT_C + 0.45 * current, dt_s, 400)
        self.values |= {
            "power": 0.9 + 0.38 * current,
            "spindle-speed": self.turning_rpm,
            "spindle-current": current,
            "vibration": vibration,
            "spindle-temperature": self.spindle_c,
            "coolant-temperature": self.coolant_c,
            "tool-wear": 100 * self.wear,
        }


class Printer(Station):
    """Prints small parts; nozzle, bed and chamber are controlled temperatures."""

    def __init__(self, path: str, rng: Random, inputs: list[Stock], output: Stock | None, work: Work) -> None:
        super().__init__(path, rng, inputs, output, work)
        self.nozzle_c: float = 200.0
        self.bed_c: float = 70.0
        self.chamber_c: float = 38.0

    def physics(self, dt_s: float) -> None:
        """The extruder pushes while printing; the nozzle cools between jobs."""
        pushes = self.running and self.progress < 0.93
        self.nozzle_c = lag(self.nozzle_c, 215.0 if pushes else 195.0, dt_s, 6)
        self.bed_c = lag(self.bed_c, 72.0, dt_s, 60)
        self.chamber_c = lag(self.chamber_c, 36.0 + (6.0 if pushes else 0.0), dt_s, 300)
        layer = 0.08 * math.sin(self.progress * 140)
        self.values |= {
            "power": 0.35 + (0.25 if pushes else 0.05),
            "nozzle-temperature": self.nozzle_c + 0.6 * layer,
            "bed-temperature": self.bed_c,
            "chamber-temperature": self.chamber_c,
            "extruder-current": 0.85 + layer + 0.4 * self.bearing if pushes else 0.12,
            "progress": 100 * self.progress,
            "program": f"job-{self.order % 5 + 1}",
        }


class Robot(Station):
    """Picks a turned and a printed part and joins them."""

    def __init__(self, path: str, rng: Random, inputs: list[Stock], output: Stock | None, work: Work) -> None:
        super().__init__(path, rng, inputs, output, work)
        self.motor_c: float = AMBIENT_C + 10

    def physics(self, dt_s: float) -> None:
        """Four moves per part; the vacuum holds in the second half of each."""
        active = self.running
        swing = abs(math.sin(self.progress * 4 * math.pi)) if active else 0.0
        holds = active and (self.progress * 4) % 1 > 0.35
        joint_2 = 1.1 + 3.4 * swing + 2.2 * self.bearing * swing
        self.motor_c = lag(self.motor_c, AMBIENT_C + 7 * joint_2 + 20 * self.bearing, dt_s, 500)
        self.values |= {
            "power": 0.4 + 0.9 * swing,
            "joint-1-current": 0.8 + 2.6 * swing,
            "joint-2-current": joint_2,
            "joint-3-current": 0.6 + 1.9 * (1 - swing if active else 0.0),
            "joint-2-temperature": self.motor_c,
            "vacuum": 62.0 if holds else 4.0,
        }


class InspectionCell(Station):
    """Measures each unit and sorts out the bad ones."""

    def __init__(self, path: str, rng: Random, inputs: list[Stock], output: Stock | None, work: Work) -> None:
        super().__init__(path, rng, inputs, output, work)
        self.camera_c: float = 35.0
        self.deviation_um: float = 0.0

    def after_part(self) -> None:
        """The next unit has its own size."""
        self.deviation_um = self.rng.gauss(6, 18)

    def physics(self, dt_s: float) -> None:
        """The lamp is bright while a unit lies below the camera."""
        self.camera_c = lag(self.camera_c, 41.0 if self.running else 36.0, dt_s, 300)
        self.values |= {
            "power": 0.6 if self.running else 0.25,
            "deviation": self.deviation_um,
            "lamp": 11500.0 if self.running else 2500.0,
            "camera-temperature": self.camera_c,
        }


class Packer(Station):
    """Wraps units in film; the sealing bar swings around its set point."""

    def __init__(self, path: str, rng: Random, inputs: list[Stock], output: Stock | None, work: Work) -> None:
        super().__init__(path, rng, inputs, output, work)
        self.seal_c: float = 160.0
        self.heats: bool = True

    def physics(self, dt_s: float) -> None:
        """Two-point control of the bar; film tension rises while it pulls."""
        if self.seal_c > 168:
            self.heats = False
        elif self.seal_c < 162:
            self.heats = True
        self.seal_c = lag(self.seal_c, 240.0 if self.heats else AMBIENT_C, dt_s, 120)
        pulls = self.running and 0.2 < self.progress < 0.6
        self.values |= {
            "power": 0.5 + (1.8 if self.heats else 0.0) + (0.5 if self.running else 0.0),
            "seal-temperature": self.seal_c,
            "film-tension": 32.0 if pulls else 12.0,
            "air-pressure": 6.1 - (0.35 if self.running and self.progress > 0.6 else 0.0),
        }


class Conveyor(Station):
    """A belt: parts travel, keep their distance, and stand when the exit is full."""

    SPACING_S = 2.0
    TRAVEL_S = 14.0
    PLACES = 6

    def __init__(self, path: str, rng: Random, inputs: list[Stock], output: Stock | None, work: Work) -> None:
        super().__init__(path, rng, inputs, output, work)
        self.belt: list[float] = []  # seconds to the exit, first part first
        self.since_exit_s: float = 0.0
        self.speed_m_s: float = 0.0
        self.motor_a: float = 0.0

    def flow(self, dt_s: float, wanted: bool) -> int:
        """The belt moves as one; a full exit stops it."""
        self.since_exit_s += dt_s
        if self.belt and self.belt[0] <= 0:
            if not self.hand_on():
                return BLOCKED
            self.belt.pop(0)
            self.good += 1
            self.values |= {"good-count": self.good, "cycle-time": min(self.since_exit_s, 600.0)}
            self.since_exit_s = 0.0
        self.belt = [left - dt_s for left in self.belt]
        room = len(self.belt) < self.PLACES
        distance = not self.belt or self.belt[-1] <= self.TRAVEL_S - self.SPACING_S
        if wanted and room and distance and self.inputs[0].level > 0:
            self.inputs[0].level -= 1
            self.started += 1
            self.belt.append(self.TRAVEL_S)
        if self.belt:
            return RUNNING
        return STARVED if wanted else OFF

    def contents(self) -> int:
        """Parts on the belt."""
        return len(self.belt)

    def physics(self, dt_s: float) -> None:
        """The motor pulls harder with parts on the belt."""
        moves = self.values["state"] in {RUNNING, STARVED}
        self.speed_m_s = lag(self.speed_m_s, 0.25 if moves else 0.0, dt_s, 0.5)
        turning = self.speed_m_s / 0.25
        self.motor_a = lag(self.motor_a, turning * (1.4 + 0.12 * len(self.belt) + 1.5 * self.bearing), dt_s, 0.4)
        self.values |= {
            "power": 0.08 + 0.22 * self.motor_a,
            "belt-speed": self.speed_m_s,
            "motor-current": self.motor_a,
            "vibration": 0.1 + turning * (0.6 + 5.0 * self.bearing**1.3),
        }


class Shelf(Unit):
    """A buffer as its level sensor shows it; the parts are in the stock."""

    def __init__(self, path: str, rng: Random, stock: Stock) -> None:
        super().__init__(path, rng)
        self.stock: Stock = stock
        self.values["level"] = stock.level

    def step(self, dt_s: float, wanted: bool) -> None:
        """Only look."""
        self.values["level"] = self.stock.level
