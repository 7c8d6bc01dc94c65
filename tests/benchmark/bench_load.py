"""Many gateways, each with its own MQTT connection, on the whole path: what 1,000 samples per second cost each hop.

Processor time and memory of the broker, of `twin run` and of PostgreSQL's processes, told apart by their pids, so it does
not matter who else uses the machine. Each gateway sends 20 signals once a second in one batch.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import yaml

from tests.benchmark.load_gateways import plant
from tests.benchmark.record import Result
from tests.servers import mosquitto, open_folder, postgres, wait_for
from twin.store.embedded import SETTINGS

SUITE = "scale"
SIGNALS, FEW, MANY = 20, 50, 250
BATCHES_BEFORE, MEASURE_S = 10, 20


@contextmanager
def _twin(folder: Path, dsn: str, port: int, gateways: int) -> Iterator["subprocess.Popen[bytes]"]:
    (folder / "plant.yaml").write_text(yaml.safe_dump(plant(gateways, SIGNALS, 1.0)))
    settings = {"plant": "plant.yaml", "database": dsn, "broker": {"host": "127.0.0.1", "port": port}}
    (folder / "twin.yaml").write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "twin.commands.cli"]
    subprocess.run([*command, "migrate", "-c", str(folder / "twin.yaml")], check=True)
    with (folder / "run.log").open("wb") as log:
        process = subprocess.Popen([*command, "run", "-c", str(folder / "twin.yaml")], stdout=log, stderr=log)
    try:
        wait_for(lambda: b"receiving from the broker" in (folder / "run.log").read_bytes(), deadline_s=120, what="run")
        yield process
    finally:
        process.kill()
        process.wait()


def _processor_s(pids: list[int]) -> float:
    spent = 0.0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            spent += int((task / "schedstat").read_text().split()[0]) / 1e9
    return spent


def _rows(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        ((rows,),) = connection.execute("SELECT coalesce(sum(rows), 0)::int8 FROM batch").fetchall()
    return int(rows)


def _measure(gateways: int) -> tuple[float, dict[str, float], dict[str, float]]:
    """(samples per second, µs of processor time per sample, MB) by hop."""
    with (
        open_folder("load") as folder,
        postgres(settings=SETTINGS) as server,
        mosquitto("allow_anonymous true") as broker,
        _twin(folder, server.dsn, broker.port, gateways) as run,
    ):
        command = [sys.executable, "-m", "tests.benchmark.load_gateways", "--gateways", str(gateways)]
        command += ["--signals", str(SIGNALS), "--seconds", "600", "--broker", f"127.0.0.1:{broker.port}"]
        generator = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=dict(os.environ))
        try:
            wait_for(lambda: _rows(server.dsn) >= BATCHES_BEFORE * gateways * SIGNALS, deadline_s=300, what="samples")
            assert server.pid is not None
            children = psutil.Process(server.pid).children()
            lasting = [one.pid for one in children if "autovacuum worker" not in " ".join(one.cmdline())]
            postgres_pids = [server.pid, *lasting]
            hops = {
                "broker": [broker.process.pid if broker.process else 0],
                "twin run": [run.pid],
                "PostgreSQL": postgres_pids,
            }
            rows, began_s = _rows(server.dsn), time.monotonic()
            before = {hop: _processor_s(pids) for hop, pids in hops.items()}
            time.sleep(MEASURE_S)
            after = {hop: _processor_s(pids) for hop, pids in hops.items()}
            rows, took_s = _rows(server.dsn) - rows, time.monotonic() - began_s
            memory = {
                hop: sum(psutil.Process(pid).memory_full_info().uss for pid in pids) / 1e6 for hop, pids in hops.items()
            }
        finally:
            generator.kill()
            generator.wait()
    return rows / took_s, {hop: (after[hop] - before[hop]) / rows * 1e6 for hop in hops}, memory


def measure() -> list[Result]:
    """Few and many gateways, one after the other."""
    results: list[Result] = []
    for gateways in (FEW, MANY):
        rate, spent, memory = _measure(gateways)
        for hop, us in spent.items():
            results.append(
                Result(
                    f"S7-load-{gateways}-{hop.replace(' ', '-').lower()}",
                    f"{gateways} gateways, {rate:,.0f} samples/s in batches of {SIGNALS}: processor time of {hop},"
                    f" {memory[hop]:.0f} MB",
                    us / 10, "% of a core per 1,000 samples/s", "(none)", True,
                )
            )  # fmt: skip
    return results
