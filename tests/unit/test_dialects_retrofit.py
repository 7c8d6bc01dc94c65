"""The shipped mappings against messages as their specifications and implementations write them: gateways, retrofits."""

import math

import pytest

from tests.unit.dialects import NOW, Dialect, Value
from twin.wire.reading import Quality

ADJUSTED = Quality.TIME_ADJUSTED


def test_umh_classic_groups_of_any_depth_become_names_with_dots(tmp_path):
    dialect = Dialect(
        tmp_path,
        """
- mapping: umh-classic
  asset: site/area/{unit}
  where: { unit: { acme/aachen/hall/line-1/robot/plc: robot-1 } }
  signals:
    x: { match: { signal: pos.x }, unit: m, source_unit: mm }
    temperature: { unit: °C }
    collision: { kind: state }
""",
    )
    message = {
        "timestamp_ms": 1670001234567,
        "pos": {"x": 12.5, "y": 7.3},
        "temperature": 50.0,
        "collision": False,
    }
    at = "2022-12-02T17:13:54.567Z"
    expected = {
        "site/area/robot-1/x": Value(0.0125, at),
        "site/area/robot-1/temperature": Value(50.0, at),
        "site/area/robot-1/collision": Value(0.0, at),
    }
    place = "umh/v1/acme/aachen/hall/line-1/robot/plc/_historian"
    assert dialect.read(place, message) == expected
    assert dialect.read(f"{place}/head", message) == expected


def test_umh_core_has_one_tag_per_topic_with_its_virtual_path(tmp_path):
    dialect = Dialect(
        tmp_path,
        """
- mapping: umh-core
  asset: site/area/{unit}
  where: { unit: { acme/aachen/press: press-1 } }
  signals:
    temperature: { unit: °C }
    x: { match: { signal: axis/x/position }, unit: mm }
""",
    )
    message = {"value": 23.5, "timestamp_ms": 1672531200000}
    at = "2023-01-01T00:00:00Z"
    assert dialect.read("umh/v1/acme/aachen/press/_raw/temperature", message) == {
        "site/area/press-1/temperature": Value(23.5, at)
    }
    assert dialect.read("umh/v1/acme/aachen/press/_raw/axis/x/position", message) == {
        "site/area/press-1/x": Value(23.5, at)
    }
    assert dialect.mapping.subscriptions() == [("umh/v1/#", 1)]


@pytest.mark.parametrize(
    ("message", "at"),
    [
        ({"temp": 1}, NOW),
        ({"ts": 1740644636669, "values": {"temp": 1, "rpm": 5}}, "2025-02-27T08:23:56.669Z"),
        ([{"ts": 1740644636669, "values": {"temp": 1}}], "2025-02-27T08:23:56.669Z"),
        ([{"humidity": 3}, {"temp": 1}], NOW),
    ],
)
def test_thingsboard_telemetry_comes_with_and_without_time(tmp_path, message, at):
    dialect = Dialect(
        tmp_path,
        """
- mapping: thingsboard
  topic: tb/{device}/telemetry
  asset: site/area/{device}
  where: { device: [press-1] }
  signals: { temperature: { match: { signal: temp }, unit: °C } }
""",
    )
    assert dialect.read("tb/press-1/telemetry", message) == {"site/area/press-1/temperature": Value(1.0, at)}


def test_thingsboard_gateways_name_their_devices_in_keys(tmp_path):
    dialect = Dialect(
        tmp_path,
        """
- mapping: thingsboard-gateway
  asset: site/area/{device}
  where: { device: { Device A: press-1, Device B: press-2 } }
  signals: { temperature: { match: { signal: temperature }, unit: °C } }
""",
    )
    message = {
        "Device A": [
            {"ts": 1483228800000, "values": {"temperature": 42, "humidity": 80}},
            {"ts": 1483228801000, "values": {"temperature": 43}},
        ],
        "Device B": [{"temperature": 7}],
        "Device C": [{"ts": 1483228800000, "values": {"temperature": 42}}],
    }
    assert dialect.listed("v1/gateway/telemetry", message) == [
        ("site/area/press-1/temperature", Value(42.0, "2017-01-01T00:00:00Z")),
        ("site/area/press-1/temperature", Value(43.0, "2017-01-01T00:00:01Z")),
        ("site/area/press-2/temperature", Value(7.0, NOW)),
    ]


@pytest.mark.parametrize(
    "message",
    [
        {"values": {"tag0": 123}, "errors": {"tag1": 2014}, "metas": {}},
        {"tags": [{"name": "tag0", "value": 123}, {"name": "tag1", "error": 2014}]},
    ],
)
def test_neuron_says_values_and_errors_beside_each_other(tmp_path, message):
    dialect = Dialect(
        tmp_path,
        """
- mapping: neuron
  asset: site/area/{node}
  where: { node: { modbus: press-1 } }
  signals:
    speed: { match: { signal: tag0 }, unit: 1/min }
    mode: { match: { signal: tag1 }, kind: text }
    load: { match: { signal: tag2 } }
""",
    )
    header = {"timestamp": 1650006388943, "node": "modbus", "group": "grp"}
    at = "2022-04-15T07:06:28.943Z"
    assert dialect.read("/neuron/mqtt-app", {**header, **message}) == {
        "site/area/press-1/speed": Value(123.0, at),
        "site/area/press-1/mode": Value("", at, Quality.BAD),
    }
    assert dialect.read("/neuron/mqtt-app", {**header, **message, "node": "another"}) == {}


TASMOTA = """
- mapping: tasmota
  asset: site/power/{device}
  where: { device: [plug-1] }
  time: { timezone: Europe/Berlin }
"""


def test_tasmota_tells_local_time_and_its_unit_of_temperature(tmp_path):
    dialect = Dialect(tmp_path, TASMOTA)
    message = {
        "Time": "2024-04-16T09:15:03",
        "ANALOG": {"Temperature": 83.48},
        "ENERGY": {
            "TotalStartTime": "2023-05-01T12:00:00",
            "Total": 235.645,
            "Today": 0.015,
            "Power": 24,
            "Factor": 1,
            "Voltage": 237,
            "Current": [0.09, 0.1],
        },
        "TempUnit": "F",
    }
    found = dialect.read("tele/plug-1/SENSOR", message)
    assert {value.at for value in found.values()} == {"2024-04-16T07:15:03Z"}
    assert found.pop("site/power/plug-1/temperature").value == pytest.approx(28.6)
    assert {path.rpartition("/")[2]: value.value for path, value in found.items()} == {
        "energy-total": 235.645,
        "energy-today": 0.015,
        "power": 24.0,
        "power-factor": 1.0,
        "voltage": 237.0,
        "current": 0.09,
    }


def test_a_tasmota_whose_clock_was_never_set_gets_the_time_of_receipt(tmp_path):
    found = Dialect(tmp_path, TASMOTA).read(
        "tele/plug-1/SENSOR", {"Time": "1970-01-01T00:33:28", "ENERGY": {"Power": 5}}
    )
    assert found == {"site/power/plug-1/power": Value(5.0, NOW, ADJUSTED)}


def test_a_tasmota_that_has_left_is_offline(tmp_path):
    dialect = Dialect(tmp_path, "- { mapping: tasmota-lwt, asset: 'site/power/{device}', where: { device: [plug-1] } }")
    assert dialect.read("tele/plug-1/LWT", "Offline", raw=True) == {"site/power/plug-1/online": Value(0.0, NOW)}
    retained = dialect.read("tele/plug-1/LWT", "Online", raw=True, retained=True)
    assert retained == {"site/power/plug-1/online": Value(1.0, NOW, Quality.UNCERTAIN | ADJUSTED)}


SHELLY = """
- mapping: shelly
  asset: site/power/{device}
  where: { device: { shellypro1pm-30c6f7850a64: plug-1 } }
"""


def test_shelly_tells_only_what_changed_and_its_keys_hold_component_and_id(tmp_path):
    dialect = Dialect(tmp_path, SHELLY)
    message = {
        "src": "shellypro1pm-30c6f7850a64",
        "dst": "shellypro1pm-30c6f7850a64/events",
        "method": "NotifyStatus",
        "params": {
            "ts": 1631186545.04,
            "switch:0": {
                "id": 0,
                "apower": 8.9,
                "aenergy": {"by_minute": [39.26, 0, 0], "minute_ts": 1631186520, "total": 6.532},
            },
            "switch:1": {"id": 1, "apower": 99},
            "temperature:0": {"id": 0, "tC": 21.5, "tF": 70.7},
        },
    }
    at = "2021-09-09T11:22:25.04Z"
    topic = "shellypro1pm-30c6f7850a64/events/rpc"
    assert dialect.read(topic, message) == {
        "site/power/plug-1/power": Value(8.9, at),
        "site/power/plug-1/energy": Value(6.532, at),
        "site/power/plug-1/temperature": Value(21.5, at),
    }
    assert dialect.read(topic, {**message, "method": "NotifyEvent"}) == {}
    assert dialect.read(topic, {**message, "params": {"ts": 1631186545.04, "wifi": {"rssi": -60}}}) == {}


def test_the_channels_of_a_shelly_can_be_assets_of_their_own(tmp_path):
    dialect = Dialect(
        tmp_path,
        """
- mapping: shelly
  asset: site/power/{device}-{channel}
  where: { device: [s1], channel: { "0": a, "1": b } }
  signals: { power: { unit: kW } }
- mapping: shelly-status
  asset: site/power/{device}-{channel}
  where: { device: [s1], channel: { "0": a, "1": b } }
  signals: { voltage: }
""",
    )
    params = {"ts": 1631186545.04, "switch:0": {"apower": 8.5}, "switch:1": {"apower": 1500}}
    found = dialect.read("s1/events/rpc", {"method": "NotifyStatus", "params": params})
    assert {path: value.value for path, value in found.items()} == {
        "site/power/s1-a/power": 0.0085,
        "site/power/s1-b/power": 1.5,
    }
    assert dialect.units["site/power/s1-a/power"] == "kW"
    found = dialect.read("s1/status/switch:1", {"id": 1, "voltage": 230.1, "apower": 1500})
    assert found == {"site/power/s1-b/voltage": Value(230.1, NOW)}


ZIGBEE = """
- mapping: zigbee2mqtt
  asset: site/area/{device}
  where: { device: { hall/north window: sensor-1 } }
  signals:
    temperature: { unit: °C }
    pressure: { unit: bar }
    on: { match: { signal: state }, kind: state, words: { "ON": 1, "OFF": 0 } }
- mapping: zigbee2mqtt-availability
  asset: site/area/{device}
  where: { device: { hall/north window: sensor-1 } }
"""
BRIDGE_DEVICES = [
    {"ieee_address": "0x00", "friendly_name": "Coordinator", "definition": None},
    {
        "friendly_name": "hall/north window",
        "definition": {
            "exposes": [
                {"type": "numeric", "name": "temperature", "property": "temperature", "unit": "°F"},
                {"type": "numeric", "name": "pressure", "property": "pressure", "unit": "hPa"},
                {"type": "switch", "features": [{"type": "binary", "property": "state"}]},
            ]
        },
    },
]


def test_zigbee2mqtt_names_hold_slashes_and_units_come_from_the_bridge(tmp_path):
    dialect = Dialect(tmp_path, ZIGBEE)
    topic = "zigbee2mqtt/hall/north window"
    message = {"temperature": 81.212, "pressure": 1000, "humidity": 44.72, "linkquality": 90, "state": "ON"}
    assert dialect.send("zigbee2mqtt/bridge/devices", BRIDGE_DEVICES, retained=True).described == 3
    found = dialect.read(topic, message)
    assert found["site/area/sensor-1/temperature"].value == pytest.approx(27.34)
    assert found["site/area/sensor-1/pressure"].value == pytest.approx(1.0)
    assert found["site/area/sensor-1/on"] == Value(1.0, NOW)
    assert len(found) == 3
    assert dialect.read(topic, {"state": "OFF", "last_seen": 1700000000123})["site/area/sensor-1/on"] == Value(
        0.0, "2023-11-14T22:13:20.123Z"
    )
    assert dialect.read(topic, {"action": "single"}) == {}
    assert dialect.mapping.subscriptions()[0] == ("zigbee2mqtt/bridge/devices", 1), "metadata comes first"


@pytest.mark.parametrize("said", ["offline", '{"state":"offline"}', '{ "state" : "offline" }'])
def test_zigbee2mqtt_says_in_two_ways_whether_a_device_is_there(tmp_path, said):
    found = Dialect(tmp_path, ZIGBEE).read("zigbee2mqtt/hall/north window/availability", said, raw=True)
    assert found == {"site/area/sensor-1/online": Value(0.0, NOW)}


def test_plain_topics_say_a_number_or_a_word(tmp_path):
    dialect = Dialect(
        tmp_path,
        """
- mapping: plain
  topic: shop/{unit}/{signal}
  asset: site/area/{unit}
  where: { unit: [press-1] }
  signals:
    load: { unit: kN, source_unit: N }
    running: { kind: state, words: { "ON": 1, "OFF": 0 } }
- mapping: plain-json
  topic: json/{unit}/{signal}
  asset: site/other/{unit}
  where: { unit: [press-1] }
  signals: { load: { unit: kN } }
""",
    )
    assert dialect.read("shop/press-1/load", " 1500\n", raw=True) == {"site/area/press-1/load": Value(1.5, NOW)}
    assert dialect.read("shop/press-1/running", "ON", raw=True) == {"site/area/press-1/running": Value(1.0, NOW)}
    empty = dialect.read("shop/press-1/load", "", raw=True)["site/area/press-1/load"]
    assert math.isnan(empty.value)
    assert empty.quality == Quality.BAD
    path = "site/other/press-1/load"
    assert dialect.read("json/press-1/load", 2.5) == {path: Value(2.5, NOW)}
    for time in (1700000000, 1700000000000, "2023-11-14T22:13:20Z", 1700000000.0):
        assert dialect.read("json/press-1/load", {"val": "7", "ts": time}) == {path: Value(7.0, "2023-11-14T22:13:20Z")}
