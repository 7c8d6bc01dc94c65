"""The life cycle of an alarm as a table: phase and trigger → phase (ISA-18.2 figure 4, OPC UA Part 9 section 5.7).

Pure data and two look-ups. What is not in the table does not happen.
"""

from collections.abc import Mapping
from enum import StrEnum

from twin.state.alarm_model import ActionKind, Phase


class Trigger(StrEnum):
    """What can move an alarm from one phase to the next."""

    RAISE = "raise"  # the condition has lasted for the on-delay
    CLEAR = "clear"  # it has been gone for the off-delay
    RE_ALARM = "re-alarm"  # acknowledged and still there
    ACKNOWLEDGE = "acknowledge"
    CONFIRM = "confirm"
    RESET = "reset"


_NORMAL, _RETURNED, _LATCHED = Phase.NORMAL, Phase.RETURNED, Phase.LATCHED
_UNACKNOWLEDGED, _ACKNOWLEDGED = Phase.UNACKNOWLEDGED, Phase.ACKNOWLEDGED
_LATCHED_UNACKNOWLEDGED, _UNCONFIRMED = Phase.LATCHED_UNACKNOWLEDGED, Phase.UNCONFIRMED

TABLE: Mapping[tuple[Phase, Trigger], Phase] = {
    (_NORMAL, Trigger.RAISE): _UNACKNOWLEDGED,
    (_UNACKNOWLEDGED, Trigger.ACKNOWLEDGE): _ACKNOWLEDGED,
    (_UNACKNOWLEDGED, Trigger.CLEAR): _RETURNED,
    (_ACKNOWLEDGED, Trigger.CLEAR): _NORMAL,
    (_ACKNOWLEDGED, Trigger.RE_ALARM): _UNACKNOWLEDGED,
    (_RETURNED, Trigger.RAISE): _UNACKNOWLEDGED,
    (_RETURNED, Trigger.ACKNOWLEDGE): _NORMAL,
    (_LATCHED_UNACKNOWLEDGED, Trigger.RAISE): _UNACKNOWLEDGED,
    (_LATCHED_UNACKNOWLEDGED, Trigger.ACKNOWLEDGE): _LATCHED,
    (_LATCHED, Trigger.RAISE): _UNACKNOWLEDGED,
    (_LATCHED, Trigger.RESET): _NORMAL,
    (_UNCONFIRMED, Trigger.RAISE): _UNACKNOWLEDGED,
    (_UNCONFIRMED, Trigger.CONFIRM): _NORMAL,
}
"""A plain alarm, and how a latched one goes on; `after` says what a rule that latches or asks to confirm changes."""

LATCHING: Mapping[tuple[Phase, Trigger], Phase] = {
    (_UNACKNOWLEDGED, Trigger.CLEAR): _LATCHED_UNACKNOWLEDGED,
    (_ACKNOWLEDGED, Trigger.CLEAR): _LATCHED,
}

TRIGGERS: Mapping[ActionKind, Trigger] = {
    ActionKind.ACKNOWLEDGE: Trigger.ACKNOWLEDGE,
    ActionKind.CONFIRM: Trigger.CONFIRM,
    ActionKind.RESET: Trigger.RESET,
}
"""The actions that move an alarm through its phases."""


def after(phase: Phase, trigger: Trigger, *, latch: bool, confirm: bool) -> Phase | None:
    """The next phase, or None when this cannot happen now; an alarm that asks to confirm is over only then."""
    found = LATCHING.get((phase, trigger)) if latch else None
    found = found or TABLE.get((phase, trigger))
    if found is Phase.NORMAL and confirm and trigger is not Trigger.CONFIRM:
        return Phase.UNCONFIRMED
    return found
