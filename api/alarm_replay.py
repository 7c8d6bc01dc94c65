"""Replay over the store: samples or findings of a window in pieces → what a rule would have raised.

In: a rule or a policy, a window. Out: `Replayed` and its document. Nothing is held in the database between the pieces.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from api.series import Reader
from api.window import Window, rfc3339
from twin.plant.tree import Plant, Signal
from twin.state.alarm_limits import Samples
from twin.state.alarm_model import AlarmRule
from twin.state.alarm_policy import AlarmPolicy
from twin.state.alarm_replay import MOST_EPISODES, Replayed, RuleReplay, replay_findings
from twin.state.model import Finding
from twin.store.connect import Store

ROWS = 100_000  # of one piece
_FINDINGS = 5_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Progress = Callable[[int], None]


async def replay_rule(
    store: Store, signal: Signal, signal_id: int, rule: AlarmRule, window: Window, progress: Progress = lambda _: None
) -> Replayed:
    """A limit or stale alarm over the stored samples; `progress` hears how far (ns) the window has been read."""
    replay = RuleReplay(rule, window.start_ns, window.end_ns)
    async for chunk in Reader(store, signal, signal_id).chunks(window, ROWS):
        if chunk.number is not None:
            replay.take(Samples(chunk.time, chunk.number, chunk.quality))
        if len(chunk):
            progress(int(chunk.time[-1]) - window.start_ns)
    progress(window.end_ns - window.start_ns)
    return replay.finish()


async def replay_anomalies(
    store: Store, plant: Plant, policy: AlarmPolicy, under: str | None, window: Window
) -> Replayed:
    """A policy over the stored findings at and below a path."""
    found: dict[str, Finding] = {}
    start_ns = window.start_ns
    while True:
        page = await store.findings.between(start_ns, window.end_ns, limit=_FINDINGS)
        for finding in page:
            found[str(finding.id)] = finding
        newest_ns = max((finding.since_ns for finding in page), default=start_ns)
        if len(page) < _FINDINGS or newest_ns <= start_ns:
            break
        start_ns = newest_ns
    chosen = [one for one in found.values() if under is None or f"{one.signal}/".startswith(f"{under}/")]
    begun = [replace(one, since_ns=max(one.since_ns, window.start_ns)) for one in chosen]
    return replay_findings(plant, policy, begun, window.start_ns, window.end_ns)


def replay_document(result: Replayed, rule: AlarmRule | None) -> dict[str, Any]:
    """The answer as clients read it."""
    spec = rule.spec if rule else None
    return {
        "source": rule.source if rule else None,
        "name": rule.name if rule else "anomalies",
        "rule": None
        if spec is None
        else {
            "limit": spec.limit,
            "deadband": spec.deadband,
            "after_s": spec.after_s,
            "on_delay_s": spec.on_delay_s,
            "off_delay_s": spec.off_delay_s,
        },
        "start": rfc3339(result.start_ns),
        "end": rfc3339(result.end_ns),
        "read": result.samples,
        "raised": result.raised,
        "raised_per_day": round(result.raised_per_day, 3),
        "active_share": round(result.active_ns / (result.end_ns - result.start_ns), 6),
        "per_day": [
            {"day": (_EPOCH + timedelta(days=day)).date().isoformat(), "raised": raised}
            for day, raised in sorted(result.per_day.items())
        ],
        "episodes": [
            {
                "raised_at": rfc3339(one.raised_ns),
                "cleared_at": None if one.cleared_ns is None else rfc3339(one.cleared_ns),
                "source": one.source,
                "name": one.name,
                "message": one.message,
                "value": one.value,
            }
            for one in result.episodes
        ],
        "more_episodes": max(0, result.raised - MOST_EPISODES),
    }
