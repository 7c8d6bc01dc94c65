"""The agent tells systemd that it is ready and lives, over a real datagram socket; the unit file is one."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge.spool import open_spool
from edge.systemd import status_line, tell_systemd
from tests.skips import ALLOWED_SKIPS
from tests.waiting import until
from twin.wire.schema import NodeSchema, SchemaEntry

UNIT = Path(__file__).resolve().parents[2] / "configs" / "systemd" / "fabriquay-edge@.service"
SCHEMA = NodeSchema("gate-7", (SchemaEntry(0, "a/b/c", "measurement", ""),))


class Systemd:
    """The receiving end."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0", 1))
        self.socket.setblocking(False)
        self.heard: list[str] = []

    def listen(self) -> list[str]:
        try:
            while True:
                self.heard.append(self.socket.recv(4096).decode())
        except BlockingIOError:
            return self.heard

    def fed(self) -> int:
        return sum("WATCHDOG=1" in text for text in self.listen())


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "path" else f"@fabriquay-test-{os.getpid()}"


@pytest.fixture
def systemd(address: str) -> Iterator[Systemd]:
    receiver = Systemd(address)
    yield receiver
    receiver.socket.close()


@asynccontextmanager
async def telling(alive, environment):
    task = asyncio.create_task(tell_systemd(alive, lambda: "3 values/s", environment))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def nothing() -> None:
    pass


async def test_it_is_ready_first_then_feeds_the_watchdog(systemd: Systemd, address: str):
    environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "60000", "WATCHDOG_PID": str(os.getpid())}
    async with telling(nothing, environment):
        await until(lambda: systemd.fed() >= 3, "three feeds")
    heard = systemd.listen()
    assert heard[0] == "READY=1"
    assert heard[1] == "WATCHDOG=1\nSTATUS=3 values/s"
    assert all(text.startswith("WATCHDOG=1") for text in heard[1:])  # an end may be that of one configuration only


async def test_the_watchdog_is_not_fed_while_the_spools_thread_hangs(tmp_path: Path):
    systemd, release = Systemd(str(tmp_path / "notify")), threading.Event()
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "30000"}
    async with (
        open_spool(tmp_path / "s.db", schema=SCHEMA, max_bytes=1 << 20) as spool,
        telling(spool.alive, environment),
    ):
        await until(lambda: systemd.fed() >= 2, "feeds")
        hanging = asyncio.create_task(spool._in_thread(release.wait))
        await asyncio.sleep(0.05)  # what was on its way
        fed = systemd.fed()
        await asyncio.sleep(0.3)  # ten periods
        assert systemd.fed() == fed
        release.set()
        await until(lambda: systemd.fed() > fed, "feeds again")
        await hanging
    systemd.socket.close()


async def test_without_a_watchdog_only_the_status_is_told(systemd: Systemd, address: str):
    environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "60000", "WATCHDOG_PID": "1"}
    async with telling(nothing, environment):
        await until(lambda: len(systemd.listen()) >= 2, "the status")
    assert systemd.heard[:2] == ["READY=1", "STATUS=3 values/s"]
    assert systemd.fed() == 0


async def test_without_systemd_nothing_is_told_and_a_socket_that_is_gone_is_no_error(tmp_path: Path):
    await asyncio.wait_for(tell_systemd(nothing, str, {}), 1)
    async with telling(nothing, {"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_USEC": "3000"}) as task:
        await asyncio.wait([task], timeout=0.05)
        assert not task.done()


def test_the_status_is_one_line_with_the_worst_of_it():
    report = {"sources": [{"values_per_s": 2.6}, {"values_per_s": 1}], "backlog": {"batches": 7}, "warnings": []}
    assert status_line(report) == "4 values/s, 7 batches waiting"
    report["warnings"] = ["source a is down:\nrefused", "b"]
    assert status_line(report) == "4 values/s, 7 batches waiting; source a is down: refused (and 1 more)"


def test_the_unit_file_is_sound(tmp_path: Path):
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip(ALLOWED_SKIPS["systemd-analyze"])
    unit = tmp_path / "fabriquay-edge@gate-7.service"
    unit.write_text(UNIT.read_text().replace("/opt/fabriquay/bin/twin", sys.executable))
    done = subprocess.run([program, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if "fabriquay" in line]
    assert told == []
    assert "Type=notify" in unit.read_text()
