# pyright: reportArgumentType=false, reportPrivateImportUsage=false
# asyncua accepts plain str, int and datetime for its own types, and does not export what it documents.
"""`twin opcua`: what the twin believes, as an OPC UA server for SCADA and MES. Nobody can write to it.

In: the retained live documents, through the same feed and board as the page's. Out: Objects/<site>/<area>/…/<unit> with
a variable per signal (its own source time; status Good, Uncertain or Bad) and those of `_ASSET`; node ids are
nsu=urn:fabriquay:twin;s=<path> and s=<asset path>#<variable>. When the feed is silent every value becomes
UncertainLastUsableValue: nothing looks fresher than it is.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple, cast

import orjson
from asyncua import ua
from asyncua.common.node import Node
from asyncua.server.server import Server
from asyncua.server.user_managers import User, UserManager, UserRole

from api.board import Board, Entry, Noun, instant
from api.feed import LiveFeed
from api.metrics import Metrics
from api.northbound_settings import NorthboundSettings
from api.settings import LiveLimits
from twin.errors import ConfigError
from twin.plant.load import load_plant
from twin.plant.tree import Kind, Plant, Signal
from twin.wire.broker import BrokerSettings
from twin.wire.together import together

NAMESPACE = "urn:fabriquay:twin"
log = logging.getLogger(__name__)
_TYPES: Mapping[Kind, ua.VariantType] = {
    Kind.MEASUREMENT: ua.VariantType.Double,
    Kind.COUNTER: ua.VariantType.Double,  # a counter may be scaled
    Kind.STATE: ua.VariantType.Int32,
    Kind.TEXT: ua.VariantType.String,
}
_CODES: Mapping[str, int] = {
    "good": ua.StatusCodes.Good,
    "uncertain": ua.StatusCodes.Uncertain,
    "bad": ua.StatusCodes.Bad,
}
_ASSET: Mapping[str, tuple[ua.VariantType, tuple[str, ...]]] = {
    "MachineState": (ua.VariantType.String, ("machine_state", "name")),
    "MachineStateCategory": (ua.VariantType.String, ("machine_state", "category")),
    "MachineStateSince": (ua.VariantType.DateTime, ("machine_state", "since")),
    "ThroughputPerHour": (ua.VariantType.Double, ("throughput", "now_per_h")),
    "ThroughputThisShift": (ua.VariantType.Double, ("throughput", "this_shift")),
    "Health": (ua.VariantType.String, ("health",)),
    "OpenFindings": (ua.VariantType.Int32, ("findings",)),
    "Freshness": (ua.VariantType.String, ("freshness", "reason")),
    "FreshnessExplanation": (ua.VariantType.String, ("freshness", "explanation")),
}
"""Variables of every asset: type, and where it stands in the document; null where the twin says nothing."""


class _Readers(UserManager):
    """Whoever may read; nobody is more than a user, so asyncua refuses every write and every change of the tree."""

    def __init__(self, settings: NorthboundSettings) -> None:
        self._expected: tuple[str | None, str | None] = (settings.username, settings.password)

    def get_user(
        self, iserver: object, username: str | None = None, password: str | None = None, certificate: object = None
    ) -> User | None:
        return User(role=UserRole.User) if self._expected in {(None, None), (username, password)} else None


async def serve_northbound(plant: Path, broker: BrokerSettings, settings: NorthboundSettings) -> None:
    """Serve until cancelled.

    Raises:
        ConfigError: the plant is wrong, a file cannot be read, or the address cannot be had.
    """
    board, model = Board(), load_plant(plant)
    feed = LiveFeed(board, broker, LiveLimits(), Metrics())
    server = await _server(settings)
    nodes = await _populate(server, model)
    try:
        await server.start()
    except OSError as error:
        raise ConfigError(
            f"opcua.host, opcua.port: cannot listen on {settings.host}:{settings.port} ({error.strerror})"
        ) from error
    log.info("the twin's OPC UA server listens on opc.tcp://%s:%d/twin", settings.host, _port(server))
    try:
        await together(
            {"live feed": feed.run(), "northbound": _follow(server, board, nodes, settings.interval_ms / 1000)}
        )
    finally:
        await server.stop()


def _port(server: Server) -> int:
    return server.bserver.port if server.bserver else 0


async def _server(settings: NorthboundSettings) -> Server:
    logging.getLogger("asyncua").setLevel(logging.WARNING)
    logging.getLogger("asyncua.server.server").setLevel(logging.ERROR)  # it warns of None security, which is meant
    server = Server(user_manager=_Readers(settings))
    await server.init()
    server.set_endpoint(f"opc.tcp://{settings.host}:{settings.port}/twin")
    server.set_server_name("Fabriquay twin")
    policy = ua.SecurityPolicyType.NoSecurity
    if settings.certificate is not None:
        policy = ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt
        try:
            await server.load_certificate(str(settings.certificate))
            await server.load_private_key(str(settings.private_key))
        except (OSError, ValueError) as error:
            raise ConfigError(f"opcua.certificate, opcua.private_key: cannot be used: {error}") from error
    server.set_security_policy([policy])
    return server


async def _populate(server: Server, plant: Plant) -> dict[str, ua.VariantType]:
    """The whole tree, parents first. Returns the type of every variable by its identifier."""
    index = await server.register_namespace(NAMESPACE)
    objects: dict[str | None, Node] = {None: server.nodes.objects}
    kinds: dict[str, ua.VariantType] = {}
    for asset in plant.assets:
        parent = objects[asset.parent]
        one = await parent.add_object(ua.NodeId(asset.path, index), ua.QualifiedName(asset.name, index))
        await _titled(one, asset.title)
        objects[asset.path] = one
        for name, (kind, _) in _ASSET.items():
            kinds[f"{asset.path}#{name}"] = kind
            await _variable(one, index, f"{asset.path}#{name}", name, kind)
    for signal in plant.signals:
        kinds[signal.path] = _TYPES[signal.kind]
        await _describe(
            await _variable(objects[signal.asset], index, signal.path, signal.name, _TYPES[signal.kind]), signal
        )
    return kinds


async def _variable(parent: Node, index: int, identifier: str, name: str, kind: ua.VariantType) -> Node:
    made = await parent.add_variable(
        ua.NodeId(identifier, index), ua.QualifiedName(name, index), ua.Variant(None), datatype=ua.NodeId(kind.value)
    )
    await made.write_value(
        ua.DataValue(ua.Variant(None), StatusCode=ua.StatusCode(ua.StatusCodes.BadWaitingForInitialData))
    )
    return made


async def _describe(variable: Node, signal: Signal) -> None:
    await _titled(variable, signal.title)
    if signal.unit:
        text = ua.LocalizedText(signal.unit)
        await variable.add_property(0, "EngineeringUnits", ua.EUInformation(NAMESPACE, -1, text, text))
    if signal.low is not None and signal.high is not None:
        await variable.add_property(0, "EURange", ua.Range(Low=signal.low, High=signal.high))


async def _titled(node: Node, title: str) -> None:
    await node.write_attribute(ua.AttributeIds.DisplayName, ua.DataValue(ua.Variant(ua.LocalizedText(title))))


class _Told(NamedTuple):
    """What a document says of one variable."""

    identifier: str
    value: Any
    at: datetime | None
    code: int


async def _follow(server: Server, board: Board, kinds: Mapping[str, ua.VariantType], interval_s: float) -> None:
    index, cursor = await server.get_namespace_index(NAMESPACE), 0
    while True:
        changed = [entry for entry in board.changed_after(cursor) if entry.noun is Noun.ASSET]
        cursor = board.cursor
        for entry in changed:
            for told in _values(entry):
                kind = kinds.get(told.identifier)
                if kind is not None:  # the twin may know a newer plant than this process
                    await server.iserver.aspace.write_attribute_value(
                        ua.NodeId(told.identifier, index), ua.AttributeIds.Value, _typed(told, kind)
                    )
        await asyncio.sleep(interval_s)


def _values(entry: Entry) -> Iterator[_Told]:
    if entry.payload is None:
        return
    document: dict[str, Any] = orjson.loads(entry.payload)
    at = instant(document.get("at"))
    for name, (_, place) in _ASSET.items():
        found = reduce(_member, place, document)
        yield _Told(f"{entry.key}#{name}", _counted(found), at, ua.StatusCodes.Good)
    for name, signal in document.get("signals", {}).items():
        code = _CODES.get(signal.get("quality"), ua.StatusCodes.Bad)
        if not signal.get("fresh") and code == ua.StatusCodes.Good:
            code = ua.StatusCodes.UncertainLastUsableValue
        yield _Told(f"{entry.key}/{name}", signal.get("value"), instant(signal.get("time")), code)


def _member(document: Any, name: str) -> Any:  # noqa: ANN401 – JSON
    return document.get(name) if document else None


def _counted(found: Any) -> Any:  # noqa: ANN401
    return len(cast("list[object]", found)) if isinstance(found, list) else found


def _typed(told: _Told, kind: ua.VariantType) -> ua.DataValue:
    value = None
    with suppress(ValueError, TypeError):  # a value of another type than the plant says is shown as none
        value = None if told.value is None else _CASTS[kind](told.value)
    at = told.at and told.at.replace(tzinfo=None)  # asyncua's times are UTC without saying so
    return ua.DataValue(
        ua.Variant(None) if value is None else ua.Variant(value, kind),
        StatusCode=ua.StatusCode(told.code),
        SourceTimestamp=at,
    )


def _datetime(text: str) -> datetime:
    at = instant(text)
    if at is None:
        raise ValueError(f"{text} is no instant")
    return at.replace(tzinfo=None)


_CASTS: Mapping[ua.VariantType, Callable[[Any], Any]] = {
    ua.VariantType.Double: float,
    ua.VariantType.Int32: int,
    ua.VariantType.String: str,
    ua.VariantType.DateTime: _datetime,
}
