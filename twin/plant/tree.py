"""The plant as everybody else sees it: assets in ISA-95 levels, their signals, the flow and the calendars.

In: what `twin.plant.load` compiled from YAML. Out: frozen models with look-ups by path. A signal's path is its asset's
path + "/" + its name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from twin.plant.alarm import AlarmSpec
from twin.plant.calendar import Calendar
from twin.plant.elements import Element, StopReason
from twin.plant.flow import Buffer, Link
from twin.plant.work import Work

MICROSTOP_S = 60.0


class Level(StrEnum):
    """ISA-95 equipment levels below the enterprise."""

    SITE = "site"
    AREA = "area"
    LINE = "line"
    UNIT = "unit"


class Kind(StrEnum):
    """How the values of a signal behave in time."""

    MEASUREMENT = "measurement"  # a physical quantity, sampled
    COUNTER = "counter"  # grows by whole steps; may roll over or be reset
    STATE = "state"  # a numeric code with a name
    TEXT = "text"  # an order, a program, a product


class Category(StrEnum):
    """OPC 40001-1 MachineryItemState."""

    NOT_AVAILABLE = "NotAvailable"
    OUT_OF_SERVICE = "OutOfService"
    NOT_EXECUTING = "NotExecuting"
    EXECUTING = "Executing"


class OperationMode(StrEnum):
    """OPC 40001-1 MachineryOperationMode."""

    NONE = "None"
    MAINTENANCE = "Maintenance"
    SETUP = "Setup"
    PROCESSING = "Processing"


ROLES: Mapping[str, Kind] = {
    "machine-state": Kind.STATE,
    "good-count": Kind.COUNTER,
    "scrap-count": Kind.COUNTER,
    "rework-count": Kind.COUNTER,
    "total-count": Kind.COUNTER,  # good, scrap and rework together
    "move-count": Kind.COUNTER,
    "lift-count": Kind.COUNTER,
    "box-count": Kind.COUNTER,
    "teu-count": Kind.COUNTER,
    "rehandle-count": Kind.COUNTER,
    "cycle-time": Kind.MEASUREMENT,
    "turn-time": Kind.MEASUREMENT,  # of the truck or carrier that has just left
    "buffer-level": Kind.MEASUREMENT,
    "operation-mode": Kind.STATE,
    "twist-lock": Kind.STATE,
    "spreader-mode": Kind.STATE,
    "hoist-load": Kind.MEASUREMENT,
    "trolley-position": Kind.MEASUREMENT,
    "reefer-plugged": Kind.STATE,
    "reefer-setpoint": Kind.MEASUREMENT,
    "reefer-return": Kind.MEASUREMENT,
    "order": Kind.TEXT,
    "program": Kind.TEXT,
    "speed-setpoint": Kind.MEASUREMENT,
}
"""What a signal can mean to the twin, and the kind that this meaning needs."""


@dataclass(frozen=True, slots=True)
class MachineState:
    """What a state code means; `category` is "" for states that are not machine states."""

    name: str
    category: Category | str
    mode: OperationMode | str = ""  # the operation mode that this state says, "" = none
    reason: StopReason | str = ""  # why it stands, "" = unknown or does not stand
    element: Element | str = ""  # a time element that this state always is, whatever the table says


@dataclass(frozen=True, slots=True)
class Signal:
    """One series of values of one asset."""

    path: str
    asset: str
    name: str
    title: str
    kind: Kind
    unit: str  # pint-parsable; "" = none
    low: float | None
    high: float | None
    role: str | None
    period_s: float  # nominal; for signals that report on change, the slowest repetition
    stale_after_s: float
    states: Mapping[int, MachineState]  # {} unless kind is state
    resolution: float | None  # the sensor's step, in `unit`
    seasonal: bool = False  # follows the hours of the week
    parts_per_count: int = 1  # of a counter: a tool with four cavities makes four parts per shot
    alarms: tuple[AlarmSpec, ...] = ()
    detectors: tuple[str, ...] | None = None  # of stretches; None = chosen by trial in the signal's own history


@dataclass(frozen=True, slots=True)
class Asset:
    """A site, area, line or unit."""

    path: str
    name: str
    title: str
    level: Level
    type: str  # the type's name for units, else the level
    parent: str | None
    signals: tuple[str, ...]  # paths
    calendar: str  # the nearest one above it
    alarms_per_day: float = 10.0  # of an area: the budget of anomaly alarms
    ideal_cycle_s: float | None = None  # planned run time per part (ISO 22400 PRI); None = learnt
    microstop_s: float = MICROSTOP_S  # a stop that is shorter is a minor stop


@dataclass(frozen=True)
class Plant:
    """Everything that exists, parents before children."""

    enterprise: str
    title: str
    revision: str  # hash of the content, comments and layout do not count
    assets: tuple[Asset, ...]
    signals: tuple[Signal, ...]
    flow: tuple[Link, ...]
    buffers: Mapping[str, Buffer]  # by asset path
    calendars: Mapping[str, Calendar]
    work: Mapping[str, Work] = field(default_factory=dict[str, Work])  # by unit path, where the file says how it works
    crews: Mapping[str, int] = field(default_factory=dict[str, int])  # people of each repair crew

    def asset(self, path: str) -> Asset:
        """The asset at this path, KeyError when there is none."""
        return self._assets[path]

    def signal(self, path: str) -> Signal:
        """The signal at this path, KeyError when there is none."""
        return self._signals[path]

    def children(self, path: str) -> tuple[Asset, ...]:
        """The assets directly below, in the order of the file."""
        return self._children.get(path, ())

    def site_of(self, path: str) -> Asset:
        """The site that an asset or signal path belongs to."""
        return self._assets[path.partition("/")[0]]

    def area_of(self, path: str) -> Asset:
        """The area that an asset belongs to; its site when it stands above every area."""
        parts = path.split("/")
        above = [self._assets["/".join(parts[:count])] for count in range(1, len(parts) + 1)]
        return next((asset for asset in above if asset.level == Level.AREA), above[0])

    def calendar_of(self, path: str) -> Calendar:
        """The calendar that an asset works by."""
        return self.calendars[self._assets[path].calendar]

    def has_asset(self, path: str) -> bool:
        """Whether an asset stands at this path."""
        return path in self._assets

    def has_signal(self, path: str) -> bool:
        """Whether a signal stands at this path."""
        return path in self._signals

    @cached_property
    def _assets(self) -> dict[str, Asset]:
        return {asset.path: asset for asset in self.assets}

    @cached_property
    def _signals(self) -> dict[str, Signal]:
        return {signal.path: signal for signal in self.signals}

    @cached_property
    def _children(self) -> dict[str, tuple[Asset, ...]]:
        below: dict[str, list[Asset]] = {}
        for asset in self.assets:
            if asset.parent is not None:
                below.setdefault(asset.parent, []).append(asset)
        return {path: tuple(assets) for path, assets in below.items()}
