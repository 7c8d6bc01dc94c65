"""`twin edge size`, `status` and `tail` as a technician runs them on site: beside a living agent, without a network."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.config import load_agent, node_schema
from edge.spool import open_spool
from edge.spool_view import open_view
from tests.servers import free_port, wait_for
from tests.waiting import until
from twin.wire.reading import Gap, GapCause, Lane, Reading
from twin.wire.receipt import Receipt

TWIN = [sys.executable, "-c", "from twin.commands.cli import main; main()", "edge"]
FILE = """\
node: gate-7
broker: {{host: 127.0.0.1, port: {port}}}
spool: {{path: {folder}/state/spool.db, linger_ms: 5, max_bytes: {cap}}}
sources:
  - kind: replay
    name: lathe
    files: {folder}/lathe.csv
    time_column: t
    time_format: s
    time: shifted
    repeat: true
    signals:
      factory/turning/lathe-1/load: {{called: load, unit: kN}}
      factory/turning/lathe-1/program: {{called: program, kind: text}}
  - kind: mqtt
    name: gates
    broker: {{host: 127.0.0.1, port: {port}}}
    topics: [{{topic: q, asset: terminal/gate-1, signals: {{queue: {{}}}}}}]
"""


def twin(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TWIN, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, timeout=60, check=False
    )


def configured(folder: Path, *, step_s: float = 0.01, rows: int = 500, cap: int = 50_000_000) -> Path:
    folder.mkdir(exist_ok=True)
    lines = [f"{i * step_s:.6f},{i}.5,p{i % 3}" for i in range(rows)]
    (folder / "lathe.csv").write_text("\n".join(["t,load,program", *lines, ""]))
    os.utime(folder / "lathe.csv", (1, 1))
    path = folder / "edge.yaml"
    path.write_text(FILE.format(port=free_port(), folder=folder, cap=cap))
    return path


@contextmanager
def agent(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    log = config.with_name("agent.log").open("ab")
    with log, subprocess.Popen([*TWIN, "run", "-c", str(config)], stderr=log) as process:
        try:
            yield process
            assert process.poll() is None, config.with_name("agent.log").read_text()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def status(config: Path, *more: object) -> dict:
    done = twin("status", "-c", config, "--json", "--over", "0.2", *more)
    assert done.returncode in (0, 1), done.stderr
    return {**json.loads(done.stdout), "returncode": done.returncode}


def spooled(config: Path) -> Path:
    """Wait until the agent has kept something."""
    spool = config.parent / "state" / "spool.db"
    wait_for(lambda: spool.exists() and twin("tail", "-c", config, "-n", 1).stdout.strip(), what="a reading")
    return spool


def test_the_status_beside_a_living_agent_and_after_its_end(tmp_path):
    config = configured(tmp_path)
    before = twin("status", "-c", config)
    assert (before.returncode, "there is no spool" in before.stderr) == (2, True)
    with agent(config) as process:
        spool = spooled(config)
        first, second = status(config), status(config)
        people = twin("status", "-c", config)
    assert (first["node"], first["agent_runs"], first["returncode"]) == ("gate-7", True, 0)
    assert second["backlog"]["live"]["readings"] > first["backlog"]["live"]["readings"] > 0
    assert second["backlog"]["live"]["oldest_at"] == first["backlog"]["live"]["oldest_at"]
    assert first["backlog"]["history"] == {"batches": 0, "readings": 0, "bytes": 0, "oldest_at": None}
    assert second["spool"]["growth_bytes_per_s"] > 0
    assert 0 < second["spool"]["full_in_s"] < 1e6
    lathe, gates = second["sources"]
    assert (lathe["name"], gates["name"], gates["newest_at"]) == ("lathe", "gates", None)
    assert 0 <= lathe["age_s"] < 5
    for word in ("node gate-7: the agent runs", "% full", "full in", "live", "history", "lathe", "none yet"):
        assert word in people.stdout
    assert process.returncode is not None
    left = sorted(path.name for path in spool.parent.iterdir())
    after = status(config)
    assert (after["agent_runs"], after["spool"]["growth_bytes_per_s"]) == (False, 0)
    assert sorted(path.name for path in spool.parent.iterdir()) == left, "a look leaves nothing behind"


def test_a_killed_agent_leaves_a_spool_that_can_be_read(tmp_path):
    config = configured(tmp_path)
    with subprocess.Popen([*TWIN, "run", "-c", str(config)], stderr=subprocess.DEVNULL) as process:
        spool = spooled(config)
        process.kill()
    assert spool.with_name("spool.db-wal").exists()
    found = status(config)
    assert (found["agent_runs"], found["backlog"]["live"]["readings"] > 0) == (False, True)


def test_looks_without_pause_disturb_neither_the_start_of_the_agent_nor_its_spool(tmp_path):
    config = configured(tmp_path, step_s=0.001)
    with agent(config):
        spool = spooled(config)
    stop = threading.Event()
    seen: list[int] = []

    def look() -> None:
        while not stop.is_set():
            seen.append(twin("status", "-c", config, "--over", "0").returncode)

    watchers = [threading.Thread(target=look) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
    try:
        for _ in range(2):
            with agent(config):
                count = status(config)["backlog"]["live"]["readings"]
                wait_for(
                    lambda count=count: status(config)["backlog"]["live"]["readings"] > count + 500,
                    what="more",
                    deadline_s=60,
                )
    finally:
        stop.set()
        for watcher in watchers:
            watcher.join()
    assert set(seen) == {0}
    with sqlite3.connect(spool) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        numbers = connection.execute("SELECT min(number), max(number), count(*) FROM batch").fetchone()
    connection.close()
    assert numbers[2] == numbers[1] - numbers[0] + 1
    assert "damaged" not in config.with_name("agent.log").read_text()


def test_the_status_is_1_while_values_are_dropped(tmp_path):
    config = configured(tmp_path, step_s=0.00001, rows=60_000, cap=1_000_000)
    (tmp_path / "lathe.csv").write_text(
        "t,load,program\n" + "".join(f"{i / 1e5:.6f},{hash(str(i)) / 7e9!r},{hash(str(-i))}\n" for i in range(60_000))
    )
    with agent(config):
        spooled(config)
        wait_for(lambda: status(config)["drops"]["readings"], deadline_s=60, what="a drop")
        found = status(config)
        people = twin("status", "-c", config)
    assert (found["returncode"], found["drops"]["now"], people.returncode) == (1, True, 1)
    assert "DROPPING" in people.stdout


def test_the_tail_shows_what_waits_and_follows(tmp_path):
    config = configured(tmp_path, step_s=0.02)
    with agent(config):
        spooled(config)
        wait_for(lambda: len(twin("tail", "-c", config).stdout.splitlines()) == 20, what="20 readings")
        newest = twin("tail", "-c", config, "-n", 6)
        program = twin("tail", "-c", config, "-n", 3, "--signal", "*/program", "--json")
        with subprocess.Popen(
            [*TWIN, "tail", "-c", str(config), "-n", "2", "-f", "--json", "--signal", "*load"], stdout=subprocess.PIPE
        ) as following:
            assert following.stdout is not None
            lines = [json.loads(following.stdout.readline()) for _ in range(100)]
            following.send_signal(signal.SIGINT)
            following.communicate(timeout=20)  # reads on: a full pipe would hold up its end
            assert following.returncode == 0
        with subprocess.Popen([*TWIN, "tail", "-c", str(config), "-f"], stdout=subprocess.PIPE) as cut:
            assert cut.stdout is not None
            cut.stdout.readline()
            cut.stdout.close()
            cut.wait(10)  # it ends by itself when nobody reads
        nobody = twin("tail", "-c", config, "--signal", "*/laod")
    assert (nobody.returncode, "no signal of this node is called so" in nobody.stderr) == (2, True)
    assert len(newest.stdout.splitlines()) == 6
    assert "factory/turning/lathe-1/load  " in newest.stdout
    assert " kN  good, time of receipt" in newest.stdout
    texts = [json.loads(line) for line in program.stdout.splitlines()]
    assert [one["signal"] for one in texts] == ["factory/turning/lathe-1/program"] * 3
    assert all(one["value"] in ("p0", "p1", "p2") and one["lane"] == "live" for one in texts)
    values = [one["value"] for one in lines]
    first = int(values[0])
    assert values == [(first + i) % 500 + 0.5 for i in range(100)], "nothing is missing and nothing comes twice"
    times = [one["time"] for one in lines]
    assert times == sorted(times)


async def test_a_look_back_and_the_look_ahead_behind_it_share_no_batch(tmp_path):
    of = load_agent(configured(tmp_path))
    async with open_spool(of.spool.path, schema=node_schema(of), max_bytes=10_000_000, linger_s=0) as spool:
        for count in range(3):
            await spool.keep([Reading(0, time.time_ns(), float(count), 0, 0, time.time_ns())])
            with open_view(of.spool.path) as view:
                await until(lambda view=view, count=count: view.position().number == count + 1, "the batch")
        with open_view(of.spool.path) as view:
            begun = [decoded.number for decoded in view.newest(2)]
            after = [decoded.number for decoded in view.since(2)]
    assert (begun, after) == ([2, 1], [3])


async def test_batches_that_were_sent_between_two_looks_are_counted(tmp_path):
    of = load_agent(configured(tmp_path))
    async with open_spool(of.spool.path, schema=node_schema(of), max_bytes=10_000_000, linger_s=0) as spool:
        now_ns = time.time_ns()
        await spool.keep([Reading(0, now_ns, 0.0, 0, 0, now_ns)])
        command = [*TWIN, "tail", "-c", str(tmp_path / "edge.yaml"), "-f", "-n", "1", "--json"]
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        shown = json.loads(await process.stdout.readline())["batch"]
        assert shown == 1
        for number in range(2, 60):
            await spool.keep([Reading(0, now_ns + number, float(number), 0, 0, now_ns)])
            await spool.settle(Receipt(spool.epoch, number))
            await asyncio.sleep(0.004 if number % 2 else 0.02)
        await spool.keep([], [Gap((0,), 1, 2, GapCause.AGENT_DOWN, "")])
        await spool.keep([Reading(1, now_ns, "the end", 0, 0, now_ns)], lane=Lane.HISTORY)
        accounted, end = 0, {}
        while end.get("value") != "the end":
            end = json.loads(await process.stdout.readline())
            accounted += end.get("not_shown_batches", 0) + ("batch" in end)
        process.terminate()
        await process.wait()
        process._transport.close()
    assert end["lane"] == "history"
    assert accounted == 61 - 1 - 1, "numbers 2 to 61, of which one had a gap and no reading"


OPCUA = """\
node: press
broker: {host: b}
spool: {path: %s/spool.db, max_bytes: 1_000_000_000}
sources:
  - kind: opcua
    name: press
    url: opc.tcp://h:1
    sampling_interval_ms: 100
    items:
      - {node: ns=1;s=a, signal: a/b/c}
      - {node: ns=1;s=b, signal: a/b/d, sampling_ms: %s}
"""


def test_the_size_of_an_outage(tmp_path):
    config = tmp_path / "edge.yaml"
    config.write_text(OPCUA % (tmp_path, 1000))
    document = json.loads(twin("size", "-c", config, "--json").stdout)
    assert document["values_per_s"] == 11
    assert not document["bytes_per_value_measured"]
    assert 20 < document["bytes_per_value"] < 80, "five values share a batch's overhead"
    assert document["outage_s"] == pytest.approx(1e9 / document["bytes_per_s"], rel=1e-3)
    busy = json.loads(twin("size", "-c", config, "--json", "--rate", "press=2000").stdout)
    assert 4 < busy["bytes_per_value"] < 20
    assert twin("size", "-c", config, "--days", 4).returncode == 0
    long = twin("size", "-c", config, "--days", 4000)
    assert long.returncode == 1
    assert "do NOT fit; set spool.max_bytes" in long.stdout
    played = twin("size", "-c", configured(tmp_path / "played"))
    assert "source lathe (replay): its rate is not known, its recording decides; give --rate lathe=" in played.stderr
    assert "source gates (mqtt): its rate is not known, its devices decide; give --rate gates=" in played.stderr
    config.write_text(OPCUA % (tmp_path, 0))
    unknown = twin("size", "-c", config)
    assert unknown.returncode == 2
    assert "give --rate press=<values/s>" in unknown.stderr
    assert "there is no source 'x'" in twin("size", "-c", config, "--rate", "x=1").stderr
    assert "write <source>=<values per second>" in twin("size", "-c", config, "--rate", "press").stderr


async def test_bytes_per_value_are_measured_where_a_spool_holds_enough(tmp_path):
    config = configured(tmp_path)
    of = load_agent(config)
    async with open_spool(of.spool.path, schema=node_schema(of), max_bytes=10_000_000) as spool:
        now_ns = time.time_ns()
        await spool.keep([Reading(0, now_ns + i * 10**6, i / 3, 0, 0, now_ns) for i in range(5000)])
        size = spool.backlog().bytes
        done = await asyncio.to_thread(twin, "size", "-c", config, "--rate", "gates=50", "--rate", "lathe=50", "--json")
    document = json.loads(done.stdout)
    assert document["bytes_per_value_measured"]
    assert document["bytes_per_value"] == round(size / 5000, 2)
    assert document["spool"]["waiting_bytes"] == size
    assert [source["known_by"] for source in document["sources"]] == ["given", "given"]


def test_what_is_no_spool_is_refused(tmp_path):
    config = configured(tmp_path)
    (tmp_path / "state").mkdir()
    spool = tmp_path / "state" / "spool.db"
    spool.write_text("hello" * 1000)
    assert "not a spool" in twin("status", "-c", config).stderr
    spool.write_bytes(b"")
    young = twin("status", "-c", config)
    assert (young.returncode, "the agent is just making its spool" in young.stderr) == (1, True)
    spool.unlink()
    with sqlite3.connect(spool) as connection:
        connection.execute("CREATE TABLE other (x)")
    connection.close()
    assert "not a spool of format" in twin("tail", "-c", config).stderr
    spool.unlink()
    spool.mkdir()
    closed = twin("status", "-c", config)
    assert (closed.returncode, "run this as the user of the agent" in closed.stderr) == (2, True)


def test_the_tools_start_without_the_heavy_parts(tmp_path):
    code = (
        "import sys, twin.commands.cli, twin.commands.spool_status, twin.commands.spool_tail, twin.commands.spool_size;"
        "print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "asyncua", "psycopg", "pyarrow"} & set(loaded)


def test_a_live_check_reads_a_recording_and_leaves_the_agents_place_in_it_alone(tmp_path):
    config = configured(tmp_path)
    text = config.read_text().replace("    time: shifted\n    repeat: true\n", "")
    config.write_text(text[: text.index("  - kind: mqtt")])
    (tmp_path / "lathe.csv").write_text("t,load,program\n1577836800,1,a\n1577836801,2,b\nbad,2,b\n")
    done = twin("check", "-c", config, "--live", "--json", "--seconds", 1)
    report = json.loads(done.stdout)[0]
    assert (report["kind"], report["errors"], report["warnings"]) == ("replay", [], [])
    assert (report["facts"]["values"], report["facts"]["signals_heard"], report["facts"]["rejected"]) == (4, 2, 1)
    assert not (tmp_path / "state").exists()
