"""Frames of every asset from committed batches. In: `SampleBatch`. Out: runs of frames per asset, in their order.

Pure: no clock. The same batches give the same frames, bit for bit; so does any split of samples in order of time.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.kernels.frames import TOLD, FramePlan, FrameState, assemble, new_state
from twin.plant.tree import Asset, Kind, Plant, Signal
from twin.samples import SampleBatch
from twin.wire.reading import Quality

NO_STATE = -1
"""The regime of an asset without a machine state."""

UNKNOWN_STATE = -2
"""The regime while the machine state is not known; nothing is judged."""

SETTLE_FRAMES = 10
"""After a change of regime or a gap; they are neither judged nor learnt from."""

LEAST_SIGNALS = 2
"""Fewer measurements cannot be compared with each other."""
_HOLD_LEAST_S, _HOLD_PERIODS = 30.0, 10.0  # more silence than this breaks a series, as in `twin.monitor.plan`
_SLOW_S = 2.0  # assets whose signals come more slowly get frames of ten seconds
_ROOM = 1 << 14  # frames at once


@dataclass(frozen=True, slots=True)
class Framed:
    """An asset that has frames: it measures something."""

    asset: str  # path
    signals: tuple[str, ...]  # paths of its measurements, the order of a row
    frame_s: float
    has_state: bool


@dataclass(frozen=True, slots=True)
class Run:
    """Frames of one asset in slots one after the other, in one regime."""

    asset: str  # path
    regime: int
    slot: int  # of the first
    rows: NDArray[np.float64]  # [n, P] in the signals' units, NaN = unknown


def framed(plant: Plant) -> list[Framed]:
    """The assets of this plant that have frames."""
    found: list[Framed] = []
    for asset in plant.assets:
        measured = [plant.signal(path) for path in asset.signals if plant.signal(path).kind == Kind.MEASUREMENT]
        used = [one for one in measured if one.role is None]
        if used:
            slow = float(np.median([one.period_s for one in used])) > _SLOW_S
            paths = tuple(one.path for one in used)
            found.append(Framed(asset.path, paths, 10.0 if slow else 1.0, _state_of(plant, asset) is not None))
    return found


class Frames:
    """Samples in, runs of frames out."""

    def __init__(self, plant: Plant, signal_ids: Mapping[str, int]) -> None:
        self.assets: list[Framed] = framed(plant)
        self._plan = _frame_plan(plant, signal_ids, self.assets)
        self.state: FrameState = new_state(len(self.assets), len(self._plan.hold_ns))
        self._told = np.zeros(_ROOM, TOLD)
        self._values = np.zeros(_ROOM * 16)

    def push(self, batch: SampleBatch) -> Iterator[Run]:
        """The frames that this batch completes; its samples are taken in the order of their source time."""
        order = np.argsort(batch.time, kind="stable")  # a batch comes sorted by signal, and may span minutes
        bad = (batch.quality & Quality.SEVERITY) == Quality.BAD
        columns = (
            batch.signal[order].astype(np.int32),
            batch.time[order].astype(np.int64),
            batch.value[order].astype(np.float64),
            bad[order],
        )
        begin = 0
        while begin < len(batch):
            begin, used = assemble(*columns, begin, self._plan, self.state, self._told, self._values)
            yield from self._runs(self._told[:used])

    def _runs(self, told: NDArray[np.void]) -> Iterator[Run]:
        owners: NDArray[np.int64] = told["asset"]
        for number in np.unique(owners):
            asset = self.assets[int(number)]
            mine = told[owners == number]
            size = len(asset.signals) + 1
            rows = self._values[mine["row"][:, None] + np.arange(size)]
            regimes = _regimes(rows[:, -1], asset.has_state)
            slots = mine["slot"]
            cuts = np.flatnonzero((np.diff(slots) != 1) | (np.diff(regimes) != 0)) + 1
            for part in np.split(np.arange(len(mine)), cuts):
                yield Run(asset.asset, int(regimes[part[0]]), int(slots[part[0]]), rows[part, :-1])


def _regimes(codes: NDArray[np.float64], has_state: bool) -> NDArray[np.int64]:
    if not has_state:
        return np.full(len(codes), NO_STATE, np.int64)
    return np.where(np.isfinite(codes), codes, UNKNOWN_STATE).astype(np.int64)


def _state_of(plant: Plant, asset: Asset) -> Signal | None:
    signals = (plant.signal(path) for path in asset.signals)
    return next((one for one in signals if one.role == "machine-state"), None)


def _frame_plan(plant: Plant, signal_ids: Mapping[str, int], assets: list[Framed]) -> FramePlan:
    size = max(signal_ids.values(), default=-1) + 1
    place, owner = np.full(size, -1, np.int64), np.zeros(size, np.int64)
    start, hold_ns = [0], list[int]()
    for number, one in enumerate(assets):
        state = _state_of(plant, plant.asset(one.asset))
        for path in [*one.signals, state.path if state else ""]:
            if path in signal_ids:
                place[signal_ids[path]], owner[signal_ids[path]] = len(hold_ns), number
            hold_ns.append(round(_hold_s(plant.signal(path), one.frame_s) * 1e9) if path else 0)
        start.append(len(hold_ns))
    frame_ns = np.array([round(one.frame_s * 1e9) for one in assets], np.int64)
    return FramePlan(place, owner, np.array(start, np.int64), frame_ns, np.array(hold_ns, np.int64))


def _hold_s(signal: Signal, frame_s: float) -> float:
    return max(_HOLD_LEAST_S, _HOLD_PERIODS * signal.period_s, 3.0 * frame_s)
