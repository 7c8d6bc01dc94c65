"""`twin opcua`: any OPC UA client browses the plant and reads the twin's state; nobody can write to it."""

import asyncio
from contextlib import asynccontextmanager, suppress

import orjson
import pytest
from asyncua import Client, ua
from pydantic import ValidationError

from api.northbound import NAMESPACE, serve_northbound
from api.northbound_settings import NorthboundSettings
from tests.contract.api_server import MILL, PLANT, state_document, until
from tests.servers import free_port
from twin.wire import topic
from twin.wire.mqtt import BrokerSettings, connect


@asynccontextmanager
async def northbound(broker_port, **more):
    settings = NorthboundSettings(port=free_port(), interval_ms=20, **more)
    broker = BrokerSettings(host="127.0.0.1", port=broker_port)
    serving = asyncio.create_task(serve_northbound(PLANT, broker, settings))
    try:
        yield f"opc.tcp://127.0.0.1:{settings.port}/twin", serving
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


@asynccontextmanager
async def reading(url, serving):
    """A client, once the server listens."""
    client = Client(url)

    async def connected():
        assert not serving.done(), serving.exception()
        with suppress(OSError, asyncio.TimeoutError):
            await client.connect()
            return True
        return False

    await until(connected, deadline_s=90, what="server")
    try:
        yield client
    finally:
        await client.disconnect()


async def test_the_tree_is_the_plant_and_the_values_are_the_twins(mosquitto_broker):
    async with northbound(mosquitto_broker.port) as (url, serving), reading(url, serving) as client:
        index = await client.get_namespace_index(NAMESPACE)
        path = [f"{index}:{name}" for name in MILL.split("/")]
        mill = await client.nodes.objects.get_child(path)
        names = {(await one.read_browse_name()).Name for one in await mill.get_children()}
        assert {"MachineState", "Freshness", "spindle-current", "good-count"} <= names
        current = client.get_node(ua.NodeId(f"{MILL}/spindle-current", index))
        before = await current.read_data_value(raise_on_bad_status=False)
        assert before.StatusCode.value == ua.StatusCodes.BadWaitingForInitialData
        async with connect(BrokerSettings(host="127.0.0.1", port=mosquitto_broker.port), client_id="a-twin") as twin:
            await twin.publish(topic.state(MILL), state_document(MILL, value=17.25), qos=1, retain=True)

            async def told():
                return (await current.read_data_value(raise_on_bad_status=False)).StatusCode.is_good()

            await until(told, what="value")
            assert await current.read_value() == 17.25
            assert await (await current.get_child("0:EngineeringUnits")).read_value() == ua.EUInformation(
                NAMESPACE, -1, ua.LocalizedText("A"), ua.LocalizedText("A")
            )
            state = client.get_node(ua.NodeId(f"{MILL}#MachineState", index))
            assert await state.read_value() == "running"
            document = orjson.loads(state_document(MILL, value=17.25))
            document["signals"]["spindle-current"]["fresh"] = False
            await twin.publish(topic.state(MILL), orjson.dumps(document), qos=1, retain=True)

            async def stale():
                found = await current.read_data_value(raise_on_bad_status=False)
                return found.StatusCode.value == ua.StatusCodes.UncertainLastUsableValue

            await until(stale, what="stale value")
        with pytest.raises(ua.UaStatusCodeError):
            await current.write_value(1.0)
        with pytest.raises(ua.UaStatusCodeError):
            await mill.add_object(index, "intruder")


def test_others_reach_it_only_through_a_certificate_and_a_user():
    with pytest.raises(ValidationError, match="can be reached by others"):
        NorthboundSettings(host="0.0.0.0")
    with pytest.raises(ValidationError, match="need each other"):
        NorthboundSettings(username="scada", password="secret")
