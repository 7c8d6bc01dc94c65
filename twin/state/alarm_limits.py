"""Samples of one signal against one limit: the same function for live batches and for a replay of stored history.

In: columns of one signal, oldest first, and the alarm's state. Out: state and transitions. Any split of the columns
gives the same. Bad quality and NaN say nothing: the condition stays as it was.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.plant.alarm import AlarmSpec
from twin.state.alarm_model import AlarmRule
from twin.state.alarms import Sensed, Steps

_SEVERITY, _BAD = 3, 2  # of twin.wire.reading.Quality


class Samples(NamedTuple):
    """Columns of equal length of one signal, strictly later from row to row."""

    time: NDArray[np.int64]  # ns UTC
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]


def judge_limit(steps: Steps, samples: Samples) -> None:
    """Bring the alarm forward by these samples.

    The condition is true from a value beyond the limit to one that is inside it by the deadband; its delays count in
    source time, and the newest sample says how far that has come.
    """
    spec = steps.rule.spec
    if spec is None or spec.limit is None or not len(samples.time):
        return
    rows, beyond = edges(spec, steps.state.condition, samples.value, samples.quality)
    for row, condition in zip(rows.tolist(), beyond.tolist(), strict=True):
        value = float(samples.value[row])
        steps.sense(Sensed(int(samples.time[row]), condition, value, explain_limit(steps.rule, value)))
    steps.advance(int(samples.time[-1]))


def edges(
    spec: AlarmSpec, condition: bool, value: NDArray[np.float64], quality: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The rows at which the condition changes, and what it is from there on.

    value [N] in the unit of the limit, quality [N] octets; `condition` is what it was before the first row.
    """
    limit = spec.limit or 0.0
    said = ((quality & _SEVERITY) < _BAD) & np.isfinite(value)
    with np.errstate(invalid="ignore"):
        beyond = value > limit if spec.is_high else value < limit
        inside = value <= limit - spec.deadband if spec.is_high else value >= limit + spec.deadband
    told = np.flatnonzero(said & (beyond | inside))
    says = beyond[told]
    changed = says != np.concatenate((np.array([condition]), says[:-1])) if len(says) else says
    return told[changed], says[changed]


def explain_limit(rule: AlarmRule, value: float) -> str:
    """E.g. ``Spindle vibration is 7.42 mm/s, above 6 mm/s``."""
    spec, unit = rule.spec, f" {rule.unit}" if rule.unit else ""
    if spec is None or spec.limit is None:
        return rule.title
    return f"{rule.title} is {value:.4g}{unit}, {'above' if spec.is_high else 'below'} {spec.limit:g}{unit}"
