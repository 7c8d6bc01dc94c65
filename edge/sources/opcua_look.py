"""A look at a server before anything is subscribed: who it is, which nodes of a source are there, what they are.

In: the settings of one source. Out: facts, errors and warnings in words. Only reads.
"""

import time

from edge.sources.opcua_browse import Browser
from edge.sources.opcua_connect import open_channel
from edge.sources.opcua_library import ua
from edge.sources.opcua_limits import read_limits
from edge.sources.opcua_security import Security
from edge.sources.opcua_settings import OpcUaItem, OpcUaSettings
from edge.sources.opcua_value import instant_ns
from edge.sources.opcua_variable import Variable
from edge.units import conversion

_WHO = (ua.NodeId(ua.ObjectIds.Server_NamespaceArray), ua.NodeId(ua.ObjectIds.Server_ServerStatus_CurrentTime))
_CLOCK_OFF_S = 5.0
_NUMERIC = ("measurement", "counter", "state")


async def look(settings: OpcUaSettings, facts: dict[str, object], errors: list[str], warnings: list[str]) -> None:
    """Fill the three.

    Raises:
        ConfigError: certificate, key or profile cannot be used.
        Retryable: the server does not answer.
    """
    async with open_channel(settings, None, Security(settings, time.time_ns)) as channel:
        asked_ns = time.time_ns()
        namespaces, now = await channel.read(list(_WHO), "the server's status")
        between_ns = (asked_ns + time.time_ns()) // 2
        known = tuple(namespaces.Value.Value or ()) if namespaces.Value else ()
        limits, build = await read_limits(channel, settings.profile)
        facts["server"] = str(build)
        facts["profile"], facts["limits"] = limits.profile, limits.known()
        server_ns = instant_ns(now.Value.Value) if now.Value else 0
        if server_ns:
            facts["clock_offset_s"] = offset_s = round((server_ns - between_ns) / 1e9, 3)
            if abs(offset_s) > _CLOCK_OFF_S:
                warnings.append(f"the server's clock is {offset_s:+,.1f} s off this machine's; set one of the two")
        if limits.monitored_items and len(settings.items) > limits.monitored_items:
            warnings.append(
                f"{len(settings.items)} nodes are asked for and the server monitors {limits.monitored_items}"
            )
        items = [item for item in settings.items if not item.events]
        found = await Browser(channel, known, limits).describe_nodes([item.node for item in items])
        await channel.close()
    for item, variable in zip(items, found, strict=True):
        problem = _problem(item, variable)
        if problem:
            errors.append(f"{item.node} for {item.signal} {problem}")
    facts["nodes_readable"] = sum(one.readable for one in found)
    facts["nodes_with_history"] = sum(one.keeps_history for one in found)


def _problem(item: OpcUaItem, variable: Variable) -> str:
    if not variable.readable:
        if variable.status in ("Good", "BadUserAccessDenied", "BadNotReadable"):
            return "must not be read by this user"
        return f"cannot be read: {variable.status}"
    if variable.is_array and item.kind != "text":
        return "is an array; only arrays of one number can feed a signal of this kind"
    return _type_problem(item.kind, variable.type, item.unit, variable.unit)


def _type_problem(kind: str, type_: str, unit: str, server_unit: str) -> str:
    """Why values of this OPC UA type cannot feed a signal of this kind and unit; empty when they can."""
    if kind in _NUMERIC and type_ in ("ByteString", "ExtensionObject", "XmlElement", "Guid"):
        return f"has type {type_}, which is not a number; its values would be dropped"
    if kind in _NUMERIC and type_ in ("String", "LocalizedText"):
        return f"has type {type_}; only texts that are numbers can feed a signal of kind {kind}"
    if unit and server_unit and unit != server_unit:
        try:
            linear = conversion(server_unit, unit)
        except ValueError:
            return f"is in {server_unit!r} at the server and in {unit!r} here"
        if (linear.scale, linear.offset) != (1.0, 0.0):
            return f"is in {server_unit!r} at the server and in {unit!r} here, and OPC UA values are not converted"
    return ""
