"""Events and alarms of a server (node-opcua) as texts; a set of redundant servers."""

import itertools
import json
from pathlib import Path

from edge.sources.source import SourceState
from tests.contract.opcua_rig import MemorySink, more, node, running, source_of, source_settings
from tests.contract.test_opcua_peer import EVENTS, peer
from tests.fault.proxy import Proxy
from tests.waiting import until
from twin.wire.reading import GapCause

S = 1_000_000_000
SERVER_EVENTS = {"node": "i=2253", "signal": "plant/line/events", "kind": "text", "events": True}


async def test_alarms_come_and_go_as_texts_beside_the_values(tmp_path: Path) -> None:
    async with peer(tmp_path, "--items", "2", "--alarms") as server:
        source = source_of(source_settings(server.port, [node("v0"), SERVER_EVENTS], **EVENTS))
        sink = MemorySink()
        async with running(source, sink):
            await until(lambda: sum(one.handle == 1 for one in sink.readings) >= 6, f"six events; {source.status()}")
    events = [one for one in sink.readings if one.handle == 1]
    told = [json.loads(str(one.value)) for one in events]
    alarms = [one for one in told if one["source"].endswith("Level")]
    assert {one["active"] for one in alarms} == {True, False}
    assert all(one["message"] and one["type"] == "ExclusiveLimitAlarmType" for one in alarms)
    assert len({one["id"] for one in told}) == len(told)
    assert len({one.source_ns for one in events}) == len(events)
    assert all(0 <= one.received_ns - one.source_ns < 3 * S for one in events)
    assert any(one.handle == 0 for one in sink.readings)


async def test_only_events_that_are_severe_enough(tmp_path: Path) -> None:
    async with peer(tmp_path, "--items", "1", "--alarms") as server:
        items = [node("v0"), {**SERVER_EVENTS, "least_severity": 1000}]
        source, sink = source_of(source_settings(server.port, items, **EVENTS)), MemorySink()
        async with running(source, sink):
            await more(sink, source, 40)
    assert not [one for one in sink.readings if one.handle == 1]


async def test_a_cut_line_loses_no_event_that_the_server_holds(tmp_path: Path) -> None:
    async with peer(tmp_path, "--items", "1", "--alarms") as server:
        with Proxy(lambda: server.port) as proxy:
            source = source_of(source_settings(proxy.port, [node("v0"), SERVER_EVENTS], **EVENTS))
            sink = MemorySink()
            async with running(source, sink):
                await more(sink, source, 30)
                with proxy.cut():
                    await until(lambda: source.status().state is SourceState.DOWN, "the loss to be noticed")
                    ticks = len(server.emitted()) + 25
                    await until(lambda: len(server.emitted()) > ticks, "time to pass")
                await more(sink, source, 30)
    told = [(one.source_ns, json.loads(str(one.value))["active"]) for one in sink.readings if one.handle == 1]
    turns = [next(run)[0] for _, run in itertools.groupby(told, lambda entry: entry[1])]
    assert len(turns) > 6
    between = [after - before for before, after in itertools.pairwise(turns)]
    assert max(between) < 1.3 * S, "the alarm turns every 0.7 s, also while the line was cut"


async def test_the_next_of_a_redundant_set_takes_over_and_the_time_between_is_a_gap(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    async with peer(tmp_path / "a", "--items", "3") as first, peer(tmp_path / "b", "--items", "3") as second:
        other = f"opc.tcp://127.0.0.1:{second.port}/test"
        items = [node(f"v{number}") for number in range(3)]
        source = source_of(source_settings(first.port, items, **EVENTS, redundant_urls=(other,)))
        sink = MemorySink()
        async with running(source, sink):
            await more(sink, source, 60)
            await first.kill()
            await until(lambda: source.status().facts["url"] == other, "the other server")
            await until(lambda: source.status().state is SourceState.CONNECTED, "to be connected")
            await more(sink, source, 60)
            gaps = [gap for gap in sink.gaps if gap.cause is GapCause.SUBSCRIPTION_LOST]
            assert {handle for gap in gaps for handle in gap.handles} == {0, 1, 2}
            await first.start()
            await second.kill()
            await until(lambda: source.status().facts["url"] != other, "the first server again")
            await more(sink, source, 60)
        emitted = {**first.emitted(), **second.emitted()}
    assert {one.source_ns for one in sink.readings} <= set(emitted)
    for handle in range(3):
        times = [one.source_ns for one in sink.readings if one.handle == handle]
        assert times == sorted(set(times))
