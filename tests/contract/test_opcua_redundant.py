"""Two OPC UA servers before one device, read at once: each value once, and only what both have missed is a gap."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from edge.sources.opcua import OpcUaSource
from edge.sources.source import SourceState
from tests.contract.opcua_rig import (
    MemorySink,
    ServerProcess,
    assert_every_hole_is_in_a_gap,
    holes,
    more,
    node,
    running,
    source_of,
    source_settings,
)
from tests.fault.proxy import Proxy
from tests.waiting import until
from twin.wire.reading import Gap, GapCause

ITEMS = 3
NODES = [node(f"v{number}") for number in range(ITEMS)]


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[ServerProcess, ServerProcess]]:
    async with device(tmp_path / "emitted"):
        servers = [ServerProcess(tmp_path, ("--items", str(ITEMS), "--device")) for _ in range(2)]
        try:
            await asyncio.gather(*(server.start() for server in servers))
            yield servers[0], servers[1]
        finally:
            for server in servers:
                await server.kill()


@asynccontextmanager
async def device(log: Path) -> AsyncIterator[None]:
    """What both servers show: a new value every 30 ms."""

    async def measure() -> None:
        last = 0
        with log.open("a") as lines:
            while True:
                last = max(last + 1, time.time_ns() // 1_000_000)
                lines.write(f"{last * 1_000_000} {last % 1000}\n")
                lines.flush()
                await asyncio.sleep(0.03)

    log.touch()
    task = asyncio.create_task(measure())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def hot(first: int, second: int) -> OpcUaSource:
    other = f"opc.tcp://127.0.0.1:{second}/test"
    return source_of(source_settings(first, NODES, redundant_urls=(other,), redundancy="hot", keep_alive_count=3))


def states(source: OpcUaSource) -> list[object]:
    servers = source.status().facts["servers"]
    assert isinstance(servers, list)
    return [one["status"] for one in servers]


def later_gaps(sink: MemorySink) -> list[Gap]:
    return [gap for gap in sink.gaps if gap.detail != "not read since the start"]


def assert_each_value_once(sink: MemorySink) -> None:
    for handle in range(ITEMS):
        times = [one.source_ns for one in sink.readings if one.handle == handle]
        assert len(times) == len(set(times))


def nothing_is_missing(sink: MemorySink, server: ServerProcess) -> bool:
    return not any(holes(sink, server, handle) for handle in range(ITEMS))


async def test_one_of_two_may_go_at_any_time_and_nothing_is_missing_or_doubled(
    pair: tuple[ServerProcess, ServerProcess],
) -> None:
    first, second = pair
    source, sink = hot(first.port, second.port), MemorySink()
    async with running(source, sink):
        await until(lambda: states(source) == ["connected", "connected"], lambda: f"both; {source.status()}")
        for server in (first, second):
            await more(sink, source, 60)
            await server.kill()
            await until(lambda: "down" in states(source), "the loss to be noticed")
            assert source.status().state is SourceState.CONNECTED
            assert "is away" in source.status().detail
            await more(sink, source, 60)
            await server.start()
            await until(lambda: states(source) == ["connected", "connected"], "both again")
            await more(sink, source, 60)
            await until(lambda: nothing_is_missing(sink, first), "the slower server to bring what came before")
    assert source.status().facts["repeated"]
    assert_each_value_once(sink)
    assert later_gaps(sink) == []


async def test_what_both_have_missed_is_a_gap(pair: tuple[ServerProcess, ServerProcess]) -> None:
    first, second = pair
    with Proxy(lambda: first.port) as one, Proxy(lambda: second.port) as other:
        source, sink = hot(one.port, other.port), MemorySink()
        async with running(source, sink):
            await until(lambda: states(source) == ["connected", "connected"], lambda: f"both; {source.status()}")
            await more(sink, source, 60)
            for server in (first, second):
                await server.tell("forget 2")
            await until(lambda: bool(later_gaps(sink)), "a gap")
            await more(sink, source, 60)
            with one.cut(), other.cut():
                await until(lambda: states(source) == ["down", "down"], "the loss to be noticed")
                await first.kill()
                await second.kill()
                ticks = len(first.emitted())
                await until(lambda: len(first.emitted()) > ticks + 20, "time to pass")
            await asyncio.gather(first.start(), second.start())
            await until(lambda: states(source) == ["connected", "connected"], "both again")
            await more(sink, source, 60)
    assert_each_value_once(sink)
    assert assert_every_hole_is_in_a_gap(sink, first, ITEMS) > 20 * ITEMS
    assert {GapCause.SEQUENCE_JUMP, GapCause.SUBSCRIPTION_LOST} >= {gap.cause for gap in later_gaps(sink)}
    assert GapCause.SUBSCRIPTION_LOST in {gap.cause for gap in later_gaps(sink)}
