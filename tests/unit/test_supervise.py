"""The supervisor: starts in order, restarts what dies, leaves nothing."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.waiting import until
from twin.commands.supervise import Child, ProcessState, Supervisor

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


async def test_a_killed_child_is_started_again_and_stop_leaves_none(tmp_path: Path) -> None:
    seen: list[ProcessState] = []
    supervisor = Supervisor(lambda child: seen.append(child.state))
    child = Child("sleeper", "sleeper", SLEEPER, tmp_path / "log")
    await supervisor.start(child)
    assert child.process is not None
    first = child.process.pid
    os.kill(first, signal.SIGKILL)
    await until(
        lambda: child.process is not None and child.process.pid != first and child.state is ProcessState.RUNNING
    )
    assert ProcessState.RESTARTING in seen
    second = child.process.pid
    await supervisor.stop()
    for pid in (first, second):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_a_child_that_ignores_the_request_to_stop_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twin.commands.supervise._STOP_WAIT_S", 0.3)
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    supervisor = Supervisor(lambda _: None)
    log = tmp_path / "log"

    async def up() -> bool:
        return log.exists() and "up" in log.read_text()

    child = Child("stubborn", "stubborn", [sys.executable, "-c", stubborn], log, ready=up)
    await supervisor.start(child)
    await supervisor.stop()
    assert child.process is not None
    assert child.process.returncode == -signal.SIGKILL


async def test_a_child_that_never_gets_ready_is_named_with_its_log(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    supervisor = Supervisor(lambda _: None)
    with pytest.raises(TimeoutError, match="log"):
        await supervisor.start(Child("idle", "the idle part", SLEEPER, tmp_path / "log", ready=never), timeout_s=0.2)
    await supervisor.stop()


async def test_children_end_with_a_killed_supervisor(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = (
        "import asyncio, sys; from pathlib import Path; from twin.commands.supervise import *\n"
        "async def main():\n"
        f"    child = Child('s', 's', {SLEEPER!r}, Path({str(tmp_path / 'log')!r}))\n"
        "    await Supervisor(lambda _: None).start(child)\n"
        f"    Path({str(pid_file)!r}).write_text(str(child.process.pid))\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())"
    )
    supervisor = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    await until(lambda: pid_file.exists() and pid_file.read_text())
    supervisor.kill()
    await supervisor.wait()

    def gone() -> bool:
        status = Path(f"/proc/{pid_file.read_text()}/status")
        return not status.exists() or "Z (zombie)" in status.read_text()

    await until(gone)
