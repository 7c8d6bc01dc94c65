"""MQTT messages as they are found in the wild become readings; anything else is refused with a reason."""

import json
import math
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.mapping import MOST_BYTES, Incoming, MappedMessage, TopicMapping, topic_filter
from edge.mapping_settings import MqttTopic
from twin.errors import Rejected
from twin.wire.reading import Quality

NAIVE_1970 = datetime(1970, 1, 2)  # noqa: DTZ001 - Hypothesis draws wall times
NOW_NS = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z


def mapping(*topics: dict[str, Any]) -> tuple[TopicMapping, dict[int, str]]:
    parsed = [MqttTopic.model_validate(topic) for topic in topics]
    paths = [path for topic in parsed for path, _ in topic.feeds()]
    return TopicMapping(parsed, {path: handle for handle, path in enumerate(paths)}), dict(enumerate(paths))


def send(topic: dict[str, Any], name: str, payload: Any, *, retained: bool = False) -> MappedMessage:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return mapping(topic)[0].read(Incoming(name, raw, NOW_NS, retained))


def values(topic: dict[str, Any], name: str, payload: Any) -> dict[str, Any]:
    made, paths = mapping(topic)
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    mapped = made.read(Incoming(name, raw, NOW_NS, retained=False))
    return {paths[reading.handle].rpartition("/")[2]: reading.value for reading in mapped.readings}


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000) * 1_000_000


UMH = {
    "topic": "umh/v1/ent/site/{unit}/_raw/{signal}",
    "asset": "site/area/{unit}",
    "where": {"unit": {"Press3": "press-3"}},
    "time": {"at": "/timestamp_ms", "format": "ms"},
    "signals": {
        "temperature": {"value": "/value", "unit": "degC", "match": {"signal": "Temp"}},
        "count": {"value": "/value", "kind": "counter"},
        "program": {"value": "/value", "kind": "text"},
        "mode": {"value": "/value", "kind": "state", "words": {"AUTOMATIC": 1, "MANUAL": 2}},
    },
}
TIC = {
    "topic": "terminal/tic/{crane}",
    "asset": "terminal/quay/{crane}",
    "where": {"crane": "sts-{1..2}"},
    "each": "/che/[id={crane}]/{signal...}",
    "flatten": {"stop_at": "value"},
    "when": {"/pomt": "actual|performed|"},
    "time": {"at": ["/timestamp", "/endtimestamp", "/msg/timestamp"]},
    "partial": True,
    "signals": {
        "load": {"match": {"signal": "hoist/load"}, "value": "/value", "unit": "t", "unit_at": "/unit"},
        "locked": {"match": {"signal": "spreader/locked"}, "value": "/value", "kind": "state"},
        "moves": {"match": {"signal": "cycle/count"}, "value": "/value", "kind": "counter"},
    },
}
VDA = {
    "topic": "uagv/v2/{maker}/{serial}/state",
    "asset": "terminal/transport/{serial}",
    "where": {"serial": "agv-{1..6}"},
    "time": {"at": "/timestamp"},
    "sequence": "/headerId",
    "signals": {
        "battery": {"value": "/batteryState/batteryCharge", "unit": "%"},
        "speed": {"value": "/velocity/vx", "unit": "m/s"},
        "driving": {"value": "/driving", "kind": "state"},
        "mode": {"value": "/operatingMode", "kind": "state", "words": {"AUTOMATIC": 1, "MANUAL": 2}},
        "order": {"value": "/orderId", "kind": "text"},
    },
}


def tic(**che: Any) -> dict[str, Any]:
    header = {"id": "1", "sender": "sts-1", "topic": "che", "version": "2023.007", "timestamp": "2025-12-31T23:59:58Z"}
    return {"msg": header, "che": [{"id": "sts-2"}, {"id": "sts-1", **che}]}


def leaf(value: Any, **more: Any) -> dict[str, Any]:
    return {"value": value, "timestamp": "2025-12-31T23:59:59.250Z", "pom": "output", "pomt": "actual", **more}


# --- dialects


def test_one_tag_per_topic_as_umh_core_publishes_it():
    mapped = send(UMH, "umh/v1/ent/site/Press3/_raw/Temp", {"value": 23.5, "timestamp_ms": 1672531200000})
    (reading,) = mapped.readings
    assert reading == (0, 1672531200000000000, 23.5, Quality.GOOD, 0, NOW_NS)
    assert not mapped.rejected


def test_tic_leaves_that_are_not_actual_or_performed_are_no_readings():
    load = [
        leaf(12000, unit="kg"),
        leaf(9, pomt="planned"),
        leaf(1, pomt="request"),
        leaf(8, pomt="performed"),
    ]
    assert [reading.value for reading in send(TIC, "terminal/tic/sts-1", tic(hoist={"load": load})).readings] == [
        12.0,
        8.0,
    ]
    assert send(TIC, "terminal/tic/sts-1", tic(hoist={"load": load[1:3]})).readings == []


def test_tic_takes_the_leaf_of_its_own_crane_at_any_depth_and_every_time_of_it():
    message = tic(
        hoist={"load": [leaf(1000, unit="kg"), leaf(2, unit="t", timestamp="2025-12-31T23:59:59.750Z")]},
        spreader=[{"locked": [leaf(True)]}, {"locked": [leaf(False, timestamp=None)]}],
        cycle={
            "count": [{"value": 7, "starttimestamp": "2025-12-31T23:59:00Z", "endtimestamp": "2025-12-31T23:59:50Z"}]
        },
    )
    readings = send(TIC, "terminal/tic/sts-1", message).readings
    assert [(reading.handle, reading.value, reading.source_ns) for reading in readings] == [
        (0, 1.0, ns("2025-12-31T23:59:59.250Z")),
        (0, 2.0, ns("2025-12-31T23:59:59.750Z")),
        (1, 1.0, ns("2025-12-31T23:59:59.250Z")),
        (1, 0.0, ns("2025-12-31T23:59:58Z")),  # the message's own time
        (2, 7.0, ns("2025-12-31T23:59:50Z")),  # the end of the interval
    ]


def test_a_value_in_a_unit_of_another_quantity_is_refused_and_the_rest_is_kept():
    message = tic(hoist={"load": [leaf(12, unit="bar")]}, cycle={"count": [leaf(3)]})
    mapped = send(TIC, "terminal/tic/sts-1", message)
    assert [reading.value for reading in mapped.readings] == [3.0]
    assert mapped.rejected[0].reason == "wrong-unit"
    assert str(mapped.rejected[0]).startswith("terminal/quay/sts-1/load: the unit is 'bar' where 't' is configured")


def test_a_vda_5050_state_becomes_its_values_at_one_time():
    state = {
        "headerId": 7,
        "timestamp": "2025-12-31T11:40:03.123Z",
        "version": "2.1.0",
        "serialNumber": "agv-2",
        "orderId": "",
        "driving": True,
        "operatingMode": "AUTOMATIC",
        "velocity": {"vx": -1.25},
        "batteryState": {"batteryCharge": 80, "charging": False},
        "errors": [{"errorType": "x", "errorLevel": "WARNING"}],
    }
    mapped = send(VDA, "uagv/v2/fabriquay/agv-2/state", state)
    assert [reading.value for reading in mapped.readings] == [80.0, -1.25, 1.0, 1.0, ""]
    assert {reading.source_ns for reading in mapped.readings} == {ns("2025-12-31T11:40:03.123Z")}
    assert mapped.sequence == 7
    assert len(mapped.handles) == 5


def test_a_gateway_that_names_its_devices_by_keys_is_read_by_captures_in_each():
    thingsboard = {
        "topic": "v1/gateway/telemetry",
        "asset": "site/area/{device}",
        "where": {"device": {"Device A": "device-a", "Device B": "device-b"}},
        "each": "/{device}/*",
        "time": {"at": "/ts", "format": "ms"},
        "signals": {"temp": {"value": "/values/temp"}},
    }
    made, paths = mapping(thingsboard)
    payload = {
        "Device A": [{"ts": 1, "values": {"temp": 1}}],
        "Device B": [],
        "Device C": [{"ts": 1, "values": {"temp": 9}}],
    }
    payload["Device B"] = [{"ts": 1767225000000, "values": {"temp": 2}}, {"ts": 1767225001000, "values": {"temp": 3}}]
    readings = made.read(
        Incoming("v1/gateway/telemetry", json.dumps(payload).encode(), NOW_NS, retained=False)
    ).readings
    assert [(paths[reading.handle], reading.value) for reading in readings] == [
        ("site/area/device-a/temp", 1.0),
        ("site/area/device-b/temp", 2.0),
        ("site/area/device-b/temp", 3.0),
    ]
    assert readings[1].source_ns == 1767225000 * 10**9


def test_an_array_of_named_values_is_read_by_its_ids_with_time_and_quality_of_each_element():
    siemens = {
        "topic": "ie/d/j/simatic/v1/s7c1/dp/r/line1/default",
        "asset": "site/area/press",
        "each": "/vals/*",
        "time": {"at": "/ts"},
        "quality": {"at": "/qc", "good": ["3"], "uncertain": ["1"]},
        "signals": {"speed": {"value": "/val"}},
    }
    payload = {
        "vals": [
            {"id": "101", "qc": 3, "ts": "2025-03-10T22:23:04.146Z", "val": 80},
            {"id": "101", "qc": 1, "ts": "2025-03-10T22:23:05Z", "val": 81},
            {"id": "101", "qc": 0, "ts": "2025-03-10T22:23:06Z", "val": 82},
        ]
    }
    readings = send(siemens, siemens["topic"], payload).readings
    assert [reading.quality for reading in readings] == [Quality.GOOD, Quality.UNCERTAIN, Quality.BAD]
    chosen = {**siemens, "each": "/vals/[id=102]"}
    with pytest.raises(Rejected, match="none of the configured values"):
        send(chosen, siemens["topic"], payload)


def test_an_array_of_phases_becomes_one_signal_per_element():
    tasmota = {
        "topic": "tele/{device}/SENSOR",
        "asset": "site/power/phase-{phase}",
        "where": {"phase": {"0": "1", "1": "2", "2": "3"}},
        "each": "/ENERGY/Current/{phase}",
        "time": {"at": "/Time", "timezone": "Europe/Berlin"},
        "signals": {"current": {"unit": "A"}},
    }
    made, paths = mapping(tasmota)
    payload = json.dumps({"Time": "2025-07-01T12:00:00", "ENERGY": {"Current": [0.09, 0.1]}}).encode()
    readings = made.read(Incoming("tele/plug/SENSOR", payload, NOW_NS, retained=False)).readings
    assert [(paths[reading.handle], reading.value) for reading in readings] == [
        ("site/power/phase-1/current", 0.09),
        ("site/power/phase-2/current", 0.1),
    ]
    assert readings[0].source_ns == ns("2025-07-01T10:00:00Z")


def test_a_bare_text_payload_is_a_value():
    lwt = {
        "topic": "tele/{unit}/{signal}",
        "asset": "site/area/{unit}",
        "where": {"unit": ["plug"]},
        "payload": "text",
        "signals": {
            "power": {"match": {"signal": "POWER"}, "kind": "state", "words": {"ON": 1, "OFF": 0}},
            "online": {"match": {"signal": "LWT"}, "kind": "state", "words": {"Online": 1, "Offline": 0}},
            "level": {"match": {"signal": "LEVEL"}, "scale": 2, "offset": 1},
        },
    }
    assert values(lwt, "tele/plug/POWER", b"ON") == {"power": 1.0}
    assert values(lwt, "tele/plug/LWT", b"Offline") == {"online": 0.0}
    assert values(lwt, "tele/plug/LEVEL", b" 21.5\n") == {"level": 44.0}


# --- topics


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("a/{b}/c", "a/+/c"),
        ("a/x-{b}_{c}", "a/+"),
        ("a/{rest...}", "a/#"),
        ("a/+/#", "a/+/#"),
        ("plain", "plain"),
    ],
)
def test_a_topic_with_captures_is_subscribed_by_its_filter(topic, expected):
    assert topic_filter(topic) == expected


def test_captures_within_a_level_and_of_the_rest_match_what_they_say():
    topic = {
        "topic": "shop/m{number}-x/{rest...}",
        "asset": "site/area/m-{number}",
        "where": {"number": "{1..12}"},
        "signals": {"load": {"match": {"rest": "axis/x/load"}}},
    }
    assert values(topic, "shop/m12-x/axis/x/load", 5) == {"load": 5.0}
    for name in ("shop/m13-x/axis/x/load", "shop/m1-x/axis/y/load", "shop/m1-x", "shop/m1/axis/x/load"):
        with pytest.raises(Rejected) as caught:
            send(topic, name, 5)
        assert caught.value.reason == "unknown-topic"


def test_two_rules_may_read_the_same_message():
    other = {
        **UMH,
        "asset": "site/other/{unit}",
        "signals": {"temperature": {"value": "/value", "match": {"signal": "Temp"}}},
    }
    made, paths = mapping(UMH, other)
    raw = b'{"value": 1, "timestamp_ms": 1767225000000}'
    mapped = made.read(Incoming("umh/v1/ent/site/Press3/_raw/Temp", raw, NOW_NS, retained=False))
    assert [paths[r.handle] for r in mapped.readings] == [
        "site/area/press-3/temperature",
        "site/other/press-3/temperature",
    ]
    assert made.subscriptions() == [("umh/v1/ent/site/+/_raw/+", 1)]


# --- values


@pytest.mark.parametrize(
    ("signal", "raw", "value"),
    [
        ("Temp", 5, 5.0),
        ("Temp", "-3.5e1", -35.0),
        ("Temp", True, 1.0),
        ("count", 4294967296, 4294967296.0),
        ("mode", "MANUAL", 2.0),
        ("mode", 7, 7.0),
        ("program", "O1000", "O1000"),
        ("program", "", ""),
        ("program", 12, "12"),
        ("program", False, "false"),
    ],
)
def test_a_value_is_converted_to_the_kind_of_its_signal(signal, raw, value):
    (reading,) = send(UMH, f"umh/v1/ent/site/Press3/_raw/{signal}", {"value": raw}).readings
    assert reading.value == value
    assert reading.quality & Quality.SEVERITY == Quality.GOOD


@pytest.mark.parametrize("raw", [None, "UNAVAILABLE", "", "  "])
def test_no_value_is_a_bad_reading_and_not_a_number(raw):
    (reading,) = send(UMH, "umh/v1/ent/site/Press3/_raw/Temp", {"value": raw, "timestamp_ms": 1767225000000}).readings
    assert isinstance(reading.value, float)
    assert math.isnan(reading.value)
    assert reading.quality == Quality.BAD


@pytest.mark.parametrize(
    ("signal", "raw", "reason"),
    [
        ("Temp", "warm", "wrong-type"),
        ("Temp", {}, "wrong-type"),
        ("Temp", [1], "wrong-type"),
        ("Temp", "NaN", "wrong-type"),
        ("Temp", "1_000", "wrong-type"),
        ("Temp", "٣", "wrong-type"),
        ("Temp", 10**400, "bad-value"),
        ("count", -1, "bad-value"),
        ("mode", 1.5, "bad-value"),
        ("mode", 2**40, "bad-value"),
        ("mode", "AUTO", "wrong-type"),
        ("program", ["x"], "wrong-type"),
        ("program", "x" * 5000, "bad-value"),
    ],
)
def test_a_value_that_cannot_be_of_its_kind_is_listed_with_its_reason(signal, raw, reason):
    mapped = send(UMH, f"umh/v1/ent/site/Press3/_raw/{signal}", {"value": raw})
    assert mapped.readings == []
    assert [error.reason for error in mapped.rejected] == [reason]
    assert str(mapped.rejected[0]).startswith("site/area/press-3/")


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "malformed"),
        (b"{", "malformed"),
        (b'{"value": NaN}', "malformed"),
        (b"\xff\xfe", "malformed"),
        (b"[" * 100_000, "malformed"),
        (b"{}", "no-value"),
        (b"3", "no-value"),
        (b" " * (MOST_BYTES + 1), "too-large"),
    ],
)
def test_a_message_of_which_nothing_can_be_used_is_rejected(payload, reason):
    with pytest.raises(Rejected) as caught:
        send(UMH, "umh/v1/ent/site/Press3/_raw/Temp", payload)
    assert caught.value.reason == reason


# --- times


@pytest.mark.parametrize("stamp", [0, 1700000000, 946684799999, 1767225600000 + 86_400_001])
def test_a_clock_that_cannot_be_right_is_replaced_by_the_receive_time_and_flagged(stamp):
    (reading,) = send(UMH, "umh/v1/ent/site/Press3/_raw/Temp", {"value": 1, "timestamp_ms": stamp}).readings
    assert reading.source_ns == NOW_NS
    assert reading.quality == Quality.TIME_ADJUSTED


def test_without_a_time_the_receive_time_counts_and_is_flagged_where_one_was_expected():
    (reading,) = send(UMH, "umh/v1/ent/site/Press3/_raw/Temp", {"value": 1}).readings
    assert (reading.source_ns, reading.quality) == (NOW_NS, Quality.TIME_ADJUSTED)
    timeless = {key: value for key, value in UMH.items() if key != "time"}
    (reading,) = send(timeless, "umh/v1/ent/site/Press3/_raw/Temp", {"value": 1}).readings
    assert (reading.source_ns, reading.quality) == (NOW_NS, Quality.GOOD)


def test_a_retained_message_without_a_time_does_not_look_fresh():
    timeless = {key: value for key, value in UMH.items() if key != "time"}
    (reading,) = send(timeless, "umh/v1/ent/site/Press3/_raw/Temp", {"value": 1}, retained=True).readings
    assert reading.quality == Quality.UNCERTAIN | Quality.TIME_ADJUSTED


def test_a_bad_time_costs_its_value_only():
    message = tic(hoist={"load": [leaf(1, timestamp="soon")]}, cycle={"count": [leaf(3)]})
    mapped = send(TIC, "terminal/tic/sts-1", message)
    assert [reading.value for reading in mapped.readings] == [3.0]
    assert mapped.rejected[0].reason == "bad-time"


@pytest.mark.parametrize(
    "change",
    [
        {"topic": "a/{x}/{x}"},
        {"topic": "a/#/b"},
        {"topic": ""},
        {"where": {"unit": "u-{9..1}"}},
        {"where": {"unit": []}},
        {"where": {"signal": ["x"]}},
        {"where": {"unit": "{1..99999}"}},
        {"payload": "text"},
        {"time": {"at": "/t", "timezone": "Mars/Olympus"}},
        {"signals": {}},
        {"signals": {"a": {"scale": 0}}},
        {"signals": {"a": {"kind": "state", "unit": "m"}}},
        {"signals": {"a": {"kind": "text", "deadband": 1}}},
        {"signals": {"a": {"match": {"nothing": "x"}}}},
        {"each": "/{device}"},
    ],
)
def test_a_rule_that_cannot_work_is_refused(change):
    with pytest.raises(ValidationError):
        MqttTopic.model_validate({**UMH, **change})


# --- anything at all

RULES, _ = mapping(UMH, TIC, VDA)
TOPICS = [
    "umh/v1/ent/site/Press3/_raw/Temp",
    "umh/v1/ent/site/Press3/_raw/program",
    "terminal/tic/sts-1",
    "uagv/v2/x/agv-1/state",
]
KEYS = [
    "value",
    "timestamp_ms",
    "che",
    "id",
    "hoist",
    "load",
    "pomt",
    "timestamp",
    "unit",
    "msg",
    "driving",
    "velocity",
    "vx",
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from(["sts-1", "actual", "kg"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=30,
)


def survives(topic: str, payload: bytes) -> None:
    try:
        mapped = RULES.read(Incoming(topic, payload, NOW_NS, retained=False))
    except Rejected:
        return
    for reading in mapped.readings:
        assert isinstance(reading.value, str) or math.isfinite(reading.value) or reading.quality & Quality.BAD
        assert 946_684_800_000_000_000 <= reading.source_ns <= NOW_NS + 86_400_000_000_000
    assert all(isinstance(error, Rejected) for error in mapped.rejected)


@given(st.sampled_from(TOPICS) | st.text(max_size=40), st.binary(max_size=300))
def test_any_bytes_on_any_topic_are_readings_or_rejected(topic, payload):
    survives(topic, payload)


@settings(max_examples=400)
@given(st.sampled_from(TOPICS), JSON)
def test_any_json_is_readings_or_rejected(topic, document):
    survives(topic, json.dumps(document).encode())


GOOD = [
    json.dumps(tic(hoist={"load": [leaf(12000, unit="kg")]}, spreader=[{"locked": [leaf(True)]}])).encode(),
    b'{"headerId":7,"timestamp":"2026-01-01T11:40:03.123Z","driving":true,"velocity":{"vx":1.5},"operatingMode":"AUTOMATIC"}',
    b'{"value":23.5,"timestamp_ms":1672531200000}',
]


@settings(max_examples=400)
@given(st.sampled_from(TOPICS), st.sampled_from(GOOD), st.data())
def test_a_damaged_message_is_readings_or_rejected(topic, payload, data):
    damaged = bytearray(payload)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    survives(topic, bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))
