"""Frames and banks in the hot loop: gaps, states, splits, restart, what a finding says."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.reference.frames import PlainFrames
from tests.unit.monitor_plant import SECOND, START_NS, batch
from twin.detect.frames import NO_STATE, UNKNOWN_STATE, Frames, framed
from twin.detect.multivariate import AssetBank, from_bytes, to_bytes
from twin.detect.multivariate_fit import fit_bank
from twin.monitor.asset_banks import Fitted
from twin.monitor.engine import Engine
from twin.monitor.frame_judges import FrameJudges
from twin.monitor.spells import Event, Stream
from twin.plant.calendar import Calendar
from twin.plant.tree import Asset, Kind, Level, MachineState, Plant, Signal
from twin.wire.reading import Quality

PATH = "factory/hall/pump"
NAMES = ("current", "flow", "pressure", "temperature")


def make_pump():
    states = {0: MachineState("off", "NotAvailable"), 1: MachineState("running", "Executing")}
    signals = [
        Signal(f"{PATH}/{name}", PATH, name, name.title(), Kind.MEASUREMENT, "", None, None, None, 1.0, 5.0, {}, None)
        for name in NAMES
    ]
    state = Signal(
        f"{PATH}/state", PATH, "state", "State", Kind.STATE, "", None, None, "machine-state", 5.0, 30.0, states, None
    )
    everything = (*signals, state)
    site = Asset("factory", "factory", "Factory", Level.SITE, "site", None, (), "always")
    hall = Asset("factory/hall", "hall", "Hall", Level.AREA, "area", "factory", (), "always")
    asset = Asset(
        PATH, "pump", "Pump", Level.UNIT, "pump", "factory/hall", tuple(one.path for one in everything), "always"
    )
    calendar = Calendar("always", "UTC", (), frozenset(), ())
    return Plant("t", "T", "1", (site, hall, asset), everything, (), {}, {"always": calendar})


PLANT = make_pump()
IDS = {signal.path: 10 + number for number, signal in enumerate(PLANT.signals)}
STATE_ID = IDS[f"{PATH}/state"]


def values(count, seed):
    rng = np.random.default_rng(seed)
    load = rng.standard_normal(count)
    return np.column_stack(
        [
            10 + 2 * load + 0.2 * rng.standard_normal(count),
            50 + 8 * load + rng.standard_normal(count),
            3 - 0.3 * load + 0.05 * rng.standard_normal(count),
            60 + 0.5 * rng.standard_normal(count),
        ]
    )


def rows(frames, begin_s=0, state=1.0):
    """One sample per signal and second, and the machine state every five seconds."""
    found = []
    for n, frame in enumerate(frames):
        at = START_NS + (begin_s + n) * SECOND
        if n % 5 == 0:
            found.append((STATE_ID, at, state, Quality.GOOD))
        found += [
            (IDS[f"{PATH}/{name}"], at, float(value), Quality.GOOD) for name, value in zip(NAMES, frame, strict=True)
        ]
    return found


MODEL = AssetBank(PATH, tuple(f"{PATH}/{name}" for name in NAMES), 1.0, {1: fit_bank([values(3_000, 1)])})


def judges():
    return FrameJudges(PLANT, IDS, Engine(PLANT, IDS).state.alarming)


def started():
    found = judges()
    assert found.banks.swap([Fitted(MODEL, 3)]) == []
    return found


def faulty(seed=5, count=240, at=150):
    frames = values(count, seed)
    frames[at:, 1] -= 12.0  # the flow is too small for this current
    return frames


def told(banks, samples, size=200):
    found = []
    for begin in range(0, len(samples), size):
        found += banks.push(batch(samples[begin : begin + size]))
    return found


def test_a_frame_is_the_last_value_of_every_measurement():
    frames = Frames(PLANT, IDS)
    runs = list(frames.push(batch(rows([[1, 2, 3, 4], [5, 6, 7, 8], [9, 9, 9, 9]]))))
    assert [run.asset for run in runs] == [PATH]
    assert np.concatenate([run.rows for run in runs]).tolist()[:2] == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert {run.regime for run in runs} == {1}


def test_columns_sorted_by_signal_give_the_frames_of_samples_in_order():
    samples = rows(values(200, 2))
    straight, sorted_ = Frames(PLANT, IDS), Frames(PLANT, IDS)
    one = np.concatenate([run.rows for run in straight.push(batch(samples))])
    two = np.concatenate([run.rows for run in sorted_.push(batch(sorted(samples)))])
    assert np.array_equal(two, one)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), silence_s=st.sampled_from([2, 2, 40, 90, 500]))
@example(seed=6, silence_s=500)  # a late sample before a silence stood in a slot after it
def test_frames_equal_their_plain_loop(seed, silence_s):
    rng = np.random.default_rng(seed)
    now, samples = START_NS, []
    for _ in range(200):
        now += int(rng.integers(0, 2 if rng.random() < 0.98 else silence_s)) * SECOND // 2
        late = int(rng.integers(0, 50)) * SECOND if rng.random() < 0.05 else 0
        quality = Quality.BAD if rng.random() < 0.03 else Quality.GOOD
        samples.append((10 + int(rng.integers(0, 5)), now - late, float(rng.integers(0, 3)), quality))
    samples.sort(key=lambda row: row[1] if seed % 2 else 0)
    plain = PlainFrames(list(range(10, 15)), dict.fromkeys(range(10, 15), 30 * SECOND), SECOND)
    expected = [
        one for number, time, value, bad in samples for one in plain.take(number, time, value, bad == Quality.BAD)
    ]
    frames = Frames(PLANT, IDS)
    found = [
        (run.slot + n, row) for one in samples for run in frames.push(batch([one])) for n, row in enumerate(run.rows)
    ]
    assert [slot for slot, _ in found] == [slot for slot, _ in expected]
    assert np.array_equal([row for _, row in found], [row[:-1] for _, row in expected], equal_nan=True) or not found


def test_a_value_that_is_too_old_is_unknown_and_so_is_a_bad_one():
    samples = rows(values(200, 3))
    silent = [row for row in samples if row[0] != IDS[f"{PATH}/flow"] or row[1] < START_NS + 20 * SECOND]
    silent[40] = (*silent[40][:3], Quality.BAD)
    runs = list(Frames(PLANT, IDS).push(batch(silent)))
    flow = np.concatenate([run.rows for run in runs])[:, 1]
    assert np.isfinite(flow[:18]).all()
    assert np.isnan(flow[60:]).all()


def test_an_unknown_machine_state_has_a_regime_of_its_own():
    samples = [row for row in rows(values(20, 4)) if row[0] != STATE_ID]
    assert {run.regime for run in Frames(PLANT, IDS).push(batch(samples))} == {UNKNOWN_STATE}
    assert NO_STATE != UNKNOWN_STATE


def test_only_an_asset_that_measures_something_has_frames():
    assert [one.asset for one in framed(PLANT)] == [PATH]
    assert framed(Plant("t", "T", "1", (), (), (), {}, {})) == []


def test_a_broken_relation_is_told_with_the_signals_that_broke_it():
    opened = told(started(), rows(faulty()))
    assert len({one.id for one in opened}) == 1
    finding = opened[0]
    assert (finding.asset, finding.detector, finding.until_ns) == (PATH, "multivariate", None)
    assert finding.evidence.contributions[0].signal == f"{PATH}/flow"
    assert finding.evidence.contributions[0].sign == -1
    assert finding.signal == f"{PATH}/flow"
    assert (finding.evidence.regime, finding.evidence.model) == ("running", "mspc 3")
    assert 0 <= finding.since_ns - (START_NS + 150 * SECOND) <= 3 * SECOND
    assert finding.evidence.p < 1e-3
    assert "Flow" in finding.message


def test_what_gets_worse_is_told_again_under_the_same_id():
    frames = faulty(count=400)
    frames[240:, 1] -= 30.0
    first, *again = told(started(), rows(frames))
    assert again
    assert {one.id for one in again} == {first.id}
    assert again[-1].score >= 1.25 * first.score


def test_a_finding_names_the_one_before_it():
    frames = np.vstack([faulty(count=200), values(200, 6), faulty(count=240)])
    found = told(started(), rows(frames))
    ids = list(dict.fromkeys(one.id for one in found))
    assert found[-1].evidence.earlier == ids[-2]


def test_what_an_operator_calls_false_is_learnt_as_normal():
    judging = started()
    opened = told(judging, rows(faulty()))[-1]
    (stream,) = judging.banks._streams.values()
    blocks = int(stream.calibration.records["blocks"][0])
    assert judging.called_false(opened.signal, "multivariate")
    assert int(stream.calibration.records["blocks"][0]) == blocks + 1
    assert stream.limit() > opened.score
    assert not judging.called_false(opened.signal, "sub-pca")


@pytest.mark.parametrize(("spent", "events"), [(False, [Event.OPENED]), (True, [])])
def test_a_spent_budget_holds_back_what_is_merely_odd(spent, events):
    alarming = Engine(PLANT, IDS).state.alarming
    stream = Stream(PATH, 600, alarming)
    stream.learn(5.0 + np.random.default_rng(1).exponential(1.0, 200))
    odd = float(stream.calibration.limit([0], 1e-3)[0])
    for budget in alarming.budgets if spent else ():
        budget.balance, budget.bend = -20.0, -12.0
    found = [event for _, event in stream.follow([5.0] * 20 + [odd] * 5, range(25))]
    assert found == events


def test_a_finding_ends_when_the_values_go_together_again():
    frames = np.vstack([faulty(count=200), values(200, 6)])
    first, *_, last = told(started(), rows(frames))
    assert last.id == first.id
    assert START_NS + 198 * SECOND <= last.until_ns <= START_NS + 330 * SECOND


def test_a_healthy_hour_has_no_finding():
    assert told(started(), rows(values(3_600, 7))) == []


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 50), cuts=st.lists(st.integers(1, 300), min_size=1, max_size=6))
def test_any_split_gives_the_same_findings_and_the_same_bytes(seed, cuts):
    rng = np.random.default_rng(seed)
    samples = [row for row in rows(faulty(seed)) if rng.random() > 0.02]
    whole, pieces = started(), started()
    expected = told(whole, samples, size=len(samples))
    found, begin = [], 0
    for size in [*cuts, len(samples)]:
        found += pieces.push(batch(samples[begin : begin + size]))
        begin = min(begin + size, len(samples))
    assert found == expected
    assert pieces.snapshot() == whole.snapshot()


@pytest.mark.parametrize("cut", [10, 500, 770, 900])
def test_a_restart_changes_nothing(cut):
    samples = rows(faulty())
    through, before = started(), started()
    expected = told(through, samples)
    found = told(before, samples[:cut])
    after = started()
    after.restore(before.snapshot())
    assert after.snapshot() == before.snapshot()
    found += told(after, samples[cut:])
    assert found == expected
    assert after.snapshot() == through.snapshot()


def test_a_gap_gives_no_finding_and_the_scales_begin_anew():
    frames = values(400, 8)
    samples = rows(frames[:200]) + rows(frames[200:], begin_s=20_000)
    assert told(started(), samples) == []


def test_a_state_that_the_model_does_not_know_is_silent():
    assert told(started(), rows(faulty(), state=0.0)) == []


def test_after_a_change_of_state_nothing_is_judged_until_it_has_settled():
    frames = values(120, 9)
    frames[60:68, 1] -= 30.0  # it starts up
    samples = rows(frames[:60], state=0.0) + rows(frames[60:], begin_s=60)
    assert told(started(), samples) == []


def test_a_new_version_is_taken_up_between_two_batches():
    banks = started()
    samples = rows(faulty())
    told(banks, samples[:300])
    assert banks.banks.swap([Fitted(from_bytes(to_bytes(MODEL)), 4)]) == []
    finding = told(banks, samples[300:])[0]
    assert finding.evidence.model == "mspc 4"


def test_a_model_of_other_signals_is_refused_by_name():
    other = AssetBank(PATH, (f"{PATH}/current", f"{PATH}/flow"), 1.0, {})
    assert judges().banks.swap([Fitted(other, 1)]) == [PATH]


def test_without_a_model_there_is_silence():
    assert told(judges(), rows(faulty())) == []
