"""Ship-to-shore cranes: they empty the ship at their berth onto carriers, then load it from carriers."""

from random import Random

from twin.demo.cargo import Registry, Vessel, boxes
from twin.demo.carrier import Carrier, Place
from twin.demo.crane import Crane, Reach, Step
from twin.demo.states import STARVED
from twin.demo.unit import lag, spread

_LOTS_PER_CALL = 24
_TURNAROUND_S = 150.0
_MOST_LOADERS = 3
_MOST_EMPTIES = 2


class QuayCrane(Crane):
    """One crane with its berth. The dispatcher sends it carriers and names them in `carriers`."""

    def __init__(self, path: str, rng: Random, place: Place, registry: Registry) -> None:
        super().__init__(path, rng, Reach(trolley_m_s=3.5, hoist_m_s=2.0))
        self.place: Place = place
        self.registry: Registry = registry
        self.vessel: Vessel = Vessel()
        self.carriers: list[Carrier] = []
        self.wind_m_s: float = 5.0
        self.loading: bool = False  # everything is ashore, now the ship is loaded
        self.calls: int = rng.randrange(100, 900)
        self.arrive_ship()

    def arrive_ship(self) -> None:
        """A ship with boxes to discharge and a wish to load as many."""
        lots = int(spread(self.rng, _LOTS_PER_CALL, 0.3))
        self.vessel = Vessel([self.registry.new(leaves_by_ship=False) for _ in range(lots)], to_load=lots)
        self.loading = False
        self.calls += 1
        self.values["order"] = f"CALL-{self.calls}"

    def wanted_carriers(self) -> int:
        """How many carriers it can use now: empty ones while it discharges, loaded ones while it loads."""
        held = int(self.load is not None)
        if self.loading:
            return min(_MOST_LOADERS, self.vessel.to_load - held)
        return min(_MOST_EMPTIES, len(self.vessel.to_discharge) + held)

    def work(self, dt_s: float) -> int:
        """A finished ship leaves; the next one comes a little later."""
        ship = self.vessel
        if ship.away_s > 0:
            ship.away_s -= dt_s
            if ship.away_s <= 0:
                self.arrive_ship()
        elif not self.steps and not ship.to_discharge and ship.to_load > 0:
            self.loading = True
        elif not self.steps and not ship.to_discharge and self.loading:
            self.registry.left += boxes(ship.aboard)
            self.vessel = Vessel(away_s=spread(self.rng, _TURNAROUND_S, 0.3))
            self.values["order"] = ""
        return super().work(dt_s)

    def idle_state(self) -> int:
        """Without a ship it is idle; with one it waits for carriers."""
        return STARVED if self.vessel.to_load else super().idle_state()

    def next_move(self) -> list[Step]:
        """One box ashore or aboard."""
        bay_m = self.rng.uniform(22, 48)
        deep_m = self.rng.uniform(-8, 12)
        if self.vessel.to_discharge:
            return [
                Step(trolley_m=bay_m, height_m=28),
                Step(height_m=deep_m, act="pick_from_ship", dwell_s=4),
                Step(height_m=28),
                Step(trolley_m=0, height_m=14),
                Step(act="carrier_is_empty"),
                Step(height_m=2.5, act="put_on_carrier", dwell_s=4),
                Step(height_m=14),
            ]
        if self.vessel.to_load and self.loaded_carrier():
            return [
                Step(trolley_m=0, height_m=14),
                Step(act="carrier_is_loaded"),
                Step(height_m=2.5, act="pick_from_carrier", dwell_s=4),
                Step(height_m=28),
                Step(trolley_m=bay_m),
                Step(height_m=deep_m, act="put_on_ship", dwell_s=4),
                Step(height_m=28),
            ]
        return []

    def pick_from_ship(self) -> bool:
        """Lock onto the next box."""
        self.load = self.vessel.to_discharge.pop()
        return True

    def put_on_ship(self) -> bool:
        """Set the box down in its cell."""
        if self.load is not None:
            self.vessel.aboard.append(self.load)
            self.load = None
            self.vessel.to_load -= 1
        return True

    def carrier_is_empty(self) -> bool:
        """Whether a carrier stands below, empty."""
        return any(carrier.there and carrier.load is None for carrier in self.carriers)

    def carrier_is_loaded(self) -> bool:
        """Whether a carrier stands below, loaded."""
        return self.loaded_carrier() is not None

    def loaded_carrier(self) -> Carrier | None:
        """The loaded carrier below."""
        return next((one for one in self.carriers if one.there and one.load is not None), None)

    def put_on_carrier(self) -> bool:
        """Set the box down on the carrier below."""
        for carrier in self.carriers:
            if carrier.there and carrier.load is None and self.load is not None:
                carrier.put(self.load)
                self.load = None
                return True
        return False

    def pick_from_carrier(self) -> bool:
        """Take the box off the carrier below."""
        carrier = self.loaded_carrier()
        if carrier is None:
            return False
        self.load = carrier.give()
        self.carriers.remove(carrier)
        carrier.release()
        return True

    def physics(self, dt_s: float, hoist_m_s: float, trolley_m_s: float) -> None:
        """Wind on top."""
        self.wind_m_s = lag(self.wind_m_s, self.rng.uniform(0, 14), dt_s, 60)
        super().physics(dt_s, hoist_m_s, trolley_m_s)
        self.values["wind-speed"] = self.wind_m_s
