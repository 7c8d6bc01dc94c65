"""The door to protobuf: the message class of a Sparkplug B 3.0 payload, built from its field numbers without protoc.

In: octets. Out: a protobuf message for `twin.wire.sparkplug`, or `Rejected`. Names and numbers are those of
sparkplug_b.proto in the specification; extensions are left out, which a reader skips as unknown fields.
"""

import zlib
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from twin.errors import Rejected

MOST_BYTES = 16 << 20
COMPRESSED = "SPBV1.0_COMPRESSED"  # the uuid of a payload whose body is another one, by deflate or gzip; before 3.0

_PACKAGE = "fabriquay.sparkplug"
_LABELS = {"optional": 1, "repeated": 3}
_TYPES = {"double": 1, "float": 2, "uint64": 4, "bool": 8, "string": 9, "bytes": 12, "uint32": 13}
_ANY_HEADER = zlib.MAX_WBITS | 32  # of zlib or gzip
_MESSAGE = 11  # a type that is none of the scalars is a message
_VALUE = "oneof"  # the alternatives of a message's value

# message → its fields; "oneof" fields share one place. The scalars of every value stand in the same order.
_FIELDS: dict[str, str] = {
    "Payload": """
        optional uint64 timestamp 1; repeated Metric metrics 2; optional uint64 seq 3; optional string uuid 4;
        optional bytes body 5""",
    "Metric": """
        optional string name 1; optional uint64 alias 2; optional uint64 timestamp 3; optional uint32 datatype 4;
        optional bool is_historical 5; optional bool is_transient 6; optional bool is_null 7;
        optional PropertySet properties 9; oneof uint32 int_value 10; oneof uint64 long_value 11;
        oneof float float_value 12; oneof double double_value 13; oneof bool boolean_value 14;
        oneof string string_value 15; oneof bytes bytes_value 16; oneof DataSet dataset_value 17;
        oneof Template template_value 18""",
    "PropertySet": "repeated string keys 1; repeated PropertyValue values 2",
    "PropertySetList": "repeated PropertySet propertyset 1",
    "PropertyValue": """
        optional uint32 type 1; optional bool is_null 2; oneof uint32 int_value 3; oneof uint64 long_value 4;
        oneof float float_value 5; oneof double double_value 6; oneof bool boolean_value 7;
        oneof string string_value 8; oneof PropertySet propertyset_value 9;
        oneof PropertySetList propertysets_value 10""",
    "DataSet": """
        optional uint64 num_of_columns 1; repeated string columns 2; repeated uint32 types 3; repeated Row rows 4""",
    "Row": "repeated DataSetValue elements 1",
    "DataSetValue": """
        oneof uint32 int_value 1; oneof uint64 long_value 2; oneof float float_value 3; oneof double double_value 4;
        oneof bool boolean_value 5; oneof string string_value 6""",
    "Template": """
        optional string version 1; repeated Metric metrics 2; repeated Parameter parameters 3;
        optional string template_ref 4; optional bool is_definition 5""",
    "Parameter": """
        optional string name 1; optional uint32 type 2; oneof uint32 int_value 3; oneof uint64 long_value 4;
        oneof float float_value 5; oneof double double_value 6; oneof bool boolean_value 7;
        oneof string string_value 8""",
}


def new_payload() -> Any:  # noqa: ANN401 - protobuf makes its classes at run time
    """An empty payload message."""
    return _MESSAGES()


def parse(data: bytes) -> Any:  # noqa: ANN401
    """A payload message.

    Raises:
        Rejected: 'malformed'.
    """
    if len(data) > MOST_BYTES:
        raise Rejected("malformed", f"a Sparkplug payload of {len(data)} bytes is not allowed")
    message = new_payload()
    try:
        message.ParseFromString(data)
        if message.uuid == COMPRESSED:
            message.ParseFromString(_inflated(message.body))
    except (DecodeError, ValueError, zlib.error) as error:  # ValueError: a text that is not UTF-8
        raise Rejected("malformed", f"not a Sparkplug B payload: {error}") from error
    return message


def _inflated(body: bytes) -> bytes:
    stream = zlib.decompressobj(_ANY_HEADER)
    data = stream.decompress(body, MOST_BYTES)
    if not stream.eof:
        raise ValueError(f"a compressed payload that does not end within {MOST_BYTES} bytes")
    return data


def _build() -> Any:  # noqa: ANN401
    file: Any = descriptor_pb2.FileDescriptorProto(name="sparkplug_b.proto", package=_PACKAGE, syntax="proto2")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for text in fields.split(";"):
            label, kind, field_name, number = text.split()
            field = message.field.add(name=field_name, number=int(number), label=_LABELS.get(label, 1))
            field.type = _TYPES.get(kind, _MESSAGE)
            if kind not in _TYPES:
                field.type_name = f".{_PACKAGE}.{kind}"
            if label == _VALUE:
                field.oneof_index = 0
                if not message.oneof_decl:
                    message.oneof_decl.add(name="value")
    pool: Any = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Payload"))


_MESSAGES: Any = _build()
