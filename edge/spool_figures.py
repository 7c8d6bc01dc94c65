"""Hop *keep*: what the spool tells of itself: a message to send, what waits, and the counters that it remembers."""

from dataclasses import dataclass, fields, replace

from edge.priority import Priority
from twin.wire.reading import Lane


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One numbered message that waits for its receipt."""

    number: int
    lane: Lane
    payload: bytes


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for a receipt."""

    batches: int = 0
    readings: int = 0
    bytes: int = 0  # on disk, about
    withdrawn: int = 0  # numbers of dropped batches of which the store has not heard
    oldest_ns: int | None = None  # when the oldest batch was made
    oldest_live_ns: int | None = None  # the same, of the live lane alone


@dataclass(frozen=True, slots=True)
class Counters:
    """The spool's own memory; each field is a row of the table `meta`."""

    last_number: int = 0
    history_below: int = 0
    last_kept_ns: int = 0
    dropped_batches: int = 0  # that held readings
    dropped_readings: int = 0  # of all classes
    dropped_low: int = 0  # readings of low priority among them
    dropped_high: int = 0
    incarnation: int = 0  # of the store, as its receipts say

    def with_drop(self, priority: Priority, readings: int) -> "Counters":
        """These counters after one more batch was dropped."""
        return replace(
            self,
            dropped_batches=self.dropped_batches + 1,
            dropped_readings=self.dropped_readings + readings,
            dropped_low=self.dropped_low + (readings if priority is Priority.LOW else 0),
            dropped_high=self.dropped_high + (readings if priority is Priority.HIGH else 0),
        )


COUNTERS = [one.name for one in fields(Counters)]
