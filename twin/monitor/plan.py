"""The plant as the kernels see it: one configuration record per signal id, members per asset, counters' slots.

In: plant model and the store's signal ids. Out: arrays. Nothing of it is state; it is made anew at every start.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.detect.calibrate import budget_level
from twin.kernels.layout import CONFIG, COUNTER, MEASUREMENT, REGIMES, SCORED, STATE, TEXT
from twin.kernels.sample import SPEED_CHOOSES, STATE_CHOOSES
from twin.plant.calendar import Calendar
from twin.plant.tree import Category, Kind, Plant, Signal

_KINDS = {Kind.MEASUREMENT: MEASUREMENT, Kind.COUNTER: COUNTER, Kind.STATE: STATE, Kind.TEXT: TEXT}
GAP_MIN_S = 30.0
GAP_PERIODS = 10.0
_CANDIDATES = 100.0  # times the budget begin as episodes in the kernel; which of them are told is decided by the fold
_CANDIDATE_MOST = 0.02  # p-value of a block
_CODES = 63
_PRODUCT = "program"  # orders are no regimes: each is another one


@dataclass(frozen=True, slots=True)
class Plan:
    """Arrays for `twin.kernels.entry.events`, and the look-ups of the fold."""

    config: NDArray[np.void]  # [S] CONFIG
    members: NDArray[np.int32]
    member_start: NDArray[np.int32]  # [assets + 1]
    counters: NDArray[np.int32]  # [slots] signal ids
    calendars: tuple[Calendar, ...]
    executing: NDArray[np.int64]  # [assets] see `layout.Model`
    assets: tuple[str, ...]  # paths
    areas: NDArray[np.int32]  # [assets] place in `budgets`
    budgets: tuple[tuple[str, float, int], ...]  # area, alarms a day, assets in it that can alarm
    products: Mapping[int, int]  # id of a text signal that names the product → asset
    signals: Mapping[int, Signal]  # by id
    slots: Mapping[int, int]  # counter signal id → slot

    @property
    def size(self) -> int:
        """One more than the greatest signal id of the plant."""
        return len(self.config)


def make_plan(plant: Plant, signal_ids: Mapping[str, int]) -> Plan:
    """Signals of the plant that the store does not know yet are left out; they come with the next start."""
    signals = {signal_ids[signal.path]: signal for signal in plant.signals if signal.path in signal_ids}
    assets = {asset.path: number for number, asset in enumerate(plant.assets)}
    counters = sorted(number for number, signal in signals.items() if signal.kind == Kind.COUNTER)
    slots = {number: slot for slot, number in enumerate(counters)}
    measured: list[list[int]] = [[] for _ in assets]
    for number, signal in sorted(signals.items()):
        if signal.kind == Kind.MEASUREMENT:
            measured[assets[signal.asset]].append(number)
    areas, budgets = _areas(plant, [len(numbers) for numbers in measured])
    config = np.zeros(max(signals, default=-1) + 1, CONFIG)
    _describe(config, plant, signals, assets)
    config["slot"] = [slots.get(number, -1) for number in range(len(config))]
    config["regime_start"] = np.cumsum(config["regimes"]) - config["regimes"]
    config["season"] = np.where(config["season"] == 1, np.cumsum(config["season"] == 1) - 1, -1)
    for asset, numbers in enumerate(measured):
        _, alarms_per_day, units = budgets[int(areas[asset])]
        level = _CANDIDATES * budget_level(alarms_per_day, units) / (SCORED * max(len(numbers), 1))
        config["level"][numbers] = min(level, _CANDIDATE_MOST)
    return Plan(
        config=config,
        members=np.array([number for numbers in measured for number in numbers], np.int32),
        member_start=np.cumsum([0, *map(len, measured)], dtype=np.int32),
        counters=np.array(counters, np.int32),
        calendars=tuple(plant.calendars.values()),
        executing=np.array([_executing(plant, asset.signals) for asset in plant.assets], np.int64),
        assets=tuple(assets),
        areas=areas,
        budgets=budgets,
        products={number: assets[one.asset] for number, one in signals.items() if one.role == _PRODUCT},
        signals=signals,
        slots=slots,
    )


def _describe(config: NDArray[np.void], plant: Plant, signals: Mapping[int, Signal], assets: Mapping[str, int]) -> None:
    """Everything of the configuration that follows from one signal and its asset."""
    calendars = {name: number for number, name in enumerate(plant.calendars)}
    choosing = {one.asset for one in signals.values() if _chooses(one) or one.role == _PRODUCT}
    for number, signal in signals.items():
        row = config[number]
        row["low"] = -np.inf if signal.low is None else signal.low
        row["high"] = np.inf if signal.high is None else signal.high
        row["gap_s"] = gap_s = max(GAP_MIN_S, GAP_PERIODS * signal.period_s)
        row["gap_ns"] = round(gap_s * 1e9)
        row["asset"] = assets[signal.asset]
        row["calendar"] = calendars[plant.asset(signal.asset).calendar]
        row["kind"] = _KINDS[signal.kind]
        row["chooses"] = _chooses(signal)
        if signal.kind == Kind.MEASUREMENT:
            row["regimes"] = REGIMES if signal.asset in choosing else 1
            row["season"] = signal.seasonal


def _chooses(signal: Signal) -> int:
    """Whether the signal's value chooses the regime of its asset, and as what."""
    if signal.role == "machine-state":
        return STATE_CHOOSES
    bounded = signal.low is not None and signal.high is not None
    return SPEED_CHOOSES if signal.role == "speed-setpoint" and bounded else 0


def _executing(plant: Plant, paths: tuple[str, ...]) -> int:
    """Bit c: state code c of the asset's machine state means that it executes."""
    found = 0
    for signal in map(plant.signal, paths):
        if signal.role == "machine-state":
            for code, state in signal.states.items():
                if state.category == Category.EXECUTING and 0 <= code < _CODES:
                    found |= 1 << code
    return found


def _areas(plant: Plant, measured: list[int]) -> tuple[NDArray[np.int32], tuple[tuple[str, float, int], ...]]:
    """The area of each asset, and of each area its budget and how many of its assets measure something."""
    found = [plant.area_of(asset.path) for asset in plant.assets]
    names = list(dict.fromkeys(area.path for area in found))
    areas = np.array([names.index(area.path) for area in found], np.int32)
    units = np.bincount(areas, weights=np.minimum(measured, 1), minlength=len(names))
    budgets = tuple((name, plant.asset(name).alarms_per_day, int(units[at])) for at, name in enumerate(names))
    return areas, budgets
