"""The plant over the AAS interface, read by a client that others have written, and judged by the metamodel's rules."""

import asyncio
import base64
import json
import subprocess

import httpx
import orjson
import pytest
from aas_core3 import jsonization, verification

from tests import servers
from tests.contract.api_server import MILL, PLANT, api_process, api_settings, state_document
from twin.plant.load import load_plant
from twin.wire import topic
from twin.wire.mqtt import BrokerSettings, connect

PEER_PYTHON = servers.CHECKOUT / ".cache" / "peers" / "bin" / "python"
ID = f"urn:fabriquay:fabriquay:{MILL}"


def encoded(identity):
    return base64.urlsafe_b64encode(identity.encode()).decode().rstrip("=")


@pytest.fixture(scope="module")
def served(tmp_path_factory, mosquitto_broker, database):
    async def publish():
        broker = BrokerSettings(host="127.0.0.1", port=mosquitto_broker.port)
        async with connect(broker, client_id="an-aas-twin") as twin:
            await twin.publish(topic.state(MILL), state_document(MILL, value=17.25), qos=1, retain=True)

    folder = tmp_path_factory.mktemp("aas")
    settings = api_settings(dsn=database.dsn, broker_port=mosquitto_broker.port)
    with api_process(settings, folder / "api.log") as (port, _):
        base = f"http://127.0.0.1:{port}"
        servers.wait_for(lambda: httpx.get(f"{base}/v1/kpis?under=factory").status_code == 200, what="the store")
        asyncio.run(publish())
        servers.wait_for(
            lambda: httpx.get(f"{base}/v1/assets/{MILL}/state").json()["signals"], what="the live document"
        )
        yield base


def test_a_client_of_others_reads_shells_submodels_and_elements(served):
    asked = subprocess.run(
        [PEER_PYTHON, "-c", _PEER, f"{served}/aas", encoded(ID), encoded(f"{ID}:OperationalState")],
        capture_output=True, text=True, check=True, timeout=100,
    )  # fmt: skip
    told = json.loads(asked.stdout.splitlines()[-1])
    assert told["shells"] == len(load_plant(PLANT).assets)
    assert len(told["mill"]["submodels"]) == 4
    value = told["value"]
    assert (value["modelType"], value["valueType"], value["value"]) == ("Property", "xs:double", "17.25")


_PEER = """
import json, sys
from aas_http_client.classes.client.aas_client import create_by_url
client = create_by_url(sys.argv[1])
print(json.dumps({
    "shells": len(client.shells.get_all_asset_administration_shells(limit=500)["result"]),
    "mill": client.shells.get_asset_administration_shell_by_id(sys.argv[2]),
    "value": client.submodels.get_submodel_element_by_path_submodel_repo(sys.argv[3], "signals.spindle_current.value"),
}))
"""


def test_all_that_is_said_keeps_the_rules_of_the_metamodel(served):
    for cursor in (0, 40):
        page = httpx.get(f"{served}/aas/submodels", params={"limit": 40, "cursor": cursor}, timeout=60).json()
        assert len(page["result"]) == 40
        for document in page["result"]:
            assert list(verification.verify(jsonization.submodel_from_jsonable(document))) == []
    for document in httpx.get(f"{served}/aas/shells", params={"limit": 500}).json()["result"]:
        shell = jsonization.asset_administration_shell_from_jsonable(document)
        assert list(verification.verify(shell)) == []


def test_values_alone_are_a_plain_document(served):
    told = httpx.get(f"{served}/aas/submodels/{encoded(ID + ':OperationalState')}/$value").json()
    assert told["machine_state"]["name"] == "running"
    assert told["signals"]["spindle_current"]["quality"] == "good"
    linked = httpx.get(f"{served}/aas/submodels/{encoded(ID + ':TimeSeries')}/$value").json()["Segments"]
    assert linked["spindle_current"]["Endpoint"] == f"{served}/v1/signals/{MILL}/spindle-current/series"
    assert httpx.get(linked["order"]["Endpoint"], params=linked["order"]["Query"]).status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"shells/{encoded('urn:fabriquay:fabriquay:nowhere')}", 404),
        ("shells/%F0%9F", 422),
        (f"submodels/{encoded(ID + ':Nothing')}", 404),
        (f"submodels/{encoded(ID + ':Nameplate')}/submodel-elements/Price", 404),
    ],
)
def test_what_is_not_there_is_said_in_words(served, path, status):
    found = httpx.get(f"{served}/aas/{path}")
    assert (found.status_code, "do" in orjson.loads(found.content)) == (status, True)
