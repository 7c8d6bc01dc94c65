"""The state of the tree at a past instant is what the live state was then, made from stored rows alone."""

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.monitor_plant import SECOND, START_NS, batch
from tests.unit.test_state_view import IDS, PLANT, PRESS, SAW, SITE, rows_of
from twin.monitor.engine import Engine
from twin.plant.tree import Kind
from twin.state.document import document
from twin.state.model import Finding, finding_id
from twin.state.past import Past, StoredValue, counters, states_at
from twin.state.view import view
from twin.throughput.unit import Column

ROWS = rows_of("saw") + rows_of("press", cycle_s=12)
AT_NS = START_NS + 59 * SECOND + SECOND // 2


@pytest.fixture
def engine():
    engine = Engine(PLANT, IDS)
    engine.push(batch(ROWS, texts=[(IDS[f"{SAW}/order"], START_NS, "A-17")]), 9)
    return engine


def past(engine, at_ns=AT_NS, **more):
    """What a store would answer that holds `ROWS`."""
    values, counted = {}, {}
    for signal in PLANT.signals:
        own = sorted((at, value) for number, at, value, _ in ROWS if number == IDS[signal.path] and at <= at_ns)
        if own:
            values[signal.path] = StoredValue(own[-1][0], own[-1][1], 0, own[-1][0])
        if own and signal.kind is Kind.COUNTER:
            at, value = (np.array(column) for column in zip(*own, strict=True))
            counted[signal.path] = Column(at, value.astype(float), np.ones(len(own), np.bool_))
    values[f"{SAW}/order"] = StoredValue(START_NS, "A-17", 0, 0)
    return Past(at_ns, 9, values, dict(engine.state.machines), counted=counted, **more)


def shown(found):
    return {state.path: document(state) for state in states_at(PLANT, found)}


def test_a_past_instant_is_shown_as_it_was_shown_live(engine):
    again = shown(past(engine))
    assert list(again) == [asset.path for asset in PLANT.assets]
    for path, then in again.items():
        live = document(view(engine.state, path, AT_NS, {}))
        live.pop("gateways", None)  # by which node a value came is not looked up
        assert then == live
    assert again[SAW]["throughput"]["this_shift"] == 9
    assert again[SITE]["children"] == {"running": 2, "down": 0, "total": 2}


def test_a_recorded_gap_says_why_a_machine_was_silent(engine):
    later_ns = AT_NS + 60 * SECOND
    found = shown(replace(past(engine), at_ns=later_ns, gaps={f"{SAW}/current": "subscription lost (cable)"}))
    assert found[SAW]["freshness"]["reason"] == "stale"
    assert found[SAW]["freshness"]["explanation"].endswith("subscription lost (cable).")
    assert found[PRESS]["freshness"]["explanation"].endswith("no gap was recorded.")
    assert found[SAW]["health"] == "unknown"
    assert not found[SAW]["signals"]["current"]["fresh"]


def test_before_the_first_value_nothing_is_known():
    found = shown(Past(START_NS, 0))
    assert {one["freshness"]["reason"] for one in found.values()} == {"never"}
    assert found[SAW]["throughput"]["this_shift"] == 0
    assert found[SAW]["machine_state"] is None


def test_findings_that_were_open_show_at_their_asset_and_above(engine):
    signal = f"{SAW}/current"
    found = Finding(finding_id(signal, "range", AT_NS), SAW, signal, "range", AT_NS, None, 2.0, "too high")
    states = shown(past(engine, findings=[found]))
    assert [one["message"] for one in states[SAW]["findings"]] == ["too high"]
    assert (states[SAW]["health"], states[PRESS]["health"], states[SITE]["health"]) == ("bad", "good", "bad")
    assert len(states[SITE]["findings"]) == 1


def test_the_counters_are_asked_for_from_the_beginning_of_the_shift():
    early_ns = START_NS // (86_400 * SECOND) * 86_400 * SECOND + 6 * 3_600 * SECOND
    assert counters(PLANT, AT_NS) == {f"{one}/count": (early_ns, AT_NS + 1) for one in (SAW, PRESS)}
    night_ns = early_ns - 3_600 * SECOND
    assert counters(PLANT, night_ns)[f"{SAW}/count"] == (night_ns - 600 * SECOND, night_ns + 1)
