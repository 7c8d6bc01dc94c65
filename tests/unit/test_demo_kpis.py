"""Key figures from the simulated plant's telemetry are what really happened in it: counts exactly, times to a step."""

from collections import defaultdict

import numpy as np
import pytest

from tests.unit.test_demo_world import PLANT, START_US, S, world
from twin.demo.carrier import Carrier
from twin.demo.crane import Crane
from twin.demo.gate import GateLane
from twin.demo.reefer import ReeferSlot
from twin.demo.states import RUNNING
from twin.demo.station import Station
from twin.demo.yard import YardCrane
from twin.throughput.buckets import PLACE
from twin.throughput.counting import count_series, new_counter
from twin.throughput.unit import COLUMNS, COUNTERS, Column, UnitSeries, buckets_of, gap_ns, units_of

STEP_US = 400_000
SPAN_US = 1_800 * S


@pytest.fixture(scope="module")
def half_hour():
    """The world after half an hour; its samples by path; seconds of RUNNING, connected seconds and turns of each unit."""
    running = world(step_us=STEP_US)
    found, runs_s, plugged_s, turns = defaultdict(list), defaultdict(float), defaultdict(float), defaultdict(list)
    for at_us in range(START_US, START_US + SPAN_US, STEP_US):
        for one in running.advance(at_us).emissions:
            found[running.signals[one.signal].path].append((one.time_us * 1_000, one.value))
        for one in running.units if at_us > START_US else ():
            runs_s[one.path] += STEP_US / 1e6 * (one.values.get("state") == RUNNING)
            plugged_s[one.path] += STEP_US / 1e6 * (one.values.get("plugged") == 1)
            turn_s = one.values.get("turn-time", 0.0)
            if turn_s and (not turns[one.path] or turns[one.path][-1] != turn_s):
                turns[one.path].append(turn_s)
    return running, found, {"runs_s": runs_s, "plugged_s": plugged_s, "turns": turns}


def buckets(found, path):
    unit = units_of(PLANT)[path]
    columns, made = {}, {}
    for role, signal in unit.signals.items():
        if role == "order":
            continue
        time, value = (np.array(one) for one in zip(*found[signal.path], strict=True))
        good = np.ones(len(time), np.bool_)
        value = value.astype(np.float64)
        if role in COLUMNS:
            columns[role] = Column(time, value, good)
        if role in COUNTERS:
            made[COUNTERS[role]] = count_series(new_counter(), time, value, good, gap_ns(signal))
    orders = found[unit.signals["order"].path] if "order" in unit.signals else ()
    return buckets_of(unit, UnitSeries(columns, made, orders), START_US * 1_000, (START_US + SPAN_US) * 1_000)


def amounts(found, path, *names):
    total = buckets(found, path).amount.sum(axis=0)
    return [float(total[PLACE[name]]) for name in names]


def test_cranes_moves_lifts_boxes_teu_and_rehandles_are_what_was_lifted(half_hour):
    running, found, _ = half_hour
    cranes = [one for one in running.units if isinstance(one, Crane)]
    for crane in cranes:
        counted = amounts(found, crane.path, "moves", "lifts", "boxes", "teu", "rehandles")
        rehandles = crane.rehandles if isinstance(crane, YardCrane) else 0
        assert counted == [crane.moves, crane.lifts, crane.lifted_boxes, crane.lifted_teu, rehandles], crane.path
    assert sum(one.lifted_boxes for one in cranes) > sum(one.lifts for one in cranes)  # some were twins
    assert sum(one.rehandles for one in running.terminal.yard) > 0


def test_turn_times_of_trucks_and_carriers_are_those_of_every_turn(half_hour):
    running, found, truth = half_hour
    for one in running.units:
        if isinstance(one, Carrier) or (isinstance(one, GateLane) and "lane-out" in one.path):
            turns_s = [turn for several in buckets(found, one.path).turn_times_s for turn in several]
            assert turns_s == pytest.approx(truth["turns"][one.path], abs=0.11), one.path
            assert turns_s, one.path


def test_parts_of_machines_are_counted_exactly_and_every_unit_runs_as_long_as_it_ran(half_hour):
    running, found, truth = half_hour
    for one in running.units:
        if isinstance(one, Station):
            first = found[f"{one.path}/good-count"][0][1]
            assert amounts(found, one.path, "good") == [one.good - first], one.path
        if f"{one.path}/state" in found:
            (ran_s,) = amounts(found, one.path, "production_s")
            step_s = 5.0 if isinstance(one, Carrier) else STEP_US / 1e6  # carriers speak every second, not on change
            assert ran_s == pytest.approx(truth["runs_s"][one.path], abs=2 * step_s), one.path


def test_a_reefer_is_connected_as_long_as_it_was_plugged_in(half_hour):
    running, found, truth = half_hour
    for one in running.units:
        if isinstance(one, ReeferSlot):
            (connected_s,) = amounts(found, one.path, "connected_s")
            assert connected_s == pytest.approx(truth["plugged_s"][one.path], abs=2 * STEP_US / 1e6), one.path
