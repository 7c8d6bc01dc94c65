"""The whole chain on real parts, small: an OPC UA server with a truth log, a bad line, `twin edge run`, Mosquitto, `twin
run`, PostgreSQL. Faults are done to its parts; `account` says what became of every value that the server had.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import yaml

from tests.contract.opcua_rig import ServerProcess
from tests.fault.proxy import Proxy
from tests.servers import Broker, mosquitto, open_folder, postgres, wait_for

ITEMS = 5
PATHS = [f"works/hall/press/v{number}" for number in range(ITEMS)]
_PLANT = {
    "format": 1,
    "enterprise": "test",
    "title": "One press",
    "calendars": {"always": {"timezone": "UTC", "shifts": {"day": {"hours": "00:00-24:00"}}}},
    "states": {"machine": {0: {"name": "off", "category": "NotAvailable"}}},
    "types": {
        "press": {
            "title": "A press",
            "signals": {
                f"v{number}": {"title": f"v{number}", "kind": "measurement", "period_s": 0.05}
                for number in range(ITEMS)
            },
        }
    },
    "sites": {
        "works": {
            "title": "Works",
            "calendar": "always",
            "areas": {"hall": {"title": "Hall", "units": {"press": {"title": "Press", "type": "press"}}}},
        }
    },
}


@dataclass
class Account:
    """What became of the values that the equipment had, per value and signal."""

    emitted: int = 0
    stored: int = 0
    backfilled: int = 0  # of those stored
    in_ledger: int = 0  # not stored, and known to be missing
    unaccounted: list[tuple[str, int]] = field(default_factory=list)
    wrong: list[tuple[str, int]] = field(default_factory=list)  # another value than emitted, or never emitted

    def __str__(self) -> str:
        return (
            f"{self.emitted} emitted, {self.stored} stored ({self.backfilled} from history), {self.in_ledger} in the ledger,"
            f" {len(self.unaccounted)} unaccounted {self.unaccounted[:3]}, {len(self.wrong)} wrong {self.wrong[:3]}"
        )


@dataclass
class Chain:
    """Everything but the equipment and the agent lives as long as the chain; those are made for every fault."""

    folder: Path
    dsn: str
    broker: Broker
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def twin(self, name: str, *arguments: str, **more: str) -> None:
        """Start one of the twin's processes under a name."""
        environment = {**os.environ, "FABRIQUAY_DSN": self.dsn, "FABRIQUAY_BROKER_PASSWORD": "", **more}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "twin.commands.cli", *arguments], env=environment, stdout=log, stderr=log
            )

    def end(self, name: str, kind: signal.Signals = signal.SIGTERM) -> None:
        """End one of them and wait."""
        process = self.processes.pop(name, None)
        if process is not None:
            process.send_signal(kind)
            process.wait(30)

    def run(self, name: str = "run") -> None:
        """`twin run`, until it is killed; beside another it stands by."""
        self.twin(name, "run", "-c", str(self.folder / "twin.yaml"))

    def newest_ns(self, node: str) -> int:
        """The newest source time that every signal of a node has in the store."""
        with psycopg.connect(self.dsn) as connection:
            rows = connection.execute(
                "SELECT (extract(epoch from max(s.time)) * 1000000)::int8 * 1000 FROM sample s"
                " JOIN batch b ON b.seq = s.batch WHERE b.node = %s GROUP BY s.signal",
                (node,),
            ).fetchall()
        return min((at for (at,) in rows), default=0) if len(rows) == ITEMS else 0


@contextmanager
def chain() -> Iterator[Chain]:
    """Database, broker and `twin run`."""
    with ExitStack() as stack:
        folder = stack.enter_context(open_folder("faults"))
        database = stack.enter_context(postgres())
        broker = stack.enter_context(mosquitto("allow_anonymous true\npersistence false"))
        (folder / "plant.yaml").write_text(yaml.safe_dump(_PLANT))
        settings = {
            "plant": "plant.yaml",
            "database": "${FABRIQUAY_DSN}",
            "broker": {"host": "127.0.0.1", "port": broker.port},
        }
        (folder / "twin.yaml").write_text(yaml.safe_dump(settings))
        made = Chain(folder, database.dsn, broker)
        made.twin("migrate", "migrate", "-c", str(folder / "twin.yaml"))
        assert made.processes.pop("migrate").wait(60) == 0, (folder / "migrate.log").read_text()[-2000:]
        made.run()
        try:
            yield made
        finally:
            for name in list(made.processes):
                made.end(name, signal.SIGKILL)


class Plant:
    """One press behind a bad line, and the agent that reads it, over another bad line to the broker."""

    def __init__(self, made: Chain, name: str, *, server: tuple[str, ...] = (), **source: object) -> None:
        self.chain = made
        self.name = name
        self.folder = made.folder / name
        self.folder.mkdir()
        self.server = ServerProcess(self.folder, ("--items", str(ITEMS), *server))
        self.line = Proxy(lambda: self.server.port)
        self.uplink = Proxy(lambda: self.chain.broker.port)
        self.spool = self.folder / "spool.db"
        self.source = source
        self.first_ns = 0  # of what this plant's account covers

    async def __aenter__(self) -> "Plant":
        await self.server.start()
        items = [{"node": f"nsu=urn:fabriquay:test;s=v{n}", "signal": path} for n, path in enumerate(PATHS)]
        source = {
            "kind": "opcua", "name": "press", "url": f"opc.tcp://127.0.0.1:{self.line.port}/test", "items": items,
            "publishing_interval_ms": 100, "sampling_interval_ms": 10, "queue_size": 1000, "request_timeout_s": 3,
            "history_delay_s": 0.5, "clock_tolerance_s": 2, **self.source,
        }  # fmt: skip
        document = {
            "node": f"edge-{self.name}",
            "broker": {"host": "127.0.0.1", "port": self.uplink.port},
            "spool": {"path": str(self.spool)},
            "sources": [source],
        }
        (self.folder / "edge.yaml").write_text(yaml.safe_dump(document))
        self.start_agent()
        try:
            await self.flows()
        except BaseException:
            await self.__aexit__()  # what is left over would feed the same signals
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self.chain.end(self.agent, signal.SIGKILL)
        await self.server.kill()
        self.line.stop()
        self.uplink.stop()

    @property
    def agent(self) -> str:
        """The name of its process."""
        return f"agent-{self.name}"

    def start_agent(self) -> None:
        """`twin edge run`, until it is killed."""
        self.chain.twin(self.agent, "edge", "run", "-c", str(self.folder / "edge.yaml"))

    def newest_emitted_ns(self) -> int:
        """The source time of the server's last tick, as long as its clock is right."""
        now_ns = time.time_ns()
        return max((at for at in self.server.emitted() if at <= now_ns), default=0)

    async def flows(self, within_s: float = 60) -> None:
        """Return when what the server has now is in the store."""
        wanted = self.newest_emitted_ns()
        await asyncio.to_thread(
            wait_for,
            lambda: self.chain.newest_ns(f"edge-{self.name}") > wanted,
            deadline_s=within_s,
            what=f"value of {self.name} stored",
        )

    async def seconds(self, count: float) -> None:
        """Let the plant work."""
        await asyncio.sleep(count)

    def stored(self) -> int:
        """Samples of this plant in the store."""
        with psycopg.connect(self.chain.dsn) as connection:
            query = "SELECT count(*) FROM sample s JOIN batch b ON b.seq = s.batch WHERE b.node = %s"
            ((count,),) = connection.execute(query, (f"edge-{self.name}",)).fetchall()
        return int(count)

    def open_gaps(self) -> int:
        """Gaps that history may still fill."""
        with psycopg.connect(self.chain.dsn) as connection:
            row = connection.execute(
                "SELECT count(*) FROM gap p JOIN batch b ON b.seq = p.batch WHERE b.node = %s AND p.state = 'open'",
                (f"edge-{self.name}",),
            ).fetchone()
        return row[0] if row else 0

    def account(self, *, by_count: bool = False) -> Account:
        """Every value between the first and the last that this plant has in the store.

        Args:
            by_count: compare the values' own numbers instead of their times, for clocks that are wrong.
        """
        return account_of(self.chain.dsn, f"edge-{self.name}", self.server.emitted, by_count=by_count)


def ticks(count: int, number: int) -> float:
    """The value that the test's servers give to their node `number` at their tick `count`."""
    return count + number / 1000


def account_of(
    dsn: str,
    node: str,
    had: Callable[[], dict[int, int]],
    value: Callable[[int, int], float] = ticks,
    *,
    by_count: bool = False,
    numbers: Sequence[int] = range(ITEMS),
) -> Account:
    """What the store has of a node, against the times and ticks that its equipment `had`; see `Plant.account`.

    The equipment goes on: it is asked after the store, of which all questions see the same moment.
    """
    found = Account()
    with psycopg.connect(dsn) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("SELECT count(*) FROM migration")
        emitted = had()
        for number in numbers:
            path = PATHS[number]
            rows = connection.execute(
                "SELECT (extract(epoch from s.time) * 1000000)::int8 * 1000, s.value, s.quality FROM sample s"
                " JOIN signal g ON g.id = s.signal JOIN batch b ON b.seq = s.batch WHERE g.path = %s AND b.node = %s",
                (path, node),
            ).fetchall()
            holes = connection.execute(
                "SELECT (extract(epoch from lower(p.span)) * 1000000)::int8 * 1000,"
                " (extract(epoch from upper(p.span)) * 1000000)::int8 * 1000 FROM gap p JOIN signal g ON g.id = p.signal"
                " JOIN batch b ON b.seq = p.batch WHERE g.path = %s AND b.node = %s AND p.state <> 'backfilled'",
                (path, node),
            ).fetchall()
            known = [(at, value, quality) for at, value, quality in rows if value]  # 0: before the first tick
            if by_count:
                _count(found, path, emitted, {round(value - number / 1000) for _, value, _ in known})
            else:
                wanted = {at: value(count, number) for at, count in emitted.items()}
                _compare(found, path, wanted, {at: value for at, value, _ in known}, holes)
            found.backfilled += sum(bool(quality & 16) for _, _, quality in known)
    return found


def _compare(
    found: Account, path: str, emitted: dict[int, float], stored: dict[int, float], holes: list[tuple[int, int]]
) -> None:
    first, last = min(stored), max(stored)
    for at, value in emitted.items():
        if not first <= at <= last:
            continue
        found.emitted += 1
        if at in stored:
            found.stored += 1
            if abs(stored[at] - value) > 1e-9:
                found.wrong.append((path, at))
        elif any(low <= at <= high for low, high in holes):
            found.in_ledger += 1
        else:
            found.unaccounted.append((path, at))
    found.wrong += [(path, at) for at in stored if at not in emitted]


def _count(found: Account, path: str, emitted: dict[int, int], counts: set[int]) -> None:
    wanted = set(range(min(counts), max(counts) + 1))
    found.emitted += len(wanted)
    found.stored += len(counts & wanted)
    found.unaccounted += [(path, count) for count in sorted(wanted - counts)]
    found.wrong += [(path, count) for count in counts if count not in set(emitted.values())]
