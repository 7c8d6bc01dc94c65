"""Tier B of the hot loop: committed batches → frames → fitted banks → findings on whole assets.

In: batches in the order of commitment, models in versions (`swap`). Out: findings of detector `multivariate` with the
signals that made them. Pure: no clock, no store. The same batches, or any split of samples in the order of time, give
the same findings and the same bytes of state; without a model, or in a regime that it does not know, there is silence.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from twin.detect.calibrate import BLOCK_S, BLOCKS_PER_DAY, budget_level
from twin.detect.contribution import shares
from twin.detect.frames import SETTLE_FRAMES, Frames, Run
from twin.detect.multivariate import NAMES, AssetBank, Bank, RegimeBank
from twin.errors import Rejected
from twin.kernels.frames import ASSET, PLACE, RING
from twin.kernels.mspc import STATISTICS
from twin.plant.tree import Plant
from twin.samples import SampleBatch
from twin.state.model import Contribution, Evidence, Finding, finding_id

DETECTOR = "multivariate"
ALARMS_PER_DAY = 10.0
"""Of all assets together, without a fault; what the limit of each asset is made from."""

ON_FRAMES = 3  # beyond the limit one after the other, before a finding opens
OFF_FRAMES = 30  # within the limit one after the other, before it ends
_TOP = 5  # contributions that are told
_LEAST_SHARE = 0.02


@dataclass(slots=True)
class Episode:
    """What is going on at one asset; part of the snapshot."""

    slot: int = -1  # of the last frame
    regime: int = -1
    settle: int = SETTLE_FRAMES  # frames that are still not judged
    streak: int = 0  # frames beyond the limit
    since_ns: int = 0  # end of the first of them
    last_ns: int = 0  # end of the last of them
    quiet: int = 0  # frames within the limit since then
    peak: float = 0.0
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model in use; `version` is that of the store."""

    model: AssetBank
    version: int


class AssetBanks:
    """The banks of one plant."""

    def __init__(self, plant: Plant, signal_ids: Mapping[str, int]) -> None:
        self._plant = plant
        self._frames = Frames(plant, signal_ids)
        self._limit_p = budget_level(ALARMS_PER_DAY, len(self._frames.assets))
        self._known = {one.asset: one for one in self._frames.assets}
        self._fitted: dict[str, Fitted] = {}
        self._banks: dict[tuple[str, int], Bank] = {}
        self._episodes = {one.asset: Episode() for one in self._frames.assets}
        self.seq: int = 0  # the last batch that was judged

    def swap(self, models: Iterable[Fitted]) -> list[str]:
        """Take these models into use, at once and whole; returns the assets whose model does not fit the plant.

        An open finding goes on under the new model; the memory of its scales begins anew and settles.
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
            self._episodes[model.asset].settle = SETTLE_FRAMES
        return refused

    def push(self, batch: SampleBatch, seq: int = 0) -> list[Finding]:
        """Findings that this batch opens or ends; one whose `seq` was judged before is passed over, 0 never is."""
        if 0 < seq <= self.seq:
            return []
        self.seq = seq or self.seq
        return [finding for run in self._frames.push(batch) for finding in self._judge(run)]

    def open(self, asset: str) -> Finding | None:
        """The finding of this asset that has not ended."""
        return self._episodes[asset].finding if asset in self._episodes else None

    def versions(self) -> dict[str, int]:
        """Which version judges which asset."""
        return {asset: one.version for asset, one in sorted(self._fitted.items())}

    def _version(self, asset: str) -> int | None:
        return self._fitted[asset].version if asset in self._fitted else None

    def _judge(self, run: Run) -> Iterator[Finding]:
        episode = self._episodes[run.asset]
        bank = self._banks.get((run.asset, run.regime)) if run.asset in self._fitted else None
        if run.slot != episode.slot + 1 or run.regime != episode.regime:
            episode.settle, episode.streak = SETTLE_FRAMES, 0
            if bank is not None:
                bank.reset()
        episode.slot, episode.regime = run.slot + len(run.rows) - 1, run.regime
        skipped = min(episode.settle, len(run.rows))
        episode.settle -= skipped
        if bank is None or run.regime not in self._fitted[run.asset].model.regimes:
            return
        scaled = bank.regime.scaled(run.rows[skipped:])
        whole = np.flatnonzero(~np.isnan(scaled).any(axis=1))
        yield from self._episode(run.asset, bank, scaled[whole], run.slot + skipped + whole)

    def _episode(self, asset: str, bank: Bank, z: NDArray[np.float32], slots: NDArray[np.int64]) -> Iterator[Finding]:
        episode, frame_s = self._episodes[asset], self._known[asset].frame_s
        limit = _limit(bank.regime, frame_s, self._limit_p)
        done = 0
        before = bank.memory.copy()
        score, which = bank.push(z)
        for n, (value, slot) in enumerate(zip(score.tolist(), slots.tolist(), strict=True)):
            end_ns = round((slot + 1) * frame_s * 1e9)
            if value > limit:
                episode.since_ns = end_ns if episode.streak == 0 and episode.finding is None else episode.since_ns
                episode.peak = max(value, episode.peak if episode.streak or episode.finding else 0.0)
                episode.streak, episode.quiet, episode.last_ns = episode.streak + 1, 0, end_ns
                if episode.streak >= ON_FRAMES and episode.finding is None:
                    after, bank.memory = bank.memory, before  # go back to the frame that opens it, to see why
                    bank.push(z[done:n])
                    episode.finding = self._finding(asset, bank, z[n], int(which[n]))
                    before, done, bank.memory = bank.memory, n + 1, after
                    yield episode.finding
                continue
            episode.streak, episode.quiet = 0, episode.quiet + 1
            if episode.finding is not None and episode.quiet >= OFF_FRAMES:
                yield replace(episode.finding, until_ns=episode.last_ns, score=episode.peak)
                episode.finding = None

    def _finding(self, asset: str, bank: Bank, z: NDArray[np.float32], which: int) -> Finding:
        episode, framed, fitted = self._episodes[asset], self._known[asset], self._fitted[asset]
        block = bank.regime.blocks[which // STATISTICS]
        share, sign = shares(block, bank.vector(which // STATISTICS, z), which % STATISTICS)
        order = [int(p) for p in np.argsort(-share, kind="stable")[:_TOP] if share[p] >= _LEAST_SHARE]
        told = tuple(Contribution(framed.signals[p], float(share[p]), int(sign[p])) for p in order)
        p = _block_p(bank.regime, episode.peak, framed.frame_s)
        evidence = Evidence(
            p=p,
            expected_per_day=p * BLOCKS_PER_DAY * len(self._known),
            contributions=told,
            regime=self._regime_name(asset, episode.regime),
            model=f"mspc {fitted.version}",
        )
        return Finding(
            id=finding_id(asset, DETECTOR, episode.since_ns),
            asset=asset,
            signal=told[0].signal if told else framed.signals[0],
            detector=DETECTOR,
            since_ns=episode.since_ns,
            until_ns=None,
            score=episode.peak,
            message=self._message(told, NAMES[which % STATISTICS], block.decay),
            evidence=evidence,
        )

    def _message(self, told: tuple[Contribution, ...], statistic: str, decay: float) -> str:
        parts = [f"{self._plant.signal(one.signal).title} ({one.share:.0%}, {_SIDE[one.sign]})" for one in told[:3]]
        reach = "" if decay == 1.0 else f" over about {1.0 / decay:.0f} frames"
        return f"These values do not go together as they used to{reach} ({statistic}): {', '.join(parts)}"

    def _regime_name(self, asset: str, code: int) -> str:
        for path in self._plant.asset(asset).signals:
            signal = self._plant.signal(path)
            if signal.role == "machine-state" and code in signal.states:
                return signal.states[code].name
        return "" if code < 0 else f"code {code}"

    def snapshot(self) -> bytes:
        """The whole state; the same state always gives the same bytes."""
        state = self._frames.state
        told = {
            "seq": self.seq,
            "assets": [one.asset for one in self._frames.assets],
            "signals": [one.signals for one in self._frames.assets],
            "versions": self.versions(),
            "frames": [state.assets.tobytes().hex(), state.places.tobytes().hex(), state.pending.tobytes().hex()],
            "memory": {f"{asset}|{code}": bank.memory.tobytes().hex() for (asset, code), bank in self._banks.items()},
            "episodes": self._episodes,
        }
        return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)

    def restore(self, packed: bytes) -> None:
        """Go on from these bytes; call `swap` with the same models first. What plant or model have changed begins anew.

        Raises:
            Rejected: `snapshot-damaged`.
        """
        try:
            told: dict[str, Any] = orjson.loads(packed)
        except orjson.JSONDecodeError as error:
            raise Rejected("snapshot-damaged", f"the banks' snapshot cannot be read: {error}") from error
        mine = [[one.asset, list(one.signals)] for one in self._frames.assets]
        if mine != [list(pair) for pair in zip(told["assets"], told["signals"], strict=True)]:
            return
        self.seq = told["seq"]
        state, (assets, places, pending) = self._frames.state, (bytes.fromhex(one) for one in told["frames"])
        state.assets[:] = np.frombuffer(assets, ASSET)
        state.places[:] = np.frombuffer(places, PLACE)
        state.pending[:] = np.frombuffer(pending, np.float64).reshape(RING, -1)
        for asset, kept in told["episodes"].items():
            finding = _finding_from(kept.pop("finding"))
            self._episodes[asset] = Episode(**kept, finding=finding)
            if self._version(asset) != told["versions"].get(asset):
                self._episodes[asset].settle = SETTLE_FRAMES
        for (asset, code), bank in self._banks.items():
            memory = bytes.fromhex(told["memory"].get(f"{asset}|{code}", ""))
            if self._version(asset) == told["versions"].get(asset) and len(memory) == bank.memory.nbytes:
                bank.memory = np.frombuffer(memory, np.float32).copy()


_SIDE = {1: "above", -1: "below", 0: "at its normal"}


def _limit(regime: RegimeBank, frame_s: float, block_p: float) -> float:
    """The score that a block without a fault reaches with chance `block_p`, and no frame of the history did."""
    return max(regime.limit(), regime.score(block_p * frame_s / BLOCK_S))


def _block_p(regime: RegimeBank, score: float, frame_s: float) -> float:
    p = float(regime.p(np.array([score], np.float32))[0])
    return float(-np.expm1(BLOCK_S / frame_s * np.log1p(-min(p, 1.0 - 1e-16))))


def _finding_from(kept: dict[str, Any] | None) -> Finding | None:
    if kept is None:
        return None
    evidence = kept.pop("evidence")
    told = tuple(Contribution(**one) for one in evidence.pop("contributions"))
    kept["id"] = finding_id(kept["asset"], kept["detector"], kept["since_ns"])
    return Finding(**kept, evidence=Evidence(**evidence, contributions=told))
