"""Containers and the places that they are handed over at. A container is in exactly one place at any time."""

from dataclasses import dataclass, field
from random import Random


@dataclass(slots=True)
class Container:
    """One box."""

    number: str
    weight_kg: float
    reefer: bool
    leaves_by_ship: bool


@dataclass(slots=True)
class Registry:
    """Makes containers with numbers of their own and counts those that came and went."""

    rng: Random
    next_number: int = 100_000
    arrived: int = 0
    left: int = 0

    def new(self, *, leaves_by_ship: bool) -> Container:
        """A container that enters the terminal."""
        self.next_number += 1
        self.arrived += 1
        reefer = not leaves_by_ship and self.rng.random() < 0.15
        return Container(f"FABU{self.next_number}", self.rng.uniform(4_000, 30_000), reefer, leaves_by_ship)


@dataclass(slots=True)
class Vessel:
    """What one crane has to do on the ship at its berth."""

    to_discharge: list[Container] = field(default_factory=list[Container])
    to_load: int = 0  # still to come aboard
    aboard: list[Container] = field(default_factory=list[Container])
    away_s: float = 0.0  # > 0: no ship at the berth
