"""What the store knows of a past instant: of every signal the newest value by then, and nothing that came after."""

from tests.store.batches import T0, S, admitted
from tests.unit.monitor_plant import make_plant
from twin.ingest.admit import SignalGap
from twin.state.model import Finding, Transition, finding_id
from twin.state.past import StoredValue, states_at

PLANT = make_plant()
SAW = "factory/hall/saw"
CURRENT, ORDER, COUNT = f"{SAW}/current", f"{SAW}/order", f"{SAW}/count"


async def filled(store):
    ids = await store.plants.register(PLANT)
    at = [T0 + k * S for k in range(10)]
    count = admitted([ids[COUNT]] * 10, at, range(10), number=1)
    texts = [(ids[ORDER], T0, "A-17"), (ids[ORDER], T0 + 5 * S, "A-18")]
    gap = SignalGap(ids[CURRENT], T0 + 4 * S, T0 + 6 * S, "subscription-lost", "cable")
    current = admitted([ids[CURRENT]] * 10, at, [k / 2 for k in range(10)], number=2, texts=texts, gaps=[gap])
    await store.samples.commit([count, current])
    finding = Finding(finding_id(CURRENT, "spike", T0), SAW, CURRENT, "spike", T0 + S, T0 + 4 * S, 5.0, "far off")
    states = [Transition(SAW, T0, 1, "running", "Executing"), Transition(SAW, T0 + 7 * S, 4, "fault", "OutOfService")]
    await store.findings.write(2, [finding], states, "test")
    return ids


async def test_the_newest_of_everything_by_then_and_nothing_later(store):
    ids = await filled(store)
    past = await store.past.at(PLANT, ids, T0 + 3 * S)
    assert past.values[CURRENT] == StoredValue(T0 + 3 * S, 1.5, 0, T0 + 5 * S)
    assert past.values[ORDER].value == "A-17"
    assert past.machines == {SAW: Transition(SAW, T0, 1, "running", "Executing")}
    assert [one.message for one in past.findings] == ["far off"]
    assert past.gaps == {}
    assert past.counted[COUNT].value.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert past.seq == 2


async def test_what_had_ended_is_gone_and_a_hole_is_named(store):
    ids = await filled(store)
    past = await store.past.at(PLANT, ids, T0 + 5 * S)
    assert past.findings == []
    assert past.gaps == {CURRENT: "subscription lost (cable)"}
    assert past.values[ORDER].value == "A-18"
    later = await store.past.at(PLANT, ids, T0 + 60 * S)
    saw = next(one for one in states_at(PLANT, later) if one.path == SAW)
    assert (saw.machine_state.name, saw.freshness.reason) == ("fault", "stale")
    assert saw.throughput.this_shift == 0  # T0 is at midnight, between the shifts


async def test_before_the_first_sample_nothing_is_known(store):
    ids = await filled(store)
    past = await store.past.at(PLANT, ids, T0 - S)
    assert (past.values, past.machines, past.findings, past.gaps, past.counted) == ({}, {}, [], {}, {})
