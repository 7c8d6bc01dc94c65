"""Reports on alarms (ISA-18.2 section 16, EEMUA 191): rate, floods, standing, chattering, bad actors, precision. Pure.

In: transitions of a window with their rules. Out: figures. What was suppressed or shelved when it was raised troubled
nobody and is not counted.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any
from uuid import UUID

from twin.plant.alarm import Priority
from twin.state.alarm_model import AlarmKind, AlarmRule, AlarmState, AlarmTransition, Verdict, What
from twin.state.document import rfc3339

_S = 1_000_000_000
_TEN_MINUTES_NS = 600 * _S
FLOOD_RAISED = 10  # more than so many in ten minutes
CHATTERING = 3  # raised so often within a minute
STANDING_NS = 24 * 3600 * _S
MOST_LISTED = 20
TARGET_PER_OPERATOR_H = 6.0  # about one in ten minutes: "very likely to be acceptable"

Told = tuple[AlarmRule, AlarmTransition]
Standing = tuple[AlarmRule, AlarmState]


@dataclass(frozen=True, slots=True)
class Precision:
    """How often a detector was right, as operators judged it; the interval is Wilson's at 95 %."""

    detector: str
    real: int
    false: int
    known: int
    precision: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Judged:
    """An operator's last word on one occurrence."""

    rule: AlarmRule
    occurrence: int
    at_ns: int
    verdict: Verdict
    finding: str | None  # id of the finding that raised it


def report(
    told: Sequence[Told], active: Iterable[Standing], start_ns: int, end_ns: int, operators: int = 1
) -> dict[str, Any]:
    """Every figure of the window [start, end), for so many operators on duty; `active`: the alarms that are so now."""
    raised = [(rule, one) for rule, one in told if one.what is What.RAISED and one.announced]
    alarms = [(rule, one) for rule, one in raised if rule.kind is not AlarmKind.FLOOD]
    buckets = _buckets(alarms, start_ns, end_ns)
    count, hours = len(alarms), (end_ns - start_ns) / 3600e9
    return {
        "raised": count,
        "per_operator_h": round(count / hours / operators, 3),
        "target_per_operator_h": TARGET_PER_OPERATOR_H,
        "most_in_ten_minutes": max(buckets, default=0),
        "flood_share": round(sum(number > FLOOD_RAISED for number in buckets) / max(len(buckets), 1), 4),
        "priorities": {priority.value: sum(r.priority is priority for r, _ in alarms) for priority in Priority},
        "acknowledged_after_s": _acknowledged_after_s(told),
        "bad_actors": _bad_actors(alarms),
        "chattering": _chattering(alarms),
        "standing": _standing(active, end_ns),
    }


def judged(told: Iterable[Told]) -> list[Judged]:
    """Every verdict of these transitions, the last one of each occurrence."""
    findings: dict[tuple[UUID, int], str | None] = {}
    last: dict[tuple[UUID, int], Judged] = {}
    for rule, one in told:
        if one.what is What.RAISED:
            findings[one.alarm, one.occurrence] = one.detail.get("finding")
        elif one.what is What.JUDGED:
            place = one.alarm, int(one.detail["occurrence"])
            last[place] = Judged(rule, place[1], one.at_ns, Verdict(one.detail["verdict"]), findings.get(place))
    return list(last.values())


def precision(verdicts: Iterable[Judged]) -> list[Precision]:
    """Per detector, the least precise first. What is known was real."""
    counts: dict[str, Counter[Verdict]] = defaultdict(Counter)
    for one in verdicts:
        counts[detector_of(one.rule)][one.verdict] += 1
    found: list[Precision] = []
    for detector, count in counts.items():
        right, total = count[Verdict.REAL] + count[Verdict.KNOWN], count.total()
        low, high = wilson(right, total)
        numbers = (count[Verdict.REAL], count[Verdict.FALSE], count[Verdict.KNOWN])
        found.append(Precision(detector, *numbers, right / total, low, high))
    return sorted(found, key=lambda one: (one.precision, one.detector))


def detector_of(rule: AlarmRule) -> str:
    """What raised it: a detector's name, or the kind and name of the rule."""
    return rule.name if rule.kind is AlarmKind.ANOMALY else f"{rule.kind}:{rule.name}"


def wilson(right: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """The score interval of a proportion (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    if total == 0:
        return 0.0, 1.0
    share, shrink = right / total, 1 + z * z / total
    centre = (share + z * z / (2 * total)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return max(0.0, centre - half), min(1.0, centre + half)


def _buckets(alarms: Sequence[Told], start_ns: int, end_ns: int) -> list[int]:
    counts = [0] * math.ceil((end_ns - start_ns) / _TEN_MINUTES_NS)
    for _, one in alarms:
        counts[(one.at_ns - start_ns) // _TEN_MINUTES_NS] += 1
    return counts


def _bad_actors(alarms: Sequence[Told]) -> list[dict[str, Any]]:
    counts = Counter(rule.key for rule, _ in alarms)
    rules = {rule.key: rule for rule, _ in alarms}
    return [
        {**_named(rules[key]), "raised": count, "share": round(count / len(alarms), 4)}
        for key, count in counts.most_common(MOST_LISTED)
    ]


def _chattering(alarms: Sequence[Told]) -> list[dict[str, Any]]:
    times: dict[str, list[int]] = defaultdict(list)
    rules: dict[str, AlarmRule] = {}
    for rule, one in alarms:
        times[rule.key].append(one.at_ns)
        rules[rule.key] = rule
    found: list[dict[str, Any]] = []
    for key, at in times.items():
        spells = sum(later - first <= 60 * _S for first, later in zip(at, at[CHATTERING - 1 :], strict=False))
        if spells:
            found.append({**_named(rules[key]), "raised": len(at), "spells": spells})
    return sorted(found, key=lambda one: -one["spells"])[:MOST_LISTED]


def _standing(active: Iterable[Standing], end_ns: int) -> list[dict[str, Any]]:
    """Active for more than a day, the oldest first."""
    old = [
        (at_ns, rule)
        for rule, state in active
        if state.active and (at_ns := state.raised_ns or end_ns) < end_ns - STANDING_NS
    ]
    old.sort(key=lambda one: (one[0], one[1].key))
    return [{**_named(rule), "since": rfc3339(at_ns)} for at_ns, rule in old[:MOST_LISTED]]


def _acknowledged_after_s(told: Sequence[Told]) -> dict[str, float | int | None]:
    raised: dict[UUID, int] = {}
    waits: list[float] = []
    for _, one in told:
        if one.what is What.RAISED and one.announced:
            raised[one.alarm] = one.at_ns
        elif one.what is What.ACKNOWLEDGED and one.alarm in raised:
            waits.append((one.at_ns - raised.pop(one.alarm)) / _S)
    return {"count": len(waits), "median": round(median(waits), 1) if waits else None}


def _named(rule: AlarmRule) -> dict[str, Any]:
    return {"id": str(rule.id), "source": rule.source, "name": rule.name, "title": rule.title}
