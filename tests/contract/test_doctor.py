"""`twin doctor` as a user runs it: where nothing runs, where all of it runs, and on what is wrong on purpose."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import psycopg
import pytest
from typer.testing import CliRunner

from tests.contract.api_samples import commit
from tests.contract.api_server import MILL, PLANT, api_settings, running_api, state_document
from tests.contract.conftest import Database
from tests.servers import Broker, free_port, mosquitto, open_folder
from twin.commands.cli import app
from twin.commands.diagnosis import Check, Condition
from twin.commands.doctor import diagnose
from twin.commands.settings import ApiAddress, TwinSettings
from twin.learn.job import Outcome, Turn
from twin.plant.load import load_plant
from twin.store.connect import open_store
from twin.wire import topic
from twin.wire.mqtt import BrokerSettings, connect

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
S = 10**9


def settings_of(dsn: str, broker: int, api: int = 1, **more: object) -> TwinSettings:
    reached = BrokerSettings.model_validate({"host": "127.0.0.1", "port": broker, **more})
    return TwinSettings(plant=PLANT, database=dsn, broker=reached, api=ApiAddress(port=api))


def by_part(checks: list[Check]) -> dict[str, Check]:
    assert all(one.do for one in checks if one.condition is not Condition.OK), checks
    return {one.part: one for one in checks}


def test_where_nothing_runs_each_part_is_a_problem_that_says_what_to_do(tmp_path: Path) -> None:
    config = tmp_path / "twin.yaml"
    broker, api = free_port(), free_port()
    config.write_text(
        f"plant: {PLANT}\ndatabase: {NOWHERE}\nbroker: {{ host: 127.0.0.1, port: {broker} }}\napi: {{ port: {api} }}\n"
    )
    shown = CliRunner().invoke(app, ["doctor", "--config", str(config)])
    assert shown.exit_code == 1
    assert shown.output.count("PROBLEM") == 3
    assert shown.output.count("→") >= 3
    told = CliRunner().invoke(app, ["doctor", "--config", str(config), "--json"])
    document = json.loads(told.stdout)
    assert (told.exit_code, document["well"]) == (1, False)
    wrong = [one["part"] for one in document["checks"] if one["condition"] == "problem"]
    assert wrong == ["database", "broker", "api"]


@asynccontextmanager
async def at_work(dsn: str, broker: int) -> AsyncGenerator[int]:
    """The parts of a running installation that leave a trace: lease, state, jobs, a gateway; the api's port."""
    async with open_store(dsn) as store:
        await store.gateways.upsert("edge-factory", {"status": "online"})
        now_ns = time.time_ns()
        await store.jobs.claim("rollups", now_ns, 60)
        await store.jobs.ended(Turn("rollups", now_ns, now_ns, Outcome.DONE, "nothing new", now_ns + 60 * S))
        number = (await store.plants.signal_ids())[f"{MILL}/power"]
        await commit(store, number, np.array([now_ns]), np.array([1.0]))  # as edge-factory
        working = asyncio.Event()

        async def work() -> None:
            working.set()
            await asyncio.Event().wait()

        holding = asyncio.create_task(store.leases.hold("run", work))
        try:
            async with asyncio.timeout(10):
                await working.wait()
            async with connect(BrokerSettings(host="127.0.0.1", port=broker), client_id="a-twin-to-examine") as twin:
                await twin.publish(topic.state(MILL), state_document(MILL), qos=1, retain=True)
            async with running_api(api_settings(dsn=dsn, broker_port=broker)) as api:
                await api.ready()
                yield api.port
        finally:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)


async def test_a_running_installation_is_well_and_what_becomes_wrong_in_it_is_found(
    database: Database, mosquitto_broker: Broker, tmp_path: Path
) -> None:
    async with at_work(database.dsn, mosquitto_broker.port) as port:
        settings = settings_of(database.dsn, mosquitto_broker.port, port)
        found = by_part(await diagnose(settings, tmp_path))
        assert [one for one in found.values() if one.condition is Condition.PROBLEM] == []
        for part in ("database", "schema", "clock", "disk", "twin run", "twin learn", "gateway edge-factory", "broker",
                     "rights at the broker", "live state", "api"):  # fmt: skip
            assert found[part].condition is Condition.OK, found[part]
        assert "newest sample" in found["gateway edge-factory"].found
        assert f"1 of {len(load_plant(PLANT).assets)} assets" in found["live state"].found
        async with open_store(database.dsn) as store:
            old_ns = time.time_ns() - 3_600 * S
            await store.jobs.ended(Turn("rollups", old_ns, old_ns, Outcome.REFUSED, "no such column", old_ns))
            async with store.database.connection() as connection:
                await connection.execute("UPDATE batch SET committed_at = now() - interval '10 min'")
        found = by_part(await diagnose(settings, tmp_path))
        assert found["twin learn"].condition is Condition.PROBLEM
        assert "1.0 h" in found["twin learn"].found or "60.0 min" in found["twin learn"].found
        assert "no such column" in found["job rollups"].found
        assert "twin learn --once --job rollups" in found["job rollups"].do
        assert found["gateway edge-factory"].condition is Condition.PROBLEM
    after = by_part(await diagnose(settings, tmp_path))
    assert {part for part in ("twin run", "api") if after[part].condition is Condition.PROBLEM} == {"twin run", "api"}


async def test_a_database_without_our_tables_is_told_and_stays_as_it_is(
    postgres_dsn: str, mosquitto_broker: Broker, tmp_path: Path
) -> None:
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE never_migrated")
    dsn = psycopg.conninfo.make_conninfo(postgres_dsn, dbname="never_migrated")
    found = by_part(await diagnose(settings_of(dsn, mosquitto_broker.port), tmp_path))
    assert found["database"].condition is Condition.OK
    assert (found["schema"].condition, "twin migrate" in found["schema"].do) == (Condition.PROBLEM, True)
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT to_regclass('migration'), to_regclass('sample')").fetchone() == (None, None)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE migration (number int, name text)")
        connection.execute("INSERT INTO migration VALUES (9999, 'of tomorrow')")
    found = by_part(await diagnose(settings_of(dsn, mosquitto_broker.port), tmp_path))
    assert "newer program" in found["schema"].found


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize(
    ("acl", "condition"),
    [
        ("topic readwrite fabriquay/1/#", Condition.OK),
        ("topic read fabriquay/1/#", Condition.PROBLEM),
        ("topic write fabriquay/1/#", Condition.PROBLEM),
    ],
)
async def test_what_the_brokers_rights_deny_is_found(
    protocol: str, acl: str, condition: Condition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twin.commands.doctor_broker.LISTEN_S", 0.3)
    with open_folder("doctor") as folder:
        (folder / "acl").write_text(f"{acl}\n")
        with mosquitto("allow_anonymous true\nacl_file {folder}/acl", folder=folder) as broker:
            found = by_part(await diagnose(settings_of(NOWHERE, broker.port, protocol=protocol), tmp_path))
    assert found["rights at the broker"].condition is condition
    assert found["live state"].condition is Condition.PROBLEM
