"""From what is stored to the history of each asset, by type of asset.

In: transitions, findings, alarms, maintenance, gaps, in hours since 1970. Out: histories that `twin.risk` takes. A
fault begins when a machine goes out of service, or when somebody says so.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from twin.plant.maintenance import MaintenanceEvent, MaintenanceKind
from twin.plant.tree import Category, Plant
from twin.risk.exposure import Life
from twin.risk.features import Episodes, History

Hours = NDArray[np.float64]
HOUR_NS = 3_600_000_000_000
_SAME_H = 1.0  # a fault that is told and one that the machine shows, so near to each other, are one


class RiskEvents(Protocol):
    """Columns by asset."""

    async def transitions(self, start_ns: int, end_ns: int) -> dict[str, tuple[Hours, list[str]]]: ...  # noqa: D102
    async def episodes(self, start_ns: int, end_ns: int) -> dict[str, dict[str, Episodes]]: ...  # noqa: D102
    async def unseen(self, signals: Sequence[int], start_ns: int, end_ns: int) -> dict[int, Hours]: ...  # noqa: D102
    async def newest(self, signals: Sequence[int]) -> dict[int, float]: ...  # noqa: D102


class MaintenanceLog(Protocol):
    """What people told."""

    async def between(self, start_ns: int, end_ns: int) -> list[MaintenanceEvent]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Events:
    """Everything that was stored of all assets, by asset."""

    transitions: Mapping[str, tuple[Hours, list[str]]]
    episodes: Mapping[str, Mapping[str, Episodes]]
    maintenance: Sequence[MaintenanceEvent]
    unseen: Mapping[str, Hours]  # [k, 2] when its state was not known
    until: Mapping[str, float]  # up to when its state is known


Classes = dict[str, dict[str, History]]
"""Histories by type of asset and path."""


async def load_events(
    events: RiskEvents,
    maintenance: MaintenanceLog,
    plant: Plant,
    signal_ids: Mapping[str, int],
    span_ns: tuple[int, int],
) -> Events:
    """Everything in [start, end) that concerns the machines of the plant."""
    states = {signal_ids[one.path]: one.asset for one in plant.signals if one.role == "machine-state"}
    transitions, episodes, told, unseen, newest = await asyncio.gather(
        events.transitions(*span_ns),
        events.episodes(*span_ns),
        maintenance.between(*span_ns),
        events.unseen(list(states), *span_ns),
        events.newest(list(states)),
    )
    return Events(
        transitions,
        episodes,
        told,
        {states[signal]: spans for signal, spans in unseen.items()},
        {states[signal]: at for signal, at in newest.items()},
    )


def make_classes(plant: Plant, events: Events, now_h: float) -> Classes:
    """The machines that have told their state, by type."""
    found: Classes = {}
    for asset in plant.assets:
        if asset.path in events.transitions:
            found.setdefault(asset.type, {})[asset.path] = make_history(asset.path, events, now_h)
    return found


def detectors_of(classes: Classes) -> list[str]:
    """Every detector that has found anything."""
    return sorted({name for members in classes.values() for one in members.values() for name in one.episodes})


def make_history(path: str, events: Events, now_h: float) -> History:
    """One machine's history up to now."""
    entered, category = events.transitions[path]
    down = np.array([one == Category.OUT_OF_SERVICE for one in category])
    executing = np.array([one == Category.EXECUTING for one in category])
    begins = down & ~np.append(False, down[:-1])
    ends = ~down & np.append(False, down[:-1])
    spans = _spans(entered[begins], entered[ends])
    mine = [one for one in events.maintenance if one.asset == path]
    told = _at(mine, MaintenanceKind.FAILURE)
    shown = entered[begins]
    new = [at for at in told if not np.any(np.abs(shown - at) <= _SAME_H)]
    renewing = [one for one in mine if one.kind in {MaintenanceKind.REPAIR, MaintenanceKind.PREVENTIVE}]
    finished = [(one.at_ns if one.until_ns is None else one.until_ns) / HOUR_NS for one in renewing]
    until = min(now_h, max(events.until.get(path, now_h), float(entered[-1])))
    life = Life(
        observed=_without(np.array([[float(entered[0]), until]]), events.unseen.get(path)),
        failures=np.sort(np.append(shown, new)),
        down=spans,
        treated=_at(mine, MaintenanceKind.PREVENTIVE),
        renewed=np.sort(np.append(entered[ends], finished)),
    )
    return History(life, entered, executing, events.episodes.get(path, {}))


def _at(events: Sequence[MaintenanceEvent], kind: MaintenanceKind) -> Hours:
    return np.sort(np.array([one.at_ns / HOUR_NS for one in events if one.kind is kind], np.float64))


def _spans(begins: Hours, ends: Hours) -> Hours:
    """[k, 2]; one that has not ended is open."""
    after = np.append(ends, np.inf)
    return np.stack([begins, after[np.searchsorted(ends, begins, "right")]], axis=1)


def _without(spans: Hours, holes: Hours | None) -> Hours:
    """The spans without what lies in the holes."""
    if holes is None:
        return spans
    for begin, end in holes.tolist():
        parts = [np.minimum(spans, [np.inf, begin]), np.maximum(spans, [end, -np.inf])]
        spans = np.concatenate(parts)
        spans = spans[spans[:, 0] < spans[:, 1]]
    return spans[np.argsort(spans[:, 0], kind="stable")]
