"""What a source hands to the spool: one value with its three times, and the interval that nobody read.

In: decoded notifications and messages. Out: `Reading` tuples and `Gap` records for `edge.spool`.
"""

from enum import IntEnum, StrEnum
from typing import NamedTuple


class Quality:
    """Bits of the quality octet: OPC UA severity in the low two bits, provenance flags above."""

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2
    SEVERITY = 3  # mask
    HELD = 4  # the last value repeated by a heartbeat; its source time is the old one
    ESTIMATED = 8
    BACKFILLED = 16  # read later from the device's own history
    TIME_ADJUSTED = 32  # the source clock was wrong and has been corrected or replaced by the receive time


class Reading(NamedTuple):
    """One value of one signal. All times are nanoseconds UTC since 1970; 0 means that the source gave none."""

    handle: int  # the signal's place in the node's schema
    source_ns: int  # when it was measured: the key, never 0
    value: float | str  # str only for signals of kind text
    quality: int
    server_ns: int
    received_ns: int


class Lane(IntEnum):
    """Live flows now; history is backlog and backfill, sent behind it at a bounded rate."""

    LIVE = 0
    HISTORY = 1


class GapCause(StrEnum):
    """Why an interval was not read or not kept."""

    SUBSCRIPTION_LOST = "subscription-lost"
    DEVICE_UNREACHABLE = "device-unreachable"
    QUEUE_OVERFLOW = "queue-overflow"
    SEQUENCE_JUMP = "sequence-jump"
    SESSION_LOST = "session-lost"  # the broker forgot an MQTT source, or messages for it
    SPOOL_DROP = "spool-drop"
    AGENT_DOWN = "agent-down"
    CLOCK_STEP = "clock-step"
    NO_METADATA = "no-metadata"  # values came, and nobody could say whose they are


class GapState(StrEnum):
    """What became, or can become, of the readings of a gap."""

    OPEN = "open"  # the device's own history is still to be asked
    BACKFILLED = "backfilled"  # all that the device has recorded came later
    LOST = "lost"  # nobody can bring them any more


class Gap(NamedTuple):
    """A half-open interval [from_ns, to_ns) of source time in which readings may be missing.

    A gap that is told again, with the same interval and cause, changes its state in the ledger.
    """

    handles: tuple[int, ...]  # the signals concerned, by their place in the node's schema
    from_ns: int
    to_ns: int
    cause: GapCause
    detail: str
    state: GapState = GapState.LOST
