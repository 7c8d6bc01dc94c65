"""Machine states, modes and the plan → time elements: intervals that never overlap and always add up to calendar time.

In: step functions of one unit (state, mode, schedule, orders, what a person has said). Out: one `TimeLine` of columns.
The rules stand in time_elements.yaml. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, cast

import numpy as np
import yaml
from numpy.typing import NDArray

from twin.plant.elements import Element, StopReason
from twin.plant.tree import Category, MachineState, OperationMode
from twin.throughput.schedule import BUSY, PLANS, Schedule

ELEMENTS = tuple(Element)
REASONS = tuple(StopReason)
NUMBER: Mapping[Element, int] = {element: number for number, element in enumerate(ELEMENTS)}
UNKNOWN_CODE = -(2**31)
NO_REASON = -1
NO_ORDER = -1
_MAY_BE_MINOR = (Element.IDLE, Element.FAILURE, Element.DELAY)

Instants = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Steps:
    """A step function: `value[i]` holds in [since[i], since[i+1]); before the first it is not known."""

    since: Instants  # [n] ns UTC, ascending
    value: NDArray[np.int64]  # [n]


@dataclass(frozen=True, slots=True)
class Reclassified:
    """What a person has said of a span; later ones stand above earlier ones."""

    start_ns: int
    end_ns: int
    reason: StopReason


@dataclass(frozen=True, slots=True)
class TimeLine:
    """Intervals of one unit, n of them, without hole or overlap: end[i] == start[i+1]."""

    start: Instants  # [n] ns UTC
    end: Instants  # [n] ns UTC
    element: NDArray[np.int8]  # [n] place in ELEMENTS
    code: NDArray[np.int64]  # [n] state code, UNKNOWN_CODE when not known
    reason: NDArray[np.int8]  # [n] place in REASONS, NO_REASON
    plan: NDArray[np.int8]  # [n] see twin.throughput.schedule
    begins_failure: NDArray[np.bool_]  # [n] a failure begins with this interval
    begins_minor: NDArray[np.bool_]  # [n] a minor stop begins with this interval

    @property
    def length_s(self) -> NDArray[np.float64]:
        """Seconds of each interval."""
        return (self.end - self.start) / 1e9

    def seconds(self, element: Element) -> float:
        """Time in one element."""
        return float(self.length_s[self.element == NUMBER[element]].sum())


@cache
def table() -> Mapping[tuple[str, str, str], Element]:
    """(state, mode, plan) → element."""
    return {(row["state"], row["mode"], row["plan"]): Element(row["element"]) for row in _document()["table"]}


@cache
def reason_elements() -> Mapping[StopReason, Element]:
    """Reason → element."""
    return {StopReason(row["reason"]): Element(row["element"]) for row in _document()["reasons"]}


def _document() -> dict[str, list[dict[str, Any]]]:
    text = files("twin.throughput").joinpath("time_elements.yaml").read_text(encoding="utf-8")
    return cast("dict[str, list[dict[str, Any]]]", yaml.safe_load(text))


def element_of(state: MachineState, mode: str, plan: int) -> Element:
    """The time element of one instant."""
    if state.element:
        return Element(state.element)
    found = table()[str(state.category) or Category.NOT_AVAILABLE, mode or state.mode or "None", PLANS[plan]]
    if plan == BUSY and state.reason and found not in {Element.PRODUCTION, Element.MAINTENANCE}:
        return reason_elements()[StopReason(state.reason)]
    return found


def held_steps(
    time: Instants,
    value: NDArray[np.int64],
    good: NDArray[np.bool_],
    hold_ns: int,
    unheard: Sequence[tuple[int, int]] = (),
) -> Steps:
    """Samples → steps: a value holds until the next sample, at most `hold_ns`; a bad one says nothing.

    unheard: spans in which samples may be missing; from their beginning to the next sample, or to their end, nothing is
    known.
    """
    shown = np.where(good, value, UNKNOWN_CODE)
    ends = np.append(time[1:], np.iinfo(np.int64).max)
    lapses = time + hold_ns
    quiet = lapses < ends
    since, what = (
        np.concatenate([time, lapses[quiet]]),
        np.concatenate([shown, np.full(int(quiet.sum()), UNKNOWN_CODE)]),
    )
    for start_ns, end_ns in unheard:
        before = int(np.searchsorted(time, start_ns, side="right")) - 1
        inside = time[(time > start_ns) & (time < end_ns)]
        until = int(inside[0]) if len(inside) else end_ns
        if before < 0 or start_ns >= int(lapses[before]):
            continue
        since, what = np.append(since, start_ns), np.append(what, UNKNOWN_CODE)
        if until < int(min(ends[before], lapses[before])):
            since, what = np.append(since, until), np.append(what, shown[before])
    order = np.argsort(since, kind="stable")
    return Steps(since[order], what[order])


def value_at(steps: Steps, at: Instants, nothing: int) -> NDArray[np.int64]:
    """The value that holds at each instant; `nothing` before the first step."""
    if not len(steps.since):
        return np.full(len(at), nothing, np.int64)
    place = np.searchsorted(steps.since, at, side="right") - 1
    return np.where(place < 0, nothing, steps.value[np.maximum(place, 0)])


@dataclass(frozen=True, slots=True)
class UnitTime:
    """Everything that decides about the time of one unit."""

    states: Mapping[int, MachineState]
    state: Steps  # codes
    schedule: Schedule
    microstop_s: float
    modes: Mapping[int, MachineState]  # {} when the unit has no operation-mode signal
    mode: Steps
    reclassified: Sequence[Reclassified] = ()
    cuts: Instants | None = None  # further bounds: hours, changes of order


def time_line(unit: UnitTime, start_ns: int, end_ns: int) -> TimeLine:
    """The intervals of [start, end). A stop at either end is judged by what of it lies inside: give a margin."""
    bounds = [unit.state.since, unit.mode.since, unit.schedule.since, *([] if unit.cuts is None else [unit.cuts])]
    said = np.array([bound for one in unit.reclassified for bound in (one.start_ns, one.end_ns)], np.int64)
    inner = np.unique(np.concatenate([*bounds, said]))
    start = np.concatenate([[start_ns], inner[(inner > start_ns) & (inner < end_ns)]]).astype(np.int64)
    end = np.append(start[1:], end_ns).astype(np.int64)
    code = value_at(unit.state, start, UNKNOWN_CODE)
    mode = value_at(unit.mode, start, UNKNOWN_CODE)
    plan = unit.schedule.plan[np.maximum(np.searchsorted(unit.schedule.since, start, side="right") - 1, 0)]
    element, reason = _classify(unit, code, mode, plan)
    down = element == NUMBER[Element.FAILURE]
    element = _minor_stops(element, end - start, round(unit.microstop_s * 1e9))
    element, reason = _said(unit.reclassified, start, element, reason)
    failed = element == NUMBER[Element.FAILURE]
    return TimeLine(
        start,
        end,
        element,
        code,
        reason,
        plan,
        _begins(failed, _out_of_service(unit.states, code) | down),
        _begins(element == NUMBER[Element.MINOR_STOP], element == NUMBER[Element.MINOR_STOP]),
    )


def _classify(
    unit: UnitTime, code: NDArray[np.int64], mode: NDArray[np.int64], plan: NDArray[np.int8]
) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Element and reason of every interval: one look at the table per combination that occurs."""
    element = np.full(len(code), NUMBER[Element.UNKNOWN], np.int8)
    reason = np.full(len(code), NO_REASON, np.int8)
    known = np.flatnonzero(code != UNKNOWN_CODE)
    if not len(known):
        return element, reason
    triples = np.stack([code[known], mode[known], plan[known].astype(np.int64)])
    different, which = np.unique(triples, axis=1, return_inverse=True)
    for number, (one_code, one_mode, one_plan) in enumerate(different.T.tolist()):
        here = known[which.reshape(-1) == number]
        state = unit.states.get(one_code, MachineState(f"code {one_code}", Category.NOT_AVAILABLE))
        says = unit.modes.get(one_mode)
        word = str(says.mode) if says is not None and says.mode else ""
        element[here] = NUMBER[element_of(state, "" if word == OperationMode.NONE else word, one_plan)]
        if state.reason:
            reason[here] = REASONS.index(StopReason(state.reason))
    return element, reason


def _minor_stops(element: NDArray[np.int8], length_ns: Instants, limit_ns: int) -> NDArray[np.int8]:
    """A run of stops between production that lasts no longer than the limit is a minor stop."""
    may = np.isin(element, [NUMBER[one] for one in _MAY_BE_MINOR])
    if not may.any() or limit_ns <= 0:
        return element
    run = np.cumsum(np.append(0, may[1:] != may[:-1]))
    lasts = np.bincount(run, weights=length_ns.astype(np.float64))[run]
    return np.where(may & (lasts <= limit_ns), NUMBER[Element.MINOR_STOP], element).astype(np.int8)


def _said(
    reclassified: Sequence[Reclassified], start: Instants, element: NDArray[np.int8], reason: NDArray[np.int8]
) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    for one in reclassified:
        here = (start >= one.start_ns) & (start < one.end_ns)
        element = np.where(here, NUMBER[reason_elements()[one.reason]], element).astype(np.int8)
        reason = np.where(here, REASONS.index(one.reason), reason).astype(np.int8)
    return element, reason


def _begins(here: NDArray[np.bool_], goes_on: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where `here` is true and the interval before was not already part of the same thing."""
    before = np.append(False, goes_on[:-1])
    return here & ~before


def _out_of_service(states: Mapping[int, MachineState], code: NDArray[np.int64]) -> NDArray[np.bool_]:
    down = [number for number, state in states.items() if state.category == Category.OUT_OF_SERVICE]
    return np.isin(code, down)
