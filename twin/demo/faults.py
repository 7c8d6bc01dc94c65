"""Faults that start at known times: when, where, which kind, and what each does to a unit and its sensors.

Everything follows from the seed. `FaultPlan.due` opens and closes faults, the world applies them, the truth log
keeps them.
"""

from dataclasses import dataclass, field
from random import Random

_KINDS: dict[str, tuple[str, ...]] = {
    "bearing": ("mill", "lathe", "conveyor", "robot", "sts-crane", "yard-crane"),
    "jam": ("packer", "printer", "conveyor", "robot", "gate-lane", "carrier"),
    "drift": ("printer", "packer", "inspection-cell", "lathe", "reefer-slot"),
    "stuck": ("mill", "conveyor", "robot", "sts-crane", "yard-crane"),
    "compressor": ("reefer-slot",),
}
_SENSORS: dict[str, str] = {
    "printer": "bed-temperature",
    "packer": "seal-temperature",
    "inspection-cell": "deviation",
    "lathe": "coolant-temperature",
    "reefer-slot": "return-temperature",
    "mill": "spindle-current",
    "conveyor": "vibration",
    "robot": "joint-2-current",
    "sts-crane": "hoist-vibration",
    "yard-crane": "hoist-current",
}
_LASTS_S: dict[str, tuple[float, float]] = {
    "bearing": (300, 900),
    "jam": (40, 150),
    "drift": (400, 1200),
    "stuck": (120, 400),
    "compressor": (600, 1800),
}


@dataclass(slots=True)
class Fault:
    """One fault; `severity` grows from 0 to 1 while it lasts."""

    number: int
    asset: str
    kind: str
    started_us: int
    lasts_us: int
    signal: str = ""  # of the asset; for sensor faults
    size: float = 0.0  # for drifts: the bias at the end, as a share of the range
    ended_us: int | None = None

    def severity(self, now_us: int) -> float:
        """0 at the start, 1 when it is repaired."""
        return min(1.0, max(0.0, (now_us - self.started_us) / self.lasts_us))


@dataclass(slots=True)
class FaultPlan:
    """The seeded sequence of faults over the units of a plant."""

    rng: Random
    candidates: dict[str, list[tuple[str, str]]]  # kind → (asset path, type)
    mean_gap_s: float
    next_us: int
    active: list[Fault] = field(default_factory=list[Fault])
    made: int = 0

    def due(self, now_us: int) -> list[Fault]:
        """Faults that have just begun or ended; those that go on are in `active`."""
        changed: list[Fault] = []
        for fault in list(self.active):
            if now_us >= fault.started_us + fault.lasts_us:
                fault.ended_us = now_us
                self.active.remove(fault)
                changed.append(fault)
        while self.next_us <= now_us and self.candidates:
            fault = self._begin(now_us)
            if fault is not None:
                changed.append(fault)
            self.next_us += max(1, round(self.rng.expovariate(1 / self.mean_gap_s) * 1e6))
        return changed

    def _begin(self, now_us: int) -> Fault | None:
        """The kinds take turns, so that each is seen early; an asset has one fault at a time."""
        kinds = list(self.candidates)
        kind = kinds[self.made % len(kinds)]
        self.made += 1
        asset, type_name = self.rng.choice(self.candidates[kind])
        lasts_us = round(self.rng.uniform(*_LASTS_S[kind]) * 1e6)
        size = self.rng.choice((-1, 1)) * self.rng.uniform(0.08, 0.2)
        if any(one.asset == asset for one in self.active):
            return None
        signal = _SENSORS[type_name] if kind in {"drift", "stuck"} else ""
        fault = Fault(self.made, asset, kind, now_us, lasts_us, signal, size if kind == "drift" else 0.0)
        self.active.append(fault)
        return fault


def plan_faults(rng: Random, types: dict[str, str], *, start_us: int, mean_gap_s: float) -> FaultPlan:
    """A plan for these units (path → type); the first fault comes after a third of the mean gap."""
    candidates = {
        kind: [(path, name) for path, name in types.items() if name in fitting] for kind, fitting in _KINDS.items()
    }
    filled = {kind: found for kind, found in candidates.items() if found}
    return FaultPlan(rng, filled, mean_gap_s, start_us + round(mean_gap_s / 3 * 1e6))
