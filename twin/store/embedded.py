"""A PostgreSQL of our own below one folder: for the demo, the laptop and the tests.

In: a folder. Out: a running server on loopback and its address in ``folder/dsn`` (mode 0600).
Nothing is believed from pid files: alive means that a connection succeeds and the server names our data folder.
"""

import fcntl
import logging
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

import psycopg

from twin.errors import ConfigError, Retryable
from twin.store import embedded_files as files
from twin.store import processes

USER = DATABASE = "fabriquay"
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "max_connections": "60",
    "max_locks_per_transaction": "1024",  # a day of samples is a partition
}
_POLL_S = 0.05
_LOG_BYTES = 10_000_000
_log = logging.getLogger(__name__)


class EmbeddedPostgres:
    """One owner process per folder; every other process reads the address from ``folder/dsn``."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        programs: Path | None = None,
        settings: Mapping[str, str] | None = None,
        start_timeout_s: float = 600,
        progress: Callable[[str], None] = _log.info,
    ) -> None:
        self.folder: Path = folder.resolve()
        self._wanted_port: int = port
        self._programs: Path | None = programs
        self._settings: dict[str, str] = {**SETTINGS, **(settings or {})}
        self._start_timeout_s: float = start_timeout_s
        self._progress: Callable[[str], None] = progress
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.pid: int | None = None  # of the postmaster
        self.dsn: str = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> str:
        """Start the server, or take over the one that a killed owner left behind; blocks, returns the address.

        Raises:
            ConfigError: another process owns the folder; the cluster or the programs do not fit.
            Retryable: the server does not come up in time.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._own()
        try:
            who = files.runner()
            programs = files.reachable_programs(self._programs or files.find_programs(), who)
            data, password = files.data_folder(self.folder, who), self._password()
            files.initialise(programs, data, who, USER, password)
            if not self._take_over(data):
                self._launch(programs, data, who, password)
            self._create_database()
        except BaseException:
            self.stop()
            raise
        return self.dsn

    def stop(self, timeout_s: float = 30) -> None:
        """End the server: fast shutdown, then an immediate one; afterwards another process may own the folder."""
        pid = self._process.pid if self._process else self.pid
        if pid is not None:
            for kind, patience_s in ((signal.SIGINT, timeout_s), (signal.SIGQUIT, 10), (signal.SIGKILL, 10)):
                if self._end(pid, kind, patience_s):
                    break
                _log.warning("PostgreSQL %d does not end on %s", pid, kind.name)
        self._process = self.pid = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def is_alive(self) -> bool:
        """Whether the server answers for our data folder."""
        return _owner_of(self.dsn, (self.folder / "data").resolve()) is not None

    def _own(self) -> None:
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise ConfigError(
                f"{self.folder}: another process runs the database here; use its address in {self.folder / 'dsn'}, "
                "or end that process"
            ) from error
        self._lock = lock

    def _password(self) -> str:
        path = self.folder / "password"
        if not path.exists():
            if (self.folder / "data" / "PG_VERSION").exists():
                raise ConfigError(f"{path} is missing, but there is a cluster; restore the file, or remove the folder")
            files.write_private(path, secrets.token_urlsafe(24))
        return path.read_text()

    def _take_over(self, data: Path) -> bool:
        """Adopt the server that serves `data` already; clear a pid file that means another program."""
        named = self.folder / "dsn"
        pid_file = data / "postmaster.pid"
        if not pid_file.exists() or not named.exists():
            return False
        self.dsn = named.read_text()
        deadline = time.monotonic() + self._start_timeout_s
        while time.monotonic() < deadline:
            self.pid = _owner_of(self.dsn, data)
            if self.pid is not None:
                _log.info("taking over the PostgreSQL %d that serves %s already", self.pid, data)
                return True
            if not _serves(_pid_in(pid_file), data):
                pid_file.unlink(missing_ok=True)
                return False
            time.sleep(_POLL_S)
        raise Retryable(f"a PostgreSQL works on {data} but answers nobody; end it and start again")

    def _launch(self, programs: Path, data: Path, who: files.Runner, password: str) -> None:
        started = told = time.monotonic()
        while True:
            port = self._free_port()
            self.dsn = f"postgresql://{USER}:{password}@127.0.0.1:{port}/{DATABASE}"
            files.write_private(self.folder / "dsn", self.dsn)
            self._process = self._spawn(programs, data, who, port)
            while self._process.poll() is None:
                self.pid = _owner_of(self.dsn, data)
                if self.pid is not None:
                    return
                if time.monotonic() - told >= 2:
                    told = time.monotonic()
                    self._progress(f"PostgreSQL is starting since {told - started:.0f} s: {self._log_tail(1)}")
                self._give_up_after(started)
                time.sleep(_POLL_S)
            tail = self._log_tail(10)
            if "Address already in use" not in tail and "shared memory block" not in tail:
                raise Retryable(f"PostgreSQL ended while it was starting:\n{tail}")
            self._give_up_after(started)  # children of a killed postmaster are still there, or the port went away
            time.sleep(_POLL_S * 4)

    def _spawn(self, programs: Path, data: Path, who: files.Runner, port: int) -> "subprocess.Popen[bytes]":
        command = [str(programs / "postgres"), "-D", str(data), "-p", str(port)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        path = self.folder / "log"
        if path.exists() and path.stat().st_size > _LOG_BYTES:
            path.replace(path.with_name("log.1"))
        with path.open("ab") as output:
            return subprocess.Popen(  # noqa: S603 # pyright: ignore[reportCallIssue]
                command,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # a Ctrl-C in the terminal must not end the store before those who write
                **who.popen(),  # pyright: ignore[reportArgumentType]
            )

    def _free_port(self) -> int:
        """The wanted port, or the last one, or any: whichever is free."""
        last = self.folder / "dsn"
        previous = int(last.read_text().rsplit(":", 1)[1].split("/")[0]) if last.exists() else 0
        for port in (self._wanted_port or previous, previous, 0):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
                return probe.getsockname()[1]
        raise Retryable("no free TCP port on 127.0.0.1")

    def _give_up_after(self, started: float) -> None:
        if time.monotonic() - started > self._start_timeout_s:
            raise Retryable(f"PostgreSQL did not start in {self._start_timeout_s:.0f} s:\n{self._log_tail(10)}")

    def _log_tail(self, lines: int) -> str:
        text = (self.folder / "log").read_bytes()[-20_000:].decode(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def _create_database(self) -> None:
        with psycopg.connect(_maintenance(self.dsn), autocommit=True) as connection:
            if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchall():
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _end(self, pid: int, kind: signal.Signals, patience_s: float) -> bool:
        deadline = time.monotonic() + patience_s
        if self._has_ended(pid):
            return True  # and its number may be a stranger's by now
        with suppress(ProcessLookupError):
            os.kill(pid, kind)
        while time.monotonic() < deadline:
            if self._has_ended(pid):
                return True
            time.sleep(_POLL_S / 5)
        return False

    def _has_ended(self, pid: int) -> bool:
        return self._process.poll() is not None if self._process else not processes.runs(pid)


def _maintenance(dsn: str) -> str:
    return dsn.rsplit("/", 1)[0] + "/postgres?connect_timeout=5"


def _owner_of(dsn: str, data: Path) -> int | None:
    """The pid of the postmaster behind `dsn`, if it answers and serves `data`: the parent of our own backend."""
    try:
        with psycopg.connect(_maintenance(dsn), autocommit=True) as connection:
            found = connection.execute("SELECT current_setting('data_directory')").fetchone()
            if found is None or Path(found[0]).resolve() != data.resolve():
                return None
            return processes.parent(connection.info.backend_pid)
    except psycopg.Error as error:
        if "password authentication failed" in str(error):
            raise ConfigError(f"{data}: the cluster refuses the password beside it; restore the file") from error
        return None


def _pid_in(pid_file: Path) -> int:
    try:
        return int(pid_file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return 0


def _serves(pid: int, data: Path) -> bool:
    """Whether that pid is really a postgres on `data`, not a stranger who got its number after a reboot."""
    command = processes.command_line(pid) if pid > 0 and processes.runs(pid) else ""
    return "postgres" in command and str(data) in command
