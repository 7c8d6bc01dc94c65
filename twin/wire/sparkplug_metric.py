"""What a Sparkplug payload is made of: metrics, data sets, templates, properties. Pure.

In: what `twin.wire.sparkplug` has read. Out: frozen dataclasses; `Metric.typed` gives the raw value of a DATA message,
which names no datatype, its meaning once that is known.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Union, cast

from twin.errors import Rejected
from twin.wire.sparkplug_values import Array, DataType, Scalar, from_wire


@dataclass(frozen=True, slots=True)
class Unreadable:
    """In place of a value that is none of its datatype; in words."""

    detail: str


@dataclass(frozen=True, slots=True)
class DataSet:
    """A table; an element that is absent is None."""

    columns: tuple[str, ...]
    types: tuple[DataType, ...]
    rows: tuple[tuple[Scalar | None, ...], ...]


class Parameter(NamedTuple):
    """Of a template."""

    name: str
    datatype: DataType
    value: Scalar | None


@dataclass(frozen=True, slots=True)
class Template:
    """A structure: a definition, or an instance of the one that `reference` names."""

    metrics: "tuple[Metric, ...]"
    reference: str | None = None
    is_definition: bool = False
    version: str | None = None
    parameters: tuple[Parameter, ...] = ()


PropertySet = Mapping[str, "Property"]
Value = Union[Scalar, Array, DataSet, Template, Unreadable, None]  # noqa: UP007 - names that come later


class Property(NamedTuple):
    """One property of a metric; a null value is None."""

    value: "Scalar | PropertySet | tuple[PropertySet, ...] | None"
    datatype: DataType


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of a payload."""

    name: str | None = None
    value: Value = None  # None = null; raw while `datatype` is None
    datatype: DataType | None = None
    timestamp_ms: int | None = None
    alias: int | None = None
    is_historical: bool = False
    is_transient: bool = False
    properties: PropertySet = field(default_factory=dict[str, Property])

    def typed(self, datatype: DataType) -> "Metric":
        """With the datatype of its birth, where it names none itself."""
        if self.datatype is not None:
            return self
        return replace(self, datatype=datatype, value=meant(self.value, datatype))


@dataclass(frozen=True, slots=True)
class Payload:
    """What one message says."""

    metrics: tuple[Metric, ...] = ()
    timestamp_ms: int | None = None
    seq: int | None = None
    uuid: str | None = None
    body: bytes | None = None


def meant(raw: Value, datatype: DataType) -> Value:
    """A raw value as its datatype means it; `Unreadable` when it is none of that type."""
    if raw is None or isinstance(raw, Unreadable):
        return raw
    wanted = {DataType.DATA_SET: DataSet, DataType.TEMPLATE: Template}.get(datatype)
    if wanted is not None or isinstance(raw, DataSet | Template):
        matches = wanted is not None and isinstance(raw, wanted)
        return raw if matches else Unreadable(f"a {type(raw).__name__} stands where a {datatype.name} should")
    try:
        return from_wire(cast("Scalar", raw), datatype)
    except Rejected as error:
        return Unreadable(str(error))
