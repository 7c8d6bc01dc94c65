"""The plant as the kernels see it: one configuration record per signal id, members per asset, counters' slots.

In: plant model and the store's signal ids. Out: arrays. Nothing of it is state; it is made anew at every start.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.kernels.layout import CONFIG, COUNTER, MEASUREMENT, STATE, TEXT
from twin.plant.calendar import Calendar
from twin.plant.tree import Kind, Plant, Signal

_KINDS = {Kind.MEASUREMENT: MEASUREMENT, Kind.COUNTER: COUNTER, Kind.STATE: STATE, Kind.TEXT: TEXT}
GAP_MIN_S = 30.0
GAP_PERIODS = 10.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Arrays for `twin.kernels.entry.events`, and the look-ups of the fold."""

    config: NDArray[np.void]  # [S] CONFIG
    members: NDArray[np.int32]
    member_start: NDArray[np.int32]  # [assets + 1]
    counters: NDArray[np.int32]  # [slots] signal ids
    calendars: tuple[Calendar, ...]
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
    calendars = {name: number for number, name in enumerate(plant.calendars)}
    counters = sorted(number for number, signal in signals.items() if signal.kind == Kind.COUNTER)
    slots = {number: slot for slot, number in enumerate(counters)}
    config = np.zeros(max(signals, default=-1) + 1, CONFIG)
    measured: list[list[int]] = [[] for _ in assets]
    for number, signal in sorted(signals.items()):
        asset, row = assets[signal.asset], config[number]
        row["low"] = -np.inf if signal.low is None else signal.low
        row["high"] = np.inf if signal.high is None else signal.high
        row["gap_s"] = gap_s = max(GAP_MIN_S, GAP_PERIODS * signal.period_s)
        row["gap_ns"] = round(gap_s * 1e9)
        row["asset"], row["slot"] = asset, slots.get(number, -1)
        row["calendar"] = calendars[plant.asset(signal.asset).calendar]
        row["kind"] = _KINDS[signal.kind]
        row["machine_state"] = signal.role == "machine-state"
        if signal.kind == Kind.MEASUREMENT:
            measured[asset].append(number)
    return Plan(
        config=config,
        members=np.array([number for numbers in measured for number in numbers], np.int32),
        member_start=np.cumsum([0, *map(len, measured)], dtype=np.int32),
        counters=np.array(counters, np.int32),
        calendars=tuple(plant.calendars.values()),
        signals=signals,
        slots=slots,
    )
