"""`twin alarms replay`: a rule over the stored history of the configured database.

In: settings and what is to be tried. Out: the same document as `POST /v1/alarms/replay`, and its lines for a terminal.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.alarm_replay import replay_anomalies, replay_document, replay_rule
from api.window import Window, window
from twin.commands.settings import TwinSettings
from twin.errors import ConfigError, Rejected
from twin.plant.load import load_plant
from twin.plant.tree import Plant
from twin.state.alarm_trial import trial_policy, trial_rule
from twin.store.connect import Store, open_store

_COLUMNS = 60
_BARS = " ▁▂▃▄▅▆▇█"
_LISTED = 20


@dataclass(frozen=True, slots=True)
class Trial:
    """What is to be tried over which window."""

    signal: str | None
    name: str
    changes: Mapping[str, float | None]
    start: str
    end: str
    anomalies: bool = False
    detectors: tuple[str, ...] = ()


async def run_replay(settings: TwinSettings, trial: Trial, progress: Callable[[float], None]) -> dict[str, Any]:
    """Read the history and say what would have been.

    Raises:
        ConfigError: no such signal, no limit, no window; with what to do.
    """
    plant = load_plant(settings.plant)
    try:
        span = window(trial.start, trial.end, time.time_ns())
    except Rejected as error:
        raise ConfigError(f"--start, --end: {error}; give RFC 3339 times with a zone, or -7d") from error
    async with open_store(settings.database) as store:
        if trial.anomalies:
            return await _anomalies(settings, plant, store, trial, span)
        return await _rule(plant, store, trial, span, progress)


async def _rule(
    plant: Plant, store: Store, trial: Trial, span: Window, progress: Callable[[float], None]
) -> dict[str, Any]:
    path = trial.signal or ""
    if not plant.has_signal(path):
        raise ConfigError(f"there is no signal {path!r} in the plant; GET /v1/plant lists every path")
    try:
        rule = trial_rule(plant.signal(path), trial.name, trial.changes)
    except Rejected as error:
        raise ConfigError(f"{error}; see twin alarms replay --help") from error
    number = (await store.plants.signal_ids()).get(path)
    if number is None:
        raise ConfigError(f"signal {path!r} is not in the store yet; start twin run once, or twin migrate")
    length_ns = span.end_ns - span.start_ns
    result = await replay_rule(store, plant.signal(path), number, rule, span, lambda done: progress(done / length_ns))
    return replay_document(result, rule)


async def _anomalies(settings: TwinSettings, plant: Plant, store: Store, trial: Trial, span: Window) -> dict[str, Any]:
    changes = {key: trial.changes.get(key) for key in ("on_delay_s", "off_delay_s")}
    policy = trial_policy(settings.alarms, trial.detectors, changes)
    return replay_document(await replay_anomalies(store, plant, policy, trial.signal, span), None)


def replay_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """The document for a person: totals, a plot over the window, the first episodes."""
    rule: Mapping[str, float | None] = document["rule"] or {}
    shown = ", ".join(f"{key} {value:g}" for key, value in rule.items() if value is not None)
    yield f"{document['source'] or 'findings'} {document['name']}{f'  ({shown})' if shown else ''}"
    yield f"{document['start'][:19]} to {document['end'][:19]} UTC, {document['read']:,} read"
    yield ""
    yield f"  raised  {document['raised']:>8,}   {document['raised_per_day']:.3g} a day"
    yield f"  active  {document['active_share']:>8.2%}   of the time"
    if document["raised"]:
        yield ""
        yield f"  {_plot(document)}"
        yield f"  {document['start'][:10]}{document['end'][:10]:>{_COLUMNS - 10}}"
        yield ""
        yield from _table(document)


def _plot(document: Mapping[str, Any]) -> str:
    """Alarms raised in each of equal parts of the window."""
    begin, end = _seconds(document["start"]), _seconds(document["end"])
    counts = [0] * _COLUMNS
    for episode in document["episodes"]:
        counts[min(_COLUMNS - 1, int((_seconds(episode["raised_at"]) - begin) / (end - begin) * _COLUMNS))] += 1
    most = max(counts)
    return "".join(_BARS[-(-count * (len(_BARS) - 1) // most)] for count in counts)


def _table(document: Mapping[str, Any]) -> Iterator[str]:
    yield f"  {'raised (UTC)':<20} {'active for':>12}  what"
    for episode in document["episodes"][:_LISTED]:
        cleared = episode["cleared_at"]
        seconds = None if cleared is None else _seconds(cleared) - _seconds(episode["raised_at"])
        lasted = "to the end" if seconds is None else _span(seconds)
        yield f"  {episode['raised_at'][:19].replace('T', ' '):<20} {lasted:>12}  {episode['message']}"
    more = document["raised"] - len(document["episodes"][:_LISTED])
    if more > 0:
        yield f"  … and {more:,} more"


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5_400 else f"{seconds / 3600:.1f} h"
