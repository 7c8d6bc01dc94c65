"""The measurement step against its plain-loop twin, bit for bit, and against what it promises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import univariate as reference
from twin.kernels.entry import tick
from twin.kernels.layout import CONFIG, HOT, hot_block
from twin.kernels.univariate import DRIFT_BIT, FLATLINE_BIT, RANGE_BIT, SPIKE_BIT, step

BITS = {
    reference.SPIKE: SPIKE_BIT,
    reference.RANGE: RANGE_BIT,
    reference.FLATLINE: FLATLINE_BIT,
    reference.DRIFT: DRIFT_BIT,
}
FIELDS = {
    "mean": "mean",
    "var": "var",
    "cov1": "cov",
    "slow_mean": "slow",
    "cusum_up": "up",
    "cusum_down": "down",
    "last": "last",
    "step": "resolution",
    "cusum_ceiling": "cusum_ceiling",
    "z_ceiling": "z_ceiling",
    "run_ceiling": "longest",
    "run": "run",
    "n": "n",
    "age_s": "age",
}


def bits(detectors):
    return sum(BITS[detector] for detector in detectors)


def run(hot, values, dts, *, low=-np.inf, high=np.inf, gap_s=30.0):
    """Exceeded bits per sample."""
    before, out = np.nan, []
    for value, dt_s in zip(values, dts, strict=True):
        exceeded, *_ = step(
            hot, low, high, np.float32(gap_s), 0.0, float(value), bool(value == before), np.float32(dt_s)
        )
        before = value
        out.append(exceeded)
    return np.array(out)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    resolution=st.sampled_from([0.0, 0.1, 1.0]),
    scale=st.sampled_from([1e-3, 1.0, 1e4]),
    odd=st.lists(st.tuples(st.integers(0, 799), st.sampled_from([12.0, -30.0, 0.0])), max_size=8),
    gaps=st.lists(st.tuples(st.integers(1, 799), st.sampled_from([45.0, 4000.0, 1e5])), max_size=4),
    frozen=st.booleans(),
)
def test_the_step_equals_its_plain_loop_bit_for_bit(seed, resolution, scale, odd, gaps, frozen):
    rng = np.random.default_rng(seed)
    values = np.cumsum(rng.standard_normal(800)) * 0.1 + rng.standard_normal(800)
    for at, change in odd:
        values[at:] += change
    if resolution:
        values = np.round(values / resolution) * resolution
    values *= scale
    dts = np.full(800, 4.0)
    for at, gap in gaps:
        dts[at] = gap
    hot, plain, before = hot_block(1)[0], reference.Baseline(), np.nan
    for k, (value, dt_s) in enumerate(zip(values.tolist(), dts.tolist(), strict=True)):
        if frozen and k == 500:
            hot["flags"] = SPIKE_BIT
            plain.frozen = True
        same = value == before
        exceeded, doubtful, *_ = step(
            hot, -60.0 * scale, 60.0 * scale, np.float32(30), 0.0, value, same, np.float32(dt_s)
        )
        expected, not_quiet = reference.step(plain, -60.0 * scale, 60.0 * scale, 30.0, 0.0, value, same, dt_s)
        before = value
        assert (exceeded, doubtful) == (bits(expected), bits(not_quiet))
    for field, name in FIELDS.items():
        assert hot[field] == getattr(plain, name), field


def learnt(rng, samples=3000, dt_s=1.0):
    hot = hot_block(1)[0]
    run(hot, rng.standard_normal(samples), np.full(samples, dt_s))
    return hot


def test_mean_and_variance_are_those_of_all_samples_while_the_memory_is_not_full():
    values = np.random.default_rng(1).normal(50.0, 3.0, 2000)
    hot = hot_block(1)[0]
    run(hot, values, np.ones(2000))
    assert hot["mean"] == pytest.approx(values.mean(), rel=1e-3)
    assert hot["var"] == pytest.approx(values.var(), rel=0.02)


def test_a_large_deviation_is_a_spike_and_teaches_little():
    hot = learnt(np.random.default_rng(2))
    mean, var = float(hot["mean"]), float(hot["var"])
    assert run(hot, [50.0], [1.0]).tolist() == [SPIKE_BIT]
    assert abs(float(hot["mean"]) - mean) < 4.1 * np.sqrt(var) / 3000
    assert float(hot["var"]) < 1.01 * var


def test_nothing_is_flagged_while_warming_up():
    values = np.random.default_rng(3).standard_normal(590)
    values[::50] = 100.0
    assert not run(hot_block(1)[0], values, np.ones(590)).any()


def test_a_value_outside_the_range_is_flagged_at_once_and_not_learnt():
    hot = hot_block(1)[0]
    run(hot, [1.0, 2.0], [0.0, 1.0], low=0.0, high=10.0)
    before = hot.tobytes()
    assert run(hot, [10.5, -0.1], [1.0, 1.0], low=0.0, high=10.0).tolist() == [RANGE_BIT, RANGE_BIT]
    assert hot.tobytes() == before


def test_a_stuck_sensor_is_flat_and_a_signal_that_always_was_constant_is_not():
    rng = np.random.default_rng(4)
    hot = learnt(rng)
    flagged = run(hot, np.full(100, 0.25), np.ones(100))
    assert not (flagged[:60] & FLATLINE_BIT).any()
    assert (flagged[62:] & FLATLINE_BIT).all()
    constant = hot_block(1)[0]
    assert not run(constant, np.zeros(5000), np.ones(5000)).any()


def test_a_quantised_sensor_that_often_repeats_is_not_flat():
    rng = np.random.default_rng(5)
    values = np.repeat(rng.integers(0, 3, 200), 50).astype(float)  # runs of 50 are normal
    hot = hot_block(1)[0]
    assert not run(hot, values, np.ones(len(values))).any()


def test_one_step_of_a_quantised_sensor_is_no_spike():
    values = np.zeros(3000)
    values[100:200] = 0.1
    hot = hot_block(1)[0]
    run(hot, values, np.ones(3000))
    assert not (run(hot, np.full(20, 0.1), np.ones(20)) & SPIKE_BIT).any()


def test_a_lasting_shift_of_one_deviation_is_a_drift():
    rng = np.random.default_rng(6)
    hot = learnt(rng, samples=4000)
    flagged = run(hot, rng.standard_normal(400) + 1.5, np.ones(400)) & DRIFT_BIT
    assert flagged[120:].any()


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_noise_with_memory_gives_no_drift(phi):
    rng = np.random.default_rng(7)
    shocks = rng.standard_normal(20_000)
    values = np.empty(20_000)
    level = 0.0
    for k, shock in enumerate(shocks):
        level = phi * level + shock
        values[k] = level
    assert not run(hot_block(1)[0], values, np.ones(20_000)).any()


def test_a_tick_equals_one_step_per_signal():
    rng = np.random.default_rng(8)
    size = 33
    dense, single = hot_block(size), hot_block(size)
    config = np.zeros(size, CONFIG)
    config["low"], config["high"], config["gap_s"] = -5.0, 5.0, 30.0
    before, origin = np.full(size, np.nan), rng.standard_normal(size)
    z, exceeded = np.zeros(size, np.float32), np.zeros(size, np.uint8)
    for _ in range(300):
        previous, values = before.copy(), rng.standard_normal(size) * 2.5
        tick(values, before, origin, 8.0, dense, config, z, exceeded)
        for i in range(size):
            same = bool(values[i] == previous[i])
            bits_i, _, z_i, _ = step(
                single[i], -5.0, 5.0, np.float32(30), float(origin[i]), float(values[i]), same, np.float32(8)
            )
            assert (exceeded[i], z[i]) == (bits_i, np.float32(z_i))
    assert dense.tobytes() == single.tobytes()


def test_a_tick_passes_over_signals_without_a_value():
    hot, config = hot_block(1), np.zeros(1, CONFIG)
    z, exceeded = np.zeros(1, np.float32), np.zeros(1, np.uint8)
    tick(np.array([np.nan]), np.zeros(1), np.zeros(1), 1.0, hot, config, z, exceeded)
    assert hot.tobytes() == hot_block(1).tobytes()
    assert exceeded.tolist() == [1]


def test_the_hot_record_fills_one_cache_line():
    assert HOT.itemsize == 64
