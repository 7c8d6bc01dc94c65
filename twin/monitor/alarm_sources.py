"""Everything but limits that can raise an alarm: findings, silence, gateways, risks → what the book is told (pure).

In: findings as they open and end, the last times of all signals, health reports, probabilities. Out: transitions.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.kernels.layout import NEVER_NS
from twin.state.alarm_book import AlarmBook
from twin.state.alarm_document import finding_detail
from twin.state.alarm_model import AlarmKind, AlarmRule, AlarmTransition, RiskLevel
from twin.state.alarms import Sensed
from twin.state.freshness import clock_time
from twin.state.gateway import gateway_problems
from twin.state.model import Finding
from twin.state.twin import TwinState

_CERTIFICATE = "certificate"


class SourceWatch:
    """Tells a book what the sources of alarms say."""

    def __init__(self, book: AlarmBook, signal_ids: Mapping[str, int]) -> None:
        rules = [(signal_ids[path], rule) for path, rule in book.rules.stale.items() if path in signal_ids]
        self._book = book
        self._stale: list[AlarmRule] = [rule for _, rule in rules]
        self._ids: NDArray[np.int64] = np.array([number for number, _ in rules], np.int64)
        self._after_ns: NDArray[np.int64] = np.array([_after_ns(rule) for _, rule in rules], np.int64)
        self._started_ns: int = 0

    def start(self, now_ns: int) -> None:
        """Silence counts from here on: what was silent while nobody listened is no alarm yet."""
        self._started_ns = now_ns

    def finding(self, finding: Finding) -> list[AlarmTransition]:
        """A detector's episode opens or ends."""
        rule = self._book.rules.anomaly(finding.signal, finding.detector)
        if rule is None:
            return []
        if finding.until_ns is not None:
            return self._book.sense(rule, Sensed(finding.until_ns, False))
        sensed = Sensed(finding.since_ns, True, finding.score, finding.message, finding_detail(finding))
        return self._book.sense(rule, sensed)

    def reconcile(self, open_findings: Iterable[Finding], now_ns: int) -> list[AlarmTransition]:
        """Raise what is open and clear what is not, as after a change of the detectors; mostly nothing."""
        told: list[AlarmTransition] = []
        keys: set[str] = set()
        for finding in open_findings:
            rule = self._book.rules.anomaly(finding.signal, finding.detector)
            if rule is not None:
                keys.add(rule.key)
                told += self.finding(finding)
        for state in list(self._book.alarms.values()):
            if state.condition and state.key.startswith(f"{AlarmKind.ANOMALY}|") and state.key not in keys:
                rule = self._book.rules.rule(state.key)
                told += self._book.sense(rule, Sensed(now_ns, False)) if rule else []
        return told

    def silence(self, state: TwinState, now_ns: int) -> list[AlarmTransition]:
        """Signals that are silent for longer than the plant model allows, and those that speak again."""
        if not len(self._ids):
            return []
        exact = state.blocks.exact
        last_ns: NDArray[np.int64] = exact["time"][self._ids]
        never = last_ns == NEVER_NS
        since_ns = np.where(never, now_ns, np.maximum(last_ns, self._started_ns))
        silent = now_ns - since_ns > self._after_ns
        told: list[AlarmTransition] = []
        for at in np.flatnonzero(silent | self._conditions()).tolist():
            rule, node = self._stale[at], int(exact["node"][self._ids[at]])
            if 0 <= node < len(state.nodes):
                self._book.rules.behind[rule.source] = state.nodes[node]
            if silent[at]:
                at_ns = int(since_ns[at] + self._after_ns[at])
                message = f"{rule.title} is silent since {clock_time(int(last_ns[at]))}"
                told += self._book.sense(rule, Sensed(at_ns, True, None, message))
            else:
                told += self._book.sense(rule, Sensed(now_ns, False))
        return told

    def gateway(self, node: str, health: Mapping[str, Any], now_ns: int) -> list[AlarmTransition]:
        """What a gateway says of itself; an offline one says nothing of its certificates and sources."""
        problems = gateway_problems(node, health)
        if health.get("status") != "online":
            return self._gateway(node, "offline", problems, now_ns)
        certificates = [problem for problem in problems if _CERTIFICATE in problem.lower()]
        others = [problem for problem in problems if problem not in certificates]
        told = self._gateway(node, "offline", [], now_ns)
        told += self._gateway(node, _CERTIFICATE, certificates, now_ns)
        return told + self._gateway(node, "problem", others, now_ns)

    def risk(self, level: RiskLevel) -> list[AlarmTransition]:
        """A probability of a fault above its threshold, or safely below."""
        rules = self._book.rules
        rule, policy = rules.risk(level.asset, level.horizon), rules.policy.risk
        threshold = policy.threshold_of(level.horizon)
        if rule is None or threshold is None:
            return []
        counts = level.calibrated or not policy.calibrated_only
        if counts and level.p >= threshold:
            message = f"{rule.title} is {level.p:.0%}{'' if level.calibrated else ' (a prior, not calibrated)'}"
            return self._book.sense(rule, Sensed(level.at_ns, True, level.p, message, dict(level.detail)))
        if not counts or level.p < threshold - policy.deadband:
            return self._book.sense(rule, Sensed(level.at_ns, False))
        return []

    def _conditions(self) -> NDArray[np.bool_]:
        """Of each stale alarm, whether it counts as silent now."""
        alarms = self._book.alarms
        return np.array([rule.id in alarms and alarms[rule.id].condition for rule in self._stale], np.bool_)

    def _gateway(self, node: str, name: str, problems: list[str], now_ns: int) -> list[AlarmTransition]:
        rule = self._book.rules.gateway(node, name)
        if rule is None:
            return []
        message = "".join(sign for sign in "; ".join(problems) if sign.isprintable())
        return self._book.sense(rule, Sensed(now_ns, bool(problems), None, message))


def _after_ns(rule: AlarmRule) -> int:
    return round((rule.spec.after_s or 0.0) * 1e9) if rule.spec else 0
