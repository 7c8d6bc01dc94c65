"""A panel of series on one regular grid: what was produced, what was planned, and how the time of day and week recur.

In: quantities per slot and the planned share of each slot. Out: rates per planned slot, which every candidate
forecasts; `quantities` turns them back, so that a slot without planned time is exactly zero.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Panel:
    """S series of n slots that end together, and the plan of the h slots that follow.

    values: [S, n] quantity per slot, never negative where `least` is 0; NaN where nothing is known (also before a
    series began). planned: [S, n + h] planned share of each slot, 0 to 1.
    seasons: slots per cycle, shortest first, e.g. (24, 168) for hours; () when nothing recurs.
    capacity: [S] greatest quantity of a fully planned slot, +inf where unknown.
    least: the lowest quantity there can be, or -inf.
    """

    values: Array
    planned: Array
    seasons: tuple[int, ...]
    capacity: Array
    least: float = 0.0

    def __post_init__(self) -> None:
        series, slots = self.values.shape
        if self.planned.shape[0] != series or self.planned.shape[1] <= slots or self.capacity.shape != (series,):
            raise ValueError("planned must be [S, n + h] with h ≥ 1, capacity [S]")
        if tuple(sorted(set(self.seasons))) != self.seasons or min(self.seasons, default=1) < 1:
            raise ValueError("seasons must be positive and ascending")

    @property
    def horizon(self) -> int:
        """h: how many slots are to be forecast."""
        return self.planned.shape[1] - self.values.shape[1]

    @cached_property
    def rates(self) -> Array:
        """[S, n] quantity per fully planned slot; NaN where nothing was planned or known."""
        planned = self.planned[:, : self.values.shape[1]]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(planned > 0, self.values / planned, np.nan)

    def quantities(self, rates: Array) -> Array:
        """[S, h] rates (or [Q, S, h]) → quantities: within the capacity, exactly zero where nothing is planned."""
        ahead = self.planned[:, self.values.shape[1] :]
        return np.clip(rates, self.least, self.capacity[:, None]) * ahead


def ragged(series: list[Array], horizon: int, seasons: tuple[int, ...], *, least: float = 0.0) -> Panel:
    """A panel of series of different lengths that end together and are always planned."""
    longest = max(map(len, series))
    values = np.full((len(series), longest), np.nan)
    for row, one in zip(values, series, strict=True):
        row[longest - len(one) :] = one
    planned = np.ones((len(series), longest + horizon))
    return Panel(values, planned, seasons, np.full(len(series), np.inf), least)


def mean_of(values: Array, axis: int = -1) -> Array:
    """The mean of what is known along an axis; NaN where nothing is, without a warning."""
    known = ~np.isnan(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def median_of(values: Array, axis: int = 0) -> Array:
    """The median of what is known along an axis; NaN where nothing is, without a warning."""
    ordered = np.sort(values, axis=axis)  # NaN last
    count = (~np.isnan(values)).sum(axis=axis)
    low = np.take_along_axis(ordered, np.expand_dims(np.maximum((count - 1) // 2, 0), axis), axis).squeeze(axis)
    high = (
        np.take_along_axis(ordered, np.expand_dims(np.maximum(count // 2, 0), axis), axis).squeeze(axis)
        if values.shape[axis] > 0
        else low
    )
    high = np.where(count % 2 == 1, low, high)
    return np.where(count > 0, (low + high) / 2, np.nan)
