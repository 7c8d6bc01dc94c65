"""Which samples of a batch can change an alarm: one look over all columns, then only the few signals concerned.

In: a committed batch and, per row, the newest time that its signal had before. Out: rules with the samples to judge.
A signal whose alarms are all quiet is looked at again only when a value lies beyond its nearest limit.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from twin.samples import SampleBatch
from twin.state.alarm_limits import Samples
from twin.state.alarm_model import AlarmKind, AlarmRule, AlarmState
from twin.state.alarm_rules import Rules


class LimitWatch:
    """The limits of a plant by signal id."""

    def __init__(self, rules: Rules, signal_ids: Mapping[str, int]) -> None:
        found = {signal_ids[path]: limits for path, limits in rules.limits.items() if path in signal_ids}
        size = max(found, default=-1) + 1
        self._ids = signal_ids
        self._rules: dict[int, tuple[AlarmRule, ...]] = found
        self._low: NDArray[np.float64] = np.full(size, -np.inf)
        self._high: NDArray[np.float64] = np.full(size, np.inf)
        self._awake: dict[int, set[str]] = {}  # keys of the alarms that are not quiet
        self._is_awake: NDArray[np.bool_] = np.zeros(size, np.bool_)
        for number, limits in found.items():
            for spec in [rule.spec for rule in limits if rule.spec is not None and rule.spec.limit is not None]:
                if spec.is_high:
                    self._high[number] = min(self._high[number], spec.limit or 0.0)
                else:
                    self._low[number] = max(self._low[number], spec.limit or 0.0)

    def note(self, state: AlarmState) -> None:
        """An alarm has changed: from now on its signal's values inside the limits matter, or do no longer."""
        kind, _, rest = state.key.partition("|")
        number = self._ids.get(rest.rpartition("|")[0])
        if kind != AlarmKind.LIMIT or number is None or number not in self._rules:
            return
        awake = self._awake.setdefault(number, set())
        if state.condition or state.active or state.due_ns is not None:
            awake.add(state.key)
        else:
            awake.discard(state.key)
        self._is_awake[number] = bool(awake)

    def concerned(self, batch: SampleBatch, newest_before: NDArray[np.int64]) -> Iterator[tuple[AlarmRule, Samples]]:
        """The rules that these samples may change, each with the new samples of its signal in the order of time.

        newest_before: [len(batch)] ns, what the signal of each row had before this batch; older samples come too late.
        """
        signal, size = batch.signal, len(self._high)
        known = np.flatnonzero((signal >= 0) & (signal < size) & (batch.time > newest_before))
        if not len(known):
            return
        number, value = signal[known], batch.value[known]
        with np.errstate(invalid="ignore"):
            beyond = (value > self._high[number]) | (value < self._low[number])
        for one in np.unique(number[beyond | self._is_awake[number]]).tolist():
            rows = known[number == one]
            rows = rows[np.argsort(batch.time[rows], kind="stable")]
            rows = rows[np.diff(batch.time[rows], prepend=np.iinfo(np.int64).min // 2) > 0]
            samples = Samples(batch.time[rows], batch.value[rows], batch.quality[rows])
            for rule in self._rules.get(one, ()):
                yield rule, samples
