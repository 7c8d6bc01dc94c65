"""Sparkplug's payloads, topics and STATE: what goes in comes out, and nothing but `Rejected` comes of nonsense."""

import gzip
import math
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import Rejected
from twin.wire.sparkplug import (
    DataSet,
    Metric,
    Parameter,
    Payload,
    Property,
    Template,
    Unreadable,
    decode,
    encode,
)
from twin.wire.sparkplug_payload import new_payload
from twin.wire.sparkplug_topic import Address, HostState, Kind, address, is_name, state
from twin.wire.sparkplug_values import SIGNED, DataType, from_wire, to_wire

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FLOATS = st.floats(allow_nan=False)
FLOATS32 = st.floats(width=32, allow_nan=False)
UINT64 = st.integers(0, 2**64 - 1)
UNTERMINATED = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9)


def whole(bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else st.integers(0, 2**bits - 1)


def many(elements: st.SearchStrategy) -> st.SearchStrategy[tuple]:
    return st.lists(elements, max_size=20).map(tuple)


SCALARS: dict[DataType, st.SearchStrategy] = {
    **{kind: whole(bits, signed=True) for kind, bits in SIGNED.items()},
    DataType.UINT8: whole(8, signed=False),
    DataType.UINT16: whole(16, signed=False),
    DataType.UINT32: whole(32, signed=False),
    DataType.UINT64: UINT64,
    DataType.DATE_TIME: UINT64,
    DataType.FLOAT: FLOATS32,
    DataType.DOUBLE: FLOATS,
    DataType.BOOLEAN: st.booleans(),
    DataType.STRING: TEXT,
    DataType.TEXT: TEXT,
    DataType.UUID: st.uuids().map(str),
}
ARRAYS: dict[DataType, st.SearchStrategy] = {
    DataType.INT8_ARRAY: many(whole(8, signed=True)),
    DataType.INT16_ARRAY: many(whole(16, signed=True)),
    DataType.INT32_ARRAY: many(whole(32, signed=True)),
    DataType.INT64_ARRAY: many(whole(64, signed=True)),
    DataType.UINT8_ARRAY: many(whole(8, signed=False)),
    DataType.UINT16_ARRAY: many(whole(16, signed=False)),
    DataType.UINT32_ARRAY: many(whole(32, signed=False)),
    DataType.UINT64_ARRAY: many(UINT64),
    DataType.FLOAT_ARRAY: many(FLOATS32),
    DataType.DOUBLE_ARRAY: many(FLOATS),
    DataType.BOOLEAN_ARRAY: many(st.booleans()),
    DataType.STRING_ARRAY: many(UNTERMINATED),
    DataType.DATE_TIME_ARRAY: many(UINT64),
}


def refusal(data: bytes) -> str:
    """Why it is no payload, "" when it is one; any exception but `Rejected` fails the test."""
    try:
        decode(data)
    except Rejected as error:
        return error.reason
    return ""


@st.composite
def data_sets(draw: st.DrawFn) -> DataSet:
    types = tuple(draw(st.lists(st.sampled_from(list(SCALARS)), max_size=4)))
    row = st.tuples(*(st.none() | SCALARS[kind] for kind in types))
    return DataSet(tuple(f"c{n}" for n in range(len(types))), types, tuple(draw(st.lists(row, max_size=4))))


@st.composite
def scalar_properties(draw: st.DrawFn) -> Property:
    kind = draw(st.sampled_from(list(SCALARS)))
    return Property(draw(st.none() | SCALARS[kind]), kind)


SETS = st.dictionaries(TEXT, scalar_properties(), max_size=3)
PROPERTIES = st.dictionaries(
    TEXT,
    scalar_properties()
    | SETS.map(lambda one: Property(one, DataType.PROPERTY_SET))
    | many(SETS).map(lambda some: Property(some, DataType.PROPERTY_SET_LIST)),
    max_size=3,
)


@st.composite
def metrics(draw: st.DrawFn, *, nested: bool = True) -> Metric:
    values = {
        **SCALARS, **ARRAYS, DataType.BYTES: st.binary(), DataType.FILE: st.binary(), DataType.DATA_SET: data_sets(),
    }  # fmt: skip
    if nested:
        values[DataType.TEMPLATE] = templates()
    kind = draw(st.sampled_from(list(values)))
    return Metric(
        name=draw(st.none() | TEXT),
        value=draw(st.none() | values[kind]),
        datatype=kind,
        timestamp_ms=draw(st.none() | UINT64),
        alias=draw(st.none() | UINT64),
        is_historical=draw(st.booleans()),
        is_transient=draw(st.booleans()),
        properties=draw(PROPERTIES),
    )


def templates() -> st.SearchStrategy[Template]:
    parameter = st.sampled_from(list(SCALARS)).flatmap(
        lambda kind: st.builds(Parameter, TEXT, st.just(kind), st.none() | SCALARS[kind])
    )
    return st.builds(
        Template, many(metrics(nested=False)), st.none() | TEXT, st.booleans(), st.none() | TEXT, many(parameter)
    )


@given(
    st.builds(
        Payload, many(metrics()), st.none() | UINT64, st.none() | UINT64, st.none() | TEXT, st.none() | st.binary()
    )
)
def test_what_is_encoded_comes_back(payload: Payload) -> None:
    assert decode(encode(payload)) == payload


@pytest.mark.parametrize("kind", [*SCALARS, *ARRAYS])
@given(data=st.data())
def test_every_datatype_survives_the_wire_also_without_being_named(kind: DataType, data: st.DataObject) -> None:
    value = data.draw({**SCALARS, **ARRAYS}[kind])
    named = decode(encode(Payload((Metric("m", value, kind),)))).metrics[0]
    assert named == Metric("m", value, kind)
    message = new_payload()
    message.ParseFromString(encode(Payload((Metric("m", value, kind),))))
    message.metrics[0].ClearField("datatype")
    unnamed = decode(message.SerializeToString()).metrics[0]
    assert unnamed.datatype is None
    assert unnamed.typed(kind) == named


@given(st.binary(max_size=400))
def test_random_octets_are_rejected_or_read(data: bytes) -> None:
    assert refusal(data) in ("", "malformed")


@given(payload=st.builds(Payload, many(metrics())), data=st.data())
def test_a_damaged_payload_is_rejected_or_read(payload: Payload, data: st.DataObject) -> None:
    octets = bytearray(encode(payload))
    for at in data.draw(st.lists(st.integers(0, max(0, len(octets) - 1)), max_size=5)):
        if octets:
            octets[at] = data.draw(st.integers(0, 255))
    assert refusal(bytes(octets[: data.draw(st.integers(0, len(octets)))])) in ("", "malformed")


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (DataType.INT8, 4_294_967_291, -5),
        (DataType.INT16, 4_294_967_291, -5),
        (DataType.INT32, 4_294_967_291, -5),
        (DataType.INT8, 251, -5),  # of its own width, as Eclipse Tahu's Python writes it
        (DataType.INT16, 65_531, -5),
        (DataType.INT32, 2**64 - 5, -5),
        (DataType.INT64, 2**64 - 5, -5),
        (DataType.UINT32, 4_294_967_291, 4_294_967_291),
        (DataType.BOOLEAN, 1, True),
        (DataType.DOUBLE, 3, 3.0),
    ],
)
def test_what_libraries_write_is_understood(kind: DataType, raw: int, value: object) -> None:
    assert from_wire(raw, kind) == value


def test_negative_integers_are_written_as_the_reference_libraries_do() -> None:
    assert to_wire(-5, DataType.INT8) == ("int_value", 4_294_967_291)
    assert to_wire(-5, DataType.INT64) == ("long_value", 2**64 - 5)
    assert to_wire(
        (False, False, True, True, False, True, False, False, True, True, False, True), DataType.BOOLEAN_ARRAY
    ) == (
        "bytes_value",
        b"\x0c\x00\x00\x00\x34\xd0",
    )  # fmt: skip - the example of the specification


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (DataType.INT8, 300),
        (DataType.INT8, 4_294_967_000),
        (DataType.UINT8, 256),
        (DataType.INT32, 2**40),
        (DataType.BOOLEAN, 2),
        (DataType.STRING, 1),
        (DataType.DOUBLE, "1"),
        (DataType.INT16_ARRAY, b"\0\0\0"),
        (DataType.STRING_ARRAY, b"no end"),
        (DataType.STRING_ARRAY, b"\xff\0"),
        (DataType.BOOLEAN_ARRAY, struct.pack("<I", 2**32 - 1) + b"\xff"),
        (DataType.BOOLEAN_ARRAY, b"\0"),
    ],
)
def test_a_value_that_does_not_fit_is_never_guessed(kind: DataType, raw: object) -> None:
    with pytest.raises(Rejected) as error:
        from_wire(raw, kind)
    assert error.value.reason == "malformed"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (DataType.INT8, 128),
        (DataType.UINT8, -1),
        (DataType.UINT64, 2**64),
        (DataType.INT32, True),
        (DataType.DOUBLE, "1"),
        (DataType.STRING, "\ud800"),
        (DataType.STRING_ARRAY, ("a\0b",)),
        (DataType.FLOAT_ARRAY, (1e300,)),
        (DataType.DATA_SET, 1.0),
        (DataType.PROPERTY_SET, 1),
    ],
)
def test_a_value_of_another_type_is_not_encoded(kind: DataType, value: object) -> None:
    with pytest.raises(Rejected) as error:
        encode(Payload((Metric("m", value, kind),)))
    assert error.value.reason == "not-encodable"


def test_one_bad_metric_does_not_take_the_others_along() -> None:
    message = new_payload()
    message.metrics.add(name="bad", datatype=1, int_value=300)
    message.metrics.add(name="no such datatype", datatype=99, int_value=1)
    message.metrics.add(name="crooked", datatype=16).dataset_value.num_of_columns = 3
    message.metrics.add(name="good", datatype=10, double_value=1.5)
    found = decode(message.SerializeToString()).metrics
    assert [type(metric.value) for metric in found] == [Unreadable, Unreadable, Unreadable, float]
    assert [metric.name for metric in found][-1] == "good"


def test_a_compressed_payload_is_read_and_one_that_has_no_end_refused() -> None:
    inner = Payload((Metric("m", 1.5, DataType.DOUBLE),), 1_000, 7)
    for body in (zlib.compress(encode(inner)), gzip.compress(encode(inner))):
        assert decode(encode(Payload(uuid="SPBV1.0_COMPRESSED", body=body))) == inner
    for body in (zlib.compress(bytes(17 << 20)), zlib.compress(encode(inner))[:-5], b"nonsense"):
        assert refusal(encode(Payload(uuid="SPBV1.0_COMPRESSED", body=body))) == "malformed"


def test_nan_is_a_value() -> None:
    value = decode(encode(Payload((Metric("m", math.nan, DataType.DOUBLE),)))).metrics[0].value
    assert isinstance(value, float)
    assert math.isnan(value)


def test_templates_without_end_are_refused() -> None:
    template = Template(())
    for _ in range(30):
        template = Template((Metric("inner", template, DataType.TEMPLATE),))
    octets = encode(Payload((Metric("outer", template, DataType.TEMPLATE),)))
    assert "deeper" in repr(decode(octets))


def test_topics_are_read_and_written() -> None:
    for text in ("spBv1.0/plant 1/NBIRTH/line", "spBv1.0/plant 1/DDATA/line/press.3"):
        found = address(text)
        assert found is not None
        assert found.topic == text
    assert address("spBv1.0/g/DDEATH/n/d") == Address("g", Kind.DDEATH, "n", "d")
    for text in (
        "spBv1.0/g/NDATA/n/d",
        "spBv1.0/g/DDATA/n",
        "spBv1.0/STATE/h",
        "spAv1.0/g/NDATA/n",
        "spBv1.0//NDATA/n",
        "a",
    ):
        assert address(text) is None
    assert state("h") == "spBv1.0/STATE/h"
    assert [is_name(text) for text in ("a b", "", "a/b", "+", "#", "STATE")] == [True, *[False] * 5]


@given(st.booleans(), st.integers(0, 2**63 - 1))
def test_states_come_back(online: bool, timestamp_ms: int) -> None:
    one = HostState(online, timestamp_ms)
    assert HostState.from_json(one.to_json()) == one


@given(
    st.binary()
    | st.sampled_from([b"OFFLINE", b'{"online": 1, "timestamp": 1}', b'{"online": true}', b"[" * 4000, b"9" * 5000])
)
def test_a_state_that_is_none_is_rejected(data: bytes) -> None:
    with pytest.raises(Rejected):
        HostState.from_json(data)
