"""A counter's samples → what was made and when; and estimated parts spread over the time in which the machine ran.

In: samples of one counter in the order of time, the counter's memory before them. Out: `Made` columns. Pure.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from twin.kernels.layout import COUNT, Record, count_block
from twin.plant.elements import Element
from twin.throughput.elements import NUMBER, TimeLine


@dataclass(frozen=True, slots=True)
class Made:
    """n increments of one counter, ascending; `parts` were made in (since, at]."""

    since: NDArray[np.int64]  # [n] ns UTC
    at: NDArray[np.int64]  # [n] ns UTC
    parts: NDArray[np.int64]  # [n] > 0
    estimated: NDArray[np.bool_]  # [n] counted across a gap: exact in number, estimated in time

    def __len__(self) -> int:
        return len(self.at)


def new_counter() -> NDArray[np.void]:
    """The memory of a counter that was never read, shape [1]."""
    return count_block(np.zeros(1, np.int32))


def memory_hash() -> str:
    """16 hex digits that change with the layout or the limits of the counter rules: older memories are not reused."""
    from twin.kernels import counters  # see count_series

    limits = sorted(
        f"{name}={value!r}"
        for name, value in vars(counters).items()
        if name.isupper() and isinstance(value, int | float | tuple)
    )
    return hashlib.sha256("\n".join([str(COUNT.descr), *limits]).encode()).hexdigest()[:16]


def count_series(
    memory: NDArray[np.void],
    time: NDArray[np.int64],
    value: NDArray[np.float64],
    good: NDArray[np.bool_],
    gap_ns: int,
    parts_per_count: int = 1,
) -> Made:
    """What the samples brought; `memory` (shape [1]) is advanced in place. gap_ns: longer silence makes an estimate."""
    from twin.kernels.counters import increments  # the compiler is loaded by whoever counts, not by every reader

    size = len(time)
    since, parts, estimated = np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros(size, np.bool_)
    record: Record = memory[0]
    increments(record, time, value, good, gap_ns, since, parts, estimated)
    some = parts > 0
    return Made(since[some], time[some], parts[some] * parts_per_count, estimated[some])


def joined(several: list[Made]) -> Made:
    """Increments of several counters, or of several stretches, in the order of time."""
    if not several:
        nothing = np.zeros(0, np.int64)
        return Made(nothing, nothing, nothing, np.zeros(0, np.bool_))
    columns = [
        np.concatenate(list(column))
        for column in zip(*((m.since, m.at, m.parts, m.estimated) for m in several), strict=True)
    ]
    order = np.argsort(columns[1], kind="stable")
    since, at, parts, estimated = (column[order] for column in columns)
    return Made(since, at, parts, estimated)


def linear(at: NDArray[np.int64], x: NDArray[np.int64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Between the points (x, y), ascending in x; the ends hold beyond them."""
    return cast("NDArray[np.float64]", cast("Any", np.interp)(at, x, y))


class RunTime:
    """How long the machine has produced since the beginning of its time line, at any instant of it."""

    def __init__(self, line: TimeLine) -> None:
        produces = line.element == NUMBER[Element.PRODUCTION]
        self._bounds: NDArray[np.int64] = np.append(line.start, line.end[-1:])
        self._ran_ns: NDArray[np.int64] = np.append(0, np.cumsum(np.where(produces, line.end - line.start, 0)))

    def until_s(self, at: NDArray[np.int64]) -> NDArray[np.float64]:
        """Seconds of production before each instant."""
        origin = self._bounds[0]
        return linear(at - origin, self._bounds - origin, self._ran_ns / 1e9)

    def known(self, at: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the instants lie in the time line."""
        return (at >= self._bounds[0]) & (at <= self._bounds[-1])


def parts_by_slice(made: Made, bounds: NDArray[np.int64], run: RunTime) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Whole parts per slice [bounds[i], bounds[i+1]), and how many of them are estimated.

    What was counted across a gap is spread over the production time within it, or evenly where none is known; the
    slices' shares add up to it exactly. Shares outside all slices are left out.
    """
    slices = len(bounds) - 1
    total, guessed = np.zeros(slices, np.int64), np.zeros(slices, np.int64)
    sure = ~made.estimated
    place = np.searchsorted(bounds, made.at[sure], side="right") - 1
    inside = (place >= 0) & (place < slices)
    np.add.at(total, place[inside], made.parts[sure][inside])
    for since, at, parts in zip(
        made.since[made.estimated].tolist(),
        made.at[made.estimated].tolist(),
        made.parts[made.estimated].tolist(),
        strict=True,
    ):
        share = np.diff(_made_until(bounds, since, at, parts, run))
        total += share
        guessed += share
    return total, guessed


def _made_until(bounds: NDArray[np.int64], since: int, at: int, parts: int, run: RunTime) -> NDArray[np.int64]:
    """How many of the parts were made before each bound, whole."""
    clipped = np.clip(bounds, since, at)
    ends = np.array([since, at])
    ran = run.until_s(np.append(ends, clipped)) if bool(run.known(ends).all()) else np.zeros(len(bounds) + 2)
    whole = float(ran[1] - ran[0])
    if whole <= 0:
        return np.floor(parts * ((clipped - since) / (at - since))).astype(np.int64)
    return np.floor(parts * ((ran[2:] - ran[0]) / whole) + 1e-9).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Cycles:
    """Production time per part of n cycles, and when each ended."""

    at: NDArray[np.int64]  # [n] ns UTC
    cycle_s: NDArray[np.float64]  # [n] per part
    parts: NDArray[np.int64]  # [n]


def cycles_of(made: Made, run: RunTime) -> Cycles:
    """Cycles between completions that were seen; several parts at once are the cavities of one cycle."""
    at, first = np.unique(made.at, return_index=True)
    if not len(at):
        return Cycles(at, np.zeros(0), made.parts)
    parts = np.add.reduceat(made.parts, first)
    seen = ~np.logical_or.reduceat(made.estimated, first)
    some = parts > 0  # a part that later turns out bad completes no cycle
    at, parts, seen = at[some], parts[some], seen[some]
    ran_s = np.diff(run.until_s(at))
    kept = seen[1:] & seen[:-1] & (ran_s > 0) & run.known(at[:-1]) & run.known(at[1:])
    return Cycles(at[1:][kept], ran_s[kept] / parts[1:][kept], parts[1:][kept])


SLOW = 1.3  # times the median: a cycle that took longer had a stop in it that no state showed


def slow_s(cycle_s: NDArray[np.float64]) -> float:
    """Seconds by which slow cycles exceed the median: minor stops that no state showed; no speed loss."""
    if not len(cycle_s):
        return 0.0
    median = float(np.median(cycle_s))
    return float((cycle_s[cycle_s > SLOW * median] - median).sum())
