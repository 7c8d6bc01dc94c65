"""A container terminal as a flow: vessel calls, quay cranes, one pool of carriers, yard cranes with blocks, gates.

Boxes come ashore crane by crane, ride on a carrier (a server of the pool, held until the yard crane takes the box),
wait in a block, and leave by truck; boxes for ships come the other way. A ship is loaded when it is empty. At most
`LOADERS` boxes per crane are on their way to it, as a dispatcher would have it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from twin.plant.tree import Plant
from twin.whatif import model
from twin.whatif.model import GOOD, Duration, Flow, Operation, Resource, Route, Stock

LOADERS = 3
TO_BRING, TO_FETCH = "boxes to bring", "boxes to fetch"  # what trucks come for
FIRST_TRUCKS = 10
_BOXES_PER_CALL = 24.0
_TURNAROUND_S = 150.0
_TRUCKS_PER_H = 30.0
_CALL_CV = 0.3
_BLOCK_PLACES = 200


@dataclass(frozen=True, slots=True)
class Berths:
    """The units of a terminal."""

    plant: Plant
    paths: Sequence[str]
    resources: Mapping[str, Resource]
    cycles: Mapping[str, Duration]

    def having(self, duty: str) -> list[str]:
        """The paths of the units with that duty."""
        return [path for path in self.paths if self.plant.work[path].duty == duty]


def pool_name(paths: Sequence[str]) -> str:
    """The carriers are one resource, named by what they stand under."""
    return paths[0].rpartition("/")[0] if paths else ""


def port_flow(berths: Berths) -> Flow:
    """The whole terminal; the throughput is what the quay cranes move."""
    cranes, carriers, yards = (berths.having(duty) for duty in ("quay-crane", "carrier", "yard-crane"))
    stocks: list[Stock] = []
    operations: list[Operation] = []
    resources = [replace(berths.resources[path]) for path in (*cranes, *yards)]
    if carriers:
        first = berths.resources[carriers[0]]
        resources.append(replace(first, name=pool_name(carriers), servers=len(carriers), down_since_s=None))
    shore, aground = "boxes ashore", "boxes at the yard"
    stocks += [Stock(shore, 0), Stock(aground, 0)]
    for crane in cranes:
        _add_berth(berths, crane, shore, stocks, operations)
    for crane in cranes:
        for yard in yards:
            _add_retrieval(berths, crane, yard, operations)
    if carriers:
        trip, pool = berths.cycles[carriers[0]], pool_name(carriers)
        operations += [
            Operation(f"{pool}: to {crane}", pool, trip, (f"{crane}: on carriers",), (Route(f"{crane}: below"),))
            for crane in cranes
        ]
        operations.append(Operation(f"{pool}: to the yard", pool, trip, (shore,), (Route(aground),)))
    for yard in yards:
        _add_block(berths, yard, aground, stocks, operations)
    _add_gates(berths, stocks, operations, resources)
    outputs = [f"{crane}: {work}" for crane in cranes for work in ("discharge", "load")]
    return Flow(tuple(resources), tuple(stocks), tuple(operations), tuple(outputs))


def _add_berth(berths: Berths, crane: str, shore: str, stocks: list[Stock], operations: list[Operation]) -> None:
    work, cycle = berths.plant.work[crane], berths.cycles[crane]
    aboard, wanted, slots = f"{crane}: to discharge", f"{crane}: to load", f"{crane}: loaders"
    stocks += [Stock(aboard, None), Stock(wanted, None), Stock(f"{crane}: to call", None), Stock(slots, None, LOADERS)]
    stocks += [Stock(f"{crane}: on carriers", LOADERS), Stock(f"{crane}: below", 0)]
    boxes = model.lognormal(work.moves_per_call or _BOXES_PER_CALL, _CALL_CV)
    called = (aboard, wanted, f"{crane}: to call")
    turnaround = model.lognormal(work.turnaround_s or _TURNAROUND_S, _CALL_CV)
    load = Operation(f"{crane}: load", crane, cycle, (wanted, f"{crane}: below"), (Route(GOOD),), holds=(aboard,),
                     releases=(slots,), quantity=model.fixed(1))  # fmt: skip
    operations += [
        Operation(f"{crane}: discharge", crane, cycle, (aboard,), (Route(shore),)),
        load,
        Operation(
            f"{crane}: call", crane, turnaround, (), (), holds=called, releases=called, quantity=boxes, idle=True
        ),
    ]


def _add_retrieval(berths: Berths, crane: str, yard: str, operations: list[Operation]) -> None:
    inputs = (f"{crane}: to call", f"{crane}: loaders", f"{yard}: exports")
    operations.append(Operation(
        f"{yard}: for {crane}", yard, berths.cycles[yard], inputs, (Route(f"{crane}: on carriers"),),
        holds=(f"{crane}: to discharge",), releases=(TO_BRING,), quantity=model.fixed(1)))  # fmt: skip


def _add_block(berths: Berths, yard: str, aground: str, stocks: list[Stock], operations: list[Operation]) -> None:
    buffer = berths.plant.buffers.get(yard)
    places = (buffer.capacity if buffer else _BLOCK_PLACES) // 2
    one = model.fixed(1)
    cycle, imports, exports = berths.cycles[yard], f"{yard}: imports", f"{yard}: exports"
    stocks += [Stock(imports, places, min(35, places)), Stock(exports, places, min(35, places))]
    operations += [
        Operation(f"{yard}: store", yard, cycle, (aground,), (Route(imports),), releases=(TO_FETCH,), quantity=one),
        Operation(f"{yard}: from truck", yard, cycle, ("trucks with a box",), (Route(exports),)),
        Operation(f"{yard}: to truck", yard, cycle, ("trucks without a box", imports), (Route("trucks to leave"),)),
    ]


def _add_gates(berths: Berths, stocks: list[Stock], operations: list[Operation], resources: list[Resource]) -> None:
    ways_in, ways_out = berths.having("gate-in"), berths.having("gate-out")
    resources += [berths.resources[path] for path in (*ways_in, *ways_out)]
    stocks += [Stock("trucks with a box", None), Stock("trucks without a box", None), Stock("trucks to leave", None)]
    stocks += [Stock(TO_BRING, None, FIRST_TRUCKS), Stock(TO_FETCH, None, FIRST_TRUCKS)]
    site = (ways_in[0] if ways_in else "").rpartition("/")[0]
    per_h = sum(berths.plant.work[lane].trucks_per_h or _TRUCKS_PER_H for lane in ways_in)
    for wish, errand, inside in ((TO_BRING, "bring", "trucks with a box"), (TO_FETCH, "fetch", "trucks without a box")):
        if not ways_in:
            break
        road, queue = f"{site}: road, {errand}", f"{site}: queue, {errand}"
        stocks.append(Stock(queue, None))
        resources.append(Resource(road))
        between = model.exponential(3600.0 / per_h)
        operations.append(Operation(f"{road}: truck", road, between, (wish,), (Route(queue),), idle=True))
        operations += [
            Operation(f"{lane}: {errand}", lane, berths.cycles[lane], (queue,), (Route(inside),)) for lane in ways_in
        ]
    operations += [
        Operation(f"{lane}: leave", lane, berths.cycles[lane], ("trucks to leave",), (Route(GOOD),))
        for lane in ways_out
    ]
