"""(g) The fused event kernel, as the engine drives it, against River's detectors composed to the same judgement.

Both judge the same stream of 1,000 signals: z from clipped exponentially weighted moments that are never surer than the
sensor's smallest step, a slow mean, a change detector on residuals whitened by the lag-1 covariance, a flatline count.
What River has no part for is plain Python.
Rounds alternate, each figure is the median of its rounds, in CPU time of one thread: other work does not disturb it.
"""

import math
import statistics
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from river import drift, stats

from tests.benchmark.record import Result
from twin.kernels.entry import events, tick
from twin.kernels.layout import REPORT, Columns, Model, empty_blocks, hot_blocks
from twin.monitor.plan import make_plan
from twin.plant.calendar import Calendar
from twin.plant.tree import Asset, Kind, Level, Plant, Signal
from twin.throughput.shifts import ShiftBounds

SIGNALS = 1_000
START_NS, PERIOD_NS = 1_795_000_000_000_000_000, 4_000_000_000
PER_BATCH = 10  # values of each signal in a batch: 10,000 samples, the most that an edge puts into one
WARM, OURS, RIVERS = 1_200, 400, 100  # instants: until every detector judges, then per round
ROUNDS = 5
GOAL = 300


class RiverSignal:
    """One signal with River's parts: what the kernel judges, composed."""

    __slots__ = ("before", "change", "cov", "mean", "run", "slow", "step", "var")

    def __init__(self) -> None:
        self.mean, self.var, self.slow = stats.EWMean(0.01), stats.EWVar(0.01), stats.EWMean(0.001)
        self.cov = stats.EWMean(0.01)
        self.change = drift.PageHinkley()  # mode "both"
        self.run, self.before, self.step = 0, math.nan, math.inf

    def judge(self, value: float) -> bool:
        mean, before = self.mean.get(), self.before
        change = abs(value - before)
        if 0.0 < change < self.step:
            self.step = change
        variance = max(self.var.get(), self.step * self.step if change == change and self.step < 1e9 else 0.0)
        spread = math.sqrt(variance) if variance > 0.0 else 1.0
        deviation = value - mean
        z = deviation / spread
        lag = before - mean if before == before else 0.0
        phi = min(max(self.cov.get() / (spread * spread), 0.0), 0.98)
        self.change.update(min(max((z - phi * lag / spread) / math.sqrt(1.0 - phi * phi), -4.0), 4.0))
        bounded = mean + min(max(deviation, -4.0 * spread), 4.0 * spread)
        self.mean.update(bounded)
        self.var.update(bounded)
        self.slow.update(bounded)
        self.cov.update((bounded - mean) * lag)
        self.run = self.run + 1 if value == before else 0
        self.before = value
        return abs(z) > 6 or self.change.drift_detected or self.run > 30


class Kernel:
    """The engine's blocks for a plant of measurements; `judge` is what `Engine` does with a batch, without its fold."""

    def __init__(self) -> None:
        path = "site/area/unit"
        signals = tuple(
            Signal(f"{path}/s{i}", path, f"s{i}", f"S{i}", Kind.MEASUREMENT, "", -1e6, 1e6, None, 4.0, 20.0, {}, None)
            for i in range(SIGNALS)
        )
        unit = Asset(path, "unit", "Unit", Level.UNIT, "machine", None, tuple(one.path for one in signals), "always")
        calendar = Calendar("always", "UTC", (), frozenset(), ())
        plant = Plant("test", "Test", "1", (unit,), signals, (), {}, {"always": calendar})
        self.plan = make_plan(plant, {signal.path: number for number, signal in enumerate(signals)})
        self.blocks = empty_blocks(self.plan.size, self.plan.counters)
        self.blocks.exact["kind"] = self.plan.config["kind"]
        self.shifts = ShiftBounds(self.plan.calendars)
        self.reports = np.zeros(65_536, REPORT)

    def judge(self, batch: Columns) -> None:
        plan, shifts, begin = self.plan, self.shifts, 0
        model = Model(plan.config, plan.members, plan.member_start, shifts.bounds, shifts.start)
        while begin < len(batch.signal):
            begin, _ = events(batch, begin, self.blocks, model, self.reports)


def _values(instants: int) -> NDArray[np.float64]:
    """[instants, SIGNALS]: noise that remembers, as sensors have."""
    noise = np.random.default_rng(7).standard_normal((instants, SIGNALS))
    for at in range(1, instants):
        noise[at] = 0.6 * noise[at - 1] + 0.8 * noise[at]
    return 20.0 + noise


def _batches(values: NDArray[np.float64], first: int, order: str) -> list[Columns]:
    """Instants as batches. `time`: as they arrive; `signal`: sorted by signal and time, as the store admits them."""
    found: list[Columns] = []
    for at in range(0, len(values), PER_BATCH):
        block = values[at : at + PER_BATCH]
        signal, instant = (
            np.tile(np.arange(SIGNALS, dtype=np.int32), PER_BATCH),
            np.repeat(np.arange(PER_BATCH), SIGNALS),
        )
        time_ns = START_NS + (first + at + instant) * PERIOD_NS
        by = np.lexsort((time_ns, signal)) if order == "signal" else np.arange(len(signal))
        quality = np.zeros(len(by), np.uint8)
        found.append(Columns(signal[by], time_ns[by], block.reshape(-1)[by], quality, time_ns[by], 0))
    return found


def _ours_rate(kernel: Kernel, batches: Sequence[Columns]) -> float:
    started_s = time.thread_time()
    for batch in batches:
        kernel.judge(batch)
    return len(batches) * PER_BATCH * SIGNALS / (time.thread_time() - started_s)


class Dense:
    """The dense entry: every signal at every instant, already in one float32 row relative to its origin."""

    def __init__(self) -> None:
        self.hot, self.before = hot_blocks(SIGNALS), np.full(SIGNALS, np.nan, np.float32)
        self.z, self.exceeded = np.zeros(SIGNALS, np.float32), np.zeros(SIGNALS, np.uint8)

    def rate(self, values: NDArray[np.float64]) -> float:
        rows = (values - 20.0).astype(np.float32)
        same = rows == np.vstack([self.before, rows[:-1]])
        self.before = rows[-1]
        started_s = time.thread_time()
        for row, held in zip(rows, same, strict=True):
            tick(row, held, np.float32(4.0), np.float32(30.0), self.hot, self.z, self.exceeded)
        return rows.size / (time.thread_time() - started_s)


def _river_rate(river: Sequence[RiverSignal], rows: Sequence[Sequence[float]]) -> float:
    started_s = time.thread_time()
    for row in rows:
        for one, value in zip(river, row, strict=True):
            one.judge(value)
    return len(rows) * SIGNALS / (time.thread_time() - started_s)


def measure() -> list[Result]:
    """Samples per second of both, rounds in turn."""
    values = _values(WARM + ROUNDS * OURS)
    kernels = {order: Kernel() for order in ("time", "signal")}
    river, dense = [RiverSignal() for _ in range(SIGNALS)], Dense()
    dense.rate(values[:WARM])
    for order, kernel in kernels.items():
        _ours_rate(kernel, _batches(values[:WARM], 0, order))
    _river_rate(river, values[:RIVERS].tolist())
    ours: dict[str, list[float]] = {order: [] for order in kernels}
    theirs: list[float] = []
    ticks: list[float] = []
    for at in range(WARM, len(values), OURS):
        for order, kernel in kernels.items():
            ours[order].append(_ours_rate(kernel, _batches(values[at : at + OURS], at, order)))
        ticks.append(dense.rate(values[at : at + OURS]))
        theirs.append(_river_rate(river, values[at : at + RIVERS].tolist()))
    peer = statistics.median(theirs)
    what = "event kernel, batches of 10,000 samples of 1,000 signals "
    return [
        _result("g-kernel-river", what + "in order of arrival, one core", ours["time"], peer),
        _result("g-kernel-river-sorted", what + "sorted by signal, one core", ours["signal"], peer),
        _result("g-kernel-river-dense", "dense kernel, one instant of 1,000 signals at a time, one core", ticks, peer),
    ]


def _result(name: str, what: str, rates: list[float], peer: float) -> Result:
    rate = statistics.median(rates)
    composed = "River 3 × EWMean, EWVar, PageHinkley on whitened residuals, flatline count"
    return Result(name, what, rate, "samples/s", f"≥ {GOAL} × River", rate >= GOAL * peer, composed, rate / peer)
