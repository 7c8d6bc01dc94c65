"""The bulk decoder against asyncua's own, over every scalar type, mask, status and time."""

import json
import math
import struct
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from asyncua import ua
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary, to_binary
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.sources.opcua_decode import MOST_AT_ONCE, Decoder
from edge.sources.opcua_events import Events
from edge.sources.opcua_message import Publication
from edge.sources.opcua_value import EPOCH_TICKS, nanoseconds, number, quality_of, text
from twin.wire.reading import Quality, Reading

RECEIVED_NS = 1_700_000_000_123_456_789
T0 = EPOCH_TICKS + 17_000_000_000_000_000
DATA_CHANGE = b"\1\0\x2b\3"
KINDS = {1: "?", 2: "b", 3: "B", 4: "h", 5: "H", 6: "i", 7: "I", 8: "q", 9: "Q", 10: "f", 11: "d"}
SIZES = {2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 4, 8: 8, 9: 8}


def integers(kind: int) -> st.SearchStrategy[int]:
    bits = 8 * SIZES[kind]
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if kind % 2 == 0 else st.integers(0, 2**bits - 1)


RANGES = {
    1: st.booleans(),
    **{kind: integers(kind) for kind in SIZES},
    10: st.floats(width=32),
    11: st.floats(),
    12: st.one_of(st.none(), st.text(max_size=30)),
}
STATUSES = (0, 0x40000000, 0x80050000, 0x80350000, 0x00000480, 0x408F0000, 0xC0000000)


def encode(
    handle: int,
    mask: int,
    kind: int,
    value: object,
    status: int,
    source: int,
    server: int,
    pico: int,
    *,
    as_asyncua: bool = False,
) -> bytes:
    """A MonitoredItemNotification, byte by byte after Part 6 (5.2.2.17); asyncua swaps the two fields in the middle."""
    out = struct.pack("<IB", handle, mask)
    if mask & 1:
        out += struct.pack("<B", kind)
        if kind == 12:
            raw = None if value is None else str(value).encode()
            out += struct.pack("<i", -1 if raw is None else len(raw)) + (raw or b"")
        else:
            out += struct.pack("<" + KINDS[kind], value)
    after = [(2, "I", status), (4, "q", source), (16, "H", pico), (8, "q", server), (32, "H", pico)]
    if as_asyncua:
        after[2], after[3] = after[3], after[2]
    for bit, code, field in after:
        if mask & bit:
            out += struct.pack("<" + code, field)
    return out


def notification(items: list[bytes]) -> bytes:
    return struct.pack("<i", len(items)) + b"".join(items) + struct.pack("<i", -1)


def decoded(body: bytes, texts: dict[int, bool]) -> Publication:
    return Decoder(texts).publish_response(response([extension(DATA_CHANGE, body)]), RECEIVED_NS)


def by_asyncua(body: bytes) -> list[ua.MonitoredItemNotification]:
    return struct_from_binary(ua.DataChangeNotification, ua.utils.Buffer(body)).MonitoredItems


def microseconds(at: datetime | None) -> int:
    if at is None:
        return 0
    elapsed = at.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds


def assert_same(reading: Reading, item: ua.MonitoredItemNotification, *, is_text: bool) -> None:
    value = item.Value
    assert reading.handle == item.ClientHandle
    raw = value.Value.Value if value.Value is not None else None
    expected = text(raw) if is_text else number(raw)
    if isinstance(expected, float) and math.isnan(expected):
        assert math.isnan(reading.value)
    else:
        assert reading.value == expected
        assert type(reading.value) is type(expected)
    status = value.StatusCode.value if value.StatusCode is not None else 0
    severity = quality_of(status) if raw is not None else max(quality_of(status), Quality.BAD)
    assert reading.quality & Quality.SEVERITY == severity or (raw is None and reading.quality & Quality.SEVERITY)
    source_us, server_us = microseconds(value.SourceTimestamp), microseconds(value.ServerTimestamp)
    assert reading.server_ns // 1000 == server_us
    if source_us > 0:
        assert reading.source_ns // 1000 == source_us
        assert not reading.quality & Quality.TIME_ADJUSTED
    else:
        assert reading.source_ns // 1000 >= (server_us or RECEIVED_NS // 1000)
        assert reading.quality & Quality.TIME_ADJUSTED
    assert reading.received_ns == RECEIVED_NS


@st.composite
def items(draw: st.DrawFn) -> list[tuple]:
    """Arguments of `encode`."""
    uniform = draw(st.booleans())
    ticks = draw(st.sampled_from([st.integers(0, 2**40), st.integers(0, 1), st.just(7)]))  # of one time, too
    shape = draw(st.tuples(st.integers(0, 63), st.sampled_from(sorted(RANGES))))
    out = []
    for _ in range(draw(st.integers(0, 12))):
        mask, kind = shape if uniform else draw(st.tuples(st.integers(0, 63), st.sampled_from(sorted(RANGES))))
        out.append(
            (
                draw(st.integers(0, 9)) + (10 if kind == 12 else 0),
                mask,
                kind,
                draw(RANGES[kind]),
                draw(st.sampled_from(STATUSES)),
                T0 + 10 * draw(ticks),
                T0 + 10 * draw(ticks),
                draw(st.integers(0, 9_999)),
            )
        )
    return out


@given(items())
@settings(max_examples=400, deadline=None)
def test_the_bulk_decoder_finds_what_asyncua_finds(encoded: list[tuple]) -> None:
    publication = decoded(
        notification([encode(*item) for item in encoded]), {handle: handle >= 10 for handle in range(20)}
    )
    assert publication.malformed == ""
    remaining = by_asyncua(notification([encode(*item, as_asyncua=True) for item in encoded]))
    assert len(publication.readings) == len(remaining)
    by_handle: dict[int, list[ua.MonitoredItemNotification]] = {}
    for item in remaining:
        by_handle.setdefault(item.ClientHandle, []).append(item)
    for reading in publication.readings:
        candidates = by_handle[reading.handle]
        for place, item in enumerate(candidates):
            try:
                assert_same(reading, item, is_text=reading.handle >= 10)
            except AssertionError:
                continue
            del candidates[place]
            break
        else:
            pytest.fail(f"{reading} is nowhere in {candidates}")


@pytest.mark.parametrize("kind", sorted(RANGES))
@pytest.mark.parametrize("mask", range(64))
def test_every_type_and_mask_decodes_like_asyncua_alone_and_in_a_column(kind: int, mask: int) -> None:
    value = {1: True, 10: 1.5, 11: -2.25, 12: "é"}.get(kind, 7)
    for count in (1, 8):
        many = [(h, mask, kind, value, 0x408F0000, T0 + h * 10, T0 + 70, 1234) for h in range(count)]
        publication = decoded(notification([encode(*item) for item in many]), dict.fromkeys(range(8), kind == 12))
        expected = by_asyncua(notification([encode(*item, as_asyncua=True) for item in many]))
        for reading, item in zip(publication.readings, expected, strict=True):
            assert_same(reading, item, is_text=kind == 12)


def test_a_long_column_is_decoded_like_its_items_one_by_one() -> None:
    many = [(h, 15, 11, h / 7, 0x480 if h == 700 else 0, T0 + h * 10, T0 + h, 0) for h in range(1, 1200)]
    many[900] = (901, 15, 11, 1.5, 0, 0, T0, 0)  # no source time: its block needs a closer look
    publication = decoded(notification([encode(*item) for item in many]), dict.fromkeys(range(1200), False))
    expected = by_asyncua(notification([encode(*item, as_asyncua=True) for item in many]))
    assert [publication.readings[place].handle for place in publication.overflowed] == [700]
    for reading, item in zip(publication.readings, expected, strict=True):
        assert_same(reading, item, is_text=False)


RARE = [
    (ua.Variant([1.0, 2.0], ua.VariantType.Double), "[1.0, 2.0]"),
    (ua.Variant(["a", "b"], ua.VariantType.String), '["a", "b"]'),
    (ua.Variant([[1, 2], [3, 4]], ua.VariantType.Int32), "[[1, 2], [3, 4]]"),
    (ua.Variant(ua.LocalizedText("Läuft", "de"), ua.VariantType.LocalizedText), "Läuft"),
    (ua.Variant(ua.QualifiedName("q", 3), ua.VariantType.QualifiedName), "q"),
    (ua.Variant(b"\x01\xff", ua.VariantType.ByteString), "01ff"),
    (ua.Variant(datetime(2026, 1, 2, 3, 4, 5, 6000, UTC), ua.VariantType.DateTime), "2026-01-02T03:04:05.006000Z"),
    (ua.Variant(ua.NodeId("x", 2), ua.VariantType.NodeId), "ns=2;s=x"),
    (ua.Variant(ua.StatusCode(0), ua.VariantType.StatusCode), None),
    (ua.Variant(ua.Range(1.0, 2.0), ua.VariantType.ExtensionObject), None),
    (ua.Variant(None, ua.VariantType.Null), ""),
    (ua.Variant([], ua.VariantType.Int32, is_array=True), "[]"),
]


@pytest.mark.parametrize(("variant", "expected"), RARE)
def test_rare_types_become_text_and_do_not_disturb_their_neighbours(variant: ua.Variant, expected: str | None) -> None:
    rare = struct.pack("<IB", 5, 13) + to_binary(ua.Variant, variant) + struct.pack("<qq", T0 + 10, T0 + 20)
    plain = encode(1, 13, 11, 2.5, 0, T0 + 30, T0 + 40, 0)
    publication = decoded(notification([plain, rare, plain]), {1: False, 5: True})
    assert publication.malformed == ""
    assert [reading.value for reading in publication.readings if reading.handle == 1] == [2.5, 2.5]
    (found,) = (reading for reading in publication.readings if reading.handle == 5)
    assert found.source_ns == nanoseconds(T0 + 10)
    assert found.server_ns == nanoseconds(T0 + 20)
    assert isinstance(found.value, str)
    if expected is not None:
        assert found.value == expected


def test_ticks_and_picoseconds_are_kept_to_the_nanosecond() -> None:
    body = notification([encode(h, 63, 11, 1.0, 0, T0 + 3, T0 + 7, 9_999) for h in range(5)])
    for reading in decoded(body, dict.fromkeys(range(5), False)).readings:
        assert reading.source_ns == (T0 + 3 - EPOCH_TICKS) * 100 + 99
        assert reading.server_ns == (T0 + 7 - EPOCH_TICKS) * 100


def test_values_without_any_time_get_times_of_their_own() -> None:
    body = notification([encode(1, 1, 11, float(n), 0, 0, 0, 0) for n in range(6)])
    times = [reading.source_ns for reading in decoded(body, {1: False}).readings]
    assert len(set(times)) == 6
    assert times == sorted(times)
    assert times[0] == RECEIVED_NS


@pytest.mark.parametrize("ticks", [0, 1, EPOCH_TICKS, 2**63 - 1, -5])
def test_a_source_time_out_of_range_is_replaced_and_flagged(ticks: int) -> None:
    body = notification([encode(1, 13, 11, 1.0, 0, ticks, T0, 0) for _ in range(5)])
    readings = decoded(body, {1: False}).readings
    assert readings[0].source_ns == nanoseconds(T0)
    assert all(reading.quality & Quality.TIME_ADJUSTED for reading in readings)


def test_the_overflow_bit_marks_its_reading_even_among_other_layouts() -> None:
    body = notification(
        [encode(1, 15, 11, 3.0, 0x480, T0 + 100, T0, 0)]
        + [encode(1, 13, 11, float(n), 0, T0 + 100 + n * 10, T0, 0) for n in range(1, 5)]
        + [encode(2, 13, 6, n, 0, T0 + n, T0, 0) for n in range(5)]
    )
    publication = decoded(body, {1: False, 2: False})
    assert [publication.readings[place][:3] for place in publication.overflowed] == [(1, nanoseconds(T0 + 100), 3.0)]


def test_items_that_nobody_asked_for_and_texts_in_numbers_are_rejected_alone() -> None:
    body = notification(
        [
            encode(1, 13, 11, 1.0, 0, T0, T0, 0),
            encode(9, 13, 11, 1.0, 0, T0, T0, 0),
            encode(1, 13, 12, "oops", 0, T0, T0, 0),
        ]
    )
    publication = decoded(body, {1: False})
    assert [reading.value for reading in publication.readings] == [1.0]
    assert {handle for handle, _ in publication.rejected} == {9, 1}


def test_a_bad_status_without_a_value_is_a_bad_reading_without_a_number() -> None:
    body = notification([encode(1, 14, 0, None, 0x80050000, T0, T0, 0)])
    (reading,) = decoded(body, {1: False}).readings
    assert math.isnan(reading.value)
    assert reading.quality == Quality.BAD


def response(notifications: list[bytes], number: int = 7) -> bytes:
    available = struct.pack("<iII", 2, 6, 7)
    return (
        struct.pack("<I", 3)
        + available
        + b"\0"
        + struct.pack("<Iqi", number, T0, len(notifications))
        + b"".join(notifications)
    )


def extension(kind: bytes, body: bytes) -> bytes:
    return kind + b"\1" + struct.pack("<i", len(body)) + body


@pytest.mark.parametrize("kind", [DATA_CHANGE, b"\2\0\0\x2b\3\0\0"])
def test_a_whole_publish_response_is_read_in_every_form_of_its_node_id(kind: bytes) -> None:
    body = response([extension(kind, notification([encode(1, 13, 11, 1.5, 0, T0, T0, 0)]))])
    publication = Decoder({1: False}).publish_response(body, RECEIVED_NS)
    assert (publication.subscription_id, publication.sequence_number, publication.available) == (3, 7, (6, 7))
    assert publication.carries_data
    assert [reading.value for reading in publication.readings] == [1.5]


def test_a_status_change_and_an_unknown_notification_are_told_apart() -> None:
    status = struct_to_binary(ua.StatusChangeNotification(Status=ua.StatusCode(ua.StatusCodes.BadTimeout)))
    body = response([extension(b"\1\0\x34\3", status), extension(b"\1\0\x94\3", b"\0\0\0\0")])
    publication = Decoder({}).publish_response(body, RECEIVED_NS)
    assert publication.status == ua.StatusCodes.BadTimeout
    assert publication.malformed == ""


def test_a_keep_alive_carries_no_data() -> None:
    assert not Decoder({}).publish_response(response([]), RECEIVED_NS).carries_data


def parts(decoder: Decoder, body: bytes) -> Iterator[Publication]:
    part = decoder.publish_response(body, RECEIVED_NS)
    while part is not None:
        yield part
        part = decoder.go_on(part)


@pytest.mark.parametrize("kinds", [(11,), (11, 6, 12)])
def test_a_message_of_any_size_is_read_in_parts_and_nothing_of_it_is_lost(kinds: tuple[int, ...]) -> None:
    """Two notifications, one of them of several parts; each item's values stay in their order."""
    values = {11: 1.5, 6: 3, 12: "text"}
    many = [
        encode(n % 7, 13, kind, values[kind], 0, T0 + 10 * n, T0, 0)
        for n in range(2 * MOST_AT_ONCE + 7)
        for kind in (kinds[n % len(kinds)],)
    ]
    body = response([extension(DATA_CHANGE, notification(many)), extension(DATA_CHANGE, notification(many[:3]))])
    decoder = Decoder(dict.fromkeys(range(7), 12 in kinds))
    found = list(parts(decoder, body))
    assert [len(one.readings) for one in found] == [MOST_AT_ONCE, MOST_AT_ONCE, 7 + 3]
    assert {(one.subscription_id, one.sequence_number, one.carries_data) for one in found} == {(3, 7, True)}
    assert not any(one.malformed for one in found)
    times = sorted(reading.source_ns for one in found for reading in one.readings)
    assert times == sorted(
        [nanoseconds(T0 + 10 * n) for n in range(len(many))] + [nanoseconds(T0 + 10 * n) for n in range(3)]
    )
    for handle in range(7):
        own = [reading.source_ns for one in found[:2] for reading in one.readings if reading.handle == handle]
        assert own == sorted(own) or len(kinds) > 1


def test_a_large_message_takes_little_more_memory_than_its_bytes() -> None:
    item = encode(1, 13, 11, 1.0, 0, T0, T0, 0)
    body = response([extension(DATA_CHANGE, notification([item] * 300_000))])
    decoder, count = Decoder({1: False}), 0
    tracemalloc.start()
    try:
        for part in parts(decoder, body):
            count += len(part.readings)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 300_000
    assert peak < 10_000_000, "all of it at once would take more than 60 MB"


def test_what_is_malformed_ends_the_message_and_what_came_before_it_stays() -> None:
    item = encode(1, 13, 11, 1.0, 0, T0, T0, 0)
    lie = struct.pack("<i", 30_000) + b"".join([item] * (MOST_AT_ONCE + 5))
    body = response([extension(DATA_CHANGE, lie)])
    first, last = parts(Decoder({1: False}), body)
    assert (len(first.readings), first.malformed) == (MOST_AT_ONCE, "")
    assert last.malformed
    assert last.rest is None


@pytest.mark.parametrize("variant", [b"\x80\xff\xff\xff\x7f", b"\x98\1\0\0\0\x80\xff\xff\xff\x7f"])
def test_an_array_of_two_thousand_million_nulls_takes_no_memory(variant: bytes) -> None:
    body = response([extension(DATA_CHANGE, notification([struct.pack("<IB", 1, 1) + variant]))])
    assert "array of nulls" in Decoder({1: True}).publish_response(body, RECEIVED_NS).malformed


def event(*fields: object) -> bytes:
    told = ua.EventFieldList(ClientHandle=1, EventFields=[ua.Variant(one) for one in fields])
    return struct_to_binary(ua.EventNotificationList(Events=[told]))


def test_an_event_becomes_a_text_once_at_its_own_time_and_two_of_one_time_a_microsecond_apart() -> None:
    when = datetime(2026, 11, 25, 3, 0, 0, 250, UTC)
    fields = (ua.NodeId(2915), when, "Tank", 500, ua.LocalizedText("too full"))
    decoder = Decoder({1: True}, Events({1: 0}))
    first, second = (response([extension(b"\1\0\x94\3", event(identity, *fields))]) for identity in (b"a", b"b"))
    found = [one for body in (first, second, first) for one in decoder.publish_response(body, RECEIVED_NS).readings]
    at_ns = round(when.timestamp()) * 10**9 + 250_000
    assert [(one.handle, one.source_ns) for one in found] == [(1, at_ns), (1, at_ns + 1000)]
    assert json.loads(str(found[0].value)) == {
        "id": "61", "type": "AlarmConditionType", "source": "Tank", "severity": 500, "message": "too full"
    }  # fmt: skip
    assert Decoder({1: True}, Events({1: 501})).publish_response(first, RECEIVED_NS).readings == []


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_mutated_events_never_raise(data: st.DataObject) -> None:
    told = event(b"a", ua.NodeId(2915), datetime(2026, 11, 25, tzinfo=UTC), "Tank", 500, ua.LocalizedText("too full"))
    good = bytearray(response([extension(b"\1\0\x94\3", told)]))
    for _ in range(data.draw(st.integers(1, 6))):
        good[data.draw(st.integers(17, len(good) - 1))] = data.draw(st.integers(0, 255))
    publication = Decoder({1: True}, Events({1: 0})).publish_response(bytes(good), RECEIVED_NS)
    assert all(reading.handle == 1 for reading in publication.readings)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_mutated_messages_never_raise_anything_but_struct_errors_and_never_invent_items(data: st.DataObject) -> None:
    encoded = data.draw(items())
    good = bytearray(response([extension(DATA_CHANGE, notification([encode(*item) for item in encoded]))]))
    for _ in range(data.draw(st.integers(1, 6))):
        good[data.draw(st.integers(17, len(good) - 1))] = data.draw(st.integers(0, 255))
    publication = Decoder(dict.fromkeys(range(20), False)).publish_response(bytes(good), RECEIVED_NS)
    assert all(0 <= reading.handle < 20 for reading in publication.readings)
