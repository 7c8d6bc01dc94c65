"""Messages of any size, and a sink that is slow: an OPC UA server of asyncua in this process, which knows no limit."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asyncua import Server, ua

from edge.sources import opcua_decode, opcua_reader, opcua_unkept
from edge.sources.source import SourceState
from tests.contract.opcua_rig import (
    URI,
    MemorySink,
    ServerProcess,
    assert_nothing_is_missing,
    more,
    node,
    running,
    source_of,
    source_settings,
)
from tests.fault.proxy import Proxy
from tests.waiting import until
from twin.wire.reading import Reading

PART = 500  # values that are decoded at once; 10,000 outside of this test
VALUES = 3 * PART + 7


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    await made.init()
    made.set_endpoint("opc.tcp://127.0.0.1:0/test")
    await made.register_namespace(URI)
    async with made:
        yield made


class SlowSink(MemorySink):
    """Takes one call at a time, when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []

    async def keep(self, readings: list[Reading], *rest: object, **how: object) -> None:
        await super().keep(readings, *rest, **how)
        self.calls.append(len(readings))


async def test_a_message_of_many_values_goes_to_the_sink_in_parts_and_is_acknowledged_after_the_last(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (opcua_decode, opcua_unkept):
        monkeypatch.setattr(module, "MOST_AT_ONCE", PART)
    index = await server.get_namespace_index(URI)
    variable = await server.nodes.objects.add_variable(ua.NodeId("v0", index), "v0", 0.0)
    settings = source_settings(
        server.bserver.port, [node("v0", sampling_ms=0)], publishing_interval_ms=2_000, queue_size=2 * VALUES
    )
    source, sink = source_of(settings), SlowSink()
    async with running(source, sink):
        await until(lambda: sink.readings, lambda: f"the first value; {source.status()}")
        sink.open.clear()
        start = datetime.now(UTC)
        for number in range(VALUES):
            at = start + timedelta(microseconds=number)
            await server.write_attribute_value(
                variable.nodeid, ua.DataValue(ua.Variant(float(number)), SourceTimestamp=at)
            )
        (subscription,) = server.iserver.subscription_service.subscriptions.values()
        unacknowledged = subscription._not_acknowledged_results
        largest = lambda: max((size(one) for one in unacknowledged.values()), default=0)  # noqa: E731
        await until(
            lambda: largest() > VALUES - 1, lambda: f"a large message: {[size(one) for one in unacknowledged.values()]}"
        )
        sink.open.set()
        await until(lambda: len(sink.readings) > VALUES, "all values")
        await until(lambda: largest() == 0, "the acknowledgement")
    values = [one.value for one in sink.readings[1:]]
    assert values == [float(number) for number in range(VALUES)]
    assert max(sink.calls) < 2 * PART
    assert sink.gaps == []


def size(result: ua.PublishResult) -> int:
    return sum(len(one.MonitoredItems) for one in result.NotificationMessage.NotificationData or ())


async def test_a_message_that_waits_for_a_slow_sink_is_not_lost_with_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss is noticed by another task than the one that waits to hand the message over."""
    monkeypatch.setattr(opcua_reader, "_MEASURE_EVERY_S", 0.3)
    process = ServerProcess(tmp_path, ("--items", "2"))
    await process.start()
    try:
        with Proxy(lambda: process.port) as proxy:
            source = source_of(source_settings(proxy.port, [node("v0"), node("v1")]))
            sink = MemorySink()
            async with running(source, sink):
                await more(sink, source, 30)
                sink.open.clear()
                unkept = source._readers[0]._unkept._queue
                await until(unkept.full, "no room for another message")
                ticks = len(process.emitted())
                await until(lambda: len(process.emitted()) > ticks + 10, "one that waits")
                with proxy.cut():
                    await until(lambda: source.status().state is SourceState.DOWN, "the loss to be noticed")
                    sink.open.set()
                await until(lambda: source.status().state is SourceState.CONNECTED, "the connection")
                await more(sink, source, 60)
    finally:
        await process.kill()
    assert_nothing_is_missing(sink, process, 2)


async def test_conditions_are_asked_for_again_when_the_server_requires_it(server: Server) -> None:
    """RefreshRequired (Part 9, 5.5.7): the server could not send every change."""
    asked: list[int] = []

    async def refresh(_parent: ua.NodeId, subscription: ua.Variant) -> list[ua.Variant]:
        asked.append(subscription.Value)
        return []

    server.link_method(server.get_node(ua.ObjectIds.ConditionType_ConditionRefresh), refresh)
    events = await server.get_event_generator(ua.ObjectIds.RefreshRequiredEventType, server.nodes.server)
    alarms = await server.get_event_generator(ua.ObjectIds.BaseEventType, server.nodes.server)
    items = [{"node": "i=2253", "signal": "plant/line/events", "kind": "text", "events": True}]
    source, sink = source_of(source_settings(server.bserver.port, items)), MemorySink()
    async with running(source, sink):
        await until(lambda: len(asked) == 1, lambda: f"the conditions at the beginning; {source.status()}")
        await events.trigger(message="some were lost")
        await until(lambda: len(asked) == 2, "a refresh")
        await alarms.trigger(message="too full")
        await until(lambda: sink.readings, "the event")
    assert len(set(asked)) == 1
    assert all("too full" in str(one.value) for one in sink.readings)
