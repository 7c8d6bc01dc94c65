"""The OPC UA source against a real server in its own process, with every fault that a line and a server can have.

What the server says it emitted is compared, time by time, with what reached the sink.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import pytest_asyncio

from edge.sources.source import SourceState
from tests.contract.opcua_rig import (
    MemorySink,
    ServerProcess,
    assert_every_hole_is_in_a_gap,
    assert_nothing_is_missing,
    more,
    node,
    running,
    source_of,
    source_settings,
)
from tests.fault.proxy import Proxy
from tests.waiting import until
from twin.wire.reading import GapCause, Quality

pytestmark = pytest.mark.asyncio(loop_scope="module")

ITEMS = 20
NODES = [node(f"v{number}") for number in range(ITEMS)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[ServerProcess]:
    """One for all these tests: its start takes seconds, and every fault given to it ends by itself."""
    process = ServerProcess(tmp_path_factory.mktemp("server"))
    await process.start("--items", str(ITEMS))
    yield process
    await process.kill()


@pytest.fixture
def proxy(server: ServerProcess) -> Iterator[Proxy]:
    with Proxy(lambda: server.port) as between:
        yield between


async def test_values_times_texts_and_statuses_arrive_and_bad_nodes_do_not_disturb(server: ServerProcess) -> None:
    items = [*NODES, node("text", kind="text"), node("array", kind="text"), node("untimed"), node("nowhere")]
    items.append({"node": "nsu=urn:not:here;s=x", "signal": "plant/x"})
    source, sink = source_of(source_settings(server.port, items)), MemorySink()
    async with running(source, sink):
        await more(sink, source)
        await server.tell("bad 3")
        await until(lambda: any(reading.quality & Quality.BAD for reading in sink.readings), "a bad reading")
        await more(sink, source)
        status = source.status()
    emitted = server.emitted()
    for reading in sink.readings:
        if reading.handle < ITEMS and reading.source_ns in emitted and not reading.quality:
            assert reading.value == emitted[reading.source_ns] + reading.handle / 1000
    bad = [reading for reading in sink.readings if reading.quality & Quality.BAD]
    assert len(bad) == 3
    assert all(math.isnan(reading.value) and reading.handle == 0 for reading in bad)
    assert any(reading.handle == ITEMS and str(reading.value).startswith("tick ") for reading in sink.readings)
    assert any(reading.handle == ITEMS + 1 and str(reading.value).startswith("[") for reading in sink.readings)
    untimed = [reading for reading in sink.readings if reading.handle == ITEMS + 2]
    assert all(reading.quality & Quality.TIME_ADJUSTED for reading in untimed)
    assert len({reading.source_ns for reading in untimed}) == len(untimed)
    assert_nothing_is_missing(sink, server, ITEMS)
    assert status.state is SourceState.CONNECTED
    refused = {item["signal"]: item["reason"] for item in status.facts["refused_items"]}
    assert refused == {"plant/nowhere": "BadNodeIdUnknown", "plant/x": "the server has no namespace urn:not:here"}
    assert (
        status.facts["tolerated_outage_s"] == 60.0
    )  # 1,000 values every 100 ms would be 100 s, the subscription lives 60 s
    slower = next(one for one in status.facts["granted_less"] if one["what"] == "sampling_ms")
    assert (slower["asked"], slower["granted"]) == (10.0, 100.0)


async def test_a_node_that_appears_later_is_monitored(server: ServerProcess) -> None:
    source, sink = source_of(source_settings(server.port, [*NODES, node("late")])), MemorySink()
    async with running(source, sink):
        await more(sink, source)
        assert source.status().facts["monitored"] == ITEMS
        await server.tell("add late")
        await until(lambda: sink.times(ITEMS), "a reading of the late node")
        assert source.status().detail == ""


async def test_items_are_created_in_batches_that_the_server_can_take(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, ("--items", "100", "--limit", "7"))
    await server.start()
    try:
        source = source_of(source_settings(server.port, [node(f"v{number}") for number in range(100)]))
        sink = MemorySink()
        async with running(source, sink):
            await until(lambda: all(sink.times(handle) for handle in range(100)), "a reading of every node")
    finally:
        await server.kill()


async def test_a_message_that_got_lost_is_republished(server: ServerProcess) -> None:
    source, sink = source_of(source_settings(server.port, NODES)), MemorySink()
    async with running(source, sink):
        await more(sink, source)
        await server.tell("swallow 2")
        await until(lambda: source.status().facts["republished"] == 2, "two republished messages")
        await more(sink, source)
    assert_nothing_is_missing(sink, server, ITEMS)


async def test_a_message_that_cannot_be_republished_is_a_gap(server: ServerProcess) -> None:
    source, sink = source_of(source_settings(server.port, NODES)), MemorySink()
    async with running(source, sink):
        await more(sink, source)
        await server.tell("forget 2")
        await until(lambda: sink.gaps, "a gap")
        await more(sink, source)
    assert assert_every_hole_is_in_a_gap(sink, server, ITEMS) > 0
    assert {gap.cause for gap in sink.gaps} == {GapCause.SEQUENCE_JUMP}


async def test_a_cut_line_loses_nothing_that_the_servers_queue_holds(server: ServerProcess, proxy: Proxy) -> None:
    source, sink = source_of(source_settings(proxy.port, NODES)), MemorySink()
    async with running(source, sink):
        for _ in range(2):
            await more(sink, source)
            with proxy.cut():
                await until(lambda: source.status().state is SourceState.DOWN, "the source notices")
                held = len(server.emitted()) + 20
                await until(lambda held=held: len(server.emitted()) > held, "a second of values in the server's queues")
            await until(lambda: source.status().state is SourceState.CONNECTED, "the source is back")
            await more(sink, source)
        assert source.status().facts["subscriptions"] == 1
    assert_nothing_is_missing(sink, server, ITEMS)


async def test_a_queue_that_was_too_short_for_the_outage_is_a_gap(server: ServerProcess, proxy: Proxy) -> None:
    source, sink = source_of(source_settings(proxy.port, NODES, queue_size=5)), MemorySink()
    async with running(source, sink):
        await more(sink, source)
        with proxy.cut():
            held = len(server.emitted()) + 40
            await until(lambda: len(server.emitted()) > held, "more values than the queues hold")
        await until(lambda: sink.gaps, "a gap")
        await more(sink, source)
    assert assert_every_hole_is_in_a_gap(sink, server, ITEMS) > 0
    assert {gap.cause for gap in sink.gaps} == {GapCause.QUEUE_OVERFLOW}


async def test_a_black_hole_is_noticed_by_its_silence_and_loses_nothing(server: ServerProcess, proxy: Proxy) -> None:
    quick = source_settings(proxy.port, NODES, keep_alive_count=3, missed_keep_alives=2)
    source, sink = source_of(quick), MemorySink()
    async with running(source, sink):
        await more(sink, source)
        with proxy.half_open():
            await until(lambda: source.status().state is SourceState.DOWN, "the source notices", 10)
            assert "keep-alive" in source.status().detail
        await until(lambda: source.status().state is SourceState.CONNECTED, "the source is back")
        await more(sink, source)
    assert_nothing_is_missing(sink, server, ITEMS)


async def test_a_killed_server_comes_back_with_other_namespaces_and_the_hole_is_recorded(
    server: ServerProcess, proxy: Proxy
) -> None:
    source, sink = source_of(source_settings(proxy.port, NODES)), MemorySink()
    async with running(source, sink):
        await more(sink, source)
        await server.kill()
        await until(lambda: source.status().state is SourceState.DOWN, "the source notices")
        await server.start("--items", str(ITEMS), "--namespaces", "3")
        await until(lambda: {h for gap in sink.gaps for h in gap.handles} >= set(range(ITEMS)), "a gap of every item")
        await more(sink, source)
        assert source.status().facts["subscriptions"] == 2
    assert {gap.cause for gap in sink.gaps} == {GapCause.SUBSCRIPTION_LOST}
    assert_every_hole_is_in_a_gap(sink, server, ITEMS)


async def test_nothing_is_acknowledged_before_the_sink_has_it_and_a_slow_sink_loses_nothing(
    server: ServerProcess,
) -> None:
    source, sink = source_of(source_settings(server.port, NODES)), MemorySink()
    async with running(source, sink):
        await more(sink, source)
        sink.open.clear()
        held = len(server.emitted()) + 60
        await until(lambda: len(server.emitted()) > held, "three seconds with a sink that does not answer")
        kept = len(sink.readings)
        assert source.status().values == kept
        sink.open.set()
        await more(sink, source)
        assert source.status().facts["subscriptions"] == 1
    assert_nothing_is_missing(sink, server, ITEMS)


async def test_a_source_whose_server_is_not_there_waits_for_it(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    await server.start("--items", str(ITEMS))
    await server.kill()
    source, sink = source_of(source_settings(server.port, NODES)), MemorySink()
    try:
        async with running(source, sink) as task:
            await until(lambda: source.status().state is SourceState.DOWN, "the source notices")
            await server.start("--items", str(ITEMS))
            await more(sink, source)
            assert not task.done()
    finally:
        await server.kill()


async def test_a_stopped_source_closes_its_session(server: ServerProcess) -> None:
    source, sink = source_of(source_settings(server.port, NODES)), MemorySink()
    async with running(source, sink):
        await more(sink, source)
    async with asyncio.timeout(5):  # a second one gets the same items at once
        async with running(source_of(source_settings(server.port, NODES)), sink):
            await more(sink, source)


async def test_a_swinging_door_leaves_out_what_lies_on_a_line(server: ServerProcess) -> None:
    thin = {"method": "swinging-door", "error": 3.0, "max_interval_s": 2}
    items = [node("v0", thin=thin), node("v1")]
    source, sink = source_of(source_settings(server.port, items)), MemorySink()
    async with running(source, sink):
        await until(lambda: len(sink.times(1)) > 100 and len(sink.times(0)) > 2, f"readings; {source.status()}")
        withheld = source.status().facts["withheld"]
    assert withheld > 80
    line = sorted((reading.source_ns, reading.value) for reading in sink.readings if reading.handle == 0)
    all_of_it = [reading for reading in sink.readings if reading.handle == 1]
    checked = 0
    for (from_ns, low), (to_ns, high) in pairwise(line):
        for reading in all_of_it:
            if from_ns <= reading.source_ns <= to_ns:
                there = low + (high - low) * (reading.source_ns - from_ns) / (to_ns - from_ns)
                assert abs(there - (reading.value - 0.001)) <= 3.0 + 1e-6
                checked += 1
    assert checked > 50
