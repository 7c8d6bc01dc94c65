"""What the shapes alone cannot say: names that point nowhere, units that are none, roles on the wrong kind.

In: the document and its shapes. Out: problems, each ``file:line: key: what is wrong; what to do``.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import NamedTuple

from twin.plant.alarm_specs import alarm_problems
from twin.plant.document import CalendarText, PlantText, ShiftText, SignalText, UnitText
from twin.plant.inherit import cycles, lineage, merged_signals
from twin.plant.tree import ROLES, Kind
from twin.plant.units import is_unit
from twin.plant.walk import Place, links, walk
from twin.settings import Document, Key

Problem = tuple[tuple[Key, ...], str]

_WEEK_MIN = 7 * 1440


def problems(document: Document, text: PlantText) -> list[str]:
    """Everything that is wrong, in the order of the file, each once."""
    places = list(walk(text))
    found: list[Problem] = [
        *_types(text),
        *_calendars(text),
        *_places(text, places),
        *_flow(text, places),
        *_work(text, places),
    ]
    unique = dict.fromkeys(found)
    return [document.problem(keys, message) for keys, message in sorted(unique, key=lambda one: document.line(one[0]))]


def _types(text: PlantText) -> Iterator[Problem]:
    for name, one in text.types.items():
        if one.extends is not None and one.extends not in text.types:
            yield ("types", name, "extends"), f"there is no type {one.extends!r}; name one of {_some(text.types)}"
        yield from _signals_alone(text, ("types", name), one.signals)
    for name in cycles(text):
        chain = " → ".join([*lineage(text, name), name])
        yield ("types", name, "extends"), f"the type is its own ancestor ({chain}); break the cycle"


def _signals_alone(text: PlantText, keys: tuple[Key, ...], signals: Mapping[str, SignalText]) -> Iterator[Problem]:
    """What can be judged without the inherited part."""
    for name, signal in signals.items():
        here = (*keys, "signals", name)
        if signal.unit is not None and not is_unit(signal.unit):
            yield (*here, "unit"), f"{signal.unit!r} is no unit of measurement; write it as in mm/s, °C, 1/min, kW"
        if signal.role is not None and signal.role not in ROLES:
            yield (*here, "role"), f"there is no role {signal.role!r}; name one of {_some(ROLES)}"
        if signal.states is not None and signal.states not in text.states:
            yield (*here, "states"), f"there are no states {signal.states!r}; name one of {_some(text.states)}"


def _calendars(text: PlantText) -> Iterator[Problem]:
    for name, calendar in text.calendars.items():
        keys = ("calendars", name)
        for title, stop in calendar.planned_stops.items():
            if bool(stop.days) == bool(stop.date):
                yield (*keys, "planned_stops", title), "a stop needs either days or a date; give one of the two"
        yield from _overlaps(keys, calendar)


def _overlaps(keys: tuple[Key, ...], calendar: CalendarText) -> Iterator[Problem]:
    for (one, first), (two, second) in combinations(calendar.shifts.items(), 2):
        if _overlap(first, second):
            yield (*keys, "shifts", two), f"overlaps with shift {one!r}; let one end before the other starts"
    for one, shift in calendar.shifts.items():
        if shift.hours.length_min > 1440:
            yield (*keys, "shifts", one), "is longer than a day; split it"


def _overlap(first: ShiftText, second: ShiftText) -> bool:
    def spans(shift: ShiftText) -> list[tuple[int, int]]:
        starts = [day * 1440 + shift.hours.start_min for day in shift.days]
        return [(start, start + shift.hours.length_min) for start in starts]

    return any(
        start + week < end2 and start2 < end + week
        for start, end in spans(first)
        for start2, end2 in spans(second)
        for week in (-_WEEK_MIN, 0, _WEEK_MIN)
    )


def _places(text: PlantText, places: list[Place]) -> Iterator[Problem]:
    seen: dict[str, tuple[str, ...]] = {}
    for place in places:
        path = place.asset.path
        if path in seen:
            yield place.keys, f"there is already an asset {path!r} ({'.'.join(seen[path])}); rename one of the two"
        seen[path] = place.keys
        if place.asset.calendar not in text.calendars:
            known = _some(text.calendars)
            yield (*place.keys, "calendar"), f"there is no calendar {place.asset.calendar!r}; name one of {known}"
        if place.unit is None:
            continue
        if place.unit.type not in text.types:
            yield (*place.keys, "type"), f"there is no type {place.unit.type!r}; name one of {_some(text.types)}"
        yield from _signals_alone(text, place.keys, place.unit.signals)
        yield from _signals_merged(_Unit(text, place.keys, place.unit))


class _Unit(NamedTuple):
    text: PlantText
    keys: tuple[str, ...]
    unit: UnitText

    def origin(self, name: str, key: str | None) -> tuple[Key, ...]:
        """Where a signal, or one key of it, was written: in the unit or in the nearest type that has it."""
        for keys, signals in self._layers():
            if name in signals and (key is None or key in signals[name].model_fields_set):
                return (*keys, "signals", name) if key is None else (*keys, "signals", name, key)
        return self.keys

    def alarm_origin(self, name: str, alarm: str, key: str | None) -> tuple[Key, ...]:
        """The same for an alarm of a signal; without the key, the nearest place that gives the alarm."""
        places: list[tuple[Key, ...]] = []
        for keys, signals in self._layers():
            alarms = signals[name].alarms if name in signals else None
            for one, given in (alarms or {}).items():
                if one == alarm and given is not None:
                    here = (*keys, "signals", name, "alarms", alarm)
                    if key in given.model_fields_set:
                        return (*here, key or "")
                    places.append(here)
        return places[0] if places else self.origin(name, "alarms")

    def _layers(self) -> list[tuple[tuple[Key, ...], Mapping[str, SignalText]]]:
        own: list[tuple[tuple[Key, ...], Mapping[str, SignalText]]] = [(self.keys, self.unit.signals)]
        return own + [(("types", one), self.text.types[one].signals) for one in lineage(self.text, self.unit.type)]


def _signals_merged(unit: _Unit) -> Iterator[Problem]:
    merged = merged_signals(unit.text, unit.unit.type, unit.unit.signals)
    for name, signal in merged.items():
        if signal.kind is None:
            yield unit.origin(name, None), "kind is missing; add kind: measurement, counter, state or text"
            continue
        needed = ROLES.get(signal.role or "")
        if needed is not None and needed is not signal.kind:
            where = unit.origin(name, "role")
            yield where, f"role {signal.role!r} needs kind {needed}, not {signal.kind}; change one of the two"
        yield from _states(unit, name, signal)
        yield from _alarms(unit, name, merged)
        if signal.kind is Kind.TEXT:
            for key in sorted({"unit", "range", "resolution"} & signal.model_fields_set):
                yield unit.origin(name, key), "a text has no such key; remove it or change the kind"


def _alarms(unit: _Unit, name: str, merged: Mapping[str, SignalText]) -> Iterator[Problem]:
    for alarm, key, message in alarm_problems(merged[name]):
        yield unit.alarm_origin(name, alarm, key), message
    known = {
        f"{one}.{alarm}" for one, signal in merged.items() for alarm, given in (signal.alarms or {}).items() if given
    }
    for alarm, given in (merged[name].alarms or {}).items():
        if given is None or given.parent is None:
            continue
        where = unit.alarm_origin(name, alarm, "parent")
        if given.parent not in known:
            yield where, f"there is no alarm {given.parent!r} in this unit; name one of {_some(known)}"
        elif given.parent == f"{name}.{alarm}":
            yield where, "an alarm cannot be its own parent; name another one or remove it"


def _states(unit: _Unit, name: str, signal: SignalText) -> Iterator[Problem]:
    if signal.kind is not Kind.STATE:
        if signal.states is not None:
            yield unit.origin(name, "states"), f"a {signal.kind} has no states; remove them or use kind: state"
    elif signal.states is None:
        yield unit.origin(name, "kind"), "a state needs its codes; add states: <name of a set under states>"
    elif signal.role == "machine-state":
        for code, state in unit.text.states.get(signal.states, {}).items():
            if state.category is None and state.packml is None:
                message = "a machine state needs an OPC 40001-1 category; add category: Executing or another, or packml"
                yield ("states", signal.states, code), message


def _flow(text: PlantText, places: list[Place]) -> Iterator[Problem]:
    units = {place.asset.path: place.unit for place in places if place.unit}
    seen: set[tuple[str, str]] = set()
    for index, group in enumerate(text.flow):
        keys = ("flow", index)
        for link in links(group):
            for key, path in (("from", link.source), ("to", link.target)):
                if path not in units:
                    yield (*keys, key), f"there is no unit {path!r}; add it under sites or correct the path"
            if link.source == link.target:
                yield (*keys, "to"), f"{link.source!r} feeds itself; remove one end"
            elif (link.source, link.target) in seen:
                yield keys, f"{link.source!r} already feeds {link.target!r}; remove the second link"
            seen.add((link.source, link.target))
        if group.buffer is None:
            continue
        if group.buffer not in units:
            yield (*keys, "buffer"), f"there is no unit {group.buffer!r}; add it under sites or correct the path"
        elif units[group.buffer].capacity is None:
            yield (*keys, "buffer"), f"{group.buffer!r} has no capacity; add capacity: <number> to that unit"


def _work(text: PlantText, places: list[Place]) -> Iterator[Problem]:
    capacities = {place.asset.path: place.unit.capacity for place in places if place.unit}
    givers = [(("types", name, "work"), one.work) for name, one in text.types.items()]
    givers += [((*place.keys, "work"), place.unit.work) for place in places if place.unit]
    for keys, work in givers:
        if work is None:
            continue
        if work.failures and work.failures.crew is not None and work.failures.crew not in text.crews:
            message = f"there is no crew {work.failures.crew!r}; name one of {_some(text.crews)}"
            yield (*keys, "failures", "crew"), message
        if work.rework and not capacities.get(work.rework.to):
            yield (*keys, "rework", "to"), f"there is no buffer {work.rework.to!r}; name a unit with a capacity"
        if work.scrap + (work.rework.share if work.rework else 0.0) >= 1.0:
            yield (*keys, "scrap"), "scrap and rework together leave nothing good; lower one of the two"


def _some(names: Iterable[str]) -> str:
    shown = sorted(names)
    return ", ".join(shown[:12]) + (" …" if len(shown) > 12 else "") or "none (the file has none)"
