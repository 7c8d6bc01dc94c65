"""Gaps of OPC UA signals are filled from the server's own history, or told as lost with the reason."""

import asyncio
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge.agent import run_agent
from edge.config import load_agent
from edge.sources import opcua_history
from edge.sources.opcua import OpcUaSource
from tests.contract.opcua_rig import MemorySink, ServerProcess, more, node, running, source_of, source_settings
from tests.contract.test_opcua_peer import EVENTS, peer
from tests.fault.proxy import Proxy
from tests.servers import free_port
from tests.waiting import until
from twin.wire import batch
from twin.wire.reading import Gap, GapCause, GapState, Quality, Reading

HISTORY = {"history": "auto", "history_delay_s": 0.2}


@dataclass
class DictMemory:
    kept: dict[str, bytes] = field(default_factory=dict)

    async def remember(self, key: str, value: bytes) -> None:
        self.kept[key] = value

    async def recall(self, key: str) -> bytes | None:
        return self.kept.get(key)


def nodes(count: int) -> list[dict[str, object]]:
    return [node(f"v{number}") for number in range(count)]


def final(gaps: Iterable[Gap]) -> dict[tuple[int, int, int, str], GapState]:
    """Every gap of every item with its last state."""
    return {(handle, gap.from_ns, gap.to_ns, gap.cause): gap.state for gap in gaps for handle in gap.handles}


def missing(readings: Iterable[Reading], server: ServerProcess, items: int) -> set[tuple[int, int]]:
    """Emitted values between an item's first and last reading that did not come; a value that came is right."""
    readings, emitted = list(readings), server.emitted()
    found: set[tuple[int, int]] = set()
    for handle in range(items):
        times = {one.source_ns for one in readings if one.handle == handle}
        found |= {(handle, at) for at in emitted if min(times) < at < max(times)} - {(handle, at) for at in times}
    ticks = [one for one in readings if one.value]  # a new server's nodes are 0 until its first tick
    assert all(abs(one.value - emitted[one.source_ns] - one.handle / 1000) < 1e-9 for one in ticks)
    return found


async def settled(source: OpcUaSource, sink: MemorySink) -> None:
    def done() -> bool:
        return bool(sink.gaps) and GapState.OPEN not in final(sink.gaps).values()

    await until(done, f"every gap to be settled; {source.status().facts}")


def assert_filled(sink: MemorySink, server: ServerProcess, items: int, cause: GapCause) -> None:
    states = final(sink.gaps)
    assert {(state, key[3]) for key, state in states.items()} == {(GapState.BACKFILLED, cause)}
    assert not missing(sink.readings, server, items)
    assert sink.history
    for one in sink.history:
        assert one.quality & Quality.BACKFILLED
        assert any(key[0] == one.handle and key[1] < one.source_ns < key[2] for key in states)


async def test_messages_that_nobody_can_republish_come_from_history(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, ("--items", "5", "--history"))
    await server.start()
    source, sink = source_of(source_settings(server.port, nodes(5), **HISTORY)), MemorySink()
    async with running(source, sink):
        await more(sink, source)
        await server.tell("forget 4")
        await until(lambda: bool(sink.gaps), "the gap")
        await settled(source, sink)
        await more(sink, source)
        facts = source.status().facts
    await server.kill()
    assert_filled(sink, server, 5, GapCause.SEQUENCE_JUMP)
    assert (facts["holes_waiting"], facts["holes_lost"], facts["holes_backfilled"]) == (0, 0, 5)
    assert facts["values_backfilled"] == len(sink.history)


@pytest.mark.parametrize("page", [10_000, 60])
async def test_what_overflowed_in_the_servers_queue_comes_from_its_history_page_by_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    """node-opcua; pages of 60 values are 3 per node, so that continuation points are needed."""
    monkeypatch.setattr(opcua_history, "_MOST_VALUES", page)
    async with peer(tmp_path, "--items", "20", "--hz", "20", "--history", "5000") as server:
        with Proxy(lambda: server.port) as proxy:
            settings = source_settings(proxy.port, nodes(20), **EVENTS, **HISTORY, queue_size=5)
            source, sink = source_of(settings), MemorySink()
            async with running(source, sink):
                await more(sink, source)
                away_since = max(server.emitted())
                with proxy.cut():
                    await until(lambda: sum(at > away_since for at in server.emitted()) > 40, "time to pass")
                await until(lambda: bool(sink.gaps), "the gaps")
                await settled(source, sink)
                await more(sink, source)
        assert_filled(sink, server, 20, GapCause.QUEUE_OVERFLOW)


async def test_what_a_short_history_has_forgotten_is_lost_and_the_rest_comes(tmp_path: Path) -> None:
    """node-opcua keeps the last 50 values of each node, 2.5 s; the outage is longer."""
    async with peer(tmp_path, "--items", "3", "--hz", "20", "--history", "50") as server:
        with Proxy(lambda: server.port) as proxy:
            source = source_of(source_settings(proxy.port, nodes(3), **EVENTS, **HISTORY, queue_size=5))
            sink = MemorySink()
            async with running(source, sink):
                await more(sink, source)
                away_since = max(server.emitted())
                with proxy.cut():
                    await until(lambda: sum(at > away_since for at in server.emitted()) > 120, "time to pass")
                await until(lambda: bool(sink.gaps), "the gaps")
                await settled(source, sink)
                await more(sink, source)
        assert sink.history
        forgotten = missing(sink.readings, server, 3)
        lost = [gap for gap in sink.gaps if gap.state is GapState.LOST]
        assert all("begins later" in gap.detail for gap in lost)
        assert forgotten
        for handle, at in forgotten:
            assert any(handle in gap.handles and gap.from_ns < at < gap.to_ns for gap in lost)


async def test_without_a_history_the_gap_is_lost_and_says_why(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, ("--items", "2"))
    await server.start()
    source, sink = source_of(source_settings(server.port, nodes(2), **HISTORY)), MemorySink()
    async with running(source, sink):
        for _ in range(2):
            await more(sink, source)
            known = len(sink.gaps)
            await server.tell("forget 2")
            await until(lambda known=known: len(sink.gaps) > known, "the gap")
            await settled(source, sink)
    await server.kill()
    assert set(final(sink.gaps).values()) == {GapState.LOST}
    assert not sink.history
    assert "history" in next(gap.detail for gap in sink.gaps if gap.state is GapState.LOST)


async def test_a_restarted_server_with_an_empty_history_cannot_fill(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, ("--items", "3", "--history"))
    await server.start()
    source, sink = source_of(source_settings(server.port, nodes(3), **HISTORY)), MemorySink()
    async with running(source, sink):
        await more(sink, source)
        await server.kill()
        await server.start()
        await until(lambda: bool(sink.gaps), "the gap")
        await settled(source, sink)
        await more(sink, source)
    await server.kill()
    covered = [(gap.from_ns, gap.to_ns) for gap in sink.gaps if gap.state is GapState.LOST]
    assert covered
    for handle, at in missing(sink.readings, server, 3):
        assert any(start < at < end for start, end in covered), (handle, at)


async def test_holes_are_filled_by_the_next_run_when_this_one_ends_too_soon(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, ("--items", "4", "--history"))
    await server.start()
    memory, sink = DictMemory(), MemorySink()
    patient = source_settings(server.port, nodes(4), history="auto", history_delay_s=600)
    async with running(source := source_of(patient, memory), sink):
        await more(sink, source)
        await server.tell("forget 3")
        await until(lambda: bool(sink.gaps), "the gap")
        await more(sink, source)
    assert set(final(sink.gaps).values()) == {GapState.OPEN}
    source = source_of(source_settings(server.port, nodes(4), **HISTORY), memory)
    await source.backfill.recall()
    async with running(source, sink):
        await settled(source, sink)
    await server.kill()
    states = final(sink.gaps)
    assert set(states.values()) == {GapState.BACKFILLED}
    spans = [key for key in states if key[0] == 0]
    assert spans
    assert not {one for one in missing(sink.readings, server, 4) if any(k[1] < one[1] < k[2] for k in spans)}


async def test_what_was_missed_while_the_agent_did_not_run_is_filled(tmp_path: Path) -> None:
    """The whole agent, twice, with the spool as the witness."""
    server = ServerProcess(tmp_path, ("--items", "3", "--history"))
    await server.start()
    config = tmp_path / "edge.yaml"
    items = "".join(
        f'      - {{ node: "nsu=urn:fabriquay:test;s=v{number}", signal: plant/line/v{number} }}\n'
        for number in range(3)
    )
    config.write_text(f"""
node: edge-test
broker: {{ host: 127.0.0.1, port: {free_port()} }}
spool: {{ path: {tmp_path}/spool.db, max_bytes: 10_000_000 }}
sources:
  - kind: opcua
    name: press
    url: opc.tcp://127.0.0.1:{server.port}/test
    publishing_interval_ms: 100
    sampling_interval_ms: 10
    history_delay_s: 0.2
    items:
{items}""")

    async def run_until(enough: int, *states: GapState) -> None:
        agent = asyncio.create_task(run_agent(load_agent(config)))
        await until(lambda: len(spooled(tmp_path)[0]) >= enough, f"{enough} readings", deadline_s=30)
        await until(lambda: set(states) <= set(final(spooled(tmp_path)[1]).values()), f"{states}", deadline_s=30)
        agent.cancel()
        with suppress(asyncio.CancelledError):
            await agent

    await run_until(100)
    kept = len(spooled(tmp_path)[0])
    away_since = max(server.emitted())
    await until(lambda: sum(at > away_since for at in server.emitted()) > 30, "time to pass")
    await run_until(kept + 200, GapState.BACKFILLED)
    readings, gaps = spooled(tmp_path)
    await server.kill()
    assert GapCause.AGENT_DOWN in {gap.cause for gap in gaps if gap.state is GapState.BACKFILLED}
    covered = {key for key, state in final(gaps).items() if state is not GapState.BACKFILLED}
    lacking = missing(readings, server, 3)
    assert all(any(key[0] == handle and key[1] <= at < key[2] for key in covered) for handle, at in lacking)
    assert len(lacking) < 15


def spooled(folder: Path) -> tuple[list[Reading], list[Gap]]:
    """All that the spool holds; nothing leaves it without a broker."""
    path = folder / "spool.db"
    if not path.exists():
        return [], []
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        try:
            rows = connection.execute("SELECT payload FROM batch ORDER BY number").fetchall()
        except sqlite3.OperationalError:
            return [], []
    connection.close()
    found = [batch.decode(payload) for (payload,) in rows]
    return [one for columns in found for one in columns.readings()], [gap for columns in found for gap in columns.gaps]
