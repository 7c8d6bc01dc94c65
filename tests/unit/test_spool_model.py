"""The spool's file against a model: whatever the order of keeping, sending, receipts, drops, restarts and set-backs."""

import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge.priority import Priority
from edge.spool_file import SpoolFile, Work
from edge.spool_sent import NOTHING_SENT, KeepSent
from twin.wire.batch import WireColumns, decode
from twin.wire.reading import Gap, GapCause, Lane, Reading
from twin.wire.receipt import Receipt
from twin.wire.schema import NodeSchema, SchemaEntry

SCHEMA = NodeSchema("model", tuple(SchemaEntry(i, f"site/line/unit/s{i}", "measurement", "") for i in range(20)))
FOR_EVER_NS = 1 << 60
KEEPS = [
    NOTHING_SENT,
    KeepSent(FOR_EVER_NS, 2_000),
    KeepSent(3_000_000_000, 1_000_000),
    KeepSent(FOR_EVER_NS, 1_000_000),
]
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
NOTHING: frozenset[int] = frozenset()
PRIORITIES = {
    **dict.fromkeys(range(0, 20, 3), Priority.LOW),
    **dict.fromkeys(range(1, 20, 5), Priority.HIGH),
}


class SpoolModel(RuleBasedStateMachine):
    """Every reading is unique by its source time; the model remembers what it kept and what it settled."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY))
        self.kept: set[Reading] = set()
        self.stored: dict[int, WireColumns] = {}  # settled batches
        self.lost: set[Reading] = set()  # that the store had, before it was set back, and the spool no longer
        self.incarnation = 1
        self.given: set[Gap] = set()
        self.live_from = 1
        self.clock_ns = 1_000_000_000

    @initialize(
        max_bytes=st.sampled_from([1_000, 4_000, 1_000_000]),
        priorities=st.sampled_from([{}, PRIORITIES]),
        keep_sent=st.sampled_from(KEEPS),
    )
    def open(self, max_bytes: int, priorities: dict[int, Priority], keep_sent: KeepSent) -> None:
        self.keep_sent = keep_sent
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
            keep_sent=self.keep_sent,
        )

    @property
    def settled(self) -> set[int]:
        return set(self.stored)

    @property
    def delivered(self) -> set[Reading]:
        return {one for columns in self.stored.values() for one in columns.readings()}

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
        self.stored |= {number: waiting[number] for number in chosen}
        self.file.commit(Work(receipt=self.receipt()))

    @rule(pick=st.sets(st.integers(0, 30), max_size=10))
    def set_the_store_back(self, pick: set[int]) -> None:
        """It has no more than some of what it had; what the spool has kept waits again."""
        if not self.stored:
            return
        gone = sorted(set(self.stored) - {number for at, number in enumerate(sorted(self.stored)) if at not in pick})
        before = {number: self.stored.pop(number) for number in gone}
        self.incarnation += 1
        self.file.commit(Work(receipt=self.receipt()))
        waiting = self.waiting(Lane.HISTORY)
        for number, columns in before.items():
            if waiting[number].readings() != columns.readings():
                assert not waiting[number].readings()
                assert self.keep_sent != KEEPS[-1] or self.max_bytes < 1_000_000  # all of it was kept
                self.lost.update(columns.readings())

    @rule()
    def hear_of_a_former_life_of_the_store(self) -> None:
        everything = set(range(1, self.file.counters.last_number + 1))
        if self.incarnation > 1:
            self.file.commit(Work(receipt=receipt(self.epoch, everything, self.incarnation - 1)))

    def receipt(self) -> Receipt:
        return receipt(self.epoch, set(self.stored), self.incarnation)

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
        gaps = {gap for columns in (*self.stored.values(), *batches) for gap in columns.gaps}
        delivered = self.delivered
        dropped = self.kept - delivered - set(rows)
        assert len(rows) == len(set(rows)) == self.file.backlog.readings
        assert set(rows) <= self.kept - delivered
        assert len(dropped - self.lost) == self.file.counters.dropped_readings
        classes = Counter(self.priorities.get(one.handle, Priority.NORMAL) for one in dropped - self.lost)
        assert +Counter(self.dropped_by_class()) == classes
        for one in dropped:
            assert any(one.handle in gap.handles and gap.from_ns <= one.source_ns < gap.to_ns for gap in gaps)
        for gap in self.given:
            assert any(set(gap.handles) <= set(g.handles) and g.from_ns <= gap.from_ns < g.to_ns for g in gaps)


def receipt(epoch: str, numbers: set[int], incarnation: int) -> Receipt:
    ranges: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    if ranges and ranges[0][0] == 1:
        return Receipt(epoch, ranges[0][1], tuple(ranges[1:]), incarnation)
    return Receipt(epoch, 0, tuple(ranges), incarnation)


TestSpoolModel = SpoolModel.TestCase
TestSpoolModel.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
