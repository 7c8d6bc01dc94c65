"""The truth log: what stands in it before anything is emitted, and what the next start makes of it."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from twin.demo.channel import Channel
from twin.demo.faults import Fault
from twin.demo.probe import Emission
from twin.demo.truth import Entry, open_truth
from twin.demo.world import World
from twin.errors import ConfigError
from twin.plant.load import load_plant

PLANT = load_plant(Path(__file__).parents[2] / "configs" / "plant.yaml")
SIGNALS = [("a/b/c/x", Channel.OPCUA), ("a/b/c/name", Channel.OPCUA), ("t/u/v/y", Channel.GATES)]
THREE = [Emission(0, 1000, 1.5), Emission(1, 1000, "PO-1"), Emission(2, 2000, 7)]


def rows(path, query):
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "truth.db"


async def test_a_commit_is_on_disk_for_every_reader_when_it_returns(path):
    async with open_truth(path, tag="t") as truth:
        truth.register(SIGNALS)
        assert await truth.commit(Entry(THREE)) == range(1, 4)
        assert rows(path, "SELECT * FROM sample") == [
            ("a/b/c/x", 1000, 1.5, None),
            ("a/b/c/name", 1000, None, "PO-1"),
            ("t/u/v/y", 2000, 7.0, None),
        ]


async def test_what_a_killed_process_may_not_have_emitted_is_in_doubt(path):
    async with open_truth(path, tag="t") as truth:
        truth.register(SIGNALS)
        await truth.commit(Entry(THREE, progress={Channel.OPCUA: 1}))
    async with open_truth(path, tag="t") as truth:
        assert truth.close_doubtful() == 2
        assert truth.close_doubtful() == 0
    assert rows(path, "SELECT * FROM unsent ORDER BY signal_path") == [
        ("a/b/c/name", 1000, "in-doubt"),
        ("t/u/v/y", 2000, "in-doubt"),
    ]
    assert rows(path, "SELECT signal_path FROM certain") == [("a/b/c/x",)]


async def test_a_dropped_sample_is_listed_as_not_emitted(path):
    async with open_truth(path, tag="t") as truth:
        truth.register(SIGNALS)
        ids = await truth.commit(Entry(THREE))
        await truth.commit(Entry(dropped=[ids[2]], progress={Channel.OPCUA: ids[-1], Channel.GATES: ids[-1]}))
        assert truth.close_doubtful() == 0
    assert rows(path, "SELECT * FROM unsent") == [("t/u/v/y", 2000, "queue-full")]


async def test_ids_go_on_and_signals_keep_theirs_after_a_second_start(path):
    async with open_truth(path, tag="t") as truth:
        truth.register(SIGNALS)
        await truth.commit(Entry(THREE))
    async with open_truth(path, tag="t") as truth:
        truth.register(reversed(SIGNALS))
        assert await truth.commit(Entry([Emission(0, 3000, 8)])) == range(4, 5)
    assert rows(path, "SELECT value FROM sample WHERE signal_path = 't/u/v/y' ORDER BY time_us") == [(7.0,), (8.0,)]


async def test_a_fault_is_written_when_it_begins_and_completed_when_it_ends(path):
    fault = Fault(1, "a/b/c", "jam", 5000, 60_000_000)
    async with open_truth(path, tag="t") as truth:
        await truth.commit(Entry(faults=[fault]))
        assert rows(path, "SELECT asset, kind, started_us, ended_us FROM fault") == [("a/b/c", "jam", 5000, None)]
        await truth.commit(Entry(faults=[replace(fault, ended_us=9000)]))
    assert rows(path, "SELECT asset, kind, started_us, ended_us FROM fault") == [("a/b/c", "jam", 5000, 9000)]


async def test_old_samples_are_forgotten_and_newer_ones_stay(path):
    async with open_truth(path, tag="t") as truth:
        truth.register(SIGNALS)
        await truth.commit(Entry(THREE))
        await truth.forget(2000)
    assert rows(path, "SELECT signal_path, time_us FROM sample") == [("t/u/v/y", 2000)]


async def test_a_kept_world_comes_back_only_for_the_same_plant_and_seed(path):
    world = World(PLANT, ["factory"], seed=1, start_us=0, step_us=100_000, fault_gap_s=60)
    world.advance(30_000_000)
    async with open_truth(path, tag="one") as truth:
        await truth.commit(Entry(world=world))
    async with open_truth(path, tag="other") as truth:
        assert truth.world() is None
    async with open_truth(path, tag="one") as truth:
        kept = truth.world()
    assert kept is not None
    assert kept.advance(40_000_000).emissions == world.advance(40_000_000).emissions


async def test_a_file_that_is_no_truth_log_is_a_configuration_error(path):
    path.write_text("hello " * 1000)
    with pytest.raises(ConfigError, match="cannot be used as truth log"):
        async with open_truth(path, tag="t"):
            pass
