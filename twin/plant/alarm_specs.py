"""Merged `alarms:` of one signal → `AlarmSpec`s, with the defaults filled in; and what is wrong with them (pure).

In: the signal as the types and the unit give it. Out: specs for the model, or problems as (alarm, key, message).
"""

from collections.abc import Iterator
from itertools import pairwise

from twin.plant.alarm import (
    ALARM_NAMES,
    DEADBAND_SHARE,
    OFF_DELAY_S,
    ON_DELAY_S,
    OUTER,
    PRIORITIES,
    STALE,
    AlarmSpec,
)
from twin.plant.document import AlarmText, SignalText
from twin.plant.tree import Kind

AlarmProblem = tuple[str, str | None, str]  # alarm, its key or None, what is wrong and what to do

_LIMIT_KEYS = ("limit", "deadband")


def alarm_specs(unit: str, signal: str, text: SignalText) -> tuple[AlarmSpec, ...]:
    """The alarms of the signal `unit`/`signal`, from the lowest limit to the highest, silence last."""
    given = _given(text)
    return tuple(_spec(unit, signal, name, given, text) for name in ALARM_NAMES if name in given)


def alarm_problems(text: SignalText) -> Iterator[AlarmProblem]:
    """Everything that is wrong within one signal; whether a parent exists is asked elsewhere."""
    given = _given(text)
    for name, alarm in given.items():
        if name == STALE:
            yield from _stale_problems(name, alarm, text)
        else:
            yield from _limit_problems(name, alarm, text)
    limits = [(name, alarm.limit) for name in ALARM_NAMES if (alarm := given.get(name)) and alarm.limit is not None]
    for (lower, below), (upper, above) in pairwise(limits):
        if below >= above:
            yield upper, "limit", f"{above:g} is not above the {lower} limit {below:g}; correct one of the two"


def _given(text: SignalText) -> dict[str, AlarmText]:
    return {name: alarm for name, alarm in (text.alarms or {}).items() if alarm is not None}


def _stale_problems(name: str, alarm: AlarmText, text: SignalText) -> Iterator[AlarmProblem]:
    for key in _LIMIT_KEYS:
        if getattr(alarm, key) is not None:
            yield name, key, "a stale alarm has no such key; remove it"
    if text.kind is Kind.TEXT:
        yield name, None, "silence of a text raises no alarm; put it on a measurement, counter or state of the unit"


def _limit_problems(name: str, alarm: AlarmText, text: SignalText) -> Iterator[AlarmProblem]:
    if text.kind is not Kind.MEASUREMENT:
        yield name, None, f"a {text.kind} has no limits; remove the alarm or use kind: measurement"
        return
    if alarm.after_s is not None:
        yield name, "after_s", "only a stale alarm has this key; use on_delay_s"
    if alarm.limit is None:
        yield name, None, "limit is missing; add limit: <number in the signal's unit>"
    elif text.range and not text.range[0] <= alarm.limit <= text.range[1]:
        low, high = text.range
        yield name, "limit", f"{alarm.limit:g} lies outside the range [{low:g}, {high:g}]; correct one of the two"


def _spec(unit: str, signal: str, name: str, given: dict[str, AlarmText], text: SignalText) -> AlarmSpec:
    alarm = given[name]
    outer = OUTER.get(name)
    parent = f"{unit}/{alarm.parent}" if alarm.parent else f"{unit}/{signal}.{outer}" if outer in given else None
    return AlarmSpec(
        name=name,
        priority=alarm.priority or PRIORITIES[name],
        limit=alarm.limit,
        deadband=_deadband(alarm, text) if name != STALE else 0.0,
        after_s=alarm.after_s,
        on_delay_s=_or(alarm.on_delay_s, 0.0 if name == STALE else ON_DELAY_S),
        off_delay_s=_or(alarm.off_delay_s, 0.0 if name == STALE else OFF_DELAY_S),
        re_alarm_s=alarm.re_alarm_s,
        latch=alarm.latch or False,
        confirm=alarm.confirm or False,
        parent=parent,
        title=alarm.title,
    )


def _deadband(alarm: AlarmText, text: SignalText) -> float:
    if alarm.deadband is not None:
        return alarm.deadband
    return DEADBAND_SHARE * (text.range[1] - text.range[0]) if text.range else 0.0


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
