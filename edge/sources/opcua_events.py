"""Events, alarms and conditions of a server → text readings (OPC UA Part 5 and Part 9).

In: the bytes of an EventNotificationList. Out: one JSON text per event, at the event's own time, once per event id.
Also the filter that asks for them.
"""

import json
import struct
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from asyncua.common.utils import Buffer

from edge.sources.opcua_library import Opaque, struct_from_binary, ua
from edge.sources.opcua_value import MAX_TEXT, instant_ns
from twin.wire.reading import Quality, Reading

_STEP_NS = 1_000  # the store tells microseconds apart
_REMEMBERED = 4_096  # events per item
_VALUE, _NODE_ID = ua.AttributeIds.Value, ua.AttributeIds.NodeId
_BASE, _CONDITION, _ACKNOWLEDGEABLE, _ALARM = 2041, 2782, 2881, 2915
_CLAUSES: tuple[tuple[str, int, tuple[str, ...], int], ...] = (
    ("id", _BASE, ("EventId",), _VALUE),
    ("type", _BASE, ("EventType",), _VALUE),
    ("time", _BASE, ("Time",), _VALUE),
    ("source", _BASE, ("SourceName",), _VALUE),
    ("severity", _BASE, ("Severity",), _VALUE),
    ("message", _BASE, ("Message",), _VALUE),
    ("condition_id", _CONDITION, (), _NODE_ID),
    ("condition", _CONDITION, ("ConditionName",), _VALUE),
    ("retain", _CONDITION, ("Retain",), _VALUE),
    ("acked", _ACKNOWLEDGEABLE, ("AckedState", "Id"), _VALUE),
    ("active", _ALARM, ("ActiveState", "Id"), _VALUE),
)
_PLAIN = 6  # so many of them every server knows
_REFRESH = frozenset((ua.ObjectIds.RefreshStartEventType, ua.ObjectIds.RefreshEndEventType))
_REFRESH_REQUIRED = ua.ObjectIds.RefreshRequiredEventType
_OVERFLOW = ua.ObjectIds.EventQueueOverflowEventType


def event_filter(*, plain: bool) -> Opaque:
    """What is asked of every event; `plain`: without the fields of conditions, for servers that know none."""
    chosen = ua.EventFilter()
    for _, kind, path, attribute in _CLAUSES[:_PLAIN] if plain else _CLAUSES:
        operand = ua.SimpleAttributeOperand()
        operand.TypeDefinitionId = ua.NodeId(kind)
        operand.BrowsePath = [ua.QualifiedName(name, 0) for name in path]
        operand.AttributeId = attribute
        chosen.SelectClauses.append(operand)
    return chosen


@dataclass(slots=True)
class _Seen:
    """The latest events of one item."""

    ids: deque[bytes] = field(default_factory=lambda: deque[bytes](maxlen=_REMEMBERED))
    active: set[str] = field(default_factory=set[str])  # conditions whose alarm was kept and has not ended
    times: deque[int] = field(default_factory=lambda: deque[int](maxlen=_REMEMBERED))


@dataclass(slots=True)
class Events:
    """Decodes the events of one source. `least`: handle of each event item → the least severity that is kept."""

    least: Mapping[int, int]
    refresh_required: bool = False  # the server has said that it cannot send every change of a condition
    _seen: dict[int, _Seen] = field(default_factory=dict[int, _Seen])

    def read(self, data: bytes, at: int, end: int, received_ns: int) -> tuple[list[Reading], list[int]]:
        """The readings of the EventNotificationList in data[at:end]; places where the server's queue overflowed.

        Raises:
            ValueError: it cannot be decoded.
        """
        try:
            events = struct_from_binary(ua.EventNotificationList, Buffer(data, at, end - at)).Events
        except (ua.UaError, struct.error, LookupError, TypeError, AttributeError, ArithmeticError) as error:
            raise ValueError(f"events: {type(error).__name__} {error}") from error
        readings: list[Reading] = []
        overflowed: list[int] = []
        for event in events or ():
            told = {clause[0]: one.Value for clause, one in zip(_CLAUSES, event.EventFields or (), strict=False)}
            number = _standard(told.get("type"))
            if number == _REFRESH_REQUIRED:
                self.refresh_required = True
                continue
            found = None if number in _REFRESH else self._reading(event.ClientHandle, told, received_ns)
            if found is not None:
                if number == _OVERFLOW:
                    overflowed.append(len(readings))
                readings.append(found)
        return readings, overflowed

    def _reading(self, handle: int, told: dict[str, Opaque], received_ns: int) -> Reading | None:
        if handle not in self.least:
            return None
        seen = self._seen.setdefault(handle, _Seen())
        if not self._matters(seen, told, self.least[handle]):
            return None
        identity = told.get("id")
        if isinstance(identity, bytes):
            if identity in seen.ids:
                return None  # told again by ConditionRefresh or Republish
            seen.ids.append(identity)
        own_ns = instant_ns(told.get("time"))
        at_ns = own_ns or received_ns
        while at_ns in seen.times:
            at_ns += _STEP_NS
        seen.times.append(at_ns)
        quality = Quality.GOOD if at_ns == own_ns else Quality.TIME_ADJUSTED
        return Reading(handle, at_ns, _text(told), quality, 0, received_ns)

    @staticmethod
    def _matters(seen: _Seen, told: dict[str, Opaque], least: int) -> bool:
        """Severe enough, or the end of an alarm that was (its own severity is often lower)."""
        severity, condition = told.get("severity"), str(told.get("condition_id"))
        ended = told.get("active") is False and condition in seen.active
        if not ended and isinstance(severity, int) and severity < least:
            return False
        if told.get("active"):
            seen.active.add(condition)
        else:
            seen.active.discard(condition)
        return True


def _standard(kind: Opaque) -> object:
    """The number of a type of namespace 0, else None."""
    return kind.Identifier if kind is not None and kind.NamespaceIndex == 0 else None


def _text(told: dict[str, Opaque]) -> str:
    shown = {name: _plain(value) for name, value in told.items() if name != "time" and value is not None}
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))[:MAX_TEXT]


def _plain(value: Opaque) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, ua.LocalizedText):
        return value.Text or ""
    if isinstance(value, ua.NodeId):
        known = value.NamespaceIndex == 0 and isinstance(value.Identifier, int)
        return ua.ObjectIdNames.get(value.Identifier, value.to_string()) if known else value.to_string()
    return cast("object", value) if isinstance(value, bool | int | float | str) else str(value)
