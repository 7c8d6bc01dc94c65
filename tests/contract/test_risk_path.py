"""The whole way of a risk: a plant that ran (accelerated) in a real store, jobs, champion, statements, the api."""

import asyncio
import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.contract.api_server import PLANT, api_settings, running_api
from tests.contract.conftest import Database
from twin.commands.learn import learn_once
from twin.commands.settings import TwinSettings
from twin.demo.world import World
from twin.learn.job import Outcome
from twin.plant.load import load_plant
from twin.state.model import Finding, Transition, finding_id
from twin.store.connect import Store, open_store
from twin.wire.mqtt import BrokerSettings

BEGIN_NS = 1_772_323_200 * 10**9  # 2026-03-01
HOUR_NS = 3_600 * 10**9
WORN = [f"terminal/yard/yc-{at}" for at in range(1, 5)]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def dsn(database: Database) -> str:
    return database.dsn


def settings_of(dsn: str) -> TwinSettings:
    return TwinSettings(plant=PLANT, database=dsn, broker=BrokerSettings(host="127.0.0.1", port=1))


async def keep_worn_cranes(store: Store, days: int) -> None:
    """Cranes that wear (Weibull over use, shape 3), warn before most faults and sometimes for nothing."""
    rng = np.random.default_rng(11)
    transitions: list[Transition] = []
    findings: list[Finding] = []
    for path in WORN:
        now = 0.0
        transitions.append(Transition(path, BEGIN_NS, 1, "running", "Executing"))
        while (now := now + 30.0 * rng.weibull(3.0) + 1.0) < days * 24.0:
            fault_ns = BEGIN_NS + round(now * HOUR_NS)
            transitions.append(Transition(path, fault_ns, 4, "fault", "OutOfService"))
            transitions.append(Transition(path, fault_ns + HOUR_NS, 1, "running", "Executing"))
            if rng.random() < 0.8:
                findings.append(drift(path, fault_ns - round(rng.uniform(1, 6) * HOUR_NS)))
            now += 1.0
    await store.findings.write(1, findings, transitions, "test")


def drift(path: str, since_ns: int) -> Finding:
    signal = f"{path}/hoist-current"
    return Finding(
        finding_id(signal, "drift", since_ns), path, signal, "drift", since_ns, since_ns + HOUR_NS, 5.0, "drifts"
    )


async def say(dsn: str, hours: float) -> None:
    """Train and score as the slow loop does, at an instant of the plant."""
    now_ns = BEGIN_NS + round(hours * HOUR_NS)
    turns = await learn_once(settings_of(dsn), ["risk-train", "risk-score"], clock=lambda: now_ns)
    assert [one.outcome for one in turns] == [Outcome.DONE] * 2, turns


@pytest.mark.timeout(600)
async def test_as_faults_come_in_a_machine_gets_a_prior_and_then_a_calibrated_risk(dsn: str) -> None:
    async with open_store(dsn) as store:
        await keep_worn_cranes(store, 25)
        basis = []
        for days in (0.5, 5, 24):
            await say(dsn, days * 24.0)
            said = {one.asset: one for one in await store.risks.latest()}
            assert set(said) >= set(WORN)
            shortest = said[WORN[0]].risks[0]
            basis.append(shortest.basis.value)
            for one in said.values():
                for risk in one.risks:
                    assert (risk.p is None) == (risk.basis.value in {"insufficient data", "out of service"})
                numbers = [risk.p for risk in one.risks if risk.p is not None]
                assert numbers == sorted(numbers)
        assert basis == ["insufficient data", "uncalibrated prior", "calibrated"]
        versions = await store.models.history("risk", "yard-crane")
        assert versions[0].state == "champion"
        report = versions[0].report
        assert report["basis"] == "calibrated"
        assert report["failures"] >= 20
        assert sum(one["rows"] for one in report["horizons"]["8"]["diagram"]) == report["horizons"]["8"]["rows"]
    async with running_api(api_settings(dsn=dsn)) as api:
        await asyncio.wait_for(api.parts.link.opened(), 100)
        answer = (await api.http.get(f"/v1/assets/{WORN[0]}/risk")).json()
        assert answer["horizons"][0]["calibrated"] is True
        assert answer["horizons"][0]["failures"] >= 20
        assert answer["remaining_life"]["low"] <= answer["remaining_life"]["hours"] <= answer["remaining_life"]["high"]
        everything = (await api.http.get("/v1/risk")).json()["risks"]
        assert {one["asset"] for one in everything} >= set(WORN)
        models = (await api.http.get("/v1/risk/reliability")).json()["models"]
        assert models[0]["report"]["horizons"]
        never = (await api.http.get("/v1/assets/factory/machining/lathe-1/risk")).json()
        assert (never["at"], never["horizons"]) == (None, [])


async def test_the_simulated_plants_own_faults_become_failures_and_few_of_them_give_no_calibrated_number(
    dsn: str,
) -> None:
    """Two hours of the factory at full physics: what the world breaks is what the histories show."""
    plant = load_plant(PLANT)
    begin_us = (BEGIN_NS - 100 * HOUR_NS) // 1000  # before the cranes of the other test
    world = World(plant, ["factory"], seed=4, start_us=begin_us, step_us=1_000_000, fault_gap_s=90.0)
    state = {f"{one.asset}/state": one.asset for one in plant.signals if one.role == "machine-state"}
    names = plant.signal(next(iter(state))).states
    advance = world.advance(begin_us + 2 * 3_600 * 10**6)
    seen: dict[str, int] = {}
    transitions: list[Transition] = []
    for one in advance.emissions:
        signal = world.signals[one.signal]
        if signal.path in state and seen.get(signal.asset) != one.value:
            seen[signal.asset] = int(one.value)
            meaning = names[int(one.value)]
            transitions.append(
                Transition(signal.asset, one.time_us * 1000, int(one.value), meaning.name, str(meaning.category))
            )
    fallen = {one.asset for one in advance.faults if one.kind in {"jam", "bearing"} and one.ended_us is not None}
    assert fallen
    async with open_store(dsn) as store:
        await store.findings.write(2, [], transitions, "test-world")
        await say(dsn, -98.0)
        down = {one.asset for one in transitions if one.category == "OutOfService"}
        assert fallen <= down
        for path in down:
            (said,) = await store.risks.latest(path)
            assert await store.risks.latest(path, by_ns=said.at_ns) == [said]
            assert await store.risks.latest(path, by_ns=said.at_ns - 1_000) == []
            risk = said.risks[0]
            assert risk.basis.value != "calibrated"
            assert risk.failures >= 1
            assert (risk.p is None) == (risk.basis.value != "uncalibrated prior")


@pytest.mark.timeout(600)
def test_maintenance_is_imported_whole_or_not_at_all(dsn: str, tmp_path: Path) -> None:
    def run(file: Path) -> "subprocess.CompletedProcess[str]":
        environment = {**os.environ, "FABRIQUAY_DSN": dsn, "FABRIQUAY_BROKER_PASSWORD": "none"}
        command = [sys.executable, "-m", "twin.commands.cli", "import", "maintenance", str(file)]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT, timeout=110
        )

    file = tmp_path / "log.csv"
    rows = [[WORN[0], f"2026-03-{day:02}T10:00:00Z", "preventive"] for day in range(1, 5)]
    with file.open("w") as out:
        csv.writer(out).writerows([["asset", "at", "kind"], *rows, ["nowhere", "2026-03-09T10:00:00Z", "repair"]])
    refused = run(file)
    assert refused.returncode == 2
    assert f"{file}:6: asset: 'nowhere' is not in the plant" in refused.stderr

    async def kept() -> int:
        async with open_store(dsn) as store:
            return len(await store.maintenance.between(BEGIN_NS, BEGIN_NS + 24 * 30 * HOUR_NS))

    assert asyncio.run(kept()) == 0
    file.write_text("\n".join(file.read_text().splitlines()[:-1]))
    assert run(file).stdout == f"{file}: 4 events, 4 of them new\n"
    assert run(file).stdout == f"{file}: 4 events, 0 of them new\n"
    assert asyncio.run(kept()) == 4


async def test_maintenance_is_told_by_the_api_all_of_it_or_none(dsn: str) -> None:
    event = {"asset": WORN[1], "at": "2026-04-01T10:00:00+02:00", "kind": "repair", "component": "hoist"}
    async with running_api(api_settings(dsn=dsn)) as api:
        await asyncio.wait_for(api.parts.link.opened(), 100)
        await api.sign_in("Kim")
        refused = await api.http.post("/v1/maintenance-events", json=[event, {**event, "asset": "nowhere"}])
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == "body.1"
        question = {"asset": WORN[1], "start": "2026-03-30T00:00:00Z", "end": "2026-04-02T00:00:00Z"}
        assert (await api.http.get("/v1/maintenance-events", params=question)).json() == {"events": []}
        for new in (1, 0):
            told = await api.http.post("/v1/maintenance-events", json=[event])
            assert told.json() == {"accepted": 1, "new": new}
        (kept,) = (await api.http.get("/v1/maintenance-events", params=question)).json()["events"]
        assert (kept["at"], kept["component"], kept["source"]) == ("2026-04-01T08:00:00.000000Z", "hoist", "Kim")
