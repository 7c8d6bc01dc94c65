"""Tiers B and C of the hot loop: committed batches → frames of whole assets → banks and stretches → findings.

In: batches in the order of commitment, fitted models. Out: findings, one snapshot. Pure: no clock, no store. The same
batches give the same findings and the same bytes. Any split of samples in the order of time gives the same scores; only
when the budget (`Gate`) runs out within a batch does it matter which asset asks first.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from twin.detect.frames import Frames
from twin.errors import Rejected
from twin.kernels.frames import ASSET, PLACE, RING
from twin.monitor.asset_banks import AssetBanks
from twin.monitor.spells import Gate
from twin.monitor.stretches import Stretches
from twin.plant.tree import Plant
from twin.samples import SampleBatch
from twin.state.model import Detector, Finding


class FrameJudges:
    """Everything of one plant that judges frames."""

    def __init__(self, plant: Plant, signal_ids: Mapping[str, int], gate: Gate) -> None:
        self._frames = Frames(plant, signal_ids)
        self.banks: AssetBanks = AssetBanks(plant, self._frames.assets, gate)
        self.stretches: Stretches = Stretches(plant, self._frames.assets, gate)
        self.seq: int = 0  # the last batch that was judged

    def push(self, batch: SampleBatch, seq: int = 0) -> list[Finding]:
        """Findings that this batch opens or ends; one whose `seq` was judged before is passed over, 0 never is."""
        if 0 < seq <= self.seq:
            return []
        self.seq = seq or self.seq
        found: list[Finding] = []
        for run in self._frames.push(batch):
            found += self.banks.judge(run)
            found += self.stretches.judge(run)
        return found

    def open(self, asset: str) -> list[Finding]:
        """The findings of this asset that have not ended."""
        return [*self.banks.open(asset), *self.stretches.open(asset)]

    def called_false(self, signal: str, detector: str) -> bool:
        """An operator says that the newest finding of this detector was no fault; False when there is none."""
        if detector == Detector.MULTIVARIATE:
            return self.banks.called_false(signal.rpartition("/")[0])
        return self.stretches.called_false(signal, detector)

    def all_open(self) -> list[Finding]:
        """Every finding that has not ended."""
        return [finding for one in self._frames.assets for finding in self.open(one.asset)]

    def snapshot(self) -> bytes:
        """The whole state; the same state always gives the same bytes."""
        state = self._frames.state
        told = {
            "seq": self.seq,
            "assets": [one.asset for one in self._frames.assets],
            "signals": [one.signals for one in self._frames.assets],
            "frames": [state.assets.tobytes().hex(), state.places.tobytes().hex(), state.pending.tobytes().hex()],
            "banks": self.banks.told(),
            "stretches": self.stretches.told(),
        }
        return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)

    def restore(self, packed: bytes) -> None:
        """Go on from these bytes; take up the same models first. What plant or models have changed begins anew.

        Raises:
            Rejected: `snapshot-damaged`.
        """
        try:
            told: dict[str, Any] = orjson.loads(packed)
        except orjson.JSONDecodeError as error:
            raise Rejected("snapshot-damaged", f"the snapshot of the frames' judges cannot be read: {error}") from error
        mine = [[one.asset, list(one.signals)] for one in self._frames.assets]
        if "banks" not in told or mine != [list(pair) for pair in zip(told["assets"], told["signals"], strict=True)]:
            return
        self.seq = told["seq"]
        state, (assets, places, pending) = self._frames.state, (bytes.fromhex(one) for one in told["frames"])
        state.assets[:] = np.frombuffer(assets, ASSET)
        state.places[:] = np.frombuffer(places, PLACE)
        state.pending[:] = np.frombuffer(pending, np.float64).reshape(RING, -1)
        self.banks.restore(told["banks"])
        self.stretches.restore(told["stretches"])

    def rejoin(self) -> None:
        """After the engine has been restored as well: what is open here counts in its budget."""
        self.banks.rejoin()
        self.stretches.rejoin()
