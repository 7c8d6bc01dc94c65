# pyright: reportArgumentType=false, reportPrivateImportUsage=false
# asyncua accepts plain str, int and datetime for its own types, and does not export what it documents.
"""The micro-factory's OPC UA server: Objects/<site>/<area>/(<line>/)<unit>/<signal>, node ids ns=<i>;s=<unit>.<signal>.

In: emissions. Out: one write per emission, with its source time. asyncua reports every write to monitored items whose
trigger is StatusValueTimestamp, and every changed value to those with StatusValue; queues hold up to 10,000 values.
"""

import logging
import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from asyncua import ua
from asyncua.common.node import Node
from asyncua.server.server import Server

from twin.demo.probe import Emission
from twin.errors import Retryable
from twin.plant.tree import Kind, Plant, Signal

NAMESPACE = "urn:fabriquay:micro-factory"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TYPES = {
    Kind.MEASUREMENT: ua.VariantType.Double,
    Kind.COUNTER: ua.VariantType.UInt32,
    Kind.STATE: ua.VariantType.Int32,
    Kind.TEXT: ua.VariantType.String,
}
# UNECE Recommendation 20 common codes; EUInformation.UnitId is made of their letters (OPC 10000-8, 5.6.3).
_UNECE = {
    "A": "AMP", "V": "VLT", "kW": "KWT", "°C": "CEL", "mm/s": "C16", "1/min": "RPM", "s": "SEC", "%": "P1", "N": "NEW",
    "µm": "4H", "lx": "LUX", "bar": "BAR", "kPa": "KPA", "m/s": "MTS", "m": "MTR", "kg": "KGM", "parts": "C62",
}  # fmt: skip
_UNECE_URI = "http://www.opcfoundation.org/UA/units/un/cefact"


class _Sample(ua.DataValue):
    """A value that nobody changes: asyncua's deep copy per monitored item is not needed."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Sample":
        return self


class EquipmentServer:
    """A started server; made by `serve_equipment`."""

    def __init__(self, server: Server, endpoint: str, nodes: dict[int, tuple[ua.NodeId, ua.VariantType]]) -> None:
        self.endpoint: str = endpoint
        self._server: Server = server
        self._nodes: dict[int, tuple[ua.NodeId, ua.VariantType]] = nodes

    async def write(self, emissions: Sequence[Emission]) -> None:
        """Write each emission that is one of this server's signals."""
        space = self._server.iserver.aspace
        for one in emissions:
            node = self._nodes.get(one.signal)
            if node is None:
                continue
            value = _Sample(
                ua.Variant(one.value, node[1]),
                SourceTimestamp=_EPOCH + timedelta(microseconds=one.time_us),
                ServerTimestamp=datetime.now(UTC),
            )
            status = await space.write_attribute_value(node[0], ua.AttributeIds.Value, value)
            if not status.is_good():
                raise RuntimeError(f"the OPC UA server refused its own value for {node[0]}: {status}")


@asynccontextmanager
async def serve_equipment(
    plant: Plant, signals: dict[int, Signal], first: Sequence[Emission], *, host: str, port: int
) -> AsyncGenerator[EquipmentServer]:
    """A listening server whose nodes already hold the first samples.

    Raises:
        Retryable: when the port is taken.
    """
    logging.getLogger("asyncua").setLevel(logging.WARNING)
    logging.getLogger("asyncua.server.server").setLevel(logging.ERROR)  # it warns of None security, which is meant
    endpoint = f"opc.tcp://{host}:{port}/fabriquay"
    server = Server()
    await server.init()
    server.set_endpoint(endpoint)
    server.set_server_name("Fabriquay micro-factory")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace(NAMESPACE)
    nodes = await _populate(server, index, plant, signals)
    equipment = EquipmentServer(server, endpoint, nodes)
    await equipment.write(first)
    try:
        await server.start()
    except OSError as error:
        raise Retryable(f"the OPC UA server cannot listen on {host}:{port}: {error.strerror}") from error
    try:
        yield equipment
    finally:
        await server.stop()


async def _populate(
    server: Server, index: int, plant: Plant, signals: dict[int, Signal]
) -> dict[int, tuple[ua.NodeId, ua.VariantType]]:
    folders: dict[str, Node] = {}
    nodes: dict[int, tuple[ua.NodeId, ua.VariantType]] = {}
    for handle, signal in signals.items():
        unit = await _folder(server, index, plant, signal.asset, folders)
        node_id = ua.NodeId(f"{plant.asset(signal.asset).name}.{signal.name}", index)
        kind = _TYPES[signal.kind]
        variable = await unit.add_variable(node_id, ua.QualifiedName(signal.name, index), _zero(signal.kind), kind)
        await variable.write_attribute(
            ua.AttributeIds.DisplayName, ua.DataValue(ua.Variant(ua.LocalizedText(signal.title)))
        )
        await _describe(variable, signal)
        nodes[handle] = node_id, kind
    return nodes


async def _folder(server: Server, index: int, plant: Plant, path: str, made: dict[str, Node]) -> Node:
    """The object of an asset, its ancestors first; units are named by themselves, groups by their path."""
    if path not in made:
        asset = plant.asset(path)
        parent = server.nodes.objects
        if asset.parent is not None:
            parent = await _folder(server, index, plant, asset.parent, made)
        name = asset.name if asset.signals else asset.path
        made[path] = await parent.add_object(ua.NodeId(name, index), ua.QualifiedName(asset.name, index))
    return made[path]


async def _describe(variable: Node, signal: Signal) -> None:
    if signal.unit:
        await variable.add_property(0, "EngineeringUnits", _unit(signal.unit))
    if signal.low is not None and signal.high is not None:
        await variable.add_property(0, "EURange", ua.Range(Low=signal.low, High=signal.high))


def _unit(unit: str) -> ua.EUInformation:
    code = _UNECE.get(unit)
    return ua.EUInformation(
        NamespaceUri=_UNECE_URI if code else NAMESPACE,
        UnitId=int.from_bytes(code.encode(), "big") if code else -1,
        DisplayName=ua.LocalizedText(unit),
        Description=ua.LocalizedText(unit),
    )


def _zero(kind: Kind) -> float | str:
    return "" if kind is Kind.TEXT else math.nan if kind is Kind.MEASUREMENT else 0
