"""Fusing p-values, and the loop that holds a budget."""

from statistics import NormalDist

import numpy as np
import pytest

from twin.detect import fuse
from twin.detect.budget import AreaBudget
from twin.detect.calibrate import BLOCKS_PER_DAY, budget_level


def test_the_smallest_of_independent_p_values_is_corrected_exactly():
    assert fuse.min_p(0.01, 5.0) == pytest.approx(1 - 0.99**5)
    assert fuse.one_of(fuse.min_p(0.003, 7.0), 7.0) == pytest.approx(0.003)
    assert fuse.min_p(1e-25, 4.0) == pytest.approx(4e-25)


@pytest.mark.parametrize(("alike", "low", "high"), [(0.0, 9.0, 11.0), (0.9999, 1.0, 1.2)])
def test_the_effective_number_of_tests_is_learnt_from_the_smallest(alike, low, high):
    rng = np.random.default_rng(3)
    shared, own = rng.standard_normal((4000, 1)), rng.standard_normal((4000, 10))
    values = alike * shared + np.sqrt(1 - alike**2) * own
    p = np.vectorize(NormalDist().cdf)(values)
    mean, blocks = np.zeros(1), np.zeros(1)
    for row in p:
        mean, blocks = fuse.learn_effective(mean, blocks, row.min(keepdims=True))
    assert low < fuse.effective(float(mean[0]), float(blocks[0]), 10) < high


def test_an_asset_without_a_p_value_teaches_nothing():
    mean, blocks = fuse.learn_effective(np.array([0.3]), np.array([50.0]), np.array([np.nan]))
    assert (mean[0], blocks[0]) == (0.3, 50.0)
    assert fuse.effective(0.3, 10.0, 10) == 10.0


def test_cauchys_combination_of_equal_p_values_is_that_value_and_survives_tiny_ones():
    assert fuse.cauchy([0.02] * 8) == pytest.approx(0.02)
    assert fuse.cauchy([1e-12, 0.5, 0.5, 0.5]) == pytest.approx(4e-12, rel=0.01)
    uniform = np.random.default_rng(4).random((20_000, 6))
    assert np.mean([fuse.cauchy(row) < 0.01 for row in uniform]) == pytest.approx(0.01, rel=0.2)


def test_the_mean_of_an_e_value_without_a_fault_is_one_at_most():
    p = (np.arange(1_000_000) + 0.5) / 1_000_000
    assert np.mean(0.5 / np.sqrt(p)) <= 1.0
    assert fuse.e_value(1e-12) == pytest.approx(5e5)


def run(budget, rng, days, wrong):
    """Alarms told on blocks without a fault whose p-values are wrong by a power: p = u ** wrong."""
    before = budget.told
    for _ in range(round(days * BLOCKS_PER_DAY)):
        budget.pass_time(1 / BLOCKS_PER_DAY)
        for p in rng.random(budget.assets) ** wrong:
            if p < 1e-2:
                budget.admit(float(p))
    return budget.told - before


@pytest.mark.parametrize("wrong", [0.8, 1.0, 1.3])
def test_the_loop_holds_the_budget_although_the_p_values_are_wrong(wrong):
    budget = AreaBudget(10.0, 50)
    assert run(budget, np.random.default_rng(5), 30, wrong) == pytest.approx(300, rel=0.25)


def test_an_incident_is_told_although_the_budget_is_spent():
    budget = AreaBudget(10.0, 50, balance=-20.0)
    assert not budget.admit(3e-4)
    assert all(budget.admit(1e-20) for _ in range(30))
    assert budget.balance == -20.0


def test_a_tail_that_is_lighter_on_paper_makes_no_discoveries():
    assert AreaBudget(10.0, 50).is_discovery(1e-12)
    assert not AreaBudget(10.0, 50, bend=-10.0).is_discovery(1e-12)
    assert AreaBudget(10.0, 50, bend=-10.0).is_discovery(1e-29)


def test_an_alarm_at_the_level_is_expected_as_often_as_the_budget():
    budget = AreaBudget(10.0, 50, bend=-1.0)
    assert budget.expected_per_day(budget.level) == pytest.approx(10.0)
    assert 0.1 < budget.expected_per_day(budget.level / 100) < 0.5
    assert AreaBudget(10.0, 50).level == budget_level(10.0, 50)
