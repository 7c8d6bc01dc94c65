"""Tier C of the hot loop: frames → stretches of single signals → findings of the detectors that were chosen for each.

In: runs of frames in their order, fitted detectors in versions (`swap`). Out: findings of `sub-pca`, `codebook` and
`left-profile`. Time stands still while the machine is in another state than the model's, and begins anew after a gap.
Pure: the same frames give the same findings and the same memory.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.detect.calibrate import BLOCK_S
from twin.detect.frames import SETTLE_FRAMES, Framed, Run
from twin.detect.stretches import SignalStretches
from twin.detect.subsequence import Scorer
from twin.monitor.asset_banks import chance, regime_name
from twin.monitor.spells import Event, Gate, Stream
from twin.plant.tree import Plant
from twin.state.model import Contribution, Evidence, Finding, finding_id

ABSENT_S = 3_600.0  # after so long in other states what was open ends, and the stretch begins anew
_SAYS = {
    "sub-pca": "has a shape that its usual cycles do not explain",
    "codebook": "has a shape that is none of its usual ones",
    "left-profile": "does something that it has not done before",
}


@dataclass(frozen=True, slots=True)
class FittedStretches:
    """A model in use; `version` is that of the store."""

    model: SignalStretches
    version: int


@dataclass(slots=True)
class _Watched:
    """One signal with its detectors."""

    fitted: FittedStretches
    column: int  # of the asset's frames
    scorers: list[Scorer]
    streams: list[Stream]
    slot: int = -1  # the last frame that was judged
    settle: int = 0  # frames that are still not judged


class Stretches:
    """The chosen detectors of every signal of one plant."""

    def __init__(self, plant: Plant, assets: Sequence[Framed], gate: Gate) -> None:
        self._plant, self._gate = plant, gate
        self._places = {path: (one, at) for one in assets for at, path in enumerate(one.signals)}
        self._watched: dict[str, dict[str, _Watched]] = {}  # by asset, by signal

    def swap(self, models: Iterable[FittedStretches]) -> list[Finding]:
        """Take these models into use; returns the findings that end because their detector is gone."""
        ended: list[Finding] = []
        touched: set[str] = set()
        for fitted in models:
            path = fitted.model.signal
            framed, column = self._places.get(path, (None, 0))
            if framed is None or framed.frame_s != fitted.model.frame_s:
                continue  # the plant has changed; the next turn of the slow loop fits it anew
            mine = self._watched.setdefault(framed.asset, {})
            before = mine.get(path)
            if before is not None and before.fitted.version == fitted.version:
                continue
            touched.add(framed.asset)
            mine[path] = after = self._watch(fitted, framed, column)
            ended += _go_on(before, after) if before is not None else []
            if not after.scorers:
                del mine[path]
        for asset in touched:
            streams = [stream for one in self._watched[asset].values() for stream in one.streams]
            for stream in streams:
                stream.tests = float(len(streams))
        return ended

    def _watch(self, fitted: FittedStretches, framed: Framed, column: int) -> _Watched:
        model = fitted.model
        streams = [Stream(framed.asset, round(BLOCK_S / model.frame_s), self._gate) for _ in model.models]
        for stream, maxima in zip(streams, model.maxima, strict=True):
            stream.learn(maxima)
        return _Watched(fitted, column, [Scorer(one) for one in model.models], streams)

    def versions(self) -> dict[str, int]:
        """Which version judges which signal."""
        return {path: one.fitted.version for mine in self._watched.values() for path, one in sorted(mine.items())}

    def open(self, asset: str) -> list[Finding]:
        """The findings of this asset that have not ended."""
        streams = (stream for one in self._watched.get(asset, {}).values() for stream in one.streams)
        return [stream.spell.finding for stream in streams if stream.spell.finding is not None]

    def judge(self, run: Run) -> Iterator[Finding]:
        """Findings that this run of frames opens or ends."""
        for one in self._watched.get(run.asset, {}).values():
            yield from self._judge(one, run)

    def _judge(self, one: _Watched, run: Run) -> Iterator[Finding]:
        model, last = one.fitted.model, run.slot + len(run.rows) - 1
        absent = (run.slot - one.slot) * model.frame_s > ABSENT_S
        if absent:
            for scorer in one.scorers:
                scorer.reset()
        if run.regime != model.regime:
            if (last - one.slot) * model.frame_s > ABSENT_S:
                yield from (ended for stream in one.streams if (ended := stream.end()) is not None)
            return
        if run.slot != one.slot + 1:
            one.settle = SETTLE_FRAMES
        one.slot = last
        skipped = min(one.settle, len(run.rows))
        one.settle -= skipped
        values, slots = run.rows[skipped:, one.column], run.slot + skipped + np.arange(len(run.rows) - skipped)
        for first, end in _whole(values):
            if first > 0:  # a value was unknown
                for scorer in one.scorers:
                    scorer.reset()
            for scorer, stream in zip(one.scorers, one.streams, strict=True):
                yield from self._follow(one, scorer, stream, values[first:end], slots[first:end])

    def _follow(
        self, one: _Watched, scorer: Scorer, stream: Stream, values: NDArray[np.float64], slots: NDArray[np.int64]
    ) -> Iterator[Finding]:
        frame_ns = round(one.fitted.model.frame_s * 1e9)
        score = scorer.score(np.ascontiguousarray(values))
        for _, event in stream.follow(score.tolist(), ((slots + 1) * frame_ns).tolist()):
            if event is Event.ENDED:
                if (ended := stream.end()) is not None:
                    yield ended
                continue
            stream.spell.finding = self._finding(one, scorer, stream)
            yield stream.spell.finding

    def _finding(self, one: _Watched, scorer: Scorer, stream: Stream) -> Finding:
        model, spell, detector = one.fitted.model, stream.spell, scorer.model.detector
        evidence = Evidence(
            **chance(stream, self._gate),
            contributions=(Contribution(model.signal, 1.0, 0),),
            regime=regime_name(self._plant, stream.asset, model.regime),
            model=f"stretch {one.fitted.version}",
            earlier=spell.earlier,
        )
        if spell.finding is not None:
            return replace(spell.finding, score=spell.peak, evidence=evidence)
        title = self._plant.signal(model.signal).title
        return Finding(
            id=finding_id(model.signal, detector, spell.since_ns),
            asset=stream.asset,
            signal=model.signal,
            detector=detector,
            since_ns=spell.since_ns,
            until_ns=None,
            score=spell.peak,
            message=f"{title} {_SAYS[detector]}, in the last {scorer.model.length * model.frame_s:.0f} s",
            evidence=evidence,
        )

    def called_false(self, signal: str, detector: str) -> bool:
        """The newest finding of this detector on this signal was no fault; False when there is none."""
        found = (mine[signal] for mine in self._watched.values() if signal in mine)
        streams = ((scorer, stream) for one in found for scorer, stream in zip(one.scorers, one.streams, strict=True))
        return any(stream.called_false() for scorer, stream in streams if scorer.model.detector == detector)

    def told(self) -> dict[str, Any]:
        """For the snapshot."""
        return {
            path: {
                "version": one.fitted.version,
                "slot": one.slot,
                "settle": one.settle,
                "kept": [scorer.kept.tobytes().hex() for scorer in one.scorers],
                "streams": [stream.told() for stream in one.streams],
            }
            for mine in self._watched.values()
            for path, one in mine.items()
        }

    def restore(self, told: Mapping[str, Any]) -> None:
        """Go on from `told`, after `swap` with the same models. What the models have changed begins anew."""
        for mine in self._watched.values():
            for path, one in mine.items():
                kept = told.get(path)
                if kept is None or kept["version"] != one.fitted.version:
                    continue
                one.slot, one.settle = kept["slot"], kept["settle"]
                for scorer, line in zip(one.scorers, kept["kept"], strict=True):
                    scorer.kept = np.frombuffer(bytes.fromhex(line), np.float64).copy()
                for stream, state in zip(one.streams, kept["streams"], strict=True):
                    stream.restore(state)

    def rejoin(self) -> None:
        """After a restart: what is open counts as such."""
        for mine in self._watched.values():
            for one in mine.values():
                for stream in one.streams:
                    stream.rejoin()


def _go_on(before: _Watched, after: _Watched) -> list[Finding]:
    """What is open goes on under the new version of its detector; returns what ends, for want of one."""
    names = [scorer.model.detector for scorer in after.scorers]
    ended: list[Finding] = []
    for scorer, stream in zip(before.scorers, before.streams, strict=True):
        if scorer.model.detector in names:
            spell = after.streams[names.index(scorer.model.detector)].spell
            spell.finding, spell.since_ns, spell.last_ns = (
                stream.spell.finding,
                stream.spell.since_ns,
                stream.spell.last_ns,
            )
            spell.earlier = stream.spell.earlier
        elif (finding := stream.end()) is not None:
            ended.append(finding)
    return ended


def _whole(values: NDArray[np.float64]) -> Iterator[tuple[int, int]]:
    """[first, end) of each piece without an unknown value."""
    known = np.concatenate([[False], np.isfinite(values), [False]])
    edges = np.flatnonzero(known[1:] != known[:-1])
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
