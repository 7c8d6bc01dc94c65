"""A sensor: true value → what the plant's control reads, at which instants.

Measurements are sampled every period_us, with noise, drift, clipping to the range and steps of the resolution; a stuck
sensor repeats itself. Counters, states and texts speak on change, and again every period_us.
"""

from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from twin.demo.unit import Unit, Value
from twin.plant.tree import Kind, Signal

_NOISE_STEPS = 2.0  # standard deviation of a fine sensor's noise, in steps of its resolution
_EVENTS = frozenset({"cycle-time", "turn-time"})
_NOISE_SHARE = 0.002  # and at least this share of its range


class Emission(NamedTuple):
    """One sample: the signal's index in `World.signals`, when (µs since 1970, UTC), and what."""

    signal: int
    time_us: int
    value: Value


@dataclass(slots=True)
class Probe:
    """One signal's sensor."""

    index: int
    name: str
    whole: bool  # counters and codes
    steady: bool  # jumps at the end of a step; others move on a line through it
    nominal_us: int  # the period that the plant model names
    period_us: int  # the period in use
    next_us: int
    resolution: float
    noise: float
    low: float
    high: float
    last: Value | None = None
    bias: float = 0.0
    stuck: bool = False

    def read(self, true: float, rng: Random) -> float:
        """What the sensor says of this true value."""
        if self.stuck and isinstance(self.last, (int, float)):
            return self.last
        if self.whole:
            return int(true)
        seen = true + self.bias + (rng.gauss(0.0, self.noise) if self.noise else 0.0)
        seen = min(max(seen, self.low), self.high)
        return round(round(seen / self.resolution) * self.resolution, 6)


@dataclass(slots=True)
class Sensors:
    """The sensors of one unit: those with a rhythm and those that speak on change."""

    unit: Unit
    sampled: list[Probe]
    changing: list[Probe]
    phase: float  # the unit's place in the rhythm, 0 to 1
    before: dict[str, Value]  # the true values at the last step
    due_us: int = 0  # when the next of `sampled` is due

    def all(self) -> list[Probe]:
        """Every sensor of the unit."""
        return [*self.sampled, *self.changing]


def is_sampled(signal: Signal) -> bool:
    """Whether the signal has a rhythm; others speak on change."""
    return signal.kind is Kind.MEASUREMENT and signal.role not in _EVENTS


def probe_for(index: int, signal: Signal, *, start_us: int) -> Probe:
    """The sensor of a signal."""
    measured = signal.kind is Kind.MEASUREMENT
    counts = (measured and signal.role == "buffer-level") or signal.unit == "vehicles"
    event = signal.role in _EVENTS
    resolution = signal.resolution or 0.01
    period_us = round(signal.period_s * 1000) * 1000
    low = signal.low if signal.low is not None else float("-inf")
    high = signal.high if signal.high is not None else float("inf")
    span = high - low if signal.low is not None and signal.high is not None else 0.0
    quiet = not measured or counts or event or signal.name == "setpoint" or signal.name in {"x", "y"}
    return Probe(
        index=index,
        name=signal.name,
        whole=signal.kind in {Kind.COUNTER, Kind.STATE},
        steady=not measured or counts or event or signal.name == "setpoint",
        nominal_us=period_us,
        period_us=period_us,
        next_us=start_us,
        resolution=resolution,
        noise=0.0 if quiet else max(_NOISE_STEPS * resolution, min(_NOISE_SHARE * span, 40 * resolution)),
        low=low,
        high=high,
    )
