"""Key figures from sums: the golden example, what is undefined, what is flagged, never an average of ratios."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.test_time_elements import CALENDAR, HOUR, SECOND, START, steps, unit
from twin.throughput.buckets import PLACE, QUANTITIES, UnitEvents, bucket_up
from twin.throughput.counting import Made, RunTime, count_series, cycles_of, new_counter, parts_by_slice
from twin.throughput.elements import Steps, time_line
from twin.throughput.kpis import NAMES, Sums, kpis, losses
from twin.throughput.port import Excursion, connected_spans, excursion_spans, lift_quantities, lifts_of
from twin.throughput.schedule import hours_between


def sums(ideal_s=0.0, output=None, calls_s=0.0, **amount):
    return Sums(amount, output or {}, ideal_s, amount.get("production_s", 0.0), calls_s)


def made(*rows):
    since, at, parts, estimated = (list(column) for column in zip(*rows, strict=True)) if rows else ([],) * 4
    return Made(
        np.array(since, np.int64), np.array(at, np.int64), np.array(parts, np.int64), np.array(estimated, np.bool_)
    )


def test_oee_is_availability_times_effectiveness_times_quality():
    found = kpis(sums(ideal_s=300.0, production_s=400.0, busy_s=480.0, idle_s=80.0, good=285.0, scrap=15.0))
    assert found.availability == pytest.approx(400 / 480)
    assert found.effectiveness == pytest.approx(0.75)
    assert found.quality_ratio == pytest.approx(0.95)
    assert found.oee == pytest.approx(400 / 480 * 0.75 * 0.95)
    assert found.remarks == ()


def test_what_is_not_defined_is_none_and_never_a_hundred_percent():
    found = kpis(sums(unscheduled_s=3600.0))
    assert all(getattr(found, name) is None for name in NAMES if name not in {"coverage", "teep"})
    assert found.coverage == 1.0


def test_effectiveness_above_one_is_shown_and_flagged():
    found = kpis(sums(ideal_s=500.0, production_s=400.0, busy_s=400.0, good=10.0))
    assert found.effectiveness == pytest.approx(1.25)
    assert "effectiveness above 1" in found.remarks[0]


def test_a_sum_of_two_machines_is_not_the_mean_of_their_ratios():
    one = {"production_s": 10.0, "busy_s": 100.0, "idle_s": 90.0}
    two = {"production_s": 900.0, "busy_s": 1000.0, "idle_s": 100.0}
    both = {name: one[name] + two[name] for name in one}
    assert kpis(sums(**both)).availability == pytest.approx(910 / 1100)


def test_the_port_keeps_moves_lifts_boxes_and_teu_apart():
    found = kpis(
        sums(
            output={"moves": 30.0}, moves=30.0, lifts=20.0, boxes=30.0, teu=36.0, dual_moves=6.0, rehandles=3.0, failures=2.0, allocated_s=7200.0,
            allocated_delay_s=1200.0, calls_s=5400.0, production_s=5000.0, busy_s=7200.0, failure_s=1200.0,
        )
    )  # fmt: skip
    assert found.gross_crane_rate_per_h == pytest.approx(15.0)
    assert found.net_crane_rate_per_h == pytest.approx(18.0)
    assert found.moves_per_berth_h == pytest.approx(20.0)
    assert found.crane_intensity == pytest.approx(7200 / 5400)
    assert found.twin_lift_factor == pytest.approx(1.5)
    assert found.dual_cycle_share == pytest.approx(0.2)
    assert found.rehandle_ratio == pytest.approx(0.1)
    assert found.mmbf == pytest.approx(15.0)


def test_the_losses_of_a_machine_are_what_its_busy_time_lacks():
    lost = losses(
        sums(ideal_s=250.0, production_s=400.0, busy_s=480.0, idle_s=50.0, setup_s=30.0, slow_s=60.0, good=250.0)
    )
    assert lost["slow-cycles"] == 60
    assert lost["speed"] == 90
    assert sum(lost.values()) + 250 == pytest.approx(480)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 9000), st.integers(1, 500)), min_size=1, max_size=6),
    st.integers(0, 9),
)
def test_parts_of_a_gap_are_spread_over_run_time_and_add_up_exactly(gaps, seed):
    rng = np.random.default_rng(seed)
    times = np.sort(rng.choice(20_000, 12, replace=False))
    line = time_line(
        unit(steps(*((at, int(code)) for at, code in zip(times, rng.integers(0, 7, 12), strict=True)))),
        START,
        START + 20_000 * SECOND,
    )
    rows = [(START + a * SECOND, START + (a + n) * SECOND, parts, True) for a, n, parts in gaps]
    bounds = START + np.arange(0, 20_001, 1000) * SECOND
    total, guessed = parts_by_slice(made(*rows), bounds, RunTime(line))
    assert total.sum() == guessed.sum() == sum(parts for _, _, parts in gaps)
    assert (total >= 0).all()


def test_nothing_is_made_while_the_machine_stands():
    line = time_line(unit(steps((0, 1), (100, 4), (900, 1))), START, START + 1000 * SECOND)
    total, _ = parts_by_slice(
        made((START, START + 1000 * SECOND, 20, True)), START + np.array([0, 100, 900, 1000]) * SECOND, RunTime(line)
    )
    assert total.tolist() == [10, 0, 10]


def test_cycles_are_production_time_per_part_and_cavities_share_one():
    line = time_line(unit(steps((0, 1), (15, 2), (35, 1))), START, START + 100 * SECOND)
    rows = [
        (START, START + 10 * SECOND, 1, False),
        (START, START + 40 * SECOND, 2, False),
        (START, START + 60 * SECOND, 5, True),
    ]
    cycles = cycles_of(made(*rows), RunTime(line))
    assert cycles.cycle_s.tolist() == [5.0]  # 5 s before it starved and 5 s after, two parts
    assert cycles.parts.tolist() == [2]


def test_a_tool_with_four_cavities_makes_four_parts_per_shot():
    time = START + np.arange(5) * 10 * SECOND
    found = count_series(new_counter(), time, np.arange(5.0), np.ones(5, np.bool_), 100 * SECOND, parts_per_count=4)
    assert found.parts.tolist() == [4, 4, 4, 4]


def test_a_change_of_order_begins_a_new_bucket_and_allocates_time():
    hours = hours_between(CALENDAR, START, START + 2 * HOUR)
    since = np.array([START + 600 * SECOND, START + 4000 * SECOND])
    one = unit(steps((0, 1)), cuts=np.concatenate([hours, since]))
    found = bucket_up(
        time_line(one, START, START + 2 * HOUR),
        one.schedule,
        hours,
        UnitEvents(made={}, order_since=since, order=["A", ""]),
        START,
        START + 2 * HOUR,
    )
    assert found.order == ("", "A", "A", "")
    assert found.amount[:, PLACE["allocated_s"]].tolist() == [0, 3000, 400, 0]
    assert found.shift == ("early", "early", "late", "late")
    assert set(QUANTITIES) <= set(PLACE)


def crane(cycle, lifts, boxes="forty"):
    """Lifts as (from, to) trolley metres, one a minute."""
    lock_time, locked, trolley_time, trolley = [START], [False], [START], [0.0]
    for number, (a, b) in enumerate(lifts):
        at = START + (10 + cycle * number) * SECOND
        lock_time += [at, at + 30 * SECOND]
        locked += [True, False]
        trolley_time += [at - SECOND, at, at + 30 * SECOND]
        trolley += [a, a, b]
    mode = Steps(np.array([START]), np.array([2]))
    return lifts_of(np.array(lock_time), np.array(locked), np.array(trolley_time), np.array(trolley), mode, {2: boxes})


def test_a_lift_is_twist_locks_closed_and_opened():
    found = crane(60, [(30, 0), (30, 0), (0, 30)], "twin-twenty")
    assert len(found.lock) == 3
    quantities = {name: int(one.parts.sum()) for name, one in lift_quantities(found).items()}
    assert quantities == {"lifts": 3, "boxes": 6, "teu": 6}


def test_ashore_and_aboard_without_an_empty_way_between_is_a_dual_cycle():
    assert crane(60, [(30, 0), (0, 40), (30, 0), (35, 0)]).dual.tolist() == [True, True, False, False]
    assert crane(60, [(30, 0), (30, 0)]).dual.tolist() == [False, False]


def test_a_lift_that_was_under_way_at_the_beginning_is_left_out():
    mode = Steps(np.zeros(0, np.int64), np.zeros(0, np.int64))
    time = START + np.arange(4) * SECOND
    found = lifts_of(time, np.array([True, False, True, False]), time, np.zeros(4), mode, {})
    assert found.lock.tolist() == [START + 2 * SECOND]
    assert (found.boxes.tolist(), found.teu.tolist()) == ([1], [0])


def test_a_reefer_that_is_too_warm_for_longer_than_the_rule_is_one_excursion():
    time = START + np.arange(0, 7200, 60) * SECOND
    warm = (np.arange(len(time)) >= 20) & (np.arange(len(time)) < 80)
    plugged = connected_spans(Steps(np.array([START]), np.array([1])), START + 7200 * SECOND)
    rule = Excursion(limit_c=3.0, for_s=1800.0)
    found = excursion_spans(time, np.where(warm, 5.0, 0.5), plugged, rule, hold_ns=120 * SECOND)
    assert ((found.end - found.start) / SECOND).tolist() == [3600.0]
    short = excursion_spans(
        time, np.where(warm & (np.arange(len(time)) < 40), 5.0, 0.5), plugged, rule, hold_ns=120 * SECOND
    )
    assert len(short.start) == 0
