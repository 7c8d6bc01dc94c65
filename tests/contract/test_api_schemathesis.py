"""The OpenAPI document against the running api: whatever the document allows must be answered as the document says."""

import asyncio
import base64
import json
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from uuid import uuid4

import httpx
import numpy as np
import pytest

from api.media import TableFormat
from tests import servers
from tests.contract.alarm_samples import VIBRATION, alarms
from tests.contract.api_samples import commit, commit_texts, register
from tests.contract.api_server import MILL, api_process, api_settings, gateway_document, make_key, state_document
from tests.contract.conftest import Database
from twin.state.alarm_model import ActionKind, alarm_id
from twin.store.actions import Order
from twin.store.connect import open_store
from twin.wire import topic
from twin.wire.mqtt import BrokerSettings, connect

CURRENT, ORDER = f"{MILL}/spindle-current", f"{MILL}/order"
ALARM = alarm_id(f"anomaly|{VIBRATION}|spike")
SHELL = f"urn:fabriquay:fabriquay:{MILL}"
OF_PATHS = "^/v1/(signals|assets|kpis|forecasts|bottlenecks)"  # where it matters which signal and asset it is
CONFIGURATION = """
seed = 1
[generation]
max-examples = 15
[[operations]]
include-operation-id = "getSeries"
parameters = {{ path = "{signal}" }}
# An end before the start, or points of a text, fit the schema and are refused all the same.
checks.positive_data_acceptance.expected-statuses = ["2xx", "422"]
[[operations]]
include-operation-id = "postScenario"
enabled = false # minutes of simulation; tests/contract/test_api_scenarios.py asks it
[[operations]]
include-operation-id-regex = "(Alarm|Maintenance)$"
parameters = {{ alarm = "{alarm}", under = "{asset}", window = 1, cursor = "" }}
# What a client may send and an alarm's state, or the plant, refuses all the same.
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "409", "422"]
[[operations]]
include-operation-id-regex = "^(addNewNormal|getAlarmReports|listAlarms)$"
parameters = {{ under = "{asset}" }}
# A key that stood with another action is refused.
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "409", "422"]
[[operations]]
include-operation-id-regex = "^(listStates|listFindings|listRisks)$"
# An instant that matches the pattern and is none, or lies ahead, is refused all the same.
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "422"]
[[operations]]
include-operation-id = "getAssetRisk"
checks.positive_data_acceptance.expected-statuses = ["2xx", "422"]
parameters = {{ path = "{asset}" }}
[[operations]]
include-operation-id = "followLive"
enabled = false # it goes on for ever; it has tests of its own
[[operations]]
include-operation-id = "addMaintenanceEvents"
# An asset that is not in the plant fits the schema, too, and a key that stood with other events.
checks.positive_data_acceptance.expected-statuses = ["2xx", "409", "422"]
[[operations]]
include-operation-id = "listMaintenanceEvents"
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "422"]
[[operations]]
include-operation-id = "getAssetState"
parameters = {{ path = "{asset}" }}
checks.positive_data_acceptance.expected-statuses = ["2xx", "422"]
[[operations]]
include-operation-id = "getForecasts"
parameters = {{ under = "{asset}" }}
# An instant that matches the pattern and is none, e.g. the 30th of February, is refused all the same.
checks.positive_data_acceptance.expected-statuses = ["2xx", "422"]
[[operations]]
include-operation-id = "getForecastAccuracy"
parameters = {{ under = "{asset}" }}
[[operations]]
include-operation-id-regex = "^(getScenario|addMaintenance)$"
warnings = false # their ids and paths stand in nobody's document
[[operations]]
include-operation-id = "getKpis"
parameters = {{ under = "{asset}" }}
# An end before the start fits the schema and is refused all the same; so is a window that is too long.
checks.positive_data_acceptance.expected-statuses = ["2xx", "422"]
[[operations]]
include-operation-id = "getBottlenecks"
parameters = {{ under = "{asset}" }}
checks.positive_data_acceptance.expected-statuses = ["2xx", "422"]
[[operations]]
include-operation-id = "getLineage"
parameters = {{ asset = "{mill}" }}
checks.positive_data_acceptance.expected-statuses = ["2xx", "422"]
[[operations]]
include-tag = "access"
enabled = false
# A wrong password, a name that is locked or taken, nobody of that name: they fit the schema, too.
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "422", "429"]
[[operations]]
include-operation-id-regex = "^(changeUser|setPassword|revokeKey|listAudit)$"
enabled = false
warnings = false # their names stand in nobody's document
[[operations]]
include-operation-id-regex = "^(getShell|getAssetInformation|listSubmodelReferences|getSubmodelOfShell)$"
parameters = {{ id = "{shell}", submodel = "{nameplate}" }}
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "422"]
[[operations]]
include-operation-id-regex = "^(getSubmodel|getSubmodelValue|listElements|getElement|getElementValue)$"
parameters = {{ id = "{nameplate}", path = "Path" }}
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "422"]
[[operations]]
include-operation-id = "reclassifyInterval"
parameters = {{ path = "{mill}" }}
checks.positive_data_acceptance.expected-statuses = ["2xx", "409", "422"]
"""


async def _fill(dsn: str, broker_port: int) -> None:
    ids = await register(dsn)
    now_ns = time.time_ns() // 1000 * 1000
    times = now_ns - np.arange(3_000, dtype=np.int64)[::-1] * 10**9
    async with open_store(dsn) as store:
        await commit(store, ids[CURRENT], times, np.arange(3_000.0), gaps=[(int(times[5]), int(times[9]))])
        await alarms(store).anomaly(now_ns)
        await store.actions.add(Order(uuid4(), ActionKind.OUT_OF_SERVICE, "terminal", now_ns, "Kim", "rebuilt", {}))
        await commit_texts(store, ids[ORDER], times[-5:], ["order 1", "order 2", "", "Ünïcode", "order 5"])
    settings = BrokerSettings(host="127.0.0.1", port=broker_port)
    async with connect(settings, client_id="publisher") as client:
        await client.publish(topic.state(MILL), state_document(MILL), qos=1, retain=True)
        await client.publish(topic.gateway("edge-factory"), gateway_document("edge-factory"), qos=1, retain=True)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, database: Database) -> Generator[tuple[str, str]]:
    """Where the api is, and an admin's key."""
    log = tmp_path_factory.mktemp("api") / "api.log"
    with servers.amqtt() as broker:
        asyncio.run(_fill(database.dsn, broker.port))
        key = asyncio.run(make_key(database.dsn, "schemathesis", "admin"))
        with api_process(api_settings(dsn=database.dsn, broker_port=broker.port), log) as (port, _):
            base = f"http://127.0.0.1:{port}"
            servers.wait_for(lambda: len(httpx.get(f"{base}/v1/states").json()["states"]) == 1, what="live state")
            servers.wait_for(lambda: httpx.get(f"{base}/readyz").status_code == 200, what="readiness")
            yield base, key
            assert "Traceback" not in log.read_text(), log.read_text()[-5_000:]


@pytest.mark.timeout(330)
@pytest.mark.parametrize(
    ("signal", "asset", "routes"),
    [(CURRENT, MILL, "/"), (ORDER, "factory", OF_PATHS), (f"{MILL}/state", "terminal", OF_PATHS)],
)
def test_every_answer_to_an_admin_is_as_the_openapi_document_says(
    address: tuple[str, str], tmp_path: Path, signal: str, asset: str, routes: str
) -> None:
    configuration = tmp_path / "schemathesis.toml"
    told = {"signal": signal, "asset": asset, "alarm": ALARM, "mill": MILL}
    shell, nameplate = (base64.urlsafe_b64encode(one.encode()).decode() for one in (SHELL, f"{SHELL}:Nameplate"))
    configuration.write_text(CONFIGURATION.format(**told, shell=shell.rstrip("="), nameplate=nameplate.rstrip("=")))
    program = Path(sys.executable).parent / "schemathesis"
    command = [
        program,
        "--config-file",
        configuration,
        "run",
        f"{address[0]}/openapi.json",
        "--header",
        f"Authorization: Bearer {address[1]}",
        "--include-path-regex",
        routes,
        "--checks",
        "all",
        "--exclude-checks",
        "ignored_auth",  # it spoils the cookie and leaves the key, which is enough; the matrix of rights asks instead
        "--no-color",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
    assert "Missing test data" not in done.stdout, done.stdout[-3_000:]


def test_the_openapi_document_reads_well(address: tuple[str, str]) -> None:
    document = httpx.get(f"{address[0]}/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    names = set()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            assert operation["operationId"], where
            assert operation["summary"], where
            assert operation["description"], where
            assert operation["tags"], where
            names.add(operation["operationId"])
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    assert list(response["content"]) == ["application/problem+json"], f"{where} {status}"
            for parameter in operation.get("parameters", []):
                assert parameter["description"], f"{where} {parameter['name']}"
    assert len(names) == sum(len(methods) for methods in document["paths"].values())
    series = document["paths"]["/v1/signals/{path}/series"]["get"]["responses"]["200"]["content"]
    assert set(series) == {form.media_type for form in TableFormat}
    assert "HTTPValidationError" not in json.dumps(document)
