"""Odd frames → episodes: when a score opens one, which are told, when it ends; and what its score means (tiers B, C).

In: scores of frames of one stream (an asset's bank, one detector of stretches), the area's budget. Out: events. Blocks
of ten minutes without a fault are learnt as they pass, so that a p-value is one of this very stream. Pure.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from twin.detect.calibrate import Calibration
from twin.kernels.layout import TAIL
from twin.state.model import Contribution, Evidence, Finding

ON_FRAMES = 3  # beyond the limit one after the other, before a finding opens
OFF_FRAMES = 30  # within the limit one after the other, before it ends
WORSE = 1.25  # times the score that was told or refused last
CANDIDATES, CANDIDATE_MOST = 100.0, 0.02  # times the budget's level may ask; the most of a stream's blocks
PROVISIONAL_FACTOR, PROVISIONAL_BLOCKS = 1.5, 3  # above the greatest score seen, while the tail is not known


class Event(Enum):
    """What became of an episode."""

    OPENED = "opened"
    WORSE = "worse"
    ENDED = "ended"


class Gate(Protocol):
    """The budgets of the areas."""

    def level(self, asset: str) -> float:
        """The p-value of a block at which the assets of this area together give the budget."""
        ...

    def admit_asset(self, asset: str, p: float) -> bool:
        """Whether something odd on this asset is told; p = 1 while its chance is not known."""
        ...

    def opened(self, asset: str) -> None:
        """A finding of this asset has opened."""
        ...

    def ended(self, asset: str) -> None:
        """And has ended."""
        ...

    def expected_per_day(self, asset: str, p: float) -> float:
        """Alarms a day of the asset's area at this level without a fault."""
        ...


@dataclass(slots=True)
class Spell:
    """What is going on in one stream; with its tail it is all that a snapshot keeps."""

    streak: int = 0  # frames beyond the limit
    quiet: int = 0  # frames within it since then
    since_ns: int = 0  # end of the first of them
    last_ns: int = 0  # end of the last of them
    peak: float = 0.0
    asked: float = 0.0  # the score that was told or refused last
    last: float = 0.0  # greatest score of the newest finding
    frames: int = 0  # of the running block
    greatest: float = 0.0  # of the running block
    seen: float = 0.0  # of all blocks without a fault
    finding: Finding | None = None
    earlier: UUID | None = None  # the last finding that has ended


@dataclass(slots=True)
class Stream:
    """One score with its calibration; `floor` is a limit that holds as well, `tests` how many streams its asset has."""

    asset: str
    per_block: int  # frames of a block
    gate: Gate
    floor: float = 0.0
    tests: float = 1.0
    guess: Callable[[float], float] = lambda _score: 1.0  # the p-value of a score while too few blocks are known
    spell: Spell = field(default_factory=Spell)
    calibration: Calibration = field(default_factory=lambda: Calibration(1))

    def learn(self, maxima: NDArray[np.float64]) -> None:
        """The greatest scores of blocks without a fault, from history."""
        for one in maxima.tolist():
            self._observe(one)

    def _observe(self, greatest: float) -> None:
        self.spell.seen = max(self.spell.seen, greatest)
        self.calibration.observe(_ONE, np.array([greatest]))

    @property
    def blocks(self) -> int:
        """How many it has learnt."""
        return int(self.calibration.records["blocks"][0])

    def known(self) -> bool:
        """Whether its scores have p-values."""
        return bool(self.calibration.known()[0])

    def limit(self) -> float:
        """The score from which an episode may begin."""
        if self.known():
            level = min(CANDIDATES * self.gate.level(self.asset) / self.tests, CANDIDATE_MOST)
            return max(float(self.calibration.limit(_ONE, level)[0]), self.floor)
        if self.blocks < PROVISIONAL_BLOCKS and self.floor <= 0.0:
            return float("inf")
        return max(PROVISIONAL_FACTOR * self.spell.seen, self.floor)

    def p(self, score: float) -> float:
        """The chance that ten minutes of this asset without a fault are as odd as this; 1 while it is not known."""
        p = float(self.calibration.p(_ONE, np.array([score]))[0]) if self.known() else self.guess(score)
        return p if p >= 1.0 else float(-np.expm1(self.tests * np.log1p(-min(p, 1.0 - 1e-16))))

    def follow(self, scores: Sequence[float], ends_ns: Sequence[int]) -> Iterator[tuple[int, Event]]:
        """Frame by frame, NaN is passed over; the caller puts the finding into `spell.finding`, and calls `end`."""
        limit, spell = self.limit(), self.spell
        for n, (value, end_ns) in enumerate(zip(scores, ends_ns, strict=True)):
            if value != value:  # NaN: there is no stretch yet
                continue
            if value > limit:
                yield from ((n, event) for event in self._beyond(value, end_ns))
            else:
                yield from ((n, event) for event in self._within())
            spell.frames, spell.greatest = spell.frames + 1, max(spell.greatest, min(value, limit))
            if spell.frames >= self.per_block:
                if spell.finding is None:
                    self._observe(spell.greatest)
                    limit = self.limit()
                spell.frames, spell.greatest = 0, 0.0

    def _beyond(self, value: float, end_ns: int) -> Iterator[Event]:
        spell = self.spell
        if spell.streak == 0 and spell.finding is None:
            spell.since_ns, spell.peak = end_ns, 0.0
        spell.peak = max(spell.peak, value)
        spell.streak, spell.quiet, spell.last_ns = spell.streak + 1, 0, end_ns
        if (spell.streak < ON_FRAMES and spell.finding is None) or spell.peak < WORSE * spell.asked:
            return
        spell.asked = spell.peak
        if spell.finding is not None:
            spell.last = spell.peak
            yield Event.WORSE
        elif self.gate.admit_asset(self.asset, self.p(spell.peak)):
            self.gate.opened(self.asset)
            spell.last = spell.peak
            yield Event.OPENED

    def _within(self) -> Iterator[Event]:
        spell = self.spell
        spell.streak, spell.quiet = 0, spell.quiet + 1
        if spell.quiet < OFF_FRAMES:
            return
        spell.asked = 0.0
        if spell.finding is not None:
            yield Event.ENDED

    def end(self) -> Finding | None:
        """End what is open now; the finding as it is told when it ends."""
        spell, finding = self.spell, self.spell.finding
        if finding is None:
            return None
        self.gate.ended(self.asset)
        spell.finding, spell.earlier, spell.asked, spell.last = None, finding.id, 0.0, spell.peak
        return replace(finding, until_ns=spell.last_ns, score=spell.peak)

    def called_false(self) -> bool:
        """An operator says that the newest finding was no fault: a block with more than its score was normal."""
        if self.spell.last <= 0.0:
            return False
        self._observe(WORSE * self.spell.last)
        return True

    def rejoin(self) -> None:
        """After a restart: what is open counts as such."""
        if self.spell.finding is not None:
            self.gate.opened(self.asset)

    def told(self) -> dict[str, Any]:
        """For the snapshot."""
        return {"spell": self.spell, "tail": self.calibration.records.tobytes().hex()}

    def restore(self, told: dict[str, Any]) -> None:
        """Go on from `told`."""
        kept = dict(told["spell"])
        finding, earlier = finding_from(kept.pop("finding")), kept.pop("earlier")
        self.spell = Spell(**kept, finding=finding, earlier=None if earlier is None else UUID(earlier))
        self.calibration.records[:] = np.frombuffer(bytes.fromhex(told["tail"]), TAIL)


_ONE = np.zeros(1, np.int64)


def finding_from(kept: dict[str, Any] | None) -> Finding | None:
    """A finding as it stands in a snapshot."""
    if kept is None:
        return None
    evidence = dict(kept["evidence"])
    told = tuple(Contribution(**one) for one in evidence.pop("contributions"))
    earlier = evidence.pop("earlier")
    whole = Evidence(**evidence, contributions=told, earlier=None if earlier is None else UUID(earlier))
    named: dict[str, Any] = {**kept, "id": UUID(kept["id"]), "evidence": whole}
    return Finding(**named)
