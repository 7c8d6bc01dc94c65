"""The multi-scale bank of every asset against PyOD's PCA, which scores rows in batches with numpy.

Ten frames of each of 200 assets at a time, as a committed batch brings them; the statistics T², Q and the residual
Mahalanobis distance, the p-value tables and the fusion are all in the figure. PyOD scores 2,000 rows with one model,
which is the kindest case for it. Rounds alternate; CPU time of one thread, medians.
"""

import statistics
import time
import warnings

import numpy as np
from numpy.typing import NDArray

from tests.benchmark.record import Result
from twin.detect.multivariate import join
from twin.detect.multivariate_fit import fit_bank
from twin.kernels.mspc import judge, memory_size

SUITE = "detect"
ASSETS, FRAMES, ROUNDS = 200, 10, 9
SIZES = (8, 16, 32)
RATE_GOAL, PEER_GOAL = 300e6, 10.0


class Fleet:
    """The banks of all assets, with ten frames of each."""

    def __init__(self, size: int, decays: tuple[float, ...]) -> None:
        rng = np.random.default_rng(size)
        mixing = rng.standard_normal((3, size))
        history = rng.standard_normal((2_000, 3)) @ mixing + 0.5 * rng.standard_normal((2_000, size))
        regime = fit_bank([history], decays=decays, lag=0)
        self.banks = join([regime] * ASSETS)
        room = memory_size(self.banks, 0)
        self.memory = np.zeros(ASSETS * room, np.float32)
        rows = rng.standard_normal((ASSETS, FRAMES, 3)) @ mixing + 0.5 * rng.standard_normal((ASSETS, FRAMES, size))
        self.frames = np.concatenate([regime.scaled(one).reshape(-1) for one in rows])
        self.score, self.which = np.zeros(ASSETS * FRAMES, np.float32), np.zeros(ASSETS * FRAMES, np.int8)
        asset = np.arange(ASSETS)
        many = np.full(ASSETS, FRAMES)
        self.segments = np.column_stack([asset, asset * room, asset * FRAMES * size, many, asset * FRAMES])
        self.history: NDArray[np.float64] = history

    def rate(self) -> float:
        """Frames per second."""
        started_s = time.thread_time()
        judge(self.frames, self.segments, self.banks, self.memory, self.score, self.which)
        return ASSETS * FRAMES / (time.thread_time() - started_s)


def _pyod_rate(model: object, rows: NDArray[np.float64]) -> float:
    started_s = time.thread_time()
    model.decision_function(rows)
    return len(rows) / (time.thread_time() - started_s)


def measure() -> list[Result]:
    """Rates at one and at four scales, by number of signals."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pyod.models.pca import PCA
    found: list[Result] = []
    for size in SIZES:
        one, four = Fleet(size, (1.0,)), Fleet(size, (1.0, 0.3, 0.1, 0.03))
        peer = PCA().fit(one.history)
        rows = one.history[: ASSETS * FRAMES]
        rates = [(one.rate(), four.rate(), _pyod_rate(peer, rows)) for _ in range(ROUNDS + 1)][1:]
        single, bank, theirs = (statistics.median(column) for column in zip(*rates, strict=True))
        ratio = statistics.median(mine / other for mine, _, other in rates)
        found += [
            Result(
                f"S4-mspc-pyod-{size}",
                f"one scale, T² Q R and p-values of {size} signals, {ASSETS} assets × {FRAMES} frames, one core",
                single,
                "frames/s",
                f"≥ {PEER_GOAL:.0f} × PyOD PCA",
                ratio >= PEER_GOAL,
                "PyOD PCA, batch of 2,000 rows",
                ratio,
            ),
            Result(
                f"S4-mspc-rate-{size}",
                f"four scales, T² Q R and p-values of {size} signals, {ASSETS} assets × {FRAMES} frames, one core",
                bank * size,
                "samples/s",
                "≥ 300 M samples/s",
                bank * size >= RATE_GOAL,
                "PyOD PCA at one scale, rows/s",
                bank / theirs,
            ),
        ]
    return found
