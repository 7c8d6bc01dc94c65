"""`Engine`: committed batches in, findings, transitions and changed assets out. Pure: no clock, no loop, no store.

Any split of the same samples into batches gives the same state, bit for bit, and the same findings.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.kernels.entry import events
from twin.kernels.layout import COUNTER, REPORT, Columns, Model, empty_blocks
from twin.monitor.plan import make_plan
from twin.monitor.snapshot import pack, unpack
from twin.plant.tree import Plant
from twin.samples import SampleBatch
from twin.state.model import Finding, Transition
from twin.state.twin import TwinState, changed_assets, fold, fold_texts
from twin.throughput.shifts import ShiftBounds

_REPORTS = 65_536  # the kernel stops when they are nearly full and is called again; untouched ones take no memory


@dataclass(frozen=True, slots=True)
class Judged:
    """What one batch brought."""

    findings: tuple[Finding, ...]
    transitions: tuple[Transition, ...]
    changed: frozenset[str]  # paths of the assets that have a new value


class Engine:
    """The hot path of one plant."""

    def __init__(self, plant: Plant, signal_ids: Mapping[str, int]) -> None:
        self._plan = make_plan(plant, signal_ids)
        blocks = empty_blocks(self._plan.size, self._plan.counters)
        blocks.exact["kind"] = self._plan.config["kind"]
        self.state: TwinState = TwinState(plant, signal_ids, self._plan.signals, self._plan.slots, blocks)
        self._shifts = ShiftBounds(self._plan.calendars)
        self._reports = np.zeros(_REPORTS, REPORT)

    @classmethod
    def restore(cls, plant: Plant, signal_ids: Mapping[str, int], packed: bytes) -> "Engine":
        """The engine that gave these bytes; signals added to the plant since then begin empty, the others go on.

        Raises:
            Rejected: when the bytes are damaged or of another layout; replay from the store instead.
        """
        engine = cls(plant, signal_ids)
        unpack(engine.state, engine._plan, packed)
        return engine

    def snapshot(self) -> bytes:
        """The whole state; the same state always gives the same bytes."""
        return pack(self.state)

    def warm_up(self) -> None:
        """Load or compile the machine code, so that the first batch does not wait for it."""
        none = np.zeros(0, np.int64)
        columns = Columns(none.astype(np.int32), none, none.astype(np.float64), none.astype(np.uint8), none, 0)
        self._run(columns, 0)

    def push(self, batch: SampleBatch, seq: int = 0) -> Judged:
        """Judge one committed batch; `seq` is its place in the order of commitment, 0 leaves the watermark alone."""
        node = self.state.node(batch.node)
        batch = self._known(batch)
        counted = self._plan.config["kind"][batch.signal] == COUNTER
        self._shifts.cover(batch.time[counted])
        told: list[Finding | Transition] = []
        columns = Columns(batch.signal, batch.time, batch.value, batch.quality, batch.received, node)
        begin = 0
        while begin < len(batch):
            begin, used = self._run(columns, begin)
            told += fold(self.state, self._reports[:used])
        texts = fold_texts(self.state, batch.texts, node)
        self.state.seq = seq or self.state.seq
        signals = np.append(batch.signal, np.array(sorted(texts), np.int32))
        return Judged(
            findings=tuple(one for one in told if isinstance(one, Finding)),
            transitions=tuple(one for one in told if isinstance(one, Transition)),
            changed=frozenset(changed_assets(self.state, signals)),
        )

    def _run(self, columns: Columns, begin: int) -> tuple[int, int]:
        plan, shifts = self._plan, self._shifts
        model = Model(plan.config, plan.members, plan.member_start, shifts.bounds, shifts.start)
        return events(columns, begin, self.state.blocks, model, self._reports)

    def _known(self, batch: SampleBatch) -> SampleBatch:
        """Only the samples of signals that this plant model has, in columns of exactly the kernel's types."""
        known = (batch.signal >= 0) & (batch.signal < self._plan.size)
        everything = bool(known.all())

        def column(values: NDArray[Any], kind: type[np.generic]) -> NDArray[Any]:
            return np.require(values if everything else values[known], kind, ["C", "A", "W"])

        return replace(
            batch,
            signal=column(batch.signal, np.int32),
            time=column(batch.time, np.int64),
            value=column(batch.value, np.float64),
            quality=column(batch.quality, np.uint8),
            server=column(batch.server, np.int64),
            received=column(batch.received, np.int64),
        )
