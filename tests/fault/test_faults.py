"""Every fault that a site knows, done to the whole chain: each value ends in the store or in the gap ledger.

`make faults` runs them and writes docs/reference/fault-report.md from what it saw.
"""

import asyncio
import os
import platform
import resource
import signal
import sqlite3
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as mqtt
import psycopg
import pytest

from edge.sources.opcua_trust import TrustFolder
from tests.contract.opcua_certificates import certify
from tests.fault.chain import Account, Chain, Plant, chain
from tests.fault.outage import DAYS, MESSAGES, Outage
from tests.servers import postgres
from tests.waiting import until
from twin.store.backup import back_up, restore
from twin.wire.reading import GapCause

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]
HISTORY = ("--history",)
RESULTS: list[tuple[str, str, Account]] = []


@pytest.fixture(scope="module")
def whole() -> Iterator[Chain]:
    with chain() as made:
        yield made
    target = os.environ.get("FABRIQUAY_FAULT_REPORT")
    if target:
        write_report(Path(target))


@pytest.fixture
def plant(whole: Chain, request: pytest.FixtureRequest) -> Callable[..., Plant]:
    name = request.node.name.removeprefix("test_").replace("_", "-")[:40].rstrip("-")
    return lambda **more: Plant(whole, name, **more)


@asynccontextmanager
async def judged(made: Plant, fault: str, *, by_count: bool = False) -> AsyncGenerator[Plant]:
    """Run the fault, let everything settle, take the account."""
    async with made as running:
        await running.seconds(1)
        yield running
        await running.seconds(1)
        await running.flows(120)
        deadline = asyncio.get_running_loop().time() + 60
        while True:  # history and the last batches come a little later
            account = running.account(by_count=by_count)
            settled = not account.unaccounted and not account.wrong and not running.open_gaps()
            if settled or asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(1)
    RESULTS.append((made.name, fault, account))
    assert not account.unaccounted, str(account)
    assert not account.wrong, str(account)
    assert account.stored > 50


async def test_line_to_the_server_cut(plant: Callable[..., Plant]) -> None:
    async with judged(plant(), "the line to the OPC UA server is cut for 4 s, twice") as made:
        for _ in range(2):
            with made.line.cut():
                await made.seconds(4)
            await made.flows()
    assert RESULTS[-1][2].in_ledger == 0  # its queues hold it


async def test_line_to_the_server_half_open(plant: Callable[..., Plant]) -> None:
    async with judged(plant(), "the line to the server swallows everything for 6 s without a word") as made:
        with made.line.half_open():
            await made.seconds(6)


async def test_line_to_the_server_slow(plant: Callable[..., Plant]) -> None:
    async with judged(plant(), "the line to the server takes 0.3 s each way and 20 kB/s") as made:
        with made.line.delay(0.3), made.line.throttle(20_000):
            await made.seconds(5)


async def test_server_restarted_with_other_namespaces(plant: Callable[..., Plant]) -> None:
    async with judged(plant(), "the server is killed and comes back with other namespace indices") as made:
        await made.server.kill()
        await made.seconds(2)
        await made.server.start("--namespaces", "3")


async def test_server_queue_too_short_with_history(plant: Callable[..., Plant]) -> None:
    made = plant(server=HISTORY, queue_size=5)
    async with judged(made, "a cut of 3 s with a server queue of 5 values; the server keeps a history"):
        with made.line.cut():
            await made.seconds(3)
    assert RESULTS[-1][2].backfilled > 0
    assert RESULTS[-1][2].in_ledger == 0


async def test_server_queue_too_short_without_history(plant: Callable[..., Plant]) -> None:
    made = plant(queue_size=5)
    async with judged(made, "the same without a history"):
        with made.line.cut():
            await made.seconds(3)
    assert RESULTS[-1][2].in_ledger > 0


async def test_messages_lost_in_the_server(plant: Callable[..., Plant]) -> None:
    async with judged(plant(server=HISTORY), "the server loses three messages that Republish does not have") as made:
        await made.server.tell("forget 3")
        await made.seconds(2)


async def test_clock_of_the_server_steps(plant: Callable[..., Plant]) -> None:
    fault = "the server's clock is set an hour ahead, then to the year 2000, then right"
    async with judged(plant(), fault, by_count=True) as made:
        for off_s in (3600, -820_000_000, 0):
            await made.server.tell(f"clock {off_s}")
            await made.seconds(3)


async def test_agent_killed(plant: Callable[..., Plant]) -> None:
    async with judged(plant(server=HISTORY), "the agent is killed (SIGKILL) and away for 3 s; history") as made:
        made.chain.end(made.agent, signal.SIGKILL)
        await made.seconds(3)
        made.start_agent()
    assert RESULTS[-1][2].backfilled > 0


async def test_agent_killed_without_history(plant: Callable[..., Plant]) -> None:
    async with judged(plant(), "the same without a history") as made:
        made.chain.end(made.agent, signal.SIGKILL)
        await made.seconds(3)
        made.start_agent()


async def test_uplink_cut(plant: Callable[..., Plant]) -> None:
    async with judged(plant(), "the line to the broker is cut for 6 s") as made:
        with made.uplink.cut():
            await made.seconds(6)
    assert RESULTS[-1][2].in_ledger == 0


async def test_broker_without_disk_killed(plant: Callable[..., Plant]) -> None:
    async with judged(plant(), "the broker, without persistence, is killed and away for 3 s, twice") as made:
        for _ in range(2):
            made.chain.broker.kill()
            await made.seconds(3)
            made.chain.broker.start()
            await made.flows(90)
    assert RESULTS[-1][2].in_ledger == 0


async def test_twin_run_killed(plant: Callable[..., Plant]) -> None:
    async with judged(plant(), "`twin run` is killed (SIGKILL) twice") as made:
        for _ in range(2):
            made.chain.end("run", signal.SIGKILL)
            await made.seconds(2)
            made.chain.run()
            await made.flows(90)
    assert RESULTS[-1][2].in_ledger == 0


async def test_run_killed_while_another_stands_by(plant: Callable[..., Plant]) -> None:
    async with judged(plant(), "`twin run` is killed (SIGKILL); another one that stood by takes over") as made:
        whole, log = made.chain, made.chain.folder / "standby.log"
        whole.run("standby")
        await until(lambda: log.exists() and "standing by" in log.read_text(), what="another that stands by")
        assert "replayed batches" not in log.read_text()
        whole.end("run", signal.SIGKILL)
        whole.processes["run"] = whole.processes.pop("standby")
        await made.flows()
        assert "this process holds the lease" in log.read_text()
        with psycopg.connect(whole.dsn) as connection:  # nothing doubled: neither a batch nor a step of an alarm
            batches = "SELECT count(*) - count(DISTINCT (node, epoch, number)) FROM batch WHERE number > 0"
            raised = "SELECT count(*) - count(DISTINCT (alarm, occurrence)) FROM alarm_transition WHERE what = 'raised'"
            assert [connection.execute(query).fetchone() for query in (batches, raised)] == [(0,), (0,)]


async def test_store_restored_from_a_backup() -> None:
    """The backup is taken while data comes; what came after it, receipts and all, only the spool has."""
    fault = "everything is killed; the store is restored from a backup into an empty cluster"
    with chain() as whole, postgres() as other:
        async with judged(Plant(whole, "restored"), fault) as made:
            file = whole.folder / "store.dump"
            await asyncio.to_thread(back_up, whole.dsn, file, _silent)
            await made.seconds(3)
            await made.flows()
            receipted = made.stored()
            for name in list(whole.processes):
                whole.end(name, signal.SIGKILL)
            whole.dsn = other.dsn
            await restore(whole.dsn, file, _silent)
            assert made.stored() < receipted - 100
            whole.run()
            made.start_agent()
            await made.flows(90)
        assert "batches that it had go again" in (whole.folder / f"{made.agent}.log").read_text()
        with psycopg.connect(
            whole.dsn
        ) as connection:  # in the ledger is only what nobody read while the agent was dead
            causes = connection.execute("SELECT DISTINCT cause FROM gap").fetchall()
        assert (GapCause.SPOOL_DROP,) not in causes


def _silent(_share: float) -> None:
    """A progress that nobody looks at."""


async def test_messages_doubled_and_reordered(plant: Callable[..., Plant]) -> None:
    """Whatever was sent is sent once more, newest first."""
    made = plant()
    async with judged(made, "every message of the agent is delivered a second time, in reverse order"):
        seen: list[tuple[str, bytes]] = []
        listener = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        listener.on_message = lambda _client, _data, message: seen.append((message.topic, message.payload))
        listener.connect("127.0.0.1", made.chain.broker.port)
        listener.subscribe(f"fabriquay/1/edge-{made.name}/data", qos=1)
        listener.loop_start()
        await made.seconds(3)
        listener.unsubscribe(f"fabriquay/1/edge-{made.name}/data")
        await made.seconds(0.3)
        again = list(reversed(seen))
        assert len(again) > 3
        for topic, payload in again:
            listener.publish(topic, payload, qos=1).wait_for_publish(10)
        listener.loop_stop()
        listener.disconnect()


async def test_disk_full(plant: Callable[..., Plant]) -> None:
    """The spool's file may not grow any more, as on a full disk, while the uplink is down; then it may again."""
    made = plant()
    async with judged(made, "the disk of the gateway is full for 4 s while the uplink is cut"):
        with made.uplink.cut():
            process = made.chain.processes[made.agent]
            largest = max(file.stat().st_size for file in made.folder.glob("spool.db*"))
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
            await made.seconds(4)
            assert "spool" in (made.chain.folder / f"{made.agent}.log").read_text()
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            await made.seconds(2)


async def test_spool_file_damaged(plant: Callable[..., Plant]) -> None:
    """While values wait in it and the agent is stopped, a piece of the file is overwritten."""
    made = plant(server=HISTORY)
    async with judged(made, "the spool's file is overwritten in the middle while values wait in it; history"):
        with made.uplink.cut():
            await made.seconds(3)
            made.chain.end(made.agent, signal.SIGKILL)
            with sqlite3.connect(made.spool) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
            size = made.spool.stat().st_size
            with made.spool.open("r+b") as file:
                file.seek(size // 3)
                file.write(os.urandom(size // 3))
            made.start_agent()
            await made.seconds(2)


async def test_certificate_of_the_server_changes(plant: Callable[..., Plant]) -> None:
    """The agent refuses the new one and says where to accept it; when somebody has, it goes on."""
    made = plant(history="off")
    server, own = certify("server").write(made.folder, "server"), certify("edge").write(made.folder, "edge")
    user = certify("user").write(made.folder, "user")
    TrustFolder(made.folder / "trust").accept(server.certificate)
    made.server.arguments += (
        "--certificate", str(server.der), "--key", str(server.key), "--uri", server.certificate.application_uri,
        "--user-certificate", str(user.der), "--policy", "Basic256Sha256_SignAndEncrypt",
    )  # fmt: skip
    made.source |= {
        "username": "edge", "password": "secret",
        "security": {
            "policy": "Basic256Sha256", "mode": "SignAndEncrypt", "certificate": str(own.der),
            "private_key": str(own.key), "trust": str(made.folder / "trust"),
        },
    }  # fmt: skip
    async with judged(made, "the server comes back with another certificate, which is accepted 4 s later"):
        await made.server.kill()
        other = certify("server").write(made.folder, "server").certificate
        await made.server.start()
        word = f"twin edge trust accept {other.thumbprint[:16]}"
        log = made.chain.folder / f"{made.agent}.log"
        await until(lambda: word in log.read_text(), "refused, and said what to do", deadline_s=30)
        await made.seconds(4)
        assert made.newest_emitted_ns() - made.chain.newest_ns(f"edge-{made.name}") > 3_000_000_000
        command = [*word.split()[1:], "-c", str(made.folder / "edge.yaml")]
        made.chain.twin("trust", *command)
        assert made.chain.processes.pop("trust").wait(30) == 0
    assert RESULTS[-1][2].in_ledger > 60


async def test_four_days_without_a_line_to_the_twin(whole: Chain) -> None:
    """Simulated clock. The spool holds its cap and drops the oldest, the important signal loses nothing, live comes first."""
    made = Outage(whole, "four-days")
    async with made.running() as device:
        with made.uplink.cut():
            await made.days(device)
        back_ns = made.now_ns
        while whole.newest_ns(made.node) <= back_ns:
            await made.tick(device, step_s=0.1)
            await asyncio.sleep(0.1)
        assert made.waiting() > 10, "live values are stored while history still waits"
        await until(lambda: not made.waiting(), "the backlog drained", deadline_s=90)
        account, important = made.account(), made.account(0)
    RESULTS.append(
        (made.node, f"{DAYS} days without a line to the twin, a spool for two of them (simulated clock)", account)
    )
    assert not account.unaccounted, str(account)
    assert not account.wrong, str(account)
    assert account.emitted >= 5 * MESSAGES
    assert account.in_ledger > account.emitted // 20
    assert important.in_ledger == 0


def write_report(target: Path) -> None:
    """The table, from what was just seen."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    lines = [
        "# What faults cost",
        "",
        "Written by `make faults`; do not edit. Each row is one fault done to the whole chain: an OPC UA server with five",
        "nodes at 20 Hz and a log of all that it had, a line, `twin edge run`, a line, Mosquitto, `twin run`, PostgreSQL.",
        f"Run on {datetime.now(UTC):%Y-%m-%d}, {machine}.",
        "",
        "*In the ledger*: not stored, and recorded as missing. *Unaccounted*: neither. *Wrong*: another value than the server had,",
        "or one that it never had. Doubled values are impossible: signal and source time are the key of the table.",
        "",
        "| fault | values | stored | of these from history | in the ledger | unaccounted | wrong |",
        "|---|---|---|---|---|---|---|",
    ]
    for _, fault, account in RESULTS:
        figures = (account.emitted, account.stored, account.backfilled, account.in_ledger)
        numbers = " | ".join(f"{figure:,}" for figure in (*figures, len(account.unaccounted), len(account.wrong)))
        lines.append(f"| {fault} | {numbers} |")
    lines += [
        "",
        "In the four days a device sends its five values every ten seconds over MQTT (`tests/fault/outage.py`). More of certificates:",
        "`tests/contract/test_opcua_trust.py`. Kills and cuts at random moments under load: `make chaos`. The same bad network",
        "for any client and server: `python -m tests.fault.proxy`.",
        "",
    ]
    target.write_text("\n".join(lines), encoding="utf-8")
