"""Recordings through the whole path: file → source → sink → spool → decoded batches, with restarts and kills."""

import asyncio
import csv
import json
import math
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from edge.agent import run_agent
from edge.config import load_agent, node_schema
from edge.source_sink import SourceSink
from edge.sources.replay import ReplaySource
from edge.sources.source import SourceState
from edge.spool import open_spool
from edge.spool_view import open_view
from tests.servers import free_port
from tests.waiting import until
from twin.errors import ConfigError, Retryable
from twin.wire.batch import decode
from twin.wire.reading import Gap, GapCause, Lane, Quality, Reading
from twin.wire.receipt import Receipt

RECORDINGS = Path(__file__).resolve().parents[1] / "recordings"
HEAD = """\
node: gate-7
broker: {{host: 127.0.0.1, port: {port}}}
spool: {{path: {folder}/spool.db, linger_ms: 5, max_bytes: {cap}}}
sources:
"""
EVENTS = f"""\
  - kind: replay
    name: events
    files: {RECORDINGS}/mazak-events.csv
    time_column: ts
    long: {{signal_column: item, value_column: value}}
    asset: factory/turning/mazak
    signals:
      execution:
        kind: state
        words: {{STOPPED: 0, READY: 1, INTERRUPTED: 2, ACTIVE: 3}}
      feed-override: {{called: Fovr, unit: "%"}}
      tool: {{called: Tool_number, kind: state}}
      mode: {{kind: text}}
      system: {{called: system_cond, kind: state, words: {{Normal: 0, Warning: 1, Fault: 2}}}}
"""
MINUTES = f"""\
  - kind: replay
    name: minutes
    files: {RECORDINGS}/mazak-minute.csv
    time_column: ts
    asset: factory/turning/mazak
    signals:
      active: {{called: sec_active, unit: s}}
      faults: {{called: n_fault}}
      spindle-load: {{called: S2load_max, unit: "%"}}
      path-feed-rate: {{called: Xfrt_mean, source_unit: mm/min, unit: mm/s}}
"""
PLAYED = """\
  - kind: replay
    name: played
    files: {folder}/*.csv
    time_column: t
    time_format: s
    signals: {{factory/turning/mazak/load: {{called: load}}}}
"""


def settings(folder: Path, *sources: str, cap: int = 50_000_000):
    path = folder / "edge.yaml"
    path.write_text(HEAD.format(port=free_port(), folder=folder, cap=cap) + "".join(sources), encoding="utf-8")
    return load_agent(path)


def played(folder: Path, *more: str) -> str:
    return "".join([PLAYED.format(folder=folder), *(f"    {line}\n" for line in more)])


@asynccontextmanager
async def agent(of) -> AsyncIterator[None]:
    task = asyncio.create_task(run_agent(of))
    try:
        yield
        assert not task.done(), task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def spooled(of) -> tuple[list[Reading], list[Gap], set[Lane]]:
    schema = node_schema(of)
    async with open_spool(of.spool.path, schema=schema, max_bytes=of.spool.max_bytes) as spool:
        batches = [await spool.take(lane, 100_000) for lane in Lane]
        columns = [decode(one.payload) for lane in batches for one in lane]
    readings = [one for batch in columns for one in batch.readings()]
    return readings, [gap for batch in columns for gap in batch.gaps], {batch.header.lane for batch in columns}


def marks(of) -> dict[str, dict[str, object]]:
    """What the spool remembers of the files, read beside the agent."""
    if not of.spool.path.exists():
        return {}
    with sqlite3.connect(f"file:{of.spool.path}?mode=ro", uri=True) as connection:
        try:
            rows = connection.execute("SELECT key, value FROM remembered WHERE key LIKE 'replay/%'").fetchall()
        except sqlite3.OperationalError:  # the agent is about to make the tables
            rows = []
    connection.close()
    return {key: json.loads(value) for key, value in rows}


def waiting(of) -> int:
    """Readings in the spool, counted beside the agent."""
    if not of.spool.path.exists():
        return 0
    try:
        with open_view(of.spool.path) as view:
            return sum(size.readings for size in view.sizes())
    except Retryable:  # the agent is about to make the tables
        return 0


def ended(of, files: int) -> bool:
    found = marks(of).values()
    return len(found) == files and all(mark["ended"] for mark in found)


def ns(text: str) -> int:
    at = datetime.fromisoformat(text)
    return math.floor(at.timestamp()) * 10**9 + at.microsecond * 1000


def expected(of) -> set[tuple[str, int, float | str]]:
    """The two recordings as the csv module alone reads them."""
    found: set[tuple[str, int, float | str]] = set()
    words = {"STOPPED": 0, "READY": 1, "INTERRUPTED": 2, "ACTIVE": 3, "Normal": 0, "Warning": 1, "Fault": 2}
    names = {"Fovr": "feed-override", "Tool_number": "tool", "system_cond": "system"}
    with (RECORDINGS / "mazak-events.csv").open() as file:
        for row in csv.DictReader(file):
            item, value = row["item"], row["value"]
            if item in ("execution", "mode", *names):
                number = value if item == "mode" else float(words.get(value, value))
                found.add((names.get(item, item), ns(row["ts"]), number))
    columns = {"active": "sec_active", "faults": "n_fault", "spindle-load": "S2load_max", "path-feed-rate": "Xfrt_mean"}
    with (RECORDINGS / "mazak-minute.csv").open() as file:
        for row in csv.DictReader(file):
            for name, column in columns.items():
                if row[column]:
                    scale = 60 if name == "path-feed-rate" else 1
                    found.add((name, ns(row["ts"]), round(float(row[column]) / scale, 9)))
    return found


async def test_a_real_recording_reaches_the_spool_as_it_stands_in_the_file(tmp_path):
    of = settings(tmp_path, EVENTS, MINUTES)
    async with agent(of):
        await until(lambda: ended(of, 2), "both files are read")
    readings, gaps, lanes = await spooled(of)
    names = [entry.path.rpartition("/")[2] for entry in node_schema(of).entries]
    found = {
        (names[one.handle], one.source_ns, one.value if isinstance(one.value, str) else round(one.value, 9))
        for one in readings
    }
    assert found == expected(of)
    assert len(found) > 250
    assert any(name == "faults" and value == 1 for name, _, value in found), "the labelled fault is among them"
    assert (gaps, lanes) == ([], {Lane.HISTORY})
    assert {one.quality for one in readings} == {Quality.BACKFILLED}
    count = len(readings)
    async with agent(of):
        await asyncio.sleep(0.3)  # it must do nothing, for which there is no condition to wait
    assert len((await spooled(of))[0]) == count, "a restart doubles nothing"


def recording(path: Path, count: int, step: float = 1.0, first: float = 0.0) -> Path:
    lines = [f"{first + i * step:.6f},{i}" for i in range(count)]
    path.write_text("\n".join(["t,load", *lines, ""]))
    os.utime(path, (time.time() - 60,) * 2)
    return path


async def test_shifted_rows_come_now_at_their_own_distance_divided_by_the_speed(tmp_path):
    recording(tmp_path / "a.csv", 50, step=0.5)
    of = settings(tmp_path, played(tmp_path, "time: shifted", "speed: 20"))
    begun_ns = time.time_ns()
    async with agent(of):
        await until(lambda: ended(of, 1), "the recording is played")
        took_ns = time.time_ns() - begun_ns
    readings, _, lanes = await spooled(of)
    readings.sort(key=lambda one: one.source_ns)
    assert [one.value for one in readings] == list(range(50))
    distances = {b.source_ns - a.source_ns for a, b in pairwise(readings)}
    assert distances == {25_000_000}
    assert begun_ns < readings[0].source_ns < begun_ns + 5 * 10**9
    assert took_ns >= 49 * 25_000_000
    assert all(one.source_ns <= one.received_ns + 1000 for one in readings), "nothing is told before it is due"
    assert all(one.quality == Quality.TIME_ADJUSTED for one in readings)
    assert lanes == {Lane.LIVE}


async def test_a_repeated_recording_goes_on_behind_its_end_and_after_a_restart_with_the_next_row(tmp_path):
    recording(tmp_path / "a.csv", 10, step=0.01)
    recording(tmp_path / "b.csv", 10, step=0.01, first=0.1)
    of = settings(tmp_path, played(tmp_path, "time: shifted", "repeat: true"))
    for _ in range(2):
        enough = waiting(of) + 45
        async with agent(of):
            await until(lambda enough=enough: waiting(of) > enough, "some rounds")
    readings, gaps, _ = await spooled(of)
    readings.sort(key=lambda one: one.source_ns)
    first = int(readings[0].value)
    assert [one.value for one in readings] == [(first + i) % 10 for i in range(len(readings))]
    assert len({one.source_ns // 1000 for one in readings}) == len(readings)
    assert [gap.cause for gap in gaps].count(GapCause.AGENT_DOWN) == 1


async def test_a_long_pause_of_the_recording_is_told(tmp_path):
    (tmp_path / "a.csv").write_text("t,load\n0,1\n1,2\n86400,3\n")
    of = settings(tmp_path, played(tmp_path, "time: shifted"))
    schema = node_schema(of)
    async with open_spool(of.spool.path, schema=schema, max_bytes=10_000_000, linger_s=0.001) as spool:
        sink = SourceSink(spool, "played", (0,), schema.hash, time.time_ns)
        made = ReplaySource(of.sources[0], {schema.entries[0].path: 0}, dead_letters=tmp_path / "d", memory=spool)
        task = asyncio.create_task(made.run(sink))
        await until(lambda: made.status().values == 2)
        await until(lambda: "the next row is due at 20" in str(made.status().facts["doing"]))
        facts = made.status().facts
        assert (facts["rows"], 50 < facts["percent"] < 80) == (2, True), "the row that is read ahead is not played yet"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_recording_that_had_ended_is_repeated_by_the_next_run(tmp_path):
    recording(tmp_path / "a.csv", 10, step=0.01)
    of = settings(tmp_path, played(tmp_path, "time: shifted"))
    async with agent(of):
        await until(lambda: ended(of, 1), "the recording is played")
    of = settings(tmp_path, played(tmp_path, "time: shifted", "repeat: true"))
    async with agent(of):
        await until(lambda: waiting(of) > 20, "it begins again")


async def test_a_recording_that_is_larger_than_the_spool_waits_for_receipts_and_loses_nothing(tmp_path):
    lines = [f"{1_577_836_800 + i},{math.sin(i) * 1e3!r}" for i in range(150_000)]
    (tmp_path / "big.csv").write_text("\n".join(["t,load", *lines, ""]))
    of = settings(tmp_path, played(tmp_path), cap=1_000_000)
    seen: Counter[int] = Counter()
    schema = node_schema(of)
    async with open_spool(of.spool.path, schema=schema, max_bytes=of.spool.max_bytes, linger_s=0.001) as spool:
        sink = SourceSink(spool, "played", (0,), schema.hash, time.time_ns)
        made = ReplaySource(of.sources[0], {schema.entries[0].path: 0}, dead_letters=tmp_path / "d", memory=spool)
        task = asyncio.create_task(made.run(sink))
        await until(lambda: spool.backlog().bytes > 500_000, "half of the spool is in use")
        values = made.status().values
        await asyncio.sleep(0.3)  # it must do nothing more, for which there is no condition to wait
        assert made.status().values - values <= 5_000
        while made.status().facts["percent"] < 100 or spool.backlog().batches:
            for outgoing in await spool.take(Lane.HISTORY, 100):
                seen.update(one.source_ns for one in decode(outgoing.payload).readings())
                await spool.settle(Receipt(spool.epoch, outgoing.number))
            await asyncio.sleep(0.001)
        assert spool.drops().readings == 0
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert len(seen) == 150_000
    assert set(seen.values()) == {1}


CHILD = "import sys; from twin.commands.cli import main; sys.argv = ['twin', 'edge', 'run', '-c', sys.argv[1]]; main()"


async def test_kill_9_again_and_again_neither_loses_nor_doubles_a_row(tmp_path):
    chance, count = random.Random(11), 120_000
    lines = [f"{1_577_836_800 + i},{i}" for i in range(count)]
    for part in range(4):
        own = lines[part * count // 4 : (part + 1) * count // 4]
        (tmp_path / f"part-{part}.csv").write_text("\n".join(["t,load", *own, ""]))
    of = settings(tmp_path, played(tmp_path))
    kills = 0
    while not ended(of, 4):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path / "edge.yaml")], stderr=subprocess.DEVNULL
        ) as child:
            try:
                before = sum(int(mark["rows"]) for mark in marks(of).values())
                await until(
                    lambda before=before: ended(of, 4) or sum(int(mark["rows"]) for mark in marks(of).values()) > before
                )
                await asyncio.sleep(chance.uniform(0, 0.05))  # the moment of death is the test's input
            finally:
                child.kill()
        kills += 1
        assert kills < 100
    readings, _, _ = await spooled(of)
    assert kills > 1
    assert sorted(one.value for one in readings) == [float(i) for i in range(count)]


async def test_bad_rows_missing_files_and_wrong_columns_are_told(tmp_path):
    of = settings(tmp_path, played(tmp_path))
    schema = node_schema(of)
    async with open_spool(of.spool.path, schema=schema, max_bytes=10_000_000, linger_s=0.001) as spool:
        sink = SourceSink(spool, "played", (0,), schema.hash, time.time_ns)
        letters = tmp_path / "letters"
        made = ReplaySource(of.sources[0], {schema.entries[0].path: 0}, dead_letters=letters, memory=spool, look_s=0.05)
        task = asyncio.create_task(made.run(sink))
        try:
            await until(lambda: made.status().state is SourceState.DOWN)
            assert made.status().detail == f"there is no file {tmp_path}/*.csv"
            recording(tmp_path / "a.csv", 10, first=1_577_836_800)
            with (tmp_path / "a.csv").open("a") as file:
                file.write("1577836900,lots\nyesterday,1\n1577836999,7\n")
            await until(lambda: made.status().facts["percent"] == 100 and made.status().state is SourceState.CONNECTED)
            facts = made.status().facts
            assert (facts["rows"], facts["rejected"], facts["file"]) == (13, 2, str(tmp_path / "a.csv"))
            told = [json.loads(line) for line in letters.read_text().splitlines()]
            assert [one["topic"] for one in told] == [f"{tmp_path}/a.csv:12", f"{tmp_path}/a.csv:13"]
            assert [one["payload"] for one in told] == ["1577836900,lots\n", "yesterday,1\n"]
            recording(tmp_path / "a.csv", 5, first=1_600_000_000)
            await until(lambda: made.status().facts["changed_files"] == 1 and made.status().facts["rows"] == 5)
            (tmp_path / "b.csv").write_text("t,weight\n1577836800,1\n")
            with pytest.raises(ConfigError, match=r"b\.csv: 'load' is not a column of it; it has t, weight"):
                await asyncio.wait_for(task, 20)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    values = [one.value for one in (await spooled(of))[0]]
    assert sorted(values) == sorted([*map(float, range(10)), 7.0, *map(float, range(5))])
