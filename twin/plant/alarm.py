"""What the plant model says of alarms: one `AlarmSpec` per limit of a signal, or for its silence. Pure nouns."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Priority(StrEnum):
    """How soon somebody has to act (ISA-18.2): the consequence and the time that is left decide."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for low … 3 for critical."""
        return list(Priority).index(self)


STALE = "stale"
HIGH_LIMITS = ("hi", "hi-hi")
LOW_LIMITS = ("lo", "lo-lo")
ALARM_NAMES = ("lo-lo", "lo", "hi", "hi-hi", STALE)

PRIORITIES: Mapping[str, Priority] = {
    "lo-lo": Priority.HIGH,
    "lo": Priority.MEDIUM,
    "hi": Priority.MEDIUM,
    "hi-hi": Priority.HIGH,
    STALE: Priority.LOW,
}
"""The priority of an alarm that names none."""

OUTER: Mapping[str, str] = {"lo": "lo-lo", "hi": "hi-hi"}
"""The limit further out, which suppresses the nearer one while both are exceeded."""

ON_DELAY_S = 2.0
OFF_DELAY_S = 10.0
DEADBAND_SHARE = 0.01  # of the signal's range, where no deadband is given


@dataclass(frozen=True, slots=True)
class AlarmSpec:
    """One alarm of one signal; numbers in the signal's unit."""

    name: str  # one of ALARM_NAMES
    priority: Priority
    limit: float | None = None  # None: stale
    deadband: float = 0.0  # how far inside the limit the value must come back
    after_s: float | None = None  # stale only: silence that is no longer normal
    on_delay_s: float = ON_DELAY_S  # the condition must last so long
    off_delay_s: float = OFF_DELAY_S  # and be gone for so long
    re_alarm_s: float | None = None  # an acknowledged alarm that lasts so much longer asks again
    latch: bool = False  # stays after its condition until somebody resets it
    confirm: bool = False  # somebody must confirm that the cause was dealt with
    parent: str | None = None  # <signal path>.<alarm name>: while that one is active, this one is suppressed
    title: str | None = None

    @property
    def is_high(self) -> bool:
        """Whether values above the limit are wrong."""
        return self.name in HIGH_LIMITS

    def exceeded(self, value: float) -> bool:
        """Whether a value lies beyond the limit; False for a stale alarm."""
        if self.limit is None:
            return False
        return value > self.limit if self.is_high else value < self.limit
