"""Stored history → clean frames of one asset: what banks and detectors of stretches are fitted to.

In: samples, findings and operators' verdicts of the last days. Out: stretches of frames by regime. Frames inside a
finding, and those just after a change of machine state, are left out; a finding that operators called false is normal,
and so is what goes on for longer than a day.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from twin.detect.frames import SETTLE_FRAMES, UNKNOWN_STATE, Framed, Frames, Run
from twin.learn.model_port import Models
from twin.plant.tree import Plant
from twin.samples import SampleBatch, TextColumns
from twin.wire.reading import Lane

HISTORY_S = 2 * 86_400.0
_HOUR_NS = 3_600_000_000_000
_MARGIN_NS = 60_000_000_000  # around a finding
_LASTS_NS = 86_400_000_000_000  # what a finding says for longer is how it is now

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
    def id(self) -> UUID: ...  # noqa: D102
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


class Verdicts(Protocol):
    """What operators say of findings."""

    async def called_false(self, start_ns: int, end_ns: int) -> Collection[UUID]: ...  # noqa: D102


class LearnStore(Protocol):
    """The parts of the store that the jobs use."""

    @property
    def samples(self) -> Samples: ...  # noqa: D102
    @property
    def findings(self) -> Findings: ...  # noqa: D102
    @property
    def alarms(self) -> Verdicts: ...  # noqa: D102
    @property
    def models(self) -> Models: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class History:
    """Clean frames of one asset by regime, as uninterrupted stretches."""

    segments: Mapping[int, list[Floats]]


async def clean_history(
    plant: Plant, signal_ids: Mapping[str, int], store: LearnStore, framed: Framed, span: Span
) -> History:
    """Every hour of the span, one after the other."""
    normal = await store.alarms.called_false(*span)
    flagged = [
        (one.since_ns - _MARGIN_NS, min(one.until_ns or span[1], one.since_ns + _LASTS_NS) + _MARGIN_NS)
        for one in await store.findings.between(*span, asset=framed.asset)
        if one.id not in normal
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
    plant: Plant, signal_ids: Mapping[str, int], store: LearnStore, framed: Framed, span: Span
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
