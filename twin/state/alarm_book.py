"""All alarms of one plant: parents suppress children, windows suppress what is below them, floods are grouped.

In: what sources say of one alarm, the passing of time, operators' actions in the order of their ids. Out: transitions.
Pure, no clock; whatever is due is done in the order in which it became due. What changed since the last look stands in
`AlarmBook.changed`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from uuid import UUID

from twin.plant.alarm import Priority
from twin.state.alarm_flood import Flood
from twin.state.alarm_limits import Samples, judge_limit
from twin.state.alarm_model import (
    Action,
    ActionKind,
    AlarmKind,
    AlarmRule,
    AlarmState,
    AlarmTransition,
    Phase,
    What,
    alarm_id,
)
from twin.state.alarm_rules import Rules, orphan
from twin.state.alarms import Sensed, Steps, deadline_ns

WINDOWS = frozenset({ActionKind.MAINTENANCE, ActionKind.OUT_OF_SERVICE})


@dataclass(frozen=True, slots=True)
class Window:
    """From `start_ns` to `end_ns` (None: until somebody ends it) alarms at and below a path are suppressed."""

    id: str
    kind: ActionKind  # maintenance or out-of-service
    under: str
    start_ns: int
    end_ns: int | None
    began: bool = False

    @property
    def reason(self) -> str:
        """How a suppressed alarm names it."""
        return f"{self.kind}:{self.id}"

    def covers(self, rule: AlarmRule) -> bool:
        """Whether the alarm's source is the path or below it."""
        return rule.source == self.under or rule.source.startswith(self.under + "/")


@dataclass(slots=True)
class AlarmBook:
    """What is remembered of every alarm that ever had a condition."""

    rules: Rules
    alarms: dict[UUID, AlarmState] = field(default_factory=dict[UUID, AlarmState])
    floods: dict[str, Flood] = field(default_factory=dict[str, Flood])  # by scope
    windows: dict[str, Window] = field(default_factory=dict[str, Window])
    action: int = 0  # id of the last one that took effect
    changed: set[UUID] = field(default_factory=set[UUID])

    def sense(self, rule: AlarmRule, sensed: Sensed) -> list[AlarmTransition]:
        """A source says whether a condition is there."""
        if rule.id not in self.alarms and not sensed.condition:
            return []
        return self._step(rule, lambda steps: steps.sense(sensed))

    def judge(self, rule: AlarmRule, samples: Samples) -> list[AlarmTransition]:
        """Samples of a signal against one of its limits."""
        return self._step(rule, lambda steps: judge_limit(steps, samples))

    def advance(self, now_ns: int) -> list[AlarmTransition]:
        """Everything that time alone brings about up to `now_ns`."""
        told: list[AlarmTransition] = []
        while (found := self._next(now_ns)) is not None:
            at_ns, what = found
            if isinstance(what, Window):
                told += self._turn(what, at_ns)
            elif isinstance(what, str):
                told += self._flood_over(what, at_ns)
            else:
                told += self._step(what, lambda steps, at_ns=at_ns: steps.advance(at_ns))
        return told

    def act(self, action: Action) -> list[AlarmTransition]:
        """An operator's action; one that has taken effect is not done again."""
        if action.id <= self.action:
            return []
        self.action = action.id
        if action.kind in WINDOWS:
            return self._open(action)
        if action.kind is ActionKind.END:
            return self._end(action)
        if action.kind is ActionKind.NEW_NORMAL:
            return []  # the detectors' business
        state = self._alarm(action.target)
        rule = state and self.rules.rule(state.key)
        return self._step(rule, lambda steps: steps.act(action)) if rule else []

    def retire(self, now_ns: int) -> list[AlarmTransition]:
        """End the alarms whose rules are gone; to be called once after a start."""
        told: list[AlarmTransition] = []
        for state in list(self.alarms.values()):
            if self.rules.rule(state.key) is None:
                told += self._retired(state, now_ns)
        return told

    def take_changed(self) -> list[AlarmState]:
        """The alarms that changed since the last call, by key."""
        found = [self.alarms[one] for one in self.changed if one in self.alarms]
        self.changed.clear()
        return sorted(found, key=lambda state: state.key)

    def _step(self, rule: AlarmRule, do: Callable[[Steps], None]) -> list[AlarmTransition]:
        before = self.alarms.get(rule.id)
        steps = Steps(rule, before or AlarmState(rule.id, rule.key))
        do(steps)
        if steps.state == (before or AlarmState(rule.id, rule.key)):
            return []
        if before is None:  # the first condition of this alarm: it may be suppressed from the start
            steps = Steps(rule, replace(AlarmState(rule.id, rule.key), suppressed=self._reasons(rule)))
            do(steps)
        was_active = before is not None and before.active
        self._keep(steps.state)
        told, more = self._in_floods(rule, steps.told), list[AlarmTransition]()
        if steps.state.active != was_active:
            more += self._children(rule, steps.state.at_ns)
        return told + more

    def _keep(self, state: AlarmState) -> None:
        self.alarms[state.id] = state
        self.changed.add(state.id)

    def _reasons(self, rule: AlarmRule) -> tuple[str, ...]:
        windows = [one.reason for one in self.windows.values() if one.began and one.covers(rule)]
        parents = [key for key in rule.parents if (state := self.alarms.get(alarm_id(key))) and state.active]
        return tuple(sorted([*windows, *(f"parent:{key}" for key in parents)]))

    def _children(self, parent: AlarmRule, at_ns: int) -> list[AlarmTransition]:
        return self._suppress(lambda rule: parent.key in rule.parents, at_ns)

    def _suppress(self, concerned: Callable[[AlarmRule], bool], at_ns: int) -> list[AlarmTransition]:
        told: list[AlarmTransition] = []
        for state in list(self.alarms.values()):
            rule = self.rules.rule(state.key)
            if rule is not None and concerned(rule):
                steps = Steps(rule, state)
                steps.suppress(self._reasons(rule), at_ns)
                if steps.state != state:
                    self._keep(steps.state)
                    told += steps.told
        return told

    def _in_floods(self, rule: AlarmRule, told: list[AlarmTransition]) -> list[AlarmTransition]:
        """Count what was raised; in a flood it is grouped, unless it is critical."""
        if rule.kind is AlarmKind.FLOOD:
            return told
        found: list[AlarmTransition] = []
        for one in told:
            found.append(one)
            if one.what is not What.RAISED or not one.announced:
                continue
            flood = self.floods.setdefault(rule.scope, Flood())
            over_ns = flood.over_ns(self.rules.policy.floods)
            if over_ns is not None and over_ns <= one.at_ns:
                found[-1:-1] = self._flood_over(rule.scope, over_ns)
            begun = flood.note(one.at_ns, self.rules.policy.floods)
            if flood.active and rule.priority is not Priority.CRITICAL:
                found[-1] = replace(one, grouped=True)
                self._keep(replace(self.alarms[rule.id], grouped=True))
            if begun:
                found += self._flood_begun(rule.scope, one.at_ns, len(flood.raised_ns))
        return found

    def _flood_begun(self, scope: str, at_ns: int, count: int) -> list[AlarmTransition]:
        rule = self.rules.flood(scope)
        minutes = self.rules.policy.floods.window_s / 60
        message = f"{count} alarms within {minutes:g} min in {scope}: they are grouped"
        return self.sense(rule, Sensed(at_ns, True, float(count), message)) if rule else []

    def _flood_over(self, scope: str, at_ns: int) -> list[AlarmTransition]:
        self.floods[scope].end(at_ns, self.rules.policy.floods)
        rule = self.rules.flood(scope)
        return self.sense(rule, Sensed(at_ns, False)) if rule else []

    def _open(self, action: Action) -> list[AlarmTransition]:
        start_ns = int(action.detail.get("start_ns") or action.at_ns)
        window = Window(str(action.id), action.kind, action.target, start_ns, action.detail.get("end_ns"))
        self.windows[window.id] = window
        return self._turn(window, action.at_ns) if start_ns <= action.at_ns else []

    def _end(self, action: Action) -> list[AlarmTransition]:
        window = self.windows.get(action.target)
        if window is None:
            return []
        if not window.began:
            del self.windows[window.id]
            return []
        return self._turn(window, action.at_ns)

    def _turn(self, window: Window, at_ns: int) -> list[AlarmTransition]:
        """A window begins, or ends."""
        if window.began:
            del self.windows[window.id]
        else:
            self.windows[window.id] = replace(window, began=True)
        return self._suppress(window.covers, at_ns)

    def _retired(self, state: AlarmState, now_ns: int) -> list[AlarmTransition]:
        if not (state.condition or state.shelf or state.phase is not Phase.NORMAL):
            return []
        steps = Steps(orphan(state.key), state)
        steps.retire(now_ns)
        self._keep(steps.state)
        return steps.told

    def _alarm(self, target: str) -> AlarmState | None:
        try:
            return self.alarms.get(UUID(target))
        except ValueError:
            return None

    def _next(self, now_ns: int) -> "tuple[int, AlarmRule | Window | str] | None":
        """The earliest thing that is due, with its instant; of equal ones the first by name."""
        due: list[tuple[int, str, AlarmRule | Window | str]] = []
        for window in self.windows.values():
            at_ns = window.end_ns if window.began else window.start_ns
            if at_ns is not None and at_ns <= now_ns:
                due.append((at_ns, f"0{window.id}", window))
        for scope, flood in self.floods.items():
            at_ns = flood.over_ns(self.rules.policy.floods)
            if at_ns is not None and at_ns <= now_ns:
                due.append((at_ns, f"1{scope}", scope))
        for state in self.alarms.values():
            if state.due_ns is None and state.shelf is None and state.acknowledged_ns is None:
                continue
            rule = self.rules.rule(state.key)
            at_ns = deadline_ns(rule, state) if rule else None
            if rule is not None and at_ns is not None and at_ns <= now_ns:
                due.append((at_ns, f"2{state.key}", rule))
        first = min(due, key=lambda one: one[:2], default=None)
        return first and (first[0], first[2])
