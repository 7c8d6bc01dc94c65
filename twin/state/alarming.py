"""Which odd episodes are told: the calibrated part of the fold, one budget per area.

In: scored episodes of the kernel with their p-values, and the end of each block of ten minutes. Out: the evidence of
what is told. No clock: time is that of the samples, so that a replay tells the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from twin.detect import fuse
from twin.detect.budget import AreaBudget
from twin.detect.calibrate import budget_level
from twin.kernels.layout import FIRST_SCORED, SCORED, Record
from twin.plant.tree import Signal
from twin.state.model import Contribution, Evidence

BLOCK_NS = 600_000_000_000
DAY_BLOCKS = 144
_MOST = 5  # contributions
_JOINS = 10.0  # times the level: a further signal of an asset that alarms already


@dataclass(slots=True)
class Alarming:
    """What decides, of one plant. Arrays by asset number or signal id."""

    assets: tuple[str, ...]
    areas: NDArray[np.int32]  # [assets] place in `budgets`
    asset_of: NDArray[np.int32]  # [signals]
    members: NDArray[np.int32]
    member_start: NDArray[np.int32]
    budgets: list[AreaBudget]
    area_names: tuple[str, ...]
    block: int = 0  # the running one, since 1970
    mean: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))  # [assets] see `fuse.learn_effective`
    blocks: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    oddest: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))  # [signals] p-value of the block before
    side: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))  # [signals]
    told: dict[int, int] = field(default_factory=dict[int, int])  # asset → scored findings of it that are open
    earlier: dict[tuple[int, int], UUID] = field(default_factory=dict[tuple[int, int], UUID])
    last: dict[tuple[int, int], tuple[float, int]] = field(default_factory=dict[tuple[int, int], tuple[float, int]])
    numbers: dict[str, int] = field(default_factory=dict[str, int])  # of the assets, by path

    def __post_init__(self) -> None:
        self.numbers = {path: number for number, path in enumerate(self.assets)}
        if not len(self.mean):
            self.mean, self.blocks = np.zeros(len(self.assets)), np.zeros(len(self.assets))
        if not len(self.oddest):
            self.oddest = np.full(len(self.asset_of), np.nan)
            self.side = np.zeros(len(self.asset_of), np.int8)

    def budget_of(self, asset: int) -> AreaBudget:
        """The budget that alarms of this asset are paid from."""
        return self.budgets[int(self.areas[asset])]

    def effective(self, asset: int) -> float:
        """How many independent tests the signals and detectors of this asset are."""
        tests = SCORED * int(self.member_start[asset + 1] - self.member_start[asset])
        return fuse.effective(float(self.mean[asset]), float(self.blocks[asset]), tests)

    def admit(self, signal: int, p: float) -> float | None:
        """Whether an episode with this p-value is told: the p-value of its asset (1: not known yet), or None."""
        fused = self.fused(signal, p)
        return fused if self._tells(int(self.asset_of[signal]), fused) else None

    def admit_asset(self, asset: str, p: float) -> bool:
        """Whether something odd on a whole asset, whose block has this p-value (1: not known yet), is told."""
        return self._tells(self.numbers[asset], p)

    def level(self, asset: str) -> float:
        """The p-value of a block at which the assets of this one's area together give the budget."""
        budget = self.budget_of(self.numbers[asset])
        return budget_level(budget.alarms_per_day, budget.assets)

    def expected_per_day(self, asset: str, p: float) -> float:
        """Alarms a day of the asset's area at the level `p` without a fault."""
        return self.budget_of(self.numbers[asset]).expected_per_day(p)

    def opened(self, asset: str) -> None:
        """A finding of this asset, made elsewhere, has opened."""
        self.open(self.numbers[asset])

    def ended(self, asset: str) -> None:
        """And has ended."""
        self.close(self.numbers[asset])

    def open(self, asset: int) -> None:
        """One more scored finding of this asset is open."""
        self.told[asset] = self.told.get(asset, 0) + 1

    def close(self, asset: int) -> None:
        """One fewer."""
        left = self.told.get(asset, 0) - 1
        if left > 0:
            self.told[asset] = left
        else:
            self.told.pop(asset, None)

    def _tells(self, asset: int, p: float) -> bool:
        budget, alarms = self.budget_of(asset), self.told.get(asset, 0) > 0
        if p >= 1.0:
            return alarms or budget.admit_unknown()
        return (alarms and p <= _JOINS * budget.level) or budget.admit(p)

    def fused(self, signal: int, p: float) -> float:
        """The p-value of the signal's asset when one of its tests has this one."""
        return 1.0 if p >= 1.0 else fuse.min_p(p, self.effective(int(self.asset_of[signal])))

    def evidence(self, report: Record, fused: float, regime: str, signals: Mapping[int, Signal]) -> Evidence:
        """Why the episode of this report is told."""
        number, detector = int(report["signal"]), int(report["detector"])
        asset = int(self.asset_of[number])
        calibrated = detector >= FIRST_SCORED and fused < 1.0
        learnt = bool(np.isfinite(report["centre"]))  # not while a signal has brought no good value
        return Evidence(
            p=fused if calibrated else None,
            expected_per_day=self.budget_of(asset).expected_per_day(fused) if calibrated else None,
            centre=float(report["centre"]) if learnt else None,
            spread=float(report["spread"]) if learnt else None,
            contributions=self._contributions(asset, number, float(report["p"]), int(report["side"]), signals),
            regime=regime,
            earlier=self.earlier.get((number, detector)),
        )

    def end_blocks(self, block: int, oddest: NDArray[np.float64], side: NDArray[np.int8]) -> None:
        """Block `block` begins; oddest [signals]: p-values of the blocks that ended since the last call, else NaN."""
        passed = min(block - self.block, DAY_BLOCKS) if self.block else 0
        self.block = block
        self.oddest, self.side = oddest, side
        smallest = np.full(len(self.assets), np.nan)
        for asset in np.flatnonzero(np.diff(self.member_start)):
            of = oddest[self.members[self.member_start[asset] : self.member_start[asset + 1]]]
            known = of[np.isfinite(of)]
            if len(known) and not self.told.get(int(asset)):
                smallest[asset] = known.min()
        self.mean, self.blocks = fuse.learn_effective(self.mean, self.blocks, smallest)
        for budget in self.budgets:
            budget.pass_time(passed / DAY_BLOCKS)

    def _contributions(
        self, asset: int, number: int, p: float, side: int, signals: Mapping[int, Signal]
    ) -> tuple[Contribution, ...]:
        """This signal with its score now, the others of its asset with that of the block before."""
        numbers: Sequence[int] = self.members[self.member_start[asset] : self.member_start[asset + 1]].tolist()
        weights = {n: -float(np.log(self.oddest[n])) for n in numbers if np.isfinite(self.oddest[n])}
        weights[number] = max(-float(np.log(max(p, 1e-30))), weights.get(number, 0.0), 1.0)
        total = sum(weights.values())
        greatest = sorted(weights, key=lambda n: (-weights[n], n))[:_MOST]
        return tuple(
            Contribution(signals[n].path, weights[n] / total, side if n == number else int(self.side[n]))
            for n in greatest
        )
