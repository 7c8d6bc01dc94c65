"""The simulator against closed forms and exact chains, and the laws that every flow obeys."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tests.reference.flow import World
from tests.unit.test_kernel_flow import plant
from twin.errors import ConfigError
from twin.kernels import chance
from twin.kernels.slotted import slotted
from twin.whatif import analytic
from twin.whatif.compile import compile_flow, normal_windows
from twin.whatif.model import (
    Failure,
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
from twin.whatif.quantiles import residual
from twin.whatif.simulate import Plan, simulate

WARM = 20  # of 100 buckets


def rate(flow, horizon_s, replications=256, engine="auto"):
    """(mean, standard error) of things per second after the warm-up."""
    runs = simulate(flow, Plan(horizon_s, replications, buckets=100, engine=engine, tick_s=0.001, detail=0))
    each = (runs.done[:, 0, -1] - runs.done[:, 0, WARM - 1]) / (runs.bucket_s * (100 - WARM))
    return float(each.mean()), float(each.std(ddof=1) / np.sqrt(replications))


def agrees(found, exact):
    mean, error = found
    return abs(mean - exact) <= 3 * error and abs(mean / exact - 1) <= 1e-3


@pytest.mark.parametrize(
    ("machines", "places", "exact"), [(2, 0, 2 / 3), (3, 1, 0.670466), (4, 3, 0.747710), (5, 0, 0.485798)]
)
def test_exponential_lines_deliver_what_the_exact_chain_says(machines, places, exact):
    line = serial_line((exponential(1),) * machines, (places,) * (machines - 1))
    assert agrees(rate(line, 40_000), exact)


def test_the_calendar_delivers_what_the_exact_chain_says():
    line = serial_line((exponential(1 / 6), exponential(1 / 7), exponential(1 / 7)), (11, 7))
    assert agrees(rate(line, 9_000, 128, "calendar"), 5.7761)


def test_unit_speed_machines_with_failures_in_time_approach_continuous_flow():
    part = 0.1  # so much flow is one part
    broken = Failure(exponential(100), exponential(10), "time")
    line = serial_line((fixed(part), fixed(part)), (round(10 / part) - 1,), (broken, broken))
    mean, error = rate(line, 20_000)
    exact = analytic.continuous_pair(0.01, 0.1, 0.01, 0.1, 10)
    assert abs(mean * part - exact) <= 3 * error * part + 2e-4  # one part is not yet a continuum


@pytest.mark.parametrize(
    ("p", "places", "exact"), [([0.9, 0.8], [3], 0.791536), ([0.9, 0.8, 0.85, 0.9], [2, 3, 2], 0.754252)]
)
def test_bernoulli_lines_in_slots_deliver_what_the_exact_chain_says(p, places, exact):
    made = run_slots([1 - one for one in p], p, places, dependent=False)
    assert agrees(made, exact)


def test_geometric_machines_in_slots_deliver_what_gershwin_says():
    made = run_slots([0.01, 0.02], [0.05, 0.08], [8], dependent=True, slots=400_000)
    mean, error = made
    assert abs(mean - 0.710529) <= 3 * error


def run_slots(fails, repaired, places, *, dependent, slots=60_000, replications=48):
    made, level = np.zeros(replications, np.int64), np.zeros((replications, len(places)), np.int64)
    fails, repaired = ((np.array(one) * 2.0**32).astype(np.uint32) for one in (fails, repaired))
    slotted(fails, repaired, dependent, not dependent, np.array(places, np.int32), slots, 1_000, 1, 0, made, level)
    return made.mean() / slots, made.std(ddof=1) / slots / np.sqrt(replications)


@settings(max_examples=12, deadline=None)
@given(
    st.integers(2, 4).flatmap(
        lambda machines: st.tuples(
            st.lists(st.sampled_from([0.7, 1.0, 1.4]), min_size=machines, max_size=machines),
            st.lists(st.integers(0, 4), min_size=machines - 1, max_size=machines - 1),
            st.lists(st.booleans(), min_size=machines, max_size=machines),
        )
    ),
    st.integers(1, 1000),
)
def test_max_plus_equals_the_calendar_event_for_event(shape, seed):
    means, places, breaks = shape
    broken = Failure(exponential(12), lognormal(2, 0.5))
    line = serial_line(
        tuple(exponential(one) for one in means), tuple(places), tuple(broken if one else None for one in breaks)
    )
    plan = Plan(60, 9, seed=seed, buckets=60)
    lanes, events = (simulate(line, replace(plan, engine=engine)) for engine in ("lanes", "calendar"))
    assert lanes.done.tolist() == events.done.tolist()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 3), st.integers(0, 3), st.integers(1, 3), st.integers(1, 500))
def test_a_larger_buffer_never_delivers_less_in_any_replication(first, second, more, seed):
    cycles, broken = (
        (exponential(1), exponential(1.1), lognormal(1, 0.4)),
        (Failure(exponential(20), exponential(3)),) * 3,
    )
    plan = Plan(300, 32, seed=seed, buckets=30)
    small = simulate(serial_line(cycles, (first, second), broken), plan)
    large = simulate(serial_line(cycles, (first + more, second), broken), plan)
    assert (large.done >= small.done).all()


def test_a_line_and_its_reverse_deliver_the_same():
    forward = rate(serial_line((exponential(1), exponential(0.5), exponential(0.8)), (1, 4)), 10_000)
    reverse = rate(serial_line((exponential(0.8), exponential(0.5), exponential(1)), (4, 1)), 10_000)
    assert abs(forward[0] - reverse[0]) <= 3 * np.hypot(forward[1], reverse[1])


def test_littles_law_holds_in_the_plain_loop_that_the_kernel_equals():
    world = World(plant(), 0.001, 5, 0)
    horizon = 3_000_000
    world.run(horizon)
    stays = np.array(world.stays)
    inside = world.area / horizon
    rate_in = (world.finished["pack"] + world.inside) / horizon
    assert inside > 3
    # Joined and scrapped things leave early: the law holds for what is counted, within the edges of the horizon.
    assert (stays[:, 1] - stays[:, 0]).mean() * rate_in <= inside * 1.1


def test_the_same_seed_gives_the_same_runs_on_any_number_of_threads():
    one, two = (simulate(plant(), Plan(500, 40, threads=threads)) for threads in (1, 2))
    assert one.done.tolist() == two.done.tolist()
    assert np.array_equal(one.spent, two.spent)


def test_time_is_spent_once():
    runs = simulate(plant(), Plan(5_000, 32))
    assert (runs.spent.sum(axis=1) <= 1.01).all()
    assert runs.spent[1, 1] == pytest.approx(runs.spent[1, 0] * 8 / 60, rel=0.1)  # repairs follow the work


def test_a_crew_of_one_repairs_one_machine_at_a_time():
    broken = Failure(exponential(20), fixed(10), crew="fitters")
    flow = serial_line((fixed(1),) * 3, (50, 50), (broken,) * 3)
    alone = simulate(replace(flow, crews=(("fitters", 1),)), Plan(20_000, 16))
    many = simulate(replace(flow, crews=(("fitters", 3),)), Plan(20_000, 16))
    free = simulate(replace(flow, resources=tuple(
        replace(one, failure=replace(broken, crew=None)) for one in flow.resources)), Plan(20_000, 16, engine="calendar"))  # fmt: skip
    assert many.done.tolist() == free.done.tolist()
    assert alone.done[:, 0, -1].mean() < 0.97 * many.done[:, 0, -1].mean()


def test_a_call_releases_its_things_and_not_before_its_time():
    from twin.whatif.model import Call, Flow

    flow = Flow(
        (Resource("berth"), Resource("crane")),
        (Stock("aboard", None),),
        (
            Operation("call", "berth", fixed(0), routes=(), holds=("aboard",), releases=("aboard",),
                      calls=(Call(100, 5), Call(110, 3)), idle=True),
            Operation("discharge", "crane", fixed(10), ("aboard",)),
        ),
        ("discharge",),
    )  # fmt: skip
    runs = simulate(flow, Plan(400, 1, buckets=40))
    assert runs.done[0, 0, [9, 10, 14, 39]].tolist() == [0, 1, 5, 8]


def test_unknown_names_and_wrong_shares_are_named():
    flow = replace(plant(), operations=(*plant().operations[:-1], Operation("pack", "nobody", fixed(1), ("nowhere",))))
    with pytest.raises(ConfigError, match="there is no stock 'nowhere'") as caught:
        compile_flow(flow, 0.001)
    assert "there is no resource 'nobody'" in str(caught.value)
    short = replace(plant().operations[0], routes=(Route("milled", 0.5),))
    with pytest.raises(ConfigError, match="add up to"):
        compile_flow(replace(plant(), operations=(short, *plant().operations[1:])), 0.001)
    with pytest.raises(ConfigError, match="no serial line"):
        simulate(plant(), Plan(10, 1, engine="lanes"))


def test_overlapping_windows_become_disjoint_and_a_standstill_wins():
    found = normal_windows([Window(0, 10, freeze=False), Window(5, 15, freeze=True), Window(30, 40, freeze=False)])
    assert found == [Window(0, 5, freeze=False), Window(5, 15, freeze=True), Window(30, 40, freeze=False)]


def test_draws_have_the_distribution_that_was_asked_for():
    draws = np.zeros((400, 256), np.int32)
    low, high = (
        np.array(one, np.uint32) for one in zip(*[chance.key(9, lane, 0, 0) for lane in range(256)], strict=True)
    )
    for number, row in enumerate(draws):
        chance.exponential_row(np.uint32(number), low, high, np.float32(1e5 * np.log(2)), row)
    assert stats.kstest(draws.ravel() / 1e5, "expon").pvalue > 0.01
    lag = np.corrcoef(draws[:-1].ravel(), draws[1:].ravel())[0, 1]
    across = np.corrcoef(draws[:, :-1].ravel(), draws[:, 1:].ravel())[0, 1]
    assert max(abs(lag), abs(across)) < 4 / np.sqrt(draws.size)


def test_what_is_left_of_a_repair_depends_on_how_long_it_has_lasted():
    share = (np.arange(1000) + 0.5) / 1000
    assert residual(exponential(10), 50, share).mean() == pytest.approx(10, rel=0.01)
    assert residual(fixed(10), 4, share).tolist() == [6.0] * 1000
    assert residual(lognormal(10, 0.3), 9, share).mean() < 10 - 5
