"""The nouns of alarms: rule, state, transition, action. Frozen values for the fold, the store, the api and the page.

Life cycle after ISA-18.2 and OPC UA Part 9: the phase of an alarm (active, acknowledged, confirmed, latched) is one
thing, whether it is announced (shelved, suppressed by design, grouped in a flood) another; neither hides the other.
All instants are nanoseconds UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from twin.plant.alarm import AlarmSpec, Priority

ALARMS = UUID("0a9e5b34-6a3f-5c80-8f6e-2f5d7d1c4e11")  # the namespace of alarm ids


class AlarmKind(StrEnum):
    """Where an alarm's condition comes from."""

    LIMIT = "limit"  # a value beyond a limit of the plant model
    STALE = "stale"  # silence that the plant model calls too long
    ANOMALY = "anomaly"  # an episode of a detector
    RISK = "risk"  # a probability of a fault above its threshold
    GATEWAY = "gateway"  # what a gateway reports of itself, its certificates among it
    FLOOD = "flood"  # too many alarms of one scope at once


class Phase(StrEnum):
    """Where an alarm is in its life; ISA-18.2 calls them A to F."""

    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"  # active
    ACKNOWLEDGED = "acknowledged"  # active, somebody knows
    RETURNED = "returned"  # no longer active, nobody has acknowledged it
    LATCHED_UNACKNOWLEDGED = "latched-unacknowledged"  # no longer active, stays until acknowledged and reset
    LATCHED = "latched"  # acknowledged, waits for the reset
    UNCONFIRMED = "unconfirmed"  # waits for somebody to confirm that the cause was dealt with


ACTIVE = frozenset({Phase.UNACKNOWLEDGED, Phase.ACKNOWLEDGED})
UNACKNOWLEDGED = frozenset({Phase.UNACKNOWLEDGED, Phase.RETURNED, Phase.LATCHED_UNACKNOWLEDGED})


class What(StrEnum):
    """What a transition says has happened."""

    RAISED = "raised"
    CLEARED = "cleared"
    RE_ALARMED = "re-alarmed"
    ACKNOWLEDGED = "acknowledged"
    CONFIRMED = "confirmed"
    RESET = "reset"
    SHELVED = "shelved"
    UNSHELVED = "unshelved"
    SUPPRESSED = "suppressed"
    UNSUPPRESSED = "unsuppressed"
    COMMENTED = "commented"
    JUDGED = "judged"  # an operator's verdict
    REFUSED = "refused"  # an action that was too late
    RETIRED = "retired"  # its rule is gone


class ActionKind(StrEnum):
    """What an operator can do."""

    ACKNOWLEDGE = "acknowledge"
    CONFIRM = "confirm"
    RESET = "reset"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    COMMENT = "comment"
    VERDICT = "verdict"
    MAINTENANCE = "maintenance"  # a window in which the alarms below a path are suppressed
    OUT_OF_SERVICE = "out-of-service"  # the same without a planned end
    END = "end"  # of a window
    NEW_NORMAL = "new-normal"  # what a signal or asset does now is how it shall be


class Verdict(StrEnum):
    """What an operator found at the machine."""

    REAL = "real"
    FALSE = "false"
    KNOWN = "known"  # real, and already being dealt with


def alarm_key(kind: AlarmKind, source: str, name: str) -> str:
    """The alarm's name for ever: the same rule of the same source."""
    return f"{kind}|{source}|{name}"


def alarm_id(key: str) -> UUID:
    """The same key always has the same id."""
    return uuid5(ALARMS, key)


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """When an alarm is raised and what it asks of people; comes from the plant model and the policy, never changes."""

    key: str
    kind: AlarmKind
    source: str  # signal path, asset path, or gateways/<node>
    name: str  # hi-hi, spike, 24h, offline …
    asset: str  # path by which it is grouped; the source where there is no asset
    scope: str  # the area (or what stands above all areas), by which floods are counted
    priority: Priority
    title: str
    on_delay_s: float = 0.0
    off_delay_s: float = 0.0
    re_alarm_s: float | None = None
    latch: bool = False
    confirm: bool = False
    parents: tuple[str, ...] = ()  # keys; while one of them is active, this one is suppressed
    spec: AlarmSpec | None = None  # of a limit or stale alarm
    unit: str = ""

    @property
    def id(self) -> UUID:
        """The alarm's id."""
        return alarm_id(self.key)


@dataclass(frozen=True, slots=True)
class Shelf:
    """An operator does not want to hear of an alarm for a while."""

    until_ns: int | None  # None: until it clears (one-shot)
    operator: str
    comment: str


@dataclass(frozen=True, slots=True)
class AlarmState:
    """Everything that is remembered of one alarm."""

    id: UUID
    key: str
    phase: Phase = Phase.NORMAL
    condition: bool = False  # what the source says, before the delays
    condition_ns: int = 0  # since when
    due_ns: int | None = None  # when the condition will have lasted long enough
    occurrence: int = 0  # how often it was raised
    raised_ns: int | None = None
    cleared_ns: int | None = None
    acknowledged_ns: int | None = None
    at_ns: int = 0  # of the last transition
    step: int = 0  # transitions so far
    value: float | None = None  # that made the condition true
    message: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])  # why, as JSON
    shelf: Shelf | None = None
    suppressed: tuple[str, ...] = ()  # by what, sorted
    grouped: bool = False  # raised in a flood: told together with the others

    @property
    def active(self) -> bool:
        """Whether the condition has lasted long enough."""
        return self.phase in ACTIVE

    @property
    def announced(self) -> bool:
        """Whether people are to hear of it."""
        return self.phase is not Phase.NORMAL and self.shelf is None and not self.suppressed


@dataclass(frozen=True, slots=True)
class AlarmTransition:
    """One step in the life of an alarm; kept for ever. `step` counts from 1 within the alarm."""

    alarm: UUID
    step: int
    at_ns: int
    what: What
    phase: Phase  # after it
    occurrence: int
    priority: Priority
    announced: bool
    message: str = ""
    value: float | None = None
    grouped: bool = False
    operator: str | None = None
    comment: str = ""
    action: int | None = None  # id of the operator's action
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Action:
    """What an operator did; `id` is its place in the order in which actions take effect."""

    id: int
    kind: ActionKind
    target: str  # alarm id, window id, or a path
    at_ns: int
    operator: str
    comment: str
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class RiskLevel:
    """The probability that a fault of an asset begins within a horizon; what the risk models hand over."""

    asset: str
    horizon: str  # shift, 24h, 7d
    p: float
    calibrated: bool  # False: a prior, not yet measured against failures
    at_ns: int
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])  # interval, features, number of failures
