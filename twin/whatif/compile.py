"""A `Flow` → the arrays of the kernels. In: the flow, the length of a tick. Out: `Compiled`, with its line, if any."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import numpy as np

from twin.errors import ConfigError
from twin.kernels import chance, flow_layout
from twin.kernels.event_heap import MOST_SERVERS
from twin.kernels.flow_layout import Distributions, Ints, Network, Operations, Servers, Stocks
from twin.kernels.flowline import Line
from twin.whatif.model import GOOD, SCRAP, Duration, Flow, Operation, Resource, Route, Window
from twin.whatif.quantiles import kernel_form

MOST_TICKS = 1_000_000_000
FINEST_TICK_S = 0.001


@dataclass(frozen=True, slots=True)
class Compiled:
    """A flow in the kernels' terms; operations and resources in the order of `flow`."""

    flow: Flow
    tick_s: float
    network: Network
    line: Line | None
    operation: Ints  # [S] under way at the start
    remaining: Ints  # [S] ticks

    def ticks(self, seconds: float) -> int:
        """Whole ticks, never beyond what the kernels can count."""
        return min(round(seconds / self.tick_s), chance.FAR)


def tick_for(horizon_s: float) -> float:
    """The finest tick (a power of ten of seconds, at least a millisecond) in which the horizon can be counted."""
    tick_s = FINEST_TICK_S
    while horizon_s / tick_s > MOST_TICKS:
        tick_s *= 10
    return tick_s


def compile_flow(flow: Flow, tick_s: float) -> Compiled:
    """The arrays.

    Raises:
        ConfigError: a name that points nowhere, or something that no engine can do.
    """
    chain = chain_of(flow)
    if chain is not None:
        flow = _in_order(flow, chain)
    _check(flow)
    pool = _Pool(tick_s)
    servers = _servers(flow, pool, tick_s)
    operations = _operations(flow, pool, tick_s)
    stocks = Stocks(
        _ints(flow_layout.UNLIMITED if one.capacity is None else one.capacity for one in flow.stocks),
        _ints(one.level for one in flow.stocks),
    )
    crews = _ints(size for _, size in flow.crews)
    network = Network(pool.arrays(), servers, operations, stocks, _waiting(flow), crews)
    under_way = np.full(len(servers.resource), flow_layout.NOBODY, np.int32)
    remaining = np.zeros(len(servers.resource), np.int32)
    for number, one in enumerate(flow.operations):
        if one.under_way_s is not None:
            first = servers.of[flow_layout.FIRST_SERVER, operations.of[flow_layout.RESOURCE, number]]
            under_way[first], remaining[first] = number, round(one.under_way_s / tick_s)
    line = _line(flow, operations, under_way) if chain is not None else None
    return Compiled(flow, tick_s, network, line, under_way, remaining)


def chain_of(flow: Flow) -> list[Operation] | None:
    """The operations of a serial line, first to last; None when the flow is more than that."""
    by_input: dict[str, Operation] = {}
    for one in flow.operations:
        if len(one.inputs) > 1 or len(one.routes) != 1 or one.holds or one.releases or one.calls is not None:
            return None
        if one.inputs and one.inputs[0] in by_input:
            return None
        by_input[one.inputs[0] if one.inputs else ""] = one
    alone = len({one.resource for one in flow.operations}) == len(flow.operations) == len(flow.resources)
    if not alone or "" not in by_input:
        return None
    if any(one.servers != 1 or (one.failure is not None and one.failure.crew) for one in flow.resources):
        return None
    chain = [by_input[""]]
    while (behind := chain[-1].routes[0].to) in by_input:
        chain.append(by_input[behind])
        if len(chain) > len(flow.operations):
            return None
    complete = len(chain) == len(flow.operations) and chain[-1].routes[0].to == GOOD
    bounded = all(stock.capacity is not None for stock in flow.stocks)
    return chain if complete and bounded and flow.outputs == (chain[-1].name,) else None


def normal_windows(windows: Sequence[Window]) -> list[Window]:
    """Sorted and disjoint; where a standstill and the end of a shift overlap, the standstill counts."""
    edges = sorted({edge for one in windows for edge in (one.start_s, one.end_s)})
    found: list[Window] = []
    for start_s, end_s in pairwise(edges):
        covering = [one for one in windows if one.start_s <= start_s and end_s <= one.end_s]
        if not covering:
            continue
        freeze = any(one.freeze for one in covering)
        if found and found[-1].end_s == start_s and found[-1].freeze == freeze:
            found[-1] = replace(found[-1], end_s=end_s)
        else:
            found.append(Window(start_s, end_s, freeze))
    return [one for one in found if one.end_s > 0]


class _Pool:
    """Distributions, each once."""

    def __init__(self, tick_s: float) -> None:
        self._tick_s = tick_s
        self._numbers: dict[Duration, int] = {}

    def number(self, duration: Duration, unit_s: float | None = None) -> int:
        """Its number; `unit_s` 1 tick for lot sizes."""
        scaled = duration if unit_s is None else duration.scaled(self._tick_s)
        return self._numbers.setdefault(scaled, len(self._numbers))

    def arrays(self) -> Distributions:
        """All of them."""
        forms = [kernel_form(one, self._tick_s) for one in self._numbers]
        return Distributions(
            _ints(kind for kind, _, _ in forms),
            np.array([scale for _, scale, _ in forms], np.float32),
            np.array([table for _, _, table in forms], np.float32).reshape(-1, chance.CELLS + 1),
        )


def _servers(flow: Flow, pool: _Pool, tick_s: float) -> Servers:
    crews = {name: number for number, (name, _) in enumerate(flow.crews)}
    modes = {"operation": flow_layout.OPERATION_DEPENDENT, "time": flow_layout.TIME_DEPENDENT}
    nothing = Duration(flow.operations[0].cycle.shape, flow.operations[0].cycle.mean_s) if flow.operations else None
    windows = [_windows(one, tick_s) for one in flow.resources]
    firsts = _firsts(one.servers for one in flow.resources)
    of: list[list[int]] = []
    for one, first, window in zip(flow.resources, firsts, _firsts(map(len, windows)), strict=False):
        broken = one.failure
        up, down = (broken.up, broken.down) if broken else (nothing, nothing)
        of.append([
            first,
            modes[broken.depends] if broken else flow_layout.NO_FAILURES,
            pool.number(up) if up else 0,
            pool.number(down) if down else 0,
            crews[broken.crew] if broken and broken.crew else flow_layout.NOBODY,
            window,
        ])  # fmt: skip
    ends = [firsts[-1], flow_layout.NO_FAILURES, 0, 0, flow_layout.NOBODY, sum(map(len, windows))]
    return Servers(
        np.repeat(np.arange(len(flow.resources), dtype=np.int32), [one.servers for one in flow.resources]),
        _turned([*of, ends]),
        _table((window for each in windows for window in each), 3),
    )


def _windows(resource: Resource, tick_s: float) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = []
    for one in normal_windows(resource.windows):
        start, end = (min(round(max(edge, 0.0) / tick_s), chance.FAR) for edge in (one.start_s, one.end_s))
        found.append((start, end, int(one.freeze)))
    return found


def _operations(flow: Flow, pool: _Pool, tick_s: float) -> Operations:
    resources = {one.name: number for number, one in enumerate(flow.resources)}
    stocks = {one.name: number for number, one in enumerate(flow.stocks)}
    each = flow.operations
    named = [*(one.inputs for one in each), *(one.holds for one in each), *(one.releases for one in each)]
    lists = [[stocks[name] for name in names] for names in named]
    places = _firsts(map(len, lists))  # of the inputs of every operation, then of what it waits for, then releases
    calls = [[(round(call.at_s / tick_s), call.things) for call in one.calls or ()] for one in each]
    call_places, route_places = _firsts(map(len, calls)), _firsts(len(one.routes) for one in each)
    of: list[list[int]] = []
    for number, one in enumerate((*each, None)):
        row = [places[number + at * len(each)] for at in range(3)] + [call_places[number], route_places[number]]
        of.append([*(_works(one, resources[one.resource], pool, tick_s) if one else [0] * 6), *row])
    return Operations(
        _turned(of),
        _ints(stock for one in lists for stock in one),
        _table((call for one in calls for call in one), 2),
        _routes(flow, stocks),
    )


def _works(one: Operation, resource: int, pool: _Pool, tick_s: float) -> list[int]:
    """What of an operation begins no list."""
    quantity = pool.number(one.quantity, 1.0) if one.quantity else 0
    return [resource, pool.number(one.cycle), one.lot, round(one.setup_s / tick_s), int(one.idle), quantity]


def _routes(flow: Flow, stocks: Mapping[str, int]) -> Ints:
    ends = {**stocks, GOOD: flow_layout.GOOD, SCRAP: flow_layout.SCRAP}
    found = [
        (ends[route.to], int(_counts(one, route)), limit)
        for one in flow.operations
        for route, limit in zip(one.routes, _limits(one), strict=True)
    ]
    return _turned(found) if found else np.zeros((flow_layout.ROUTE_ROWS, 0), np.int32)


def _counts(operation: Operation, route: Route) -> bool:
    """Rework is not finished: with a route out of the flow only what takes it counts, else all but scrap."""
    leaves = any(one.to == GOOD for one in operation.routes)
    return route.to == GOOD if leaves else route.to != SCRAP


def _limits(operation: Operation) -> list[int]:
    """The bits of each limit, as a signed number."""
    shares = np.cumsum([route.share for route in operation.routes])
    limits = [int(min(max(share, 0.0), 1.0) * (2**32 - 1)) for share in shares]
    return np.array(limits, np.uint32).view(np.int32).tolist()


def _waiting(flow: Flow) -> Ints:
    takers = [[at for at, one in enumerate(flow.operations) if stock.name in one.inputs] for stock in flow.stocks]
    holders = [[at for at, one in enumerate(flow.operations) if stock.name in one.holds] for stock in flow.stocks]
    tasks = [[at for at, one in enumerate(flow.operations) if one.resource == owner.name] for owner in flow.resources]
    lists = [*takers, *holders, *tasks]
    places = [len(lists) + 1 + first for first in _firsts(map(len, lists))]
    return _ints([*places, *(number for one in lists for number in one)])


def _line(flow: Flow, operations: Operations, under_way: Ints) -> Line:
    levels = {one.name: one.level for one in flow.stocks}
    places = {one.name: one.capacity or 0 for one in flow.stocks}
    inside = [levels[one.inputs[0]] if one.inputs else 0 for one in flow.operations]
    busy = [int(number != flow_layout.NOBODY) if at else 0 for at, number in enumerate(under_way)]
    return Line(
        operations.of[flow_layout.CYCLE_TIME, :-1],
        operations.of[flow_layout.LOT_SIZE, :-1],
        operations.of[flow_layout.SETUP_TICKS, :-1],
        _ints(places[one.inputs[0]] for one in flow.operations if one.inputs),
        np.cumsum(np.add(inside, busy)).astype(np.int32),
    )


def _in_order(flow: Flow, chain: list[Operation]) -> Flow:
    resources = tuple(flow.resource(one.resource) for one in chain)
    return replace(flow, operations=tuple(chain), resources=resources)


def _check(flow: Flow) -> None:
    problems = [*_unknown(flow)]
    for one in flow.operations:
        total = sum(route.share for route in one.routes)
        if one.routes and abs(total - 1.0) > 1e-9:
            problems.append(f"operation {one.name!r}: the shares of its routes add up to {total:g}; make that 1")
    problems += [
        f"resource {one.name!r}: only failures that depend on operation can wait for a crew"
        for one in flow.resources
        if one.failure is not None and one.failure.crew and one.failure.depends == "time"
    ]
    if sum(one.servers for one in flow.resources) >= MOST_SERVERS:
        problems.append(f"more than {MOST_SERVERS - 1} servers; split the flow")
    if problems:
        raise ConfigError(problems)


def _unknown(flow: Flow) -> list[str]:
    stocks = {one.name for one in flow.stocks}
    resources = {one.name for one in flow.resources}
    crews = {name for name, _ in flow.crews}
    found: list[str] = []
    for one in flow.operations:
        named = {*one.inputs, *one.holds, *one.releases, *(route.to for route in one.routes)} - {GOOD, SCRAP}
        found += [f"operation {one.name!r}: there is no stock {name!r}" for name in sorted(named - stocks)]
        if one.resource not in resources:
            found.append(f"operation {one.name!r}: there is no resource {one.resource!r}")
    for one in flow.resources:
        if one.failure is not None and one.failure.crew is not None and one.failure.crew not in crews:
            found.append(f"resource {one.name!r}: there is no crew {one.failure.crew!r}")
    return found


def _ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, np.int32)


def _firsts(lengths: Iterable[int]) -> list[int]:
    """Where lists of these lengths begin, one behind the other, and where the last one ends."""
    return [0, *accumulate(lengths)]


def _turned(columns: Sequence[Sequence[int]]) -> Ints:
    return np.ascontiguousarray(np.array(columns, np.int32).T)


def _table(rows: Iterable[tuple[int, ...]], columns: int) -> Ints:
    return np.array(list(rows), np.int32).reshape(-1, columns)
