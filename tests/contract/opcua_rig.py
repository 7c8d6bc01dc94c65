"""What the OPC UA tests stand on: a server process, a TCP proxy that can be cut or swallow all, a sink in memory."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from edge.sources.opcua import OpcUaSource
from edge.sources.opcua_settings import OpcUaSettings
from edge.sources.source import Memory
from tests.waiting import until
from twin.wire.reading import Gap, Lane, Reading

URI = "urn:fabriquay:test"
SCRIPT = Path(__file__).with_name("opcua_server.py")


@dataclass
class MemorySink:
    readings: list[Reading] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    history: list[Reading] = field(default_factory=list)  # those of `readings` that came in the history lane
    open: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.open.set()

    async def keep(
        self, readings: Sequence[Reading], gaps: Sequence[Gap] = (), *, lane: Lane = Lane.LIVE, **_how: object
    ) -> None:
        await self.open.wait()
        self.history += readings if lane is Lane.HISTORY else ()
        self.readings += readings
        self.gaps += gaps

    def times(self, handle: int) -> set[int]:
        return {reading.source_ns for reading in self.readings if reading.handle == handle}


@dataclass
class ServerProcess:
    """opcua_server.py; `emitted()` is what it wrote to all numeric nodes: source time → tick."""

    folder: Path
    arguments: tuple[str, ...] = ()
    port: int = 0
    command: tuple[str, ...] = (sys.executable, str(SCRIPT))
    process: asyncio.subprocess.Process | None = None

    async def start(self, *more: str) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *self.command, "--log", str(self.folder / "emitted"), "--port", str(self.port),
            *self.arguments, *more, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        while not (said := await self.answer()).startswith("ready "):  # a peer's library may talk before
            assert said, "the server ended instead of starting"
        self.port = int(said.split()[1])

    async def answer(self) -> str:
        async with asyncio.timeout(120):  # a machine that does other things takes long to import
            return (await self.process.stdout.readline()).decode()

    async def tell(self, command: str) -> None:
        self.process.stdin.write(f"{command}\n".encode())
        assert (await self.answer()).split() == ["done", *command.split()]

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
        if self.process is not None:
            await self.process.wait()
            self.process._transport.close()
            self.process = None

    def emitted(self) -> dict[int, int]:
        log = self.folder / "emitted"
        text = log.read_text() if log.exists() else ""
        lines = text[: text.rfind("\n") + 1].splitlines()
        return {int(at): int(count) for at, count in (line.split() for line in lines)}


def holes(sink: MemorySink, server: ServerProcess, handle: int) -> set[int]:
    """Times that the server emitted between the first and the last reading and that are not there."""
    times = sink.times(handle)
    return {at for at in server.emitted() if min(times) < at < max(times)} - times


def assert_nothing_is_missing(sink: MemorySink, server: ServerProcess, items: int) -> None:
    for handle in range(items):
        assert not holes(sink, server, handle)
    assert sink.gaps == []


def assert_every_hole_is_in_a_gap(sink: MemorySink, server: ServerProcess, items: int) -> int:
    count = 0
    for handle in range(items):
        spans = [(gap.from_ns, gap.to_ns) for gap in sink.gaps if handle in gap.handles]
        found = holes(sink, server, handle)
        assert all(any(start < at < end for start, end in spans) for at in found)
        count += len(found)
    return count


async def more(sink: MemorySink, source: OpcUaSource, count: int = 100) -> None:
    enough = len(sink.readings) + count
    await until(lambda: len(sink.readings) >= enough, lambda: f"{count} more readings; {source.status()}")


def source_settings(port: int, items: Sequence[dict[str, object]], **changes: object) -> OpcUaSettings:
    """Settings for a test: everything quick."""
    return OpcUaSettings.model_validate(
        {
            "kind": "opcua", "name": "under-test", "url": f"opc.tcp://127.0.0.1:{port}/test", "items": items,
            "publishing_interval_ms": 100, "sampling_interval_ms": 10, "queue_size": 1000, "request_timeout_s": 3,
            "retry_items_s": 1, "history": "off", **changes,
        }
    )  # fmt: skip


def node(name: str, **more: object) -> dict[str, object]:
    return {"node": f"nsu={URI};s={name}", "signal": f"plant/{name}", **more}


@asynccontextmanager
async def running(source: OpcUaSource, sink: MemorySink) -> AsyncGenerator[asyncio.Task[None]]:
    task = asyncio.create_task(source.run(sink))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def source_of(settings: OpcUaSettings, memory: Memory | None = None) -> OpcUaSource:
    handles = {item.signal: handle for handle, item in enumerate(settings.items)}
    return OpcUaSource(settings, handles, memory=memory)
