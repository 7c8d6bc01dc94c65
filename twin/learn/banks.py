"""Job `banks`: each asset's clean history → its multi-scale bank, a new version that `twin run` takes up.

In: samples and findings of the last days. Out: a model per asset with at least one regime that was seen long enough.
Frames inside a finding, and those just after a change of machine state, are never learnt from.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from twin.detect.frames import SETTLE_FRAMES, UNKNOWN_STATE, Framed, Frames, Run
from twin.detect.multivariate import KIND, AssetBank, RegimeBank, to_bytes
from twin.detect.multivariate_fit import fit_bank
from twin.errors import Rejected
from twin.learn.job import Job
from twin.plant.tree import Plant
from twin.samples import SampleBatch, TextColumns
from twin.wire.reading import Lane

HISTORY_S = 2 * 86_400.0
LEAST_FRAMES = 1_800
_HOUR_NS = 3_600_000_000_000
_MARGIN_NS = 60_000_000_000  # around a finding
_MISSING_MOST = 0.1  # of the frames; a signal that is unknown more often leaves the asset without a model

Span = tuple[int, int]
Floats = NDArray[np.float64]


class Column(Protocol):
    """One signal's samples."""

    @property
    def time(self) -> NDArray[np.int64]: ...  # noqa: D102
    @property
    def value(self) -> NDArray[np.float64]: ...  # noqa: D102
    @property
    def quality(self) -> NDArray[np.uint8]: ...  # noqa: D102


class Told(Protocol):
    """A finding."""

    @property
    def since_ns(self) -> int: ...  # noqa: D102
    @property
    def until_ns(self) -> int | None: ...  # noqa: D102


class Samples(Protocol):
    """History by signal."""

    async def series(self, signal_id: int, start_ns: int, end_ns: int) -> Column: ...  # noqa: D102


class Findings(Protocol):
    """What was found before."""

    async def between(self, start_ns: int, end_ns: int, *, asset: str | None = None) -> Sequence[Told]: ...  # noqa: D102


class Models(Protocol):
    """Where models go."""

    async def save(  # noqa: D102
        self,
        kind: str,
        subject: str,
        params: bytes,
        *,
        fitted_ns: int,
        trained_ns: tuple[int, int],
        report: Mapping[str, Any],
    ) -> int: ...
    async def promote(self, kind: str, subject: str, version: int) -> None: ...  # noqa: D102


class BankStore(Protocol):
    """The parts of the store that the job uses."""

    @property
    def samples(self) -> Samples: ...  # noqa: D102
    @property
    def findings(self) -> Findings: ...  # noqa: D102
    @property
    def models(self) -> Models: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class History:
    """Clean frames of one asset by regime, as uninterrupted stretches."""

    segments: Mapping[int, list[Floats]]


def fit_banks(plant: Plant, signal_ids: Mapping[str, int], store: BankStore, *, period_s: float = 86_400.0) -> Job:
    """Once a day, all assets one after the other."""

    async def run(now_ns: int) -> str:
        fitted, waiting = 0, 0
        frames = Frames(plant, signal_ids)
        for framed in frames.assets:
            span = (now_ns - round(HISTORY_S * 1e9), now_ns)
            history = await _history(plant, signal_ids, store, framed, span)
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


async def _history(
    plant: Plant, signal_ids: Mapping[str, int], store: BankStore, framed: Framed, span: Span
) -> History:
    flagged = [
        (one.since_ns - _MARGIN_NS, (one.until_ns or span[1]) + _MARGIN_NS)
        for one in await store.findings.between(*span, asset=framed.asset)
    ]
    frames = Frames(plant, signal_ids)
    runs: list[Run] = []
    for start_ns in range(span[0], span[1], _HOUR_NS):
        batch = await _hour(plant, signal_ids, store, framed, (start_ns, min(start_ns + _HOUR_NS, span[1])))
        runs += [run for run in frames.push(batch) if run.asset == framed.asset]
    return History(_segments(runs, framed.frame_s, flagged))


def _segments(runs: Sequence[Run], frame_s: float, flagged: Sequence[Span]) -> dict[int, list[Floats]]:
    """Runs that go on where the last one ended are one; what has not settled or was flagged is left out."""
    found: dict[int, list[Floats]] = {}
    settle, before = SETTLE_FRAMES, (-1, UNKNOWN_STATE)
    for run in runs:
        goes_on = (run.slot, run.regime) == before
        settle = settle if goes_on else SETTLE_FRAMES
        before = (run.slot + len(run.rows), run.regime)
        ends_ns = (run.slot + 1 + np.arange(len(run.rows))) * round(frame_s * 1e9)
        clean: NDArray[np.bool_] = np.arange(len(run.rows)) >= settle
        settle = max(settle - len(run.rows), 0)
        for start_ns, end_ns in flagged:
            clean = clean & ((ends_ns < start_ns) | (ends_ns > end_ns))
        cuts = np.flatnonzero(np.diff(clean.astype(np.int8)) != 0) + 1
        for part in np.split(np.arange(len(run.rows)), cuts):
            if not len(part) or not bool(clean[part].all()):
                continue
            mine = found.setdefault(run.regime, [])
            if goes_on and part[0] == 0 and mine:
                mine[-1] = np.vstack([mine[-1], run.rows[part]])
            else:
                mine.append(run.rows[part])
    return found


async def _hour(
    plant: Plant, signal_ids: Mapping[str, int], store: BankStore, framed: Framed, span: Span
) -> SampleBatch:
    """All samples of one asset, in the order of their source time."""
    state = [path for path in plant.asset(framed.asset).signals if plant.signal(path).role == "machine-state"]
    ids = [signal_ids[path] for path in [*state, *framed.signals] if path in signal_ids]
    columns = [await store.samples.series(number, *span) for number in ids]
    signal = np.repeat(np.array(ids, np.int32), [len(one.time) for one in columns])
    time = np.concatenate([one.time for one in columns]).astype(np.int64)
    order = np.argsort(time, kind="stable")
    value = np.concatenate([one.value for one in columns]).astype(np.float64)
    quality = np.concatenate([one.quality for one in columns]).astype(np.uint8)
    nothing = np.zeros(0, np.int64)
    texts = TextColumns(nothing.astype(np.int32), nothing, (), nothing.astype(np.uint8), nothing, nothing)
    zeros = np.zeros(len(order), np.int64)
    return SampleBatch(
        "", "", 0, Lane.HISTORY, signal[order], time[order], value[order], quality[order], zeros, time[order], texts
    )
