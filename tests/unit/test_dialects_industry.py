"""The shipped mappings against messages as their specifications and implementations write them: industry."""

import math

import pytest

from tests.unit.dialects import Dialect, Value
from twin.errors import Rejected
from twin.wire.reading import Quality

TIC = """
- mapping: tic4
  topic: port/tic/{sender}
  asset: terminal/quay/{che}
  where: { che: { STS01: sts-1, STS02: sts-2 } }
  signals:
    hoist-load: { match: { signal: hoist/weight/nett }, unit: kg }
    spreader-locked: { match: { signal: spreader/locked/status }, kind: state }
    standby: { match: { signal: standby/timer }, unit: s }
    lifts: { match: { signal: hoist/cycle/counter }, kind: counter }
"""


def leaf(value, at="2023-07-03T09:15:01.250Z", **more):
    return {"value": value, "timestamp": at, "pom": "output", "pomt": "actual", **more}


def tic(*che):
    header = {"id": "550", "sender": "STS01", "destination": "all", "version": "2023.007", "topic": "che"}
    return {"msg": {**header, "timestamp": "2023-07-03T09:15:02Z"}, "che": list(che)}


def test_tic_4_json_nests_to_any_depth_and_only_what_happened_is_telemetry(tmp_path):
    che = {
        "id": "STS01",
        "family": "che",
        "hoist": [{"weight": {"nett": [leaf(12.5, unit="ton"), leaf(13, pomt="planned", unit="ton")]}}],
        "spreader": [{"locked": {"status": [leaf(True, pom="ioutput")]}}],
        "standby": {
            "timer": [
                {
                    "value": 12.5,
                    "unit": "s",
                    "starttimestamp": "2023-07-03T09:14:00Z",
                    "endtimestamp": "2023-07-03T09:15:00Z",
                    "pomt": "performed",
                }
            ]
        },
    }
    other = {"id": "STS02", "hoist": [{"weight": {"nett": [{"value": 1, "unit": "t", "pomt": "actual"}]}}]}
    found = Dialect(tmp_path, TIC).read("port/tic/STS01", tic(che, other, {"id": "STS09", "hoist": []}))
    assert found == {
        "terminal/quay/sts-1/hoist-load": Value(12_500.0, "2023-07-03T09:15:01.25Z"),
        "terminal/quay/sts-1/spreader-locked": Value(1.0, "2023-07-03T09:15:01.25Z"),
        "terminal/quay/sts-1/standby": Value(12.5, "2023-07-03T09:15:00Z"),
        "terminal/quay/sts-2/hoist-load": Value(1000.0, "2023-07-03T09:15:02Z"),  # the time of the message
    }


def test_tic_4_flat_says_the_same_in_keys(tmp_path):
    flat = """
- mapping: tic4-flat
  topic: port/flat
  asset: terminal/quay/{che}
  where: { che: { STS01: sts-1 } }
  signals:
    hoist-load: { match: { signal: "hoist|@|weight|nett" }, unit: kg }
    spreader-locked: { match: { signal: "spreader|@|locked|status" }, kind: state }
    wind: { match: { signal: "ambient|@|wind|#name#windsensor" }, unit: m/s }
"""
    message = {
        "msg|id": "550",
        "msg|timestamp": "2023-07-03T09:15:02Z",
        "che|@|id": "STS01",
        "che|@|spreader|@|locked|status|ioutput|actual|value": True,
        "che|@|hoist|@|weight|nett|output|actual|#unit#ton|value": 12.5,
        "che|@|hoist|@|weight|nett|output|actual|#unit#ton|timestamp": "2023-07-03T09:15:01.250Z",
        "che|@|hoist|@|weight|nett|output|planned|#unit#ton|value": 14,
        "che|@|ambient|@|wind|#name#windsensor|#unit#km/h|output|actual|value": 36,
    }
    found = Dialect(tmp_path, flat).read("port/flat", message)
    assert found["terminal/quay/sts-1/hoist-load"] == Value(12_500.0, "2023-07-03T09:15:01.25Z")
    assert found["terminal/quay/sts-1/spreader-locked"] == Value(1.0, "2023-07-03T09:15:01.25Z")  # one time a message
    assert found["terminal/quay/sts-1/wind"].value == pytest.approx(10.0)
    assert len(found) == 3
    without = {key: value for key, value in message.items() if not key.startswith("che|@|hoist")}
    found = Dialect(tmp_path, flat).read("port/flat", without)
    assert found["terminal/quay/sts-1/spreader-locked"].at == "2023-07-03T09:15:02Z"


VDA = """
- mapping: vda5050
  topic: "{interface}/{version}/robots/{serial}/state"
  asset: terminal/transport/{serial}
  where: { serial: "agv-{1..2}" }
"""
VDA_2 = {
    "headerId": 7,
    "timestamp": "2026-01-01T11:40:03.123Z",
    "version": "2.1.0",
    "manufacturer": "robots",
    "serialNumber": "agv-1",
    "orderId": "",
    "orderUpdateId": 0,
    "lastNodeId": "node7",
    "lastNodeSequenceId": 4,
    "driving": True,
    "paused": False,
    "operatingMode": "AUTOMATIC",
    "nodeStates": [],
    "edgeStates": [],
    "agvPosition": {"x": 1.2, "y": 3.4, "theta": 0.1, "mapId": "hall", "positionInitialized": True},
    "velocity": {"vx": -0.5, "omega": 0.25},
    "loads": [{"loadId": "MSKU1234565"}],
    "actionStates": [],
    "batteryState": {"batteryCharge": 80, "batteryVoltage": 48.1, "charging": False, "reach": 1200},
    "errors": [{"errorType": "x", "errorLevel": "WARNING"}, {"errorType": "y", "errorLevel": "FATAL"}],
    "safetyState": {"eStop": "NONE", "fieldViolation": False},
}
VDA_3 = {
    **{key: value for key, value in VDA_2.items() if key not in ("agvPosition", "batteryState", "safetyState")},
    "version": "3.0.0",
    "mobileRobotPosition": {"x": 1.2, "y": 3.4, "theta": 0.1, "mapId": "hall", "localized": True},
    "powerSupply": {"stateOfCharge": 80, "batteryVoltage": 48.1, "charging": False, "range": 1200},
    "instantActionStates": [],
    "errors": [{"errorType": "x", "errorLevel": "URGENT"}, {"errorType": "y", "errorLevel": "CRITICAL"}],
    "safetyState": {"activeEmergencyStop": "NONE", "fieldViolation": False},
}


@pytest.mark.parametrize(("topic", "state"), [("uagv/v2", VDA_2), ("vda5050/v3", VDA_3)])
def test_vda_5050_means_the_same_in_both_versions(tmp_path, topic, state):
    dialect = Dialect(tmp_path, VDA)
    mapped = dialect.send(f"{topic}/robots/agv-1/state", state)
    found = {dialect.paths[one.handle].rpartition("/")[2]: one.value for one in mapped.readings}
    assert mapped.sequence == 7
    assert {one.source_ns for one in mapped.readings} == {1_767_267_603_123_000_000}
    assert found == {
        "battery": 80.0, "battery-voltage": 48.1, "charging": 0.0, "reach": 1200.0,
        "x": 1.2, "y": 3.4, "theta": 0.1, "map": "hall", "localized": 1.0, "speed": -0.5, "turn-rate": 0.25,
        "driving": 1.0, "paused": 0.0, "operating-mode": "AUTOMATIC", "order": "", "last-node": "node7",
        "emergency-stop": "NONE", "field-violation": 0.0, "loads": 1.0, "warnings": 1.0, "faults": 1.0,
    }  # fmt: skip


def test_vda_5050_says_no_number_of_loads_where_the_robot_cannot_tell(tmp_path):
    dialect = Dialect(tmp_path, VDA)
    unknown = {key: value for key, value in VDA_2.items() if key != "loads"}
    assert "terminal/transport/agv-1/loads" not in dialect.read("uagv/v2/robots/agv-1/state", unknown)
    assert (
        dialect.read("uagv/v2/robots/agv-1/state", {**VDA_2, "loads": []})["terminal/transport/agv-1/loads"].value == 0
    )


MTCONNECT = """
- mapping: mtconnect
  asset: factory/mills/{device}
  where: { device: { 5fd88408-7811-3c6b-5400-11f4026b6890: mill-1 } }
  signals:
    x-position: { match: { signal: Xpos }, unit: m }
    tool-x: { match: { signal: Tool3d }, value: /value/0, unit: mm }
    spindle-speed: { match: { signal: S1 }, unit: rpm }
    mode: { match: { signal: cm }, kind: text }
    coolant: { match: { signal: cool }, kind: state, value: "{level}", words: { Normal: 0, Warning: 1, Fault: 2 } }
"""
UUID = "5fd88408-7811-3c6b-5400-11f4026b6890"
PROBE = {
    "MTConnectDevices": {
        "Devices": {
            "Device": [
                {
                    "id": "d1",
                    "uuid": UUID,
                    "Components": {
                        "Linear": [
                            {"id": "x", "DataItems": {"DataItem": [{"id": "Xpos", "units": "MILLIMETER"}]}},
                            {"id": "s", "DataItems": {"DataItem": [{"id": "S1", "units": "REVOLUTION/MINUTE"}]}},
                        ]
                    },
                }
            ]
        }
    }
}


def streams(*components, json_version=2, sequence=10):
    header = {"instanceId": 1702144894, "version": "2.0.0.12", "nextSequence": sequence + 1}
    if json_version == 2:
        inside = {"DeviceStream": [{"name": "M1", "uuid": UUID, "ComponentStream": list(components)}]}
    else:
        wrapped = [{"ComponentStream": component} for component in components]
        inside = [{"DeviceStream": {"name": "M1", "uuid": UUID, "ComponentStreams": wrapped}}]
    return {"MTConnectStreams": {"jsonVersion": json_version, "Header": header, "Streams": inside}}


def item(identity, value, sequence, **more):
    at = "2026-01-01T00:00:00.123456Z"
    return {"dataItemId": identity, "timestamp": at, "sequence": sequence, "value": value, **more}


AT = "2026-01-01T00:00:00.123456Z"


def test_mtconnect_2_gets_units_from_its_probe_and_repeats_nothing(tmp_path):
    dialect = Dialect(tmp_path, MTCONNECT)
    assert dialect.send(f"MTConnect/Probe/{UUID}", PROBE, retained=True).described
    path = {
        "component": "Path",
        "componentId": "p",
        "Samples": {
            "Position": [item("Xpos", 12.5, 10)],
            "PathPosition": [item("Tool3d", [10, 20, 30], 11)],
            "RotaryVelocity": [item("S1", "UNAVAILABLE", 12)],
        },
        "Events": {"ControllerMode": [item("cm", "AUTOMATIC", 13)], "Message": [item("nobody", "hello", 15)]},
        "Condition": {"Fault": [item("cool", "low", 14, nativeCode="17", type="SYSTEM")]},
    }
    found = dialect.read(f"MTConnect/Sample/{UUID}", streams(path))
    unavailable = found.pop("factory/mills/mill-1/spindle-speed")
    assert math.isnan(unavailable.value)
    assert (unavailable.at, unavailable.quality) == (AT, Quality.BAD)
    assert found == {
        "factory/mills/mill-1/x-position": Value(0.0125, AT),
        "factory/mills/mill-1/tool-x": Value(10.0, AT),
        "factory/mills/mill-1/mode": Value("AUTOMATIC", AT),
        "factory/mills/mill-1/coolant": Value(2.0, AT),
    }
    path["Samples"]["RotaryVelocity"] = [item("S1", 3000, 20)]
    again = dialect.read(f"MTConnect/Current/{UUID}", streams(path, sequence=20), retained=True)
    assert again == {"factory/mills/mill-1/spindle-speed": Value(3000.0, AT)}


def test_mtconnect_1_wraps_everything_once_more_and_means_the_same(tmp_path):
    path = {
        "component": "Path",
        "Samples": [{"Position": item("Xpos", 12.5, 10)}, {"RotaryVelocity": item("S1", 3000, 11)}],
        "Events": [{"ControllerMode": item("cm", "AUTOMATIC", 12)}],
        "Condition": [{"Normal": item("cool", "", 13)}],
    }
    dialect = Dialect(tmp_path, MTCONNECT)
    dialect.send(
        f"MTConnect/Probe/{UUID}",
        {
            "MTConnectDevices": {
                "Devices": [{"Device": {"DataItems": [{"DataItem": {"id": "Xpos", "units": "MILLIMETER"}}]}}]
            }
        },
    )
    found = dialect.read(f"MTConnect/Sample/{UUID}", streams(path, json_version=1))
    assert {path.rpartition("/")[2]: value.value for path, value in found.items()} == {
        "x-position": 0.0125,
        "spindle-speed": 3000.0,
        "mode": "AUTOMATIC",
        "coolant": 0.0,
    }


S7 = """
- mapping: siemens-industrial-edge
  asset: factory/pressing/{connection}
  where: { connection: { Plc/default: press-1 } }
  signals:
    good-count: { match: { signal: numberProduced }, kind: counter }
    state: { match: { signal: machineState }, kind: state }
"""
S7_METADATA = {
    "seq": 1,
    "hashVersion": 767858540,
    "connections": [
        {
            "name": "Plc",
            "type": "S7",
            "dataPoints": [
                {
                    "name": "default",
                    "topic": "ie/d/j/simatic/v1/s7c1/dp/r/Plc/default",
                    "publishType": "bulk",
                    "dataPointDefinitions": [
                        {"name": "machineState", "id": "101", "dataType": "Int", "accessMode": "rw"},
                        {"name": "numberProduced", "id": "102", "dataType": "DInt", "accessMode": "rw"},
                    ],
                },
                {
                    "name": "other",
                    "topic": "ie/d/j/simatic/v1/s7c1/dp/r/Plc/other",
                    "dataPointDefinitions": [{"name": "numberProduced", "id": "101", "dataType": "DInt"}],
                },
            ],
        }
    ],
}


def test_siemens_industrial_edge_ids_mean_what_the_metadata_of_their_own_topic_says(tmp_path):
    dialect = Dialect(tmp_path, S7)
    topic = "ie/d/j/simatic/v1/s7c1/dp/r/Plc/default"
    values = {
        "seq": 84631,
        "vals": [
            {"id": "102", "qc": 3, "ts": "2022-06-30T12:08:00.7318090Z", "val": 80},
            {"id": "101", "qc": 0, "ts": "2022-06-30T12:08:00.7318090Z", "val": 4},
        ],
    }
    with pytest.raises(Rejected, match=r"no metadata has come on ie/m/j/simatic/v1/\{app\}/dp"):
        dialect.send(topic, values)
    assert dialect.send("ie/m/j/simatic/v1/s7c1/dp", S7_METADATA, retained=True).described == 3
    assert dialect.read(topic, values) == {
        "factory/pressing/press-1/good-count": Value(80.0, "2022-06-30T12:08:00.731809Z"),
        "factory/pressing/press-1/state": Value(4.0, "2022-06-30T12:08:00.731809Z", Quality.BAD),
    }
    qualities = [
        dialect.read(topic, {"vals": [{"id": "102", "val": 1, **said}]}).popitem()[1].quality & Quality.SEVERITY
        for said in ({"qc": 0}, {"qc": 1}, {"qc": 2}, {"qc": 3}, {})
    ]
    assert qualities == [Quality.BAD, Quality.UNCERTAIN, Quality.GOOD, Quality.GOOD, Quality.GOOD]
    strange = dialect.send(topic, {"vals": [{"id": "999", "qc": 3, "val": 1}]})
    assert [(error.reason, str(error)) for error in strange.rejected] == [
        ("unknown-element", "the metadata does not know '999'")
    ]


def test_metadata_that_comes_anew_replaces_the_old(tmp_path):
    dialect = Dialect(tmp_path, S7)
    topic, metadata = "ie/d/j/simatic/v1/s7c1/dp/r/Plc/default", "ie/m/j/simatic/v1/s7c1/dp"
    dialect.send(metadata, S7_METADATA)
    swapped = [{"name": "numberProduced", "id": "101"}]
    points = [{"topic": topic, "dataPointDefinitions": swapped}]
    dialect.send(metadata, {"connections": [{"dataPoints": points}]})
    assert list(dialect.read(topic, {"vals": [{"id": "101", "qc": 3, "val": 7}]})) == [
        "factory/pressing/press-1/good-count"
    ]
    dialect.send(metadata, "", raw=True)
    with pytest.raises(Rejected, match="no metadata"):
        dialect.send(topic, {"vals": [{"id": "101", "qc": 3, "val": 7}]})


UA = """
- mapping: opcua-pubsub
  topic: plc/{line}/data
  asset: factory/{line}/plc
  where: { line: [line-1] }
  signals:
    running: { match: { signal: AlternatingBoolean }, kind: state }
    step: { match: { signal: StepUp }, kind: counter }
    fast: { match: { signal: BadFastUInt1 } }
    name: { match: { signal: Name }, kind: text }
"""
FRAME = {
    "DataSetWriterId": 1,
    "SequenceNumber": 27,
    "MetaDataVersion": {"MajorVersion": 1, "MinorVersion": 0},
    "MessageType": "ua-deltaframe",
    "Timestamp": "2022-03-18T12:55:21.3424136Z",
    "Payload": {
        "AlternatingBoolean": {"Value": True, "SourceTimestamp": "2022-03-18T12:55:20.9313098Z"},
        "StepUp": {"Value": 23305, "SourceTimestamp": "2022-03-18T12:55:21.3313539Z", "StatusCode": 0x40000000},
        "BadFastUInt1": {
            "StatusCode": {"Symbol": "BadNoCommunication", "Code": 2150694912},
            "SourceTimestamp": "2022-03-18T12:55:20.8409353Z",
        },
        "RandomSignedInt32": {"Value": 1076635612, "SourceTimestamp": "2022-03-18T12:55:21.3419164Z"},
    },
}
NETWORK = {"MessageId": "27", "MessageType": "ua-data", "PublisherId": "opc.tcp://opcplc:50000", "Messages": [FRAME]}


@pytest.mark.parametrize("message", [NETWORK, [NETWORK], FRAME, [FRAME], {**NETWORK, "Messages": FRAME}])
def test_opc_ua_pubsub_is_understood_in_every_envelope(tmp_path, message):
    found = Dialect(tmp_path, UA).read("plc/line-1/data", message)
    bad = found.pop("factory/line-1/plc/fast")
    assert math.isnan(bad.value)
    assert (bad.at, bad.quality) == ("2022-03-18T12:55:20.8409353Z", Quality.BAD)
    assert found == {
        "factory/line-1/plc/running": Value(1.0, "2022-03-18T12:55:20.9313098Z"),
        "factory/line-1/plc/step": Value(23305.0, "2022-03-18T12:55:21.3313539Z", Quality.UNCERTAIN),
    }


def test_opc_ua_pubsub_values_may_be_raw_reversible_or_samples(tmp_path):
    dialect = Dialect(tmp_path, UA)
    raw = {**NETWORK, "Messages": [{**FRAME, "Payload": {"StepUp": 5, "Name": "O1000"}}]}
    at = "2022-03-18T12:55:21.3424136Z"
    assert dialect.read("plc/line-1/data", raw) == {
        "factory/line-1/plc/step": Value(5.0, at),
        "factory/line-1/plc/name": Value("O1000", at),
    }
    reversible = {**NETWORK, "Messages": {**FRAME, "Payload": {"StepUp": {"Body": 16, "Type": 7}}}}
    assert dialect.read("plc/line-1/data", reversible)["factory/line-1/plc/step"].value == 16
    sample = {"NodeId": "StepUp", "Value": {"Value": 2018.0, "SourceTimestamp": "2020-04-16T11:18:03.5375812Z"}}
    assert dialect.read("plc/line-1/data", [sample]) == {
        "factory/line-1/plc/step": Value(2018.0, "2020-04-16T11:18:03.5375812Z")
    }
    assert dialect.read("plc/line-1/data", {"StepUp": 9})["factory/line-1/plc/step"].value == 9  # a bare data set


@pytest.mark.parametrize(
    "message",
    [
        {**NETWORK, "MessageType": "ua-metadata", "MetaData": {"Fields": []}, "Messages": []},
        {**NETWORK, "Messages": [{"MessageType": "ua-keepalive", "DataSetWriterId": 1}]},
        {**NETWORK, "Messages": [{**FRAME, "MessageType": "ua-event"}]},
    ],
)
def test_opc_ua_pubsub_messages_without_data_are_passed_over_in_silence(tmp_path, message):
    assert Dialect(tmp_path, UA).read("plc/line-1/data", message) == {}
