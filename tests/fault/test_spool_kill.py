"""kill -9 of a process that keeps readings, many times over: what was acknowledged is there, once and whole."""

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from edge.priority import Priority
from edge.spool_file import SpoolFile, Work
from tests.fault.spool_child import PRIORITIES, SCHEMA, readings
from twin.wire.batch import decode
from twin.wire.reading import Gap, Lane, Reading
from twin.wire.receipt import Receipt

ROUNDS = 32
PLENTY, TIGHT = 100_000_000, 20_000
ROUND_NS = 10_000_000_000


def killed(path: Path, max_bytes: int, first: int, life_s: float) -> list[Reading]:
    """Let the child keep readings for `life_s`, kill it in the middle of it, return what it had acknowledged."""
    command = [sys.executable, "-m", "tests.fault.spool_child", str(path), str(max_bytes), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline()]
        time.sleep(life_s)  # the moment of death is the test's input, not something that it waits for
        child.kill()
        lines += child.stdout.readlines()
    told = [tuple(map(int, line.split())) for line in lines if line.endswith(b"\n")]
    assert told, "the child died before its first keep"
    return [one for start, size in told for one in readings(start, size)]


class Survivor:
    """The spool file as the next process finds it."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.file = SpoolFile(path, schema=SCHEMA, max_bytes=max_bytes, max_batch=10_000, clock=time.time_ns)
        outgoing = [one for lane in Lane for one in self.file.take(lane, 1_000_000, frozenset())]
        self.numbers = sorted(one.number for one in outgoing)
        columns = [decode(one.payload) for one in outgoing]
        assert all(batch.header.epoch == self.file.epoch for batch in columns)
        self.readings = [one for batch in columns for one in batch.readings()]
        self.gaps: list[Gap] = [gap for batch in columns for gap in batch.gaps]

    def in_a_gap(self, one: Reading) -> bool:
        return any(one.handle in gap.handles and gap.from_ns <= one.source_ns < gap.to_ns for gap in self.gaps)

    def settle_all(self) -> None:
        self.file.commit(Work(receipt=Receipt(self.file.epoch, self.file.counters.last_number)))
        assert self.file.take(Lane.LIVE, 10, frozenset()) == []
        assert self.file.take(Lane.HISTORY, 10, frozenset()) == []


def test_every_acknowledged_reading_survives_kill_9_exactly_once_or_lies_in_a_recorded_gap(tmp_path: Path):
    path, chance = tmp_path / "spool.db", random.Random(7)
    epochs: set[str] = set()
    last_number = 0
    rounds_with_drops = 0
    lost: Counter[Priority] = Counter()
    kept: Counter[Priority] = Counter()
    for turn in range(ROUNDS):
        max_bytes = TIGHT if turn % 2 else PLENTY
        first = (turn + 1) * ROUND_NS
        acknowledged = killed(path, max_bytes, first, chance.uniform(0.0, 0.25))
        found = Survivor(path, max_bytes)
        try:
            epochs.add(found.file.epoch)
            assert found.numbers == list(range(last_number + 1, found.file.counters.last_number + 1))
            assert len(found.readings) == len(set(found.readings))
            assert all(first <= one.source_ns < first + ROUND_NS for one in found.readings)
            missing = set(acknowledged) - {exact(one) for one in found.readings}
            assert all(found.in_a_gap(one) for one in missing)
            assert len(missing) <= found.file.counters.dropped_readings
            assert not missing or max_bytes == TIGHT
            rounds_with_drops += bool(missing)
            if max_bytes == TIGHT:
                lost.update(map(priority, missing))
                kept.update(map(priority, acknowledged))
            last_number = found.file.counters.last_number
            found.settle_all()
        finally:
            found.file.close()
    assert len(epochs) == 1
    assert rounds_with_drops
    share = [lost[one] / kept[one] for one in Priority]
    assert share[Priority.LOW] > share[Priority.NORMAL] > share[Priority.HIGH]
    assert not list(tmp_path.glob("*damaged*"))


def priority(one: Reading) -> Priority:
    return PRIORITIES.get(one.handle, Priority.NORMAL)


def exact(one: Reading) -> Reading:
    """The receive time travels in whole microseconds; the child sets it to the source time."""
    return one._replace(received_ns=one.source_ns)
