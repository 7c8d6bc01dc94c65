"""Closed forms against exact chains: the chain is written from the model's definition, not from the formula."""

import pytest

from tests.reference import chains
from twin.whatif import analytic
from twin.whatif.model import (
    GOOD,
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


@pytest.mark.parametrize(("p1", "p2"), [(0.9, 0.9), (0.9, 0.8), (0.7, 0.95), (0.5, 0.6)])
@pytest.mark.parametrize("places", [1, 2, 5, 10])
def test_the_bernoulli_pair_is_exact(p1, p2, places):
    exact, _ = chains.bernoulli([p1, p2], [places])
    assert analytic.bernoulli_pair(p1, p2, places) == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize(
    ("p", "places"),
    [([0.9] * 3, [2, 2]), ([0.9, 0.8, 0.7, 0.8, 0.9], [2] * 4), ([0.95, 0.9, 0.85, 0.9, 0.95], [3, 2, 2, 3])],
)
def test_the_aggregation_of_a_bernoulli_line_is_within_one_percent(p, places):
    assert analytic.bernoulli_line(p, places) == pytest.approx(chains.bernoulli(p, places)[0], rel=0.01)


@pytest.mark.parametrize(
    "line",
    [
        (0.1, 0.01, 0.1, 0.01, 4),
        (0.1, 0.01, 0.1, 0.01, 50),
        (0.05, 0.01, 0.08, 0.02, 8),
        (0.2, 0.05, 0.5, 0.1, 6),
        (0.1, 0.1, 0.1, 0.1, 10),
        (0.1, 0.02, 0.15, 0.01, 20),
    ],
)
def test_the_geometric_pair_is_exact_in_rate_and_level(line):
    assert analytic.geometric_pair(*line) == pytest.approx(chains.geometric(*line), abs=1e-9)


@pytest.mark.parametrize(("mu1", "mu2", "places"), [(1, 1, 0), (1, 1, 3), (1.3, 0.8, 2), (6, 7, 11)])
def test_the_exponential_pair_is_exact(mu1, mu2, places):
    assert analytic.exponential_pair(mu1, mu2, places) == pytest.approx(chains.exponential([mu1, mu2], [places]))


@pytest.mark.parametrize(("machines", "places"), [(3, 0), (3, 3), (4, 1), (5, 1)])
def test_the_aggregation_of_an_exponential_line_is_within_three_percent(machines, places):
    exact = chains.exponential([1.0] * machines, [places] * (machines - 1))
    assert analytic.exponential_line([1.0] * machines, [places] * (machines - 1)) == pytest.approx(exact, rel=0.03)


def test_the_continuous_pair_meets_both_limits():
    both = (0.1 / 0.11) * (0.1 / 0.12)
    assert analytic.continuous_pair(0.01, 0.1, 0.02, 0.1, 0) == pytest.approx(both)
    assert analytic.continuous_pair(0.01, 0.1, 0.02, 0.1, 1e6) == pytest.approx(0.1 / 0.12)
    assert analytic.continuous_pair(0.01, 0.1, 0.02, 0.1, 10) == pytest.approx(0.794169, abs=1e-6)


def test_a_line_and_its_reverse_deliver_the_same():
    mu, places = [1.0, 2.0, 1.5], [1, 4]
    assert chains.exponential(mu, places) == pytest.approx(chains.exponential(mu[::-1], places[::-1]))
    assert analytic.exponential_line(mu, places) == pytest.approx(analytic.exponential_line(mu[::-1], places[::-1]))


def test_the_slowest_machine_bounds_a_line_and_the_buffers_take_their_share():
    broken = Failure(exponential(90), exponential(10))
    line = serial_line((exponential(10), exponential(12), exponential(10)), (3, 3), (None, broken, None))
    found = analytic.bounds(line)
    assert found.bottleneck == "m2"
    assert found.most_per_h == pytest.approx(3600 / 12 * 0.9)
    assert found.expected_per_h is not None
    assert 0.7 * found.most_per_h < found.expected_per_h < found.most_per_h


def test_rework_and_scrap_raise_the_load_of_what_comes_before():
    flow = Flow(
        (Resource("make"), Resource("test")),
        (Stock("waiting", 5),),
        (
            Operation("make", "make", fixed(10), routes=(Route("waiting"),)),
            Operation(
                "test", "test", fixed(4), ("waiting",), (Route(GOOD, 0.7), Route("waiting", 0.2), Route(SCRAP, 0.1))
            ),
        ),
        ("test",),
    )
    visits = analytic.visits_per_output(flow)
    assert visits == pytest.approx({"test": 1 / 0.7, "make": 0.8 / 0.7})
    assert analytic.bounds(flow).most_per_h == pytest.approx(3600 / 10 * 0.7 / 0.8)
