"""What is known of an asset at an instant: use, load, earlier faults, evidence. Nothing of the future.

In: one asset's events in hours. Out: columns with names, the same for training and for scoring. The height of a finding
counts from its end on, for its greatest score is not known before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from twin.risk.exposure import Hours, Life
from twin.risk.trend import TRENDS, trend_features

Floats = NDArray[np.float64]
LOAD_WINDOWS_H = (8.0, 24.0, 72.0)
EVIDENCE_WINDOWS_H = (1.0, 8.0, 72.0)
FAILURE_WINDOWS_H = (24.0, 168.0, 720.0)
_RECENT_H = 8.0  # evidence that the prior path takes


@dataclass(frozen=True, slots=True)
class Episodes:
    """Findings or alarms of one kind: [k] begin, end (inf: still open), height."""

    since: Hours
    until: Hours
    height: Floats


@dataclass(frozen=True, slots=True)
class Signals:
    """Measured columns of an asset, one row per step; row i is known at `at[i]`, ascending."""

    at: Hours
    values: Floats  # [m, c], NaN where there is none
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class History:
    """One asset; instants in hours on the scale of its life."""

    life: Life
    entered: Hours  # [s] when a machine state was entered, ascending
    executing: NDArray[np.bool_]  # [s] whether that state executes
    episodes: Mapping[str, Episodes] = field(default_factory=dict[str, Episodes])  # by detector
    signals: Signals | None = None


def use_at(history: History, at: Hours) -> Floats:
    """Hours of execution from the first event on; between events as the state says."""
    return _integral(history.entered, history.executing, at)


def use_since_renewal(history: History, at: Hours) -> Floats:
    """Hours of execution since the last repair or maintenance, or since the asset is known."""
    return use_at(history, at) - use_at(history, _renewal(history, at))


def evidence_at(history: History, at: Hours) -> Floats:
    """log(1 + findings that were open within the last eight hours): what multiplies the prior hazard."""
    count = np.zeros(len(at))
    for one in history.episodes.values():
        begun = np.searchsorted(np.sort(one.since), at, "right")
        over = np.searchsorted(np.sort(one.until), at - _RECENT_H, "right")
        count += begun - over
    return np.log1p(count)


def features(history: History, at: Hours, detectors: Sequence[str]) -> tuple[Floats, list[str]]:
    """[n, f] and the names; `detectors` are the kinds of evidence, each with its own columns."""
    columns = {**_use(history, at), **_failures(history.life, at)}
    for detector in detectors:
        none = Episodes(np.empty(0), np.empty(0), np.empty(0))
        columns |= _evidence(detector, history.episodes.get(detector, none), at)
    if history.signals is not None:
        columns |= _trends(history.signals, history.life, at)
    return np.stack([np.broadcast_to(one, at.shape) for one in columns.values()], axis=1), list(columns)


def select(values: Floats, names: Sequence[str], wanted: Sequence[str]) -> Floats:
    """The wanted columns; one that is not there is unknown (NaN)."""
    place = {name: at for at, name in enumerate(names)}
    return np.stack(
        [values[:, place[name]] if name in place else np.full(len(values), np.nan) for name in wanted], axis=1
    )


def _use(history: History, at: Hours) -> dict[str, Floats]:
    entered, executing = history.entered, history.executing
    renewal = _renewal(history, at)
    starts = entered[executing & ~np.append(False, executing[:-1])] if len(entered) else entered
    found = {
        "hours of use since renewal": use_since_renewal(history, at),
        "hours since renewal": at - renewal,
        "cycles since renewal": _count(starts, renewal, at),
    }
    used = use_at(history, at)
    for window in LOAD_WINDOWS_H:
        found[f"load {window:g} h"] = (used - use_at(history, at - window)) / window
        found[f"starts {window:g} h"] = _count(starts, at - window, at)
    found["state changes 24 h"] = _count(entered, at - 24.0, at)
    return found


def _failures(life: Life, at: Hours) -> dict[str, Floats]:
    place = np.searchsorted(life.failures, at, "right")
    last = np.append(np.nan, life.failures)[place]
    found = {"hours since the last fault": at - last}
    for window in FAILURE_WINDOWS_H:
        found[f"faults {window:g} h"] = _count(life.failures, at - window, at)
    begin = life.observed[0, 0] if len(life.observed) else np.nan
    found["faults per 1000 h"] = 1_000.0 * (place + 1.0) / np.maximum(at - begin, 0.0).clip(1.0)
    return found


def _evidence(name: str, episodes: Episodes, at: Hours) -> dict[str, Floats]:
    since, until = np.sort(episodes.since), np.sort(episodes.until)
    begun = np.searchsorted(since, at, "right")
    found = {f"{name} open": (begun - np.searchsorted(until, at, "right")).astype(np.float64)}
    for window in EVIDENCE_WINDOWS_H:
        found[f"{name} {window:g} h"] = _count(since, at - window, at)
        found[f"{name} height {window:g} h"] = _greatest(episodes, at, window)
    found[f"hours since {name}"] = at - np.append(np.nan, since)[begun]
    return found


def _greatest(episodes: Episodes, at: Hours, window: float) -> Floats:
    """The greatest height of those that ended within the window before each instant; 0 without any."""
    greatest = np.zeros(len(at))
    order = np.argsort(at, kind="stable")
    sorted_at = at[order]
    for until, height in zip(episodes.until, episodes.height, strict=True):
        reached = order[np.searchsorted(sorted_at, until, "left") : np.searchsorted(sorted_at, until + window, "left")]
        greatest[reached] = np.maximum(greatest[reached], height)
    return greatest


def _trends(signals: Signals, life: Life, at: Hours) -> dict[str, Floats]:
    """The trends as of each instant; they begin anew after each gap in what was observed."""
    found = np.full((len(at), len(TRENDS) * len(signals.names)), np.nan)
    for begin, end in life.observed.tolist():
        mine = np.flatnonzero((signals.at > begin) & (signals.at <= end))
        asked = (at >= begin) & (at < end)
        if len(mine) and asked.any():
            trend = trend_features(signals.values[mine])
            place = np.searchsorted(signals.at[mine], at[asked], "right") - 1
            found[asked] = np.where(place[:, None] < 0, np.nan, trend[np.maximum(place, 0)])
    names = [f"{name} {trend}" for trend in TRENDS for name in signals.names]
    return dict(zip(names, found.T, strict=True))


def _renewal(history: History, at: Hours) -> Hours:
    life = history.life
    begin = life.observed[0, 0] if len(life.observed) else 0.0
    renewed = np.sort(life.renewed)
    return np.append(begin, renewed)[np.searchsorted(renewed, at, "right")]


def _count(events: Hours, begin: Hours, end: Hours) -> Floats:
    """Events in (begin, end]."""
    return (np.searchsorted(events, end, "right") - np.searchsorted(events, begin, "right")).astype(np.float64)


def _integral(entered: Hours, on: NDArray[np.bool_], at: Hours) -> Floats:
    """Hours in which the state was on, from the first event to each instant."""
    if len(entered) == 0:
        return np.zeros(len(at))
    total = np.append(0.0, np.cumsum(np.diff(entered) * on[:-1]))
    place = np.searchsorted(entered, at, "right") - 1
    known = np.maximum(place, 0)
    return np.where(place < 0, 0.0, total[known] + on[known] * (at - entered[known]))
