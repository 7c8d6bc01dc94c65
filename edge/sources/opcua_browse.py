"""What a server has: its variables with their types, units, ranges and rights. Only browses and reads.

In: a channel, limits, where to look. Out: `Survey` of `Variable`s, in the order of the address space.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from edge.sources.opcua_channel import Channel, Refused
from edge.sources.opcua_library import TOO_MANY, Opaque, ua
from edge.sources.opcua_limits import Limits
from edge.sources.opcua_settings import split_node
from edge.sources.opcua_value import text
from edge.sources.opcua_variable import Progress, Survey, Variable, unseen

_Asked = TypeVar("_Asked")
_OBJECTS = ua.NodeId(ua.ObjectIds.ObjectsFolder)
_MOST_PER_BROWSE = 200
_MOST_PER_READ = 500
_PROPERTIES = ("EngineeringUnits", "EURange", "InstrumentRange", "EnumStrings", "EnumValues")
_ATTRIBUTES = (
    ua.AttributeIds.Value,
    ua.AttributeIds.DataType,
    ua.AttributeIds.ValueRank,
    ua.AttributeIds.UserAccessLevel,
    ua.AttributeIds.Description,
    ua.AttributeIds.MinimumSamplingInterval,
)
_CAN_READ, _CAN_READ_HISTORY = 1, 4  # bits of the access level
_MOST_SHOWN = 60  # characters of a present value


@dataclass(slots=True)
class _Node:
    id: Opaque
    path: tuple[str, ...]
    is_variable: bool
    properties: dict[str, Opaque] = field(default_factory=dict[str, Opaque])


async def in_calls(
    todo: Sequence[_Asked], most: int, ask: Callable[[list[_Asked]], Awaitable[list[Opaque]]]
) -> list[Opaque]:
    """The answers to all, in calls of at most `most` or as many as the server takes."""
    answers: list[Opaque] = []
    while len(answers) < len(todo):
        part = list(todo[len(answers) : len(answers) + most])
        try:
            answers += await ask(part)
        except Refused as error:
            if error.code not in TOO_MANY or len(part) == 1:
                raise
            most = len(part) // 2
    return answers


class Browser:
    """Walks the address space breadth first."""

    def __init__(
        self, channel: Channel, namespaces: Sequence[str], limits: Limits, progress: Progress = unseen
    ) -> None:
        self._channel: Channel = channel
        self._namespaces: Sequence[str] = namespaces
        self._limits: Limits = limits
        self._progress: Progress = progress

    async def survey(self, *, start: str | None = None, under: Sequence[str] = (), most_nodes: int = 10_000) -> Survey:
        """Every variable below the Objects folder (without the server's own), or below another node.

        Args:
            start: a node id.
            under: browse names from the start on; only that branch is walked.
            most_nodes: after so many the walk ends.

        Raises:
            Retryable: the connection failed.
            ValueError: the start is no node id, or its namespace is not there.
        """
        first = _Node(_OBJECTS if start is None else self.resolve(start), (), is_variable=False)
        found, seen = Survey(), {first.id}
        level, variables = [first], list[_Node]()
        below: list[_Node] = []
        while level:
            below = []
            for parent, references in zip(level, await self._references(level), strict=True):
                for reference in references:
                    node = self._note(parent, reference, under)
                    if node is None or node.id in seen:
                        continue
                    if found.visited >= most_nodes:
                        found.complete = False
                        break
                    seen.add(node.id)
                    found.visited += 1
                    below.append(node)
            variables += [node for node in below if node.is_variable and len(node.path) > len(under) - 1]
            self._progress("browsed", found.visited, 0)
            level = below if found.complete else []
        if not found.complete and below:
            await self._own_properties(below)
        found.variables = await self.describe(variables)
        return found

    def resolve(self, node: str) -> Opaque:
        """The id of a node on this server.

        Raises:
            ValueError: it is none, or the server lacks the namespace.
        """
        uri, index, identifier = split_node(node)
        if uri is not None:
            if uri not in self._namespaces:
                raise ValueError(f"the server has no namespace {uri}")
            index = list(self._namespaces).index(uri)
        return ua.NodeId.from_string(f"ns={index};{identifier}")

    async def describe_nodes(self, nodes: Sequence[str]) -> list[Variable]:
        """What is known of these nodes; those that cannot be resolved are described as such."""
        known: list[_Node] = []
        for node in nodes:
            try:
                known.append(_Node(self.resolve(node), (node,), is_variable=True))
            except ValueError:
                known.append(_Node(ua.NodeId(), (node,), is_variable=True))
        await self._own_properties(known)
        found = await self.describe(known)
        return [_unresolved(node, one) for node, one in zip(nodes, found, strict=True)]

    async def describe(self, nodes: Sequence[_Node]) -> list[Variable]:
        """Read all that is told of these variables."""
        wanted = [(node.id, attribute) for node in nodes for attribute in _ATTRIBUTES]
        wanted += [(own, ua.AttributeIds.Value) for node in nodes for own in node.properties.values()]
        most = self._limits.nodes_per_read or _MOST_PER_READ
        done = 0

        async def ask(part: list[tuple[Opaque, int]]) -> list[Opaque]:
            nonlocal done
            answers = await self._channel.read_attributes(part, "the attributes of nodes")
            done += len(part)
            self._progress("read", done, len(wanted))
            return answers

        answers = iter(await in_calls(wanted, min(most, _MOST_PER_READ), ask))
        attributes = [[next(answers) for _ in _ATTRIBUTES] for _ in nodes]
        return [
            self._variable(node, own, {name: next(answers) for name in node.properties})
            for node, own in zip(nodes, attributes, strict=True)
        ]

    async def _references(self, nodes: Sequence[_Node]) -> list[list[Opaque]]:
        most = min(self._limits.nodes_per_browse or _MOST_PER_BROWSE, _MOST_PER_BROWSE)
        results = await in_calls([node.id for node in nodes], most, self._channel.browse)
        found = [list(result.References or ()) for result in results]
        points: dict[int, bytes] = {place: result.ContinuationPoint for place, result in enumerate(results)}
        while points := {place: point for place, point in points.items() if point}:
            more = await in_calls(list(points.values()), most, self._channel.browse_next)
            for place, result in zip(list(points), more, strict=True):
                found[place] += result.References or ()
                points[place] = result.ContinuationPoint
            points = {place: point for place, point in points.items() if point}
        return found

    async def _own_properties(self, nodes: Sequence[_Node]) -> None:
        for node, references in zip(nodes, await self._references(nodes), strict=True):
            for reference in references:
                self._note(node, reference, ())

    def _note(self, parent: _Node, reference: Opaque, under: Sequence[str]) -> _Node | None:
        """What a reference leads to, when it is to be walked; a property is kept with its variable."""
        target = reference.NodeId
        if getattr(target, "ServerIndex", 0):  # on another server
            return None
        node = ua.NodeId(target.Identifier, target.NamespaceIndex, target.NodeIdType)
        name = reference.BrowseName.Name or ""
        if reference.ReferenceTypeId == ua.NodeId(ua.ObjectIds.HasProperty):
            if parent.is_variable and name in _PROPERTIES:
                parent.properties[name] = node
            return None
        is_variable = reference.NodeClass == ua.NodeClass.Variable
        if node.NamespaceIndex == 0 and not is_variable:
            return None  # the server's own objects: capabilities, diagnostics, types
        place = len(parent.path)
        if place < len(under) and name.lower() != under[place].lower():
            return None
        return _Node(node, (*parent.path, name), is_variable)

    def _variable(self, node: _Node, own: Sequence[Opaque], properties: dict[str, Opaque]) -> Variable:
        value, data_type, rank, access, description, sampling = own
        told = {name: answer.Value.Value for name, answer in properties.items() if answer.Value is not None}
        low, high = _range(told.get("EURange") or told.get("InstrumentRange"))
        states = _states(told)
        type_, is_array = _type(value, data_type, rank)
        level = int(_told(access) or 0) if access.StatusCode.is_good() else _CAN_READ
        readable = bool(level & _CAN_READ) and not value.StatusCode.value >> 31
        return Variable(
            node=self._named(node.id),
            path=node.path,
            type=type_,
            is_array=is_array,
            is_enumeration=bool(states) or _is_enumeration(value, data_type),
            readable=readable,
            keeps_history=bool(level & _CAN_READ_HISTORY),
            status=value.StatusCode.name,
            value=text(value.Value.Value)[:_MOST_SHOWN] if value.Value is not None and not is_array else "",
            description=(getattr(_told(description), "Text", "") or "").strip(),
            unit=_unit(told.get("EngineeringUnits")),
            low=low,
            high=high,
            states=states,
            minimum_sampling_ms=max(0.0, float(_told(sampling) or 0.0)),
        )

    def _named(self, node: Opaque) -> str:
        """With the namespace's URI: its index may be another one after a restart."""
        identifier = str(node.to_string()).rpartition("ns=")[2].partition(";")
        plain = identifier[2] or str(node.to_string())
        index = node.NamespaceIndex
        if index == 0 or index >= len(self._namespaces):
            return str(node.to_string())
        return f"nsu={self._namespaces[index]};{plain}"


def _told(answer: Opaque) -> Opaque:
    told: Opaque = answer.Value.Value if answer.Value is not None and answer.StatusCode.is_good() else None
    return told


def _type(value: Opaque, data_type: Opaque, rank: Opaque) -> tuple[str, bool]:
    if value.Value is not None and value.Value.VariantType is not ua.VariantType.Null:
        return str(getattr(value.Value.VariantType, "name", "ExtensionObject")), bool(value.Value.is_array)
    wanted = _told(data_type)
    rank_ = _told(rank)
    is_array = rank_ is not None and rank_ >= 0
    if wanted is None or wanted.NamespaceIndex or wanted.Identifier not in range(1, 26):
        return "", is_array
    return str(ua.VariantType(wanted.Identifier).name), is_array


def _is_enumeration(value: Opaque, data_type: Opaque) -> bool:
    """An Int32 of a data type of its own."""
    wanted = _told(data_type)
    is_int32 = value.Value is not None and value.Value.VariantType is ua.VariantType.Int32
    return is_int32 and wanted is not None and wanted != ua.NodeId(ua.ObjectIds.Int32) and not _is_abstract(wanted)


def _is_abstract(data_type: Opaque) -> bool:
    return data_type in {ua.NodeId(getattr(ua.ObjectIds, name)) for name in ("Number", "Integer", "BaseDataType")}


def _range(value: Opaque) -> tuple[float | None, float | None]:
    if isinstance(value, ua.Range) and value.Low < value.High:
        return float(value.Low), float(value.High)
    return None, None


def _unit(value: Opaque) -> str:
    return (value.DisplayName.Text or "").strip() if isinstance(value, ua.EUInformation) else ""


def _states(told: dict[str, Opaque]) -> tuple[tuple[int, str], ...]:
    if told.get("EnumStrings"):
        return tuple((code, one.Text or "") for code, one in enumerate(told["EnumStrings"]))
    values = told.get("EnumValues") or ()
    return tuple((int(one.Value), one.DisplayName.Text or "") for one in values if isinstance(one, ua.EnumValueType))


def _unresolved(node: str, found: Variable) -> Variable:
    if found.node != "i=0" or node == "i=0":
        return found
    return Variable(node, (node,), "", False, False, False, False, "the server has no such namespace", "")
