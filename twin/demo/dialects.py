"""What the terminal's devices put on MQTT, in three dialects. Pure: emissions of one tick → messages.

* cranes, TIC 4.0-like: one message per crane and tick, concept tree, each leaf an array of values with their times
* carriers, VDA 5050 2.x state: one message per carrier and instant
* reefers and gates: one topic and message per value
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from twin.demo.unit import Value
from twin.plant.tree import Signal


class Spoken(NamedTuple):
    """One emission on its way out: its id in the truth log, its signal, when, and what."""

    id: int
    signal: Signal
    time_us: int
    value: Value


class DeviceMessage(NamedTuple):
    """One MQTT message, and the emissions that it carries."""

    topic: str
    payload: bytes
    ids: tuple[int, ...]


# signal name → where its leaf stands below che[0]
TIC_LEAVES: dict[str, tuple[str, ...]] = {
    "state": ("status",),
    "move-count": ("cycle", "count"),
    "cycle-time": ("cycle", "time"),
    "hoist-load": ("hoist", "load"),
    "hoist-speed": ("hoist", "speed"),
    "hoist-height": ("hoist", "height"),
    "hoist-current": ("hoist", "current"),
    "hoist-temperature": ("hoist", "temperature"),
    "hoist-vibration": ("hoist", "vibration"),
    "trolley-position": ("trolley", "position"),
    "gantry-position": ("gantry", "position"),
    "spreader-locked": ("spreader", "locked"),
    "spreader-mode": ("spreader", "mode"),
    "rehandle-count": ("rehandle", "count"),
    "block-level": ("block", "level"),
    "wind-speed": ("wind", "speed"),
    "power": ("power",),
    "order": ("vessel", "call"),
}

# signal name → where its value stands in the state message
VDA_FIELDS: dict[str, tuple[str, ...]] = {
    "state": ("machineState",),  # ours: VDA 5050 has no such field
    "move-count": ("moveCount",),  # ours
    "turn-time": ("turnTime",),  # ours
    "battery": ("batteryState", "batteryCharge"),
    "battery-voltage": ("batteryState", "batteryVoltage"),
    "speed": ("velocity", "vx"),
    "x": ("agvPosition", "x"),
    "y": ("agvPosition", "y"),
    "driving": ("driving",),
    "operating-mode": ("operatingMode",),
    "order": ("orderId",),
}
_FAULT_CODE = 4


def crane_message(crane: str, spoken: Sequence[Spoken]) -> DeviceMessage:
    """Everything that one crane says in this tick."""
    che: dict[str, Any] = {"id": crane, "powered": True}
    for one in spoken:
        leaf = {
            "value": one.value,
            "unit": one.signal.unit or None,
            "timestamp": _iso(one.time_us),
            "pom": "output",
            "pomt": "actual",
        }
        _leaves(che, TIC_LEAVES[one.signal.name]).append(leaf)
    last = spoken[-1]
    msg = {
        "id": str(last.id),
        "sender": crane,
        "topic": "che",
        "version": "2023.007",
        "timestamp": _iso(last.time_us),
    }
    return DeviceMessage(f"terminal/tic/{crane}", _json({"msg": msg, "che": [che]}), tuple(one.id for one in spoken))


def carrier_message(carrier: str, spoken: Sequence[Spoken], header: int) -> DeviceMessage:
    """The state of one carrier at one instant; all of `spoken` have the same time; headers count up by one."""
    state: dict[str, Any] = {
        "headerId": header,
        "timestamp": _iso(spoken[0].time_us),
        "version": "2.1.0",
        "manufacturer": "fabriquay",
        "serialNumber": carrier,
        "agvPosition": {"theta": 0.0, "mapId": "terminal", "positionInitialized": True},
        "batteryState": {"charging": False},
        "nodeStates": [],
        "edgeStates": [],
        "actionStates": [],
        "safetyState": {"eStop": "NONE", "fieldViolation": False},
    }
    for one in spoken:
        *parents, field = VDA_FIELDS[one.signal.name]
        place = state
        for parent in parents:
            place = place.setdefault(parent, {})
        place[field] = bool(one.value) if field == "driving" else one.value
    failed = state.get("machineState") == _FAULT_CODE
    state["errors"] = [{"errorType": "driveFault", "errorLevel": "FATAL"}] if failed else []
    return DeviceMessage(f"uagv/v2/fabriquay/{carrier}/state", _json(state), tuple(one.id for one in spoken))


def value_message(one: Spoken) -> DeviceMessage:
    """One value of a reefer slot or gate lane."""
    _, area, unit, name = one.signal.path.split("/")
    payload = {"value": one.value, "timestamp_ms": one.time_us // 1000}
    return DeviceMessage(f"terminal/{area}/{unit}/{name}", _json(payload), (one.id,))


def _leaves(che: dict[str, Any], path: tuple[str, ...]) -> list[dict[str, Any]]:
    place = che
    for part in path[:-1]:
        place = place.setdefault(part, {})
    return place.setdefault(path[-1], [])


def _iso(time_us: int) -> str:
    seconds, rest_us = divmod(time_us, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_us // 1000:03d}Z"


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
