"""A rule that is only tried out: one of the plant model with some numbers changed, or one that is not there yet (pure).

In: a signal and the wished numbers. Out: a rule for `twin.state.alarm_replay`, or `Rejected` with what is missing.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from twin.errors import Rejected
from twin.plant.alarm import ALARM_NAMES, DEADBAND_SHARE, PRIORITIES, STALE, AlarmSpec, Priority
from twin.plant.tree import Kind, Signal
from twin.state.alarm_model import AlarmRule
from twin.state.alarm_policy import AlarmPolicy, AnomalyPolicy
from twin.state.alarm_rules import signal_rule


def trial_rule(signal: Signal, name: str, changes: Mapping[str, Any]) -> AlarmRule:
    """The rule `name` of the signal with `changes` (fields of `AlarmSpec`; None changes nothing).

    Raises:
        Rejected: `no-such-alarm`, `no-limit`, or `wrong-kind`.
    """
    if name not in ALARM_NAMES:
        raise Rejected("no-such-alarm", f"there is no alarm {name!r}; name one of {', '.join(ALARM_NAMES)}")
    if signal.kind is Kind.TEXT or (name != STALE and signal.kind is not Kind.MEASUREMENT):
        raise Rejected("wrong-kind", f"{signal.path} is a {signal.kind}; {name} needs another kind of signal")
    here = next((one for one in signal.alarms if one.name == name), None)
    spec = replace(here or _fresh(signal, name), **{key: value for key, value in changes.items() if value is not None})
    if name != STALE and spec.limit is None:
        raise Rejected("no-limit", f"{signal.path} has no alarm {name} in the plant model; give the limit to try")
    return signal_rule(signal, spec, signal.asset)


def trial_policy(policy: AlarmPolicy, detectors: tuple[str, ...], changes: Mapping[str, Any]) -> AlarmPolicy:
    """The policy with other delays for anomalies, and with only these detectors where any are named."""
    given = {key: value for key, value in changes.items() if value is not None}
    anomalies = policy.anomalies.model_copy(update=given)
    if detectors:
        anomalies = AnomalyPolicy(
            priority=None,
            priorities={name: anomalies.priority_of(name) or Priority.LOW for name in detectors},
            on_delay_s=anomalies.on_delay_s,
            off_delay_s=anomalies.off_delay_s,
        )
    return policy.model_copy(update={"anomalies": anomalies})


def _fresh(signal: Signal, name: str) -> AlarmSpec:
    if name == STALE:
        after_s = 2.0 * signal.stale_after_s
        return AlarmSpec(name, PRIORITIES[name], after_s=after_s, on_delay_s=0.0, off_delay_s=0.0)
    span = signal.high - signal.low if signal.low is not None and signal.high is not None else 0.0
    return AlarmSpec(name, PRIORITIES[name], deadband=DEADBAND_SHARE * span)
