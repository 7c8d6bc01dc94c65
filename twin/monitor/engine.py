"""`Engine`: committed batches in, findings, transitions and changed assets out. Pure: no clock, no loop, no store.

Any split of the same samples into batches gives the same state, bit for bit, and the same findings.
"""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.detect.budget import AreaBudget
from twin.detect.explain import NAMES
from twin.kernels.entry import events
from twin.kernels.episodes import WORSE
from twin.kernels.layout import (
    COUNTER,
    FIRST_SCORED,
    REPORT,
    ROWS,
    SCORED,
    VERSION,
    Columns,
    Model,
    empty_blocks,
    hot_records,
)
from twin.kernels.regimes import enter_product, new_normal
from twin.kernels.tails import observe_all
from twin.monitor.hours import WeekHours
from twin.monitor.plan import make_plan
from twin.monitor.snapshot import limits_hash, pack, unpack
from twin.plant.tree import Kind, Plant
from twin.samples import SampleBatch
from twin.state.alarming import BLOCK_NS, Alarming
from twin.state.model import Finding, Transition
from twin.state.twin import TwinState, changed_assets, fold, fold_texts
from twin.throughput.shifts import ShiftBounds

_DETECTORS = {name: number for number, name in NAMES.items()}
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
        plan = self._plan
        blocks = empty_blocks(plan.config, len(plan.assets), plan.counters)
        blocks.exact["kind"] = plan.config["kind"]
        alarming = Alarming(
            assets=plan.assets,
            areas=plan.areas,
            asset_of=plan.config["asset"].astype(np.int32),
            members=plan.members,
            member_start=plan.member_start,
            budgets=[AreaBudget.fresh(per_day, assets) for _, per_day, assets in plan.budgets],
            area_names=tuple(name for name, _, _ in plan.budgets),
        )
        self.state: TwinState = TwinState(
            plant=plant,
            signal_ids=signal_ids,
            signals=plan.signals,
            slots=plan.slots,
            blocks=blocks,
            alarming=alarming,
            layout=[plan.config[name].tolist() for name in ("regime_start", "regimes", "season")],
            model=f"{VERSION}-{limits_hash()[:8]}",
        )
        self._shifts = ShiftBounds(plan.calendars)
        self._hours = WeekHours(plan.calendars)
        self._reports = np.zeros(_REPORTS, REPORT)

    @classmethod
    def restore(cls, plant: Plant, signal_ids: Mapping[str, int], packed: bytes) -> "Engine":
        """The engine that gave these bytes; signals added to the plant since then begin empty, the others go on.

        Raises:
            Rejected: when the bytes are damaged or of another layout; replay from the store instead.
        """
        engine = cls(plant, signal_ids)
        engine.load(packed)
        return engine

    def load(self, packed: bytes) -> None:
        """Take over a snapshot; only for an engine that has judged nothing. Raises as `restore`."""
        unpack(self.state, self._plan, packed)

    @property
    def config(self) -> NDArray[np.void]:
        """[S] `layout.CONFIG`: the plant as the kernels see it."""
        return self._plan.config

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
        if len(self.state.blocks.seasons):
            self._hours.cover(batch.time[self._plan.config["season"][batch.signal] >= 0])
        texts = fold_texts(self.state, batch.texts, node)
        self._enter_products(texts)
        told: list[Finding | Transition] = []
        for part in self._parts(batch, node):
            begin = 0
            while begin < len(part.signal):
                begin, used = self._run(part, begin)
                told += fold(self.state, self._reports[:used])
        self.state.seq = seq or self.state.seq
        signals = np.append(batch.signal, np.array(sorted(texts), np.int32))
        return Judged(
            findings=tuple(one for one in told if isinstance(one, Finding)),
            transitions=tuple(one for one in told if isinstance(one, Transition)),
            changed=frozenset(changed_assets(self.state, signals)),
        )

    def new_normal(self, path: str, at_ns: int) -> None:
        """What a signal, or every signal of an asset and the assets below it, does from `at_ns` (ns UTC) on is normal.

        For a person who says so, and after maintenance: baselines are learnt anew, also while a finding is open, and
        what is open ends when it fits. Take a snapshot afterwards: a replay from an older one does not know of it.

        Raises:
            KeyError: the plant has neither signal nor asset at `path`.
        """
        plant = self.state.plant
        if plant.has_signal(path):
            paths = {path}
        else:
            top = plant.asset(path).path
            paths = {one.path for one in plant.signals if one.asset == top or one.asset.startswith(f"{top}/")}
        for number, signal in sorted(self._plan.signals.items()):
            if signal.path in paths and signal.kind == Kind.MEASUREMENT:
                new_normal(number, at_ns, self.state.blocks, self._model())

    def called_false(self, path: str, detector: str) -> bool:
        """An operator says that the newest finding of this detector on this signal was no fault: its score is normal.

        It counts as a block in which the score was greater still, so that no tail calls it less likely than that; like
        every block it is forgotten in time. False when there is no such finding. Take a snapshot afterwards.
        """
        number, k = self.state.signal_ids.get(path, -1), _DETECTORS.get(detector, -1)
        known = self.state.alarming.last.get((number, k))
        if known is None:
            return False
        score, regime = known
        config = self._plan.config[number]
        row = int(config["regime_start"]) + (regime if int(config["regimes"]) > 1 else 0)
        tails = self.state.blocks.tails.reshape(-1)
        observe_all(tails, np.array([row * SCORED + k - FIRST_SCORED]), np.array([WORSE * score]))
        return True

    def _enter_products(self, texts: set[int]) -> None:
        """A text that names a machine's product has changed: its measurements change baseline before the samples."""
        for number in sorted(texts & self._plan.products.keys()):
            text, asset = self.state.texts[number], self._plan.products[number]
            path = self._plan.assets[asset]
            if self.state.products.get(path) != text.text:
                self.state.products[path] = text.text
                enter_product(zlib.crc32(text.text.encode()) + 1, text.time_ns, asset, self.state.blocks, self._model())

    def _parts(self, batch: SampleBatch, node: int) -> Iterator[Columns]:
        """The batch cut where a block of ten minutes begins; between two parts the block's end is settled."""
        block = np.minimum(batch.time, batch.received) // BLOCK_NS  # a clock that runs ahead does not take us along
        begin = 0
        while begin < len(block):
            later = block[begin:] > self.state.alarming.block
            cut = begin + int(later.argmax()) if later.any() else len(block)
            if cut > begin:
                yield Columns(
                    signal=batch.signal[begin:cut],
                    time=batch.time[begin:cut],
                    value=batch.value[begin:cut],
                    quality=batch.quality[begin:cut],
                    received=batch.received[begin:cut],
                    node=node,
                )
            if cut < len(block):
                self._end_blocks(int(block[cut]))
            begin = cut

    def _end_blocks(self, block: int) -> None:
        """Take over what the signals' own blocks have brought since the last call."""
        blocks = self.state.blocks
        oddest = blocks.exact["oddest"].copy()
        blocks.exact["oddest"] = np.nan
        records = hot_records(blocks.hot)[: self._plan.size]
        higher = records[:, ROWS.index("mean")] >= records[:, ROWS.index("slow_mean")]
        self.state.alarming.end_blocks(block, oddest, np.where(higher, 1, -1).astype(np.int8))

    def _model(self) -> Model:
        plan, shifts, hours = self._plan, self._shifts, self._hours
        return Model(
            config=plan.config,
            members=plan.members,
            member_start=plan.member_start,
            bounds=shifts.bounds,
            bound_start=shifts.start,
            executing=plan.executing,
            hours=hours.at,
            hour_slot=hours.slot,
            hour_start=hours.start,
        )

    def _run(self, columns: Columns, begin: int) -> tuple[int, int]:
        return events(columns, begin, self.state.blocks, self._model(), self._reports)

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
