"""The counter kernel against its plain-loop twin and against the truth: exact totals whatever the controller does."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.counters import Counter
from twin.kernels.counters import count, increments
from twin.kernels.layout import count_block

SECOND = 1_000_000_000
GAP_NS = 30 * SECOND
NO_BOUNDS = np.zeros(0, np.int64)
START = 1_800_000_000 * SECOND


def feed(record, samples, bounds=NO_BOUNDS):
    for time_ns, value in samples:
        count(record, time_ns, float(value), GAP_NS, bounds, 0, len(bounds))


def new():
    return count_block(np.array([7], np.int32))[0]


def equal(record, plain):
    assert int(record["total"]) == plain.total
    assert int(record["estimated"]) == plain.estimated
    assert int(record["last"]) == plain.last
    assert int(record["modulus"]) == (plain.modulus or 0)
    assert float(record["max_rate"]) == plain.rate
    assert [int(record[name]) for name in ("rollovers", "resets", "glitches", "unsure")] == [
        plain.rollovers,
        plain.resets,
        plain.glitches,
        plain.unsure,
    ]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([1, 2, 5, 29, 31, 3600]),
            st.one_of(st.integers(0, 12), st.integers(0, 70_000), st.floats(-5, 2e16, allow_nan=False)),
            st.booleans(),
        ),
        max_size=80,
    )
)
def test_the_counter_equals_its_plain_loop(steps):
    record, plain, now, level = new(), Counter(GAP_NS), START, 0.0
    for elapsed_s, value, relative in steps:
        now += elapsed_s * SECOND
        level = level + value if relative and value >= 0 else value
        feed(record, [(now, level)])
        plain.see(now, level)
    if plain.last is not None:
        equal(record, plain)


@st.composite
def histories(draw):
    """What a controller shows of a machine that makes a part now and then, and the parts that it truly made."""
    modulus = draw(st.sampled_from([1000, 10_000, 2**15, 2**16, 2**32]))
    shown = draw(st.integers(0, modulus - 1))
    now, truth = START, 0
    samples = [(now, shown)]
    previous_was_odd = True
    for _ in range(draw(st.integers(5, 120))):
        now += SECOND
        kind = draw(st.sampled_from(["part", "part", "part", "idle", "reset", "glitch", "gap"]))
        if previous_was_odd or now < START + 5 * SECOND:
            kind = "part"  # a second witness comes between two oddities
        previous_was_odd = kind in {"reset", "glitch", "gap"}
        if kind == "gap":
            now += draw(st.integers(31, 3600)) * SECOND
            made = draw(st.integers(0, 9))
        else:
            made = 1 if kind == "part" else 0
        if kind == "reset" and 40 < shown < modulus - 40:  # between two parts, far from where a rollover is as likely
            shown = 0
        elif kind == "glitch":
            wrong = draw(st.sampled_from([0, shown + 50_000, 2**32 - 1]))
            if 40 < shown < modulus - 40:
                samples.append((now, wrong))
                continue
        truth += made
        shown = (shown + made) % modulus
        samples.append((now, shown))
    for _ in range(2):
        now, shown, truth = now + SECOND, (shown + 1) % modulus, truth + 1
        samples.append((now, shown))
    return samples, truth, modulus


@settings(max_examples=400, deadline=None)
@given(histories())
def test_totals_are_exact_through_rollovers_resets_glitches_and_gaps(history):
    samples, truth, modulus = history
    record = new()
    record["modulus"] = modulus
    feed(record, samples)
    assert int(record["total"]) == truth


@settings(max_examples=60, deadline=None)
@given(histories(), st.data())
def test_what_a_series_brought_adds_up_to_the_total_wherever_it_is_cut(history, data):
    samples, truth, modulus = history
    time = np.array([at for at, _ in samples])
    reading = np.array([value for _, value in samples], np.float64)
    cut = data.draw(st.integers(0, len(samples)))
    record = new()
    record["modulus"] = modulus
    found = []
    for part in (slice(0, cut), slice(cut, None)):
        n = len(time[part])
        since, parts, estimated = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.bool_)
        increments(record, time[part], reading[part], np.ones(n, np.bool_), GAP_NS, since, parts, estimated)
        found += zip(since.tolist(), time[part].tolist(), parts.tolist(), estimated.tolist(), strict=True)
    made = [one for one in found if one[2]]
    assert sum(one[2] for one in made) == truth == int(record["total"])
    assert sum(one[2] for one in made if one[3]) == int(record["estimated"])
    assert all(before[1] <= after[0] < after[1] for before, after in itertools.pairwise(made))


@settings(max_examples=60, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_duplicates_and_another_order_change_nothing_once_the_store_has_sorted_them(history, chance):
    samples, truth, modulus = history
    arrived = samples + chance.sample(samples, len(samples) // 3)
    chance.shuffle(arrived)
    record = new()
    record["modulus"] = modulus
    feed(record, sorted(dict(arrived).items()))
    assert int(record["total"]) == truth


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 60), st.integers(0, 9), st.integers(1, 5), st.integers(50, 400))
def test_what_a_reset_may_have_swallowed_is_bounded(before, lost, after, shown):
    """The machine makes `lost` parts between the last sample and the reset: nobody can see them, but their bound is told."""
    record, now = new(), START
    for k in range(before):
        now += SECOND
        feed(record, [(now, shown + k)])
    for k in range(after + 1):
        now += SECOND
        feed(record, [(now, k)])
    truth = before - 1 + lost + after
    assert int(record["total"]) <= truth <= int(record["total"]) + int(record["unsure"])


def test_a_value_that_the_modulus_cannot_show_refutes_it():
    record = new()
    feed(record, [(START + k * SECOND, (995 + k) % 1000) for k in range(10)])
    assert int(record["modulus"]) == 1000
    feed(record, [(START + (10 + k) * SECOND, 5 + 9 * k) for k in range(200)])
    assert int(record["modulus"]) == 0


def test_a_rollover_teaches_the_modulus():
    record = new()
    feed(record, [(START + k * SECOND, (65_500 + k) % 65_536) for k in range(100)])
    assert int(record["total"]) == 99
    assert int(record["modulus"]) == 65_536
    assert int(record["rollovers"]) == 1


def test_a_reset_counts_what_was_made_since():
    record = new()
    feed(record, [(START + k * SECOND, value) for k, value in enumerate([500, 501, 502, 0, 1, 2, 3])])
    assert int(record["total"]) == 5
    assert int(record["resets"]) == 1


def test_one_wrong_value_changes_nothing():
    record = new()
    feed(record, [(START + k * SECOND, value) for k, value in enumerate([500, 501, 0, 502, 90_000, 503])])
    assert int(record["total"]) == 3
    assert int(record["glitches"]) == 2


def test_a_preset_is_not_production():
    record = new()
    feed(record, [(START + k * SECOND, value) for k, value in enumerate([10, 11, 50_000, 50_001, 50_002])])
    assert int(record["total"]) == 3


def test_a_counter_faster_than_believed_is_believed_after_four_samples_and_exact():
    record = new()
    feed(record, [(START + k * SECOND, 5_000 * k) for k in range(20)])
    assert int(record["total"]) == 95_000


def test_parts_across_a_gap_are_exact_and_flagged_as_estimated():
    record = new()
    feed(record, [(START, 0), (START + SECOND, 1), (START + 600 * SECOND, 61), (START + 601 * SECOND, 62)])
    assert int(record["total"]) == 62
    assert int(record["estimated"]) == 60


def test_of_a_gap_across_the_change_of_shift_only_its_share_counts_for_the_new_shift():
    bounds = np.array([START - 3600 * SECOND, START + 150 * SECOND, START + 9000 * SECOND])
    record = new()
    feed(record, [(START, 0), (START + 100 * SECOND, 10), (START + 200 * SECOND, 30)], bounds)
    assert int(record["total"]) == 30
    assert int(record["shift_total"]) == 10
    assert int(record["shift_estimated"]) == 10
    assert int(record["shift_start"]) == START + 150 * SECOND


@pytest.mark.parametrize("value", [-1.0, 1e17])
def test_an_impossible_reading_is_a_glitch(value):
    record = new()
    feed(record, [(START, 5), (START + SECOND, value), (START + 2 * SECOND, 6)])
    assert int(record["total"]) == 1
    assert int(record["glitches"]) == 1
