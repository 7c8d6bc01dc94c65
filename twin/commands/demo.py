"""`twin demo`: the whole twin on one machine, every part a process of its own, from nothing to the page's address.

In: a data folder. Out: database, broker, simulated plant, two edge agents, run, learn and api under one supervisor;
Ctrl-C stops everything; a second start continues with the data of the first.
"""

import asyncio
import contextlib
import logging
import secrets
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import yaml
from rich.console import Console
from rich.live import Live
from rich.table import Table

from twin.commands.access import first_admin
from twin.commands.supervise import Child, ProcessState, Supervisor
from twin.demo.broker_users import demo_users
from twin.demo.mosquitto import mosquitto_command
from twin.store.connect import open_store

_COLOURS = {
    ProcessState.RUNNING: "green",
    ProcessState.STARTING: "yellow",
    ProcessState.RESTARTING: "red",
    ProcessState.STOPPED: "dim",
    ProcessState.WAITING: "dim",
}


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the user may choose."""

    folder: Path
    configs: Path | None
    rate: float | None  # values per second; None = the periods of the plant model
    port: int
    open_page: bool
    broker: str = "embedded"  # or mosquitto


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the parts of this demo listen; defaults where they are free."""

    broker: int
    opcua: int
    api: int

    @property
    def page(self) -> str:
        """The address to open in a browser."""
        return f"http://127.0.0.1:{self.api}/"


async def run_demo(options: DemoOptions) -> int:
    """Run until Ctrl-C; returns the exit status."""
    folder = _folder(options)
    addresses = Addresses(broker=_port(1883), opcua=_port(4840), api=_port(options.port))
    started = time.monotonic()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with _Status(addresses) as status:
        supervisor = Supervisor(status.changed)
        status.children = supervisor.children
        starting = asyncio.create_task(_start(supervisor, options, folder, addresses, status))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                status.say(f"Fabriquay is running: {addresses.page}   (started in {time.monotonic() - started:.1f} s)")
                status.say(f"Data and logs: {folder}   Stop with Ctrl-C.")
                if options.open_page:
                    webbrowser.open(addresses.page)
                await stopping
            status.say("stopping …")
        except TimeoutError as error:
            status.say(f"the demo cannot start: {error}")
            return 1
        finally:
            for task in (starting, stopping):
                task.cancel()
            await asyncio.gather(starting, stopping, return_exceptions=True)
            await supervisor.stop()
    return 0


async def _start(
    supervisor: Supervisor, options: DemoOptions, folder: Path, addresses: Addresses, status: "_Status"
) -> None:
    configs = _configs(options)
    make = _Maker(folder, addresses, _password(folder))
    broker = make.broker(options.broker, addresses.broker)
    await asyncio.gather(
        supervisor.start(
            make.child("database", "PostgreSQL", "database", make.database, ready=_database_ready(folder / "database")),
            timeout_s=600,
        ),
        supervisor.start(broker),
    )
    admin = asyncio.create_task(_first_admin(make.dsn, status))
    equipment = _write_equipment(options, folder, addresses, configs, make.password)
    twin_yaml = str(configs / "twin.yaml")
    children = [
        make.child(
            "plant",
            f"simulated plant, OPC UA :{addresses.opcua}",
            "equipment",
            "-c",
            str(equipment),
            ready=_listening(addresses.opcua),
        ),
        make.child("run", "ingest and monitor", "run", "-c", twin_yaml, user="twin"),
        make.child("learn", "slow loop", "learn", "-c", twin_yaml, user="twin"),
        make.child(
            "api",
            f"API and page {addresses.page}",
            "api",
            "-c",
            twin_yaml,
            ready=_answers(f"{addresses.page}readyz"),
            user="api",
        ),
        *(
            make.child(
                path.stem,
                f"edge agent {path.stem.removeprefix('edge-')}",
                "edge",
                "run",
                "-c",
                str(path),
                user="edge",
            )
            for path in _agents(configs)
        ),
    ]
    await asyncio.gather(admin, *map(supervisor.start, children))


async def _first_admin(dsn: str, status: "_Status") -> None:
    """At the first start of a folder: a user who may change things, told once."""
    logging.getLogger("twin.store").setLevel(logging.WARNING)  # each part tells it in its own log
    async with open_store(dsn) as store:
        password = await first_admin(store)
    if password is not None:
        status.say(f"To change something, sign in as admin with {password}   (shown this once; choose your own then)")


class _Maker:
    """Makes the children of one demo: same environment, own log."""

    def __init__(self, folder: Path, addresses: Addresses, password: str) -> None:
        self.folder = folder
        self.password = password
        self._addresses = addresses

    @property
    def database(self) -> str:
        return str(self.folder / "database")

    @property
    def dsn(self) -> str:
        """Where the database is, once it is there."""
        path = self.folder / "database" / "dsn"
        return path.read_text().strip() if path.exists() else ""

    def broker(self, kind: str, port: int) -> Child:
        """The broker of that kind; the embedded one is a part of this package."""
        title, ready = f"MQTT broker :{port}", _listening(port)
        if kind != "mosquitto":
            return self.child("broker", title, "broker", str(port), str(self.folder), ready=ready)
        command = mosquitto_command(port, demo_users(self.password), self.folder / "mosquitto")
        return Child("broker", title, command, self.folder / "logs" / "broker.log", {}, ready)

    def child(
        self,
        name: str,
        title: str,
        *arguments: str,
        ready: Callable[[], Awaitable[bool]] | None = None,
        user: str = "",
    ) -> Child:
        environment = {
            "FABRIQUAY_BROKER_PORT": str(self._addresses.broker),
            "FABRIQUAY_BROKER_PASSWORD": self.password,
            "FABRIQUAY_OPCUA_URL": f"opc.tcp://127.0.0.1:{self._addresses.opcua}/fabriquay",
            "FABRIQUAY_STATE_DIR": str(self.folder),
            "FABRIQUAY_API_PORT": str(self._addresses.api),
            "FABRIQUAY_ANONYMOUS": "viewer",  # whoever sits at this machine may look; changes need a log-in
        }
        if user:
            environment["FABRIQUAY_BROKER_USERNAME"] = user
        if self.dsn:
            environment["FABRIQUAY_DSN"] = self.dsn
        command = [sys.executable, "-m", "twin.commands.cli", *arguments]
        return Child(name, title, command, self.folder / "logs" / f"{name}.log", environment, ready)


def _folder(options: DemoOptions) -> Path:
    folder = options.folder.resolve()
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    return folder


def _agents(configs: Path) -> list[Path]:
    return sorted(configs.glob("edge-*.yaml"))


def _write_equipment(options: DemoOptions, folder: Path, addresses: Addresses, configs: Path, password: str) -> Path:
    path = folder / "equipment.yaml"
    path.touch(mode=0o600)
    settings = {
        "plant": str(configs / "plant.yaml"),
        "truth_log": str(folder / "truth.sqlite"),
        "opcua_port": addresses.opcua,
        "broker": {"host": "127.0.0.1", "port": addresses.broker, "username": "devices", "password": password},
        "rate": options.rate,
    }
    path.write_text(yaml.safe_dump(settings))  # pyright: ignore[reportUnknownMemberType]  (types-PyYAML of 2026-11-22)
    return path


def _configs(options: DemoOptions) -> Path:
    return (options.configs or _demo_configs()).resolve()


def _demo_configs() -> Path:
    """The demo plant's files: those of the checkout, else those in the installed package."""
    beside = Path("configs")
    return beside if (beside / "plant.yaml").exists() else Path(__file__).parent.parent / "demo" / "configs"


def _password(folder: Path) -> str:
    """One password for the parts of this demo, made at the first start, readable by its owner alone."""
    path = folder / "password"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(24))
    return path.read_text().strip()


def _port(wanted: int) -> int:
    """`wanted` when it is free on loopback, else any free one."""
    for port in (wanted, 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise TimeoutError("no free port on 127.0.0.1")


def _listening(port: int) -> Callable[[], Awaitable[bool]]:
    async def ready() -> bool:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return True
        return False

    return ready


def _database_ready(folder: Path) -> Callable[[], Awaitable[bool]]:
    async def ready() -> bool:
        return (folder / "ready").exists()

    (folder / "ready").unlink(missing_ok=True)
    return ready


def _answers(url: str) -> Callable[[], Awaitable[bool]]:
    def ask() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own loopback address
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    return lambda: asyncio.to_thread(ask)


class _Status:
    """A table that lives at the bottom of a terminal; plain lines elsewhere."""

    def __init__(self, addresses: Addresses) -> None:
        self.children: list[Child] = []
        self._console = Console(stderr=True)
        self._addresses = addresses
        self._live = Live(console=self._console, get_renderable=self._table, refresh_per_second=4, transient=False)

    def __enter__(self) -> "_Status":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)

    def changed(self, child: Child) -> None:
        if not self._console.is_terminal:
            detail = f": {child.detail}" if child.state is ProcessState.RESTARTING else ""
            self.say(f"{child.state:<10} {child.title}{detail}")

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for heading in ("part", "state", "pid", "restarts", ""):
            table.add_column(heading)
        for child in self.children:
            pid = str(child.process.pid) if child.process and child.process.returncode is None else "–"
            colour = _COLOURS[child.state]
            table.add_row(child.title, f"[{colour}]{child.state}[/]", pid, str(child.restarts or ""), child.detail)
        return table
