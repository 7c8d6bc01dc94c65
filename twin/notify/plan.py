"""Whom to tell of which alarm now, and in which words. Pure: the present and the shift are parameters.

In: unacknowledged alarms with what was told of them, routes, the instant. Out: notices, each once per occurrence,
target and reason. Quiet are: shelved, suppressed, acknowledged and grouped alarms (their flood is told instead).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from twin.notify.settings import NotifySettings, Route
from twin.state.alarm_model import AlarmRule, AlarmState
from twin.state.freshness import clock_time

OLDEST_NS = 3600 * 10**9  # what is due for longer than an hour is no news: after a long absence nobody is flooded


class Reason(StrEnum):
    """Why somebody is told."""

    NEW = "new"
    ESCALATED = "escalated"


@dataclass(frozen=True, slots=True)
class Waiting:
    """An announced, unacknowledged, active alarm, and what was told of this occurrence."""

    rule: AlarmRule
    state: AlarmState
    transition: int  # id of the one by which it was raised, or alarmed again
    since_ns: int
    told: frozenset[tuple[str, str]] = frozenset()  # (target, reason)


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to one target."""

    target: str
    reason: Reason
    waiting: Waiting
    due_ns: int


ShiftAt = Callable[[str, int], str | None]
"""The name of the running shift at a place and an instant; None between shifts."""


def due(waiting: Iterable[Waiting], settings: NotifySettings, now_ns: int, shift_at: ShiftAt) -> list[Notice]:
    """What is to be told now, the longest due first."""
    found: dict[tuple[int, str, str], Notice] = {}
    for alarm in waiting:
        for route in settings.routes:
            for notice in _of_route(alarm, route, now_ns, shift_at):
                found.setdefault((alarm.transition, notice.target, notice.reason), notice)
    return sorted(found.values(), key=lambda notice: (notice.due_ns, notice.waiting.rule.key, notice.target))


def next_due_ns(waiting: Iterable[Waiting], settings: NotifySettings, now_ns: int) -> int | None:
    """When the next escalation may be due; None when none is waiting."""
    times = [
        at_ns
        for alarm in waiting
        for route in settings.routes
        if _fits(alarm, route) and (at_ns := _due_ns(alarm, route)) > now_ns
    ]
    return min(times, default=None)


def _of_route(alarm: Waiting, route: Route, now_ns: int, shift_at: ShiftAt) -> Iterator[Notice]:
    due_ns = _due_ns(alarm, route)
    if not _fits(alarm, route) or not due_ns <= now_ns < due_ns + OLDEST_NS:
        return
    if route.shifts and shift_at(alarm.rule.scope, now_ns) not in route.shifts:
        return
    reason = Reason.ESCALATED if route.after_min else Reason.NEW
    for target in route.to:
        if (target, reason.value) not in alarm.told:
            yield Notice(target, reason, alarm, due_ns)


def _fits(alarm: Waiting, route: Route) -> bool:
    rule = alarm.rule
    here = not route.under or any(f"{rule.source}/".startswith(f"{path}/") for path in route.under)
    return here and rule.priority.rank >= route.priority.rank and not alarm.state.grouped


def _due_ns(alarm: Waiting, route: Route) -> int:
    return alarm.since_ns + round(route.after_min * 60e9)


def title_of(notice: Notice) -> str:
    """The subject: priority, place, and that nobody has reacted."""
    rule, state = notice.waiting.rule, notice.waiting.state
    escalated = "UNACKNOWLEDGED " if notice.reason is Reason.ESCALATED else ""
    return f"{escalated}{rule.priority.upper()} {rule.asset}: {state.message or rule.title}"[:200]


def body_of(notice: Notice, page: str | None, now_ns: int) -> str:
    """What, where, since when and why, one thing per line."""
    rule, state = notice.waiting.rule, notice.waiting.state
    lines = [state.message or rule.title, f"where: {rule.source} ({rule.kind} {rule.name})"]
    lines.append(f"since: {clock_time(notice.waiting.since_ns)}, occurrence {state.occurrence}")
    lines += [f"why: {line}" for line in _why(state.detail)]
    if notice.reason is Reason.ESCALATED:
        minutes = (now_ns - notice.waiting.since_ns) / 60e9
        lines.append(f"nobody has acknowledged it for {minutes:.0f} min")
    if page:
        lines.append(f"{page.rstrip('/')}/#/alarms")
    return "\n".join(lines)


def _why(detail: Mapping[str, Any]) -> Iterator[str]:
    if (p := detail.get("p")) is not None:
        yield f"p = {p:.2g}"
    if (expected := detail.get("expected_per_day")) is not None:
        yield f"about {expected:.2g} such alarms a day are expected without a fault"
    contributions: list[Mapping[str, Any]] = detail.get("contributions") or []
    for one in contributions[:3]:
        side = {1: "above", -1: "below"}.get(one["sign"], "off")
        yield f"{one['signal'].rpartition('/')[2]} {one['share']:.0%}, {side} its usual value"
