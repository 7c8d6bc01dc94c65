"""From the device to the store and the page, as separate processes: what was emitted is what is stored."""

import json
import random
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journey import ledger
from tests.journey.blows import disturb, dsn_of, run_for, settle, stored_rows, wait_for_every_signal
from tests.journey.demo_process import Demo
from tests.servers import open_folder

pytestmark = [pytest.mark.journey, pytest.mark.timeout(600)]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own: the database's user must be able to enter it when root runs the tests."""
    with open_folder("journey") as made:
        yield made


def assert_nothing_is_lost(verdict: ledger.Verdict) -> None:
    print(f"\n{verdict}")
    assert not verdict.lost, str(verdict)
    assert not verdict.changed, str(verdict)
    assert not verdict.invented, str(verdict)


def test_an_undisturbed_run_stores_every_sample_and_a_second_start_continues(folder: Path) -> None:
    with Demo(folder) as demo:
        wait_for_every_signal(demo)
        demo.wait_until(lambda: stored_rows(demo) > 2_000, 90, "samples in the store")
        with urllib.request.urlopen(f"{demo.page}v1/assets/factory/state") as answer:
            assert json.load(answer)["path"] == "factory"
        with urllib.request.urlopen(demo.page) as answer:
            assert b"Fabriquay" in answer.read()
        verdict = settle(demo, time.time_ns() // 1_000 - 500_000)
        assert_nothing_is_lost(verdict)
        assert set(ledger.causes(dsn_of(demo))) <= {
            "device-unreachable",
            "session-lost",
        }  # until the device was first reached
        assert verdict.stored > 2_000
        rows = stored_rows(demo)
        demo.stop()
        assert demo.exit_status == 0
        assert not demo.left
    with Demo(folder) as demo:
        demo.wait_until(lambda: stored_rows(demo) > rows + 2_000, 90, "more samples after the second start")
        assert_nothing_is_lost(settle(demo, time.time_ns() // 1_000 - 500_000))


@pytest.mark.parametrize("broker", ["embedded", "mosquitto"])
def test_kills_and_cuts_lose_nothing_and_double_nothing(folder: Path, broker: str) -> None:
    with Demo(folder, rate=1_000, broker=broker) as demo:
        wait_for_every_signal(demo)
        disturb(demo, random.Random(7), rounds=1)
        run_for(3, demo)
        verdict = settle(demo, time.time_ns() // 1_000)
        assert_nothing_is_lost(verdict)
        assert verdict.stored > 5_000


@pytest.mark.chaos
@pytest.mark.timeout(3_000)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_long_journey(folder: Path, seed: int) -> None:
    """On Mosquitto, as in production."""
    with Demo(folder, rate=3_000, broker="mosquitto") as demo:
        wait_for_every_signal(demo)
        disturb(demo, random.Random(seed), rounds=5)
        run_for(10, demo)
        assert_nothing_is_lost(settle(demo, time.time_ns() // 1_000, 240))
