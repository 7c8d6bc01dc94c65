"""Yard cranes: boxes between carriers, the block, the reefer rack and trucks. One block and ten plugs per crane."""

from random import Random

from twin.demo.cargo import Container, boxes
from twin.demo.carrier import Carrier, Place
from twin.demo.crane import Crane, Reach, Step
from twin.demo.gate import GateLane, Truck
from twin.demo.reefer import ReeferSlot

_CARRIER_SIDE_M = 24.0
_TRUCK_SIDE_M = -4.0
_BURIED = 0.15  # share of the boxes to be fetched on which another one stands


class YardCrane(Crane):
    """One crane with its block; jobs are served in the order carrier, truck."""

    def __init__(self, path: str, rng: Random, place: Place, capacity: int, slots: list[ReeferSlot]) -> None:
        super().__init__(path, rng, Reach(trolley_m_s=1.6, hoist_m_s=1.0, gantry_m_s=4.0))
        self.place: Place = place
        self.capacity: int = capacity
        self.slots: list[ReeferSlot] = slots
        self.block: list[Container] = []
        self.level: int = 0  # boxes in the block
        self.promised: int = 0  # export boxes that carriers are on their way for
        self.carriers: list[Carrier] = []
        self.trucks: list[Truck] = []
        self.exit: GateLane | None = None
        self.carrier_in_hand: Carrier | None = None
        self.truck_in_hand: Truck | None = None
        self.taken: Container | None = None
        self.rehandles: int = 0
        self.values["rehandle-count"] = 0
        self.digs: bool = False  # what it moves now only stands in the way
        self.dug: bool = False  # what is fetched next stands free

    @property
    def room(self) -> int:
        """Free places in the block, those on their way counted as taken."""
        return self.capacity - self.level - boxes(one.load for one in self.carriers)

    def stack(self, lot: Container) -> None:
        """Into the block."""
        self.block.append(lot)
        self.level += lot.boxes

    def unstack(self, at: int) -> Container:
        """Out of the block."""
        lot = self.block.pop(at)
        self.level -= lot.boxes
        return lot

    def exports(self) -> int:
        """Boxes for ships that nobody has been promised yet."""
        return sum(one.leaves_by_ship for one in self.block) - self.promised

    def imports(self) -> int:
        """Boxes that wait for a truck, in the block or warm enough to leave the rack."""
        inside = sum(not one.leaves_by_ship for one in self.block) + sum(slot.ready for slot in self.slots)
        return inside - sum(truck.load is None for truck in self.trucks)

    def next_move(self) -> list[Step]:
        """Carriers first: the quay waits for them."""
        for carrier in self.carriers:
            if carrier.there and (carrier.load is not None) == (carrier.task == "store"):
                return self.serve_carrier(carrier)
        for truck in self.trucks:
            if truck.load is not None and self.level + truck.load.boxes <= self.capacity:
                self.truck_in_hand = truck
                return self.move(_TRUCK_SIDE_M, "pick_from_truck", self.cell(), "put_into_block")
            if truck.load is None and self.imports_here():
                if self.buried():
                    return self.dig()
                self.reserve_import()
                self.truck_in_hand = truck
                return self.move(self.cell(), "pick_reserved", _TRUCK_SIDE_M, "put_on_truck")
        return []

    def serve_carrier(self, carrier: Carrier) -> list[Step]:
        """Store its box, or give it one for the ship."""
        if carrier.task != "store" and self.buried():
            return self.dig()
        self.carrier_in_hand = carrier
        if carrier.task == "store":
            return self.move(_CARRIER_SIDE_M, "pick_from_carrier", self.cell(), "put_into_block")
        return self.move(self.cell(), "pick_export", _CARRIER_SIDE_M, "put_on_carrier")

    def buried(self) -> bool:
        """Whether something stands on the box that is to be fetched; once that has gone it stands free."""
        hit = not self.dug and len(self.block) > 1 and self.rng.random() < _BURIED
        self.dug = False
        return hit

    def dig(self) -> list[Step]:
        """One box from one cell of the block to another: a rehandle, no move that anybody has ordered."""
        self.digs = self.dug = True
        return self.move(self.cell(), "pick_above", self.cell(), "put_into_block")

    def pick_above(self) -> bool:
        """The box that stands in the way; any box of the block will do."""
        self.load = self.unstack(-1)
        return True

    def count_move(self) -> None:
        """A rehandle is counted beside the moves, not among them."""
        if self.digs:
            self.digs = False
            self.rehandles += 1
            self.values["rehandle-count"] = self.rehandles
        else:
            super().count_move()

    def imports_here(self) -> bool:
        """Whether there is a box that a truck may take."""
        return any(slot.ready for slot in self.slots) or any(not one.leaves_by_ship for one in self.block)

    def cell(self) -> float:
        """The trolley position of some cell."""
        return round(self.rng.uniform(0, 20), 1)

    def move(self, start_m: float, pick: str, end_m: float, put: str) -> list[Step]:
        """Over there, down, pick, up, across, down, put, up."""
        bay_m = round(self.rng.uniform(0, 360), 1)
        return [
            Step(trolley_m=start_m, height_m=14, gantry_m=bay_m),
            Step(height_m=self.rng.uniform(2, 9), act=pick, dwell_s=3),
            Step(height_m=14),
            Step(trolley_m=end_m),
            Step(height_m=self.rng.uniform(2, 9), act=put, dwell_s=3),
            Step(height_m=14),
        ]

    def pick_from_carrier(self) -> bool:
        """Take the box off; the carrier is free."""
        carrier = self.carrier_in_hand
        if carrier is not None:
            self.load = carrier.give()
            self.carriers.remove(carrier)
            carrier.release()
        self.carrier_in_hand = None
        return True

    def put_into_block(self) -> bool:
        """Into the block, or a reefer onto a free plug."""
        slot = next((one for one in self.slots if one.container is None), None)
        if self.load is not None and self.load.reefer and slot is not None:
            slot.plug(self.load)
        elif self.load is not None:
            self.stack(self.load)
        self.load = None
        return True

    def pick_export(self) -> bool:
        """The box that was promised to the carrier."""
        index = next(at for at, one in enumerate(self.block) if one.leaves_by_ship)
        self.load = self.unstack(index)
        self.promised -= 1
        return True

    def put_on_carrier(self) -> bool:
        """Onto the carrier, which the dispatcher then sends to the quay."""
        if self.carrier_in_hand is not None and self.load is not None:
            self.carrier_in_hand.put(self.load)
            self.carriers.remove(self.carrier_in_hand)
        self.carrier_in_hand, self.load = None, None
        return True

    def reserve_import(self) -> None:
        """Set one box aside for the truck: from the rack when one is ready, else from the block."""
        slot = next((one for one in self.slots if one.ready), None)
        if slot is not None:
            self.taken = slot.unplug()
            return
        index = next(at for at, one in enumerate(self.block) if not one.leaves_by_ship)
        self.taken = self.unstack(index)

    def pick_reserved(self) -> bool:
        """Lock onto the box that was set aside."""
        self.load, self.taken = self.taken, None
        return True

    def pick_from_truck(self) -> bool:
        """The truck leaves empty."""
        if self.truck_in_hand is not None:
            self.load, self.truck_in_hand.load = self.truck_in_hand.load, None
            self.send_off(self.truck_in_hand)
        return True

    def put_on_truck(self) -> bool:
        """The truck leaves with the box."""
        if self.truck_in_hand is not None:
            self.truck_in_hand.load, self.load = self.load, None
            self.send_off(self.truck_in_hand)
        return True

    def send_off(self, truck: Truck) -> None:
        """To the way out."""
        self.trucks.remove(truck)
        self.truck_in_hand = None
        if self.exit is not None:
            self.exit.waiting.append(truck)

    def physics(self, dt_s: float, hoist_m_s: float, trolley_m_s: float) -> None:
        """Gantry and block on top."""
        super().physics(dt_s, hoist_m_s, trolley_m_s)
        self.values |= {"gantry-position": self.gantry_m, "block-level": self.level}
