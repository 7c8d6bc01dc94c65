"""How many alarms a day: the budget of an area, held by a closed loop, and discoveries that no budget holds back. Pure.

In: p-values of assets that look odd, and the passing of time. Out: which of them are told. Time is the twin's own
(source times), so that a replay decides alike.
Sources: online false discovery rate by e-LOND (Xu and Ramdas 2024, arXiv:2306.01452) with equal weights over a sliding
day; adaptive conformal inference (Gibbs and Candès 2021, arXiv:2106.00170) for the loop.
"""

import math
from dataclasses import dataclass

from twin.detect.calibrate import BLOCKS_PER_DAY, budget_level
from twin.detect.fuse import e_value

DISCOVERY_RATE = 0.1
"""The share of false ones among discoveries that are told beyond the budget."""

GAIN, RESET = 3.0, 2.0  # e-folds of the level for a day's budget over- or underspent, and per day of that
BEND = 12.0  # e-folds at most
SAVED_DAYS = 0.5  # budget that is not spent is kept so long
OVERDRAFT_DAYS = 2.0  # an incident overdraws it by so much at most


@dataclass(slots=True)
class AreaBudget:
    """The state of one area's loop; all of it is numbers, so that it goes into a snapshot."""

    alarms_per_day: float
    assets: int
    balance: float = 0.0  # alarms that may still be told; < 0: overspent
    bend: float = 0.0  # slow correction of the level, e-folds
    discoveries: float = 0.0  # in the last day, fading
    told: int = 0  # since the beginning
    days: float = 0.0  # since the beginning

    @classmethod
    def fresh(cls, alarms_per_day: float, assets: int) -> "AreaBudget":
        """A budget that begins, with what may be saved of a day: for what is odd before tails are known."""
        return cls(alarms_per_day, assets, balance=SAVED_DAYS * alarms_per_day)

    @property
    def level(self) -> float:
        """The p-value of an asset's block below which it is told."""
        short = min(self.balance / max(self.alarms_per_day, 1e-9), SAVED_DAYS)
        correction = min(max(self.bend + GAIN * short, -BEND), BEND)
        return min(budget_level(self.alarms_per_day, self.assets) * math.exp(correction), 0.5)

    def expected_per_day(self, p: float) -> float:
        """Alarms a day without a fault at the level `p`: the loop knows which level gives the budget."""
        nominal = budget_level(self.alarms_per_day, self.assets)
        return self.alarms_per_day * _bent(p, nominal, nominal * math.exp(self.bend)) / nominal

    def pass_time(self, days: float) -> None:
        """Time without an alarm earns budget, and slowly loosens the level; an overdraft tightens it."""
        spare = self.alarms_per_day * SAVED_DAYS
        self.balance = min(self.balance + self.alarms_per_day * days, spare)
        short = self.balance / max(self.alarms_per_day, 1e-9)
        self.bend = min(max(self.bend + RESET * short * days, -BEND), BEND)
        self.discoveries *= math.exp(-days)
        self.days += days

    def is_discovery(self, p: float) -> bool:
        """e-LOND: e ≥ tests / (rate × (discoveries + 1)), tests = blocks of all assets in a day.

        Where the loop has had to tighten the level, tails are lighter on paper than in truth: p is bent as far.
        """
        tests = BLOCKS_PER_DAY * max(self.assets, 1)
        nominal = budget_level(self.alarms_per_day, self.assets)
        return e_value(_bent(p, nominal, min(self.level, nominal))) >= tests / (
            DISCOVERY_RATE * (self.discoveries + 1.0)
        )

    def admit(self, p: float) -> bool:
        """Whether an asset whose block has this p-value is told.

        The budget pays, also for discoveries, which are told without asking it.
        """
        if self.is_discovery(p):
            self.discoveries += 1.0
        elif p > self.level:
            return False
        self._pay()
        return True

    def _pay(self) -> None:
        self.balance = min(self.balance, max(self.balance - 1.0, -OVERDRAFT_DAYS * self.alarms_per_day))
        self.told += 1

    def admit_unknown(self) -> bool:
        """Whether something odd is told whose probability is not known yet: while there is budget for a whole one."""
        if self.balance < 1.0:
            return False
        self._pay()
        return True


def _bent(p: float, nominal: float, level: float) -> float:
    """The power of `p` that takes `level`, at which alarms come as often as the budget says, to `nominal`."""
    return math.pow(max(p, 1e-300), math.log(nominal) / math.log(min(level, 0.9)))
