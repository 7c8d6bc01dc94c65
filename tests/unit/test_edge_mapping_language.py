"""Each need of the dialects is a property of the mapping language; here they stand one by one."""

import math

import pytest
from pydantic import ValidationError

from edge.mapping import MOST_TOPIC
from edge.mapping_settings import MqttTopic
from tests.unit.test_edge_mapping import mapping, send, values
from twin.errors import Rejected
from twin.wire.reading import Quality

BASE = {"topic": "t", "asset": "site/area/unit", "signals": {"load": {"value": "/v"}}}


def qualities(topic, payload):
    return [reading.quality for reading in send(topic, "t", payload).readings]


def test_of_several_places_the_first_that_leads_to_something_counts():
    topic = {**BASE, "signals": {"load": {"value": ["/v/0", "/v", "/old"]}}}
    assert values(topic, "t", {"v": [7, 8]}) == {"load": 7.0}
    assert values(topic, "t", {"v": 9}) == {"load": 9.0}
    assert values(topic, "t", {"old": 5}) == {"load": 5.0}


def test_a_captured_word_can_be_the_value():
    signals = {"level": {"kind": "state", "value": "{level}", "words": {"Normal": 0, "Fault": 2}}}
    topic = {**BASE, "each": "/condition/{level}/*", "signals": signals}
    assert values(topic, "t", {"condition": {"Fault": [{"id": 1}]}}) == {"level": 2.0}


def test_a_condition_decides_whether_a_message_is_read_and_another_is_passed_over_in_silence():
    topic = {**BASE, "when": {"/version": r"3\..*"}}
    assert values(topic, "t", {"version": "3.0.0", "v": 1}) == {"load": 1.0}
    other = send(topic, "t", {"version": "2.1.0", "v": 1})
    assert (other.readings, other.rejected) == ([], [])
    assert send(topic, "t", {"v": 1}).readings == []


def test_two_versions_of_a_message_can_be_two_rules_of_one_topic():
    old = {**BASE, "when": {"/version": "2.*"}, "signals": {"load": {"value": "/old"}}}
    new = {**BASE, "when": {"/version": "3.*"}, "asset": "site/area/unit-3", "signals": {"load": {"value": "/new"}}}
    made, paths = mapping(old, new)
    from edge.mapping import Incoming

    (reading,) = made.read(Incoming("t", b'{"version": "3.0", "new": 1, "old": 2}', 1, retained=False)).readings
    assert paths[reading.handle] == "site/area/unit-3/load"


def test_a_time_is_looked_for_from_the_inside_outwards():
    topic = {**BASE, "each": "/groups/*/items/*", "time": {"at": ["/end", "/ts"], "format": "s"}}
    message = {
        "ts": 1_700_000_001,
        "groups": [
            {"ts": 1_700_000_002, "items": [{"v": 1, "ts": 1_700_000_003}, {"v": 2}, {"v": 3, "ts": None}]},
            {"items": [{"v": 4}, {"v": 5, "end": 1_700_000_004, "ts": 1_700_000_000}]},
        ],
    }
    found = [(one.value, one.source_ns // 1_000_000_000 - 1_700_000_000) for one in send(topic, "t", message).readings]
    assert found == [(1.0, 3), (2.0, 2), (3.0, 2), (4.0, 1), (5.0, 4)]


def test_a_time_beside_the_values_is_found_by_the_name_of_the_value():
    signals = {"a": {}, "b": {}}
    topic = {**BASE, "each": "/values/{signal}", "time": {"at": "/times/{signal}", "format": "s"}, "signals": signals}
    message = {"values": {"a": 1, "b": 2}, "times": {"a": 1_700_000_001, "b": 1_700_000_002}}
    times = {one.handle: one.source_ns // 1_000_000_000 for one in send(topic, "t", message).readings}
    assert times == {0: 1_700_000_001, 1: 1_700_000_002}


def test_each_signal_may_have_a_time_of_its_own():
    signals = {"a": {"value": "/a", "time": {"at": "/at", "format": "s"}}, "b": {"value": "/b"}}
    topic = {**BASE, "time": {"at": "/bt", "format": "ms"}, "signals": signals}
    message = {"a": 1, "b": 2, "at": 1_700_000_001, "bt": 1_700_000_002_000}
    assert [one.source_ns for one in send(topic, "t", message).readings] == [
        1_700_000_001_000_000_000,
        1_700_000_002_000_000_000,
    ]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, Quality.GOOD),
        ({"s": 0}, Quality.GOOD),
        ({"s": 0x40000000}, Quality.UNCERTAIN),
        ({"s": 0x80310000}, Quality.BAD),
        ({"s": {"Code": 2150694912, "Symbol": "BadNoCommunication"}}, Quality.BAD),
        ({"s": {"Symbol": "UncertainInitialValue"}}, Quality.UNCERTAIN),
        ({"s": "GoodClamped"}, Quality.GOOD),
        ({"s": []}, Quality.BAD),
    ],
)
def test_opc_ua_status_codes_are_understood_in_every_encoding(said, expected):
    topic = {**BASE, "quality": {"at": "/s", "format": "opcua"}}
    assert qualities(topic, {"v": 1, **said}) == [expected]


def test_words_of_quality_and_what_silence_means():
    topic = {**BASE, "quality": {"at": "/q", "good": ["ok", "true"], "uncertain": ["192"], "missing": "uncertain"}}
    assert [
        qualities(topic, {"v": 1, **said})[0] for said in ({"q": "ok"}, {"q": True}, {"q": 192}, {"q": "?"}, {})
    ] == [
        Quality.GOOD,
        Quality.GOOD,
        Quality.UNCERTAIN,
        Quality.BAD,
        Quality.UNCERTAIN,
    ]
    with pytest.raises(ValidationError, match="which words mean a good value"):
        MqttTopic.model_validate({**BASE, "quality": {"at": "/q"}})


def test_a_bad_value_need_not_be_one():
    topic = {**BASE, "quality": {"at": "/q", "good": ["1"]}}
    (reading,) = send(topic, "t", {"v": {"error": 1}, "q": 0}).readings
    assert math.isnan(reading.value)
    assert reading.quality == Quality.BAD
    assert send(topic, "t", {"v": {"error": 1}, "q": 1}).rejected[0].reason == "wrong-type"


def test_errors_beside_the_values_are_bad_readings():
    topic = {
        **BASE,
        "each": "/values/{signal}",
        "bad_each": "/errors/{signal}",
        "signals": {"a": {}, "b": {}, "c": {"kind": "text"}},
    }
    mapped = send(topic, "t", {"values": {"a": 1}, "errors": {"b": 2014, "c": 1, "x": 3}})
    assert [(one.handle, one.quality) for one in mapped.readings] == [(0, 0), (1, Quality.BAD), (2, Quality.BAD)]
    assert mapped.readings[2].value == ""


@pytest.mark.parametrize(
    ("signal", "raw", "value"),
    [
        ({"unit": "m/s", "source_unit": "km/h"}, 36, 10.0),
        ({"unit": "°C", "source_unit": "°F"}, 212, 100.0),
        ({"unit": "kg", "source_unit": "t", "kind": "counter"}, 2, 2000.0),
        ({"unit": "V", "source_unit": "digit", "scale": 0.01, "offset": -1}, 300, 2.0),
    ],
)
def test_a_constant_unit_is_converted(signal, raw, value):
    (reading,) = send({**BASE, "signals": {"load": {"value": "/v", **signal}}}, "t", {"v": raw}).readings
    assert reading.value == pytest.approx(value)


def test_a_unit_that_the_message_says_is_converted_then_scaled():
    load = {"value": "/v", "unit": "t", "source_unit": "kg", "scale": 0.001, "unit_at": "/u"}
    topic = {**BASE, "unit_words": {"Kilo": "kg"}, "signals": {"load": load}}
    assert values(topic, "t", {"v": 3000}) == {"load": 3.0}
    assert values(topic, "t", {"v": 3, "u": "t"}) == {"load": 3.0}
    assert values(topic, "t", {"v": 3000, "u": "Kilo"}) == {"load": 3.0}
    assert send(topic, "t", {"v": 3, "u": "°C"}).rejected[0].reason == "wrong-unit"
    assert send(topic, "t", {"v": 3, "u": "stones"}).rejected[0].reason == "wrong-unit"


def test_a_unit_that_cannot_become_ours_is_refused_in_the_configuration():
    with pytest.raises(ValidationError, match="'bar' and '°C' do not measure the same thing"):
        MqttTopic.model_validate({**BASE, "signals": {"load": {"unit": "°C", "source_unit": "bar"}}})


def test_a_text_can_be_taken_apart_by_a_pattern():
    topic = {
        **BASE,
        "payload": "text",
        "pattern": r"(?P<time>\S+);(?P<value>[-0-9.]+)\s*(?P<unit>\S*);(?P<ok>OK|NOK)",
        "time": {"at": "/time"},
        "quality": {"at": "/ok", "good": ["OK"]},
        "signals": {"load": {"value": "/value", "unit": "kg", "unit_at": "/unit"}},
    }
    (reading,) = send(topic, "t", b"2025-12-31T23:00:00Z;1.5 t;OK\n").readings
    assert (reading.value, reading.quality, reading.source_ns) == (1500.0, Quality.GOOD, 1_767_222_000_000_000_000)
    assert send(topic, "t", b"2025-12-31T23:00:00Z;2;NOK").readings[0].quality == Quality.BAD
    with pytest.raises(Rejected, match="does not look like"):
        send(topic, "t", b"hello")


def test_the_same_observation_twice_is_one():
    topic = {**BASE, "dedup": ["/header/instance", "/seq"], "each": "/items/*", "partial": True}
    made, _ = mapping(topic)

    def read(instance, *items):
        import json

        from edge.mapping import Incoming

        payload = json.dumps({"header": {"instance": instance}, "items": items}).encode()
        return [one.value for one in made.read(Incoming("t", payload, 1, retained=False)).readings]

    assert read(1, {"seq": 1, "v": 5}, {"seq": 2, "v": 6}) == [5.0, 6.0]
    assert read(1, {"seq": 2, "v": 6}) == []
    assert read(2, {"seq": 2, "v": 6}) == [6.0], "a new instance counts anew"
    assert read(2, {"v": 6}, {"v": 6}) == [6.0, 6.0], "what names nothing is never the same"


def test_a_message_without_any_value_is_told_unless_that_is_normal():
    with pytest.raises(Rejected, match="none of the configured values"):
        send(BASE, "t", {"other": 1})
    assert send({**BASE, "partial": True}, "t", {"other": 1}).readings == []


def test_regular_expressions_say_which_topics_are_meant():
    topic = {**BASE, "topic": "shop/{line:[A-Z][0-9]+}/{rest...}/end", "asset": "site/area/x"}
    assert values(topic, "shop/L12/a/b/end", {"v": 1}) == {"load": 1.0}
    for name in ("shop/l12/a/end", "shop/L12/end", "shop/L12/a", f"shop/L12/{'x' * MOST_TOPIC}/end"):
        with pytest.raises(Rejected) as caught:
            send(topic, name, {"v": 1})
        assert caught.value.reason == "unknown-topic"
    assert mapping(topic)[0].subscriptions() == [("shop/+/#", 1)]


@pytest.mark.parametrize(
    "change",
    [
        {"topic": "a/{x:[}"},
        {"topic": "{topic}"},
        {"topic": "{a...}/{b...}/{c...}"},
        {"each": ["/a/{signal}", "/b"]},
        {"each": "/{k}"},
        {"each": "/{component}/x", "signals": {"a": {"match": {"component": "y"}}, "b": {}}},
        {"pattern": "(?P<x>.)"},
        {"payload": "text", "pattern": "("},
        {"payload": "text", "each": "/x"},
        {"when": {"version": "3"}},
        {"when": {"/version": "("}},
        {"signals": {"a": {"kind": "state", "source_unit": "kg"}}},
        {"signals": {"a": {"kind": "text", "count": True}}},
        {"signals": {"a": {"value": "{x}", "count": True}}},
        {"signals": {"a": {"value": []}}},
        {"join": {"topic": "m", "each": "x"}},
    ],
)
def test_a_rule_that_cannot_work_is_refused(change):
    with pytest.raises(ValidationError):
        MqttTopic.model_validate({**BASE, **change})
