"""Tier B of the hot loop: frames of whole assets → fitted banks → findings with the signals that made them.

In: runs of frames in their order, models in versions (`swap`). Out: findings of detector `multivariate`. Pure: no
clock, no store. The same frames give the same findings and the same memory; without a model, or in a regime that it
does not know, there is silence.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.detect.calibrate import BLOCK_S
from twin.detect.contribution import shares
from twin.detect.frames import SETTLE_FRAMES, Framed, Run
from twin.detect.multivariate import NAMES, AssetBank, Bank, RegimeBank
from twin.kernels.mspc import STATISTICS
from twin.monitor.spells import Event, Gate, Stream
from twin.plant.tree import Plant
from twin.state.model import Contribution, Detector, Evidence, Finding, finding_id

_TOP = 5  # contributions that are told
_LEAST_SHARE = 0.02


@dataclass(slots=True)
class Place:
    """Where an asset's frames have come to; part of the snapshot."""

    slot: int = -1  # of the last frame
    regime: int = -1
    settle: int = SETTLE_FRAMES  # frames that are still not judged


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model in use; `version` is that of the store."""

    model: AssetBank
    version: int


class AssetBanks:
    """The banks of one plant."""

    def __init__(self, plant: Plant, assets: Sequence[Framed], gate: Gate) -> None:
        self._plant, self._gate = plant, gate
        self._known = {one.asset: one for one in assets}
        self._fitted: dict[str, Fitted] = {}
        self._banks: dict[tuple[str, int], Bank] = {}
        self._streams = {one.asset: Stream(one.asset, round(BLOCK_S / one.frame_s), gate) for one in assets}
        self._places = {one.asset: Place() for one in assets}

    def swap(self, models: Iterable[Fitted]) -> list[str]:
        """Take these models into use, at once and whole; returns the assets whose model does not fit the plant.

        An open finding goes on under the new model, and so does what its stream has learnt of its scores; the memory
        of its scales begins anew and settles.
        """
        refused: list[str] = []
        for fitted in models:
            model = fitted.model
            known = self._known.get(model.asset)
            if known is None or (known.signals, known.frame_s) != (model.signals, model.frame_s):
                refused.append(model.asset)
                continue
            if self._version(model.asset) == fitted.version:
                continue
            self._fitted[model.asset] = fitted
            for code, regime in model.regimes.items():
                self._banks[model.asset, code] = Bank(regime)
            if self._streams[model.asset].blocks == 0:  # a later version begins with what was learnt live
                self._streams[model.asset].learn(np.concatenate([one.maxima for one in model.regimes.values()]))
            self._places[model.asset].settle = SETTLE_FRAMES
        return refused

    def open(self, asset: str) -> list[Finding]:
        """The findings of this asset that have not ended."""
        found = self._streams[asset].spell.finding if asset in self._streams else None
        return [] if found is None else [found]

    def versions(self) -> dict[str, int]:
        """Which version judges which asset."""
        return {asset: one.version for asset, one in sorted(self._fitted.items())}

    def _version(self, asset: str) -> int | None:
        return self._fitted[asset].version if asset in self._fitted else None

    def judge(self, run: Run) -> Iterator[Finding]:
        """Findings that this run of frames opens or ends."""
        place = self._places[run.asset]
        bank = self._banks.get((run.asset, run.regime))
        if run.slot != place.slot + 1 or run.regime != place.regime:
            place.settle, self._streams[run.asset].spell.streak = SETTLE_FRAMES, 0
            if bank is not None:
                bank.reset()
        place.slot, place.regime = run.slot + len(run.rows) - 1, run.regime
        skipped = min(place.settle, len(run.rows))
        place.settle -= skipped
        if bank is None or run.regime not in self._fitted[run.asset].model.regimes:
            return
        scaled = bank.regime.scaled(run.rows[skipped:])
        whole = np.flatnonzero(~np.isnan(scaled).any(axis=1))
        yield from self._follow(run, bank, scaled[whole], run.slot + skipped + whole)

    def _follow(self, run: Run, bank: Bank, z: NDArray[np.float32], slots: NDArray[np.int64]) -> Iterator[Finding]:
        stream, frame_ns = self._streams[run.asset], round(self._known[run.asset].frame_s * 1e9)
        stream.floor = bank.regime.limit()  # no frame of the history has reached it
        stream.guess = lambda score: _block_p(bank.regime, score, frame_ns * 1e-9)
        done, before = 0, bank.memory.copy()
        score, which = bank.push(z)
        for n, event in stream.follow(score.tolist(), ((slots + 1) * frame_ns).tolist()):
            if event is Event.ENDED:
                if (ended := stream.end()) is not None:
                    yield ended
                continue
            after, bank.memory = bank.memory, before  # go back to this frame, to see why
            bank.push(z[done:n])
            finding = self._finding(run, bank, z[n], int(which[n]), stream)
            before, done, bank.memory = bank.memory, n + 1, after
            stream.spell.finding = finding
            yield finding

    def _finding(self, run: Run, bank: Bank, z: NDArray[np.float32], which: int, stream: Stream) -> Finding:
        framed, spell, fitted = self._known[run.asset], stream.spell, self._fitted[run.asset]
        block = bank.regime.blocks[which // STATISTICS]
        share, sign = shares(block, bank.vector(which // STATISTICS, z), which % STATISTICS)
        order = [int(p) for p in np.argsort(-share, kind="stable")[:_TOP] if share[p] >= _LEAST_SHARE]
        told = tuple(Contribution(framed.signals[p], float(share[p]), int(sign[p])) for p in order)
        evidence = Evidence(
            **chance(stream, self._gate),
            contributions=told,
            regime=regime_name(self._plant, run.asset, run.regime),
            model=f"mspc {fitted.version}",
            earlier=spell.earlier,
        )
        if spell.finding is not None:
            return replace(spell.finding, score=spell.peak, evidence=evidence)
        return Finding(
            id=finding_id(run.asset, Detector.MULTIVARIATE, spell.since_ns),
            asset=run.asset,
            signal=told[0].signal if told else framed.signals[0],
            detector=Detector.MULTIVARIATE,
            since_ns=spell.since_ns,
            until_ns=None,
            score=spell.peak,
            message=self._message(told, NAMES[which % STATISTICS], block.decay),
            evidence=evidence,
        )

    def _message(self, told: tuple[Contribution, ...], statistic: str, decay: float) -> str:
        parts = [f"{self._plant.signal(one.signal).title} ({one.share:.0%}, {_SIDE[one.sign]})" for one in told[:3]]
        reach = "" if decay == 1.0 else f" over about {1.0 / decay:.0f} frames"
        return f"These values do not go together as they used to{reach} ({statistic}): {', '.join(parts)}"

    def called_false(self, asset: str) -> bool:
        """The newest finding of this asset was no fault; False when there is none."""
        return asset in self._streams and self._streams[asset].called_false()

    def told(self) -> dict[str, Any]:
        """For the snapshot."""
        return {
            "versions": self.versions(),
            "memory": {f"{asset}|{code}": bank.memory.tobytes().hex() for (asset, code), bank in self._banks.items()},
            "streams": {asset: one.told() for asset, one in self._streams.items()},
            "places": self._places,
        }

    def restore(self, told: Mapping[str, Any]) -> None:
        """Go on from `told`, after `swap` with the same models. What the models have changed begins anew."""
        for asset, kept in told["places"].items():
            self._places[asset] = Place(**kept)
            if self._version(asset) != told["versions"].get(asset):
                self._places[asset].settle = SETTLE_FRAMES
        for (asset, code), bank in self._banks.items():
            memory = bytes.fromhex(told["memory"].get(f"{asset}|{code}", ""))
            if self._version(asset) == told["versions"].get(asset) and len(memory) == bank.memory.nbytes:
                bank.memory = np.frombuffer(memory, np.float32).copy()
        for asset, kept in told["streams"].items():
            self._streams[asset].restore(kept)

    def rejoin(self) -> None:
        """After a restart: what is open counts as such."""
        for stream in self._streams.values():
            stream.rejoin()


_SIDE = {1: "above", -1: "below", 0: "at its normal"}


def chance(stream: Stream, gate: Gate) -> dict[str, float | None]:
    """`p` and `expected_per_day` of an episode, None while they are not known."""
    p = stream.p(stream.spell.peak)
    return {
        "p": p if p < 1.0 else None,
        "expected_per_day": gate.expected_per_day(stream.asset, p) if p < 1.0 else None,
    }


def _block_p(regime: RegimeBank, score: float, frame_s: float) -> float:
    p = float(regime.p(np.array([score], np.float32))[0])
    return float(-np.expm1(BLOCK_S / frame_s * np.log1p(-min(p, 1.0 - 1e-16))))


def regime_name(plant: Plant, asset: str, code: int) -> str:
    """The machine state's name."""
    for path in plant.asset(asset).signals:
        signal = plant.signal(path)
        if signal.role == "machine-state" and code in signal.states:
            return signal.states[code].name
    return "" if code < 0 else f"code {code}"
