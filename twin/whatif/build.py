"""The plant model → a `Flow` of one site or of all. In: the plant, what history says, the state now. Pure.

A machine is a resource with one operation between its buffers; a port's units are put together by `port`. Where history
knows a cycle or a failure rate it stands above the plant model's.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from twin.errors import ConfigError
from twin.plant.calendar import Calendar
from twin.plant.flow import Link
from twin.plant.tree import Plant
from twin.plant.work import Work
from twin.whatif import model
from twin.whatif.model import GOOD, SCRAP, Duration, Failure, Flow, Operation, Resource, Route, Stock, Window
from twin.whatif.port import Berths, port_flow


@dataclass(frozen=True, slots=True)
class Learnt:
    """What history says of one unit; None: nothing."""

    cycle: Duration | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Now:
    """The live state of one unit."""

    down_since_s: float | None = None  # for so long already
    level: int | None = None  # things in a buffer


@dataclass(frozen=True, slots=True)
class Chance:
    """What the fault risk says: a fault begins within `within_s` with this probability."""

    probability: float
    within_s: float


@dataclass(frozen=True, slots=True)
class Setting:
    """Everything that surrounds the flow."""

    start_at: datetime  # aware
    horizon_s: float
    learnt: Mapping[str, Learnt] = field(default_factory=dict[str, Learnt])  # by unit path
    now: Mapping[str, Now] = field(default_factory=dict[str, Now])
    risk: Mapping[str, Chance] = field(default_factory=dict[str, Chance])
    calendars: Mapping[str, Calendar] = field(
        default_factory=dict[str, Calendar]
    )  # in place of the plant's, by unit path


def build(plant: Plant, under: str, setting: Setting) -> Flow:
    """The flow of everything below `under`, an asset's path; "" is the whole plant.

    Raises:
        ConfigError: nothing there says how it works.
    """
    paths = [
        one.path
        for one in plant.assets
        if one.path in plant.work and (not under or f"{one.path}/".startswith(f"{under}/"))
    ]
    machines = [path for path in paths if plant.work[path].duty == "machine"]
    port = [path for path in paths if plant.work[path].duty != "machine"]
    if not paths:
        raise ConfigError(f"{under or 'the plant'}: no unit there has a work: key, so that nothing can be simulated")
    parts = _machines(plant, machines, setting) if machines else Flow((), (), (), ())
    if port:
        berths = Berths(
            plant, port, {path: _resource(plant, path, setting) for path in port}, _cycles(plant, port, setting)
        )
        parts = _together(parts, port_flow(berths))
    return replace(parts, crews=tuple(plant.crews.items()))


def _together(one: Flow, other: Flow) -> Flow:
    return Flow(
        (*one.resources, *other.resources),
        (*one.stocks, *other.stocks),
        (*one.operations, *other.operations),
        (*one.outputs, *other.outputs),
    )


def _machines(plant: Plant, paths: list[str], setting: Setting) -> Flow:
    inside = set(paths)
    links = [link for link in plant.flow if link.source in inside and link.target in inside]
    stocks = {place: _stock(plant, place, link, setting) for link in links for place in [_place(link)]}
    cycles = _cycles(plant, paths, setting)
    operations = [_operation(plant.work[path], path, links, cycles[path]) for path in paths]
    ends = [one.name for one in operations if any(route.to == GOOD for route in one.routes)]
    resources = [_resource(plant, path, setting) for path in paths]
    return Flow(tuple(resources), tuple(stocks.values()), tuple(operations), tuple(ends))


def _place(link: Link) -> str:
    return link.buffer or f"{link.source} → {link.target}"


def _stock(plant: Plant, place: str, link: Link, setting: Setting) -> Stock:
    if link.buffer is None:
        return Stock(place, 0)
    capacity = plant.buffers[link.buffer].capacity
    now = setting.now.get(place)
    level = capacity // 3 if now is None or now.level is None else now.level
    return Stock(place, capacity, min(max(level, 0), capacity))


def _operation(work: Work, path: str, links: list[Link], cycle: Duration) -> Operation:
    inputs = dict.fromkeys(_place(link) for link in links if link.target == path)
    outputs: dict[str, float | None] = {}
    for link in links:
        if link.source == path:
            outputs[_place(link)] = link.share
    return Operation(
        path, path, cycle, tuple(inputs), _routes(work, outputs), work.lot or 0, work.setup_s if work.lot else 0.0
    )


def _routes(work: Work, outputs: Mapping[str, float | None]) -> tuple[Route, ...]:
    """Good parts by share, then rework, then scrap; the shares add up to 1."""
    back = work.rework.share if work.rework else 0.0
    good = 1.0 - work.scrap - back
    given = sum(share or 0.0 for share in outputs.values())
    silent = sum(share is None for share in outputs.values())
    rest = max(1.0 - given, 0.0) / silent if silent else 0.0
    shares = {place: rest if share is None else share for place, share in outputs.items()} or {GOOD: 1.0}
    total = sum(shares.values())
    routes = [Route(place, good * share / total) for place, share in shares.items() if share > 0]
    if work.rework:
        routes.append(Route(work.rework.to, back))
    return (*routes, Route(SCRAP, work.scrap)) if work.scrap else tuple(routes)


def _cycles(plant: Plant, paths: Iterable[str], setting: Setting) -> dict[str, Duration]:
    found: dict[str, Duration] = {}
    for path in paths:
        learnt = setting.learnt.get(path)
        cycle = (learnt.cycle if learnt else None) or planned_cycle(plant, path)
        if cycle is None:
            raise ConfigError(f"{path}: nobody says how long a cycle takes; add work: {{ cycle: {{ mean_s: … }} }}")
        found[path] = cycle
    return found


def planned_cycle(plant: Plant, path: str) -> Duration | None:
    """What the plant model says of a unit's cycle."""
    given, ideal_s = plant.work[path].cycle, plant.asset(path).ideal_cycle_s
    if given is None:
        return model.fixed(ideal_s) if ideal_s else None
    if given.distribution == "empirical":
        return model.empirical(given.observed_s)
    mean_s = given.mean_s or 0.0
    if given.distribution == "exponential":
        return model.exponential(mean_s)
    return model.lognormal(mean_s, given.cv if given.distribution == "lognormal" else 0.0, given.least_s)


def planned_failure(work: Work) -> Failure | None:
    """What the plant model says of its failures."""
    given = work.failures
    if given is None:
        return None
    down = model.exponential(given.mttr_s) if given.repair_cv == 1 else model.lognormal(given.mttr_s, given.repair_cv)
    return Failure(model.exponential(given.mtbf_s), down, given.depends, given.crew)


def _resource(plant: Plant, path: str, setting: Setting) -> Resource:
    work, learnt, now = plant.work[path], setting.learnt.get(path), setting.now.get(path)
    calendar = setting.calendars.get(path) or plant.calendar_of(path)
    failure = (learnt.failure if learnt else None) or planned_failure(work)
    chance = setting.risk.get(path)
    if failure is not None and chance is not None:
        failure = hazardous(failure, chance)
    down_since_s = now.down_since_s if now else None
    if down_since_s is not None and failure is None:  # down, and nobody knows for how long such a thing lasts
        failure = Failure(model.exponential(1e9), model.exponential(3600.0))
    return Resource(path, work.servers, failure, tuple(off_windows(calendar, setting)), down_since_s=down_since_s)


def hazardous(failure: Failure, chance: Chance) -> Failure:
    """The failure with its rate raised to what the fault risk says; never lowered."""
    rate_per_s = -math.log1p(-min(max(chance.probability, 0.0), 0.999)) / chance.within_s
    if rate_per_s * failure.up.mean_s <= 1.0:
        return failure
    return replace(failure, up=failure.up.scaled(1.0 / (rate_per_s * failure.up.mean_s)))


def off_windows(calendar: Calendar, setting: Setting) -> list[Window]:
    """When the calendar plans no production, in seconds from the start; work under way is finished first."""
    start, end = setting.start_at, setting.start_at + timedelta(seconds=setting.horizon_s)
    planned = [
        (max(shift.started_at, start), min(shift.ends_at, end))
        for shift in calendar.shifts_between(start, end)
        if shift.planned
    ]
    found: list[Window] = []
    at = start
    for began, ended in sorted(planned):
        if began > at:
            found.append(_window(at, began, start))
        at = max(at, ended)
    if at < end:
        found.append(_window(at, end, start))
    stops = sorted(calendar.stops_between(start, end))
    return [*found, *(_window(max(began, start), min(ended, end), start) for began, ended in stops)]


def _window(began: datetime, ended: datetime, start: datetime) -> Window:
    return Window((began - start).total_seconds(), (ended - start).total_seconds(), freeze=False)
