"""Throughput: the active-period bottleneck against the package active-period-method, in the same run."""

import random
import time
import warnings

import numpy as np

from tests.benchmark.record import Result
from twin.kernels.periods import bottleneck_chain, bottleneck_shares

SUITE = "throughput"
MACHINES = 10
PEER_PERIODS = 400  # per machine
OWN_PERIODS = 200_000


def _line(periods: int, seed: int) -> list[list[tuple[int, int]]]:
    """Active periods of ten machines, seconds; all lengths differ, so that no tie is decided by taste."""
    rng = random.Random(seed)
    machines = []
    for _ in range(MACHINES):
        at, own = rng.randrange(1, 1000), []
        for _ in range(periods):
            length = rng.randrange(10_000, 900_000)
            own.append((at, at + length))
            at += length + rng.randrange(1_000, 200_000)
        machines.append(own)
    return machines


def _columns(machines):
    flat = [one for own in machines for one in own]
    start, stop = np.array([a for a, _ in flat], np.int64), np.array([b for _, b in flat], np.int64)
    first = np.cumsum([0, *map(len, machines)], dtype=np.int64)
    return start, stop, first, np.repeat(np.arange(len(machines)), [len(own) for own in machines]).astype(np.int64)


def _own(columns, begin, end):
    start, stop, first, machine = columns
    chain = np.zeros(len(start) + 1, np.int64)
    found = bottleneck_chain(start, stop, first, begin, end, chain)
    sole, shifting = np.zeros(MACHINES, np.int64), np.zeros(MACHINES, np.int64)
    bottleneck_shares(start, stop, machine, chain[:found], begin, end, sole, shifting)
    return chain[:found], sole, shifting


def measure() -> list[Result]:
    """S9: events (state changes) per second of processor time, and equality with the peer."""
    import pandas as pd
    from active_period_method import ActivePeriodMethod

    small = _line(PEER_PERIODS, 1)
    rows = [
        (f"M{number}", at, state)
        for number, own in enumerate(small)
        for pair in own
        for at, state in zip(pair, (1, 0), strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["station", "timestamp", "status"])
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], unit="ms")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        began = time.thread_time()
        peer = ActivePeriodMethod(frame)
        momentary = peer.calculate_momentary_bottlenecks()
        peer_s = time.thread_time() - began
    _own(_columns(_line(10, 2)), 0, 10**9)
    columns = _columns(_line(OWN_PERIODS, 3))
    end = int(columns[1].max())
    took = []
    for _ in range(5):
        began = time.thread_time()
        _own(columns, 0, end)
        took.append(time.thread_time() - began)
    rate = 2 * MACHINES * OWN_PERIODS / min(took)
    peer_rate = len(rows) / peer_s
    apart = _difference(peer, momentary, small)
    return [
        Result(
            "S9-active-period-rate",
            "active-period bottleneck, ten machines",
            rate / 1e6,
            "M events/s",
            "≥ 5 M events/s",
            rate >= 5e6,
            "active-period-method 0.9",
            rate / peer_rate,
        ),
        Result(
            "S9-active-period-equality",
            "largest difference of a machine's sole or shifting share from the peer's",
            apart,
            "share",
            "≤ 1e-6",
            apart <= 1e-6,
        ),
    ]


def _difference(peer, momentary, machines) -> float:
    """Over the chain of the peer without its last link, whose end the peer does not know."""
    begin = min(own[0][0] for own in machines)
    raw = peer.raw_bottlenecks
    end = round(raw[-1].stop.timestamp() * 1000)
    chain, sole, shifting = _own(_columns(machines), begin, end)
    start = _columns(machines)[0]
    assert [round(one.start.timestamp() * 1000) for one in raw] == start[chain].tolist()
    totals = momentary.groupby(["station", "bottleneck_type"])["duration"].sum()
    worst = 0.0
    for number in range(MACHINES):
        for kind, own in (("sole", sole), ("shifting", shifting)):
            theirs = totals.get((f"M{number}", kind))
            theirs_ms = 0.0 if theirs is None else theirs.total_seconds() * 1000
            worst = max(worst, abs(theirs_ms - float(own[number])) / (end - begin))
    return worst
