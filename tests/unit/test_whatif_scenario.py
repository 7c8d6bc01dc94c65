"""Scenarios: the shipped examples, what each change does, and what history and the live state contribute."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from tests.servers import CHECKOUT
from twin.commands.whatif import Wish, svg, whatif
from twin.errors import ConfigError
from twin.plant.load import load_plant
from twin.settings import load
from twin.whatif.answer import answer
from twin.whatif.back_test import BackTest, Trust, back_test, verdict
from twin.whatif.build import Chance, Learnt, Now, Setting, build, hazardous, planned_failure
from twin.whatif.calibrate import History, cycle_from, failure_from, learn
from twin.whatif.model import exponential, fixed
from twin.whatif.scenario import ScenarioText, changed_flow, changed_setting
from twin.whatif.simulate import Plan, simulate

CONFIGS = CHECKOUT / "configs"
EXAMPLES = sorted((CONFIGS / "scenarios").glob("*.yaml"))
WEDNESDAY = datetime(2026, 11, 25, 6, tzinfo=UTC)
LATHE = "factory/machining/lathe-1"
PACKER = "factory/assembly/line-1/packer-1"


@pytest.fixture(scope="module")
def plant():
    return load_plant(CONFIGS / "plant.yaml")


def scenario(*changes, **more):
    more = {"title": "t", "under": "factory", "horizon": 14_400, "replications": 40, "buckets": 16, **more}
    return ScenarioText.model_validate({**more, "changes": changes})


def asked(plant, *changes, **more):
    text = scenario(*changes, **more)
    return answer(plant, text, Setting(WEDNESDAY, text.horizon_s), threads=1)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_shipped_scenario_fits_the_demo_plant(plant, path):
    text = load(path, ScenarioText)
    short = text.model_copy(update={"replications": 10})
    found = answer(plant, short, Setting(text.start_at or WEDNESDAY, text.horizon_s), threads=1)
    assert all(one.base.mean > 0 for one in found.outputs)
    json.dumps(found.document())


def test_an_empty_scenario_differs_in_nothing(plant):
    found = asked(plant)
    (output,) = found.outputs
    assert (output.difference, output.low, output.high) == (0, 0, 0)
    assert all(one.starves_after_s is None for one in found.assets)


def test_a_machine_that_is_down_starves_the_rest_and_delays_orders(plant):
    down = {"change": "down", "asset": LATHE, "for": "1 h", "after": "1 h"}
    found = asked(plant, down, orders=[{"asset": PACKER, "things": 900, "due": "3.7 h"}])
    (output,) = found.outputs
    assert output.high < -150
    by_asset = {one.asset: one for one in found.assets}
    assert by_asset[LATHE].down > 0.2
    assert by_asset[PACKER].starves_after_s == pytest.approx(3600, abs=900)
    assert by_asset[PACKER].recovers_after_s == pytest.approx(7200, abs=2700)
    (order,) = found.orders
    assert order.base_on_time > 0.9 > 0.1 > order.on_time


@pytest.mark.parametrize(
    ("change", "better"),
    [
        ({"change": "added", "asset": "factory/machining/mill-1"}, True),
        ({"change": "speed", "asset": "factory/machining", "factor": 1.3}, True),
        ({"change": "speed", "asset": "factory/machining/mill-1", "factor": 0.5}, False),
        ({"change": "closed", "asset": "factory/assembly", "for": "30 min"}, False),
        ({"change": "buffer", "asset": "factory/machining/rack-milled", "capacity": 1}, False),
    ],
    ids=lambda one: one["change"] if isinstance(one, dict) else None,
)
def test_each_change_moves_throughput_the_way_it_must(plant, change, better):
    (output,) = asked(plant, change).outputs
    assert output.low > 0 if better else output.high < 0


def test_a_late_vessel_and_a_crane_down_cost_moves_and_more_boxes_fill_them(plant):
    late, down = (
        asked(plant, {"change": change, "asset": "terminal/quay/sts-1", key: "2 h"}, under="terminal").outputs[0]
        for change, key in (("vessel-delayed", "by"), ("down", "for"))
    )
    assert late.high < 0
    assert down.high < 0
    surge = asked(plant, {"change": "demand", "asset": "terminal", "factor": 2}, under="terminal").outputs[0]
    assert surge.base.mean > 50
    one_less = asked(plant, {"change": "down", "asset": "terminal/transport/agv-1", "for": "1 h"}, under="terminal")
    assert one_less.outputs[0].difference <= 0


def test_the_calendar_stops_the_factory_and_a_moved_stop_moves_with_it(plant):
    sunday = datetime(2026, 11, 29, 8, tzinfo=UTC)  # 09:00 local, cleaning 10:00 to 12:00
    moved = {"change": "maintenance", "calendar": "three-shift", "stop": "weekly cleaning", "by_min": 120}
    text = scenario(moved, horizon=4 * 3600)
    found = answer(plant, text, Setting(sunday, text.horizon_s), threads=1)
    (fan,) = found.fans
    assert max(fan.base["q50"][6:11]) == 0 < min(fan.base["q50"][0:3])
    assert min(fan.changed["q50"][6:11]) > 0
    assert fan.changed["q50"][-1] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"change": "down", "asset": "factory/nowhere", "for": 1}, "there is no asset 'factory/nowhere'"),
        ({"change": "down", "asset": "terminal/quay/sts-1", "for": 1}, "not in the simulated part"),
        ({"change": "buffer", "asset": LATHE, "capacity": 3}, "there is no buffer"),
        ({"change": "shifts", "asset": LATHE, "calendar": "x"}, "there is no calendar 'x'"),
        ({"change": "maintenance", "calendar": "quay", "stop": "x", "by_min": 1}, "there is no stop 'x'"),
    ],
)
def test_what_the_plant_does_not_have_is_named(plant, change, message):
    with pytest.raises(ConfigError, match=message):
        asked(plant, change)


def test_spans_are_seconds_or_words_and_nonsense_is_refused():
    assert scenario({"change": "down", "asset": LATHE, "for": "1.5 h"}).changes[0].for_s == 5400
    for wrong in ("4 hours", -1, "h"):
        with pytest.raises(ValidationError):
            scenario({"change": "down", "asset": LATHE, "for": wrong})
    with pytest.raises(ValidationError):
        scenario(replications=1_000_000)


def test_a_wrong_work_key_is_named_with_its_line(tmp_path):
    text = (
        (CONFIGS / "plant.yaml")
        .read_text()
        .replace("failures: { mtbf_s: 28800,", "failures: { crew: nobody, mtbf_s: 28800,")
    )
    path = tmp_path / "plant.yaml"
    path.write_text(text)
    with pytest.raises(
        ConfigError, match=r"plant\.yaml:\d+: types\.mill\.work\.failures\.crew: there is no crew 'nobody'"
    ):
        load_plant(path)


def test_a_unit_takes_each_key_of_its_work_from_the_nearest_that_gives_it(plant):
    assert plant.work["terminal/gates/lane-out-1"].duty == "gate-out"
    assert plant.work["terminal/gates/lane-out-1"].cycle == plant.work["terminal/gates/lane-in-1"].cycle


def test_the_start_is_the_live_state(plant):
    now = {LATHE: Now(down_since_s=90.0), "factory/machining/rack-milled": Now(level=11)}
    flow = build(plant, "factory", Setting(WEDNESDAY, 3600, now=now))
    assert flow.stock("factory/machining/rack-milled").level == 11
    whole = build(plant, "factory", Setting(WEDNESDAY, 3600))
    plan = Plan(3600, 64, threads=1)
    assert simulate(flow, plan).done.mean() < simulate(whole, plan).done.mean()


def test_of_two_gates_the_open_one_takes_over_and_of_one_lathe_nobody(plant):
    lane = {"change": "closed", "asset": "terminal/gates/lane-in-1", "for": "4 h"}
    (takeover,) = asked(plant, lane, under="terminal", sensitivity=False).takeovers
    (other,) = takeover.by
    assert other.asset == "terminal/gates/lane-in-2"
    assert other.gained == pytest.approx(takeover.missed, rel=0.3)
    assert "instead terminal/gates/lane-in-2" in takeover.words
    (alone,) = asked(plant, {"change": "down", "asset": LATHE, "for": "1 h"}, sensitivity=False).takeovers
    assert (alone.by, alone.alike) == ([], [])
    assert "nothing in the simulated part does the same work" in alone.words


def test_the_bottleneck_is_what_brings_most_when_it_alone_is_faster(plant):
    slow = {"change": "speed", "asset": LATHE, "factor": 0.5}
    found = asked(plant, slow)
    assert found.bottlenecks == {"factory": LATHE}
    first, *others = found.sensitivity
    assert first.asset == LATHE
    assert first.low > 0
    assert all(one.gain_per_h < 0.3 * first.gain_per_h for one in others)
    assert asked(plant, slow, sensitivity=False).bottlenecks == {}


def test_history_stands_above_the_plant_model(plant):
    rng = np.random.default_rng(1)
    cycles = np.repeat(rng.normal(12.0, 0.5, 400), 2)  # the signal repeats itself
    cycles[100:102] = 400.0  # a cycle with a stop in it
    states, at = [], 0.0
    for _ in range(40):
        states += [(at, "Executing"), (at + 3000.0, "OutOfService")]
        at += 3600.0
    learnt = learn(plant, LATHE, History(cycles, states, at))
    assert learnt.cycle.mean_s == pytest.approx(12.0, rel=0.01)
    assert learnt.failure.up.mean_s == pytest.approx((40 * 3000 + 2 * 28_800) / 41)  # the last repair goes on
    assert learnt.failure.down.mean_s == pytest.approx((39 * 600 + 2 * 420) / 41)
    assert build(plant, "factory", Setting(WEDNESDAY, 60, {LATHE: learnt})).operation(LATHE).cycle == learnt.cycle


def test_too_little_history_leaves_the_plant_model_alone(plant):
    assert cycle_from(np.array([11.0, 12.0])) is None
    prior = planned_failure(plant.work[LATHE])
    assert failure_from(prior, History(np.zeros(0), [], 0.0)) == prior
    assert failure_from(None, History(np.zeros(0), [], 0.0)) is None


def test_a_high_fault_risk_shortens_the_time_to_the_next_failure(plant):
    prior = planned_failure(plant.work[LATHE])
    risky = Setting(WEDNESDAY, 60, risk={LATHE: Chance(0.5, 3600.0)})
    assert build(plant, "factory", risky).resource(LATHE).failure.up.mean_s == pytest.approx(3600 / np.log(2))
    assert hazardous(prior, Chance(0.0, 3600.0)) == prior


def test_the_back_test_trusts_what_agrees_with_the_counters(plant):
    setting = Setting(WEDNESDAY, 7200)
    simulated = back_test(plant, "factory", setting, 540.0).simulated.mean
    good, bad = (back_test(plant, "factory", setting, real) for real in (simulated, 0.6 * simulated))
    assert good.holds
    assert not bad.holds
    assert verdict([good], "now").startswith("trusted since now; factory: ")
    assert verdict([bad], "now").startswith("not yet: the back-test fails")
    assert verdict([], "now").startswith("not yet: too little history")
    assert isinstance(good, BackTest)


def test_the_command_answers_a_sweep_into_every_kind_of_file(tmp_path, capsys):
    for kind in ("json", "csv", "arrow", "parquet", "svg"):
        output = tmp_path / f"answer.{kind}"
        wish = Wish(CONFIGS / "plant.yaml", EXAMPLES[1:2], output, replications=10)
        (found,) = whatif(wish)
        assert output.stat().st_size > 500
    assert found.title in svg([found])
    shown = capsys.readouterr().out
    assert "difference" in shown
    assert "blocked" in shown
    with pytest.raises(ConfigError, match="ends in"):
        whatif(replace(wish, output=Path("x.docx")))


async def test_a_sweep_on_a_cluster_gives_the_same_answers_as_here(plant):
    from distributed import LocalCluster

    from twin.commands.whatif_cluster import on_cluster

    texts = [load(path, ScenarioText).model_copy(update={"replications": 10}) for path in EXAMPLES[:2]]
    starts = [(Setting(text.start_at, text.horizon_s), Trust()) for text in texts]
    here = [answer(plant, text, setting) for text, (setting, _) in zip(texts, starts, strict=True)]
    with LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster:
        there = await asyncio.to_thread(on_cluster, cluster.scheduler_address, plant, texts, starts)
    assert [one.document() for one in there] == [one.document() for one in here]


def test_a_flow_of_learnt_machines_without_a_plan_needs_a_cycle(plant):
    bare = replace(plant, work={LATHE: plant.work[LATHE].model_copy(update={"cycle": None})})
    with pytest.raises(ConfigError, match="nobody says how long a cycle takes"):
        build(bare, "factory", Setting(WEDNESDAY, 60))
    known = build(bare, "factory", Setting(WEDNESDAY, 60, {LATHE: Learnt(cycle=fixed(10))}))
    assert known.operations[0].cycle == fixed(10)
    assert exponential(10).scaled(2) == exponential(20)


def test_shifts_and_settings_leave_other_units_alone(plant):
    text = scenario({"change": "shifts", "asset": LATHE, "calendar": "quay"})
    changed = changed_setting(plant, Setting(WEDNESDAY, 60), text.changes)
    assert set(changed.calendars) == {LATHE}
    flow = build(plant, "factory", changed)
    assert changed_flow(plant, flow, text.changes) == flow
