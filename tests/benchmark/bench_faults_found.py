"""The faults that the simulated plant injects, found by `Engine.push`: recall, delay, false alarms, explanation (Q10).

The plant of `configs/plant.yaml` runs in simulated time, as fast as it computes: half a day without a fault, in which
tails are learnt, then a day with a fault every ten minutes or so. Sensors are read every five seconds (at the plant's
own half second a simulated day would take hours to make). A fault counts as found by a finding that opens on its asset
between its start and two minutes after its end. A false alarm is a finding on an asset without a fault within ten minutes.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.benchmark.bench_detect import NO_TEXTS
from tests.benchmark.record import Result
from twin.demo.faults import Fault
from twin.demo.probe import Emission
from twin.demo.world import World
from twin.monitor.engine import Engine
from twin.plant.load import load_plant
from twin.plant.tree import Plant
from twin.samples import SampleBatch, TextColumns
from twin.state.model import Finding
from twin.wire.reading import Lane

SUITE = "detect"
CLEAN_H, FAULTY_H = 12, 24
STEP_US = 5_000_000
GAP_S = 600.0
PUSH_US = 60_000_000
AFTER_US, NEAR_US = 120_000_000, 600_000_000
START_US = 1_795_000_000_000_000
HARD = {"quality", "range", "stale"}


def _batch(emissions: Sequence[Emission], now_us: int, number: int) -> SampleBatch:
    """What the sensors have said, as a committed batch."""
    said = [one for one in emissions if not isinstance(one.value, str)]
    texts = [one for one in emissions if isinstance(one.value, str)]
    signal = np.array([one.signal for one in said], np.int32)
    time_ns = np.array([one.time_us for one in said], np.int64) * 1000
    text_ns = np.array([one.time_us for one in texts], np.int64) * 1000
    spoken = TextColumns(
        np.array([one.signal for one in texts], np.int32),
        text_ns,
        tuple(str(one.value) for one in texts),
        np.zeros(len(texts), np.uint8),
        text_ns,
        text_ns,
    )
    received = np.full(len(signal), now_us * 1000)
    value = np.array([one.value for one in said], np.float64)
    quality = np.zeros(len(signal), np.uint8)
    return SampleBatch(
        *("plant", "0" * 32, number, Lane.LIVE, signal, time_ns, value, quality, received, received),
        texts=spoken if texts else NO_TEXTS,
    )


class Watched:
    """A simulated plant and the engine that watches it."""

    def __init__(self, plant: Plant) -> None:
        sites = [asset.path for asset in plant.assets if asset.parent is None]
        self.world = World(plant, sites, seed=5, start_us=START_US, step_us=STEP_US, fault_gap_s=GAP_S)
        for sensors in self.world.sensors:
            for probe in sensors.sampled:
                probe.period_us = max(probe.period_us, STEP_US)
        self.world.faults.next_us = START_US + CLEAN_H * 3_600_000_000
        self.engine = Engine(plant, {signal.path: at for at, signal in enumerate(self.world.signals)})
        self.faults: list[Fault] = []
        self.opened: list[tuple[int, Finding]] = []

    def run(self, hours: float) -> None:
        """Go on for so long."""
        known = {finding.id for _, finding in self.opened}
        until_us = self.world.now_us + round(hours * 3_600_000_000)
        while self.world.now_us < until_us:
            advance = self.world.advance(self.world.now_us + PUSH_US)
            self.faults += [fault for fault in advance.faults if fault.ended_us is None]
            judged = self.engine.push(_batch(advance.emissions, self.world.now_us, len(self.opened) + 1))
            for finding in judged.findings:
                if finding.until_ns is None and finding.id not in known:
                    known.add(finding.id)
                    self.opened.append((self.world.now_us, finding))


def _answer(fault: Fault, opened: Sequence[tuple[int, Finding]]) -> tuple[int, Finding] | None:
    """The first finding that this fault explains."""
    end_us = fault.started_us + fault.lasts_us + AFTER_US
    return next(((at, f) for at, f in opened if f.asset == fault.asset and fault.started_us <= at <= end_us), None)


def measure() -> list[Result]:
    """Recall by kind of fault, delay, false alarms a day, and whether the explanation names the sensor."""
    watched = Watched(load_plant(Path("configs/plant.yaml")))
    watched.run(CLEAN_H)
    quiet = len(watched.opened)
    watched.run(FAULTY_H)
    answers = {fault.number: _answer(fault, watched.opened) for fault in watched.faults}
    found: list[Result] = []
    for kind in sorted({fault.kind for fault in watched.faults}):
        of_kind = [fault for fault in watched.faults if fault.kind == kind]
        caught = [(fault, answers[fault.number]) for fault in of_kind if answers[fault.number]]
        recall = len(caught) / len(of_kind)
        delay_s = np.median([(answer[0] - fault.started_us) / 1e6 for fault, answer in caught if answer] or [np.nan])
        ahead_s = np.median(
            [(fault.started_us + fault.lasts_us - answer[0]) / 1e6 for fault, answer in caught if answer] or [np.nan]
        )
        text = f"{kind}: found of {len(of_kind)}, {delay_s:.0f} s after the start, {ahead_s:.0f} s before the end (medians)"
        found.append(Result(f"faults-{kind}", text, recall, "of faults", "≥ 0.5", recall >= 0.5))
    false = [f for at, f in watched.opened if not _explained(at, f, watched.faults) and f.detector not in HARD]
    per_day = len(false) / (FAULTY_H + CLEAN_H) * 24
    areas = sum(budget.assets > 0 for budget in watched.engine.state.alarming.budgets)
    text = f"findings on assets without a fault, {areas} areas ({quiet} in the {CLEAN_H} h without any fault)"
    goal = 10.0 * areas
    found.append(Result("faults-false", text, per_day, "a day", f"≤ {goal:g}", per_day <= goal))
    named = [(fault, answers[fault.number]) for fault in watched.faults if fault.signal and answers[fault.number]]
    hits = [
        f"{fault.asset}/{fault.signal}" in [one.signal for one in answer[1].evidence.contributions[:3]]
        for fault, answer in named
        if answer
    ]
    share = float(np.mean(hits)) if hits else 0.0
    text = f"the faulty sensor among the first three contributions, {len(hits)} sensor faults that were found"
    found.append(Result("Q10-explained", text, share, "of them", "≥ 0.9", share >= 0.9))
    return found


def _explained(at_us: int, finding: Finding, faults: Sequence[Fault]) -> bool:
    return any(
        fault.asset == finding.asset
        and fault.started_us - NEAR_US <= at_us <= fault.started_us + fault.lasts_us + NEAR_US
        for fault in faults
    )
