"""Detectors of stretches, and the choice among them without labels."""

import numpy as np
import pytest

from twin.detect.select import FAULTS, choose
from twin.detect.subsequence import Scorer
from twin.detect.subsequence_fit import FITS, period_of, profile_of
from twin.errors import Rejected


def cycles(count, seed, period=25, scale=0.05):
    at = np.arange(count)
    wave = np.sin(2 * np.pi * at / period) + 0.4 * np.sin(4 * np.pi * at / period)
    return 10.0 + wave + scale * np.random.default_rng(seed).standard_normal(count)


@pytest.mark.parametrize("name", FITS)
def test_pieces_are_scored_like_the_whole_and_the_input_is_not_touched(name):
    history, values = cycles(1_000, 1), cycles(200, 2)
    values.flags.writeable = False
    model = FITS[name](history, 25)
    whole, pieces = Scorer(model).score(values), Scorer(model)
    told = np.concatenate([pieces.score(values[a:b]) for a, b in ((0, 3), (3, 60), (60, 61), (61, 200))])
    assert np.array_equal(told, whole, equal_nan=True)


@pytest.mark.parametrize("name", FITS)
def test_a_cycle_that_did_not_take_place_stands_out(name):
    values = cycles(400, 3)
    values[200:225] = values[200]
    score = Scorer(FITS[name](cycles(2_000, 4), 25)).score(values)
    assert np.nanmax(score[205:240]) > 1.5 * np.nanmax(score[60:195])


def test_the_profile_of_a_history_shows_what_was_never_there_before():
    history = cycles(2_000, 10)
    history[1_500:1_525] = history[1_500]
    assert 1_500 <= 200 + np.nanargmax(profile_of(history, 25)[200:]) <= 1_560


def test_the_length_of_a_cycle_is_found():
    assert abs(period_of(cycles(2_000, 5)) - 25) <= 1 or period_of(cycles(2_000, 5)) % 25 == 0
    assert period_of(np.random.default_rng(6).standard_normal(2_000)) == 32


def test_a_signal_with_cycles_gets_detectors_with_reasons_and_always_the_same():
    history = cycles(4_000, 7)
    choice = choose(history)
    assert 1 <= len(choice.chosen) <= 2
    assert set(choice.reasons) == set(FITS)
    assert all(set(one.recall) == set(FAULTS) for one in choice.trials)
    mean = {one.detector: one.mean for one in choice.trials}
    assert mean[choice.chosen[0]] == max(mean.values())
    assert "missing cycle" in choice.reasons[choice.chosen[0]]
    assert choose(history) == choice


def test_noise_without_a_shape_gets_none():
    assert choose(np.random.default_rng(8).standard_normal(4_000)).chosen == ()


def test_too_short_a_history_is_refused():
    with pytest.raises(Rejected, match="are needed"):
        choose(cycles(300, 9))
