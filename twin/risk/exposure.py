"""Person-period table: at which instants an asset could have failed, and whether it did within each horizon.

In: the life of each asset in hours (what was observed, faults, downtime, maintenance). Out: rows on a regular grid with
one label per interval between two horizons. An asset enters late (left truncation), is unknown in gaps, and leaves at
the end of what was observed (censoring): a row whose horizon reaches beyond that says nothing about it, also when a
fault came before. Planned maintenance may have prevented a fault: such rows are left out, and those that resemble them
weigh more (inverse probability of censoring; Robins and Finkelstein 2000, 10.1111/j.0006-341X.2000.00779.x).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Hours = NDArray[np.float64]
EVENT, NO_EVENT, UNKNOWN = 1, 0, -1
_MOST_WEIGHT = 10.0


def _none() -> Hours:
    return np.empty(0)


@dataclass(frozen=True, slots=True)
class Life:
    """One asset's history; instants in hours on any one scale, spans [k, 2] sorted and disjoint."""

    observed: Hours  # [k, 2] spans in which a fault would have been seen
    failures: Hours = field(default_factory=_none)  # [f] when a fault began, ascending
    down: Hours = field(default_factory=lambda: np.empty((0, 2)))  # [d, 2] spans in which it was out of service
    treated: Hours = field(default_factory=_none)  # [m] when planned maintenance began
    renewed: Hours = field(default_factory=_none)  # [r] when its use is counted anew


@dataclass(frozen=True, slots=True)
class Rows:
    """Instants of many assets, side by side."""

    asset: NDArray[np.intp]  # [n] which life
    at: Hours  # [n]
    labels: NDArray[np.int8]  # [n, intervals] EVENT, NO_EVENT or UNKNOWN
    weight: Hours  # [n, intervals]
    failure: NDArray[np.intp]  # [n] the failure that comes next, numbered over all lives; -1: none is known
    to_failure: Hours  # [n] hours until then; inf: none is known
    censored: int  # labels that maintenance has made unknown

    def take(self, chosen: NDArray[np.intp]) -> "Rows":
        """The chosen rows."""
        return Rows(
            self.asset[chosen],
            self.at[chosen],
            self.labels[chosen],
            self.weight[chosen],
            self.failure[chosen],
            self.to_failure[chosen],
            self.censored,
        )

    def within(self, intervals: int) -> "Rows":
        """The same rows with the first intervals only."""
        return replace(self, labels=self.labels[:, :intervals], weight=self.weight[:, :intervals])

    def __len__(self) -> int:
        return len(self.at)

    def events(self, interval: int | None = None) -> int:
        """Different failures that a label of this interval, or of any, stands for."""
        chosen = self.labels[:, : None if interval is None else interval + 1] == EVENT
        return len(np.unique(self.failure[chosen.any(axis=1)]))


def person_period(
    lives: Sequence[Life], horizons: Sequence[float], *, step: float, burn_in: float = 0.0, since: float | None = None
) -> Rows:
    """Every `step` hours of each life, down time and the first `burn_in` hours after it left out.

    `horizons`, ascending, cut the time ahead into intervals (0, h₁], (h₁, h₂] …; the label of an interval is that of a
    fault in it among the rows that had none before it.
    """
    grids = [_grid(life, step, burn_in, since) for life in lives]
    at = np.concatenate([np.empty(0), *grids])
    asset = np.repeat(np.arange(len(lives)), [len(grid) for grid in grids])
    ahead = [_ahead(life, grid) for life, grid in zip(lives, grids, strict=True)]
    to_failure = np.concatenate([np.empty(0), *(one.failure for one in ahead)])
    to_treatment = np.concatenate([np.empty(0), *(one.treatment for one in ahead)])
    to_end = np.concatenate([np.empty(0), *(one.end for one in ahead)])
    before = np.cumsum([0, *(len(life.failures) for life in lives)])
    numbers = [np.where(one.number < 0, -1, one.number + first) for one, first in zip(ahead, before, strict=False)]
    failure = np.concatenate([np.empty(0, np.intp), *numbers])
    treatment_rate = _rate(to_failure, to_treatment, to_end, horizons)
    labels = np.full((len(at), len(horizons)), UNKNOWN, np.int8)
    weight = np.ones((len(at), len(horizons)))
    censored = 0
    begin = 0.0
    for number, end in enumerate(horizons):
        alive = (to_failure > begin) & (to_treatment >= begin) & (to_end >= end)
        event = alive & (to_failure <= end) & (to_failure <= to_treatment)
        nothing = alive & (to_failure > end) & (to_treatment >= end)
        labels[event, number], labels[nothing, number] = EVENT, NO_EVENT
        censored += int(np.count_nonzero(alive & ~event & ~nothing))
        seen = np.minimum(to_failure, end) - begin
        weight[:, number] = np.minimum(np.exp(treatment_rate * np.where(alive, seen, 0.0)), _MOST_WEIGHT)
        begin = end
    return Rows(asset, at, labels, weight, failure, to_failure, censored)


def _grid(life: Life, step: float, burn_in: float, since: float | None) -> Hours:
    """Whole multiples of `step` inside the observed spans, outside downtime and what follows it."""
    spans: list[Hours] = [
        np.arange(np.ceil(begin / step), np.ceil(end / step)) * step for begin, end in life.observed.tolist()
    ]
    at: Hours = np.concatenate([np.empty(0), *spans])
    if since is not None:
        at = at[at >= since]
    for begin, end in life.down.tolist():
        at = at[(at < begin) | (at >= end + burn_in)]
    return at


class _Ahead(NamedTuple):
    """From each instant on."""

    failure: Hours  # hours to the next failure
    treatment: Hours
    end: Hours  # of what is observed
    number: NDArray[np.intp]  # of that failure; -1: none is known


def _ahead(life: Life, at: Hours) -> _Ahead:
    ends = life.observed[:, 1]
    last = np.searchsorted(ends, at, "right")
    end = np.append(ends, -np.inf)[last]
    place = np.searchsorted(life.failures, at, "right")
    failure = np.append(life.failures, np.inf)[place]
    known = failure <= end
    treatment = np.append(np.sort(life.treated), np.inf)[np.searchsorted(np.sort(life.treated), at, "right")]
    return _Ahead(
        np.where(known, failure, np.inf) - at,
        np.where(treatment <= np.minimum(end, failure), treatment, np.inf) - at,
        end - at,
        np.where(known, place, -1),
    )


def _rate(to_failure: Hours, to_treatment: Hours, to_end: Hours, horizons: Sequence[float]) -> float:
    """Treatments per hour of rows that await one, failure or the end, over the longest horizon."""
    seen = np.minimum(np.minimum(to_failure, to_treatment), np.minimum(to_end, max(horizons)))
    treated = np.count_nonzero(np.isfinite(to_treatment) & (to_treatment <= seen))
    return float(treated / seen.sum()) if len(seen) and seen.sum() > 0 else 0.0
