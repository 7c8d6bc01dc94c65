"""PackML states as OPC 40001-1 states and reasons, so that a vendor's PackML tag needs one word per code in the plant.

Source: ISA-TR88.00.02 names the states; held is an internal cause, suspended an external one (material before or
after). OPC 40001-1 gives no such table for every state: the categories are our own reading.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from twin.plant.elements import StopReason
from twin.plant.tree import Category


class PackMlState(StrEnum):
    """ISA-TR88.00.02."""

    UNDEFINED = "Undefined"
    CLEARING = "Clearing"
    STOPPED = "Stopped"
    STARTING = "Starting"
    IDLE = "Idle"
    SUSPENDED = "Suspended"
    EXECUTE = "Execute"
    STOPPING = "Stopping"
    ABORTING = "Aborting"
    ABORTED = "Aborted"
    HOLDING = "Holding"
    HELD = "Held"
    UNHOLDING = "Unholding"
    SUSPENDING = "Suspending"
    UNSUSPENDING = "Unsuspending"
    RESETTING = "Resetting"
    COMPLETING = "Completing"
    COMPLETE = "Complete"


class Meaning(NamedTuple):
    """What a PackML state says of the machine."""

    category: Category
    reason: StopReason | str  # "" = none


_RUNS = Meaning(Category.EXECUTING, "")
_STANDS = Meaning(Category.NOT_EXECUTING, StopReason.IDLE)
_WAITS = Meaning(Category.NOT_EXECUTING, StopReason.STARVED)
_HELD = Meaning(Category.NOT_EXECUTING, StopReason.HELD)
_FAILED = Meaning(Category.OUT_OF_SERVICE, StopReason.FAILURE)

MEANINGS: Mapping[PackMlState, Meaning] = {
    PackMlState.UNDEFINED: Meaning(Category.NOT_AVAILABLE, ""),
    PackMlState.CLEARING: _FAILED,
    PackMlState.STOPPED: _STANDS,
    PackMlState.STARTING: _RUNS,
    PackMlState.IDLE: _STANDS,
    PackMlState.SUSPENDED: _WAITS,
    PackMlState.EXECUTE: _RUNS,
    PackMlState.STOPPING: _STANDS,
    PackMlState.ABORTING: _FAILED,
    PackMlState.ABORTED: _FAILED,
    PackMlState.HOLDING: _HELD,
    PackMlState.HELD: _HELD,
    PackMlState.UNHOLDING: _RUNS,
    PackMlState.SUSPENDING: _WAITS,
    PackMlState.UNSUSPENDING: _RUNS,
    PackMlState.RESETTING: _STANDS,
    PackMlState.COMPLETING: _RUNS,
    PackMlState.COMPLETE: _STANDS,
}
