"""A scenario: what is to be different, as YAML or JSON, and what it does to a flow.

In: a document. Out: `ScenarioText`, and a changed plant setting and flow. Durations are seconds, or text such as 4 h.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AwareDatetime, BeforeValidator, Field, NonNegativeFloat, PositiveFloat, PositiveInt

from twin.errors import ConfigError
from twin.plant.calendar import Calendar, Hours, PlannedStop
from twin.plant.tree import Plant
from twin.settings import Settings
from twin.whatif.build import Setting
from twin.whatif.model import Flow, Operation, Resource, Window
from twin.whatif.port import pool_name

MOST_REPLICATIONS = 100_000
MOST_HORIZON_S = 92 * 86_400.0

_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h|d|w)\s*")
_UNIT_S = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


def _seconds(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = _SPAN.fullmatch(value)
    if found is None:
        raise ValueError(f"must be seconds or text such as 30 min, 4 h, 2 d, not {value!r}")
    return float(found.group(1)) * _UNIT_S[found.group(2)]


Span = Annotated[NonNegativeFloat, BeforeValidator(_seconds), Field(description="Seconds, or text such as 4 h")]


class Down(Settings):
    """A unit, or everything below an asset, stands still."""

    change: Literal["down"]
    asset: str
    for_s: Span = Field(alias="for")
    after_s: Span = Field(default=0.0, alias="after")


class Closed(Settings):
    """A site, area, line or lane takes nothing on; what is under way is finished."""

    change: Literal["closed"]
    asset: str
    for_s: Span = Field(alias="for")
    after_s: Span = Field(default=0.0, alias="after")


class Speed(Settings):
    """It works faster (factor > 1) or slower."""

    change: Literal["speed"]
    asset: str
    factor: PositiveFloat


class Capacity(Settings):
    """A buffer of another size."""

    change: Literal["buffer"]
    asset: str
    capacity: PositiveInt


class Added(Settings):
    """More equal units beside this one."""

    change: Literal["added"]
    asset: str
    count: PositiveInt = 1


class Shifts(Settings):
    """It works by another calendar of the plant."""

    change: Literal["shifts"]
    asset: str
    calendar: str


class Maintenance(Settings):
    """A planned stop of a calendar comes later (or, negative, earlier)."""

    change: Literal["maintenance"]
    calendar: str
    stop: str
    by_min: int


class Demand(Settings):
    """More (factor > 1) or fewer trucks, boxes per vessel, things per order."""

    change: Literal["demand"]
    factor: PositiveFloat
    asset: str = ""


class Delayed(Settings):
    """The next vessel at this quay crane comes later."""

    change: Literal["vessel-delayed"]
    asset: str
    by_s: Span = Field(alias="by")


Change = Annotated[
    Down | Closed | Speed | Capacity | Added | Shifts | Maintenance | Demand | Delayed, Field(discriminator="change")
]


class OrderText(Settings):
    """So many things that a unit must have finished by then."""

    asset: str
    things: PositiveInt
    due_s: Span = Field(alias="due")


class ScenarioText(Settings):
    """The whole document."""

    title: str = Field(min_length=1, max_length=200)
    under: str = Field(default="", description="Path of the site, area or line that is simulated; empty: the plant")
    horizon_s: Annotated[float, BeforeValidator(_seconds), Field(gt=0, le=MOST_HORIZON_S, alias="horizon")] = 86_400.0
    replications: Annotated[int, Field(ge=10, le=MOST_REPLICATIONS)] = 1_000
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    buckets: Annotated[int, Field(ge=4, le=1_000)] = 96
    sensitivity: bool = Field(default=True, description="Try each likely bottleneck ten per cent faster")
    start: Literal["live", "plan"] = "live"
    start_at: AwareDatetime | None = Field(default=None, description="Where the calendars begin; default: now")
    changes: Annotated[tuple[Change, ...], Field(max_length=50)] = ()
    orders: Annotated[tuple[OrderText, ...], Field(max_length=100)] = ()


def changed_setting(plant: Plant, setting: Setting, changes: Sequence[Change]) -> Setting:
    """The calendars as the scenario wants them.

    Raises:
        ConfigError: it names what the plant does not have.
    """
    calendars = dict(setting.calendars)
    for at, change in enumerate(changes):
        if isinstance(change, Shifts):
            if change.calendar not in plant.calendars:
                raise _unknown(at, "calendar", change.calendar, sorted(plant.calendars))
            for path in units_below(plant, change.asset, at):
                calendars[path] = plant.calendars[change.calendar]
        elif isinstance(change, Maintenance):
            if change.calendar not in plant.calendars:
                raise _unknown(at, "calendar", change.calendar, sorted(plant.calendars))
            moved = _moved(plant.calendars[change.calendar], change, at)
            for path in plant.work:
                if plant.asset(path).calendar == change.calendar:
                    calendars[path] = moved
    return replace(setting, calendars=calendars)


def changed_flow(plant: Plant, flow: Flow, changes: Sequence[Change]) -> Flow:
    """The flow as the scenario wants it.

    Raises:
        ConfigError: it names what the plant, or the simulated part of it, does not have.
    """
    for at, change in enumerate(changes):
        if isinstance(change, Capacity):
            flow = _resized(flow, change, at)
        elif isinstance(change, Demand):
            flow = _surged(flow, change)
        elif not isinstance(change, Shifts | Maintenance):
            names = resources_of(plant, flow, change.asset, at)
            flow = replace(flow, resources=tuple(_changed(one, change, names) for one in flow.resources))
            if isinstance(change, Speed):
                each = tuple(_paced(one, change.factor) if one.resource in names else one for one in flow.operations)
                flow = replace(flow, operations=each)
            if isinstance(change, Down):
                flow = _fewer(plant, flow, change)
    return flow


def resources_of(plant: Plant, flow: Flow, asset: str, at: int) -> frozenset[str]:
    """The resources that an asset, or everything below it, is in the flow."""
    below = set(units_below(plant, asset, at))
    pools = {pool_name([path]) for path in below if plant.work[path].duty == "carrier"}
    whole = {pool for pool in pools if f"{pool}/".startswith(f"{asset}/")}
    names = frozenset(one.name for one in flow.resources if one.name in below | whole)
    if not names and not pools:
        raise ConfigError(f"changes.{at}.asset: {asset!r} is not in the simulated part; correct it or widen `under`")
    return names


def units_below(plant: Plant, asset: str, at: int) -> list[str]:
    """The working units at or below an asset's path."""
    if not plant.has_asset(asset):
        raise _unknown(at, "asset", asset, [one.path for one in plant.assets])
    found = [path for path in plant.work if f"{path}/".startswith(f"{asset}/")]
    if not found:
        raise ConfigError(f"changes.{at}.asset: nothing at {asset!r} works; name a machine, crane or what holds some")
    return found


def _changed(one: Resource, change: Change, names: frozenset[str]) -> Resource:
    if one.name not in names:
        return one
    if isinstance(change, Down | Closed):
        window = Window(change.after_s, change.after_s + change.for_s, freeze=isinstance(change, Down))
        return replace(one, windows=(*one.windows, window))
    if isinstance(change, Delayed):
        return replace(one, windows=(*one.windows, Window(0.0, change.by_s, freeze=False)))
    if isinstance(change, Added):
        return replace(one, servers=one.servers + change.count)
    return one


def _fewer(plant: Plant, flow: Flow, change: Down) -> Flow:
    """One carrier of a pool that is down leaves one server less, for the whole horizon."""
    pool = pool_name([change.asset])
    if change.asset not in plant.work or plant.work[change.asset].duty != "carrier":
        return flow
    each = (replace(one, servers=max(one.servers - 1, 1)) if one.name == pool else one for one in flow.resources)
    return replace(flow, resources=tuple(each))


def _paced(operation: Operation, factor: float) -> Operation:
    return operation if operation.idle else replace(operation, cycle=operation.cycle.scaled(1 / factor))


def _resized(flow: Flow, change: Capacity, at: int) -> Flow:
    if all(one.name != change.asset for one in flow.stocks):
        raise _unknown(at, "buffer", change.asset, [one.name for one in flow.stocks if one.capacity])
    stocks = tuple(
        replace(one, capacity=change.capacity, level=min(one.level, change.capacity))
        if one.name == change.asset
        else one
        for one in flow.stocks
    )
    return replace(flow, stocks=stocks)


def _surged(flow: Flow, change: Demand) -> Flow:
    """Arrivals come more often, calls bring more; machines with raw stock without end know no demand but orders."""
    each: list[Operation] = []
    for one in flow.operations:
        mine = not change.asset or f"{one.resource}/".startswith((f"{change.asset}/", f"{change.asset}:"))
        if mine and one.idle and one.quantity is not None:
            one = replace(one, quantity=one.quantity.scaled(change.factor))
        elif mine and one.idle:
            one = replace(one, cycle=one.cycle.scaled(1 / change.factor))
        each.append(one)
    return replace(flow, operations=tuple(each))


def _moved(calendar: Calendar, change: Maintenance, at: int) -> Calendar:
    titles = [stop.title for stop in calendar.stops]
    if change.stop not in titles:
        raise _unknown(at, "stop", change.stop, titles)
    return replace(
        calendar, stops=tuple(_later(one, change.by_min) if one.title == change.stop else one for one in calendar.stops)
    )


def _later(stop: PlannedStop, by_min: int) -> PlannedStop:
    days, start = divmod(stop.hours.start_min + by_min, 1440)
    hours = Hours(start, start + stop.hours.length_min)
    on = stop.on + timedelta(days=days) if stop.on else None
    return PlannedStop(stop.title, hours, frozenset((day + days) % 7 for day in stop.days), on)


def _unknown(at: int, what: str, name: str, known: Sequence[str]) -> ConfigError:
    shown = ", ".join(known[:12]) + (" …" if len(known) > 12 else "") or "none"
    return ConfigError(f"changes.{at}: there is no {what} {name!r}; name one of {shown}")
