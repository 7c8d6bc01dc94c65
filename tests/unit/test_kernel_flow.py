"""The what-if kernels against their plain-loop twins; runs compiled and as plain Python."""

from dataclasses import replace

import numpy as np
import pytest

from tests.reference.flow import World
from twin.kernels import chance, event_heap
from twin.whatif.model import (
    GOOD,
    SCRAP,
    Failure,
    Flow,
    Operation,
    Resource,
    Route,
    Stock,
    Window,
    exponential,
    fixed,
    lognormal,
    serial_line,
)
from twin.whatif.simulate import Plan, simulate

TICK_S = 0.001


# Plain numpy warns where 32-bit arithmetic wraps around; here it is meant to.
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")


def plant():
    """Two mills into one buffer, a lathe that scraps and reworks, an assembly with printed parts, a packer."""
    broken = Failure(exponential(60), lognormal(8, 0.5))
    return Flow(
        (
            Resource("mills", 2, broken),
            Resource("lathe", failure=broken),
            Resource("printer"),
            Resource("robot"),
            Resource("packer"),
        ),
        (Stock("milled", 3), Stock("turned", 2), Stock("printed", 4, 2), Stock("joined", 0)),
        (
            Operation("mill", "mills", lognormal(9, 0.2), routes=(Route("milled"),)),
            Operation(
                "turn",
                "lathe",
                exponential(4),
                ("milled",),
                (Route("turned", 0.8), Route("milled", 0.1), Route(SCRAP, 0.1)),
            ),
            Operation("print", "printer", fixed(5.25), routes=(Route("printed"),)),
            Operation("join", "robot", lognormal(4.5, 0.1), ("turned", "printed"), (Route("joined"),)),
            Operation("pack", "packer", exponential(3), ("joined",), (Route(GOOD, 0.95), Route(SCRAP, 0.05))),
        ),
        ("pack",),
    )


def line():
    broken = Failure(exponential(40), exponential(5))
    return serial_line((exponential(1), lognormal(0.9, 0.3), fixed(1.0)), (0, 2), (broken, None, broken))


@pytest.mark.parametrize("flow", [plant(), line()], ids=["plant", "line"])
def test_the_event_calendar_does_what_the_plain_loop_does(flow):
    horizon_s = 90.0
    runs = simulate(flow, Plan(horizon_s, 2, seed=7, buckets=3, engine="calendar", tick_s=TICK_S, threads=1))
    worlds = [World(flow, TICK_S, 7, replication) for replication in range(2)]
    for world in worlds:
        world.run(round(horizon_s / TICK_S))
    assert runs.done[:, 0, -1].tolist() == [world.finished[flow.outputs[0]] for world in worlds]
    mean = [sum(world.finished[one.name] for world in worlds) / 2 for one in flow.operations]
    assert runs.total[:, -1].tolist() == mean
    levels = [sum(len(world.stocks[one.name]) for world in worlds) / 2 for one in flow.stocks]
    assert runs.content[:, -1].tolist() == levels


def test_lanes_and_calendar_count_the_same_with_failures_shifts_lots_and_a_live_start():
    failures = (
        Failure(exponential(30), exponential(3)),
        Failure(lognormal(20, 0.5), fixed(2), "time"),
        None,
        Failure(exponential(15), exponential(2), "time"),
    )
    flow = serial_line((exponential(1), lognormal(0.9, 0.3), fixed(1.0), exponential(0.8)), (0, 3, 1), failures)
    windows = (Window(10, 20, freeze=True), Window(15, 26, freeze=False), Window(60, 64, freeze=True))
    flow = replace(
        flow,
        resources=tuple(replace(one, windows=windows[: at + 1]) for at, one in enumerate(flow.resources)),
        stocks=tuple(replace(one, level=min(one.capacity, 2)) for one in flow.stocks),
        operations=tuple(
            replace(one, lot=5, setup_s=1.5) if at % 2 else replace(one, under_way_s=0.7)
            for at, one in enumerate(flow.operations)
        ),
    )
    plan = Plan(80, 5, seed=3, buckets=20, tick_s=TICK_S, threads=1)
    lanes = simulate(flow, replace(plan, engine="lanes"))
    events = simulate(flow, replace(plan, engine="calendar"))
    assert lanes.done.tolist() == events.done.tolist()
    assert lanes.done[:, 0, -1].min() > 10


def test_the_heap_gives_events_in_the_order_of_time_then_server():
    rng = np.random.default_rng(1)
    heap, size = np.zeros(40, np.int64), 0
    events = [(int(rng.integers(0, 50)), server) for server in range(30)]
    for tick, server in events:
        size = event_heap.push(heap, size, tick, server)
    taken = []
    while size:
        taken.append((int(heap[0]) >> event_heap.SERVER_BITS, int(heap[0]) & 0xFFFF))
        size = event_heap.pop(heap, size)
    assert taken == sorted(events)


def test_draws_depend_on_their_number_only_and_streams_are_their_own():
    keys = {chance.key(seed, replication, item, stream) for seed in (1, 2) for replication in range(3)
            for item in range(3) for stream in range(3)}  # fmt: skip
    assert len(keys) == 54
    low, high = chance.key(1, 0, 0, 0)
    assert [int(chance.word(np.uint32(n), low, high)) for n in (5, 3, 5)][::2] == [
        int(chance.word(np.uint32(5), low, high))
    ] * 2
