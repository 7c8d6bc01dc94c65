"""The streaming left matrix profile against stumpy.stumpi (egress), both with stretches of 50 and a full history.

Rounds alternate; CPU time of one thread, medians.
"""

import statistics
import time

import numpy as np
import stumpy

from tests.benchmark.record import Result
from twin.kernels.subsequence import left_profile, new_profile

SUITE = "detect"
LENGTH, ROUNDS = 50, 5
GOALS = {1_000: 100, 5_000: 25, 20_000: 8}


def measure() -> list[Result]:
    """Updates per second by length of the history."""
    return [_measure(history, goal) for history, goal in GOALS.items()]


def _measure(history: int, goal: int) -> Result:
    series = np.cumsum(np.random.default_rng(history).standard_normal(history + LENGTH + 40_000))
    profile, out = new_profile(LENGTH, history), np.zeros(len(series))
    begin = history + LENGTH
    left_profile(profile, series[:begin], out[:begin])
    peer = stumpy.stumpi(series[:history], LENGTH, egress=True)
    peer.update(series[history])
    ours: list[float] = []
    theirs: list[float] = []
    mine, other = max(400_000 // history * 10, 400), 60
    for _ in range(ROUNDS):
        started_s = time.thread_time()
        left_profile(profile, series[begin : begin + mine], out[begin : begin + mine])
        ours.append(mine / (time.thread_time() - started_s))
        begin += mine
        started_s = time.thread_time()
        for value in series[:other]:
            peer.update(value)
        theirs.append(other / (time.thread_time() - started_s))
    rate, ratio = statistics.median(ours), statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    what = f"left matrix profile, exact, stretches of {LENGTH} in a history of {history:,}, one core"
    peer_name = "stumpy.stumpi, egress"
    return Result(
        f"S5-left-profile-{history}", what, rate, "samples/s", f"≥ {goal} × stumpi", ratio >= goal, peer_name, ratio
    )
