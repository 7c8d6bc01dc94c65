"""thingsboard-gateway as a process: its OPC UA connector, subscribed, sends to a broker that answers what its platform would.

In: an OPC UA server and a broker. Out: the process; telemetry on v1/gateway/telemetry. It lives in an environment of its
own (setup/peers.py bench), because it pins another asyncua.
"""

import json
import os
import shutil
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

from tests.benchmark.agents import Offer, process
from tests.benchmark.record import ROOT
from twin.wire.mqtt import Client, Message

ENVIRONMENT = ROOT / ".cache" / "thingsboard"
TELEMETRY = "v1/gateway/telemetry"
ASKED, ANSWERED = "v1/devices/me/rpc/request/", "v1/devices/me/rpc/response/"
TOPICS = [(TELEMETRY, 1), (f"{ASKED}+", 1)]
LIMITS = {"maxPayloadSize": 65_536, "maxInflightMessages": 1_000, "rateLimits": {}, "gatewayRateLimits": {}}  # none


def thingsboard(
    folder: Path, offer: Offer, namespace: int, broker: int, interval_ms: int
) -> AbstractContextManager["subprocess.Popen[str]"]:
    """Reading all that is offered, a device of one machine; the defaults of its own files where we say nothing."""
    program = ENVIRONMENT / "bin" / "thingsboard-gateway"
    assert program.exists(), "the peer is not installed; run: .venv/bin/python setup/peers.py bench"
    (defaults,) = ENVIRONMENT.glob("lib/python3*/site-packages/thingsboard_gateway/config")
    configuration = folder / "thingsboard"
    configuration.mkdir()
    shutil.copy(defaults / "logs.json", configuration)
    (configuration / "connected_devices.json").write_text("{}")
    (configuration / "opcua.json").write_text(json.dumps(_connector(offer, namespace, interval_ms)))
    settings = json.loads((defaults / "tb_gateway.json").read_text())
    settings["thingsboard"] |= {
        "host": "127.0.0.1", "port": broker, "remoteConfiguration": False,
        "security": {"type": "accessToken", "accessToken": "gateway"},
        "statistics": {"enable": False, "statsSendPeriodInSeconds": 3600},
    }  # fmt: skip
    settings["connectors"] = [{"name": "opcua", "type": "opcua", "configuration": "opcua.json"}]
    (configuration / "tb_gateway.json").write_text(json.dumps(settings))
    words = {"TB_GW_CONFIG_DIR": str(configuration), "HTTPS_PROXY": "http://127.0.0.1:9"}  # it asks for updates
    command = [str(program.parent / "python"), str(program)]
    return process(*command, log=folder / "edge.log", cwd=folder, env={**os.environ, **words})


def _connector(offer: Offer, namespace: int, interval_ms: int) -> dict[str, object]:
    keys = [
        {"key": f"v{number}", "type": "identifier", "value": f"${{ns={namespace};s=v{number}}}"}
        for number in range(offer.items)
    ]
    device = {
        "deviceNodeSource": "path",
        "deviceNodePattern": r"Root\.Objects\.Machine",
        "deviceInfo": {
            "deviceNameExpression": "machine", "deviceNameExpressionSource": "constant",
            "deviceProfileExpression": "default", "deviceProfileExpressionSource": "constant",
        },
        "attributes": [], "timeseries": keys, "rpc_methods": [], "attributes_updates": [],
    }  # fmt: skip
    server = {
        "url": offer.url, "enableSubscriptions": True, "subCheckPeriodInMillis": interval_ms, "security": "None",
        "scanPeriodInMillis": 3_600_000, "pollPeriodInMillis": 3_600_000, "identity": {"type": "anonymous"},
        "timeoutInMillis": 5_000, "sessionTimeoutInMillis": 120_000, "showMap": False,
    }  # fmt: skip
    return {"server": server, "mapping": [device]}


async def answer(client: Client, message: Message) -> int:
    """Be the platform: no limits when it asks for them. Returns how many values the message has."""
    if message.topic.startswith(ASKED):
        await client.publish(ANSWERED + message.topic.removeprefix(ASKED), json.dumps(LIMITS).encode(), qos=1)
        return 0
    if message.topic != TELEMETRY:
        return 0
    return sum(len(row["values"]) for rows in json.loads(message.payload).values() for row in rows)
