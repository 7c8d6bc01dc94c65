"""Types with inheritance → the whole signals of one unit. In: `types` of the document. Out: merged `SignalText`s."""

from collections.abc import Iterator, Mapping
from typing import Literal

from twin.plant.document import AlarmName, AlarmText, AlarmTexts, PlantText, SignalText, UnitText
from twin.plant.work import Work


def lineage(text: PlantText, name: str) -> list[str]:
    """The type and its ancestors, nearest first; ends at an unknown ancestor or before a name comes again."""
    chain: list[str] = []
    step: str | None = name
    while step is not None and step in text.types and step not in chain:
        chain.append(step)
        step = text.types[step].extends
    return chain


def cycles(text: PlantText) -> Iterator[str]:
    """Each type that is its own ancestor."""
    for name in text.types:
        last = text.types[lineage(text, name)[-1]].extends
        if last == name:
            yield name


def merged_signals(text: PlantText, type_name: str, own: Mapping[str, SignalText]) -> dict[str, SignalText]:
    """The signals of a unit: the oldest ancestor's first, each key overridden by the nearest that gives it."""
    merged: dict[str, SignalText] = {}
    layers = [text.types[name].signals for name in reversed(lineage(text, type_name))]
    for layer in [*layers, own]:
        for name, signal in layer.items():
            merged[name] = _over(merged[name], signal) if name in merged else signal
    return merged


def _over(older: SignalText, newer: SignalText) -> SignalText:
    given = {key: getattr(newer, key) for key in newer.model_fields_set}
    if older.alarms and newer.alarms:
        given["alarms"] = _alarms_over(older.alarms, newer.alarms)
    return older.model_copy(update=given)


def _alarms_over(older: AlarmTexts, newer: AlarmTexts) -> AlarmTexts:
    """Alarm by alarm and key by key; an alarm that is null is taken away."""
    merged: dict[AlarmName, AlarmText | None] = dict(older)
    for name, alarm in newer.items():
        before = merged.get(name)
        if alarm is None or before is None:
            merged[name] = alarm
        else:
            merged[name] = before.model_copy(update={key: getattr(alarm, key) for key in alarm.model_fields_set})
    return merged


def nearest(text: PlantText, unit: UnitText, key: Literal["ideal_cycle_s", "microstop_s"]) -> float | None:
    """A figure of the unit, else of the nearest type that gives it."""
    givers = [unit, *(text.types[name] for name in lineage(text, unit.type))]
    return next((value for value in (getattr(giver, key) for giver in givers) if value is not None), None)


def merged_work(text: PlantText, unit: UnitText) -> Work | None:
    """How a unit works: key by key the nearest that gives it; None when nobody says anything."""
    layers = [unit.work, *(text.types[name].work for name in lineage(text, unit.type))]
    given = [one for one in layers if one is not None]
    if not given:
        return None
    return Work.model_validate({key: getattr(one, key) for one in reversed(given) for key in one.model_fields_set})
