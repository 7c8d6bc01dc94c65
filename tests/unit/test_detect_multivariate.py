"""The multi-scale bank: golden limits, the kernel against its plain loop, what is promised of every model, contributions."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tests.reference.mspc import PlainBank
from twin.detect.contribution import classical, reconstruction, shares
from twin.detect.limits import box_limit, q_limit, ratio_table, t2_limit
from twin.detect.multivariate import AssetBank, Bank, from_bytes, to_bytes
from twin.detect.multivariate_fit import fit_bank
from twin.errors import Rejected
from twin.kernels.mspc import FIRST_OCTAVE, KNOTS, KNOTS_PER_OCTAVE


def process(frames, seed, size=6):
    """Two hidden causes, noise, a little memory."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).standard_normal((2, size))
    hidden = rng.standard_normal((frames, 2))
    for n in range(1, frames):
        hidden[n] = 0.7 * hidden[n - 1] + 0.7 * hidden[n]
    units = np.array([1.0, 50.0, 0.01, 300.0, 5.0, 2.0])[:size]
    return 20.0 * units + units * (hidden @ mixing + 0.3 * rng.standard_normal((frames, size)))


@pytest.fixture(scope="module")
def bank():
    return fit_bank([process(1_500, 1), process(900, 2)])


@pytest.fixture(scope="module")
def small():
    return fit_bank([process(400, 3, size=3)])


def plain(regime):
    def log_p(freedom, known):
        table = ratio_table(freedom, known)
        octave, part = np.divmod(np.arange(KNOTS), KNOTS_PER_OCTAVE)
        knots = 2.0 ** (FIRST_OCTAVE + octave) * (1 + part / KNOTS_PER_OCTAVE)
        return lambda ratio: float(np.interp(ratio, knots, table))

    return PlainBank(
        [
            {
                "decay": block.decay,
                "lag": block.lag,
                "mean": block.mean,
                "loadings": block.loadings,
                "weights": block.weights(),
                "log_p": [log_p(h, n) for h, n in zip(block.freedom, block.known, strict=True)],
            }
            for block in regime.blocks
        ]
    )


def test_the_t2_limit_is_that_of_the_f_and_of_the_beta_distribution():
    # 3 components of 53 frames at 1 %: 3·54·52 / (53·50) · F(3, 50), F from the printed tables
    assert t2_limit(0.01, 3, 53) == pytest.approx(3 * 54 * 52 / (53 * 50) * 4.20, rel=2e-3)
    assert t2_limit(0.01, 3, 50, new=False) == pytest.approx(49**2 / 50 * stats.beta.ppf(0.99, 1.5, 23), rel=1e-9)
    assert t2_limit(0.01, 3, 10**7) == pytest.approx(stats.chi2.isf(0.01, 3), rel=1e-4)


@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.001])
def test_both_limits_of_q_hold_on_simulated_residuals(alpha):
    left = np.array([0.9, 0.8, 0.6, 0.5, 0.5, 0.3, 0.2, 0.1])
    q = (np.random.default_rng(5).standard_normal((400_000, 8)) ** 2) @ left
    exact = float(np.quantile(q, 1 - alpha))
    assert q_limit(alpha, left) == pytest.approx(exact, rel=0.06)
    assert box_limit(alpha, left.sum(), 2 * (left**2).sum()) == pytest.approx(exact, rel=0.06)


def test_equal_eigenvalues_give_the_chi_square_limit():
    assert q_limit(0.01, np.full(5, 2.0)) == pytest.approx(2 * stats.chi2.isf(0.01, 5), rel=5e-3)
    assert box_limit(0.01, 10.0, 40.0) == pytest.approx(2 * stats.chi2.isf(0.01, 5), rel=1e-12)


def test_the_table_gives_the_tail_of_the_f_distribution():
    table = ratio_table(6.0, 40.0)
    knot = (1 - FIRST_OCTAVE) * KNOTS_PER_OCTAVE + 3  # ratio 2 · 1⅜
    assert table[knot] == pytest.approx(-np.log10(stats.f.sf(2.75, 6, 240)), rel=1e-4)
    assert np.all(np.diff(table) >= 0)
    assert np.all(np.isfinite(ratio_table(120.0, 5_000.0)))


def test_the_kernel_equals_its_plain_loop(small):
    frames = process(60, 11, size=3)
    frames[30:, 1] += 40.0
    z = small.scaled(frames)
    score, which = Bank(small).push(z)
    reference = plain(small)
    for n in range(len(z)):
        best, number, ratios = reference.judge(z[n])
        assert score[n] == pytest.approx(best, rel=2e-3, abs=2e-3)
        told = sorted((block["log_p"][s](ratios[b][s]) for b, block in enumerate(reference.blocks) for s in range(3)))
        if told[-1] - told[-2] > 0.01:
            assert which[n] == number


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(1, 40), max_size=8))
def test_frames_in_pieces_are_judged_as_in_one(small, cuts):
    z = small.scaled(process(120, 12, size=3))
    whole = Bank(small)
    score, which = whole.push(z)
    pieces = Bank(small)
    edges = [*np.minimum(np.cumsum([0, *cuts]), 120).tolist(), 120]
    told = [pieces.push(z[a:b]) for a, b in itertools.pairwise(edges)]
    assert np.array_equal(np.concatenate([one[0] for one in told]), score)
    assert np.array_equal(np.concatenate([one[1] for one in told]), which)
    assert np.array_equal(pieces.memory, whole.memory)


def test_what_goes_in_is_not_touched_and_the_same_gives_the_same(bank):
    frames = process(50, 13)
    frames.flags.writeable = False
    z = bank.scaled(frames)
    z.flags.writeable = False
    assert np.array_equal(Bank(bank).push(z)[0], Bank(bank).push(z)[0])


def test_a_model_survives_as_bytes(bank):
    model = AssetBank("site/area/unit", tuple(f"site/area/unit/s{n}" for n in range(6)), 1.0, {1: bank})
    packed = to_bytes(model)
    again = from_bytes(packed)
    assert to_bytes(again) == packed
    z = bank.scaled(process(40, 14))
    assert np.array_equal(Bank(again.regimes[1]).push(z)[0], Bank(bank).push(z)[0])


@pytest.mark.parametrize("packed", [b"", b"not a model", to_bytes(AssetBank("a", (), 1.0, {}))[:-3]])
def test_bytes_that_are_no_model_are_refused(packed):
    with pytest.raises(Rejected, match="cannot be read"):
        from_bytes(packed)


def test_too_little_history_gives_no_model():
    with pytest.raises(Rejected, match="199 frames"):
        fit_bank([process(199, 1)])


def test_normal_frames_hardly_ever_pass_the_limit(bank):
    share = np.mean(
        [(Bank(bank).push(bank.scaled(process(1_000, seed)))[0] > bank.limit()).mean() for seed in range(20, 30)]
    )
    assert share < 0.004


@pytest.mark.parametrize("signal", range(6))
def test_a_broken_relation_is_found_though_each_signal_stays_in_its_range(bank, signal):
    frames = process(400, 40 + signal)
    frames[200:, signal] = np.random.default_rng(signal).permutation(frames[:200, signal])
    score, _ = Bank(bank).push(bank.scaled(frames))
    assert (score[220:] > bank.limit()).mean() > 0.5
    assert (score[:200] > bank.limit()).mean() < 0.02


def test_a_slow_shift_is_found_by_a_slow_scale_before_a_fast_one(bank):
    frames = process(600, 60)
    frames[300:, 2] += 0.6 * bank.spread[2]
    score, which = Bank(bank).push(bank.scaled(frames))
    beyond = np.flatnonzero(score > bank.limit())
    assert beyond[0] >= 300
    assert len(beyond) > 100
    assert all(bank.blocks[which[n] // 3].decay < 1.0 for n in beyond[beyond > 400])


def test_a_missing_value_is_estimated_from_the_others_and_makes_no_finding(bank):
    frames = process(300, 70)
    whole = bank.scaled(frames)
    holes = frames.copy()
    holes[100:200, 3] = np.nan
    filled = bank.scaled(holes)
    assert np.corrcoef(filled[100:200, 3], whole[100:200, 3])[0, 1] > 0.8
    assert np.abs(filled[100:200, 3]).mean() > 0.2  # not zero-filled
    assert (Bank(bank).push(filled)[0] > bank.limit()).sum() == 0


def test_a_frame_without_most_of_its_values_is_not_judged(bank):
    frames = process(3, 71)
    frames[1, :4] = np.nan
    assert np.isnan(bank.scaled(frames)).any(axis=1).tolist() == [False, True, False]


def test_the_order_of_signals_does_not_matter_to_score_and_contributions():
    history, frames = process(1_200, 80), process(120, 81)
    frames[60:, 4] += 6.0
    order = np.array([3, 0, 5, 1, 4, 2])
    straight, mixed = fit_bank([history]), fit_bank([history[:, order]])
    score, _ = Bank(straight).push(straight.scaled(frames))
    again, _ = Bank(mixed).push(mixed.scaled(frames[:, order]))
    assert np.allclose(score, again, rtol=5e-3, atol=5e-3)
    vector = straight.scaled(frames)[-1].astype(float)
    for statistic in range(3):
        told = reconstruction(straight.blocks[0], vector, statistic)
        assert np.allclose(reconstruction(mixed.blocks[0], vector[order], statistic), told[order], rtol=1e-6)


def test_classical_contributions_sum_to_the_statistic(bank):
    vector = bank.scaled(process(1, 82))[0].astype(float)
    block = bank.blocks[0]
    u = (vector - block.mean) @ block.loadings
    for statistic in range(3):
        assert classical(block, vector, statistic).sum() == pytest.approx(float(block.weights()[statistic] @ u**2))


def test_the_faulty_signal_is_among_the_top_three_contributions(bank):
    hits = tries = 0
    for signal in range(6):
        for seed in range(10):
            frames = process(80, 500 + 10 * signal + seed)
            frames[40:, signal] += (4.0 if seed % 2 else -4.0) * bank.spread[signal]
            z = bank.scaled(frames)
            score, which = Bank(bank).push(z)
            at = 40 + int(np.argmax(score[40:] > bank.limit()))
            block = bank.blocks[which[at] // 3]
            vector = vector_of(block, z[: at + 1].astype(float))
            share, sign = shares(block, vector, which[at] % 3)
            tries += 1
            hits += signal in np.argsort(-share)[:3] and sign[signal] == (1 if seed % 2 else -1)
            assert share.sum() == pytest.approx(1.0)
    assert hits / tries >= 0.9


def vector_of(block, z):
    if block.decay < 1:
        level = np.zeros(z.shape[1])
        for row in z:
            level = level + block.decay * (row - level)
        return level
    return np.concatenate([z[-1 - back] for back in range(block.lag + 1)])


def test_a_signal_that_never_moved_is_found_when_it_moves():
    history = process(600, 90)
    history[:, 5] = 7.0
    regime = fit_bank([history])
    frames = process(40, 91)
    frames[:, 5] = 7.0
    assert (Bank(regime).push(regime.scaled(frames))[0] > regime.limit()).sum() == 0
    frames[20:, 5] = 9.0
    assert (Bank(regime).push(regime.scaled(frames))[0] > regime.limit())[20:].all()


def test_a_signal_that_wanders_may_wander_on():
    def wandering(frames, seed):
        rows = process(frames, seed)
        rows[:, 0] += np.linspace(0.0, 4.0, frames)
        return rows

    history = wandering(800, 100)
    ahead = wandering(800, 101)[:400] + np.array([4.0, 0, 0, 0, 0, 0])
    regime = fit_bank([history])
    assert (Bank(regime).push(regime.scaled(ahead))[0] > regime.limit()).mean() < 0.05
