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
from twin.kernels.layout import (
    CLOSED,
    ENTERED,
    FIRST_SCORED,
    OPENED,
    RAISED,
    UNKNOWN_REGIME,
    Blocks,
    Record,
    Records,
)
from twin.plant.tree import Plant, Signal
from twin.samples import TextColumns
from twin.state.alarming import Alarming
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
    alarming: Alarming
    layout: list[list[int]] = field(default_factory=list[list[int]])  # of regimes and seasons, for the snapshot
    model: str = ""  # version of the kernel's rules, for the evidence
    seq: int = 0  # the last batch that is folded in
    machines: dict[str, Transition] = field(default_factory=dict[str, Transition])  # by asset path
    findings: dict[tuple[int, int], Finding] = field(default_factory=dict[tuple[int, int], Finding])  # open ones
    texts: dict[int, LastText] = field(default_factory=dict[int, LastText])
    products: dict[str, str] = field(default_factory=dict[str, str])  # by asset path: what it works on
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
        elif what in {OPENED, RAISED}:
            told = _open(state, report)
            if told is not None:
                yield told
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


def _open(state: TwinState, report: Record) -> Finding | None:
    """A finding, unless the budget holds it back; one that is open already and has become worse is told again."""
    number, detector = int(report["signal"]), int(report["detector"])
    alarming, fused, opened = state.alarming, 1.0, state.findings.get((number, detector))
    scored = detector >= FIRST_SCORED
    if scored:
        p = float(report["p"])
        admitted = alarming.fused(number, p) if opened is not None else alarming.admit(number, p)
        if admitted is None:
            return None
        fused = admitted
    signal, score = state.signals[number], float(report["score"])
    since_ns, name = int(report["since"]), NAMES[detector]
    value, centre, spread = float(report["value"]), float(report["centre"]), float(report["spread"])
    evidence = alarming.evidence(report, fused, _regime(state, signal, int(report["regime"])), state.signals)
    finding = Finding(
        id=finding_id(signal.path, name, since_ns),
        asset=signal.asset,
        signal=signal.path,
        detector=name,
        since_ns=since_ns,
        until_ns=None,
        score=score,
        message=explain(detector, signal, value, centre, spread, score, int(report["side"])),
        evidence=replace(evidence, model=state.model, earlier=opened.evidence.earlier if opened else evidence.earlier),
    )
    if scored:
        alarming.last[number, detector] = score, int(report["regime"])
    if scored and opened is None:
        alarming.open(int(alarming.asset_of[number]))
    state.findings[number, detector] = finding
    return finding


def _regime(state: TwinState, signal: Signal, number: int) -> str:
    """The regime's name: the machine state, the product while it executes, else a number."""
    machine = state.machines.get(signal.asset)
    if machine is None or number == UNKNOWN_REGIME:
        return "" if machine is None else machine.name
    program = state.products.get(signal.asset, "")
    return f"{machine.name} {program}".strip() if machine.category == "Executing" else machine.name


def _close(state: TwinState, report: Record) -> Finding | None:
    number, detector = int(report["signal"]), int(report["detector"])
    opened = state.findings.pop((number, detector), None)
    if opened is None:
        return None
    state.alarming.earlier[number, detector] = opened.id
    if detector >= FIRST_SCORED:
        state.alarming.last[number, detector] = float(report["score"]), int(report["regime"])
        state.alarming.close(int(state.alarming.asset_of[number]))
    return replace(opened, until_ns=int(report["time"]), score=float(report["score"]))
