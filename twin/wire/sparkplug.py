"""Sparkplug B 3.0 payloads: what edge nodes and host applications say to each other about metrics.

In: frozen dataclasses. Out: the octets of one MQTT message; and back. A payload that is none is `Rejected` as a whole;
a metric in it whose value does not fit its datatype carries `Unreadable` in place of the value, so that the others
are not lost.
"""

from collections.abc import Mapping
from typing import Any, cast

from twin.errors import Rejected
from twin.wire.sparkplug_metric import (
    DataSet,
    Metric,
    Parameter,
    Payload,
    Property,
    PropertySet,
    Template,
    Unreadable,
    Value,
    meant,
)
from twin.wire.sparkplug_payload import new_payload, parse
from twin.wire.sparkplug_values import DataType, Scalar, datatype_of, from_wire, to_wire

__all__ = [
    "DataSet",
    "DataType",
    "Metric",
    "Parameter",
    "Payload",
    "Property",
    "PropertySet",
    "Template",
    "Unreadable",
    "decode",
    "encode",
]

MOST_DEPTH = 16  # of templates and property sets


def encode(payload: Payload) -> bytes:
    """One message.

    Raises:
        Rejected: 'not-encodable', when a value is none of its datatype.
    """
    message = new_payload()
    try:
        for name, value in (
            ("timestamp", payload.timestamp_ms),
            ("seq", payload.seq),
            ("uuid", payload.uuid),
            ("body", payload.body),
        ):
            if value is not None:
                setattr(message, name, value)
        for metric in payload.metrics:
            _write_metric(message.metrics.add(), metric)
        return message.SerializeToString()
    except (ValueError, TypeError) as error:  # protobuf's words for a number or a text that does not fit its field
        raise Rejected("not-encodable", f"not a Sparkplug B payload: {error}"[:300]) from error


def decode(data: bytes) -> Payload:
    """Read one message.

    Raises:
        Rejected: 'malformed'.
    """
    message = parse(data)
    return Payload(
        tuple(_metric(metric) for metric in message.metrics),
        _optional(message, "timestamp"),
        _optional(message, "seq"),
        _optional(message, "uuid"),
        _optional(message, "body"),
    )


# --- out -----------------------------------------------------------------------------------------------------------


def _write_metric(message: Any, metric: Metric) -> None:  # noqa: ANN401
    for name, value in (("name", metric.name), ("alias", metric.alias), ("timestamp", metric.timestamp_ms)):
        if value is not None:
            setattr(message, name, value)
    if metric.datatype is not None:
        message.datatype = int(metric.datatype)
    if metric.is_historical:
        message.is_historical = True
    if metric.is_transient:
        message.is_transient = True
    if metric.properties:
        _write_properties(message.properties, metric.properties)
    _write_value(message, metric.value, metric.datatype)


def _write_value(message: Any, value: Value, datatype: DataType | None) -> None:  # noqa: ANN401
    if value is None:
        message.is_null = True
    elif isinstance(value, DataSet) and datatype in (DataType.DATA_SET, None):
        _write_data_set(message.dataset_value, value)
    elif isinstance(value, Template) and datatype in (DataType.TEMPLATE, None):
        _write_template(message.template_value, value)
    elif datatype is None:
        name = next((name for kind, name in _RAW_FIELDS if type(value) is kind), None)
        if name is None:
            raise Rejected("not-encodable", f"{value!r} needs a datatype"[:300])
        setattr(message, name, value)
    else:
        setattr(message, *to_wire(value, datatype))


_RAW_FIELDS = (
    (bool, "boolean_value"),
    (int, "long_value"),
    (float, "double_value"),
    (str, "string_value"),
    (bytes, "bytes_value"),
)


def _write_properties(message: Any, properties: PropertySet) -> None:  # noqa: ANN401
    for key, one in properties.items():
        message.keys.append(key)
        value = message.values.add(type=int(one.datatype))
        if one.value is None:
            value.is_null = True
        elif isinstance(one.value, Mapping):
            value.propertyset_value.SetInParent()
            _write_properties(value.propertyset_value, one.value)
        elif isinstance(one.value, tuple):
            value.propertysets_value.SetInParent()
            for element in one.value:
                _write_properties(value.propertysets_value.propertyset.add(), element)
        else:
            setattr(value, *to_wire(one.value, one.datatype))


def _write_data_set(message: Any, table: DataSet) -> None:  # noqa: ANN401
    message.num_of_columns = len(table.columns)
    message.columns.extend(table.columns)
    message.types.extend(int(datatype) for datatype in table.types)
    for row in table.rows:
        elements = message.rows.add().elements
        for value, datatype in zip(row, table.types, strict=True):
            element = elements.add()
            if value is not None:
                setattr(element, *to_wire(value, datatype))


def _write_template(message: Any, template: Template) -> None:  # noqa: ANN401
    message.is_definition = template.is_definition
    if template.reference is not None:
        message.template_ref = template.reference
    if template.version is not None:
        message.version = template.version
    for metric in template.metrics:
        _write_metric(message.metrics.add(), metric)
    for name, datatype, value in template.parameters:
        parameter = message.parameters.add(name=name, type=int(datatype))
        if value is not None:
            setattr(parameter, *to_wire(value, datatype))


# --- in ------------------------------------------------------------------------------------------------------------


def _optional(message: Any, name: str) -> Any:  # noqa: ANN401
    return getattr(message, name) if message.HasField(name) else None


def _metric(message: Any, depth: int = 0) -> Metric:  # noqa: ANN401
    datatype: DataType | None = None
    properties: PropertySet = {}
    try:
        datatype = datatype_of(message.datatype)
        value = None if message.is_null else _value(message, datatype, depth)
        if message.HasField("properties"):
            properties = _properties(message.properties)
    except Rejected as error:
        value = Unreadable(str(error))
    return Metric(
        _optional(message, "name"),
        value,
        datatype,
        _optional(message, "timestamp"),
        _optional(message, "alias"),
        message.is_historical,
        message.is_transient,
        properties,
    )


def _value(message: Any, datatype: DataType | None, depth: int) -> Value:  # noqa: ANN401
    name = message.WhichOneof("value")
    if name is None:
        return None
    raw: Any = getattr(message, name)
    if name == "dataset_value":
        raw = _data_set(raw)
    elif name == "template_value":
        raw = _template(raw, depth + 1)
    return raw if datatype is None else meant(raw, datatype)


def _scalar(message: Any, datatype: DataType | None) -> Scalar | None:  # noqa: ANN401
    name = message.WhichOneof("value")
    if name is None:
        return None
    raw = getattr(message, name)
    return raw if datatype is None else cast("Scalar", from_wire(raw, datatype))


def _data_set(message: Any) -> DataSet:  # noqa: ANN401
    types = tuple(datatype_of(number) or DataType.UNKNOWN for number in message.types)
    columns = tuple(message.columns)
    widths = {len(row.elements) for row in message.rows} | {len(types), len(columns), message.num_of_columns}
    if len(widths) != 1:
        raise Rejected("malformed", "a data set whose columns, types and rows are not of one width")
    rows = tuple(
        tuple(_scalar(element, datatype) for element, datatype in zip(row.elements, types, strict=True))
        for row in message.rows
    )
    return DataSet(columns, types, rows)


def _template(message: Any, depth: int) -> Template:  # noqa: ANN401
    if depth > MOST_DEPTH:
        raise Rejected("malformed", f"templates within templates, deeper than {MOST_DEPTH}")
    parameters: list[Parameter] = []
    for one in message.parameters:
        datatype = datatype_of(one.type)
        parameters.append(Parameter(one.name, datatype or DataType.UNKNOWN, _scalar(one, datatype)))
    return Template(
        tuple(_metric(metric, depth) for metric in message.metrics),
        _optional(message, "template_ref"),
        message.is_definition,
        _optional(message, "version"),
        tuple(parameters),
    )


def _properties(message: Any, depth: int = 0) -> PropertySet:  # noqa: ANN401
    if len(message.keys) != len(message.values) or depth > MOST_DEPTH:
        raise Rejected("malformed", "properties without a value each, or too deep")
    return {key: _property(value, depth) for key, value in zip(message.keys, message.values, strict=True)}


def _property(message: Any, depth: int) -> Property:  # noqa: ANN401
    datatype = datatype_of(message.type) or DataType.UNKNOWN
    name = message.WhichOneof("value")
    if message.is_null or name is None:
        return Property(None, datatype)
    if name == "propertyset_value":
        return Property(_properties(message.propertyset_value, depth + 1), datatype)
    if name == "propertysets_value":
        sets = message.propertysets_value.propertyset
        return Property(tuple(_properties(one, depth + 1) for one in sets), datatype)
    return Property(_scalar(message, None if datatype is DataType.UNKNOWN else datatype), datatype)
