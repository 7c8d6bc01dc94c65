"""Tier A (S1, S2, S3, S11) against River's detectors composed to the same judgement, and the same maths in numpy.

All judge the same stream of 1,000 signals, one value a second. River: z from clipped exponentially weighted moments that
are never surer than the sensor's smallest step, a slow mean, two noise levels, a change detector on residuals whitened
by the lag-1 covariance, a jump, a flatline count; what it has no part for is plain Python. It has neither block maxima
nor limits that are learnt. Dense figures contain the end of each block of ten minutes.
Rounds alternate, each figure is the median of its rounds, in CPU time of one thread: other work disturbs it less.
"""

import math
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from river import drift, stats

from tests.benchmark.record import Result
from tests.benchmark.tier_a_numpy import NumpyRule
from twin.kernels.entry import chances, end_blocks, tick
from twin.kernels.layout import ROWS, hot_records
from twin.monitor.engine import Engine
from twin.plant.calendar import Calendar
from twin.plant.tree import Asset, Kind, Level, Plant, Signal
from twin.samples import SampleBatch, TextColumns
from twin.wire.reading import Lane

SUITE = "detect"
SIGNALS, PER_ASSET = 1_000, 10
START_NS, PERIOD_NS = 1_795_000_000_000_000_000, 1_000_000_000
PER_BATCH = 10  # values of each signal in a batch: 10,000 samples, the most that an edge puts into one
WARM, OURS, NUMPYS, RIVERS = 2_400, 400, 100, 40  # instants: until every detector judges, then per round
ROUNDS = 5
SNAPSHOT_SIGNALS = 100_000
NO_TEXTS = TextColumns(
    np.zeros(0, np.int32),
    np.zeros(0, np.int64),
    (),
    np.zeros(0, np.uint8),
    np.zeros(0, np.int64),
    np.zeros(0, np.int64),
)


class RiverSignal:
    """One signal with River's parts: what the kernel judges, composed."""

    __slots__ = ("before", "change", "cov", "mean", "move", "noise", "run", "slow", "step", "usual", "var")

    def __init__(self) -> None:
        self.mean, self.var, self.slow = stats.EWMean(0.01), stats.EWVar(0.01), stats.EWMean(0.001)
        self.cov, self.move = stats.EWMean(0.01), stats.EWMean(0.01)
        self.noise, self.usual = stats.EWMean(0.05), stats.EWMean(0.001)
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
        innovation = deviation - phi * lag
        self.change.update(min(max(innovation / spread / math.sqrt(1.0 - phi * phi), -4.0), 4.0))
        bounded = mean + min(max(deviation, -4.0 * spread), 4.0 * spread)
        self.mean.update(bounded)
        self.var.update(bounded)
        self.slow.update(bounded)
        self.cov.update((bounded - mean) * lag)
        self.noise.update(abs(innovation))
        self.usual.update(abs(innovation))
        if change == change:
            self.move.update(change)
        self.run = self.run + 1 if value == before else 0
        self.before = value
        creeps = abs(self.mean.get() - self.slow.get()) > 3 * spread
        noisy = self.noise.get() > 5 * self.usual.get()
        jumps = change > 12 * max(self.move.get(), 1e-9)
        return abs(z) > 6 or self.change.drift_detected or self.run > 60 or creeps or noisy or jumps


def plant(size: int, period_s: float = 1.0) -> Plant:
    """A plant of `size` measurements, ten to a unit."""
    top = Asset("site", "site", "Site", Level.SITE, "site", None, (), "always")
    area = Asset("site/area", "area", "Area", Level.AREA, "area", "site", (), "always")
    units: list[Asset] = []
    signals: list[Signal] = []
    for unit in range(size // PER_ASSET):
        path = f"site/area/u{unit}"
        own = [
            Signal(
                f"{path}/s{k}", path, f"s{k}", f"S{k}", Kind.MEASUREMENT, "", -1e6, 1e6, None, period_s, 5.0, {}, None
            )
            for k in range(PER_ASSET)
        ]
        signals += own
        paths = tuple(one.path for one in own)
        units.append(Asset(path, f"u{unit}", f"U{unit}", Level.UNIT, "machine", "site/area", paths, "always"))
    calendar = Calendar("always", "UTC", (), frozenset(), ())
    return Plant("test", "Test", "1", (top, area, *units), tuple(signals), (), {}, {"always": calendar})


def engine_of(size: int, period_s: float = 1.0) -> Engine:
    """An engine whose signal ids are 0, 1, 2, …"""
    model = plant(size, period_s)
    return Engine(model, {signal.path: number for number, signal in enumerate(model.signals)})


def batch(
    signal: NDArray[np.int32], time_ns: NDArray[np.int64], value: NDArray[np.float64], number: int = 1
) -> SampleBatch:
    """One committed batch of good values."""
    return SampleBatch(
        node="edge",
        epoch="0" * 32,
        number=number,
        lane=Lane.LIVE,
        signal=signal,
        time=time_ns,
        value=value,
        quality=np.zeros(len(signal), np.uint8),
        server=time_ns,
        received=time_ns,
        texts=NO_TEXTS,
    )


def _values(instants: int) -> NDArray[np.float64]:
    """[instants, SIGNALS]: noise that remembers, as sensors have."""
    noise = np.random.default_rng(7).standard_normal((instants, SIGNALS))
    for at in range(1, instants):
        noise[at] = 0.6 * noise[at - 1] + 0.8 * noise[at]
    return 20.0 + noise


def _batches(values: NDArray[np.float64], first: int, order: str) -> list[SampleBatch]:
    """Instants as batches. `arrival`: as they come; `sorted` by signal and time; `shuffled`: signals at random."""
    found: list[SampleBatch] = []
    rng = np.random.default_rng(8)
    for at in range(0, len(values), PER_BATCH):
        block = values[at : at + PER_BATCH]
        signal = np.tile(np.arange(SIGNALS, dtype=np.int32), PER_BATCH)
        instant = np.repeat(np.arange(PER_BATCH), SIGNALS)
        if order == "shuffled":
            signal = np.concatenate([rng.permutation(SIGNALS).astype(np.int32) for _ in range(PER_BATCH)])
        value = block[instant, signal]
        time_ns = START_NS + (first + at + instant) * PERIOD_NS
        by = np.lexsort((time_ns, signal)) if order == "sorted" else np.arange(len(signal))
        found.append(batch(signal[by], time_ns[by], value[by]))
    return found


def _push_rate(engine: Engine, batches: Sequence[SampleBatch]) -> float:
    started_s = time.thread_time()
    for one in batches:
        engine.push(one)
    return len(batches) * PER_BATCH * SIGNALS / (time.thread_time() - started_s)


class Dense:
    """The dense entry: every signal at every instant, already in one float32 row relative to its origin."""

    def __init__(self, *, with_p: bool) -> None:
        self.engine, self.before = engine_of(SIGNALS), np.full(SIGNALS, np.nan, np.float32)
        self.config = self.engine.config
        self.with_p = with_p
        self.z, self.p = np.zeros(SIGNALS, np.float32), np.zeros(SIGNALS, np.float32)
        self.exceeded = np.zeros(SIGNALS, np.uint16)

    def rate(self, values: NDArray[np.float64]) -> float:
        rows = (values - 20.0).astype(np.float32)
        same = rows == np.vstack([self.before, rows[:-1]])
        self.before = rows[-1]
        blocks = self.engine.state.blocks
        started_s = time.thread_time()
        for row, held in zip(rows, same, strict=True):
            tick(row, held, np.float32(1.0), np.float32(30.0), blocks.hot, self.z, self.exceeded)
            end_blocks(self.exceeded, blocks, self.config)
            if self.with_p:
                chances(self.z, blocks, self.config, self.p)
        return rows.size / (time.thread_time() - started_s)


class InNumpy:
    """The same maths in numpy, without the end of blocks."""

    def __init__(self) -> None:
        self.rule, self.before = NumpyRule(SIGNALS), np.full(SIGNALS, np.nan, np.float32)

    def rate(self, values: NDArray[np.float64]) -> float:
        rows = (values - 20.0).astype(np.float32)
        same = rows == np.vstack([self.before, rows[:-1]])
        self.before = rows[-1]
        started_s = time.thread_time()
        for row, held in zip(rows, same, strict=True):
            self.rule.tick(row, held, 1.0, 30.0)
        return rows.size / (time.thread_time() - started_s)


def _river_rate(river: Sequence[RiverSignal], rows: Sequence[Sequence[float]]) -> float:
    started_s = time.thread_time()
    for row in rows:
        for one, value in zip(river, row, strict=True):
            one.judge(value)
    return len(rows) * SIGNALS / (time.thread_time() - started_s)


def _same_state(ours: Dense, theirs: InNumpy) -> bool:
    """Whether both rules know the same after the same stream: a peer that computes something else is no peer."""
    records = hot_records(ours.engine.state.blocks.hot)[:SIGNALS]
    pairs = {"mean": "mean", "var": "var", "slow": "slow_mean", "usual": "usual_noise", "up": "cusum_up"}
    return all(
        np.allclose(theirs.rule.row[name], records[:, ROWS.index(row)], rtol=1e-2, atol=1e-2)
        for name, row in pairs.items()
    )


def measure() -> list[Result]:
    """Samples per second of all, rounds in turn."""
    values = _values(WARM + ROUNDS * OURS)
    engines = {order: engine_of(SIGNALS) for order in ("shuffled", "arrival", "sorted")}
    dense, with_p, in_numpy = Dense(with_p=False), Dense(with_p=True), InNumpy()
    river = [RiverSignal() for _ in range(SIGNALS)]
    for one in (dense, with_p, in_numpy):
        one.rate(values[:WARM])
    if not _same_state(dense, in_numpy):
        raise AssertionError("the numpy version of the rule does not learn what the kernel learns")
    for order, engine in engines.items():
        _push_rate(engine, _batches(values[:WARM], 0, order))
    rates: dict[str, list[float]] = {name: [] for name in (*engines, "dense", "with-p", "numpy", "river")}
    for at in range(WARM, len(values), OURS):
        part = values[at : at + OURS]
        for order, engine in engines.items():
            rates[order].append(_push_rate(engine, _batches(part, at, order)))
        rates["dense"].append(dense.rate(part))
        rates["with-p"].append(with_p.rate(part))
        rates["numpy"].append(in_numpy.rate(part[:NUMPYS]))
        rates["river"].append(_river_rate(river, part[:RIVERS].tolist()))
    told = {name: statistics.median(found) for name, found in rates.items()}
    return [*_speeds(told), *_restart()]


def _speeds(rate: dict[str, float]) -> list[Result]:
    river = "River 7 × EWMean, EWVar, PageHinkley on whitened residuals, jump, flatline count"
    dense, peer, in_numpy = rate["dense"], rate["river"], rate["numpy"]
    found = [
        Result(
            *("S1-dense-river", "tier A, dense, all detectors, blocks and limits, one core", dense, "samples/s"),
            *("≥ 400 M/s and ≥ 500 × River", dense >= max(400e6, 500 * peer), river, dense / peer),
        ),
        Result(
            *("S1-dense-numpy", "the same against the same maths in numpy, all signals at once", dense, "samples/s"),
            *("≥ 5 × numpy", dense >= 5 * in_numpy, "numpy, float32, without blocks", dense / in_numpy),
        ),
        Result(
            *("S2-with-p", "tier A, dense, and a p-value of every sample", rate["with-p"], "samples/s"),
            *("≥ 120 M/s", rate["with-p"] >= 120e6, river, rate["with-p"] / peer),
        ),
    ]
    orders = {
        "shuffled": ("S3-events-unordered", "signals in random order"),
        "arrival": ("S3-events-arrival", "signals in turn"),
        "sorted": ("S3-events-sorted", "sorted by signal"),
    }
    for order, (name, what) in orders.items():
        text = f"`Engine.push`, batches of 10,000 of 1,000 signals, {what}"
        found.append(
            Result(name, text, rate[order], "events/s", "≥ 100 M/s", rate[order] >= 100e6, river, rate[order] / peer)
        )
    return found


def _restart() -> list[Result]:
    """A snapshot of 100,000 signals back into an engine, and rows replayed."""
    engine = engine_of(SNAPSHOT_SIGNALS)
    rng = np.random.default_rng(9)
    signal = np.arange(SNAPSHOT_SIGNALS, dtype=np.int32)
    for at in range(20):
        time_ns = np.full(SNAPSHOT_SIGNALS, START_NS + at * PERIOD_NS)
        engine.push(batch(signal, time_ns, rng.standard_normal(SNAPSHOT_SIGNALS)), at + 1)
    packed = engine.snapshot()
    fresh = [engine_of(SNAPSHOT_SIGNALS) for _ in range(5)]
    took_s = [_timed(lambda one=one: one.load(packed)) for one in fresh]
    if fresh[0].snapshot() != packed:
        raise AssertionError("the restored engine is another one")
    restore_ms = 1000 * statistics.median(took_s)
    size = f"{len(packed) / 1e6:.1f} MB"
    rows = [
        batch(signal, np.full(SNAPSHOT_SIGNALS, START_NS + (30 + at) * PERIOD_NS), rng.standard_normal(len(signal)))
        for at in range(10)
    ]
    replay_s = _timed(lambda: [fresh[0].push(one) for one in rows])
    rate = 10 * SNAPSHOT_SIGNALS / replay_s
    return [
        Result(
            *("S11-restore", f"a snapshot of 100,000 signals ({size}, checksums verified) into an engine", restore_ms),
            *("ms", "≤ 5 ms", restore_ms <= 5.0),
        ),
        Result("S11-replay", "rows of 100,000 signals replayed", rate, "rows/s", "≥ 50 M/s", rate >= 50e6),
    ]


def _timed(work: Callable[[], object]) -> float:
    started_s = time.thread_time()
    work()
    return time.thread_time() - started_s
