"""Job `stretches`: each signal's clean history → the detectors of stretches that suit it, a version with the reasons.

In: frames of the last days. Out: a model per measurement: the detectors that the plant model asks for, else those that
made-up faults choose, else none, which is stored as well. Time stands still while the machine is in another state: a
signal is judged in the machine state in which it was seen longest.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.detect.frames import UNKNOWN_STATE, Framed, Frames
from twin.detect.stretches import KIND, SignalStretches, to_bytes
from twin.detect.stretches_fit import fit_stretches
from twin.errors import Rejected
from twin.learn.clean_frames import HISTORY_S, History, LearnStore, clean_history
from twin.learn.job import Job
from twin.plant.tree import Plant

LEAST_S = 3_600.0  # of clean frames in one machine state
Floats = NDArray[np.float64]


def fit_all_stretches(
    plant: Plant, signal_ids: Mapping[str, int], store: LearnStore, *, period_s: float = 86_400.0
) -> Job:
    """Once a day, all signals one after the other."""

    async def run(now_ns: int) -> str:
        span = (now_ns - round(HISTORY_S * 1e9), now_ns)
        judged, without, waiting = 0, 0, 0
        for framed in Frames(plant, signal_ids).assets:
            history = await clean_history(plant, signal_ids, store, framed, span)
            for fitted, report in await asyncio.to_thread(fit_asset_stretches, plant, framed, history):
                if fitted is None:
                    waiting += 1
                    continue
                version = await store.models.save(
                    KIND, fitted.signal, to_bytes(fitted), fitted_ns=now_ns, trained_ns=span, report=report
                )
                await store.models.promote(KIND, fitted.signal, version)
                judged, without = judged + bool(fitted.models), without + (not fitted.models)
        return f"{judged} signals have detectors, {without} none that is good enough, {waiting} too short a past"

    return Job("stretches", period_s, run)


def fit_asset_stretches(
    plant: Plant, framed: Framed, history: History
) -> list[tuple[SignalStretches | None, Mapping[str, Any]]]:
    """Each signal of the asset; None where there is too little history yet."""
    known = {code: parts for code, parts in history.segments.items() if code != UNKNOWN_STATE and parts}
    if not known:
        return [(None, {}) for _ in framed.signals]
    regime = max(sorted(known), key=lambda code: sum(map(len, known[code])))
    rows = np.vstack(known[regime])
    return [_fit(plant, framed, path, rows[:, at], regime) for at, path in enumerate(framed.signals)]


def _fit(
    plant: Plant, framed: Framed, path: str, column: Floats, regime: int
) -> tuple[SignalStretches | None, Mapping[str, Any]]:
    values = np.ascontiguousarray(column[np.isfinite(column)])
    asked = plant.signal(path).detectors
    if len(values) * framed.frame_s < LEAST_S or (asked is None and np.ptp(values) == 0.0):
        return None, {}
    try:
        return fit_stretches(path, values, frame_s=framed.frame_s, regime=regime, asked=asked)
    except Rejected:
        return None, {}
