"""A line through the kept readings is never wrong by more than the error at any reading that came."""

import asyncio
import json
import math
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.config import load_agent
from edge.deadband import Deadband, Thinner, thin_keys
from edge.swinging_door import MOST_LEFT_OUT, SwingingDoor
from twin.errors import ConfigError
from twin.wire.reading import Lane, Quality, Reading

SECOND_NS = 1_000_000_000
START_NS = 1_767_225_600 * SECOND_NS
ERROR = 1.0
KEYS = thin_keys("press", {"factory/press/load": 0})


def reading(at_s: float, value: float, quality: int = Quality.GOOD, *, came_s: float | None = None) -> Reading:
    at_ns = START_NS + round(at_s * SECOND_NS)
    return Reading(0, at_ns, value, quality, 0, START_NS + round((at_s if came_s is None else came_s) * SECOND_NS))


def thinner(max_interval_s: float = 1e6, error: float = ERROR) -> Thinner:
    return Thinner({0: SwingingDoor(error, max_interval_s)}, KEYS)


def kept(made: Thinner, *readings: Reading) -> list[tuple[float, float]]:
    return [((one.source_ns - START_NS) / SECOND_NS, one.value) for one in made.thin(readings)]


@dataclass
class Disk:
    """A source's memory and sink in one."""

    states: dict[str, bytes] = field(default_factory=dict)
    readings: list[Reading] = field(default_factory=list)
    lanes: set[Lane] = field(default_factory=set)

    async def recall(self, key: str) -> bytes | None:
        return self.states.get(key)

    async def keep(self, readings, gaps=(), *, lane=Lane.LIVE, remembered=None) -> None:
        self.readings += readings
        self.lanes.add(lane)
        self.states.update(remembered or {})


def test_a_ramp_is_two_points_and_a_corner_is_kept():
    made = thinner()
    ramp = [reading(at, at * 3.0) for at in range(50)]
    assert kept(made, *ramp) == [(0, 0)]
    assert kept(made, reading(50, 0.0)) == [(49, 147)]
    assert kept(made, reading(51, 60.0)) == [(50, 0)]
    assert made.withheld == 49


def test_noise_within_the_error_is_left_out_and_a_step_costs_two_points():
    made = thinner()
    noisy = [reading(at, 5 + (at % 3 - 1) * 0.4) for at in range(30)]
    assert len(kept(made, *noisy)) == 1
    assert kept(made, reading(30, 20.0), reading(31, 20.1), reading(32, 20.0)) == [(29, 5.4), (30, 20.0)]


def test_a_line_is_no_longer_than_the_interval_and_what_it_leaves_out_is_bounded():
    made = thinner(max_interval_s=10)
    assert [at for at, _ in kept(made, *(reading(at, 1.0) for at in range(31)))] == [0, 9, 18, 27]
    many = [reading(at / 100, 1.0) for at in range(3 * MOST_LEFT_OUT)]
    assert len(kept(thinner(), *many)) == 3


def test_a_heartbeat_is_the_newest_reading_with_its_own_time_and_a_silent_device_gets_none():
    made = thinner(max_interval_s=10)
    made.thin([reading(0, 1.0), reading(1, 1.5), reading(2, 1.2)])
    assert made.due(START_NS + 9 * SECOND_NS) == []
    assert made.due(START_NS + 10 * SECOND_NS) == [reading(2, 1.2)]
    assert made.due(START_NS + 60 * SECOND_NS) == []
    assert made.withheld == 1


def test_a_change_of_quality_and_a_missing_value_are_kept_with_the_reading_before():
    made = thinner()
    missing = [reading(at, math.nan, Quality.BAD) for at in (3, 4, 5)]
    out = made.thin([*(reading(at, 1.0) for at in range(3)), *missing, reading(6, 1.0)])
    assert [(one.source_ns - START_NS) // SECOND_NS for one in out] == [0, 2, 3, 5, 6]


def test_a_repeated_reading_is_left_out_and_a_late_one_that_does_not_fit_brings_what_it_would_bend():
    made = thinner()
    assert kept(made, *(reading(at, 1.0) for at in range(4)), reading(3, 1.0), reading(2, 1.2)) == [(0, 1)]
    assert sorted(kept(made, reading(1.5, 70.0))) == [(1, 1), (1.5, 70), (2, 1), (2, 1.2), (3, 1), (3, 1)]
    assert kept(made, reading(4, 1.0)) == [(4, 1)]
    assert kept(made, reading(-1, 5.0)) == [(-1, 5)]
    assert made.late == 1, "it lies before all that is remembered"


async def test_after_a_kill_the_newest_reading_left_out_is_kept_and_a_redelivered_one_is_not():
    disk, made = Disk(), thinner()
    for at in range(5):
        await disk.keep(made.thin([reading(at, 2.0 * at)]), remembered=made.unsaved())
    again = thinner()
    disk.lanes.clear()
    await again.resume(disk, disk, START_NS)
    assert [one.source_ns for one in disk.readings] == [START_NS, START_NS + 4 * SECOND_NS]
    assert disk.lanes == {Lane.HISTORY}
    assert list(disk.states) == ["thin/press/factory/press/load"]
    assert kept(again, reading(3, 6.0), reading(4, 8.0), reading(5, 10.0)) == []
    await disk.keep([], remembered=again.unsaved())
    third = thinner()
    disk.readings.clear()
    await third.resume(disk, disk, START_NS)
    assert [one.value for one in disk.readings] == [10.0]
    await thinner().resume(disk, disk, START_NS)
    assert len(disk.readings) == 1, "what is on disk already does not come twice"


def test_only_changed_states_are_to_be_remembered():
    made = Thinner({0: SwingingDoor(1, 60), 1: Deadband(1, 60)}, {0: "zero", 1: "one"})
    made.thin([reading(0, 1.0), reading(0, 1.0)._replace(handle=1)])
    assert list(made.unsaved()) == ["zero"]
    assert made.unsaved() == {}


# --- the bound, for anything that may come -------------------------------------------------------------------------

VALUES = st.one_of(
    st.floats(-5, 5),
    st.sampled_from([0.0, 1.0, 1.0000001, 3.0, math.nan, math.inf, -1e300]),
    st.floats(allow_nan=True, allow_infinity=True),
)
OFFERS = st.tuples(
    st.just("offer"),
    st.one_of(st.floats(0.001, 3), st.just(0.0), st.floats(-6, 0), st.just(30.0)),  # step of time, s
    VALUES,
    st.sampled_from([Quality.GOOD] * 8 + [Quality.BAD, Quality.UNCERTAIN]),
)
SMOOTH = st.tuples(st.just("offer"), st.floats(0.01, 1), st.floats(-1.5, 1.5), st.just(Quality.GOOD))
OTHERS = st.one_of(
    st.tuples(st.just("kill"), st.integers(0, 5)),  # … and so many readings are delivered again
    st.tuples(st.just("beat"), st.floats(0, 40)),
)


class Run:
    """Any series against a thinner; what the disk holds is compared with what came."""

    def __init__(self, max_interval_s: float) -> None:
        self.max_interval_s = max_interval_s
        self.disk = Disk()
        self.made = thinner(max_interval_s)
        self.came: list[Reading] = []
        self.unbound: set[tuple[int, str]] = set()  # late ones behind all memory: beside them nothing is promised
        self.now_s = 0.0
        self.newest_s = 0.0

    def offer(self, one: Reading) -> None:
        late = self.made.late
        asyncio.run(self.disk.keep(self.made.thin([one]), remembered=self.made.unsaved()))
        if self.made.late > late:
            self.unbound.add(key(one))

    def kill(self, again: int) -> None:
        self.made = thinner(self.max_interval_s)
        asyncio.run(self.made.resume(self.disk, self.disk, START_NS + round(self.now_s * SECOND_NS)))
        for one in self.came[len(self.came) - again :] if again else ():
            self.offer(one)

    def beat(self, wait_s: float) -> None:
        self.now_s += wait_s
        beats = self.made.due(START_NS + round(self.now_s * SECOND_NS))
        asyncio.run(self.disk.keep(beats, remembered=self.made.unsaved()))

    def step(self, kind: str, *how) -> None:
        if kind != "offer":
            getattr(self, kind)(*how)
            return
        step_s, value, quality = how
        at_s = self.newest_s + step_s
        self.newest_s, self.now_s = max(self.newest_s, at_s), max(self.now_s, at_s)
        one = reading(at_s, value, quality, came_s=self.now_s)
        self.came.append(one)
        self.offer(one)


def key(one: Reading) -> tuple[int, str, int]:
    return one.source_ns, repr(one.value), one.quality


def assert_bound(run: Run) -> None:
    stored: dict[int, list[Reading]] = defaultdict(list)
    for one in run.disk.readings:
        stored[one.source_ns].append(one)
    assert {key(one) for one in run.disk.readings} <= {key(one) for one in run.came}, "only readings that came"
    whole, times = {key(one) for one in run.disk.readings}, sorted(stored)
    for one in run.came:
        if key(one) in whole:
            continue
        before = stored[max(at for at in times if at <= one.source_ns)]
        after = stored[min(at for at in times if at >= one.source_ns)]
        if any(key(end) in run.unbound for end in (*before, *after)):
            continue
        for start in before:
            for end in after:
                assert start.quality == end.quality == one.quality
                if not math.isfinite(one.value):
                    assert {repr(start.value), repr(end.value)} & {repr(one.value)}
                    continue
                span = end.source_ns - start.source_ns
                part = (one.source_ns - start.source_ns) / span if span else 0.0
                there = start.value + (end.value - start.value) * part
                slack = 1e-9 * max(1.0, abs(start.value), abs(end.value))
                assert abs(there - one.value) <= ERROR + slack


@settings(max_examples=400)
@given(st.lists(st.one_of(OFFERS, SMOOTH, SMOOTH, OTHERS), max_size=60), st.sampled_from([2.0, 20.0, 1e6]))
@example([("offer", 1.0, 0.0, 0), ("offer", 1.0, 0.9, 0), ("kill", 1), ("offer", 1.0, 5.0, 0)], 1e6)
def test_at_no_reading_that_came_is_the_line_wrong_by_more_than_the_error(steps, max_interval_s):
    run = Run(max_interval_s)
    for step in steps:
        run.step(*step)
    run.kill(0)  # the last state on disk ends the last line
    assert_bound(run)


def test_a_real_vibration_is_thinned_and_bound():
    chance = 12345
    run = Run(1e6)
    value = 20.0
    for at in range(3000):
        chance = chance * 1103515245 + 12345 & 0x7FFFFFFF
        value += (chance / 0x7FFFFFFF - 0.5) * 0.3
        run.came.append(reading(at, value))
    run.disk.readings = run.made.thin(run.came)
    run.disk.states = run.made.unsaved()
    run.kill(0)
    assert_bound(run)
    assert len(run.disk.readings) < len(run.came) / 10


HEAD = "node: g\nbroker: {host: b}\nspool: {path: s.db}\nsources:\n"
MQTT = """\
  - kind: mqtt
    name: d
    broker: {host: b}
    topics:
      - {topic: t, asset: a/b, signals: {v: {value: /v, %s}}}
"""
OPCUA = """\
  - kind: opcua
    name: o
    url: opc.tcp://h:1
    groups:
      - {asset: a/b, node: "ns=1;s={signal}", signals: {v: {%s}}}
"""


def configured(folder: Path, text: str):
    (folder / "edge.yaml").write_text(HEAD + text)
    return load_agent(folder / "edge.yaml")


def test_both_kinds_of_source_take_the_key_and_refuse_what_has_no_line(tmp_path):
    thin = "thin: {method: swinging-door, error: 0.5, max_interval_s: 30}"
    mqtt = configured(tmp_path, MQTT % thin).sources[0]
    opcua = configured(tmp_path, OPCUA % f"deadband: 2, {thin}").sources[0]
    assert mqtt.topics[0].signals["v"].thin.band == opcua.items[0].thin.band == SwingingDoor(0.5, 30)
    held = configured(tmp_path, OPCUA % "kind: state, thin: {method: deadband, error: 0.5}").sources[0]
    assert held.items[0].thin.band == Deadband(0.5, 60)
    for text, why in (
        (MQTT % f"kind: text, {thin}", "a text is not thinned"),
        (MQTT % f"deadband: 1, {thin}", "deadband and thin do the same"),
        (OPCUA % f"kind: state, {thin}", "a state has no line between two values"),
        (OPCUA % "thin: {method: swinging-door, error: 0}", "error: input should be greater than 0"),
    ):
        with pytest.raises(ConfigError) as caught:
            configured(tmp_path, text)
        assert why in str(caught.value)
        assert len(caught.value.problems) == 1, json.dumps(caught.value.problems)
