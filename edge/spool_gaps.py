"""Hop *keep*, the pure part: what was lost, told in few records.

In: the gaps of many dropped batches. Out: a bounded list of gaps that covers at least the same intervals and signals.
"""

from collections.abc import Iterable, Sequence

from edge.priority import Priority
from twin.wire.reading import Gap, GapCause, GapState

SLACK_NS = 1_000_000_000  # dropped batches nearer than this are one hole
MOST_GAPS = 10_000  # in one batch; beyond it each cause becomes one gap
MOST_HANDLES = 100_000  # named by all gaps of one batch together; the same beyond it
SPOOL_FULL = "the spool was full"
_DETAILS = {
    Priority.LOW: f"{SPOOL_FULL}: low priority",
    Priority.NORMAL: SPOOL_FULL,
    Priority.HIGH: f"{SPOOL_FULL}: high priority",
}
_DROPPED = [(GapCause.SPOOL_DROP, detail, GapState.LOST) for detail in _DETAILS.values()]


def dropped(handles: Iterable[int], first_ns: int, newest_ns: int, priority: Priority = Priority.NORMAL) -> Gap:
    """The hole that one dropped batch leaves, its newest reading included."""
    return Gap(tuple(sorted(set(handles))), first_ns, newest_ns + 1, GapCause.SPOOL_DROP, _DETAILS[priority])


def merge(gaps: Iterable[Gap], most: int = MOST_GAPS) -> list[Gap]:
    """The same holes in at most `most` records (or one per cause and state): neighbours from spool drops become one.

    Only of one class: a long hole of low priority must not make a hole of the signals that were kept.
    """
    unique = set(gaps)
    merged = [gap for gap in unique if gap[3:] not in _DROPPED]
    for kind in _DROPPED:
        merged += _coalesce([gap for gap in unique if gap[3:] == kind])
    merged.sort(key=_begin)
    named = sum(len(gap.handles) for gap in merged)
    return merged if len(merged) <= most and named <= MOST_HANDLES else _one_per_cause(merged)


def _coalesce(gaps: Sequence[Gap]) -> list[Gap]:
    runs: list[list[Gap]] = []
    until_ns = 0
    for gap in sorted(gaps, key=_begin):
        if runs and gap.from_ns <= until_ns + SLACK_NS:
            runs[-1].append(gap)
            until_ns = max(until_ns, gap.to_ns)
        else:
            runs.append([gap])
            until_ns = gap.to_ns
    return [_hull(run) for run in runs]


def _one_per_cause(gaps: Sequence[Gap]) -> list[Gap]:
    """That an interval was backfilled cannot be told of a wider one: it is left out, and counts as missing."""
    kinds = sorted({(gap.cause, gap.state) for gap in gaps if gap.state is not GapState.BACKFILLED})
    return [_hull([gap for gap in gaps if (gap.cause, gap.state) == kind]) for kind in kinds]


def _hull(gaps: Sequence[Gap]) -> Gap:
    first = gaps[0]
    if len(gaps) == 1:
        return first
    same_detail = all(gap.detail == first.detail for gap in gaps)
    return Gap(
        handles=tuple(sorted({handle for gap in gaps for handle in gap.handles})),
        from_ns=min(gap.from_ns for gap in gaps),
        to_ns=max(gap.to_ns for gap in gaps),
        cause=first.cause,
        detail=first.detail if same_detail else f"{len(gaps)} gaps told as one after the spool was full",
        state=first.state,
    )


def _begin(gap: Gap) -> int:
    return gap.from_ns
