"""Noise without a fault through the engine: alarms within the budget; a new normal, products, seasons through it too."""

import numpy as np
import pytest

from tests.unit.monitor_plant import SECOND, START_NS, batch, make_ids, make_plant
from twin.kernels.layout import ROWS, UNKNOWN_REGIME, hot_records
from twin.kernels.tails import p_value
from twin.monitor.engine import Engine
from twin.monitor.hours import WeekHours
from twin.plant.calendar import Calendar
from twin.state.alarming import BLOCK_NS

PLANT = make_plant()
IDS = make_ids(PLANT)
SAW, PRESS = IDS["factory/hall/saw/current"], IDS["factory/hall/press/current"]


def samples(signal, values, start_s=0, period_s=30):
    return [(signal, START_NS + (start_s + k * period_s) * SECOND, float(v), 0) for k, v in enumerate(values)]


def test_a_calibrated_finding_says_how_likely_it_is_and_what_it_left():
    rng, one = np.random.default_rng(1), Engine(PLANT, IDS)
    one.push(batch(samples(SAW, rng.normal(20.0, 1.0, 3000))))  # 25 h: the tails are known
    assert not one.state.findings
    opened = one.push(batch(samples(SAW, rng.normal(35.0, 1.0, 10), 90_000))).findings[0]
    evidence = opened.evidence
    assert opened.detector == "spike"
    assert evidence.p is not None
    assert evidence.p < 1e-6
    assert evidence.expected_per_day is not None
    assert evidence.expected_per_day < 0.1
    assert (evidence.centre, evidence.spread) == (pytest.approx(20.0, abs=0.5), pytest.approx(1.0, rel=0.3))
    (first, *_) = evidence.contributions
    assert (first.signal, first.sign) == ("factory/hall/saw/current", 1)
    assert evidence.model
    assert Engine.restore(PLANT, IDS, one.snapshot()).state.findings == one.state.findings


def test_a_second_finding_names_the_one_before():
    rng, one = np.random.default_rng(2), Engine(PLANT, IDS)
    found = []
    for at in range(6):
        values = np.concatenate([rng.normal(20.0, 1.0, 1500), rng.normal(40.0, 1.0, 10)])
        found += one.push(batch(samples(SAW, values, at * 1510 * 30))).findings
    opened = [f for f in found if f.detector == "spike" and f.until_ns is None]
    later = [f for f in opened if f.id != opened[0].id]
    assert opened[0].evidence.earlier is None
    assert later[0].evidence.earlier == opened[0].id


def test_what_an_operator_calls_false_is_no_longer_unlikely():
    rng, one = np.random.default_rng(9), Engine(PLANT, IDS)
    one.push(batch(samples(SAW, np.concatenate([rng.normal(20.0, 1.0, 3000), rng.normal(27.0, 0.5, 10)]))))
    rows = one.state.blocks.tails.reshape(-1)
    spike = int(np.flatnonzero(rows["blocks"])[0])
    score, _ = one.state.alarming.last[SAW, 3]
    before = p_value(rows[spike], score)
    assert one.called_false("factory/hall/saw/current", "spike")
    assert p_value(rows[spike], score) >= max(before, 1.0 / (int(rows[spike]["n"]) + 1))
    assert not one.called_false("factory/hall/saw/current", "quality")
    assert not one.called_false("factory/hall/nowhere", "spike")
    again = Engine.restore(PLANT, IDS, one.snapshot())
    assert again.state.alarming.last == one.state.alarming.last


def test_a_drift_began_when_its_cusum_left_zero():
    rng, one = np.random.default_rng(3), Engine(PLANT, IDS)
    one.push(batch(samples(SAW, rng.normal(20.0, 1.0, 3000))))
    shifted = one.push(batch(samples(SAW, rng.normal(22.5, 1.0, 120), 90_000))).findings
    drift = next(f for f in shifted if f.detector == "drift")
    assert abs(drift.since_ns - (START_NS + 90_000 * SECOND)) < 600 * SECOND
    assert "shifted up" in drift.message


def test_a_new_normal_ends_what_is_open_and_is_learnt():
    rng, one = np.random.default_rng(4), Engine(PLANT, IDS)
    one.push(batch(samples(SAW, rng.normal(20.0, 1.0, 3000))))
    assert one.push(batch(samples(SAW, rng.normal(35.0, 1.0, 10), 90_000))).findings
    one.new_normal("factory/hall", START_NS + 90_300 * SECOND)
    one.push(batch(samples(SAW, rng.normal(35.0, 1.0, 400), 90_300)))
    assert not one.state.findings
    mean = hot_records(one.state.blocks.hot)[SAW, ROWS.index("mean")] + one.state.blocks.exact["origin"][SAW]
    assert mean == pytest.approx(35.0, abs=0.5)
    with pytest.raises(KeyError):
        one.new_normal("factory/nowhere", START_NS)


def test_a_clock_that_runs_ahead_does_not_take_the_blocks_along():
    one = Engine(PLANT, IDS)
    ahead = batch(samples(SAW, [1.0, 2.0], start_s=10_000_000))
    ahead.received[:] = START_NS
    one.push(ahead)
    assert one.state.alarming.block == START_NS // BLOCK_NS


def test_the_first_regimes_have_a_baseline_each_and_the_others_share_the_last():
    one = Engine(PLANT, IDS)
    state = IDS["factory/hall/saw/state"]
    seen = []
    for at, code in enumerate([1, 2, 4, *range(10, 25), 2]):
        one.push(batch([(state, START_NS + at * 60 * SECOND, float(code), 0)]))
        seen.append(int(one.state.blocks.exact["regime"][SAW]))
    assert seen[:3] == [0, 1, 2]
    assert seen[-1] == 1
    assert max(seen) == UNKNOWN_REGIME
    assert int(one.state.blocks.exact["regime"][PRESS]) == UNKNOWN_REGIME


def hours_of(zone, *days):
    hours = WeekHours([Calendar("x", zone, (), frozenset(), ())])
    hours.cover(np.array([np.datetime64(day, "ns").astype(np.int64) for day in days]))
    return hours


def test_an_hour_that_the_clocks_skip_is_skipped_and_one_that_they_double_is_twice_as_long():
    spring = hours_of("Europe/Berlin", "2027-03-28T00")
    assert 6 * 24 + 2 not in spring.slot.tolist()
    autumn = hours_of("Europe/Berlin", "2026-10-25T00")
    at = autumn.slot.tolist().index(6 * 24 + 2)
    assert autumn.at[at + 1] - autumn.at[at] == 2 * 3600 * SECOND


def test_hours_begin_where_the_zone_says():
    india = hours_of("Asia/Kolkata", "2027-01-06T00")
    assert {int(at) % (3600 * SECOND) for at in india.at[1:-1]} <= {1800 * SECOND, 0}
    assert 1800 * SECOND in {int(at) % (3600 * SECOND) for at in india.at}
