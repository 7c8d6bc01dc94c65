"""Both paths to a probability, and the refusal: calibrated, monotone, the same for assets in any order."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.errors import Rejected
from twin.risk.assess import ClassModel, assess, fit_class, make_table, spells_of
from twin.risk.calibrate import calibrate, shift_intercept, shifted
from twin.risk.evaluate import area_under_roc, average_precision, brier, calibration_error, warnings
from twin.risk.exposure import Life, Rows
from twin.risk.features import Episodes, History
from twin.risk.hazard import FEWEST_FAILURES, fit_hazard
from twin.risk.rul import fit_rul
from twin.risk.statement import Basis
from twin.risk.trend import exponential_mean, standardise, trend_features
from twin.risk.weibull import Spells, chances, fit_prior

HORIZONS = (4.0, 12.0)


def machine(rng: np.random.Generator, hours: float, *, mean_h: float = 40.0) -> History:
    """Wears (Weibull, shape 3), warns some hours before most faults, and sometimes for nothing."""
    now, failures, since = 0.0, [], []
    while (now := now + mean_h * rng.weibull(3.0) + 1.0) < hours:
        failures.append(now)
        since += [now - rng.uniform(1, 6)] if rng.random() < 0.8 else []
        now += 1.0
    since = np.sort(np.array([*since, *rng.uniform(0, hours, int(hours / 100))]))
    fallen = np.array(failures)
    down = np.stack([fallen, fallen + 1.0], axis=1)
    life = Life(np.array([[0.0, hours]]), fallen, down, renewed=fallen + 1.0)
    entered = np.sort(np.concatenate([[0.0], fallen, fallen + 1.0]))
    executing = np.arange(len(entered)) % 2 == 0
    return History(life, entered, executing, {"drift": Episodes(since, since + 3.0, np.full(len(since), 4.0))})


@pytest.fixture(scope="module")
def fitted() -> tuple[list[History], ClassModel]:
    rng = np.random.default_rng(3)
    machines = [machine(rng, 350.0) for _ in range(6)]
    table = make_table(machines, HORIZONS, ["drift"], step=1.0, burn_in=0.5)
    return machines, fit_class(machines, table, HORIZONS)[0]


def test_with_enough_faults_the_probability_is_calibrated_on_machines_it_has_not_seen(fitted) -> None:
    machines, model = fitted
    assert model.basis is Basis.CALIBRATED
    assert model.failures >= FEWEST_FAILURES
    fresh = make_table(
        [machine(np.random.default_rng(77 + at), 400.0) for at in range(5)], HORIZONS, ["drift"], step=1.0
    )
    risks = model.hazard.predict(fresh.values)
    known = fresh.rows.labels[:, 0] >= 0
    label = fresh.rows.labels[known, 0].astype(float)
    assert calibration_error(risks.p[known, 0], label) < 0.05
    assert brier(risks.p[known, 0], label) < 0.8 * label.mean() * (1 - label.mean())
    assert area_under_roc(risks.score[known], label) > 0.8
    assert np.all(risks.low <= risks.p)
    assert np.all(risks.p <= risks.high)
    del machines


def test_longer_horizons_are_never_less_probable(fitted) -> None:
    _, model = fitted
    values = np.random.default_rng(1).normal(scale=50.0, size=(500, len(model.hazard.names)))
    p = model.hazard.predict(values).p
    assert np.all(np.diff(p, axis=1) >= 0)
    assert np.all((p > 0) & (p < 1))


def test_what_raises_the_risk_is_named(fitted) -> None:
    machines, model = fitted
    one = machines[0]
    before = (
        float(one.episodes["drift"].since[np.searchsorted(one.episodes["drift"].since, one.life.failures[-1]) - 1])
        + 0.1
    )
    said = assess(model, one, before, HORIZONS, ["drift"])
    assert [risk.basis for risk in said] == [Basis.CALIBRATED] * 2
    assert said[0].reasons
    assert all(reason.log_odds > 0 for reason in said[0].reasons)
    assert said[0].p <= said[1].p


def test_a_machine_that_is_down_has_no_risk_of_going_down(fitted) -> None:
    machines, model = fitted
    said = assess(model, machines[0], float(machines[0].life.failures[0]) + 0.5, HORIZONS, ["drift"])
    assert [(risk.basis, risk.p) for risk in said] == [(Basis.DOWN, None)] * 2


def test_a_model_survives_bytes_and_other_bytes_are_refused(fitted) -> None:
    machines, model = fitted
    block = model.to_bytes()
    again = ClassModel.from_bytes(block)
    assert again.to_bytes() == block
    assert assess(again, machines[1], 333.3, HORIZONS, ["drift"]) == assess(
        model, machines[1], 333.3, HORIZONS, ["drift"]
    )
    for damaged in (b"", b"H", b"H" + block[5:], b"P{}", b"P[", b"what"):
        with pytest.raises(Rejected):
            ClassModel.from_bytes(damaged)


def test_the_order_of_the_assets_changes_nothing_of_the_prior() -> None:
    machines = [machine(np.random.default_rng(at), 120.0) for at in range(4)]
    said = []
    for ordered in (machines, machines[::-1]):
        table = make_table(ordered, HORIZONS, ["drift"], step=1.0)
        model, _ = fit_class(ordered, table, HORIZONS)
        assert model.basis is Basis.PRIOR
        said.append([(risk.p, risk.low, risk.high) for risk in assess(model, machines[0], 120.0, HORIZONS, ["drift"])])
    np.testing.assert_allclose(said[0], said[1], rtol=1e-9)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 2))
def test_with_too_few_faults_there_is_never_a_number(seed: int, failures: int) -> None:
    rng = np.random.default_rng(seed)
    fallen = np.sort(rng.uniform(5, 90, failures))
    life = Life(np.array([[0.0, 100.0]]), fallen, np.stack([fallen, fallen + 0.1], axis=1), renewed=fallen + 0.1)
    one = History(life, np.array([0.0]), np.array([True]))
    table = make_table([one], HORIZONS, [], step=1.0)
    model, outside = fit_class([one], table, HORIZONS)
    assert (model.basis, outside) == (Basis.INSUFFICIENT, [])
    said = assess(model, one, 100.0, HORIZONS, [])
    assert all((risk.p, risk.low, risk.high, risk.basis) == (None, None, None, Basis.INSUFFICIENT) for risk in said)


def test_below_twenty_faults_nothing_is_called_calibrated() -> None:
    label = np.zeros((400, 1), np.int8)
    label[:190, 0] = 1
    failure = np.repeat(np.arange(19), 10)
    rows = Rows(
        np.arange(400) % 4, np.arange(400.0), label, np.ones((400, 1)),
        np.append(failure, np.full(210, -1)), np.full(400, np.inf), 0,
    )  # fmt: skip
    assert rows.events() == FEWEST_FAILURES - 1
    assert fit_hazard(rows, label.astype(float), ["oracle"], [4.0]) is None


def spells(count: int, scale: float, shape: float, seed: int = 0) -> Spells:
    rng = np.random.default_rng(seed)
    end = scale * rng.weibull(shape, count)
    return Spells(np.zeros(count), np.minimum(end, 3 * scale), end <= 3 * scale, np.arange(count) % 5)


def test_the_prior_finds_the_weibull_that_made_the_spells() -> None:
    none = np.empty(0)
    prior = fit_prior(spells(400, 50.0, 2.0), none, none, none)
    assert prior is not None
    assert abs(prior.shape - 2.0) < 0.25
    (one,) = chances(prior, Spells(none, none, np.empty(0, bool), np.empty(0, int)), 40.0, 1.0, 0.0, [10.0])
    truth = 1 - np.exp((40 / 50) ** 2 - (50 / 50) ** 2)
    assert one.low < truth < one.high
    assert abs(one.p - truth) < 0.1


@settings(max_examples=50, deadline=None)
@given(st.integers(3, 30), st.floats(0, 500), st.floats(0, 1), st.floats(0, 3), st.integers(0, 99))
def test_the_prior_is_monotone_in_the_horizon_and_in_the_evidence(
    count: int, use: float, load: float, evidence: float, seed: int
) -> None:
    none = np.empty(0)
    prior = fit_prior(spells(count, 50.0, 1.5, seed), none, none, none)
    own = Spells(none, none, np.empty(0, bool), np.empty(0, int))
    if prior is None:
        return
    calm = chances(prior, own, use, load, 0.0, [8.0, 24.0, 168.0])
    warned = chances(prior, own, use, load, evidence, [8.0, 24.0, 168.0])
    for said in (calm, warned):
        assert all(0 <= one.low <= one.p <= one.high <= 1 for one in said)
        assert all(before.p <= after.p for before, after in pairwise(said))
    assert all(one.p <= two.p + 1e-12 for one, two in zip(calm, warned, strict=True))


def test_an_asset_of_its_own_pulls_away_from_its_class() -> None:
    none = np.empty(0)
    prior = fit_prior(spells(60, 50.0, 1.5), none, none, none)
    bad = Spells(np.zeros(6), np.full(6, 10.0), np.ones(6, bool), np.zeros(6, int))
    good = Spells(np.zeros(1), np.array([400.0]), np.zeros(1, bool), np.zeros(1, int))
    p = [chances(prior, own, 5.0, 1.0, 0.0, [24.0])[0].p for own in (bad, good)]
    assert p[0] > 2 * p[1]


def test_evidence_that_precedes_faults_counts_for_more_than_the_prior_says() -> None:
    none_at_all, rng = np.empty(0), np.random.default_rng(2)
    exposed = (rng.random(2_000) < 0.05) * np.log(2.0)
    telling = fit_prior(spells(20, 50.0, 1.5), np.full(20, np.log(2.0)), exposed, np.ones(2_000))
    silent = fit_prior(spells(20, 50.0, 1.5), np.zeros(20), exposed, np.ones(2_000))
    unknown = fit_prior(spells(20, 50.0, 1.5), none_at_all, none_at_all, none_at_all)
    assert telling.beta > unknown.beta > silent.beta >= 0


def test_a_known_time_between_faults_is_enough_for_a_prior() -> None:
    none = np.empty(0)
    nothing = Spells(none, none, np.empty(0, bool), np.empty(0, int))
    assert fit_prior(nothing, none, none, none) is None
    prior = fit_prior(nothing, none, none, none, mtbf_h=500.0)
    (one,) = chances(prior, nothing, 0.0, 1.0, 0.0, [500.0])
    assert 0.2 < one.p < 0.9


def test_calibration_is_monotone_and_never_certain() -> None:
    rng = np.random.default_rng(0)
    score = rng.normal(size=3_000) * 3
    label = (rng.random(3_000) < 1 / (1 + np.exp(-score / 2))).astype(float)
    curve = calibrate(score, label, np.ones(3_000), 1_500)
    p, low, high = curve.at(np.linspace(-30, 30, 400))
    for one in (p, low, high):
        assert np.all(np.diff(one) >= 0)
    assert np.all((low <= p) & (p <= high))
    assert 0 < p.min() < 0.02
    assert 0.98 < p.max() < 1
    few = calibrate(score, label, np.ones(3_000), 30).at(np.array([0.0]))
    assert few[2] - few[1] > high[200] - low[200]


@pytest.mark.parametrize("label", [np.zeros(50), np.ones(50)])
def test_labels_of_one_kind_cannot_be_calibrated(label: np.ndarray) -> None:
    with pytest.raises(ValueError, match="both kinds"):
        calibrate(np.arange(50.0), label, np.ones(50), 20)


def test_a_base_rate_that_has_halved_moves_the_probabilities_towards_it() -> None:
    rng = np.random.default_rng(4)
    p = np.full(4_000, 0.2)
    delta = shift_intercept(p, (rng.random(4_000) < 0.1).astype(float), np.ones(4_000))
    assert abs(float(shifted(p, delta)[0]) - 0.1) < 0.02
    assert shift_intercept(p, np.zeros(4_000), np.full(4_000, 1e-4)) > -0.1  # next to no evidence


def test_remaining_life_holds_its_share_in_the_interval() -> None:
    rng = np.random.default_rng(6)

    def lives(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        length = rng.integers(30, 90, count)
        left = np.concatenate([np.arange(one, 0, -1.0) for one in length])
        noisy = left[:, None] + rng.normal(scale=8.0, size=(len(left), 2))
        return noisy, left, np.repeat(np.arange(count), length)

    values, left, life = lives(25)
    assert fit_rul(values[life < 5], left[life < 5], life[life < 5], ["a", "b"], cap=60.0) is None
    model = fit_rul(values, left, life, ["a", "b"], cap=60.0)
    fresh, truth, _ = lives(25)
    estimate, low, high = model.predict(fresh)
    capped = np.minimum(truth, 60.0)
    assert np.sqrt(np.mean((estimate - capped) ** 2)) < 8.0
    assert 0.82 < np.mean((capped >= low) & (capped <= high)) <= 1.0
    assert type(model).from_bytes(model.to_bytes()).to_bytes() == model.to_bytes()


def test_trends_use_the_past_only_and_skip_what_is_missing() -> None:
    rng = np.random.default_rng(8)
    signals = rng.normal(size=(60, 2))
    signals[rng.random(signals.shape) < 0.2] = np.nan
    whole = trend_features(signals)
    np.testing.assert_allclose(trend_features(signals[:30]), whole[:30])
    weights = (1 - 2 / 6) ** np.arange(59, -1, -1)
    seen = np.isfinite(signals[:, 0])
    expected = np.sum(weights[seen] * signals[seen, 0]) / weights[seen].sum()
    assert exponential_mean(signals, 5)[-1, 0] == pytest.approx(expected)


def test_signals_are_standardised_within_their_regime_by_the_rows_that_may_be_used() -> None:
    regime = np.array([0, 0, 0, 1, 1, 1])
    signals = np.array([[1.0], [3.0], [100.0], [10.0], [10.0], [10.0]])
    known = np.array([True, True, False, True, True, True])
    found = standardise(signals, regime, known)[:, 0]
    np.testing.assert_allclose(found, [-1, 1, 98, 0, 0, 0])


def test_scores_of_rankings_and_warnings() -> None:
    label = np.array([0.0, 1.0, 0.0, 1.0])
    assert area_under_roc(np.array([0.1, 0.9, 0.2, 0.8]), label) == 1.0
    assert average_precision(np.array([0.5, 0.5, 0.5, 0.5]), label) == pytest.approx(0.5)
    at, p = np.arange(100.0), np.zeros(100)
    p[[20, 45, 70]] = 1.0
    found = warnings([at], [p], [np.array([50.0, 90.0])], threshold=0.5, horizon=10.0)
    assert (found.failures, found.warned, found.false, found.lead.tolist()) == (2, 1, 2, [5.0])


def test_use_is_cut_into_spells_by_faults_and_renewals() -> None:
    life = Life(np.array([[0.0, 50.0]]), np.array([10.0]), np.array([[10.0, 12.0]]), renewed=np.array([12.0, 30.0]))
    one = History(life, np.array([0.0, 10.0, 12.0]), np.array([True, False, True]))
    found = spells_of([one], 50.0)
    used = found.end - found.begin
    assert used[used > 0].tolist() == [10.0, 18.0, 20.0]
    assert found.failed[used > 0].tolist() == [True, False, False]
