"""`twin alarms replay` as a user types it: totals, plot and episodes from a real store; mistakes in words."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.contract.alarm_samples import VIBRATION
from tests.contract.api_samples import START_NS, commit, register
from tests.contract.api_server import PLANT
from twin.state.model import Finding, finding_id
from twin.store.connect import open_store

S = 10**9


async def _fill(dsn):
    ids = await register(dsn)
    async with open_store(dsn) as store:
        times = START_NS + np.arange(5_000, dtype=np.int64) * S
        await commit(store, ids[VIBRATION], times, np.where((np.arange(5_000) // 500) % 2, 6.0, 1.0))
        since = [START_NS + at * 600 * S for at in range(5)]
        found = [
            Finding(
                finding_id(VIBRATION, "spike", at),
                "factory/machining/mill-1",
                VIBRATION,
                "spike",
                at,
                at + 60 * S,
                7.0,
                "far",
            )
            for at in since
        ]
        await store.findings.write(1, found, (), "monitor")


@pytest.fixture(scope="module")
def config(tmp_path_factory, database):
    folder = tmp_path_factory.mktemp("twin")
    asyncio.run(_fill(database.dsn))
    path = folder / "twin.yaml"
    path.write_text(f"plant: {PLANT}\ndatabase: {database.dsn}\nbroker: {{ host: 127.0.0.1 }}\n")
    return path


def twin(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    window = ("--start", "2026-03-02T10:15:00Z", "--end", "2026-03-02T11:45:00Z")
    command = [sys.executable, "-m", "twin.commands.cli", "alarms", "replay", *arguments, *window, "-c", str(config)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)


def test_an_alarm_of_the_plant_model_and_a_changed_one(config):
    shown = twin(config, VIBRATION, "hi")
    assert shown.returncode == 0, shown.stderr
    assert "limit 4.5" in shown.stdout
    assert "raised         5" in shown.stdout
    assert "█" in shown.stdout
    assert "above 4.5 mm/s" in shown.stdout
    changed = json.loads(twin(config, VIBRATION, "hi", "--limit", "7", "--json").stdout)
    assert (changed["raised"], changed["read"]) == (0, 5_000)


def test_findings_under_another_policy(config):
    made = json.loads(twin(config, "--anomalies", "--on-delay", "30", "--off-delay", "0", "--json").stdout)
    assert (made["raised"], made["read"]) == (5, 5)
    none = json.loads(twin(config, "--anomalies", "--on-delay", "90", "--json").stdout)
    assert none["raised"] == 0


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["factory/nowhere"], "there is no signal 'factory/nowhere'"),
        ([VIBRATION, "lo"], "give the limit to try"),
        ([], "which signal?"),
    ],
)
def test_a_mistake_is_said_in_words(config, arguments, word):
    shown = twin(config, *arguments)
    assert shown.returncode == 2
    assert word in shown.stderr
