"""What the terminal's devices say: every signal has its place, and every value comes out as it went in."""

import json
from datetime import datetime
from pathlib import Path

from twin.demo.dialects import TIC_LEAVES, VDA_FIELDS, Spoken, carrier_message, crane_message, value_message
from twin.plant.load import load_plant

PLANT = load_plant(Path(__file__).parents[2] / "configs" / "plant.yaml")
AT_US = 1_800_000_000_123_000


def spoken(path, value, *, number=1, at_us=AT_US):
    return Spoken(number, PLANT.signal(path), at_us, value)


def signals_of(asset_type):
    return {PLANT.signal(path).name for asset in PLANT.assets if asset.type == asset_type for path in asset.signals}


def microseconds(text):
    seconds = datetime.fromisoformat(text).timestamp()
    return round(seconds * 1000) * 1000


def test_every_signal_of_a_crane_has_a_leaf_and_every_one_of_a_carrier_a_field():
    assert signals_of("sts-crane") | signals_of("yard-crane") == set(TIC_LEAVES)
    assert signals_of("carrier") == set(VDA_FIELDS)
    assert len(set(TIC_LEAVES.values())) == len(TIC_LEAVES)
    assert len(set(VDA_FIELDS.values())) == len(VDA_FIELDS)


def test_a_crane_says_each_value_in_a_leaf_with_its_own_time():
    said = [
        spoken("terminal/quay/sts-1/hoist-load", 24500.0, number=7),
        spoken("terminal/quay/sts-1/hoist-load", 24510.0, number=8, at_us=AT_US + 20_000),
        spoken("terminal/quay/sts-1/state", 1, number=9),
    ]
    message = crane_message("sts-1", said)
    document = json.loads(message.payload)
    che = document["che"][0]
    assert message.topic == "terminal/tic/sts-1"
    assert message.ids == (7, 8, 9)
    assert document["msg"]["sender"] == che["id"] == "sts-1"
    assert [leaf["value"] for leaf in che["hoist"]["load"]] == [24500.0, 24510.0]
    assert [microseconds(leaf["timestamp"]) for leaf in che["hoist"]["load"]] == [AT_US, AT_US + 20_000]
    assert che["hoist"]["load"][0] | {"timestamp": ""} == {
        "value": 24500.0,
        "unit": "kg",
        "timestamp": "",
        "pom": "output",
        "pomt": "actual",
    }
    assert che["status"][0]["value"] == 1
    assert "trolley" not in che


def test_a_carrier_says_everything_with_one_time():
    path = "terminal/transport/agv-3"
    values = {
        "state": 4,
        "move-count": 12,
        "battery": 81.5,
        "battery-voltage": 640.1,
        "speed": 2.5,
        "x": 10.25,
        "y": 60.0,
        "driving": 1,
        "operating-mode": "MANUAL",
        "order": "T-1-store",
    }
    message = carrier_message("agv-3", [spoken(f"{path}/{name}", value) for name, value in values.items()], 41)
    state = json.loads(message.payload)
    assert message.topic == "uagv/v2/fabriquay/agv-3/state"
    assert state["headerId"] == 41
    assert microseconds(state["timestamp"]) == AT_US
    assert state["batteryState"]["batteryCharge"] == 81.5
    assert (state["agvPosition"]["x"], state["velocity"]["vx"]) == (10.25, 2.5)
    assert state["driving"] is True
    assert (state["operatingMode"], state["orderId"]) == ("MANUAL", "T-1-store")
    assert state["errors"][0]["errorLevel"] == "FATAL"


def test_a_reefer_says_one_value_per_topic():
    message = value_message(spoken("terminal/reefers/slot-07/return-temperature", -18.3, number=5))
    assert message.topic == "terminal/reefers/slot-07/return-temperature"
    assert json.loads(message.payload) == {"value": -18.3, "timestamp_ms": AT_US // 1000}
    assert message.ids == (5,)
