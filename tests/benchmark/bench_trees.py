"""Scoring of fault risk: boosted trees as bit masks against scikit-learn's own prediction, exact to the last bit.

Two hundred trees of fifteen leaves, forty features, as the hazard model has at most. One core each, rounds in turn.
"""

import statistics
import time

import numpy as np
import threadpoolctl
from sklearn.ensemble import HistGradientBoostingClassifier

from tests.benchmark.record import Result
from twin.kernels.trees import flatten, raw_scores

SUITE = "risk"
ROWS, FEATURES, TREES, ROUNDS, SINGLE = 100_000, 40, 200, 5, 2_000


def measure() -> list[Result]:
    """Rows per second in batches, and the time of one row."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((10_000, FEATURES))
    values[rng.random(values.shape) < 0.05] = np.nan
    target = (np.nan_to_num(values[:, 0] + values[:, 1] * values[:, 2]) + rng.standard_normal(10_000) > 1).astype(int)
    with threadpoolctl.threadpool_limits(1):
        model = HistGradientBoostingClassifier(max_iter=TREES, max_leaf_nodes=15, early_stopping=False).fit(
            values, target
        )
        forest = flatten(
            [tree.nodes for (tree,) in model._predictors], float(np.ravel(model._baseline_prediction)[0]), FEATURES
        )
        rows = np.tile(values, (ROWS // len(values), 1))
        worst = float(np.abs(raw_scores(forest, rows) - model.decision_function(rows)).max())
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(_seconds(lambda: raw_scores(forest, rows)))
            theirs.append(_seconds(lambda: model.decision_function(rows)))
    rate, peer = ROWS / statistics.median(ours), ROWS / statistics.median(theirs)
    one = rows[:1].copy()
    raw_scores(forest, one)
    single_us = _seconds(lambda: [raw_scores(forest, one) for _ in range(SINGLE)]) / SINGLE * 1e6
    what = f"fault-risk trees ({TREES} × 15 leaves, {FEATURES} features), "
    return [
        Result("S10-risk-batch", what + "batch, one core", rate, "rows/s", "≥ 1,000,000", rate >= 1e6, "scikit-learn, one core", rate / peer),
        Result("S10-risk-row", what + "one row at a time", single_us, "µs", "≤ 20", single_us <= 20),
        Result("S10-risk-exact", what + "largest difference from scikit-learn", worst, "", "≤ 1e-12", worst <= 1e-12),
    ]  # fmt: skip


def _seconds(work) -> float:
    started_s = time.thread_time()
    work()
    return time.thread_time() - started_s
