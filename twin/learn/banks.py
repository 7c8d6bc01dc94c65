"""Job `banks`: each asset's clean history → its multi-scale bank, a new version that `twin run` takes up.

In: samples and findings of the last days. Out: a model per asset with at least one regime that was seen long enough.
Frames inside a finding, and those just after a change of machine state, are never learnt from.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.detect.frames import LEAST_SIGNALS, UNKNOWN_STATE, Framed, Frames
from twin.detect.multivariate import KIND, AssetBank, RegimeBank, to_bytes
from twin.detect.multivariate_fit import fit_bank
from twin.errors import Rejected
from twin.learn.clean_frames import HISTORY_S, History, LearnStore, clean_history
from twin.learn.job import Job
from twin.plant.tree import Plant

LEAST_FRAMES = 1_800
_MISSING_MOST = 0.1  # of the frames; a signal that is unknown more often leaves the asset without a model

Floats = NDArray[np.float64]


def fit_banks(plant: Plant, signal_ids: Mapping[str, int], store: LearnStore, *, period_s: float = 86_400.0) -> Job:
    """Once a day, all assets one after the other."""

    async def run(now_ns: int) -> str:
        fitted, waiting = 0, 0
        frames = Frames(plant, signal_ids)
        for framed in frames.assets:
            if len(framed.signals) < LEAST_SIGNALS:
                continue
            span = (now_ns - round(HISTORY_S * 1e9), now_ns)
            history = await clean_history(plant, signal_ids, store, framed, span)
            model = await asyncio.to_thread(fit_asset, framed, history)
            if not model.regimes:
                waiting += 1
                continue
            version = await store.models.save(
                KIND, framed.asset, to_bytes(model), fitted_ns=now_ns, trained_ns=span, report=report(model)
            )
            await store.models.promote(KIND, framed.asset, version)
            fitted += 1
        return f"fitted {fitted} assets; {waiting} have not been seen long enough ({LEAST_FRAMES} frames in one state)"

    return Job("banks", period_s, run)


def fit_asset(framed: Framed, history: History) -> AssetBank:
    """The bank of every regime that was seen long enough; the others are left out."""
    regimes: dict[int, RegimeBank] = {}
    for code, segments in sorted(history.segments.items()):
        clean = [part for one in segments for part in _whole(one)]
        if code == UNKNOWN_STATE or sum(map(len, clean)) < LEAST_FRAMES:
            continue
        if sum(map(len, clean)) < (1.0 - _MISSING_MOST) * sum(map(len, segments)):
            continue
        try:
            regimes[code] = fit_bank(clean, frame_s=framed.frame_s)
        except Rejected:
            continue  # an asset with very many signals needs more frames than LEAST_FRAMES
    return AssetBank(framed.asset, framed.signals, framed.frame_s, regimes)


def report(model: AssetBank) -> dict[str, Any]:
    """What is kept beside a version, for people."""
    return {
        "signals": list(model.signals),
        "frame_s": model.frame_s,
        "regimes": {
            str(code): {
                "frames": one.frames,
                "limit": round(one.limit(), 3),
                "effective_tests": round(one.tests, 2),
                "components": [block.components for block in one.blocks],
            }
            for code, one in model.regimes.items()
        },
    }


def _whole(rows: Floats) -> list[Floats]:
    """The stretches without an unknown value."""
    known: NDArray[np.bool_] = np.asarray(np.isfinite(rows.sum(axis=1)), np.bool_)
    cuts = np.flatnonzero(np.diff(known.astype(np.int8)) != 0) + 1
    parts = np.split(np.arange(len(rows)), cuts)
    return [rows[part] for part in parts if len(part) and known[part[0]]]
