"""One alarm: its condition comes and goes, time passes, operators act; each gives the next state and what has happened.

In: rule, state, and one event with its instant. Out: state and transitions. Pure: the same events give the same state,
and time passes in any steps: whatever became due is told with the instant at which it was due, not when it was seen.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from twin.state.alarm_model import (
    Action,
    ActionKind,
    AlarmRule,
    AlarmState,
    AlarmTransition,
    Phase,
    Shelf,
    Verdict,
    What,
)
from twin.state.alarm_phases import TRIGGERS, Trigger, after

MOST_SHELVED_S = 12 * 3600.0
_TOLD = {
    Trigger.RAISE: What.RAISED,
    Trigger.CLEAR: What.CLEARED,
    Trigger.RE_ALARM: What.RE_ALARMED,
    Trigger.ACKNOWLEDGE: What.ACKNOWLEDGED,
    Trigger.CONFIRM: What.CONFIRMED,
    Trigger.RESET: What.RESET,
}


@dataclass(frozen=True, slots=True)
class Sensed:
    """What a source says of a condition at one instant."""

    at_ns: int
    condition: bool
    value: float | None = None
    message: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(slots=True)
class Steps:
    """A state on its way, and the transitions on it."""

    rule: AlarmRule
    state: AlarmState
    told: list[AlarmTransition] = field(default_factory=list[AlarmTransition])

    def sense(self, sensed: Sensed) -> None:
        """The condition is, or is not, there; the same again changes nothing."""
        self.advance(sensed.at_ns)
        if sensed.condition == self.state.condition:
            return
        at_ns = max(sensed.at_ns, self.state.at_ns)
        self.state = replace(self.state, condition=sensed.condition, condition_ns=at_ns, due_ns=None)
        if sensed.condition:
            value = sensed.value if sensed.value is None or math.isfinite(sensed.value) else None
            self.state = replace(self.state, value=value, message=sensed.message, detail=sensed.detail)
        if sensed.condition != self.state.active:
            delay_s = self.rule.on_delay_s if sensed.condition else self.rule.off_delay_s
            self.state = replace(self.state, due_ns=at_ns + round(delay_s * 1e9))
            self.advance(at_ns)

    def advance(self, now_ns: int) -> None:
        """Everything that is due up to `now_ns`, in order."""
        while (next_ns := deadline_ns(self.rule, self.state)) is not None and next_ns <= now_ns:
            if next_ns == self.state.due_ns:
                self._flip(next_ns)
            elif self.state.shelf and self.state.shelf.until_ns == next_ns:
                self._unshelve(next_ns, "the time is over")
            else:
                self._move(Trigger.RE_ALARM, next_ns)

    def act(self, action: Action) -> None:
        """What an operator does; what cannot be done any more is kept as refused."""
        at_ns, why = max(action.at_ns, self.state.at_ns), refusal(self.rule, self.state, action)
        if why:
            self._tell(What.REFUSED, at_ns, action, message=why)
        elif action.kind in TRIGGERS:
            self._move(TRIGGERS[action.kind], at_ns, action)
        elif action.kind is ActionKind.SHELVE:
            self.state = replace(
                self.state, shelf=Shelf(action.detail.get("until_ns"), action.operator, action.comment)
            )
            self._tell(What.SHELVED, at_ns, action, detail=action.detail)
        elif action.kind is ActionKind.UNSHELVE:
            self._unshelve(at_ns, "", action)
        elif action.kind is ActionKind.COMMENT:
            self._tell(What.COMMENTED, at_ns, action)
        else:
            occurrence = int(action.detail.get("occurrence") or self.state.occurrence)
            detail = {"verdict": action.detail["verdict"], "occurrence": occurrence}
            self._tell(What.JUDGED, at_ns, action, detail=detail)

    def suppress(self, reasons: Iterable[str], at_ns: int) -> None:
        """From now on suppressed by exactly these reasons."""
        now, before = tuple(sorted(set(reasons))), self.state.suppressed
        if now == before:
            return
        self.state = replace(self.state, suppressed=now)
        if bool(now) != bool(before):
            at_ns = max(at_ns, self.state.at_ns)
            self._tell(What.SUPPRESSED if now else What.UNSUPPRESSED, at_ns, message=", ".join(now or before))

    def retire(self, at_ns: int) -> None:
        """Its rule is gone: over, whatever it was."""
        self.state = replace(self.state, phase=Phase.NORMAL, condition=False, due_ns=None, shelf=None, suppressed=())
        self._tell(What.RETIRED, max(at_ns, self.state.at_ns), message="the rule is no longer configured")

    def _flip(self, at_ns: int) -> None:
        state = self.state = replace(self.state, due_ns=None)
        if state.condition:
            self.state = replace(state, occurrence=state.occurrence + 1, raised_ns=at_ns, grouped=False)
            self._move(Trigger.RAISE, at_ns)
            return
        self.state = replace(state, cleared_ns=at_ns)
        self._move(Trigger.CLEAR, at_ns)
        if self.state.shelf and self.state.shelf.until_ns is None:
            self._unshelve(at_ns, "the alarm has cleared")

    def _move(self, trigger: Trigger, at_ns: int, action: Action | None = None) -> None:
        phase = after(self.state.phase, trigger, latch=self.rule.latch, confirm=self.rule.confirm)
        if phase is None:
            raise ValueError(f"{self.rule.key}: {trigger} is impossible in phase {self.state.phase}")
        acknowledged_ns = at_ns if trigger is Trigger.ACKNOWLEDGE else self.state.acknowledged_ns
        self.state = replace(self.state, phase=phase, acknowledged_ns=acknowledged_ns)
        self._tell(_TOLD[trigger], at_ns, action, detail=self.state.detail if trigger is Trigger.RAISE else {})

    def _unshelve(self, at_ns: int, why: str, action: Action | None = None) -> None:
        self.state = replace(self.state, shelf=None)
        self._tell(What.UNSHELVED, at_ns, action, message=why)

    def _tell(
        self,
        what: What,
        at_ns: int,
        action: Action | None = None,
        *,
        message: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        at_ns = max(at_ns, self.state.at_ns)
        state = self.state = replace(self.state, at_ns=at_ns, step=self.state.step + 1)
        self.told.append(
            AlarmTransition(
                alarm=state.id,
                step=state.step,
                at_ns=at_ns,
                what=what,
                phase=state.phase,
                occurrence=state.occurrence,
                priority=self.rule.priority,
                announced=state.announced,
                message=message or state.message,
                value=state.value,
                grouped=state.grouped,
                operator=action.operator if action else None,
                comment=action.comment if action else "",
                action=action.id if action else None,
                detail=detail or {},
            )
        )


def deadline_ns(rule: AlarmRule, state: AlarmState) -> int | None:
    """When time alone changes this alarm next."""
    due = [] if state.due_ns is None else [state.due_ns]
    if state.shelf and state.shelf.until_ns is not None:
        due.append(state.shelf.until_ns)
    if rule.re_alarm_s is not None and state.phase is Phase.ACKNOWLEDGED and state.acknowledged_ns is not None:
        due.append(state.acknowledged_ns + round(rule.re_alarm_s * 1e9))
    return min(due, default=None)


def refusal(rule: AlarmRule, state: AlarmState, action: Action) -> str:
    """Why this action cannot be done to an alarm in this state; empty when it can."""
    kind, phase = action.kind, state.phase
    if kind in TRIGGERS:
        possible = after(phase, TRIGGERS[kind], latch=rule.latch, confirm=rule.confirm)
        return "" if possible else f"an alarm that is {phase} cannot be {_TOLD[TRIGGERS[kind]]}"
    if kind is ActionKind.UNSHELVE and state.shelf is None:
        return "the alarm is not shelved"
    if kind is ActionKind.SHELVE:
        return _shelf_refusal(state, action)
    if kind is ActionKind.VERDICT:
        return _verdict_refusal(state, action)
    return "" if kind in {ActionKind.COMMENT, ActionKind.UNSHELVE} else f"{kind} is not done to a single alarm"


def _shelf_refusal(state: AlarmState, action: Action) -> str:
    if state.shelf is not None:
        return "the alarm is shelved already; unshelve it first"
    until_ns = action.detail.get("until_ns")
    if until_ns is None:
        return "" if state.active else "one-shot shelving lasts until the alarm clears; it is not active"
    if until_ns <= max(action.at_ns, state.at_ns):
        return "the end of the shelving has passed"
    if until_ns - action.at_ns > MOST_SHELVED_S * 1e9:
        return f"an alarm is shelved for at most {MOST_SHELVED_S / 3600:g} h; put it out of service for longer"
    return ""


def _verdict_refusal(state: AlarmState, action: Action) -> str:
    if action.detail.get("verdict") not in set(Verdict):
        return f"a verdict is one of {', '.join(Verdict)}"
    occurrence = action.detail.get("occurrence") or state.occurrence
    if not 1 <= occurrence <= state.occurrence:
        return f"there is no occurrence {occurrence}; it was raised {state.occurrence} times"
    return ""


def allowed(rule: AlarmRule, state: AlarmState) -> tuple[ActionKind, ...]:
    """What can be done to an alarm now, for the page's buttons."""
    kinds = [
        kind
        for kind, trigger in TRIGGERS.items()
        if after(state.phase, trigger, latch=rule.latch, confirm=rule.confirm)
    ]
    kinds.append(ActionKind.SHELVE if state.shelf is None else ActionKind.UNSHELVE)
    kinds.append(ActionKind.COMMENT)
    return (*kinds, ActionKind.VERDICT) if state.occurrence else tuple(kinds)
