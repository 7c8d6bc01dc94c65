"""The micro-factory's OPC UA server, seen by a real client."""

import asyncio
import math
import sqlite3
from contextlib import asynccontextmanager
from pathlib import Path

from asyncua import Client, ua

from tests.servers import free_port
from tests.waiting import until
from twin.demo.equipment import EquipmentSettings, run_equipment
from twin.demo.opcua_server import NAMESPACE
from twin.plant.load import load_plant
from twin.plant.tree import Kind

FILE = Path(__file__).parents[2] / "configs" / "plant.yaml"
PLANT = load_plant(FILE)
TYPES = {
    Kind.MEASUREMENT: ua.VariantType.Double,
    Kind.COUNTER: ua.VariantType.UInt32,
    Kind.STATE: ua.VariantType.Int32,
    Kind.TEXT: ua.VariantType.String,
}


@asynccontextmanager
async def factory(folder, **options):
    """The running micro-factory: its endpoint."""
    settings = EquipmentSettings(
        plant=FILE, truth_log=folder / "truth.db", sites=("factory",), opcua_port=free_port(), **options
    )
    endpoint = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(run_equipment(settings, ready=endpoint.set_result))
    try:
        await asyncio.wait({running, endpoint}, return_when=asyncio.FIRST_COMPLETED, timeout=60)
        assert endpoint.done(), running
        yield endpoint.result()
    finally:
        running.cancel()
        await asyncio.wait({running})


def truth(folder):
    connection = sqlite3.connect(folder / "truth.db")
    try:
        return {
            (path, time_us): value if text is None else text
            for path, time_us, value, text in connection.execute("SELECT * FROM sample")
        }
    finally:
        connection.close()


class Received:
    """What a subscription delivers, by signal path and source time."""

    def __init__(self, paths):
        self.paths = paths  # node id → path
        self.values = {}
        self.newest_us = 0

    def datachange_notification(self, node, value, data):
        at = data.monitored_item.Value.SourceTimestamp
        time_us = round(at.timestamp() * 1000) * 1000
        self.values[self.paths[node.nodeid], time_us] = value
        self.newest_us = max(self.newest_us, time_us)


def signals():
    return [one for one in PLANT.signals if one.path.startswith("factory/")]


async def test_a_client_finds_every_signal_with_its_type_unit_and_range(tmp_path):
    async with factory(tmp_path) as endpoint, Client(endpoint) as client:
        index = await client.get_namespace_index(NAMESPACE)
        for signal in signals():
            steps = [f"{index}:{step}" for step in signal.path.split("/")]
            node = await client.nodes.objects.get_child(steps)
            assert node.nodeid == ua.NodeId(f"{PLANT.asset(signal.asset).name}.{signal.name}", index)
            value = await node.read_data_value()
            assert value.StatusCode.is_good()
            assert value.Value.VariantType is TYPES[signal.kind]
            assert value.SourceTimestamp is not None
            if signal.unit:
                unit = await (await node.get_child("0:EngineeringUnits")).read_value()
                assert unit.DisplayName.Text == signal.unit
                assert unit.UnitId > 0
            if signal.low is not None:
                limits = await (await node.get_child("0:EURange")).read_value()
                assert (limits.Low, limits.High) == (signal.low, signal.high)


async def test_nothing_that_a_client_can_read_is_a_value_that_was_never_measured(tmp_path):
    async with factory(tmp_path) as endpoint, Client(endpoint) as client:
        index = await client.get_namespace_index(NAMESPACE)
        nodes = [client.get_node(ua.NodeId(f"{PLANT.asset(one.asset).name}.{one.name}", index)) for one in signals()]
        for value in await client.read_values(nodes):
            assert not (isinstance(value, float) and math.isnan(value))


async def test_a_subscription_with_a_large_queue_receives_the_truth_log_and_nothing_else(tmp_path):
    async with factory(tmp_path, rate=2_000, fault_gap_s=5) as endpoint, Client(endpoint) as client:
        index = await client.get_namespace_index(NAMESPACE)
        paths = {ua.NodeId(f"{PLANT.asset(one.asset).name}.{one.name}", index): one.path for one in signals()}
        received = Received(paths)
        subscription = await client.create_subscription(100, received)
        every = ua.DataChangeFilter(Trigger=ua.DataChangeTrigger.StatusValueTimestamp)
        items = [
            ua.MonitoredItemCreateRequest(
                ItemToMonitor=ua.ReadValueId(node_id, ua.AttributeIds.Value),
                MonitoringMode=ua.MonitoringMode.Reporting,
                RequestedParameters=ua.MonitoringParameters(
                    ClientHandle=handle, SamplingInterval=0, QueueSize=5_000, Filter=every, DiscardOldest=True
                ),
            )
            for handle, node_id in enumerate(paths, 1)
        ]
        await subscription.create_monitored_items(items)
        began_us = max(time_us for _, time_us in truth(tmp_path))
        until_us = began_us + 4_000_000
        await until(lambda: received.newest_us > until_us + 500_000)
        emitted = {
            (path, time_us): value
            for (path, time_us), value in truth(tmp_path).items()
            if began_us < time_us <= until_us
        }
        got = {key: value for key, value in received.values.items() if began_us < key[1] <= until_us}
        assert len(emitted) > 4_000
        assert got == emitted


async def test_a_second_start_continues_counters_and_times(tmp_path):
    def last(kind):
        found = {}
        for (path, time_us), value in sorted(truth(tmp_path).items(), key=lambda item: item[0][1]):
            if path.endswith(kind):
                found[path] = (time_us, value)
        return found

    async with factory(tmp_path, speed=30):
        await until(lambda: sum(value for _, value in last("/good-count").values()) > 20)
    before = last("/good-count")
    count = len(truth(tmp_path))
    async with factory(tmp_path, speed=30):
        await until(lambda: len(truth(tmp_path)) > count + 500)
    after = last("/good-count")
    assert set(after) == set(before)
    for path, (time_us, value) in before.items():
        assert after[path][0] > time_us
        assert after[path][1] >= value
