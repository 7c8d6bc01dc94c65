"""One interface over the engines: a flow and a plan in, what happened in every replication out.

Serial lines run as max-plus lanes, everything else on the event calendar; both draw the same luck for the same seed,
replication and machine, so that a line gives the same counts on either. Chunks of replications run on local threads;
the kernels release the interpreter.
"""

import os
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from twin.errors import ConfigError
from twin.kernels.calendar_state import TIMES, Results
from twin.kernels.chance import FAR, START, key, word
from twin.kernels.event_calendar import calendar
from twin.kernels.flow_layout import FIRST_SERVER, Start
from twin.kernels.flowline import flowline
from twin.whatif.compile import Compiled, compile_flow, tick_for
from twin.whatif.model import Flow
from twin.whatif.quantiles import residual

LANES = 512  # replications per chunk on the max-plus engine
ROWS = 16  # on the event calendar

Engine = Literal["auto", "lanes", "calendar"]
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Milestone:
    """When will operation `operation` have finished so many good things?"""

    operation: str
    things: int


@dataclass(frozen=True, slots=True)
class Plan:
    """How to run it."""

    horizon_s: float
    replications: int = 1000
    seed: int = 1
    buckets: int = 96
    detail: int = 32  # replications that say, for a serial line, how machines spend their time
    engine: Engine = "auto"
    tick_s: float | None = None
    milestones: tuple[Milestone, ...] = ()
    threads: int | None = None  # None: as many as there are cores


@dataclass(frozen=True, slots=True)
class Runs:
    """What happened. N replications, B buckets; counts add up from the start."""

    flow: Flow  # in the order of the arrays below
    engine: str
    bucket_s: float
    done: NDArray[np.int32]  # [N, outputs, B]
    reached_s: NDArray[np.float64]  # [N, milestones], inf = not within the horizon
    detail: int  # replications behind the rest
    total: NDArray[np.float64]  # [J, B] mean count of each operation
    scrapped: NDArray[np.float64]  # [J] mean over the horizon
    content: NDArray[np.float64]  # [K, B] mean level of each stock
    spent: NDArray[np.float64]  # [R, 4] share of the servers' time: work, down, blocked, setup

    @property
    def horizon_s(self) -> float:
        """The whole span."""
        return self.bucket_s * self.done.shape[2]


def simulate(flow: Flow, plan: Plan, progress: Progress | None = None) -> Runs:
    """Run all replications; `progress` is told the number of those that have just ended.

    Raises:
        ConfigError: the flow cannot be simulated, or not on the engine that was asked for.
    """
    compiled = compile_flow(flow, plan.tick_s or tick_for(plan.horizon_s))
    if plan.engine == "lanes" and compiled.line is None:
        raise ConfigError("engine lanes: the flow is no serial line of single machines; use engine auto or calendar")
    on_lanes = compiled.line is not None and plan.engine != "calendar"
    chunk = LANES if on_lanes else ROWS
    work = [(first, min(chunk, plan.replications - first), on_lanes) for first in range(0, plan.replications, chunk)]
    detail = min(plan.replications, plan.detail) if on_lanes else plan.replications
    extra = [(first, min(ROWS, detail - first), False) for first in range(0, detail, ROWS)] if on_lanes else []
    return _gather(_Task(compiled, plan, on_lanes, detail), [*extra, *work], progress)


def is_compiled() -> bool:
    """Whether the event calendar's machine code is there; until then the first simulation makes or loads it."""
    return getattr(calendar, "signatures", None) != []  # plain Python, without the JIT, has none and needs none


def per_hour(runs: Runs) -> NDArray[np.float64]:
    """[N] throughput over the horizon, things per hour."""
    return runs.done[:, :, -1].sum(axis=1) / runs.horizon_s * 3600


@dataclass(frozen=True, slots=True)
class _Task:
    compiled: Compiled
    plan: Plan
    on_lanes: bool
    detail: int


def _gather(task: _Task, work: list[tuple[int, int, bool]], progress: Progress | None) -> Runs:
    plan, flow = task.plan, task.compiled.flow
    done = np.zeros((plan.replications, len(flow.outputs), plan.buckets), np.int32)
    reached = np.full((plan.replications, len(plan.milestones)), FAR, np.int32)
    sums = _empty(task, 0)
    with _threads(plan) as pool:
        running = {pool.submit(_chunk, task, *one): one for one in work}
        for ended in as_completed(running):
            first, count, lanes = running[ended]
            found = ended.result()
            if lanes or not task.on_lanes:
                done[first : first + count], reached[first : first + count] = found.done, found.reached
                if progress:
                    progress(count)
            for mine, theirs in zip(
                (sums.total, sums.scrapped, sums.spent, sums.content),
                (found.total, found.scrapped, found.spent, found.content),
                strict=True,
            ):
                mine += theirs
    counted = task.detail or np.nan
    ticks = float(sums.bucket * plan.buckets) * np.diff(task.compiled.network.servers.of[FIRST_SERVER])
    return Runs(
        flow=flow,
        engine="lanes" if task.on_lanes else "calendar",
        bucket_s=sums.bucket * task.compiled.tick_s,
        done=done,
        reached_s=np.where(reached >= FAR, np.inf, reached * task.compiled.tick_s),
        detail=task.detail,
        total=sums.total / counted,
        scrapped=sums.scrapped / counted,
        content=sums.content / counted,
        spent=sums.spent / (counted * ticks[:, None]),
    )


@contextmanager
def _threads(plan: Plan) -> Generator[ThreadPoolExecutor]:
    """Threads that begin nothing more once somebody has lost interest: `progress` raised."""
    pool = ThreadPoolExecutor(plan.threads or os.cpu_count() or 1)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _empty(task: _Task, count: int) -> Results:
    flow, plan = task.compiled.flow, task.plan
    numbers = {one.name: number for number, one in enumerate(flow.operations)}
    milestones = [[numbers[one.operation], one.things] for one in plan.milestones]
    return Results(
        max(task.compiled.ticks(plan.horizon_s / plan.buckets), 1),
        np.array([numbers[name] for name in flow.outputs], np.int32),
        np.zeros((count, len(flow.outputs), plan.buckets), np.int32),
        np.zeros((len(flow.operations), plan.buckets), np.int64),
        np.zeros(len(flow.operations), np.int64),
        np.zeros((len(flow.resources), TIMES), np.int64),
        np.zeros((len(flow.stocks), plan.buckets), np.int64),
        np.array(milestones, np.int32).reshape(-1, 2),
        np.full((count, len(milestones)), FAR, np.int32),
    )


def _chunk(task: _Task, first: int, count: int, lanes: bool) -> Results:
    compiled, results = task.compiled, _empty(task, count)
    start = _start(compiled, task.plan.seed, first, count)
    network = compiled.network
    if not lanes:
        calendar(network, start, task.plan.seed, first, results)
        return results
    assert compiled.line is not None  # noqa: S101 – `simulate` has looked
    left_by = np.zeros((count, task.plan.buckets), np.int32)
    order = np.argsort(results.milestone[:, 1], kind="stable")
    reached = np.full((count, len(order)), FAR, np.int32)
    things = np.ascontiguousarray(results.milestone[order, 1])
    arguments = (network.distributions, network.servers, compiled.line, start, task.plan.seed, first)
    flowline(*arguments, results.bucket, things, left_by, reached)
    results.done[:, 0] = left_by
    results.reached[:, order] = reached
    return results


def _start(compiled: Compiled, seed: int, first: int, count: int) -> Start:
    servers = compiled.network.servers
    ready = np.zeros((count, len(servers.resource)), np.int32)
    for number, one in enumerate(compiled.flow.resources):
        server = int(servers.of[FIRST_SERVER, number])
        ready[:, server] = compiled.ticks(one.ready_s)
        if one.down_since_s is not None and one.failure is not None:
            words = [word(np.uint32(0), *key(seed, first + row, server, START)) for row in range(count)]
            share = (np.asarray(words, np.float64) + 0.5) / 2.0**32
            left_s = residual(one.failure.down, one.down_since_s, share)
            ready[:, server] = np.minimum(np.rint(left_s / compiled.tick_s), FAR).astype(np.int32)
    return Start(ready, compiled.operation, compiled.remaining)
