"""`TwinState`: everything the twin believes about one plant, and the folds that bring it forward.

In: reports of the event kernel and text columns, in the order of commitment. Out: findings and transitions.
No clock: the same reports give the same state, whenever they come. The wall clock enters only in `twin.state.view`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.detect.explain import NAMES, explain
from twin.kernels.layout import CLOSED, ENTERED, OPENED, Blocks, Record, Records
from twin.plant.tree import Plant, Signal
from twin.samples import TextColumns
from twin.state.model import Finding, Transition, finding_id


class LastText(NamedTuple):
    """The last value of a text signal."""

    time_ns: int
    text: str
    quality: int
    received_ns: int
    node: int


@dataclass(slots=True)
class TwinState:
    """The numeric blocks, and what is too sparse for a block."""

    plant: Plant
    signal_ids: Mapping[str, int]  # path → id in the store
    signals: Mapping[int, Signal]  # by id
    slots: Mapping[int, int]  # counter signal id → slot
    blocks: Blocks
    seq: int = 0  # the last batch that is folded in
    machines: dict[str, Transition] = field(default_factory=dict[str, Transition])  # by asset path
    findings: dict[tuple[int, int], Finding] = field(default_factory=dict[tuple[int, int], Finding])  # open ones
    texts: dict[int, LastText] = field(default_factory=dict[int, LastText])
    nodes: list[str] = field(default_factory=list[str])

    def node(self, name: str) -> int:
        """The place of this node in `nodes`; a new one is appended."""
        if name not in self.nodes:
            self.nodes.append(name)
        return self.nodes.index(name)


def fold(state: TwinState, reports: Records) -> Iterator[Finding | Transition]:
    """Bring findings and machine states forward by what the kernel reported; yields what is new or has ended."""
    for report in reports:
        what = int(report["what"])
        if what == ENTERED:
            entered = _enter(state, report)
            if entered is not None:
                yield entered
        elif what == OPENED:
            yield _open(state, report)
        elif what == CLOSED:
            closed = _close(state, report)
            if closed is not None:
                yield closed


def fold_texts(state: TwinState, texts: TextColumns, node: int) -> set[int]:
    """Take over later text values; returns the signal ids that changed."""
    changed: set[int] = set()
    columns = zip(
        texts.signal.tolist(),
        texts.time.tolist(),
        texts.text,
        texts.quality.tolist(),
        texts.received.tolist(),
        strict=True,
    )
    for signal, time_ns, text, quality, received_ns in columns:
        last = state.texts.get(signal)
        if signal in state.signals and (last is None or time_ns > last.time_ns):
            state.texts[signal] = LastText(time_ns, text, quality, received_ns, node)
            changed.add(signal)
    return changed


def changed_assets(state: TwinState, signals: NDArray[np.int32]) -> set[str]:
    """The assets to which these signal ids belong."""
    found = (state.signals.get(signal) for signal in np.unique(signals).tolist())
    return {signal.asset for signal in found if signal is not None}


def _enter(state: TwinState, report: Record) -> Transition | None:
    signal = state.signals[int(report["signal"])]
    code, before = int(report["value"]), state.machines.get(signal.asset)
    if before is not None and before.code == code:
        return None  # the same state again, after a spell of bad quality
    known = signal.states.get(code)
    name, category = (known.name, str(known.category)) if known else (f"code {code}", "NotAvailable")
    transition = Transition(signal.asset, int(report["time"]), code, name, category)
    state.machines[signal.asset] = transition
    return transition


def _open(state: TwinState, report: Record) -> Finding:
    number, detector = int(report["signal"]), int(report["detector"])
    signal, score = state.signals[number], float(report["score"])
    since_ns, name = int(report["since"]), NAMES[detector]
    finding = Finding(
        id=finding_id(signal.path, name, since_ns),
        asset=signal.asset,
        signal=signal.path,
        detector=name,
        since_ns=since_ns,
        until_ns=None,
        score=score,
        message=explain(
            detector, signal, float(report["value"]), float(report["centre"]), float(report["spread"]), score
        ),
    )
    state.findings[number, detector] = finding
    return finding


def _close(state: TwinState, report: Record) -> Finding | None:
    opened = state.findings.pop((int(report["signal"]), int(report["detector"])), None)
    if opened is None:
        return None
    return replace(opened, until_ns=int(report["time"]), score=float(report["score"]))
