"""The measurement step against its plain-loop twin, bit for bit, and against what it promises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import univariate as reference
from twin.kernels.entry import tick
from twin.kernels.layout import LANES, ROWS, hot_blocks, hot_memory, hot_records
from twin.kernels.univariate import DRIFT_BIT, FLATLINE_BIT, SPIKE_BIT, step

BITS = {
    reference.SPIKE: SPIKE_BIT,
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


def run(hot, values, dts, *, gap_s=30.0, flags=0):
    """Exceeded bits per sample of the first signal."""
    before, out = np.nan, []
    for value, dt_s in zip(values, dts, strict=True):
        x, same = np.float32(value), bool(value == before)
        exceeded, *_ = step(hot, np.uint64(0), flags, x, same, np.float32(dt_s), np.float32(gap_s))
        before = value
        out.append(exceeded)
    return np.array(out)


def of(hot, row, signal=0):
    return hot_records(hot)[signal, ROWS.index(row)]


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
    hot, plain, before, flags = hot_blocks(1), reference.Baseline(), np.nan, 0
    for k, (value, dt_s) in enumerate(zip(values.tolist(), dts.tolist(), strict=True)):
        if frozen and k == 500:
            flags = SPIKE_BIT
            plain.frozen = True
        same = value == before
        exceeded, doubtful, *_ = step(
            hot, np.uint64(0), flags, np.float32(value), same, np.float32(dt_s), np.float32(30)
        )
        expected, not_quiet = reference.step(plain, 30.0, value, same, dt_s)
        before = value
        assert (exceeded, doubtful) == (bits(expected), bits(not_quiet))
    for field, name in FIELDS.items():
        assert of(hot, field) == getattr(plain, name), field


def learnt(rng, samples=3000, dt_s=1.0):
    hot = hot_blocks(1)
    run(hot, rng.standard_normal(samples), np.full(samples, dt_s))
    return hot


def test_mean_and_variance_are_those_of_all_samples_while_the_memory_is_not_full():
    values = np.random.default_rng(1).normal(50.0, 3.0, 2000)
    hot = hot_blocks(1)
    run(hot, values, np.ones(2000))
    assert of(hot, "mean") == pytest.approx(values.mean(), rel=1e-3)
    assert of(hot, "var") == pytest.approx(values.var(), rel=0.02)


def test_a_large_deviation_is_a_spike_and_teaches_little():
    hot = learnt(np.random.default_rng(2))
    mean, var = float(of(hot, "mean")), float(of(hot, "var"))
    assert run(hot, [50.0], [1.0]).tolist() == [SPIKE_BIT]
    assert abs(float(of(hot, "mean")) - mean) < 4.1 * np.sqrt(var) / 3000
    assert float(of(hot, "var")) < 1.01 * var


def test_nothing_is_flagged_while_warming_up():
    values = np.random.default_rng(3).standard_normal(590)
    values[::50] = 100.0
    assert not run(hot_blocks(1), values, np.ones(590)).any()


def test_a_stuck_sensor_is_flat_and_a_signal_that_always_was_constant_is_not():
    rng = np.random.default_rng(4)
    hot = learnt(rng)
    flagged = run(hot, np.full(100, 0.25), np.ones(100))
    assert not (flagged[:60] & FLATLINE_BIT).any()
    assert (flagged[62:] & FLATLINE_BIT).all()
    constant = hot_blocks(1)
    assert not run(constant, np.zeros(5000), np.ones(5000)).any()


def test_a_quantised_sensor_that_often_repeats_is_not_flat():
    rng = np.random.default_rng(5)
    values = np.repeat(rng.integers(0, 3, 200), 50).astype(float)  # runs of 50 are normal
    hot = hot_blocks(1)
    assert not run(hot, values, np.ones(len(values))).any()


def test_one_step_of_a_quantised_sensor_is_no_spike():
    values = np.zeros(3000)
    values[100:200] = 0.1
    hot = hot_blocks(1)
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
    assert not run(hot_blocks(1), values, np.ones(20_000)).any()


def test_sixteen_signals_in_one_instruction_equal_sixteen_steps():
    rng = np.random.default_rng(8)
    size = 37  # two blocks and a part of a third
    dense, single = hot_blocks(size), hot_blocks(size)
    z, exceeded = np.zeros(size, np.float32), np.zeros(size, np.uint8)
    values = np.round(rng.standard_normal((900, size)) * 2.5, 1).astype(np.float32)
    values[700:, ::5] = values[700, ::5]  # some get stuck
    values[800:, 1::5] += 100.0
    for k in range(900):
        same = values[k] == (values[k - 1] if k else np.nan)
        dt_s = np.float32(5000.0 if k == 400 else 8.0)
        tick(values[k], same, dt_s, np.float32(30), dense, z, exceeded)
        for i in range(size):
            at = np.uint64(i // LANES * LANES * len(ROWS) + i % LANES)
            bits_i, _, z_i, _ = step(single, at, 0, values[k, i], bool(same[i]), dt_s, np.float32(30))
            assert (exceeded[i], z[i]) == (bits_i, z_i)
    assert exceeded.any()
    assert hot_records(dense)[:size].tobytes() == hot_records(single)[:size].tobytes()


def test_the_hot_memory_is_one_cache_line_per_signal_and_back():
    hot = hot_blocks(40)
    assert hot.nbytes == 48 * 64
    hot[:] = np.arange(len(hot))
    assert hot_records(hot)[17, ROWS.index("cov1")] == 256 + 2 * LANES + 1
    assert hot_memory(hot_records(hot)).tobytes() == hot.tobytes()
