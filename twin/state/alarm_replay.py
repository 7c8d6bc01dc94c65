"""Replay before arming: how often would this rule have fired over stored samples or findings? Pure, bounded memory.

In: a rule, its signal's samples in pieces, oldest first. Out: episodes and totals. It is the code of the live alarms,
without operators: on the same samples in the same order the same alarms are raised at the same instants.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from twin.plant.alarm import STALE
from twin.plant.tree import Plant
from twin.state.alarm_book import AlarmBook
from twin.state.alarm_document import finding_detail
from twin.state.alarm_limits import Samples, judge_limit
from twin.state.alarm_model import AlarmKind, AlarmRule, AlarmState, AlarmTransition, What
from twin.state.alarm_policy import AlarmPolicy
from twin.state.alarm_rules import Rules
from twin.state.alarms import Sensed, Steps
from twin.state.model import Finding

MOST_EPISODES = 1_000


@dataclass(slots=True)
class Episode:
    """Once from raised to cleared; None: it would still be active."""

    raised_ns: int
    cleared_ns: int | None
    source: str
    name: str
    message: str
    value: float | None


@dataclass(slots=True)
class Replayed:
    """What would have been."""

    start_ns: int
    end_ns: int
    samples: int = 0
    raised: int = 0
    active_ns: int = 0
    episodes: list[Episode] = field(default_factory=list[Episode])  # the first `MOST_EPISODES`
    per_day: dict[int, int] = field(default_factory=dict[int, int])  # day since 1970 (UTC) → raised
    _open: dict[str, Episode] = field(default_factory=dict[str, Episode])

    @property
    def raised_per_day(self) -> float:
        """Alarms per 24 h of the window."""
        return self.raised / ((self.end_ns - self.start_ns) / 86_400e9)

    def take(self, rule: AlarmRule, told: Iterable[AlarmTransition]) -> None:
        """Count what was raised and cleared."""
        for one in told:
            if one.what is What.RAISED:
                self.raised += 1
                day = one.at_ns // (86_400 * 10**9)
                self.per_day[day] = self.per_day.get(day, 0) + 1
                episode = Episode(one.at_ns, None, rule.source, rule.name, one.message, one.value)
                self._open[rule.key] = episode
                if len(self.episodes) < MOST_EPISODES:
                    self.episodes.append(episode)
            elif one.what is What.CLEARED and (begun := self._open.pop(rule.key, None)):
                begun.cleared_ns = one.at_ns
                self.active_ns += one.at_ns - begun.raised_ns

    def finish(self) -> "Replayed":
        """At the end of the window: what is open was active up to here."""
        self.active_ns += sum(self.end_ns - one.raised_ns for one in self._open.values())
        self._open.clear()
        return self


class RuleReplay:
    """A limit or stale alarm over the samples of its signal."""

    def __init__(self, rule: AlarmRule, start_ns: int, end_ns: int) -> None:
        self.result: Replayed = Replayed(start_ns, end_ns)
        self._steps = Steps(rule, AlarmState(rule.id, rule.key))
        self._last_ns: int | None = None

    def take(self, samples: Samples) -> None:
        """The next piece."""
        steps = self._steps
        if not len(samples.time):
            return
        if steps.rule.name == STALE:
            self._silences(samples)
        else:
            judge_limit(steps, samples)
        self.result.samples += len(samples.time)
        self.result.take(steps.rule, steps.told)
        steps.told.clear()

    def finish(self) -> Replayed:
        """The whole window has been read."""
        if self._steps.rule.name == STALE and self._last_ns is not None:
            self._silence(self._last_ns, None)
        self._steps.advance(self.result.end_ns)
        told = [one for one in self._steps.told if one.at_ns < self.result.end_ns]
        self.result.take(self._steps.rule, told)
        return self.result.finish()

    def _silences(self, samples: Samples) -> None:
        times = samples.time if self._last_ns is None else np.concatenate(([self._last_ns], samples.time))
        for at in np.flatnonzero(np.diff(times) > self._after_ns).tolist():
            self._silence(int(times[at]), int(times[at + 1]))
        self._last_ns = int(samples.time[-1])

    def _silence(self, last_ns: int, next_ns: int | None) -> None:
        if (next_ns or self.result.end_ns) - last_ns > self._after_ns:
            self._steps.sense(Sensed(last_ns + self._after_ns, True, None, f"{self._steps.rule.title} was silent"))
            if next_ns is not None:
                self._steps.sense(Sensed(next_ns, False))

    @property
    def _after_ns(self) -> int:
        spec = self._steps.rule.spec
        return round((spec.after_s or 0.0) * 1e9) if spec else 0


def replay_findings(
    plant: Plant, policy: AlarmPolicy, findings: Iterable[Finding], start_ns: int, end_ns: int
) -> Replayed:
    """The alarms that this policy makes of stored episodes, oldest first."""
    book, result = AlarmBook(Rules(plant, policy)), Replayed(start_ns, end_ns)
    told: list[AlarmTransition] = []
    for at_ns, finding, condition in sorted(_edges(findings, end_ns), key=lambda one: (one[0], str(one[1].id), one[2])):
        rule = book.rules.anomaly(finding.signal, finding.detector)
        told += book.advance(at_ns)
        if rule is not None:
            sensed = Sensed(at_ns, condition, finding.score, finding.message, finding_detail(finding))
            told += book.sense(rule, sensed)
        result.samples += condition
    told += book.advance(end_ns)
    for one in told:
        rule = book.rules.known(book.alarms[one.alarm].key)
        if rule.kind is not AlarmKind.FLOOD and start_ns <= one.at_ns < end_ns:
            result.take(rule, [one])
    return result.finish()


def _edges(findings: Iterable[Finding], end_ns: int) -> Iterator[tuple[int, Finding, bool]]:
    for finding in findings:
        yield finding.since_ns, finding, True
        if finding.until_ns is not None and finding.until_ns < end_ns:
            yield finding.until_ns, finding, False
