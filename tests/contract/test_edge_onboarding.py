"""`twin edge discover` and `twin edge check --live` as a deployer calls them, against node-opcua."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest_asyncio
import yaml

from tests.contract.opcua_rig import ServerProcess
from tests.contract.test_opcua_peer import peer
from tests.servers import free_port


@pytest_asyncio.fixture
async def press(tmp_path: Path) -> AsyncGenerator[ServerProcess]:
    async with peer(tmp_path, "--items", "5", "--model") as server:
        yield server


async def twin(*arguments: object) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "twin.commands.cli", "edge", *map(str, arguments),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "FABRIQUAY_BROKER_PASSWORD": "x", "FABRIQUAY_BROKER_PORT": str(free_port())},
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


def url(server: ServerProcess) -> str:
    return f"opc.tcp://127.0.0.1:{server.port}/test"


async def test_a_server_becomes_a_configuration_that_runs(press: ServerProcess, tmp_path: Path) -> None:
    path = tmp_path / "edge-press.yaml"
    status, _, said = await twin("discover", url(press), "-o", path, "--asset", "works/hall", "--sampling-ms", 200)
    assert status == 0, said
    text = path.read_text(encoding="utf-8")
    items = {item["signal"]: item for item in yaml.safe_load(text)["sources"][0]["items"]}
    base = "works/hall/line-1/press-3"
    assert items[f"{base}/oil-temperature"] == {
        "node": "nsu=urn:fabriquay:test;s=Press3.OilTemperature", "signal": f"{base}/oil-temperature", "unit": "°C"
    }  # fmt: skip
    assert items[f"{base}/parts-count"]["kind"] == "counter"
    assert items[f"{base}/mode"]["kind"] == "state"
    assert items[f"{base}/running"]["sampling_ms"] == 2500
    assert items[f"{base}/program"]["kind"] == "text"
    assert {f"{base}/positions", f"{base}/secret"}.isdisjoint(items)
    assert len(items) == 10  # five of them are the ticking ones
    assert "range -20 to 120" in text
    assert "Oil in the tank" in text
    assert "states 0 off, 1 running, 2 set-up" in text
    assert "left out: 1 · is an array" in said
    assert "left out: 1 · must not be read by this user" in said
    status, out, said = await twin("check", "-c", path)
    assert status == 0, said
    status, out, said = await twin("check", "--live", "-c", path, "--seconds", 3)
    assert status == 0, out + said
    assert "nodes that can be read: 10" in out
    assert "signals heard meanwhile: 10" in out
    assert "values would wait in the spool" in out  # there is no broker


async def test_only_a_branch_and_only_so_many_nodes(press: ServerProcess) -> None:
    status, out, _ = await twin("discover", url(press), "--under", "Line1/Press3", "--kind", "counter")
    assert status == 0
    (item,) = yaml.safe_load(out)["sources"][0]["items"]
    assert item["node"].endswith("s=Press3.PartsCount")
    status, out, said = await twin("discover", url(press), "--start", "nsu=urn:fabriquay:test;s=Line1.Press3")
    assert status == 0
    assert len(yaml.safe_load(out)["sources"][0]["items"]) == 5
    status, out, said = await twin("discover", url(press), "--most-nodes", 3)
    assert status == 0
    assert "stopped after 3 nodes" in said


async def test_nothing_is_overwritten_and_a_wrong_address_is_told(press: ServerProcess, tmp_path: Path) -> None:
    there = tmp_path / "there.yaml"
    there.write_text("mine")
    assert (await twin("discover", url(press), "-o", there))[0] == 2
    assert there.read_text() == "mine"
    status, _, said = await twin("discover", f"opc.tcp://127.0.0.1:{free_port()}")
    assert status == 1
    assert "Connect call failed" in said
    status, _, said = await twin("discover", "http://127.0.0.1")
    assert status == 2
    assert "opc.tcp://<host>" in said
    status, _, said = await twin("discover", url(press), "--start", "nsu=urn:nobody;s=x")
    assert status == 2
    assert "no namespace urn:nobody" in said


async def test_a_dry_run_finds_what_would_go_wrong(press: ServerProcess, tmp_path: Path) -> None:
    base = "nsu=urn:fabriquay:test;s="
    items = [
        {"node": f"{base}v0", "signal": "a/b/good"},
        {"node": f"{base}nowhere", "signal": "a/b/nowhere"},
        {"node": "nsu=urn:nobody;s=x", "signal": "a/b/nobody"},
        {"node": f"{base}Press3.Program", "signal": "a/b/program"},
        {"node": f"{base}Press3.Secret", "signal": "a/b/secret"},
        {"node": f"{base}Press3.Positions", "signal": "a/b/positions"},
        {"node": f"{base}Press3.OilTemperature", "signal": "a/b/oil", "unit": "°F"},
        {"node": f"{base}Press3.PartsCount", "signal": "a/b/parts", "kind": "counter", "unit": "parts"},
    ]
    source = {
        "kind": "opcua", "name": "press", "url": url(press), "items": items, "queue_size": 2, "sampling_interval_ms": 100
    }  # fmt: skip
    broker = {"host": "127.0.0.1", "port": free_port()}
    document = {"node": "edge-x", "broker": broker, "spool": {"path": str(tmp_path / "s.db")}, "sources": [source]}
    path = tmp_path / "edge.yaml"
    path.write_text(yaml.safe_dump(document))
    status, out, said = await twin("check", "--live", "-c", path, "--json", "--seconds", 2)
    assert status == 1, said
    report, uplink = json.loads(out)
    errors = {line.partition(" for ")[2].split()[0]: line for line in report["errors"]}
    assert set(errors) == {f"a/b/{name}" for name in ("nowhere", "nobody", "program", "secret", "positions", "oil")}
    assert "BadNodeIdUnknown" in errors["a/b/nowhere"]
    assert "no such namespace" in errors["a/b/nobody"]
    assert "String" in errors["a/b/program"]
    assert "must not be read" in errors["a/b/secret"]
    assert "'°C' at the server and in '°F' here" in errors["a/b/oil"]
    assert report["facts"]["server"].startswith("NodeOPCUA")
    assert abs(report["facts"]["clock_offset_s"]) < 1
    assert any("lose values in an outage of less than 5 s" in line for line in report["warnings"])
    assert "a/b/good" not in report["facts"]["signals_silent"]
    assert uplink["warnings"]
    assert not (tmp_path / "s.db").exists()
