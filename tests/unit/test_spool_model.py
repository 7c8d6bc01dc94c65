"""The spool's file against a model: whatever the order of keeping, sending, receipts, drops and restarts."""

import shutil
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge.priority import Priority
from edge.spool_file import SpoolFile, Work
from twin.wire.batch import WireColumns, decode
from twin.wire.reading import Gap, GapCause, Lane, Reading
from twin.wire.receipt import Receipt
from twin.wire.schema import NodeSchema, SchemaEntry

SCHEMA = NodeSchema("model", tuple(SchemaEntry(i, f"site/line/unit/s{i}", "measurement", "") for i in range(20)))
NOTHING: frozenset[int] = frozenset()
PRIORITIES = {
    **dict.fromkeys(range(0, 20, 3), Priority.LOW),
    **dict.fromkeys(range(1, 20, 5), Priority.HIGH),
}


class SpoolModel(RuleBasedStateMachine):
    """Every reading is unique by its source time; the model remembers what it kept and what it settled."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.kept: set[Reading] = set()
        self.delivered: set[Reading] = set()
        self.told: set[Gap] = set()  # gaps in settled batches: the store knows them
        self.given: set[Gap] = set()
        self.settled: set[int] = set()
        self.live_from = 1
        self.clock_ns = 1_000_000_000

    @initialize(max_bytes=st.sampled_from([1_000, 4_000, 1_000_000]), priorities=st.sampled_from([{}, PRIORITIES]))
    def open(self, max_bytes: int, priorities: dict[int, Priority]) -> None:
        self.max_bytes = max_bytes
        self.priorities = priorities
        self.file = self.opened()
        self.epoch = self.file.epoch

    def opened(self) -> SpoolFile:
        path = self.folder / "spool.db"
        return SpoolFile(
            path,
            schema=SCHEMA,
            max_bytes=self.max_bytes,
            max_batch=40,
            clock=lambda: self.clock_ns,
            priorities=self.priorities,
        )

    def teardown(self) -> None:
        self.file.close()
        shutil.rmtree(self.folder)

    def waiting(self, lane: Lane) -> dict[int, WireColumns]:
        return {one.number: decode(one.payload) for one in self.file.take(lane, 100_000, NOTHING)}

    @rule(size=st.integers(1, 100), lane=st.sampled_from(Lane), jump_s=st.sampled_from([0, 0, 5]))
    def keep(self, size: int, lane: Lane, jump_s: int) -> None:
        self.clock_ns += jump_s * 1_000_000_000
        readings = [self.reading() for _ in range(size)]
        before = self.dropped_by_class()
        self.file.commit(Work(readings={lane: readings}))
        self.kept.update(readings)
        self.check_classes(before, self.dropped_by_class())

    def dropped_by_class(self) -> dict[Priority, int]:
        counters = self.file.counters
        low, high = counters.dropped_low, counters.dropped_high
        normal = counters.dropped_readings - low - high
        return {Priority.LOW: low, Priority.NORMAL: normal, Priority.HIGH: high}

    def check_classes(self, before: dict[Priority, int], after: dict[Priority, int]) -> None:
        """Whatever was dropped: nothing of a lower class waits, and no batch holds two classes."""
        lowest_waiting = Priority.HIGH
        for columns in [*self.waiting(Lane.LIVE).values(), *self.waiting(Lane.HISTORY).values()]:
            classes = {self.priorities.get(one.handle, Priority.NORMAL) for one in columns.readings()}
            assert len(classes) <= 1
            lowest_waiting = min([lowest_waiting, *classes])
        for priority in Priority:
            assert after[priority] == before[priority] or priority <= lowest_waiting

    def reading(self) -> Reading:
        self.clock_ns += 1_000_000
        at = self.clock_ns
        return Reading(at // 1_000_000 % 20, at, (at * 2654435761 % (1 << 32)) / 7.0, 0, 0, at)

    @rule(handle=st.integers(0, 19))
    def report_gap(self, handle: int) -> None:
        gap = Gap((handle,), self.clock_ns, self.clock_ns + 7, GapCause.SUBSCRIPTION_LOST, "lost")
        self.file.commit(Work(gaps=[gap]))
        self.given.add(gap)

    @rule(low=st.integers(0, 5), pick=st.sets(st.integers(0, 30), max_size=10))
    def settle(self, low: int, pick: set[int]) -> None:
        """A receipt for some of the waiting batches, contiguous or not."""
        waiting = {**self.waiting(Lane.LIVE), **self.waiting(Lane.HISTORY)}
        numbers = sorted(waiting)
        chosen = set(numbers[:low]) | {numbers[at] for at in pick if at < len(numbers)}
        self.settled |= chosen
        for number in chosen:
            self.delivered.update(waiting[number].readings())
            self.told.update(waiting[number].gaps)
        self.file.commit(Work(receipt=receipt(self.epoch, self.settled)))

    @rule()
    def hear_of_another_epoch(self) -> None:
        self.file.commit(Work(receipt=Receipt("f" * 32, 1_000)))

    @rule()
    def demote(self) -> None:
        self.live_from = self.file.counters.last_number + 1
        self.file.commit(Work(demote=True))

    @rule()
    def reopen(self) -> None:
        self.file.close()
        self.file = self.opened()

    @invariant()
    def the_file_holds_what_the_model_expects(self) -> None:
        live, history = self.waiting(Lane.LIVE), self.waiting(Lane.HISTORY)
        self.check_numbers(live, history)
        self.check_readings([*live.values(), *history.values()])
        backlog = self.file.backlog
        assert backlog.batches + backlog.withdrawn == len(live) + len(history)
        newest = 4_000  # the last transaction is never dropped, nor is the record of the gap
        assert backlog.bytes <= self.max_bytes + newest

    def check_numbers(self, live: dict[int, WireColumns], history: dict[int, WireColumns]) -> None:
        """Every number waits in one lane or is settled."""
        assert not live.keys() & history.keys()
        assert live.keys() | history.keys() | self.settled == set(range(1, self.file.counters.last_number + 1))
        assert not (live.keys() | history.keys()) & self.settled
        assert all(number >= self.live_from for number in live)
        assert all(number == columns.header.number for number, columns in [*live.items(), *history.items()])
        assert all(columns.header.lane is Lane.LIVE for columns in live.values())
        assert all(columns.header.lane is Lane.HISTORY for columns in history.values())
        assert self.file.epoch == self.epoch

    def check_readings(self, batches: list[WireColumns]) -> None:
        """Every reading waits once, or is delivered, or lies in a gap that waits or is told."""
        rows = [one for columns in batches for one in columns.readings()]
        gaps = self.told.union(*(columns.gaps for columns in batches))
        dropped = self.kept - self.delivered - set(rows)
        assert len(rows) == len(set(rows)) == self.file.backlog.readings
        assert set(rows) <= self.kept - self.delivered
        assert len(dropped) == self.file.counters.dropped_readings
        classes = Counter(self.priorities.get(one.handle, Priority.NORMAL) for one in dropped)
        assert +Counter(self.dropped_by_class()) == classes
        for one in dropped:
            assert any(one.handle in gap.handles and gap.from_ns <= one.source_ns < gap.to_ns for gap in gaps)
        for gap in self.given:
            assert any(set(gap.handles) <= set(g.handles) and g.from_ns <= gap.from_ns < g.to_ns for g in gaps)


def receipt(epoch: str, numbers: set[int]) -> Receipt:
    ranges: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    if ranges and ranges[0][0] == 1:
        return Receipt(epoch, ranges[0][1], tuple(ranges[1:]))
    return Receipt(epoch, 0, tuple(ranges))


TestSpoolModel = SpoolModel.TestCase
TestSpoolModel.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
