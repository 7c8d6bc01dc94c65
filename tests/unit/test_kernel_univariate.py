"""The measurement step against its plain-loop twin, bit for bit, and against what it promises."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import univariate as reference
from twin.kernels.compiled import compiled
from twin.kernels.entry import tick
from twin.kernels.layout import LANES, ROWS, hot_blocks, hot_memory, hot_records
from twin.kernels.univariate import (
    BLOCK_BIT,
    CREEP_BIT,
    DRIFT_BIT,
    FLATLINE_BIT,
    JUMP_BIT,
    NOISE_BIT,
    SPIKE_BIT,
    cusum,
    step,
)

BITS = {
    reference.FLATLINE: FLATLINE_BIT,
    reference.SPIKE: SPIKE_BIT,
    reference.DRIFT: DRIFT_BIT,
    reference.JUMP: JUMP_BIT,
    reference.CREEP: CREEP_BIT,
    reference.NOISE: NOISE_BIT,
    reference.FULL: BLOCK_BIT,
}
FIELDS = {
    "mean": "mean",
    "var": "var",
    "cov1": "cov",
    "slow_mean": "slow",
    "cusum_up": "up",
    "cusum_down": "down",
    "up_s": "up_s",
    "down_s": "down_s",
    "last": "last",
    "step": "resolution",
    "move": "move",
    "noise": "noise",
    "usual_noise": "usual",
    "run_ceiling": "longest",
    "run": "run",
    "n": "n",
    "block_s": "block_s",
}
LIMITS = {"spike": 6.0, "drift": 25.0, "jump": 12.0, "creep": 3.0, "noise": 4.0}


def bits(detectors):
    return sum(BITS[detector] for detector in detectors)


def put(hot, row, value, signal=0):
    records = hot_records(hot)
    records[signal, ROWS.index(row)] = value
    hot[:] = hot_memory(records)


def arm(hot, **limits):
    """Set the limits of signal 0, as the end of a block does."""
    for name, limit in (LIMITS | limits).items():
        put(hot, f"limit_{name}", limit)


def run(hot, values, dts, *, gap_s=30.0, flags=0):
    """Exceeded bits per sample of the first signal."""
    before, out = np.nan, []
    for value, dt_s in zip(values, dts, strict=True):
        x, same = np.float32(value), bool(value == before)
        exceeded, *_ = step(hot, np.uint64(0), flags, x, same, np.float32(dt_s), np.float32(gap_s))
        before = value
        out.append(exceeded & ~BLOCK_BIT)
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
        if k == 200:
            arm(hot, creep=0.5, noise=1.0, jump=4.0)
            plain.limits |= {reference.SPIKE: 6, reference.DRIFT: 25, reference.JUMP: 4, reference.CREEP: 0.5}
            plain.limits[reference.NOISE] = 1
        if frozen and k == 500:
            flags = SPIKE_BIT
            plain.frozen = plain.spiking = True
        same = value == before
        exceeded, doubtful, *_ = step(
            hot, np.uint64(0), flags, np.float32(value), same, np.float32(dt_s), np.float32(30)
        )
        expected, not_quiet = reference.step(plain, 30.0, value, same, dt_s)
        before = value
        assert (exceeded, doubtful) == (bits(expected), bits(not_quiet))
        if k % 50 == 0:
            for name in ("mean", "var", "usual_noise", "cusum_up"):
                assert of(hot, name) == getattr(plain, FIELDS[name]), (name, k)
    for row, name in FIELDS.items():
        assert of(hot, row) == getattr(plain, name), row
    for name, detector in zip(LIMITS, reference.SCORED, strict=True):
        assert of(hot, f"max_{name}") == plain.greatest[detector]


def learnt(rng, samples=3000, dt_s=1.0):
    hot = hot_blocks(1)
    run(hot, rng.standard_normal(samples), np.full(samples, dt_s))
    arm(hot)
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
    assert run(hot, [50.0], [1.0]).tolist() == [SPIKE_BIT | JUMP_BIT]
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
    run(hot, values[:2000], np.ones(2000))
    arm(hot, creep=9.0)
    assert not run(hot, values[2000:], np.ones(len(values) - 2000)).any()


def test_one_step_of_a_quantised_sensor_is_no_spike():
    values = np.zeros(3000)
    values[100:200] = 0.1
    hot = hot_blocks(1)
    run(hot, values, np.ones(3000))
    arm(hot)
    assert not (run(hot, np.full(20, 0.1), np.ones(20)) & SPIKE_BIT).any()


def test_a_lasting_shift_of_one_deviation_is_a_drift():
    rng = np.random.default_rng(6)
    hot = learnt(rng, samples=4000)
    flagged = run(hot, rng.standard_normal(400) + 1.5, np.ones(400)) & DRIFT_BIT
    assert flagged[120:].any()


@pytest.mark.many_samples
@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_noise_with_memory_gives_no_drift(phi):
    rng = np.random.default_rng(7)
    shocks = rng.standard_normal(20_000)
    values = np.empty(20_000)
    level = 0.0
    for k, shock in enumerate(shocks):
        level = phi * level + shock
        values[k] = level
    hot = hot_blocks(1)
    run(hot, values[:3000], np.ones(3000))
    arm(hot)
    assert not run(hot, values[3000:], np.ones(17_000)).any()


def test_values_that_jump_there_and_back_are_jumps():
    hot = learnt(np.random.default_rng(11))
    assert run(hot, [0.0, 15.0, 0.0, 0.1], np.ones(4)).tolist() == [0, SPIKE_BIT | JUMP_BIT, JUMP_BIT, 0]


@pytest.mark.many_samples
def test_a_slow_ramp_is_a_creep_although_the_mean_follows_it():
    rng = np.random.default_rng(12)
    hot = learnt(rng, samples=8000, dt_s=4.0)
    flagged = run(hot, rng.standard_normal(8000) + np.linspace(0, 8, 8000), np.full(8000, 4.0))
    assert not (flagged[:500] & CREEP_BIT).any()
    assert (flagged[-500:] & CREEP_BIT).mean() > 0.9


@pytest.mark.parametrize("factor", [6.0, 0.1])
def test_a_sensor_that_becomes_noisier_or_quieter_is_noise(factor):
    rng = np.random.default_rng(13)
    hot = learnt(rng, samples=6000)
    arm(hot, spike=100.0, noise=1.5)
    assert not (run(hot, rng.standard_normal(2000), np.ones(2000)) & NOISE_BIT).any()
    assert (run(hot, factor * rng.standard_normal(1500), np.ones(1500))[-100:] & NOISE_BIT).mean() > 0.9


@compiled
def run_length(noise, slack, limit, first):
    """Samples from `first` on until one side of the CUSUM exceeds the limit; -1 when the noise ends before."""
    up = down = np.float32(0)
    for k in range(first, noise.shape[0]):
        up, down = cusum(up, noise[k], slack), cusum(down, -noise[k], slack)
        if up > limit or down > limit:
            return k - first + 1
    return -1


def mean_run_length(slack, limit, shift, samples):
    noise = (np.random.default_rng(14).standard_normal(samples) + shift).astype(np.float32)
    lengths, first = [], 0
    while (length := run_length(noise, np.float32(slack), np.float32(limit), first)) > 0:
        lengths.append(length)
        first += length
    return np.mean(lengths)


@pytest.mark.parametrize(
    ("slack", "limit", "shift", "expected"),
    [
        (0.5, 4.0, 0.0, 167.7),
        (0.5, 4.77, 0.0, 368.5),
        (0.5, 5.0, 0.0, 465.4),
        (0.25, 8.01, 0.0, 370.3),
        (0.5, 4.0, 1.0, 8.38),
        (0.5, 4.77, 1.0, 9.92),
        (0.5, 5.0, 1.0, 10.38),
        (0.25, 8.01, 1.0, 11.41),
    ],
)
def test_the_run_lengths_of_the_cusum_are_those_of_brook_and_evans(slack, limit, shift, expected):
    """Two-sided average run lengths of the exact Markov chain (Brook and Evans 1972, doi:10.1093/biomet/59.3.539)."""
    interpreted = os.environ.get("NUMBA_DISABLE_JIT") == "1"
    found = mean_run_length(slack, limit, shift, 60_000 if interpreted else 3_000_000)
    assert found == pytest.approx(expected, rel=0.25 if interpreted else 0.03)


def test_sixteen_signals_in_one_instruction_equal_sixteen_steps():
    rng = np.random.default_rng(8)
    size = 37  # two blocks and a part of a third
    dense, single = hot_blocks(size), hot_blocks(size)
    z, exceeded = np.zeros(size, np.float32), np.zeros(size, np.uint16)
    values = np.round(rng.standard_normal((900, size)) * 2.5, 1).astype(np.float32)
    values[700:, ::5] = values[700, ::5]  # some get stuck
    values[800:, 1::5] += 100.0
    for k in range(900):
        if k == 300:
            for hot in (dense, single):
                records = hot_records(hot)
                records[:, ROWS.index("limit_spike") : ROWS.index("limit_noise") + 1] = list(LIMITS.values())
                hot[:] = hot_memory(records)
        same = values[k] == (values[k - 1] if k else np.nan)
        dt_s = np.float32(5000.0 if k == 400 else 8.0)
        tick(values[k], same, dt_s, np.float32(30), dense, z, exceeded)
        for i in range(size):
            at = np.uint64(i // LANES * LANES * len(ROWS) + i % LANES)
            bits_i, _, z_i, *_ = step(single, at, 0, values[k, i], bool(same[i]), dt_s, np.float32(30))
            assert (exceeded[i], z[i]) == (bits_i, z_i)
    assert (exceeded & SPIKE_BIT).any()
    assert hot_records(dense)[:size].tobytes() == hot_records(single)[:size].tobytes()


def test_the_hot_memory_is_two_cache_lines_per_signal_and_back():
    hot = hot_blocks(40)
    assert hot.nbytes == 48 * 128
    hot[:] = np.arange(len(hot))
    assert hot_records(hot)[17, ROWS.index("cov1")] == 512 + 2 * LANES + 1
    assert hot_memory(hot_records(hot)).tobytes() == hot.tobytes()
