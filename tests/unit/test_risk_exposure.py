"""The person-period table: who is at risk when, what is known of each horizon, what the features may know."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.risk.exposure import EVENT, NO_EVENT, UNKNOWN, Life, person_period
from twin.risk.features import Episodes, History, features, select, use_since_renewal

HORIZONS = [8.0, 24.0]


def life(end: float = 100.0, **more: list) -> Life:
    arrays = {name: np.array(value, float) for name, value in more.items()}
    return Life(np.array([[0.0, end]]), **arrays)


def labels(one: Life, at: float) -> list[int]:
    rows = person_period([one], HORIZONS, step=1.0)
    (found,) = rows.labels[rows.at == at].tolist()
    return found


def test_a_fault_counts_in_the_interval_in_which_it_begins() -> None:
    one = life(failures=[30.0])
    assert labels(one, 25.0) == [EVENT, UNKNOWN]  # after it nothing more is asked
    assert labels(one, 22.0) == [EVENT, UNKNOWN]
    assert labels(one, 21.0) == [NO_EVENT, EVENT]
    assert labels(one, 5.0) == [NO_EVENT, NO_EVENT]
    assert labels(one, 30.0) == [NO_EVENT, NO_EVENT]  # it has begun


def test_what_lies_beyond_the_end_of_what_was_observed_is_unknown_also_where_a_fault_came_before() -> None:
    one = life(end=40.0, failures=[38.0])
    assert labels(one, 33.0) == [UNKNOWN, UNKNOWN]
    assert labels(one, 32.0) == [EVENT, UNKNOWN]
    assert labels(one, 20.0) == [NO_EVENT, UNKNOWN]


def test_after_a_gap_the_clock_starts_again_and_a_fault_behind_it_is_not_seen() -> None:
    one = Life(np.array([[0.0, 20.0], [30.0, 100.0]]), failures=np.array([32.0]))
    rows = person_period([one], [8.0], step=1.0)
    assert not np.any((rows.at >= 20.0) & (rows.at < 30.0))
    assert rows.labels[rows.at == 15.0].tolist() == [[UNKNOWN]]
    assert rows.labels[rows.at == 30.0].tolist() == [[EVENT]]


def test_down_time_and_the_time_after_it_are_no_rows() -> None:
    one = life(failures=[30.0], down=[[30.0, 35.0]])
    at = person_period([one], [8.0], step=1.0, burn_in=2.0).at
    assert 29.0 in at
    assert not np.any((at >= 30.0) & (at < 37.0))
    assert 37.0 in at


def test_planned_maintenance_censors_what_it_may_have_prevented_and_the_others_weigh_more() -> None:
    one = life(failures=[60.0], treated=[30.0])
    rows = person_period([one], [8.0], step=1.0)
    assert rows.labels[rows.at == 25.0].tolist() == [[UNKNOWN]]
    assert rows.labels[rows.at == 21.0].tolist() == [[NO_EVENT]]
    assert rows.labels[rows.at == 55.0].tolist() == [[EVENT]]
    assert rows.censored == 7
    assert 1.0 < rows.weight[rows.at == 21.0][0, 0] < 3.0
    assert person_period([life(failures=[60.0])], [8.0], step=1.0).weight.max() == 1.0


def test_many_rows_of_one_fault_are_one_fault() -> None:
    rows = person_period([life(failures=[30.0, 60.0]), life(failures=[50.0])], HORIZONS, step=1.0)
    assert rows.events() == 3
    assert (rows.labels == EVENT).sum() > 40


def history(seed: int, end: float = 200.0) -> History:
    rng = np.random.default_rng(seed)
    failures = np.sort(rng.uniform(1, end, 3))
    entered = np.sort(np.concatenate([[0.0], failures, failures + 1.0, rng.uniform(0, end, 8)]))
    since = rng.uniform(0, end, 10)
    drift = Episodes(since, since + rng.uniform(0, 20, 10), rng.uniform(1, 9, 10))
    one = life(end, failures=failures, renewed=failures + 1.0)
    return History(one, entered, rng.random(len(entered)) < 0.6, {"drift": drift})


def known_until(one: History, now: float) -> History:
    """What had been stored by then."""
    drift = one.episodes["drift"]
    begun = drift.since <= now
    until = np.where(drift.until <= now, drift.until, np.inf)[begun]
    entered = one.entered <= now
    lived = one.life
    past = Life(lived.observed, lived.failures[lived.failures <= now], renewed=lived.renewed[lived.renewed <= now])
    return History(
        past, one.entered[entered], one.executing[entered], {"drift": Episodes(drift.since[begun], until, drift.height[begun])}
    )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(1.0, 199.0))
def test_features_of_an_instant_use_nothing_of_the_future(seed: int, now: float) -> None:
    one = history(seed)
    at = np.array([now])
    then, names = features(known_until(one, now), at, ["drift"])
    later, _ = features(one, at, ["drift"])
    np.testing.assert_allclose(then, later, err_msg=str(names))


def test_use_counts_from_the_last_renewal_on() -> None:
    one = History(life(renewed=[10.0]), np.array([0.0, 4.0, 12.0]), np.array([True, False, True]))
    np.testing.assert_allclose(use_since_renewal(one, np.array([3.0, 9.0, 11.0, 15.0])), [3.0, 4.0, 0.0, 3.0])


def test_a_column_that_is_not_there_is_unknown() -> None:
    values = np.array([[1.0, 2.0]])
    assert np.isnan(select(values, ["a", "b"], ["b", "c"])[0]).tolist() == [False, True]
