"""`configs/plant.yaml` → `Plant`. Every problem of the file at once, each with file, line, key and what to do."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from twin.errors import ConfigError
from twin.plant.alarm import STALE
from twin.plant.alarm_specs import alarm_specs
from twin.plant.calendar import Calendar, PlannedStop, ShiftPattern
from twin.plant.check import problems
from twin.plant.document import CalendarText, PlantText, SignalText, StateText, UnitText
from twin.plant.flow import Buffer
from twin.plant.inherit import merged_signals, merged_work, nearest
from twin.plant.packml import MEANINGS
from twin.plant.tree import MICROSTOP_S, Asset, Kind, MachineState, Plant, Signal
from twin.plant.walk import links, walk
from twin.plant.work import Work
from twin.settings import Document

_DEFAULT_PERIOD_S = 1.0
_STALE_PERIODS = 5.0  # without stale_after_s a signal is stale after this many periods
_STALE_ALARM = 2.0  # without after_s a stale alarm waits so many times as long


def load_plant(path: Path) -> Plant:
    """Read and check the plant model.

    Raises:
        ConfigError: with every problem that was found.
    """
    document = Document(path)
    text = document.model(PlantText)
    found = list(problems(document, text))
    if found:
        raise ConfigError(found)
    return compile_plant(text, revision(document.data))


def revision(data: object) -> str:
    """The content's fingerprint, 16 hex digits."""
    canonical = json.dumps(data, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def compile_plant(text: PlantText, fingerprint: str) -> Plant:
    """The checked document as frozen models."""
    assets: list[Asset] = []
    signals: list[Signal] = []
    buffers: dict[str, Buffer] = {}
    work: dict[str, Work] = {}
    for place in walk(text):
        asset, unit = place.asset, place.unit
        merged = merged_signals(text, unit.type, unit.signals) if unit else {}
        own = [_signal(text, asset.path, name, signal) for name, signal in merged.items()]
        assets.append(_asset(text, asset, unit, own))
        signals += own
        if unit and (works := merged_work(text, unit)):
            work[asset.path] = works
        if unit and unit.capacity:
            buffers[asset.path] = Buffer(asset.path, unit.capacity)
    return Plant(
        enterprise=text.enterprise,
        title=text.title,
        revision=fingerprint,
        assets=tuple(assets),
        signals=tuple(signals),
        flow=tuple(link for group in text.flow for link in links(group)),
        buffers=buffers,
        work=work,
        crews=text.crews,
        calendars={name: _calendar(name, one) for name, one in text.calendars.items()},
    )


def _asset(text: PlantText, asset: Asset, unit: UnitText | None, own: list[Signal]) -> Asset:
    if unit is None:
        return asset
    microstop_s = nearest(text, unit, "microstop_s")
    return replace(
        asset,
        signals=tuple(signal.path for signal in own),
        ideal_cycle_s=nearest(text, unit, "ideal_cycle_s"),
        microstop_s=MICROSTOP_S if microstop_s is None else microstop_s,
    )


def _signal(text: PlantText, asset: str, name: str, signal: SignalText) -> Signal:
    low, high = signal.range or (None, None)
    period_s = signal.period_s or _DEFAULT_PERIOD_S
    stale_after_s = signal.stale_after_s or _STALE_PERIODS * period_s
    states = text.states[signal.states] if signal.states else {}
    return Signal(
        path=f"{asset}/{name}",
        asset=asset,
        name=name,
        title=signal.title or name.replace("-", " ").capitalize(),
        kind=signal.kind or Kind.MEASUREMENT,
        unit=signal.unit or "",
        low=low,
        high=high,
        role=signal.role,
        period_s=period_s,
        stale_after_s=stale_after_s,
        states={code: _state(one) for code, one in states.items()},
        resolution=signal.resolution,
        seasonal=bool(signal.seasonal),
        alarms=tuple(
            replace(alarm, after_s=alarm.after_s or _STALE_ALARM * stale_after_s) if alarm.name == STALE else alarm
            for alarm in alarm_specs(asset, name, signal)
        ),
        parts_per_count=signal.parts_per_count or 1,
        detectors=None if signal.detectors is None else tuple(dict.fromkeys(signal.detectors)),
    )


def _state(text: StateText) -> MachineState:
    """What the file says itself stands above what its PackML state says."""
    category, reason = MEANINGS[text.packml] if text.packml else ("", "")
    return MachineState(
        text.name, text.category or category, text.mode or "", text.reason or reason, text.element or ""
    )


def _calendar(name: str, text: CalendarText) -> Calendar:
    return Calendar(
        name=name,
        timezone=text.timezone,
        patterns=tuple(ShiftPattern(one, shift.hours, shift.days) for one, shift in text.shifts.items()),
        holidays=frozenset(text.holidays),
        stops=tuple(PlannedStop(title, stop.hours, stop.days, stop.date) for title, stop in text.planned_stops.items()),
    )
