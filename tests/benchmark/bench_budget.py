"""Q5: realised alarms against the budget, on noise without any fault, straight through `Engine.push`.

1,000 signals in 100 assets of one area, 12 days, one value every five minutes: a block then is two samples, so on-delays
of seconds play no part. (`SIGNALS, DAYS = 10_000, 30` is the size of the goal; it takes hours of processor time.) Six
kinds of noise, each a plant of its own; the first day, in which the tails are learnt, is part of the count. The seasonal
signals are not told to be so in the plant model.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tests.benchmark.bench_detect import START_NS, batch, engine_of
from tests.benchmark.record import Result

SUITE = "detect"
SIGNALS, DAYS, PERIOD_S = 1_000, 12, 300
PER_DAY = 86_400 // PERIOD_S
BUDGET = 10.0
KINDS = ("normal", "t3", "AR(.5)", "AR(.9)", "seasonal", "quantised")


def noise(kind: str, signals: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Rows [signals] of one kind of noise, for ever."""
    rng = np.random.default_rng(seed)
    memory = {"AR(.5)": 0.5, "AR(.9)": 0.9}.get(kind, 0.0)
    level = rng.standard_normal(signals)
    phase = rng.random(signals) * 2 * np.pi
    at = 0
    while True:
        shock = rng.standard_t(3, signals) / np.sqrt(3) if kind == "t3" else rng.standard_normal(signals)
        level = memory * level + np.sqrt(1 - memory * memory) * shock
        value = level
        if kind == "seasonal":
            value = level + 3.0 * np.sin(2 * np.pi * at / PER_DAY + phase)
        elif kind == "quantised":
            value = np.round(level / 0.5) * 0.5
        yield 20.0 + value
        at += 1


def run(kind: str, signals: int, days: int, seed: int = 11) -> tuple[list[int], int]:
    """Alarms of each day (the first finding of an asset that had none open), and findings altogether."""
    engine = engine_of(signals, PERIOD_S)
    signal = np.arange(signals, dtype=np.int32)
    budget = engine.state.alarming.budgets
    told, findings = [0], 0
    rows = noise(kind, signals, seed)
    for day in range(days):
        for at in range(PER_DAY):
            time_ns = np.full(signals, START_NS + (day * PER_DAY + at) * PERIOD_S * 1_000_000_000)
            judged = engine.push(batch(signal, time_ns, next(rows)), day * PER_DAY + at + 1)
            findings += len({one.id for one in judged.findings if one.until_ns is None})
        told.append(sum(one.told for one in budget))
    return [after - before for before, after in pairwise(told)], findings


def measure() -> list[Result]:
    """Alarms a day of each kind of noise."""
    return [measure_kind(kind) for kind in KINDS]


def measure_kind(kind: str) -> Result:
    """Of one kind."""
    per_day, _ = run(kind, SIGNALS, DAYS)
    realised = sum(per_day) / DAYS
    text = f"alarms a day on {kind} noise, {SIGNALS:,} signals, {DAYS} days; most on one day {max(per_day)}"
    met = abs(realised / BUDGET - 1) <= 0.25
    return Result(f"Q5-budget-{kind}", text, realised, "alarms/day", f"{BUDGET:g} ± 25 %", met)
