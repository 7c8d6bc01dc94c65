"""The container terminal as units, and the dispatcher that sends carriers and trucks where work waits.

No container appears or vanishes: arrived = left + inside (`containers_inside` counts every place).
"""

from random import Random

from twin.demo.cargo import Registry, boxes
from twin.demo.carrier import Carrier
from twin.demo.gate import GateLane, Truck
from twin.demo.quay import QuayCrane
from twin.demo.reefer import ReeferSlot
from twin.demo.unit import Unit, seeded
from twin.demo.yard import YardCrane
from twin.plant.tree import Asset, Plant

_BLOCK_START = 70
_TARGET_EXPORTS = 30  # per block: so many boxes for ships should wait


class Terminal:
    """All units, and who goes where."""

    def __init__(self, plant: Plant, assets: list[Asset], rng: Random) -> None:
        self.rng: Random = rng
        self.registry: Registry = Registry(seeded(rng))
        self.slots: list[ReeferSlot] = [self._slot(one) for one in assets if one.type == "reefer-slot"]
        cranes = [one for one in assets if one.type == "sts-crane"]
        self.quay: list[QuayCrane] = [
            QuayCrane(one.path, rng, (120.0 + 160 * at, 0.0), self.registry) for at, one in enumerate(cranes)
        ]
        self.yard: list[YardCrane] = self._yard(plant, [one for one in assets if one.type == "yard-crane"])
        self.carriers: list[Carrier] = [
            Carrier(one.path, rng, (60.0 * at, 60.0))
            for at, one in enumerate(one for one in assets if one.type == "carrier")
        ]
        lanes = [one for one in assets if one.type == "gate-lane"]
        self.ways_in: list[GateLane] = [self._lane(one) for one in lanes if one.name.startswith("lane-in")]
        self.ways_out: list[GateLane] = [self._lane(one) for one in lanes if not one.name.startswith("lane-in")]
        for at, crane in enumerate(self.yard):
            if self.ways_out:
                crane.exit = self.ways_out[at % len(self.ways_out)]
        self.units: list[Unit] = [
            *self.quay, *self.carriers, *self.yard, *self.slots, *self.ways_in, *self.ways_out
        ]  # fmt: skip

    def step(self, dt_s: float) -> None:
        """Dispatch, before the units move."""
        if not self.yard:
            return
        for crane in self.quay:
            self._serve(crane)
        for carrier in self.carriers:
            self._send_loaded(carrier)
        self._trucks(dt_s)

    def containers_inside(self) -> int:
        """Every container in the terminal, and on the ships at the berths."""
        ships = sum(boxes([*one.vessel.to_discharge, *one.vessel.aboard]) for one in self.quay)
        blocks = sum(boxes([*one.block, one.taken]) for one in self.yard)
        lanes = [*self.ways_in, *self.ways_out]
        trucks = [truck for lane in lanes for truck in lane.trucks()]
        trucks += [truck for crane in self.yard for truck in crane.trucks]
        held = [one.load for group in (self.quay, self.yard, self.carriers, trucks) for one in group]
        return ships + blocks + boxes(held) + boxes(one.container for one in self.slots)

    def _serve(self, crane: QuayCrane) -> None:
        """Give a quay crane the carriers that it can use, take back those that it cannot."""
        for carrier in [one for one in crane.carriers if one.load is None and one.task == "discharge"]:
            if crane.loading:
                crane.carriers.remove(carrier)
                carrier.release()
        coming = [one for one in self.carriers if one.waits_for == crane.path or one.task == f"load-{crane.path}"]
        if len(coming) >= crane.wanted_carriers():
            return
        carrier = self._nearest_free(crane.place[0])
        if carrier is None:
            return
        if not crane.loading:
            carrier.send(crane.path, crane.place, "discharge")
            crane.carriers.append(carrier)
            return
        source = max(self.yard, key=lambda one: one.exports())
        if source.exports() > 0:
            source.promised += 1
            source.carriers.append(carrier)
            carrier.send(source.path, source.place, f"load-{crane.path}")

    def _send_loaded(self, carrier: Carrier) -> None:
        """A carrier that has just been loaded goes where its box goes."""
        if carrier.load is None or not carrier.there:
            return
        at_quay = next((one for one in self.quay if one.path == carrier.waits_for), None)
        if at_quay is not None and carrier.task == "discharge":
            block = max(self.yard, key=lambda one: one.room)
            if block.room > 0:
                at_quay.carriers.remove(carrier)
                carrier.send(block.path, block.place, "store")
                block.carriers.append(carrier)
        elif at_quay is None and carrier.task.startswith("load-"):
            crane = next(one for one in self.quay if carrier.task == f"load-{one.path}")
            carrier.send(crane.path, crane.place, carrier.task)
            crane.carriers.append(carrier)

    def _nearest_free(self, x_m: float) -> Carrier | None:
        free = [one for one in self.carriers if one.free]
        return min(free, key=lambda one: abs(one.x_m - x_m), default=None)

    def _trucks(self, dt_s: float) -> None:
        """Trucks come as often as the blocks need them, through a gate, to a crane, and out again."""
        exports = sum(one.exports() for one in self.yard)
        imports = sum(one.imports() for one in self.yard)
        bring_per_h = 55 * max(0.1, 2 - exports / (_TARGET_EXPORTS * len(self.yard)))
        fetch_per_h = 55 * max(0.0, imports / (40 * len(self.yard)))
        if self.ways_in:
            for per_h, brings in ((bring_per_h, True), (fetch_per_h, False)):
                if self.rng.random() < per_h * dt_s / 3600:
                    lane = min(self.ways_in, key=lambda one: len(one.waiting))
                    load = self.registry.new(leaves_by_ship=True) if brings else None
                    lane.waiting.append(Truck(load, lane.clock_s))
        for lane in self.ways_in:
            while lane.passed:
                self._to_yard(lane.passed.pop())
        for lane in self.ways_out:
            self.registry.left += boxes(truck.load for truck in lane.passed)
            lane.passed.clear()

    def _to_yard(self, truck: Truck) -> None:
        best = max(self.yard, key=lambda one: (one.room if truck.load else one.imports()) - 3 * len(one.trucks))
        best.trucks.append(truck)

    def _slot(self, asset: Asset) -> ReeferSlot:
        container = self.registry.new(leaves_by_ship=False) if self.rng.random() < 0.8 else None
        return ReeferSlot(asset.path, self.rng, container)

    def _yard(self, plant: Plant, assets: list[Asset]) -> list[YardCrane]:
        cranes: list[YardCrane] = []
        for at, asset in enumerate(assets):
            capacity = plant.buffers[asset.path].capacity if asset.path in plant.buffers else 200
            slots = self.slots[at :: len(assets)]
            crane = YardCrane(asset.path, self.rng, (60.0 + 130 * at, 140.0), capacity, slots)
            for number in range(min(_BLOCK_START, capacity)):
                crane.stack(self.registry.new(leaves_by_ship=number % 2 == 0))
            cranes.append(crane)
        return cranes

    def _lane(self, asset: Asset) -> GateLane:
        return GateLane(asset.path, self.rng, service_s=35.0)
