"""Real servers for the tests: PostgreSQL, TimescaleDB, Mosquitto, amqtt. Started synchronously, always ended.

Folders lie where the unprivileged user that root lends a server to can reach them, and go away with the session.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from twin.store.embedded import EmbeddedPostgres

CHECKOUT = Path(__file__).resolve().parent.parent
# A test loses nothing by a crash of the machine; what a crash of the server does is what we test.
QUICK = {"shared_buffers": "128MB", "max_wal_size": "4GB", "jit": "off"}


def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition: Callable[[], object], *, deadline_s: float = 20, what: str = "condition") -> None:
    """Return as soon as `condition()` is true; AssertionError when it is not within the deadline."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"no {what} within {deadline_s} s"
        time.sleep(0.01)


def answers(port: int) -> bool:
    """Whether something accepts TCP connections on the port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


@contextmanager
def open_folder(name: str) -> Iterator[Path]:
    """A temporary folder that other users may enter, removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f"fabriquay-{name}-", dir="/var/tmp" if os.geteuid() == 0 else None))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def timescale_programs() -> Path:
    """The programs of the private TimescaleDB, fetched when they are not there yet."""
    script = CHECKOUT / "setup" / "timescale.sh"
    done = subprocess.run(["sh", script, "fetch"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"TimescaleDB could not be fetched:\n{done.stderr}"
    return Path(done.stdout.strip().splitlines()[-1])


@contextmanager
def postgres(folder: Path | None = None, settings: Mapping[str, str] | None = None) -> Iterator[EmbeddedPostgres]:
    """The embedded PostgreSQL, under the project's own supervisor."""
    with ExitStack() as stack:
        folder = folder or stack.enter_context(open_folder("postgres"))
        yield stack.enter_context(EmbeddedPostgres(folder, settings={**QUICK, **(settings or {})}))


@contextmanager
def timescale(folder: Path | None = None, settings: Mapping[str, str] | None = None) -> Iterator[EmbeddedPostgres]:
    """PostgreSQL with TimescaleDB, Apache-2 edition, under the same supervisor."""
    extension = {
        "shared_preload_libraries": "timescaledb",
        "timescaledb.telemetry_level": "off",
        "timescaledb.max_background_workers": "0",  # its schedulers would sit in the template database
    }
    with ExitStack() as stack:
        folder = folder or stack.enter_context(open_folder("timescale"))
        server = EmbeddedPostgres(
            folder, programs=timescale_programs(), settings={**QUICK, **extension, **(settings or {})}
        )
        yield stack.enter_context(server)


@dataclass
class Broker:
    """An MQTT broker process on loopback; `kill` and `start` again keep its port and its folder."""

    command: list[str]
    port: int
    log: Path
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        process = self.process

        def ready() -> bool:
            assert process.poll() is None, f"the broker ended at once:\n{self.log.read_text()[-2000:]}"
            return answers(self.port)

        wait_for(ready, what="broker")

    def kill(self) -> None:
        """As the kernel would: SIGKILL."""
        self._end(signal.SIGKILL)

    def save(self, store: Path) -> None:
        """Mosquitto: have the sessions and queues written to `store` now."""
        assert self.process is not None
        before = store.stat().st_mtime_ns if store.exists() else 0
        self.process.send_signal(signal.SIGUSR1)
        wait_for(lambda: store.exists() and store.stat().st_mtime_ns > before, what="the broker to save")

    def stop(self) -> None:
        """As an administrator would: SIGTERM, then patience."""
        self._end(signal.SIGTERM)

    def _end(self, kind: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(kind)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


def mosquitto_program() -> str:
    program = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    assert program, "mosquitto is not installed; run sh setup/test-programs.sh"
    return program


@contextmanager
def mosquitto(config: str = "allow_anonymous true", *, folder: Path | None = None, port: int = 0) -> Iterator[Broker]:
    """Mosquitto with one loopback listener; `config` is appended, ``{folder}`` and ``{port}`` in it are replaced."""
    with ExitStack() as stack:
        folder = folder or stack.enter_context(open_folder("mosquitto"))
        port = port or free_port()
        lines = [f"listener {port} 127.0.0.1", config.replace("{folder}", str(folder)).replace("{port}", str(port))]
        if os.geteuid() == 0:
            lines.append("user root")  # else it gives up its rights and cannot read a test's private files
        path = folder / "mosquitto.conf"
        path.write_text("\n".join(lines) + "\n")
        broker = Broker([mosquitto_program(), "-c", str(path)], port, folder / "mosquitto.log")
        stack.callback(broker.stop)
        broker.start()
        yield broker


_AMQTT = """
import asyncio, sys
from amqtt.broker import Broker

async def main(port, users):
    plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": not users}}
    if users:
        plugins["amqtt.plugins.authentication.FileAuthPlugin"] = {"password_file": users}
    broker = Broker({"listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}}, "plugins": plugins})
    await broker.start()
    await asyncio.Event().wait()

asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
"""


@contextmanager
def amqtt(users: Mapping[str, str] | None = None) -> Iterator[Broker]:
    """The embedded broker in a process of its own; `users` maps names to passwords, anonymous when there are none."""
    with open_folder("amqtt") as folder:
        port, path = free_port(), ""
        if users:
            from argon2 import PasswordHasher

            hashes = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
            path = str(folder / "users")
            Path(path).write_text("".join(f"{name}:{hashes.hash(word)}\n" for name, word in users.items()))
        broker = Broker([sys.executable, "-c", _AMQTT, str(port), path], port, folder / "amqtt.log")
        try:
            broker.start()
            yield broker
        finally:
            broker.stop()
