"""What is moved, and the places that it is handed over at. A lot is in exactly one place at any time."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from random import Random

_TWINS, _FORTIES = 0.08, 0.5  # shares of the lots that are no reefers


class Spread(IntEnum):
    """How wide the spreader is; the codes of `states.spreader` in configs/plant.yaml."""

    TWENTY = 0
    FORTY = 1
    TWIN_TWENTY = 2


@dataclass(slots=True)
class Container:
    """One box, or two of twenty feet that travel together and are lifted as twins."""

    number: str
    weight_kg: float
    reefer: bool
    leaves_by_ship: bool
    spread: Spread = Spread.FORTY

    @property
    def boxes(self) -> int:
        """How many boxes they are."""
        return 2 if self.spread is Spread.TWIN_TWENTY else 1

    @property
    def teu(self) -> int:
        """Twenty-foot equivalents."""
        return 1 if self.spread is Spread.TWENTY else 2


def boxes(lots: Iterable[Container | None]) -> int:
    """The boxes of all that is there."""
    return sum(one.boxes for one in lots if one is not None)


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
        reefer = not leaves_by_ship and self.rng.random() < 0.15
        lot = Container(f"FABU{self.next_number}", self.rng.uniform(4_000, 30_000), reefer, leaves_by_ship)
        if not reefer:
            lot.spread = self._spread()
        self.arrived += lot.boxes
        return lot

    def _spread(self) -> Spread:
        draw = self.rng.random()
        if draw < _TWINS:
            return Spread.TWIN_TWENTY
        return Spread.FORTY if draw < _TWINS + _FORTIES else Spread.TWENTY


@dataclass(slots=True)
class Vessel:
    """What one crane has to do on the ship at its berth."""

    to_discharge: list[Container] = field(default_factory=list[Container])
    to_load: int = 0  # still to come aboard
    aboard: list[Container] = field(default_factory=list[Container])
    away_s: float = 0.0  # > 0: no ship at the berth
