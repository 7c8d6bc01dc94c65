"""The shape of `configs/plant.yaml`: what may stand where. References between its parts are checked in `load`.

Names are lower-case kebab. A name with one range, `slot-{01..40}`, stands for that many assets; `{}` in the title is
then the number.
"""

import datetime
import re
from collections.abc import Iterator
from typing import Annotated, Literal, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, NonNegativeFloat, PositiveFloat, PositiveInt

from twin.plant.alarm import Priority
from twin.plant.calendar import Hours
from twin.plant.elements import Element, StopReason
from twin.plant.packml import PackMlState
from twin.plant.tree import Category, Kind, OperationMode
from twin.plant.work import Work
from twin.settings import Settings

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_HOURS = re.compile(r"(\d\d):(\d\d)\s*-\s*(\d\d):(\d\d)")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def expand(name: str, title: str | None) -> Iterator[tuple[str, str]]:
    """Each (name, title) that a possibly ranged name stands for."""
    match = _RANGE.search(name)
    if match is None:
        yield name, title or name.replace("-", " ").capitalize()
        return
    first, last = match.groups()
    for number in range(int(first), int(last) + 1):
        digits = str(number).zfill(len(first))
        one = name[: match.start()] + digits + name[match.end() :]
        yield one, title.replace("{}", digits) if title else one.replace("-", " ").capitalize()


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("must be lower-case words joined by hyphens")
    return text


def _ranged_name(text: str) -> str:
    match = _RANGE.search(text)
    if match and int(match.group(1)) > int(match.group(2)):
        raise ValueError("must count upwards in its {first..last}")
    _name(_RANGE.sub("0", text, count=1))
    return text


def _timezone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("must be an IANA time zone such as Europe/Berlin") from error
    return text


def _hours(text: object) -> Hours:
    match = _HOURS.fullmatch(text) if isinstance(text, str) else None
    if match:
        hour, minute, end_hour, end_minute = (int(part) for part in match.groups())
        if minute < 60 and end_minute < 60 and hour < 24 and end_hour * 60 + end_minute <= 1440:
            return Hours(hour * 60 + minute, end_hour * 60 + end_minute)
    raise ValueError('must be local wall time such as "06:00-14:00"')


def _days(words: object) -> frozenset[int]:
    given = cast("list[object]", words) if isinstance(words, list) else [words]
    if given == ["daily"]:
        return frozenset(range(7))
    try:
        return frozenset(_WEEKDAYS.index(str(word)) for word in given)
    except ValueError as error:
        raise ValueError(f"must be daily or a list of {', '.join(_WEEKDAYS)}") from error


def _range(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] >= bounds[1]:
        raise ValueError("must be [low, high] with low below high")
    return bounds


def _limit(value: object) -> object:
    return {"limit": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


Name = Annotated[str, AfterValidator(_name)]
RangedName = Annotated[str, AfterValidator(_ranged_name)]
HoursText = Annotated[Hours, BeforeValidator(_hours)]
Days = Annotated[frozenset[int], BeforeValidator(_days)]
Bounds = Annotated[tuple[float, float], AfterValidator(_range)]


class ShiftText(Settings):
    """A shift: when it starts and ends, and on which days it starts."""

    hours: HoursText  # "22:00-06:00", local wall time; it may end on the next day
    days: Days = frozenset(range(7))  # on which it begins: [mon, tue] or daily


class StopText(Settings):
    """A planned stop, weekly (`days`) or once (`date`)."""

    hours: HoursText  # local wall time
    days: Days = frozenset()  # weekly: [mon, tue] or daily
    date: datetime.date | None = None  # or once


class CalendarText(Settings):
    """Shifts by name, holidays, planned stops by title."""

    timezone: Annotated[str, AfterValidator(_timezone)]  # IANA, such as Europe/Berlin
    shifts: dict[Name, ShiftText] = Field(min_length=1)
    holidays: dict[datetime.date, str] = Field(
        default_factory=dict[datetime.date, str]
    )  # no shift begins on these days
    planned_stops: dict[str, StopText] = Field(default_factory=dict[str, StopText])


class StateText(Settings):
    """A state's name and, for machine states, its OPC 40001-1 category or its PackML state."""

    name: Name
    category: Category | None = None
    packml: PackMlState | None = None
    mode: OperationMode | None = None  # of the machine while it is in the state
    reason: StopReason | None = None  # why it stands still, for the time elements
    element: Element | None = None  # the time element (ISO 22400), where category and reason do not say it


class AlarmText(Settings):
    """An alarm of a signal, or what an heir changes of it; a bare number is its limit."""

    limit: float | None = None  # in the signal's unit
    deadband: NonNegativeFloat | None = None  # it clears this far inside the limit
    after_s: PositiveFloat | None = None  # stale: no sample for so long
    on_delay_s: NonNegativeFloat | None = None  # the condition must hold for so long
    off_delay_s: NonNegativeFloat | None = None  # … and be gone for so long
    re_alarm_s: PositiveFloat | None = None  # told anew when it stands unattended for so long
    priority: Priority | None = None
    latch: bool | None = None  # stays until somebody has acknowledged it
    confirm: bool | None = None  # needs a confirmation after the acknowledgement
    parent: str | None = None  # while that alarm is active, this one is suppressed
    title: str | None = None


StretchDetector = Literal["sub-pca", "codebook", "left-profile"]
AlarmName = Literal["lo-lo", "lo", "hi", "hi-hi", "stale"]
AlarmTexts = dict[AlarmName, Annotated[AlarmText | None, BeforeValidator(_limit)]]


class SignalText(Settings):
    """A signal, or what a heir changes of it; every key may come from a type further up."""

    title: str | None = None
    kind: Kind | None = None  # what its values are
    unit: str | None = None
    range: Bounds | None = None  # [low, high]; outside is a finding
    resolution: PositiveFloat | None = None  # smallest step of the sensor; without it nothing is ever flat
    seasonal: bool | None = None  # judged against the hour of the local week
    role: str | None = None  # what it is for its unit: state, good, scrap, order, …
    period_s: PositiveFloat | None = None  # usual time between two samples
    stale_after_s: PositiveFloat | None = None  # older than this it is shown as old
    states: str | None = None  # name of the table of its codes, under states
    parts_per_count: PositiveInt | None = None  # cavities: parts that one count stands for
    alarms: AlarmTexts | None = None  # null takes away what a type further up has
    detectors: list[StretchDetector] | None = None  # null = by trial


class TypeText(Settings):
    """A type of unit."""

    title: str | None = None
    extends: str | None = None  # the type that it adds to and overrides
    ideal_cycle_s: PositiveFloat | None = None  # per part, at full speed
    microstop_s: NonNegativeFloat | None = None  # a shorter stop counts as lost speed
    signals: dict[Name, SignalText] = Field(default_factory=dict[Name, SignalText])
    work: Work | None = None  # how the simulator sees it (what-if)


class UnitText(Settings):
    """A unit, or a range of equal ones."""

    type: str  # under types
    title: str | None = None
    calendar: str | None = None  # instead of the calendar further up
    capacity: PositiveInt | None = None  # of a buffer: places
    ideal_cycle_s: PositiveFloat | None = None  # per part, at full speed
    microstop_s: NonNegativeFloat | None = None  # a shorter stop counts as lost speed
    signals: dict[Name, SignalText] = Field(default_factory=dict[Name, SignalText])
    work: Work | None = None  # how the simulator sees it (what-if)


class LineText(Settings):
    """A line of units."""

    title: str | None = None
    calendar: str | None = None  # instead of the calendar further up
    units: dict[RangedName, UnitText]


class AreaText(Settings):
    """An area: lines, or units directly."""

    title: str | None = None
    calendar: str | None = None  # instead of the calendar further up
    alarms_per_day: Annotated[float, Field(gt=0, le=1000)] = 10.0  # the budget of its detectors
    lines: dict[Name, LineText] = Field(default_factory=dict[Name, LineText])
    units: dict[RangedName, UnitText] = Field(default_factory=dict[RangedName, UnitText])


class SiteText(Settings):
    """A site."""

    title: str | None = None
    calendar: str
    areas: dict[Name, AreaText]


def _paths(value: object) -> object:
    return [value] if isinstance(value, str) else value


class LinkText(Settings):
    """What every unit of `source` finishes goes to every unit of `target`, through the buffer."""

    source: Annotated[list[str], BeforeValidator(_paths), Field(min_length=1, alias="from")]
    target: Annotated[list[str], BeforeValidator(_paths), Field(min_length=1, alias="to")]
    buffer: str | None = None  # path of the buffer between them; none: handed over directly
    share: Annotated[float, Field(gt=0, le=1)] | None = None  # of what the source finishes


class PlantText(Settings):
    """The whole file."""

    format: Literal[1]
    enterprise: Name
    title: str
    calendars: dict[Name, CalendarText]
    states: dict[Name, dict[int, StateText]] = Field(default_factory=dict[Name, dict[int, StateText]])
    types: dict[Name, TypeText] = Field(default_factory=dict[Name, TypeText])
    sites: dict[Name, SiteText] = Field(min_length=1)
    crews: dict[Name, PositiveInt] = Field(default_factory=dict[Name, PositiveInt])
    flow: list[LinkText] = Field(default_factory=list[LinkText])
