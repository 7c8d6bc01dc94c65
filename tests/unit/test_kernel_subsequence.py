"""Windows of one signal: the kernels against plain loops, splits, forgetting, what a discord looks like."""

import itertools

import numpy as np
import pytest
import stumpy
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import subsequence as plain
from twin.kernels.subsequence import (
    codebook_distance,
    inverse_spreads,
    left_profile,
    nearest_distance,
    new_profile,
    subspace_error,
)


def profile_of(values, length, history, cuts=()):
    profile, out = new_profile(length, history), np.zeros(len(values))
    edges = [0, *sorted(min(cut, len(values)) for cut in cuts), len(values)]
    for begin, end in itertools.pairwise(edges):
        left_profile(profile, values[begin:end], out[begin:end])
    return out, profile


def cycles(count, seed, period=24):
    at = np.arange(count)
    return np.sin(2 * np.pi * at / period) + 0.05 * np.random.default_rng(seed).standard_normal(count) + 7.0


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1_000), length=st.integers(4, 9), history=st.integers(9, 40))
def test_the_left_profile_equals_its_plain_loop_also_when_it_forgets(seed, length, history):
    values = np.random.default_rng(seed).standard_normal(4 * history).cumsum()
    found, _ = profile_of(values, length, history)
    expected = plain.left_profile(values.tolist(), length, history)
    for mine, theirs in zip(found, expected, strict=True):
        assert np.isnan(mine) if theirs is None else mine == pytest.approx(theirs, abs=2e-5)


def test_the_left_profile_equals_that_of_stumpy():
    values = np.random.default_rng(3).standard_normal(400).cumsum()
    length = 20
    found, _ = profile_of(values, length, 1_000)
    windows = np.lib.stride_tricks.sliding_window_view(values, length)
    for i in (60, 200, 380):
        distances = stumpy.mass(windows[i], values[: i - length // 2 + length - 1])
        assert found[i + length - 1] == pytest.approx(float(distances.min()), abs=1e-6)


@settings(max_examples=8, deadline=None)
@given(cuts=st.lists(st.integers(0, 300), max_size=5))
def test_samples_in_pieces_are_judged_as_in_one(cuts):
    values = cycles(300, 4)
    whole, one = profile_of(values, 12, 60)
    pieces, other = profile_of(values, 12, 60, cuts)
    assert np.array_equal(whole, pieces, equal_nan=True)
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_stretch_that_was_never_seen_stands_out_and_a_usual_one_does_not():
    values = cycles(800, 5)
    values[600:624] = values[600:624][::-1] * 0.2 + 5.0
    found, _ = profile_of(values, 24, 400)
    assert np.nanmax(found[620:650]) > 2 * np.nanmax(found[120:600])


def test_nothing_is_said_before_there_is_something_to_compare_with():
    found, _ = profile_of(cycles(40, 6), 12, 60)
    assert np.isnan(found[: 12 + 6 - 1]).all()
    assert np.isfinite(found[12 + 6 :]).all()


def test_a_standing_signal_gives_numbers():
    found, _ = profile_of(np.full(200, 3.0), 12, 60)
    assert np.isfinite(found[30:]).all()


def test_a_great_offset_costs_no_precision():
    values = cycles(300, 7)
    near, _ = profile_of(values, 12, 100)
    far, _ = profile_of(values + 1e7, 12, 100)
    assert np.allclose(near[40:], far[40:], atol=1e-3)


def test_the_subspace_error_and_the_codebook_equal_their_plain_loops():
    rng = np.random.default_rng(8)
    values = cycles(60, 8)
    basis = np.linalg.qr(rng.standard_normal((10, 3)))[0].T.copy()
    middle, words = 0.1 * rng.standard_normal(10), rng.standard_normal((4, 10))
    out = np.zeros(51)
    subspace_error(values, basis, middle, out)
    assert out == pytest.approx(plain.subspace_error(values.tolist(), basis.tolist(), middle.tolist()))
    codebook_distance(values, words, out)
    assert out == pytest.approx(plain.codebook_distance(values.tolist(), words.tolist()))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1_000), length=st.integers(4, 9), standing=st.booleans())
def test_the_nearest_distance_equals_its_plain_loop(seed, length, standing):
    rng = np.random.default_rng(seed)
    values, pieces = rng.standard_normal(40).cumsum(), rng.standard_normal((3, 30))
    if standing:
        values[10:25] = values[10]
        pieces[1] = 0.25
    inverses, out = np.zeros((3, 31 - length)), np.zeros(41 - length)
    inverse_spreads(pieces, length, inverses)
    nearest_distance(values, pieces, inverses, length, out)
    assert out == pytest.approx(plain.nearest_distance(values.tolist(), pieces.tolist(), length), abs=1e-6)
