"""S7: the simulator against SimPy, the same models in the same run, in CPU time of one thread.

Operations per second: a part through a machine is one. Serial: five machines, exponential work, buffers of ten, failures
that depend on operation (MTBF 100, MTTR 10 cycles). General: two mills, a lathe that scraps and reworks, two printers,
assembly, inspection with rework, packing.
"""

import random
import statistics
import time
from collections.abc import Callable

import numpy as np
import simpy

from tests.benchmark.record import Result
from twin.kernels.event_calendar import calendar
from twin.kernels.flowline import flowline
from twin.whatif import simulate as engine
from twin.whatif.compile import compile_flow
from twin.whatif.model import (
    SCRAP,
    Failure,
    Flow,
    Operation,
    Resource,
    Route,
    Stock,
    exponential,
    fixed,
    serial_line,
)
from twin.whatif.simulate import Plan

SUITE = "whatif"
ROUNDS = 15
BROKEN = Failure(exponential(100), exponential(10))


def measure() -> list[Result]:
    """Rounds of ours and SimPy in turn; medians."""
    line = serial_line((exponential(1),) * 5, (10,) * 4, (BROKEN,) * 5)
    serial = _rounds(lambda seed: _lanes(line, seed), lambda seed: _simpy_line(3_000, seed))
    general = _rounds(lambda seed: _calendar(_plant(), seed), lambda seed: _simpy_plant(3_000, seed))
    plain = _rounds(lambda seed: _calendar(line, seed), lambda seed: _simpy_line(3_000, seed))
    return [
        _result("S7-serial", "serial line of 5, replications as lanes", serial, 1_500),
        _result("S7-general", "general topology (merge, assembly, rework, scrap) on the event calendar", general, 80),
        _result("S7-serial-calendar", "the serial line on the event calendar", plain, 80),
    ]


def _rounds(ours: Callable[[int], float], theirs: Callable[[int], float]) -> tuple[float, float]:
    ours(0)
    pairs = [(ours(seed), theirs(seed)) for seed in range(1, ROUNDS + 1)]
    return statistics.median(mine for mine, _ in pairs), statistics.median(peer for _, peer in pairs)


def _result(name: str, what: str, rates: tuple[float, float], goal: int) -> Result:
    mine, peer = rates
    return Result(name, what, mine, "operations/s", f"≥ {goal} × SimPy", mine >= goal * peer, "SimPy 4.1", mine / peer)


def _lanes(flow: Flow, seed: int) -> float:
    compiled = compile_flow(flow, 0.001)
    task = engine._Task(compiled, Plan(20_000, engine.LANES, seed, 10), True, 0)
    start, left_by = engine._start(compiled, seed, 0, engine.LANES), np.zeros((engine.LANES, 10), np.int32)
    nothing = np.zeros((engine.LANES, 0), np.int32)
    network, bucket = compiled.network, engine._empty(task, 0).bucket
    started_s = time.thread_time()
    flowline(
        network.distributions, network.servers, compiled.line, start, seed, 0, bucket, nothing[0], left_by, nothing
    )
    return float(left_by[:, -1].sum()) * 5 / (time.thread_time() - started_s)


def _calendar(flow: Flow, seed: int) -> float:
    compiled = compile_flow(flow, 0.001)
    results = engine._empty(engine._Task(compiled, Plan(20_000, 16, seed, 10), False, 16), 16)
    start = engine._start(compiled, seed, 0, 16)
    started_s = time.thread_time()
    calendar(compiled.network, start, seed, 0, results)
    return float(results.total[:, -1].sum() + results.scrapped.sum()) / (time.thread_time() - started_s)


def _plant() -> Flow:
    broken = Failure(exponential(60), exponential(4))
    return Flow(
        (Resource("mill", 2, broken), Resource("lathe", 1, broken), Resource("printer", 2, broken),
         Resource("robot", 1, broken), Resource("inspection", 1, broken), Resource("packer", 1, broken)),
        (Stock("milled", 12), Stock("turned", 8), Stock("printed", 16), Stock("joined", 6), Stock("good", 10)),
        (
            Operation("mill", "mill", exponential(2), routes=(Route("milled"),)),
            Operation("lathe", "lathe", exponential(0.8), ("milled",), (Route("turned", 0.97), Route(SCRAP, 0.03))),
            Operation("printer", "printer", fixed(2.0), routes=(Route("printed"),)),
            Operation("robot", "robot", exponential(0.9), ("turned", "printed"), (Route("joined"),)),
            Operation("inspection", "inspection", exponential(0.7), ("joined",),
                      (Route("good", 0.93), Route("joined", 0.05), Route(SCRAP, 0.02))),
            Operation("packer", "packer", exponential(0.8), ("good",)),
        ),
        ("packer",),
    )  # fmt: skip


class _Machine:
    """What both SimPy models share: work with failures that depend on operation."""

    def __init__(self, env: simpy.Environment, rnd: random.Random, up: float, down: float) -> None:
        self.env, self.rnd, self.up, self.down = env, rnd, up, down
        self.left, self.made = rnd.expovariate(1 / up), 0

    def work(self, need: float):
        while need > self.left:
            yield self.env.timeout(self.left)
            need -= self.left
            yield self.env.timeout(self.rnd.expovariate(1 / self.down))
            self.left = self.rnd.expovariate(1 / self.up)
        yield self.env.timeout(need)
        self.left -= need
        self.made += 1


def _simpy_rate(env: simpy.Environment, machines: list[_Machine], horizon: float) -> float:
    started_s = time.thread_time()
    env.run(until=horizon)
    return sum(one.made for one in machines) / (time.thread_time() - started_s)


def _simpy_line(horizon: float, seed: int) -> float:
    env, rnd = simpy.Environment(), random.Random(seed)
    buffers = [simpy.Store(env, 10) for _ in range(4)]
    machines = [_Machine(env, rnd, 100, 10) for _ in range(5)]

    def run(i: int):
        while True:
            if i > 0:
                yield buffers[i - 1].get()
            yield from machines[i].work(rnd.expovariate(1.0))
            if i < 4:
                yield buffers[i].put(1)

    for i in range(5):
        env.process(run(i))
    return _simpy_rate(env, machines, horizon)


def _simpy_plant(horizon: float, seed: int) -> float:
    env, rnd = simpy.Environment(), random.Random(seed)
    milled, turned, printed, joined, good = (simpy.Store(env, size) for size in (12, 8, 16, 6, 10))
    machines = [_Machine(env, rnd, 60, 4) for _ in range(8)]

    def run(
        machine: _Machine, inputs: list[simpy.Store], work: Callable[[], float], to: Callable[[], simpy.Store | None]
    ):
        while True:
            for store in inputs:
                yield store.get()
            yield from machine.work(work())
            store = to()
            if store is not None:
                yield store.put(1)

    def inspected() -> simpy.Store | None:
        luck = rnd.random()
        return good if luck < 0.93 else joined if luck < 0.98 else None

    def exponentially(mean: float) -> Callable[[], float]:
        return lambda: rnd.expovariate(1 / mean)

    plan = [
        ([], exponentially(2), lambda: milled),
        ([], exponentially(2), lambda: milled),
        ([milled], exponentially(0.8), lambda: turned if rnd.random() < 0.97 else None),
        ([], lambda: 2.0, lambda: printed),
        ([], lambda: 2.0, lambda: printed),
        ([turned, printed], exponentially(0.9), lambda: joined),
        ([joined], exponentially(0.7), inspected),
        ([good], exponentially(0.8), lambda: None),
    ]
    for machine, (inputs, work, to) in zip(machines, plan, strict=True):
        env.process(run(machine, inputs, work, to))
    return _simpy_rate(env, machines, horizon)
