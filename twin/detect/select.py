"""Which detectors of stretches suit a signal, without labels: faults made up and put into its own clean history.

In: clean history of one signal. Out: what each detector found of each kind of fault, how alike its limits are in the
two halves, and which ones are chosen, with the reason in words. Pure; the same history gives the same choice.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.detect.subsequence import Scorer, StretchModel
from twin.detect.subsequence_fit import FITS, period_of
from twin.errors import Rejected

Floats = NDArray[np.float64]

QUANTILE = 0.999  # of the scores of clean history: the limit in the trial
TRIALS = 6  # of each kind of fault
MOST = 14_400  # samples of the history that a choice is made by, the newest ones
LEAST_RECALL, LEAST_STABILITY = 0.5, 0.5
_FIT_SHARE = 0.5
_LEAST_LENGTHS = 40  # of stretches, before there is anything to choose by


@dataclass(frozen=True, slots=True)
class Trial:
    """How one detector did."""

    detector: str
    recall: Mapping[str, float]  # by kind of fault
    stability: float  # 0 to 1: the smaller of the limits of the two halves over the greater

    @property
    def mean(self) -> float:
        """Mean recall over the kinds."""
        return float(np.mean(list(self.recall.values())))


@dataclass(frozen=True, slots=True)
class Choice:
    """The detectors that a signal gets, best first; none where none is good enough."""

    length: int  # samples of a stretch
    chosen: tuple[str, ...]
    trials: tuple[Trial, ...]
    reasons: Mapping[str, str]  # by detector


def spike(stretch: Floats, size: float, rng: np.random.Generator) -> Floats:
    """One sample far away."""
    told = stretch.copy()
    told[rng.integers(len(told))] += 6.0 * size * rng.choice([-1.0, 1.0])
    return told


def level(stretch: Floats, size: float, rng: np.random.Generator) -> Floats:
    """A step that lasts."""
    return stretch + 3.0 * size * rng.choice([-1.0, 1.0]) * (np.arange(len(stretch)) >= len(stretch) // 4)


def drift(stretch: Floats, size: float, rng: np.random.Generator) -> Floats:
    """A slope."""
    return stretch + 4.0 * size * rng.choice([-1.0, 1.0]) * np.linspace(0.0, 1.0, len(stretch))


def noise(stretch: Floats, size: float, rng: np.random.Generator) -> Floats:
    """Noise as great as the signal."""
    return stretch + size * rng.standard_normal(len(stretch))


def flat(stretch: Floats, size: float, rng: np.random.Generator) -> Floats:
    """The value stands still."""
    del size, rng
    return np.full_like(stretch, stretch[0])


def missing_cycle(stretch: Floats, size: float, rng: np.random.Generator) -> Floats:
    """A cycle that did not take place: a straight line with the signal's smallest changes."""
    del size
    change = np.abs(np.diff(stretch))
    line: Floats = np.asarray(np.linspace(float(stretch[0]), float(stretch[-1]), len(stretch)), np.float64)
    return line + 0.5 * float(np.quantile(change, 0.25)) * rng.standard_normal(len(stretch))


FAULTS: Mapping[str, Callable[[Floats, float, np.random.Generator], Floats]] = {
    "spike": spike,
    "level": level,
    "drift": drift,
    "noise": noise,
    "flat": flat,
    "missing cycle": missing_cycle,
}


def choose(history: Floats, *, seed: int = 0) -> Choice:
    """Try every detector on made-up faults in the second half of the history, fitted to the first.

    Raises:
        Rejected: `too-few-samples`.
    """
    newest = history[-MOST:]
    length = period_of(newest)
    if len(newest) < _LEAST_LENGTHS * length:
        need = _LEAST_LENGTHS * length
        raise Rejected("too-few-samples", f"{len(newest)} samples, {need} are needed for stretches of {length}")
    trials = tuple(_try(name, newest, length, seed) for name in FITS)
    good = [one for one in trials if one.mean >= LEAST_RECALL and one.stability >= LEAST_STABILITY]
    best = sorted(good, key=lambda one: (-one.mean, one.detector))[:2]
    return Choice(length, tuple(one.detector for one in best), trials, {one.detector: _reason(one) for one in trials})


def _reason(trial: Trial) -> str:
    found = ", ".join(f"{kind} {share:.0%}" for kind, share in trial.recall.items())
    stable = f"limits of the two halves differ by a factor of {1.0 / max(trial.stability, 1e-9):.1f}"
    return f"found of made-up faults: {found}; {stable}"


def _try(name: str, history: Floats, length: int, seed: int) -> Trial:
    half = int(len(history) * _FIT_SHARE)
    first, second = history[:half], history[half:]
    model = FITS[name](first, length)
    limits = [_limit(model, second), _limit(FITS[name](second, length), first)]
    rng, size = np.random.default_rng(seed), float(first.std())
    recall = {
        kind: _recall(model, second, limits[0], lambda one, make=make: make(one, size, rng))
        for kind, make in FAULTS.items()
    }
    return Trial(name, recall, min(limits) / max(*limits, 1e-12))


def _limit(model: StretchModel, clean: Floats) -> float:
    return float(np.nanquantile(Scorer(model).score(clean), QUANTILE))


def _recall(model: StretchModel, clean: Floats, limit: float, spoil: Callable[[Floats], Floats]) -> float:
    """The share of made-up faults that are found, at places spread evenly over the clean history."""
    length = model.length
    hits, room = 0, len(clean) // TRIALS
    for trial in range(TRIALS):
        at = trial * room + (room - length) // 2
        values = clean[at - length : at + 2 * length].copy()
        values[length : 2 * length] = spoil(values[length : 2 * length])
        hits += bool(np.nanmax(Scorer(model).score(values)[length:]) > limit)
    return hits / TRIALS
