"""Q8: the simulator against every closed form and exact chain of the reference table and of the literature.

Each within three standard errors and 0.1 %; and the closed forms against exact chains to 1e-9. Bernoulli and geometric
machines run in slots, exponential lines as lanes, continuous flow as small parts.
"""

import csv
import re
from pathlib import Path

import numpy as np

from tests.benchmark.record import Result
from tests.reference import chains
from twin.kernels.slotted import slotted
from twin.whatif import analytic
from twin.whatif.model import Failure, exponential, fixed, serial_line
from twin.whatif.simulate import Plan, simulate

SUITE = "whatif"
GEOMETRIC = (
    (0.1, 0.01, 0.1, 0.01, 4),
    (0.1, 0.01, 0.1, 0.01, 10),
    (0.1, 0.01, 0.1, 0.01, 50),
    (0.05, 0.01, 0.08, 0.02, 8),
    (0.2, 0.05, 0.5, 0.1, 6),
    (0.1, 0.1, 0.1, 0.1, 10),
    (0.1, 0.02, 0.15, 0.01, 20),
)
FLOW_LINES = (((6, 7, 7), (11, 7), 5.7761), ((7, 7, 6), (7, 11), 5.7761), ((6, 8, 6), (9, 9), 5.6400))


def measure(data: Path) -> list[Result]:
    """Every value once."""
    with (data / "open" / "throughput" / "throughput_reference.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    checks = [check for row in rows if (check := _row(row)) is not None]
    checks += [
        (*_slots([p1, p2], [r1, r2], [places], dependent=True), chains.geometric(r1, p1, r2, p2, places)[0])
        for r1, p1, r2, p2, places in GEOMETRIC
    ]
    checks += [(*_line([1 / one for one in mu], list(places), 20_000), exact) for mu, places, exact in FLOW_LINES]
    far = [abs(mean / exact - 1) for mean, _, exact in checks]
    errors = [abs(mean - exact) / error for mean, error, exact in checks]
    within = sum(one <= 1e-3 and sigma <= 3 for one, sigma in zip(far, errors, strict=True))
    pairs = [
        abs(analytic.bernoulli_pair(p1, p2, n) - chains.bernoulli([p1, p2], [n])[0])
        for p1, p2, n in ((0.9, 0.9, 5), (0.9, 0.8, 3), (0.7, 0.95, 4), (0.95, 0.95, 10))
    ]
    pairs += [abs(analytic.geometric_pair(*line)[0] - chains.geometric(*line)[0]) for line in GEOMETRIC]
    return [
        Result("Q8-simulator", f"of {len(checks)} exact throughputs within 3 standard errors and 0.1 %", within, "values",
               f"{len(checks)}", bool(within == len(checks))),
        Result("Q8-worst", "largest deviation of the simulator from an exact throughput", 100 * max(far), "%", "≤ 0.1 %",
               bool(max(far) <= 1e-3)),
        Result("Q8-closed-forms", "largest deviation of a closed form from its exact chain", max(pairs), "", "≤ 1e-9",
               bool(max(pairs) <= 1e-9)),
    ]  # fmt: skip


def _numbers(text: str) -> list[float]:
    return [float(one) for one in re.findall(r"\d+(?:\.\d+)?", text)]


def _row(row: dict[str, str]) -> tuple[float, float, float] | None:
    exact = float(row["throughput"])
    if row["model"] in {"bernoulli2", "bernoulli_exact"}:
        p, places = _numbers(row["machines"]), [int(one) for one in _numbers(row["buffers"])]
        return (*_slots([1 - one for one in p], p, places, dependent=False), exact)
    if row["model"] == "exponential_exact":
        machines, _ = _numbers(row["machines"])
        places = int(_numbers(row["buffers"])[0])
        return (*_line([1.0] * int(machines), [places] * (int(machines) - 1), 100_000), exact)
    l1, l2, m1, m2 = _numbers(row["machines"])
    return (*_continuous((l1, m1), (l2, m2), _numbers(row["buffers"])[0]), exact)


def _slots(fails: list[float], repaired: list[float], places: list[int], *, dependent: bool) -> tuple[float, float]:
    slots, count = 1_200_000 if dependent else 300_000, 64
    made, level = np.zeros(count, np.int64), np.zeros((count, len(places)), np.int64)
    chances = [(np.array(one) * 2.0**32).astype(np.uint32) for one in (fails, repaired)]
    slotted(*chances, dependent, not dependent, np.array(places, np.int32), slots, 2_000, 1, 0, made, level)
    return _mean(made / slots)


def _line(means: list[float], places: list[int], horizon_s: float) -> tuple[float, float]:
    line = serial_line(tuple(exponential(one) for one in means), tuple(places))
    return _rate(line, horizon_s, 512)


def _continuous(first: tuple[float, float], second: tuple[float, float], places: float) -> tuple[float, float]:
    part = 0.05  # of continuous flow
    broken = tuple(Failure(exponential(1 / fail), exponential(1 / repair), "time") for fail, repair in (first, second))
    line = serial_line((fixed(part), fixed(part)), (max(round(places / part) - 1, 0),), broken)
    mean, error = _rate(line, 120_000, 512)
    return mean * part, error * part


def _rate(line, horizon_s: float, replications: int) -> tuple[float, float]:
    runs = simulate(line, Plan(horizon_s, replications, buckets=100, tick_s=0.001, detail=0))
    return _mean((runs.done[:, 0, -1] - runs.done[:, 0, 19]) / (80 * runs.bucket_s))


def _mean(each) -> tuple[float, float]:
    return float(each.mean()), float(each.std(ddof=1) / np.sqrt(len(each)))
