"""The words for what a unit does with its time: time elements and stop reasons, as the plant model may name them.

Elements exclude each other and together are calendar time. In brackets the ISO 22400-2 element that each is part of.
"""

from enum import StrEnum


class Element(StrEnum):
    """One unit is in exactly one of these at any instant."""

    PRODUCTION = "production"  # APT
    SETUP = "setup"  # AUST
    FAILURE = "failure"  # ADET: broken down, time to repair
    MINOR_STOP = "minor-stop"  # ADET: shorter than the unit's microstop_s
    DELAY = "delay"  # ADET: every other unplanned stop
    STARVED = "starved"  # ADOT: waits for something to work on
    BLOCKED = "blocked"  # ADOT: cannot hand on what is finished
    IDLE = "idle"  # ADOT: could work, does not
    MAINTENANCE = "maintenance"  # PMT
    PLANNED_STOP = "planned-stop"  # PDOT: a break, a cleaning, within a shift
    UNSCHEDULED = "unscheduled"  # no shift, a holiday
    UNKNOWN = "unknown"  # nobody knows: no sample, or none that can be trusted


class StopReason(StrEnum):
    """Why a unit stands."""

    STARVED = "starved"
    BLOCKED = "blocked"
    IDLE = "idle"
    NO_ORDER = "no-order"
    FAILURE = "failure"
    SETUP = "setup"
    TOOL_CHANGE = "tool-change"
    HELD = "held"
    NO_OPERATOR = "no-operator"
    QUALITY = "quality"
    WEATHER = "weather"
    BREAK = "break"
    MAINTENANCE = "maintenance"
    PRODUCTION = "production"  # it did not stand, whatever its signal said
    OTHER = "other"
