"""The engine: any split of the input, any kill and restore, give the same state bit for bit and the same findings."""

import random
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.monitor_history import random_rows
from tests.unit.monitor_plant import SECOND, START_NS, batch, make_ids, make_plant
from twin.errors import Rejected
from twin.kernels.layout import hot_records
from twin.monitor.engine import Engine
from twin.state.model import Detector
from twin.wire.reading import Quality

PLANT = make_plant()
IDS = make_ids(PLANT)
SAW = {name: IDS[f"factory/hall/saw/{name}"] for name in ("state", "count", "current", "order")}


def engine():
    return Engine(PLANT, IDS)


def split(whole, cuts):
    """The same rows in several batches."""
    places = [0, *sorted(cuts), len(whole)]
    columns = ("signal", "time", "value", "quality", "server", "received")
    for at, (begin, end) in enumerate(pairwise(places)):
        part = {name: getattr(whole, name)[begin:end] for name in columns}
        texts = whole.texts if at == 0 else batch([]).texts
        yield replace(whole, **part, texts=texts)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6), data=st.data())
def test_any_split_of_the_input_gives_the_same_state_and_findings(seed, data):
    whole = batch(
        random_rows(seed, 6000, busy=data.draw(st.sampled_from([0.0, 0.02]))), texts=[(SAW["order"], START_NS, "A-17")]
    )
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=12))
    one, other = engine(), engine()
    expected = one.push(whole)
    parts = [other.push(part) for part in split(whole, cuts)]
    assert other.snapshot() == one.snapshot()
    assert [finding for judged in parts for finding in judged.findings] == list(expected.findings)
    assert [entered for judged in parts for entered in judged.transitions] == list(expected.transitions)
    assert frozenset().union(*(judged.changed for judged in parts)) == expected.changed


def test_the_split_test_sees_findings_and_transitions():
    judged = engine().push(batch(random_rows(0, 6000, busy=0.0)))
    assert judged.transitions
    assert {finding.detector for finding in judged.findings} >= {Detector.RANGE, Detector.SPIKE}


def test_a_signal_without_any_good_value_has_no_baseline_to_leave():
    rows = [(*row[:3], Quality.BAD) for row in random_rows(0, 600) if row[0] == SAW["current"]]
    findings = engine().push(batch(rows)).findings
    assert {finding.detector for finding in findings} == {Detector.QUALITY}
    assert {(finding.evidence.centre, finding.evidence.spread) for finding in findings} == {(None, None)}


@pytest.mark.parametrize("seed", range(5))
def test_killed_and_restored_at_any_batch_equals_an_uninterrupted_run(seed):
    chance = random.Random(seed)
    rows = random_rows(seed, 6000)
    batches = [batch(rows[at : at + 97], number=at + 1) for at in range(0, len(rows), 97)]
    steady, findings = engine(), []
    for seq, one in enumerate(batches, start=1):
        findings += steady.push(one, seq).findings
    killed, snapshot, told = engine(), None, {}
    restarts = 0
    seq = 0
    while seq < len(batches):
        seq += 1
        for finding in killed.push(batches[seq - 1], seq).findings:
            told[seq, finding.id, finding.until_ns] = finding
        if chance.random() < 0.2:
            snapshot = killed.snapshot()
        if chance.random() < 0.15 and restarts < 12:
            killed = Engine.restore(PLANT, IDS, snapshot) if snapshot else engine()
            seq, restarts = killed.state.seq, restarts + 1
    assert restarts > 0
    assert killed.snapshot() == steady.snapshot()
    assert list(told.values()) == findings


def test_a_snapshot_of_another_layout_or_a_torn_one_is_refused():
    packed = engine().snapshot()
    with pytest.raises(Rejected, match="another version"):
        Engine.restore(PLANT, IDS, packed[:8] + b"0" * 16 + packed[24:])
    with pytest.raises(Rejected, match="torn or damaged"):
        Engine.restore(PLANT, IDS, packed[:-1])
    with pytest.raises(Rejected, match="torn or damaged"):
        Engine.restore(PLANT, IDS, packed[:-1] + bytes([packed[-1] ^ 1]))
    with pytest.raises(Rejected, match="ends too early"):
        Engine.restore(PLANT, IDS, packed[:20])


def test_a_signal_that_is_added_to_the_plant_leaves_what_is_known_of_the_others():
    old = engine()
    old.push(batch(random_rows(1, 3000), texts=[(SAW["order"], START_NS, "A-17")]), 5)
    grown = make_plant(extra_signal=True)
    new = Engine.restore(grown, make_ids(grown), old.snapshot())
    size = len(old.state.blocks.exact)
    assert hot_records(new.state.blocks.hot)[:size].tobytes() == hot_records(old.state.blocks.hot)[:size].tobytes()
    for name in ("exact", "episodes"):
        assert getattr(new.state.blocks, name)[:size].tobytes() == getattr(old.state.blocks, name).tobytes()
    for name in ("regimes", "tails"):  # the added signal is the last one, and so are its rows
        rows = len(getattr(old.state.blocks, name))
        assert getattr(new.state.blocks, name)[:rows].tobytes() == getattr(old.state.blocks, name).tobytes()
    assert new.state.blocks.counters.tobytes() == old.state.blocks.counters.tobytes()
    assert (new.state.machines, new.state.findings, new.state.texts) == (
        old.state.machines,
        old.state.findings,
        old.state.texts,
    )
    added = make_ids(grown)["factory/hall/saw/added"]
    assert new.push(batch([(added, START_NS, 1.0, 0)]), 6).changed == {"factory/hall/saw"}


def test_late_and_doubled_samples_do_not_touch_the_streaming_state():
    one, other = engine(), engine()
    rows = [(SAW["current"], START_NS + k * SECOND, float(k % 7), 0) for k in range(50)]
    one.push(batch(rows))
    other.push(batch([*rows, (SAW["current"], START_NS + 20 * SECOND, 900.0, 0), rows[-1]]))
    assert int(other.state.blocks.exact["late"][SAW["current"]]) == 2
    other.state.blocks.exact["late"] = 0
    assert other.snapshot() == one.snapshot()


def test_a_sample_of_a_signal_that_the_plant_does_not_have_is_passed_over():
    one = engine()
    before = one.state.blocks.exact.tobytes()
    assert one.push(batch([(0, START_NS, 1.0, 0), (10_000, START_NS, 1.0, 0), (-4, START_NS, 1.0, 0)])).changed == set()
    assert one.state.blocks.exact.tobytes() == before


def test_the_columns_of_a_batch_are_not_changed_and_may_be_read_only():
    one, whole = engine(), batch(random_rows(2, 500))
    for name in ("signal", "time", "value", "quality", "received"):
        getattr(whole, name).flags.writeable = False
    one.push(whole)


def constant_current(machine, seconds, value, start=0):
    signal = IDS[f"factory/hall/{machine}/current"]
    return [(signal, START_NS + (start + k) * SECOND, value, 0) for k in range(seconds)]


def test_a_range_violation_opens_once_and_closes_after_quiet():
    one = engine()
    fine = one.push(batch(constant_current("saw", 10, 5.0)))
    bad = one.push(batch(constant_current("saw", 60, 1500.0, start=10)))
    quiet = one.push(batch(constant_current("saw", 60, 5.0, start=70)))
    assert not fine.findings
    (opened,) = bad.findings
    assert (opened.detector, opened.until_ns, opened.since_ns) == ("range", None, START_NS + 10 * SECOND)
    assert opened.signal == "factory/hall/saw/current"
    assert "1500 A, outside -1000 to 1000 A" in opened.message
    (closed,) = quiet.findings
    assert (closed.id, closed.until_ns) == (opened.id, START_NS + 69 * SECOND)
    assert not one.state.findings


def test_a_short_excursion_is_not_worth_a_walk():
    one = engine()
    rows = (
        constant_current("saw", 10, 5.0) + constant_current("saw", 3, 1500.0, 10) + constant_current("saw", 9, 5.0, 13)
    )
    assert not one.push(batch(rows)).findings


def test_a_sustained_spike_is_reported_with_its_baseline():
    rng, one = np.random.default_rng(1), engine()
    rows = [(SAW["current"], START_NS + k * SECOND, float(rng.normal(20.0, 1.0)), 0) for k in range(2000)]
    assert not one.push(batch(rows)).findings
    (opened,) = one.push(batch(constant_current("saw", 20, 35.0, start=2000))).findings
    assert opened.detector == "spike"
    assert opened.score > 10
    assert "35 A" in opened.message
    assert "above its usual 2" in opened.message


def test_a_bad_source_is_one_finding():
    one = engine()
    rows = [(SAW["current"], START_NS + k * SECOND, 1.0, Quality.BAD) for k in range(40)]
    (opened,) = one.push(batch(rows)).findings
    assert opened.detector == "quality"


def test_each_machine_state_has_its_own_baseline():
    rng, one = np.random.default_rng(2), engine()
    now = START_NS
    for _ in range(20):
        for code, level in ((1, 20.0), (2, 2.0)):
            rows = [(SAW["state"], now, float(code), 0)]
            rows += [(SAW["current"], now + k * SECOND, float(rng.normal(level, 0.1)), 0) for k in range(1, 200)]
            judged = one.push(batch(rows))
            assert not judged.findings
            assert [entered.name for entered in judged.transitions] == ["running" if code == 1 else "starved"]
            now += 200 * SECOND
    rows = [(SAW["state"], now, 2.0, 0)]
    rows += [(SAW["current"], now + k * SECOND, 20.0, 0) for k in range(1, 40)]
    assert [finding.detector for finding in one.push(batch(rows)).findings] == ["spike"]


def test_a_machine_state_that_is_repeated_is_no_transition():
    one = engine()
    rows = [(SAW["state"], START_NS + k * SECOND, 1.0, Quality.BAD if k == 3 else 0) for k in range(6)]
    (entered,) = one.push(batch(rows)).transitions
    assert (entered.asset, entered.at_ns, entered.name, entered.category) == (
        "factory/hall/saw",
        START_NS,
        "running",
        "Executing",
    )


def test_more_reports_than_there_is_room_for_are_all_told():
    one = engine()
    rows = [(SAW["state"], START_NS + k * SECOND, float(k % 2), 0) for k in range(20_000)]
    assert len(one.push(batch(rows)).transitions) == 20_000
