"""Block maxima to p-values: against a plain list of them, and what a p-value promises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import tails as reference
from twin.detect.calibrate import Calibration, budget_level
from twin.kernels import tails
from twin.kernels.layout import TAIL


def test_the_edges_of_the_bins_are_those_of_the_plain_list():
    assert list(tails.EDGES) == reference.EDGES
    for ratio in np.concatenate([tails.EDGES, np.linspace(0, 20, 997)]).tolist():
        assert tails.bin_of(ratio) == reference.bin_of(ratio)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), heavy=st.booleans(), blocks=st.integers(40, 120))
def test_a_stream_equals_the_plain_list_of_its_maxima(seed, heavy, blocks):
    rng = np.random.default_rng(seed)
    noise = rng.standard_t(3, (blocks, 30)) if heavy else rng.standard_normal((blocks, 30))
    stream, plain = np.zeros(1, TAIL)[0], reference.Stream()
    for greatest in np.abs(noise).max(1).tolist():
        tails.observe(stream, greatest)
        plain.observe(greatest)
    k, shape, scale = plain.tail()
    assert (int(stream["n"]), int(stream["threshold"])) == (blocks - 8, k)
    assert [int(one) for one in stream["above"]] == [plain.above(j) for j in range(32)]
    assert float(stream["shape"]) == pytest.approx(shape, abs=1e-4)
    assert float(stream["scale"]) == pytest.approx(scale, rel=1e-4)
    for score in (0.1, 1.0, 2.5, 3.5, 6.0, 20.0):
        assert np.log(tails.p_value(stream, score)) == pytest.approx(np.log(plain.p(score)), rel=1e-3, abs=1e-3)


def filled(rng, streams=200, blocks=600):
    calibration = Calibration(streams)
    which = np.arange(streams)
    for _ in range(blocks):
        calibration.observe(which, rng.exponential(1.0, (streams, 20)).max(1))
    return calibration, which


@pytest.mark.many_samples
def test_a_limit_is_reached_as_often_as_it_says():
    rng = np.random.default_rng(1)
    calibration, which = filled(rng)
    fresh = rng.exponential(1.0, (2000, len(which), 20)).max(2)
    for p, within in ((0.05, 1.15), (0.01, 1.35), (0.001, 2.0)):
        reached = float(np.mean(fresh >= calibration.limit(which, p)))
        assert p / within < reached < p * within


def test_the_p_value_of_a_limit_is_what_was_asked_for_or_less_where_blocks_are_counted():
    calibration, which = filled(np.random.default_rng(2), streams=20)
    for p in (0.02, 1e-4, 1e-7):
        found = calibration.p(which, calibration.limit(which, p))
        assert (found <= 1.01 * p).all()
        assert np.median(found) == pytest.approx(p, rel=0.01)


def test_no_tail_says_less_than_was_counted():
    calibration = Calibration(1)
    rng = np.random.default_rng(3)
    calibration_blocks = [*rng.uniform(1.0, 1.1, 400), *[6.0] * 4]
    for one in calibration_blocks:
        calibration.observe([0], np.array([one]))
    assert calibration.p([0], np.array([3.0]))[0] >= 4 / 405
    assert calibration.limit([0], 1e-3)[0] > 5.0


def test_a_stream_says_nothing_until_it_is_known():
    calibration = Calibration(2)
    for _ in range(39):
        calibration.observe([0], np.ones(1))
    assert calibration.p([0, 1], np.array([1e9, 1e9])).tolist() == [1.0, 1.0]
    assert calibration.limit([0], 0.01)[0] > 1e30
    calibration.observe([0], np.ones(1))
    assert calibration.known().tolist() == [True, False]
    assert calibration.p([0], np.array([50.0]))[0] < 0.05


def test_a_stream_that_has_always_been_zero_never_alarms():
    calibration = Calibration(1)
    for _ in range(100):
        calibration.observe([0], np.zeros(1))
    assert calibration.p([0], np.array([1e6]))[0] == 1.0


def test_what_is_old_is_forgotten():
    calibration = Calibration(1)
    for _ in range(8):
        calibration.observe([0], np.ones(1))
    calibration.observe([0], np.full(1, 10.0))
    for _ in range(3 * tails.FULL):
        calibration.observe([0], np.ones(1))
    assert int(calibration.records["n"][0]) < tails.FULL
    assert int(calibration.records["above"][0, 25]) == 0


def test_the_level_of_a_budget_is_shared_by_blocks_and_assets():
    assert budget_level(10.0, 100) == pytest.approx(10 / 14_400)
    assert budget_level(10.0, 0) == budget_level(10.0, 1)
