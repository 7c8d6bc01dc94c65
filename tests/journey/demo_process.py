"""`twin demo` as a user starts it, in a folder of its own, with hands on its processes: kill, stop, cut.

The edge agents reach the broker through a proxy (`tests.fault.proxy`), so that a network cut is one call.
"""

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import yaml

from tests.fault.proxy import Proxy

ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Nobody else starts a demo meanwhile: two that look for free ports at once find the same."""
    with (Path(tempfile.gettempdir()) / "fabriquay-demo-start").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Demo:
    """One run of `twin demo` in `folder`; use as a context manager. The folder may be used again."""

    def __init__(self, folder: Path, *, rate: float | None = None, broker: str = "embedded") -> None:
        self.folder = folder
        self.network = Proxy(self._broker_port)
        self._rate = rate
        self.broker = broker
        self._process: subprocess.Popen[bytes] | None = None
        self.page = ""
        self.password = ""  # of admin, told at the first start of a folder
        self.output = folder / "output.txt"
        self.left: list[str] = []  # command lines of the processes that were still there after the last stop

    def __enter__(self) -> "Demo":
        with contextlib.ExitStack() as undo:
            undo.push(self.__exit__)  # a demo that does not start must not go on beside the tests that follow
            self._start()
            undo.pop_all()
        return self

    def _start(self) -> None:
        configs = self.folder / "configs"
        if not configs.exists():
            shutil.copytree(ROOT / "configs", configs)
        for path in configs.glob("edge-*.yaml"):
            original = (ROOT / "configs" / path.name).read_text()
            path.write_text(re.sub(r"\$\{FABRIQUAY_BROKER_PORT:-\d+\}", str(self.network.port), original))
            assert str(self.network.port) in path.read_text()
        with alone(), self.output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "twin.commands.cli", "demo", "--folder", str(self.folder / "data"), "--configs",
                 str(configs), "--broker", self.broker, *(["--rate", str(self._rate)] if self._rate else [])],
                cwd=ROOT, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
            self.wait_until(lambda: "is running" in self.output.read_text(), 240, "the demo to start")
        found = re.search(r"http://127\.0\.0\.1:\d+/", self.output.read_text())
        assert found
        self.page = found.group()
        if told := re.search(r"sign in as admin with (\S+)", self.output.read_text()):
            self.password = told.group(1)

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.network.stop()

    def stop(self) -> None:
        """Ctrl-C, as a user does; what it leaves behind is noted in `left` and ended."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(60)
            finally:
                self.left = []
                for process in self.processes_left():
                    with contextlib.suppress(psutil.NoSuchProcess):  # it was just going
                        self.left.append(" ".join(process.cmdline()))
                        process.kill()
                self._process.kill()

    @property
    def exit_status(self) -> int | None:
        return self._process.poll() if self._process else None

    def processes_left(self) -> list[psutil.Process]:
        """Every process that carries this demo's folder in its command line or works in it."""
        mark, found = str(self.folder), []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.pid != os.getpid() and any(mark in word for word in process.cmdline()):
                    found.append(process)
        own = self._process.pid if self._process else 0
        return [process for process in found if process.pid != own]

    def process(self, part: str) -> psutil.Process:
        """The process of a part, e.g. ``edge-factory``, ``run``, ``broker``, ``postgres``."""
        assert self._process
        if part == "postgres":
            pid_file = next((self.folder / "data" / "database" / "data").resolve().glob("postmaster.pid"))
            return psutil.Process(int(pid_file.read_text().split()[0]))
        wanted = {"broker": ["broker"], "plant": ["equipment"], "run": ["run"], "api": ["api"]}.get(
            part, ["edge", "run"]
        )
        for child in psutil.Process(self._process.pid).children():
            if part == "broker" and child.name() == "mosquitto":
                return child
            words = child.cmdline()[3:]
            if words[: len(wanted)] == wanted and (len(wanted) == 1 or any(part in word for word in words)):
                return child
        raise LookupError(part)

    def kill(self, part: str) -> None:
        """kill -9; the supervisor starts it again. A part that is just being restarted is waited for."""
        victim: list[psutil.Process] = []

        def found() -> bool:
            with contextlib.suppress(LookupError, StopIteration, OSError, psutil.Error):
                victim[:] = [self.process(part)]
                return True
            return False

        self.wait_until(found, 60, f"{part} to be there")
        with contextlib.suppress(psutil.NoSuchProcess):
            victim[0].send_signal(signal.SIGKILL)

    def wait_until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}\n{self._tails()}"
            assert self._process is None or self._process.poll() is None, f"the demo ended\n{self._tails()}"
            time.sleep(0.1)

    def _broker_port(self) -> int:
        return int(yaml.safe_load((self.folder / "data" / "equipment.yaml").read_text())["broker"]["port"])

    def _tails(self) -> str:
        files = [self.output, *sorted((self.folder / "data" / "logs").glob("*.log"))]
        return "\n".join(
            f"--- {file.name}\n{file.read_text(errors='replace')[-1500:]}" for file in files if file.exists()
        )
