"""Tier C in the hot loop: a cycle that runs differently, time that stands still, versions, splits, restart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.monitor_plant import SECOND, START_NS, batch
from tests.unit.test_monitor_banks import IDS, NAMES, PATH, PLANT, STATE_ID
from twin.detect.stretches import SignalStretches, from_bytes, to_bytes
from twin.detect.stretches_fit import fit_stretches
from twin.errors import Rejected
from twin.monitor.engine import Engine
from twin.monitor.frame_judges import FrameJudges
from twin.monitor.stretches import FittedStretches
from twin.wire.reading import Quality

CURRENT = f"{PATH}/current"


def cycles(count, seed, period=25):
    at = np.arange(count)
    wave = np.sin(2 * np.pi * at / period) + 0.4 * np.sin(4 * np.pi * at / period)
    return 10.0 + wave + 0.05 * np.random.default_rng(seed).standard_normal(count)


MODEL, REPORT = fit_stretches(CURRENT, cycles(30_000, 1), frame_s=1.0, regime=1, asked=("sub-pca", "left-profile"))


def judges(model=MODEL, version=2):
    found = FrameJudges(PLANT, IDS, Engine(PLANT, IDS).state.alarming)
    found.stretches.swap([FittedStretches(model, version)])
    return found


def rows(line, begin_s=0, state=1.0):
    found = []
    for n, value in enumerate(line.tolist()):
        at = START_NS + (begin_s + n) * SECOND
        if n % 5 == 0:
            found.append((STATE_ID, at, state, Quality.GOOD))
        found += [(IDS[f"{PATH}/{name}"], at, value if name == "current" else 1.0, Quality.GOOD) for name in NAMES]
    return found


def told(judging, samples, size=300):
    return [one for at in range(0, len(samples), size) for one in judging.push(batch(samples[at : at + size]))]


def missing(seed=2, count=500, at=300):
    line = cycles(count, seed)
    line[at : at + 50] = line[at] + 0.01 * np.random.default_rng(seed).standard_normal(50)
    return line


def test_a_cycle_that_did_not_take_place_is_told_with_version_and_chance():
    found = told(judges(), rows(missing()))
    assert found
    first = found[0]
    assert (first.asset, first.signal) == (PATH, CURRENT)
    assert first.detector in {"sub-pca", "left-profile"}
    assert 0 <= first.since_ns - (START_NS + 300 * SECOND) <= 40 * SECOND
    assert (first.evidence.model, first.evidence.regime) == ("stretch 2", "running")
    assert first.evidence.p < 0.01
    assert "Current" in first.message
    assert any(one.until_ns is not None for one in found)


def test_usual_cycles_have_no_finding():
    assert told(judges(), rows(cycles(3_600, 3))) == []


def test_time_stands_still_in_another_state_and_the_cycle_goes_on():
    line = cycles(800, 4)
    samples = rows(line[:400]) + rows(np.full(60, 3.0), begin_s=400, state=0.0) + rows(line[390:], begin_s=460)
    assert told(judges(), samples) == []


def test_what_is_open_ends_when_the_machine_is_elsewhere_for_an_hour():
    samples = rows(missing()[:345]) + rows(np.full(4_000, 3.0), begin_s=345, state=0.0)
    found = told(judges(), samples)
    assert found
    assert {one.id for one in found if one.until_ns is None} == {one.id for one in found if one.until_ns is not None}


def test_a_gap_begins_anew():
    samples = rows(cycles(300, 5)) + rows(cycles(300, 6), begin_s=20_000)
    assert told(judges(), samples) == []


def _order(finding):
    return finding.detector, finding.since_ns, finding.score, finding.until_ns or 0


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 20), cuts=st.lists(st.integers(1, 900), min_size=1, max_size=5))
def test_any_split_gives_the_same_findings_and_the_same_bytes(seed, cuts):
    samples = rows(missing(seed))
    whole, pieces = judges(), judges()
    expected = told(whole, samples, size=len(samples))
    found, begin = [], 0
    for size in [*cuts, len(samples)]:
        found += pieces.push(batch(samples[begin : begin + size]))
        begin = min(begin + size, len(samples))
    assert sorted(found, key=_order) == sorted(expected, key=_order)  # streams of a batch follow one another
    assert pieces.snapshot() == whole.snapshot()


@pytest.mark.parametrize("cut", [300, 1_500, 1_800])  # where batches end
def test_a_restart_changes_nothing(cut):
    samples = rows(missing())
    through, before, after = judges(), judges(), judges()
    expected = told(through, samples)
    found = told(before, samples[:cut])
    after.restore(before.snapshot())
    after.rejoin()
    assert after.snapshot() == before.snapshot()
    assert found + told(after, samples[cut:]) == expected
    assert after.snapshot() == through.snapshot()


def test_a_version_without_the_detector_ends_what_it_has_found():
    judging = judges()
    opened = told(judging, rows(missing()[:345]))
    ended = judging.stretches.swap([FittedStretches(SignalStretches(CURRENT, 1.0, 1, (), ()), 3)])
    assert {one.id for one in ended} == {one.id for one in opened}
    assert judging.stretches.versions() == {}
    assert judging.open(PATH) == []


def test_a_model_comes_back_from_its_bytes_and_damage_is_refused():
    packed = to_bytes(MODEL)
    assert to_bytes(from_bytes(packed)) == packed
    with pytest.raises(Rejected, match="cannot be read"):
        from_bytes(packed[:50])


def test_the_report_says_what_was_chosen_and_why():
    assert (REPORT["by"], REPORT["chosen"], REPORT["length_s"] % 25) == ("plant", ["sub-pca", "left-profile"], 0)
    chosen, report = fit_stretches(CURRENT, cycles(6_000, 7), frame_s=1.0, regime=1)
    assert report["by"] == "trial"
    assert [one.detector for one in chosen.models] == report["chosen"] != []
    assert set(report["trials"]) == set(report["reasons"]) == {"sub-pca", "codebook", "left-profile"}
