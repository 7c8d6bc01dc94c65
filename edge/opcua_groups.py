"""The compact form of many alike OPC UA items. In: groups with templates, from YAML. Out: `OpcUaItem`s.

A group names the nodes of alike units by a template: ``node: "nsu=…;s={unit}.{signal}"`` with ``{signal}`` for the
names under `signals` and the other captures from `where`.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from edge import template
from edge.mapping_settings import Kind
from edge.priority import Word
from edge.sources.opcua_settings import OpcUaItem, OpcUaSettings
from edge.thin_settings import Thin
from twin.settings import Key, Settings


class GroupedSignal(Settings):
    """One signal of every unit of a group."""

    kind: Kind = "measurement"
    unit: str = ""
    node: str | None = None  # template, instead of the group's
    sampling_ms: Annotated[float, Field(ge=0, le=86_400_000)] | None = None
    queue: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    deadband: Annotated[float, Field(gt=0)] | None = None
    priority: Word | None = None  # instead of the group's
    thin: Thin | None = None

    @model_validator(mode="after")
    def _a_text_is_no_quantity(self) -> Self:
        if self.kind == "text" and (self.unit or self.deadband is not None):
            raise ValueError("a text has no unit and no deadband; remove them or choose another kind")
        if self.thin is not None:
            self.thin.refuse(self.kind)
        if self.kind == "state" and self.unit:
            raise ValueError("a state has no unit; remove it or choose another kind")
        return self


class OpcUaGroup(Settings):
    """Alike units and the signals that each of them has."""

    asset: str
    node: str
    where: dict[str, str | tuple[str, ...] | dict[str, str]] = Field(default_factory=dict[str, Any])
    sampling_ms: Annotated[float, Field(ge=0, le=86_400_000)] | None = None
    queue: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    priority: Word = "normal"
    signals: Annotated[dict[str, GroupedSignal], Field(min_length=1)]

    @model_validator(mode="after")
    def _captures_are_known(self) -> Self:
        nodes = [self.node, *(signal.node or "" for signal in self.signals.values())]
        for text in [self.asset, *nodes]:
            for name in template.names(text):
                if name != "signal" and name not in self.where:
                    raise ValueError(f"{text!r}: say under where what {{{name}}} may be, e.g. {name}: [a-1, a-2]")
        if "signal" in template.names(self.asset):
            raise ValueError("asset: {signal} is appended by itself; leave it out")
        for name in self.where:
            if name not in template.names(self.asset):
                raise ValueError(f"where: {{{name}}} does not stand in asset {self.asset!r}; remove it or use it there")
        if template.count(self.where, tuple(self.where)) * len(self.signals) > template.MOST_COMBINATIONS:
            raise ValueError(f"stands for more than {template.MOST_COMBINATIONS:,} items; split it")
        return self


class OpcUaSection(OpcUaSettings):
    """An OPC UA source as it stands in the file."""

    items: tuple[OpcUaItem, ...] = ()
    groups: tuple[OpcUaGroup, ...] = ()


def grouped_items(section: OpcUaSection) -> Iterator[tuple[list[Key], OpcUaItem | ValidationError]]:
    """Every item of the groups with its place in the source, or why it cannot be one."""
    for index, group in enumerate(section.groups):
        for words, plants in template.combinations(group.where, tuple(group.where)):
            asset = template.substitute(group.asset, plants)
            for name, signal in group.signals.items():
                yield ["groups", index, "signals", name], _item(group, signal, words, f"{asset}/{name}")


def _item(group: OpcUaGroup, signal: GroupedSignal, words: dict[str, str], path: str) -> OpcUaItem | ValidationError:
    name = path.rpartition("/")[2]
    try:
        return OpcUaItem(
            node=template.substitute(signal.node or group.node, {**words, "signal": name}),
            signal=path,
            kind=signal.kind,
            unit=signal.unit,
            sampling_ms=group.sampling_ms if signal.sampling_ms is None else signal.sampling_ms,
            queue=group.queue if signal.queue is None else signal.queue,
            deadband=signal.deadband,
            priority=signal.priority or group.priority,
            thin=signal.thin,
        )
    except ValidationError as error:
        return error
