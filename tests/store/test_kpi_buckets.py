"""Buckets from telemetry in the store: equal to the simulator's truth, remade exactly where late samples and people touch."""

import numpy as np
import pytest

from tests.store.batches import admitted
from tests.unit.test_demo_world import PLANT as DEMO_PLANT
from twin.commands.kpi_store import KpiStore
from twin.demo.states import BLOCKED, FAULT, RUNNING, SETUP, STARVED
from twin.demo.station import Station
from twin.demo.world import World
from twin.learn.kpi_buckets import kpi_buckets, remake
from twin.plant.elements import StopReason
from twin.store.kpis import Said, Touched
from twin.throughput.asked import Period, question
from twin.throughput.kpis import kpis
from twin.throughput.unit import units_of

US, S, HOUR = 1_000, 1_000_000_000, 3_600_000_000_000
START_NS = 1_795_492_800 * S  # Tuesday 2026-11-24 04:00 UTC, night shift
STEP_US = 250_000
MINUTES = 80
DECIDING = {"machine-state", "good-count", "scrap-count", "order", "move-count"}


class Simulated:
    """Eighty minutes of the micro-factory, with the truth beside the telemetry."""

    def __init__(self):
        self.world = World(DEMO_PLANT, ["factory"], seed=3, start_us=START_NS // US, step_us=STEP_US, fault_gap_s=400)
        self.world.set_rate(20)
        self.stations = [unit for unit in self.world.units if isinstance(unit, Station)]
        self.seconds = {
            unit.path: dict.fromkeys((RUNNING, STARVED, BLOCKED, FAULT, SETUP), 0.0) for unit in self.stations
        }
        self.rows, self.texts = [], []
        for step in range(MINUTES * 60 * 4):
            self.take(self.world.advance(START_NS // US + (step + 1) * STEP_US).emissions)
            for unit in self.stations:
                code = unit.values["state"]
                if code in self.seconds[unit.path]:
                    self.seconds[unit.path][code] += STEP_US / 1e6
        self.end_ns = self.world.now_us * US

    def take(self, emissions):
        for one in emissions:
            signal = self.world.signals[one.signal]
            if signal.role in DECIDING:
                (self.texts if isinstance(one.value, str) else self.rows).append(
                    (signal.path, one.time_us * US, one.value)
                )


@pytest.fixture(scope="module")
def simulated():
    return Simulated()


async def commit(store, ids, rows, texts, number):
    rows = sorted((ids[path], at, value) for path, at, value in rows)
    signal, time, value = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    await store.samples.commit(
        [admitted(signal, time, value, number=number, texts=sorted((ids[path], at, text) for path, at, text in texts))]
    )


async def turn(store, now_ns):
    return await kpi_buckets(DEMO_PLANT, KpiStore(store)).run(now_ns)


async def sums(store, under, by=Period.TOTAL, start=START_NS - HOUR, end=START_NS + 100 * HOUR):
    asked = question(DEMO_PLANT, under, None, await store.kpis.best_cycles([under]))
    return await store.kpis.sums(asked, by, start, end, 1000)


def rows_of(found):
    return [(row.asset, row.start_ns, row.end_ns, row.label, row.sums) for row in found]


async def test_the_figures_of_the_simulated_plant_are_the_simulators_own_truth(store, simulated):
    ids = await store.plants.register(DEMO_PLANT)
    await commit(store, ids, simulated.rows, simulated.texts, 1)
    await turn(store, simulated.end_ns)
    for unit in simulated.stations:
        (row,) = await sums(store, unit.path)
        amount = row.sums.amount
        assert (amount["good"], amount["scrap"]) == (unit.good, unit.scrap), unit.path
        steps = 0.25 * (1 + sum(path == f"{unit.path}/state" for path, _, _ in simulated.rows))
        truth = simulated.seconds[unit.path]
        down = amount["failure_s"] + amount["minor_stop_s"]
        for seconds, code in (
            (amount["production_s"], RUNNING), (amount["starved_s"], STARVED), (amount["blocked_s"], BLOCKED),
            (amount["setup_s"], SETUP), (down, FAULT),
        ):  # fmt: skip
            assert seconds == pytest.approx(truth[code], abs=min(steps, 5.0)), (unit.path, code)
        figures = kpis(row.sums)
        assert figures.availability == pytest.approx(amount["production_s"] / amount["busy_s"])
        assert figures.effectiveness is not None


async def test_periods_and_levels_add_up_to_the_same_sums(store, simulated):
    ids = await store.plants.register(DEMO_PLANT)
    await commit(store, ids, simulated.rows, simulated.texts, 1)
    await turn(store, simulated.end_ns)
    (total,) = await sums(store, "factory")
    for by in (Period.HOUR, Period.SHIFT, Period.DAY, Period.ORDER):
        rows = await sums(store, "factory", by)
        for name, value in total.sums.amount.items():
            assert sum(row.sums.amount[name] for row in rows) == pytest.approx(value), (by, name)
    machines = [await sums(store, unit.path) for unit in simulated.stations]
    assert sum(one[0].sums.amount["production_s"] for one in machines) == pytest.approx(
        total.sums.amount["production_s"]
    )
    packer = next(unit for unit in simulated.stations if unit.path.endswith("packer-1"))
    assert total.sums.output["good"] == packer.good  # a part that passes six machines is one part


async def test_whatever_comes_late_the_buckets_are_as_if_it_had_come_in_time(store, simulated):
    ids = await store.plants.register(DEMO_PLANT)
    late = [one for one in simulated.rows if START_NS + 20 * 60 * S < one[1] < START_NS + 50 * 60 * S]
    withheld = set(late)
    rest = [one for one in simulated.rows if one not in withheld]
    half = START_NS + 60 * 60 * S
    await commit(store, ids, [one for one in rest if one[1] < half], simulated.texts, 1)
    await turn(store, half)
    await commit(store, ids, [one for one in rest if one[1] >= half], [], 2)
    await turn(store, simulated.end_ns)
    under = "factory/machining/mill-1"
    (before,) = await sums(store, under)
    assert before.sums.amount["unknown_s"] > 1700
    await commit(store, ids, late, [], 3)
    await turn(store, simulated.end_ns)
    after = [await sums(store, unit.path, Period.HOUR) for unit in simulated.stations]
    for unit, rows in zip(simulated.stations, after, strict=True):
        assert sum(row.sums.amount["good"] for row in rows) == unit.good
        assert sum(row.sums.amount["unknown_s"] for row in rows) < 60
        assert sum(row.sums.amount["estimated"] for row in rows) == 0
    await store.kpis.forget_memories([Touched(number, 0, 0, 0) for number in ids.values()])
    whole = START_NS, simulated.end_ns
    for unit in units_of(DEMO_PLANT).values():
        await remake(unit, whole, simulated.end_ns, (KpiStore(store), ids))
    for unit, rows in zip(simulated.stations, after, strict=True):
        anew = await sums(store, unit.path, Period.HOUR)
        assert [list(row.sums.amount.values()) for row in anew] == [
            pytest.approx(list(row.sums.amount.values())) for row in rows
        ]


async def test_a_turn_without_new_batches_touches_nothing_and_the_same_again_changes_nothing(store, simulated):
    ids = await store.plants.register(DEMO_PLANT)
    await commit(store, ids, simulated.rows, simulated.texts, 1)
    await turn(store, simulated.end_ns)
    before = rows_of(await sums(store, "factory", Period.HOUR))
    said = await turn(store, simulated.end_ns)
    assert said.startswith("0 buckets of 0 units")
    await store.findings.write(0, (), (), "kpi-buckets")
    assert rows_of(await sums(store, "factory", Period.HOUR)) == before


async def test_what_a_person_says_is_kept_and_moves_exactly_that_time(store, simulated):
    ids = await store.plants.register(DEMO_PLANT)
    await commit(store, ids, simulated.rows, simulated.texts, 1)
    await turn(store, simulated.end_ns)
    path = "factory/machining/mill-1"
    before = {row.start_ns: row.sums.amount for row in await sums(store, path, Period.HOUR)}
    start = START_NS + 65 * 60 * S
    for reason, who in ((StopReason.QUALITY, "ann"), (StopReason.MAINTENANCE, "bob")):
        await store.kpis.reclassify(
            Said(0, path, start, start + 600 * S, {"production": 600.0}, reason, who, "test run", 0)
        )
    said = await turn(store, simulated.end_ns)
    assert "of 1 units" in said
    after = {row.start_ns: row.sums.amount for row in await sums(store, path, Period.HOUR)}
    touched = [at for at in after if not np.allclose(list(after[at].values()), list(before[at].values()))]
    assert touched == [START_NS + HOUR]
    assert after[touched[0]]["maintenance_s"] == pytest.approx(600)
    audit = await store.kpis.reclassified(path, START_NS, simulated.end_ns)
    assert [(one.reason, one.who) for one in audit] == [("quality", "ann"), ("maintenance", "bob")]


async def test_silence_becomes_unknown_time_and_a_gap_of_a_counter_is_spread_over_run_time(store):
    ids = await store.plants.register(DEMO_PLANT)
    path = "factory/machining/mill-1"
    beat = [(f"{path}/state", START_NS + second * S, 1.0) for second in range(0, 7200, 5) if not 1800 <= second < 3600]
    counts = [(f"{path}/good-count", START_NS, 100.0), (f"{path}/good-count", START_NS + 10 * S, 101.0)]
    counts += [(f"{path}/good-count", START_NS + 5410 * S, 281.0), (f"{path}/good-count", START_NS + 5420 * S, 282.0)]
    await commit(store, ids, beat + counts, [], 1)
    await turn(store, START_NS + 7200 * S)
    first, second = await sums(store, path, Period.HOUR)
    assert first.sums.amount["good"] + second.sums.amount["good"] == 182
    assert first.sums.amount["estimated"] + second.sums.amount["estimated"] == 180
    assert first.sums.amount["unknown_s"] == pytest.approx(1775, abs=1)
    share = (1825 - 10) / (1825 - 10 + 1810)  # of the run time in the gap: it ran 1,825 s of the first hour
    assert first.sums.amount["good"] == pytest.approx(1 + 180 * share, abs=1)
