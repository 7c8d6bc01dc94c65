"""The simulated plant without its wires: flow, physics, faults, sampling."""

import pickle
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from twin.demo.factory import parts_inside
from twin.demo.machines import Conveyor, Shelf
from twin.demo.states import BLOCKED, FAULT, OFF, RUNNING, STARVED
from twin.demo.station import Station, Stock, Work
from twin.demo.world import World
from twin.plant.load import load_plant
from twin.plant.tree import Kind

PLANT = load_plant(Path(__file__).parents[2] / "configs" / "plant.yaml")
START_US = 1_800_000_000_000_000
S = 1_000_000


def world(*sites, seed=7, fault_gap_s=1e9, step_us=100_000):
    return World(
        PLANT, sites or ("factory", "terminal"), seed=seed, start_us=START_US, step_us=step_us, fault_gap_s=fault_gap_s
    )


def by_signal(running, emissions):
    found = defaultdict(list)
    for one in emissions:
        found[running.signals[one.signal].path].append((one.time_us, one.value))
    return found


def unit(running, path):
    return next(one for one in running.units if one.path == path)


def test_parts_that_went_in_are_inside_or_came_out_or_are_scrap():
    running = world("factory", fault_gap_s=60)
    stations = {one.path.rpartition("/")[2]: one for one in running.units if isinstance(one, Station)}
    shelves = {one.path.rpartition("/")[2]: one.stock.level for one in running.units if isinstance(one, Shelf)}
    robot = stations["robot-1"]
    metal = ["mill-1", "mill-2", "lathe-1", "conveyor-1"]
    plastic = ["printer-1", "printer-2"]
    joined = ["robot-1", "inspection-1", "packer-1"]
    racks = {
        "metal": ["rack-milled", "rack-turned", "tray"],
        "plastic": ["rack-printed"],
        "joined": ["rack-assembled", "rack-good"],
    }
    at_start = {kind: sum(shelves[name] for name in names) for kind, names in racks.items()}
    for minute in range(1, 61):
        running.advance(START_US + minute * 60 * S)
        now = {one.path.rpartition("/")[2]: one.stock.level for one in running.units if isinstance(one, Shelf)}
        for kind, names, went_in, went_out in (
            ("metal", metal, ["mill-1", "mill-2"], robot.started),
            ("plastic", plastic, plastic, robot.started),
            ("joined", joined, ["robot-1"], stations["packer-1"].shipped),
        ):
            inside = sum(stations[name].contents() for name in names) + sum(now[name] for name in racks[kind])
            scrap = sum(stations[name].scrap for name in names)
            started = sum(stations[name].started for name in went_in)
            assert at_start[kind] + started == inside + scrap + went_out, (minute, kind)
    assert stations["packer-1"].shipped > 100
    assert parts_inside(running.units) > 0


def test_containers_that_arrived_have_left_or_are_in_exactly_one_place():
    running = world("terminal", fault_gap_s=60, step_us=400_000)
    registry = running.terminal.registry
    before = registry.arrived
    for minute in range(1, 41):
        running.advance(START_US + minute * 60 * S)
        assert registry.arrived - registry.left == running.terminal.containers_inside(), minute
    assert registry.arrived > before + 15
    assert registry.left > 15


def test_the_terminal_keeps_moving_for_hours():
    running = world("terminal", fault_gap_s=120, step_us=1_000_000)
    running.set_rate(20)
    cranes = [*running.terminal.quay, *running.terminal.yard]
    moved = [0] * len(cranes)
    for hour in range(1, 4):
        running.advance(START_US + hour * 3600 * S)
        now = [one.moves for one in cranes]
        assert all(after - before >= 8 for before, after in zip(moved, now, strict=True)), (hour, moved, now)
        moved = now


def test_a_machine_without_material_is_starved_and_with_a_full_output_blocked():
    full, empty = Stock("full", 1, 1), Stock("empty", 4, 0)
    starved = Station("a", Random(1), [empty], None, Work(cycle_s=5))
    blocked = Station("b", Random(1), [], full, Work(cycle_s=5, scrap_share=0))
    for _ in range(200):
        starved.step(0.1, wanted=True)
        blocked.step(0.1, wanted=True)
    assert starved.values["state"] == STARVED
    assert blocked.values["state"] == BLOCKED
    assert blocked.started == blocked.good == 1
    full.level, empty.level = 0, 1
    starved.step(0.1, wanted=True)
    blocked.step(0.1, wanted=True)
    assert (starved.values["state"], blocked.values["state"]) == (RUNNING, RUNNING)
    assert (empty.level, full.level) == (0, 1)


def test_a_joining_machine_takes_one_part_of_each_input_or_none():
    turned, printed = Stock("turned", 4, 3), Stock("printed", 4, 0)
    robot = Station("robot", Random(1), [turned, printed], None, Work(cycle_s=1))
    robot.step(0.1, wanted=True)
    assert (turned.level, robot.values["state"]) == (3, STARVED)
    printed.level = 1
    robot.step(0.1, wanted=True)
    assert (turned.level, printed.level, robot.values["state"]) == (2, 0, RUNNING)


def test_a_broken_machine_keeps_its_part_and_finishes_it_after_the_repair():
    station = Station("a", Random(1), [], None, Work(cycle_s=5, scrap_share=0))
    station.step(0.1, wanted=True)
    station.break_down(3.0)
    for _ in range(20):
        station.step(0.1, wanted=True)
    assert (station.values["state"], station.contents(), station.good) == (FAULT, 1, 0)
    for _ in range(120):
        station.step(0.1, wanted=True)
    assert station.good >= 1


def test_outside_planned_hours_a_machine_finishes_its_part_and_rests():
    station = Station("a", Random(1), [], None, Work(cycle_s=2, scrap_share=0))
    station.step(0.1, wanted=True)
    for _ in range(100):
        station.step(0.1, wanted=False)
    assert (station.values["state"], station.good, station.contents()) == (OFF, 1, 0)


def test_a_belt_stops_when_its_exit_is_full_and_loses_nothing():
    source, exit_ = Stock("in", 50, 50), Stock("out", 2, 0)
    belt = Conveyor("belt", Random(1), [source], exit_, Work(cycle_s=2))
    for _ in range(1000):
        belt.step(0.1, wanted=True)
    assert belt.values["state"] == BLOCKED
    assert (exit_.level, source.level + belt.contents() + exit_.level) == (2, 50)


def test_the_same_seed_gives_the_same_samples_however_the_time_is_cut():
    one, other = world(fault_gap_s=20), world(fault_gap_s=20)
    whole = one.advance(START_US + 60 * S)
    pieces, faults = [], []
    for at in [*range(START_US, START_US + 60 * S, 370_000), START_US + 60 * S]:
        part = other.advance(at)
        pieces += part.emissions
        faults += part.faults
    assert sorted(pieces) == sorted(whole.emissions)
    assert [(fault.asset, fault.kind, fault.started_us) for fault in faults] == [
        (fault.asset, fault.kind, fault.started_us) for fault in whole.faults
    ]
    assert sorted(world(seed=8).advance(START_US + 60 * S).emissions) != sorted(whole.emissions)


def test_a_signal_has_never_two_samples_at_one_instant_and_all_are_whole_milliseconds():
    running = world(fault_gap_s=30)
    running.set_rate(8_000)
    emissions = running.advance(START_US + 20 * S).emissions
    running.jump(START_US + 20 * S)
    emissions += running.advance(START_US + 25 * S).emissions
    assert len({(one.signal, one.time_us) for one in emissions}) == len(emissions)
    assert all(one.time_us % 1000 == 0 for one in emissions)


def test_every_signal_speaks_at_once_and_within_its_period():
    running = world()
    first = by_signal(running, running.advance(START_US).emissions)
    assert set(first) == {signal.path for signal in running.signals}
    later = by_signal(running, running.advance(START_US + 130 * S).emissions)
    for signal in running.signals:
        times = [START_US, *(time_us for time_us, _ in later[signal.path])]
        gaps = [after - before for before, after in pairwise(times)]
        assert max(gaps) <= signal.period_s * S + running.step_us, signal.path


def test_values_stay_in_range_and_on_the_steps_of_the_sensor():
    running = world(fault_gap_s=60)
    emissions = running.advance(START_US + 600 * S).emissions
    for one in emissions:
        signal = running.signals[one.signal]
        if signal.kind is Kind.MEASUREMENT:
            assert signal.low <= one.value <= signal.high, signal.path
            steps = one.value / signal.resolution
            assert steps == pytest.approx(round(steps), abs=1e-6), signal.path
        elif signal.kind is Kind.TEXT:
            assert isinstance(one.value, str)
        else:
            assert one.value == int(one.value)
            assert signal.kind is not Kind.STATE or one.value in signal.states


def test_counters_only_grow():
    running = world(fault_gap_s=60)
    running.set_rate(100)
    found = by_signal(running, running.advance(START_US + 900 * S).emissions)
    for signal in running.signals:
        if signal.kind is Kind.COUNTER:
            values = [value for _, value in found[signal.path]]
            assert values == sorted(values), signal.path


@pytest.mark.parametrize("wanted", [500, 3_000, 20_000])
def test_the_rate_is_what_was_asked_for(wanted):
    running = world(step_us=20_000)
    running.set_rate(wanted)
    running.advance(START_US)
    count = len(running.advance(START_US + 5 * S).emissions)
    assert count / 5 == pytest.approx(wanted, rel=0.15)


def test_without_a_rate_the_periods_are_those_of_the_plant_model_again():
    running = world()
    running.set_rate(5_000)
    running.set_rate(None)
    count = len(running.advance(START_US + 60 * S).emissions)
    assert 250 < count / 60 < 500


def test_a_pickled_world_goes_on_as_if_nothing_had_happened():
    running = world(fault_gap_s=30)
    running.advance(START_US + 90 * S)
    copy = pickle.loads(pickle.dumps(running))
    assert copy.advance(START_US + 120 * S).emissions == running.advance(START_US + 120 * S).emissions


def test_after_a_jump_counters_go_on_and_every_signal_speaks_again():
    running = world()
    running.advance(START_US + 600 * S)
    before = unit(running, "factory/machining/lathe-1").good
    running.jump(START_US + 10_000 * S)
    first = by_signal(running, running.advance(START_US + 10_000 * S).emissions)
    assert first["factory/machining/lathe-1/good-count"] == [(START_US + 10_000 * S, before)]
    assert set(first) == {signal.path for signal in running.signals}


def with_fault(kind, *, sites=("factory", "terminal"), seconds=2400):
    """A world in which only this kind happens; its emissions and its first fault."""
    running = world(*sites, fault_gap_s=400)
    running.faults.candidates = {kind: running.faults.candidates[kind]}
    advance = running.advance(START_US + seconds * S)
    return running, by_signal(running, advance.emissions), advance.faults


def mean(series, start_us, end_us):
    values = [value for time_us, value in series if start_us <= time_us < end_us]
    return sum(values) / len(values)


def test_faults_of_every_kind_begin_and_end_within_the_hour():
    running = world(fault_gap_s=100, step_us=200_000)
    faults = running.advance(START_US + 3600 * S).faults
    assert {fault.kind for fault in faults} == {"bearing", "jam", "drift", "stuck", "compressor"}
    ended = {fault.kind for fault in faults if fault.ended_us is not None}
    assert ended == {"bearing", "jam", "drift", "stuck", "compressor"}


def test_a_bearing_fault_raises_vibration_until_the_repair():
    _, found, faults = with_fault("bearing", sites=("factory",))
    fault = next(one for one in faults if one.ended_us is not None and "robot" not in one.asset)
    series = found[f"{fault.asset}/vibration"]
    third = (fault.ended_us - fault.started_us) // 3
    sound = mean(series, START_US, fault.started_us)
    assert mean(series, fault.ended_us - third, fault.ended_us) > 1.5 * sound
    states = [value for time_us, value in found[f"{fault.asset}/state"] if time_us >= fault.ended_us]
    assert states[0] == FAULT


def test_a_jam_stops_the_machine_for_as_long_as_it_lasts():
    _, found, faults = with_fault("jam", sites=("factory",), seconds=1200)
    fault = next(one for one in faults if one.ended_us is not None)
    inside = [value for time_us, value in found[f"{fault.asset}/state"] if fault.started_us <= time_us < fault.ended_us]
    assert set(inside) == {FAULT}


def test_a_stuck_sensor_repeats_one_value_with_new_times():
    _, found, faults = with_fault("stuck", sites=("factory",), seconds=1800)
    fault = next(one for one in faults if one.ended_us is not None)
    inside = [
        (time_us, value)
        for time_us, value in found[f"{fault.asset}/{fault.signal}"]
        if fault.started_us < time_us < fault.ended_us
    ]
    assert len(inside) > 50
    assert len({value for _, value in inside}) == 1


def test_a_drift_moves_the_sensor_away_and_ends_with_the_calibration():
    _, found, faults = with_fault("drift", sites=("factory",), seconds=3600)
    fault = next(one for one in faults if one.ended_us is not None)
    signal = PLANT.signal(f"{fault.asset}/{fault.signal}")
    series = found[signal.path]
    late = mean(series, fault.ended_us - 60 * S, fault.ended_us)
    moved = late - mean(series, START_US, fault.started_us)
    assert moved * fault.size > 0
    assert abs(moved) > 0.5 * abs(fault.size) * (signal.high - signal.low) * 0.9
    after = mean(series, fault.ended_us, fault.ended_us + 30 * S)
    assert abs(after - late) > 0.5 * abs(moved)


def test_a_dead_compressor_draws_no_power_and_lets_the_air_warm_up():
    running = world("terminal", fault_gap_s=300)
    slots = [one for one in running.terminal.slots if one.container is not None and one.setpoint_c < -10]
    slot = slots[0]
    running.faults.candidates = {"compressor": [(slot.path, "reefer-slot")]}
    advance = running.advance(START_US + 2400 * S)
    fault = advance.faults[0]
    found = by_signal(running, advance.emissions)
    end_us = min(fault.started_us + fault.lasts_us, START_US + 2400 * S)
    power = [v for t, v in found[f"{slot.path}/power"] if fault.started_us + 10 * S < t < end_us]
    assert power
    assert max(power) < 1.0
    temperature = found[f"{slot.path}/return-temperature"]
    assert mean(temperature, end_us - 60 * S, end_us) > mean(temperature, START_US, fault.started_us) + 1.0
