"""The MQTT source against real brokers: what devices publish is in the spool before it is acknowledged."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest

from edge.last_read import LastRead
from edge.mapping import TopicMapping
from edge.sources import mqtt
from edge.sources.mqtt import MqttSource
from edge.sources.mqtt_settings import MqttSettings
from edge.sources.mqtt_unnamed import Unnamed
from edge.sources.source import Sink, SourceState
from edge.spool import Spool, open_spool
from tests.servers import Broker, mosquitto
from tests.waiting import until
from twin.wire.batch import decode
from twin.wire.mqtt import BrokerSettings, connect
from twin.wire.reading import Gap, GapCause, Lane, Reading
from twin.wire.schema import NodeSchema, SchemaEntry

REEFERS = {
    "topic": "terminal/reefers/{slot}/{signal}",
    "asset": "terminal/reefers/{slot}",
    "where": {"slot": "slot-{1..2}"},
    "time": {"at": "/timestamp_ms", "format": "ms"},
    "signals": {"supply-temperature": {"value": "/value"}, "container": {"value": "/value", "kind": "text"}},
}
CRANES = {
    "topic": "terminal/tic/{crane}",
    "asset": "terminal/quay/{crane}",
    "where": {"crane": ["sts-1"]},
    "each": "/che/[id={crane}]/{signal...}",
    "flatten": {"stop_at": "value"},
    "when": {"/pomt": "actual|performed|"},
    "time": {"at": "/timestamp"},
    "signals": {"hoist-load": {"match": {"signal": "hoist/load"}, "value": "/value", "unit": "kg"}},
}
CARRIERS = {
    "topic": "uagv/v2/fabriquay/{carrier}/state",
    "asset": "terminal/transport/{carrier}",
    "where": {"carrier": ["agv-1"]},
    "time": {"at": "/timestamp"},
    "sequence": "/headerId",
    "signals": {"battery": {"value": "/batteryState/batteryCharge"}},
}
NAMES = count()
UPTIME = "$SYS/broker/uptime"


def settings(broker: Broker, **more) -> MqttSettings:
    topics, protocol = more.pop("topics", [REEFERS, CRANES, CARRIERS]), more.pop("protocol", "auto")
    document = {
        "kind": "mqtt",
        "name": "devices",
        "broker": {"host": "127.0.0.1", "port": broker.port, "protocol": protocol},
        "topics": topics,
        "uptime_topic": None,  # a broker of seconds may look restarted; the tests of that say so
    }
    return MqttSettings.model_validate({**document, **more})


def schema_of(source: MqttSettings) -> NodeSchema:
    feeds = [(path, topic.signals[name]) for topic in source.topics for path, name in topic.feeds()]
    return NodeSchema("gate-7", tuple(SchemaEntry(i, path, s.kind, s.unit) for i, (path, s) in enumerate(feeds)))


def made(source: MqttSettings, folder: Path, *, session: str | None = None, **more) -> MqttSource:
    handles = {entry.path: entry.handle for entry in schema_of(source).entries}
    letters = folder / "dead-letters.jsonl"
    return MqttSource(source, handles, client_id=session or f"session-{next(NAMES)}", dead_letters=letters, **more)


@asynccontextmanager
async def spool_for(source: MqttSettings, folder: Path) -> AsyncIterator[Spool]:
    async with open_spool(folder / "spool.db", schema=schema_of(source), max_bytes=50_000_000, linger_s=0.005) as spool:
        yield spool


@asynccontextmanager
async def running(source: MqttSource, sink: Sink) -> AsyncIterator[MqttSource]:
    task = asyncio.create_task(source.run(sink))
    try:
        yield source
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def connected(source: MqttSource, sink: Sink) -> AsyncIterator[MqttSource]:
    async with running(source, sink):
        await until(lambda: source.status().state is SourceState.CONNECTED)
        yield source


async def publish(broker: Broker, *messages: tuple[str, object], qos: int = 1) -> None:
    async with connect(BrokerSettings(host="127.0.0.1", port=broker.port), client_id=f"device-{next(NAMES)}") as client:
        for topic, payload in messages:
            raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
            await client.publish(topic, raw, qos=qos)


async def kept(spool: Spool) -> list[Reading]:
    return [one for batch in await spool.take(Lane.LIVE, 10_000) for one in decode(batch.payload).readings()]


async def gaps(spool: Spool) -> list[Gap]:
    return [gap for batch in await spool.take(Lane.LIVE, 10_000) for gap in decode(batch.payload).gaps]


def reefer(number: int) -> tuple[str, object]:
    return "terminal/reefers/slot-1/supply-temperature", {"value": number, "timestamp_ms": 1767225600000 + number}


async def test_every_dialect_is_kept_and_poison_goes_to_the_dead_letters(broker, tmp_path):
    source = settings(broker)
    leaf = {"value": 12000, "unit": "kg", "timestamp": "2026-01-01T00:00:00.250Z", "pom": "output", "pomt": "actual"}
    carrier = {"headerId": 1, "timestamp": "2026-01-01T00:00:01.123Z", "batteryState": {"batteryCharge": 80.5}}
    async with spool_for(source, tmp_path) as spool, connected(made(source, tmp_path), spool) as reader:
        await publish(
            broker,
            reefer(1),
            ("terminal/reefers/slot-2/container", {"value": "MSKU1234565", "timestamp_ms": 1767225600000}),
            ("terminal/reefers/slot-1/supply-temperature", b"\x00\xffnot json"),
            ("terminal/reefers/slot-1/supply-temperature", {"value": "warm"}),
            ("terminal/reefers/slot-9/supply-temperature", {"value": 1}),
            ("terminal/reefers/slot-9/supply-temperature", {"value": 1}),
            ("terminal/tic/sts-1", {"che": [{"id": "sts-1", "hoist": {"load": [leaf, {**leaf, "pomt": "planned"}]}}]}),
            ("uagv/v2/fabriquay/agv-1/state", carrier),
        )
        await until(lambda: reader.status().values == 4)
        await until(lambda: reader.status().facts["rejected"] == 4)
        found = sorted((one.handle, one.source_ns // 1_000_000, one.value) for one in await kept(spool))
        await until((tmp_path / "dead-letters.jsonl").exists)
    assert found == [
        (0, 1767225600001, 1.0),
        (3, 1767225600000, "MSKU1234565"),
        (4, 1767225600250, 12000.0),
        (5, 1767225601123, 80.5),
    ]
    letters = [json.loads(line) for line in (tmp_path / "dead-letters.jsonl").read_text().splitlines()]
    assert [letter["reason"] for letter in letters] == ["malformed", "wrong-type", "unknown-topic"]


async def test_what_comes_while_nobody_reads_is_kept_by_the_session_without_a_gap(mosquitto_broker, tmp_path):
    source = settings(mosquitto_broker)
    async with spool_for(source, tmp_path) as spool:
        async with connected(made(source, tmp_path, session="stays"), spool):
            pass
        await publish(mosquitto_broker, *map(reefer, range(500)))
        before = LastRead(range(20))
        before.begin(time.time_ns() - 60_000_000_000)
        async with connected(made(source, tmp_path, session="stays", last_read=before), spool) as reader:
            await until(lambda: reader.status().values == 500)
            assert reader.status().facts["session_resumed"]
        assert [one.value for one in await kept(spool)] == list(range(500))
        assert await gaps(spool) == []


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_more_than_has_room_in_memory_waits_in_the_session(tmp_path, monkeypatch, protocol):
    """The broker sends it at once; its answer to our subscription stands behind it."""
    monkeypatch.setattr(mqtt, "_MOST_INBOUND", 20)
    with mosquitto("allow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0") as broker:
        source = settings(broker, protocol=protocol)
        async with spool_for(source, tmp_path) as spool:
            last_read = LastRead(range(20))
            async with connected(made(source, tmp_path, session="full", last_read=last_read), spool):
                pass
            await publish(broker, *map(reefer, range(3_000)))
            async with connected(made(source, tmp_path, session="full", last_read=last_read), spool) as reader:
                await until(lambda: reader.status().values >= 3_000)
                assert reader.status().facts["session_resumed"]
            assert {one.value for one in await kept(spool)} == set(range(3_000))
            assert await gaps(spool) == []


async def test_a_broker_that_does_not_send_again_leaves_a_gap_for_every_absence(mosquitto_broker, tmp_path):
    source = settings(mosquitto_broker).model_copy(update={"redelivers": False})
    async with spool_for(source, tmp_path) as spool:
        async with connected(made(source, tmp_path, session="forgetful"), spool):
            pass
        before = LastRead(range(20))
        before.begin(time.time_ns() - 60_000_000_000)
        async with connected(made(source, tmp_path, session="forgetful", last_read=before), spool) as reader:
            assert reader.status().facts["session_resumed"]
            await until(lambda: reader.status().facts["gaps"])
        assert {gap.cause for gap in await gaps(spool)} == {GapCause.SESSION_LOST}


async def test_what_a_killed_broker_had_acknowledged_and_not_saved_is_a_gap(tmp_path):
    with mosquitto("allow_anonymous true\npersistence true\npersistence_location {folder}/") as broker:
        source = settings(broker, uptime_topic=UPTIME)
        async with spool_for(source, tmp_path) as spool:
            last_read = LastRead(range(20))
            async with connected(made(source, tmp_path, session="stays", last_read=last_read), spool) as reader:
                await publish(broker, reefer(1))
                await until(lambda: reader.status().values == 1)
            broker.save(broker.log.parent / "mosquitto.db")
            lost_ns = time.time_ns()
            await publish(broker, reefer(2))
            broker.kill()
            broker.start()
            async with connected(made(source, tmp_path, session="stays", last_read=last_read), spool) as reader:
                assert reader.status().facts["session_resumed"]
                await publish(broker, reefer(3))
                await until(lambda: reader.status().values == 1)
            assert [one.value for one in await kept(spool)] == [1, 3]  # the broker had acknowledged 2 as well
            assert any(gap.from_ns <= lost_ns < gap.to_ns for gap in await gaps(spool))


async def test_a_broker_that_lived_on_while_we_were_away_leaves_no_gap(tmp_path):
    with mosquitto("allow_anonymous true\nsys_interval 1") as broker:
        await asyncio.sleep(4)  # the uptime that it says is older than now by up to three seconds
        source = settings(broker, uptime_topic=UPTIME)
        async with spool_for(source, tmp_path) as spool:
            last_read = LastRead(range(20))
            async with connected(made(source, tmp_path, session="stays", last_read=last_read), spool):
                pass
            async with connected(made(source, tmp_path, session="stays", last_read=last_read), spool) as reader:
                assert reader.status().facts["session_resumed"]
            assert await gaps(spool) == []


class NeverKept:
    """A disk that does not answer."""

    def __init__(self) -> None:
        self.offered = 0

    async def keep(self, readings, gaps=(), *, lane=None, **_how) -> None:
        self.offered += len(readings)
        await asyncio.Event().wait()


async def test_what_was_not_kept_is_not_acknowledged_and_comes_again(mosquitto_broker, tmp_path):
    source, stuck = settings(mosquitto_broker), NeverKept()
    async with connected(made(source, tmp_path, session="again"), stuck):
        await publish(mosquitto_broker, *map(reefer, range(50)))
        await until(lambda: stuck.offered)
    async with (
        spool_for(source, tmp_path) as spool,
        connected(made(source, tmp_path, session="again"), spool) as reader,
    ):
        await until(lambda: reader.status().values >= 50)
        assert sorted({one.value for one in await kept(spool)}) == list(range(50))


async def test_a_broker_that_forgot_the_session_leaves_a_gap_from_the_last_message_on(tmp_path, caplog):
    caplog.set_level(logging.INFO, "edge.sources.mqtt")
    with mosquitto() as broker:
        source = settings(broker)
        async with spool_for(source, tmp_path) as spool, connected(made(source, tmp_path), spool) as reader:
            await publish(broker, reefer(1))
            await until(lambda: reader.status().values == 1)
            heard_by_ns = time.time_ns()
            broker.kill()
            await until(lambda: reader.status().state is SourceState.DOWN)
            assert "disconnected" in reader.status().detail
            broker.start()
            await until(lambda: reader.status().state is SourceState.CONNECTED)
            await publish(broker, reefer(2))
            await until(lambda: reader.status().values == 2)
            (gap,) = await gaps(spool)
    assert gap.cause is GapCause.SESSION_LOST
    assert gap.handles == tuple(range(6))
    assert gap.from_ns <= heard_by_ns < gap.to_ns <= time.time_ns()
    words = [record.message for record in caplog.records]
    assert 1 <= len([word for word in words if "is away" in word]) <= 2  # each reason once, however often it is tried
    assert len([word for word in words if "is connected" in word]) == 2


async def test_signals_published_with_qos_0_get_a_gap_even_when_the_session_lives(tmp_path):
    config = "allow_anonymous true\npersistence true\npersistence_location {folder}/\nautosave_interval 1"
    with mosquitto(config) as broker:
        source = settings(broker)
        async with spool_for(source, tmp_path) as spool, connected(made(source, tmp_path), spool) as reader:
            await publish(broker, reefer(1))
            await publish(broker, ("terminal/reefers/slot-2/supply-temperature", {"value": 5}), qos=0)
            await until(lambda: reader.status().values == 2)
            broker.stop()
            await until(lambda: reader.status().state is SourceState.DOWN)
            broker.start()
            await until(lambda: reader.status().state is SourceState.CONNECTED)
            assert reader.status().facts["session_resumed"]
            await until(lambda: reader.status().facts["gaps"])
            (gap,) = await gaps(spool)
    assert (gap.handles, gap.cause) == ((2,), GapCause.DEVICE_UNREACHABLE)


async def test_a_jump_of_the_devices_own_count_is_a_gap_of_its_signals(mosquitto_broker, tmp_path):
    def state(number: int) -> tuple[str, object]:
        stamp = f"2026-01-01T00:00:{number:02d}.000Z"
        return "uagv/v2/fabriquay/agv-1/state", {
            "headerId": number,
            "timestamp": stamp,
            "batteryState": {"batteryCharge": number},
        }

    source = settings(mosquitto_broker)
    async with spool_for(source, tmp_path) as spool, connected(made(source, tmp_path), spool) as reader:
        await publish(mosquitto_broker, *map(state, [1, 2, 5, 5, 6]))
        await until(lambda: reader.status().values == 5)
        (gap,) = await gaps(spool)
    assert (gap.handles, gap.cause) == ((5,), GapCause.SEQUENCE_JUMP)
    assert (gap.from_ns // 10**9, gap.to_ns // 10**9) == (1767225602, 1767225605)
    assert "2 messages missing" in gap.detail


S7 = {
    "topic": "ie/d/j/simatic/v1/{app}/dp/r/{connection}",
    "asset": "factory/pressing/{connection}",
    "where": {"connection": ["press-1"]},
    "each": "/vals/[id={id}]",
    "join": {
        "topic": "ie/m/j/simatic/v1/{app}/dp",
        "each": "/connections/*/dataPoints/*/dataPointDefinitions/[id={id}]",
        "gives": {"signal": "/name"},
    },
    "signals": {"load": {"value": "/val"}},
}
S7_METADATA = {"connections": [{"dataPoints": [{"dataPointDefinitions": [{"name": "load", "id": "101"}]}]}]}


async def test_metadata_is_known_before_the_queued_values_come_even_after_a_restart(mosquitto_broker, tmp_path):
    source = settings(mosquitto_broker, topics=[S7])
    values = ("ie/d/j/simatic/v1/s7c1/dp/r/press-1", {"vals": [{"id": "101", "val": 5}]})
    async with connect(BrokerSettings(host="127.0.0.1", port=mosquitto_broker.port), client_id="plc") as plc:
        await plc.publish("ie/m/j/simatic/v1/s7c1/dp", json.dumps(S7_METADATA).encode(), qos=1, retain=True)
        async with spool_for(source, tmp_path) as spool:
            async with connected(made(source, tmp_path, session="s7", memory=spool), spool) as reader:
                await until(lambda: reader.status().facts["described"] == 1)
                await publish(mosquitto_broker, values)
                await until(lambda: reader.status().values == 1)
            await publish(mosquitto_broker, *[values] * 3)
            source_again = made(source, tmp_path, session="s7", memory=spool)
            async with running(source_again, spool):
                await until(lambda: source_again.status().values + source_again.status().facts["rejected"] == 3)
            assert source_again.status().values == 3
            assert len(await kept(spool)) == 4


async def test_values_that_came_before_their_metadata_are_a_gap_also_when_the_agent_was_stopped_between(
    mosquitto_broker, tmp_path
):
    """Metadata of another connector may be there: it says nothing of this one."""
    source = settings(mosquitto_broker, topics=[S7])
    where = "ie/d/j/simatic/v1/s7c2/dp/r/press-1"
    async with spool_for(source, tmp_path) as spool:
        last_read = LastRead([0])
        more = {"session": "s7", "memory": spool, "last_read": last_read}
        async with connected(made(source, tmp_path, **more), spool) as reader:
            await publish(mosquitto_broker, (where, {"vals": [{"id": "101", "val": 5}]}))
            await until(lambda: reader.status().facts["rejected"] == 1)
            await until(lambda: "metadata has not come" in reader.status().detail)
            refused_ns = time.time_ns()
            async with asyncio.timeout(20):
                while not await spool.recall("unnamed/devices"):
                    await asyncio.sleep(0.01)
        assert await gaps(spool) == []
        async with connected(made(source, tmp_path, **more), spool) as reader:
            assert "metadata has not come" in reader.status().detail
            await publish(mosquitto_broker, ("ie/m/j/simatic/v1/s7c2/dp", S7_METADATA))
            await until(lambda: reader.status().detail == "")
            await publish(mosquitto_broker, (where, {"vals": [{"id": "101", "val": 6}]}))
            await until(lambda: reader.status().values == 1)
        (gap,) = await gaps(spool)
    assert (gap.handles, gap.cause) == ((0,), GapCause.NO_METADATA)
    assert gap.from_ns < refused_ns < gap.to_ns


def test_a_doubt_without_an_end_is_told_every_minute_and_an_interval_once() -> None:
    topics = MqttSettings.model_validate(
        {"kind": "mqtt", "name": "devices", "broker": {"host": "localhost"}, "topics": [S7]}
    ).topics
    mapping, last_read = TopicMapping(topics, {"factory/pressing/press-1/load": 0}), LastRead([0, 1])
    last_read.begin(1_000)
    unnamed = Unnamed("devices", mapping, last_read, None)
    assert unnamed.due(10**12) == []
    unnamed.note("ie/d/j/simatic/v1/s7c1/dp/r/press-1", 2_000)
    assert unnamed.due(2_000 + 59_000_000_000) == []
    (first,) = unnamed.due(2_000 + 60_000_000_000)
    (second,) = unnamed.due(first.to_ns + 60_000_000_000)
    assert unnamed.end(second.to_ns + 5) == []  # that of another connector
    mapping.learn("ie/m/j/simatic/v1/s7c1/dp", json.dumps(S7_METADATA).encode())
    (third,) = unnamed.end(second.to_ns + 5)
    assert [(gap.handles, gap.from_ns, gap.to_ns) for gap in (first, second, third)] == [
        ((0,), 1_000, first.to_ns), ((0,), first.to_ns, second.to_ns), ((0,), second.to_ns, second.to_ns + 5)
    ]  # fmt: skip
    assert not unnamed.waits


async def test_a_silent_broker_shows_in_the_status_until_it_speaks(mosquitto_broker, tmp_path):
    source = settings(mosquitto_broker, silent_after_s=0.3)
    async with spool_for(source, tmp_path) as spool, connected(made(source, tmp_path), spool) as reader:
        await until(lambda: "no message since" in reader.status().detail)
        await publish(mosquitto_broker, reefer(1))
        await until(lambda: reader.status().detail == "")


async def test_an_unreachable_broker_is_down_and_tried_again(tmp_path):
    with mosquitto() as broker:
        source = settings(broker)
        broker.kill()
        async with spool_for(source, tmp_path) as spool, running(made(source, tmp_path), spool) as reader:
            await until(lambda: reader.status().state is SourceState.DOWN)
            broker.start()
            await until(lambda: reader.status().state is SourceState.CONNECTED)


async def test_a_deadband_leaves_out_what_can_be_held(mosquitto_broker, tmp_path):
    signals = {"supply-temperature": {"value": "/value", "deadband": 5, "max_interval_s": 1}}
    source = settings(mosquitto_broker, topics=[{**REEFERS, "signals": signals}])
    async with spool_for(source, tmp_path) as spool, connected(made(source, tmp_path), spool) as reader:
        await publish(mosquitto_broker, reefer(0), reefer(3), reefer(4), reefer(20))
        await until(lambda: reader.status().values == 3)
        assert [one.value for one in await kept(spool)] == [0.0, 4.0, 20.0]


async def test_a_swinging_door_keeps_corners_and_goes_on_behind_a_stop_of_the_agent(mosquitto_broker, tmp_path):
    thin = {"method": "swinging-door", "error": 1}
    signals = {"supply-temperature": {"value": "/value", "thin": thin}}
    timed = {**REEFERS, "signals": signals, "time": {"at": "/ts", "format": "s"}}
    source = settings(mosquitto_broker, topics=[timed])
    begin = int(time.time()) - 100

    def ramp(at: int) -> tuple[str, dict[str, float]]:
        value = 3 * at if at < 30 else 90 - 5 * (at - 30)
        return "terminal/reefers/slot-1/supply-temperature", {"value": value, "ts": begin + at}

    async with spool_for(source, tmp_path) as spool:
        async with connected(made(source, tmp_path, session="door", memory=spool), spool) as reader:
            await publish(mosquitto_broker, *map(ramp, range(20)))
            await until(lambda: reader.status().facts["withheld"] == 19)
        async with connected(made(source, tmp_path, session="door", memory=spool), spool) as reader:
            await publish(mosquitto_broker, *map(ramp, range(19, 41)))
            await until(lambda: reader.status().facts["messages"] >= 22 and reader.status().values)
        live = {one.source_ns // 10**9 - begin: one.value for one in await kept(spool)}
        (end,) = [decode(one.payload).readings() for one in await spool.take(Lane.HISTORY, 10)]
    assert live == {0: 0.0, 30: 90.0}
    assert [one.value for one in end] == [3.0 * (one.source_ns // 10**9 - begin) for one in end]
    assert len(end) == 1, "the first run's last reading ends its line"
