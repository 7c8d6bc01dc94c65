"""Forecasts: zeros where nothing is planned, no look into the future, sums that agree, intervals that are right."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.benchmark.forecast_scores import coverage, mase, msis, pinball, seasonal_scale
from twin.forecast import profiles
from twin.forecast.adjust import FaultOutlook, adjusted, down_share, hazard_of
from twin.forecast.backtest import GUARD, backtest
from twin.forecast.combine import weights
from twin.forecast.conformal import Adaptive, quantile_of
from twin.forecast.global_model import table
from twin.forecast.issue import Maturity, Structure, issue
from twin.forecast.issued import LEVELS
from twin.forecast.panel import Panel, ragged
from twin.forecast.reconcile import reconcile, sums_of

SEASONS = (8, 56)  # a small week of small days


def factory(series: int = 6, days: int = 70, *, horizon: int = 16, seed: int = 0) -> Panel:
    """Machines with a daily pattern, no work in the last slot of a day and on the last day of a week."""
    rng = np.random.default_rng(seed)
    slots = days * 8 + horizon
    slot = np.arange(slots)
    planned = np.where((slot % 8 == 7) | (slot // 8 % 7 == 6), 0.0, 1.0)
    planned[slot % 8 == 0] *= 0.5
    speed = rng.uniform(5, 500, series)
    shape = 1 + 0.3 * np.sin(2 * np.pi * slot / 8)
    noise = rng.normal(1, 0.1, (series, slots))
    values = np.maximum(0, speed[:, None] * shape * noise) * planned
    return Panel(
        values[:, : days * 8], np.broadcast_to(planned, (series, slots)).copy(), SEASONS, np.full(series, np.inf)
    )


def before(panel: Panel, slots: int) -> Panel:
    """The panel as it was `slots` earlier, with the same horizon; what came since is its truth."""
    n = panel.values.shape[1] - slots
    return Panel(panel.values[:, :n], panel.planned[:, : n + panel.horizon], panel.seasons, panel.capacity, panel.least)


@pytest.fixture(scope="module")
def issued():
    return issue(factory())


def test_a_slot_without_planned_time_is_exactly_zero_in_every_quantile(issued):
    panel = factory()
    idle = panel.planned[:, panel.values.shape[1] :] == 0
    assert idle.any()
    assert (issued.centre[idle] == 0).all()
    assert (issued.quantiles[:, idle] == 0).all()
    assert (issued.centre[~idle] > 0).all()


def test_half_a_planned_slot_brings_half(issued):
    panel = factory()
    doubled = Panel(panel.values, panel.planned.copy(), SEASONS, panel.capacity)
    ahead = slice(panel.values.shape[1], None)
    doubled.planned[:, ahead] = panel.planned[:, ahead] / 2
    np.testing.assert_allclose(issue(doubled).centre, issued.centre / 2)


def test_the_same_panel_gives_the_same_forecast_and_stays_as_it_was(issued):
    panel = factory()
    before = panel.values.copy()
    np.testing.assert_array_equal(issue(panel).quantiles, issued.quantiles)
    np.testing.assert_array_equal(panel.values, before)


def test_quantiles_ascend_and_stay_within_the_capacity(issued):
    panel = factory()
    capacity = issued.quantiles.max(axis=(0, 2)) * 0.9
    issued = issue(Panel(panel.values, panel.planned, SEASONS, capacity))
    assert (np.diff(issued.quantiles, axis=0) >= 0).all()
    assert (issued.quantiles >= 0).all()
    ahead = panel.planned[:, panel.values.shape[1] :]
    assert (issued.quantiles <= capacity[:, None] * ahead + 1e-9).all()


def test_intervals_cover_as_often_as_they_say_on_days_that_nobody_has_seen():
    whole = factory(series=20, days=80, seed=3)
    hits = []
    for days_back in (4, 9):
        panel = before(whole, days_back * 8)
        issued = issue(panel)
        truth = whole.values[:, panel.values.shape[1] :][:, : panel.horizon]
        working = panel.planned[:, panel.values.shape[1] :] > 0
        for low, high in ((0, 8), (2, 6)):
            inside = (truth >= issued.quantiles[low]) & (truth <= issued.quantiles[high])
            hits.append((LEVELS[high] - LEVELS[low], inside[working].mean()))
    assert [said for said, found in hits if abs(said - found) > 0.04] == []


def test_the_quantiles_of_a_period_are_those_of_its_sum():
    panel = factory(series=30, days=70, seed=5)
    earlier = before(panel, 16)
    day = np.arange(16) // 8
    issued = issue(earlier, Structure(periods={"day": day}))
    centre, quantiles = issued.periods["day"].centre, issued.periods["day"].quantiles
    np.testing.assert_allclose(centre[:, 0], issued.centre[:, :8].sum(axis=1))
    truth = panel.values[:, earlier.values.shape[1] :].reshape(30, 2, 8).sum(axis=2)
    assert 0.65 <= ((truth >= quantiles[2]) & (truth <= quantiles[6])).mean() <= 0.95  # said: 0.8
    added = issued.quantiles[6] - issued.quantiles[2]
    assert (quantiles[6] - quantiles[2])[:, 0].mean() < added[:, :8].sum(axis=1).mean()


def test_features_look_at_nothing_at_or_after_the_origin():
    rng = np.random.default_rng(1)
    z = rng.normal(size=(3, 200))
    changed = z.copy()
    changed[:, 150:] = 1e6
    for one, other in zip(table(z, 150, 16, SEASONS), table(changed, 150, 16, SEASONS), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_backtest_does_not_know_what_came_after_its_oldest_origin():
    panel = factory(days=50)
    tried = backtest(panel)
    oldest = min(tried.origins)
    values = panel.values.copy()
    values[:, oldest:] = 7.0 * (panel.planned[:, oldest : values.shape[1]] > 0)
    changed = Panel(values, panel.planned, SEASONS, panel.capacity)
    other = backtest(changed)
    k = tried.origins.index(oldest)
    ahead = slice(oldest, oldest + panel.horizon)
    forecasts = [panel.rates[:, ahead] - tried.errors[c, k] for c in range(len(tried.candidates))]
    others = [changed.rates[:, ahead] - other.errors[c, k] for c in range(len(forecasts))]
    for one, two in zip(forecasts, others, strict=True):
        np.testing.assert_allclose(one, two)


def test_a_combination_that_would_have_lost_is_the_seasonal_naive_alone():
    errors = np.ones((3, 6, 2, 4))
    errors[1:, :, 0] = 5.0  # the others are worse on the first series
    errors[1:, :, 1] = 0.1
    share = weights(errors)
    np.testing.assert_array_equal(share[:, 0], [1, 0, 0])
    assert share[0, 1] == 0
    np.testing.assert_allclose(share.sum(axis=0), 1)


def test_a_series_without_any_known_error_is_forecast_by_the_guard():
    errors = np.full((3, 6, 2, 4), np.nan)
    np.testing.assert_array_equal(weights(errors), [[1, 1], [0, 0], [0, 0]])


def test_the_first_candidate_is_the_guard():
    assert next(iter(backtest(factory()).candidates)) == GUARD


def test_a_new_machine_leans_on_its_cohort_and_says_so():
    panel = factory(series=4)
    values = panel.values.copy()
    values[0] = np.nan  # nothing of its own
    values[1, :-14] = np.nan  # one shift, then a free day
    issued = issue(Panel(values, panel.planned, SEASONS, panel.capacity), Structure(cohort=np.array([0, 1, 0, 1])))
    assert issued.maturity[0] == Maturity.PRIOR
    assert issued.maturity[1] == Maturity.YOUNG
    assert issued.maturity[2] == Maturity.MATURE
    working = panel.planned[0, panel.values.shape[1] :] == 1
    level = np.nanmean(panel.rates[2])
    np.testing.assert_allclose(issued.centre[0][working], level, rtol=0.2)


def test_a_plant_after_one_shift_has_a_forecast_with_an_interval():
    rng = np.random.default_rng(0)
    panel = ragged([rng.poisson(30, 8).astype(float)], 24, (24, 168))
    issued = issue(panel)
    assert issued.maturity == (Maturity.YOUNG,)
    np.testing.assert_allclose(issued.centre, panel.values.mean(), rtol=0.5)
    assert (issued.quantiles[-1] > issued.quantiles[0]).all()


def test_a_plant_without_any_history_forecasts_nothing_and_is_called_prior():
    issued = issue(Panel(np.full((2, 10), np.nan), np.ones((2, 20)), (4,), np.full(2, np.inf)))
    assert set(issued.maturity) == {Maturity.PRIOR}
    assert (issued.centre == 0).all()


@given(arrays(float, (5, 3), elements=st.floats(0, 100)), arrays(float, 5, elements=st.floats(0.01, 10)))
@settings(max_examples=50, deadline=None)
def test_reconciled_forecasts_add_up_and_are_never_negative(centre, variance):
    summing = sums_of([(0,), (1,), (2,), (0, 1), (0, 1, 2)])
    found = reconcile(centre, variance, summing)
    np.testing.assert_allclose(found[3], found[0] + found[1], atol=1e-9)
    np.testing.assert_allclose(found[4], found[3] + found[2], atol=1e-9)
    assert (found >= 0).all()


def test_forecasts_that_add_up_already_stay_as_they_are():
    summing = sums_of([(0,), (1,), (0, 1)])
    centre = np.array([[3.0], [4.0], [7.0]])
    np.testing.assert_allclose(reconcile(centre, np.ones(3), summing), centre)


def test_what_is_added_up_must_be_a_bottom_series():
    with pytest.raises(ValueError, match="no bottom series"):
        sums_of([(0,), (0, 2), (0, 1)])


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=60), st.sampled_from(LEVELS))
def test_a_conformal_quantile_is_one_of_the_scores_and_covers_its_level(scores, level):
    ordered = np.sort(np.array(scores))
    found = quantile_of(ordered, level)
    assert found in ordered
    share = (ordered <= found).mean() if level >= 0.5 else (ordered >= found).mean()
    wanted = level if level >= 0.5 else 1 - level
    assert share >= min(wanted, 1.0) - 1e-12 or found in (ordered[0], ordered[-1])


def test_the_asked_level_falls_with_misses_and_rises_with_hits():
    level = Adaptive(target=0.1, asked=0.1)
    assert level.after(True).asked < 0.1 < level.after(False).asked
    for number in range(2000):
        level = level.after(number % 10 == 0)  # misses exactly as often as it should
    assert level.asked == pytest.approx(0.1, abs=0.02)


def test_a_machine_that_will_probably_fail_loses_what_it_would_be_down():
    outlook = FaultOutlook(np.array([0.1, 0.01, 0.01]), np.array([0.01, 0.01, 0.02]), np.array([4.0, 4.0, 4.0]))
    down = down_share(outlook, np.array([0.0, 8.0, 1000.0]))
    assert (down[:, 0] == 0).all()
    assert down[0, 2] == pytest.approx(0.09 * 4 / (1 + 0.09 * 4))
    assert (down[1:] == 0).all()  # no more than usual: history has it already
    assert hazard_of(np.array([1 - np.exp(-2.4)]), 24) == pytest.approx(0.1)


def test_adjusted_quantiles_are_those_of_the_mixture():
    levels = (0.1, 0.5, 0.9)
    quantiles = np.array([10.0, 50.0, 90.0]).reshape(3, 1, 1)
    down = np.array([[0.2]])
    found = adjusted(quantiles, levels, down)[:, 0, 0]
    assert found[0] == 0  # one in five times nothing is produced
    assert found[1] == pytest.approx(100 * (0.5 - 0.2) / 0.8)
    np.testing.assert_array_equal(adjusted(quantiles, levels, np.zeros((1, 1))), quantiles)
    assert (adjusted(quantiles, levels, np.ones((1, 1))) == 0).all()


def test_profiles_agree_with_a_plain_loop():
    rng = np.random.default_rng(2)
    rates = rng.normal(10, 2, (3, 50))
    rates[0, 40:] = np.nan
    rates[2] = np.nan
    horizon, season = 20, 8
    newest = profiles.seasonal_naive(rates, season, horizon)
    middle = profiles.slot_median(rates, season, horizon)
    for series in range(3):
        known = rates[series][~np.isnan(rates[series])]
        recent = rates[series, -season:][~np.isnan(rates[series, -season:])]
        level = recent.mean() if len(recent) else known.mean() if len(known) else 0.0
        for step in range(horizon):
            slot = [rates[series, t] for t in range(50) if (t - 50 - step) % season == 0 and t >= 50 - 4 * season]
            slot = [value for value in slot if not np.isnan(value)]
            assert newest[series, step] == pytest.approx(slot[-1] if slot else level)
            assert middle[series, step] == pytest.approx(np.median(slot) if slot else level)


def test_scores_are_those_of_their_definitions():
    truth = np.array([[1.0, 2.0, np.nan]])
    low, high = np.array([[0.0, 2.5, 0.0]]), np.array([[2.0, 3.0, 1.0]])
    assert coverage(truth, low, high) == 0.5
    assert np.isnan(coverage(np.array([np.nan]), np.zeros(1), np.ones(1)))
    assert pinball(truth, np.array([[[0.0, 3.0, 0.0]]]), (0.9,)) == pytest.approx((0.9 * 1 + 0.1 * 1) / 2)
    scale = seasonal_scale(np.array([[1.0, 2.0, 3.0, 5.0]]), 2)
    assert scale == pytest.approx([2.5])
    assert mase(truth, np.array([[0.0, 0.0, 0.0]]), scale) == pytest.approx([1.5 / 2.5])
    assert msis(truth, low, high, scale, 0.95) == pytest.approx([(2 + 0.5 + 40 * 0.5) / 2 / 2.5])
