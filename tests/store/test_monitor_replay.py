"""The monitor over the real store: whenever it is killed, the next one ends with the same state and findings."""

import asyncio
import random
from contextlib import asynccontextmanager, suppress

from tests.unit.monitor_history import random_rows
from tests.unit.monitor_plant import batch, make_plant
from twin.ingest.admit import Admitted
from twin.monitor.engine import Engine
from twin.monitor.run import Monitor, MonitorSettings
from twin.samples import SampleBatch
from twin.wire import topic

PLANT = make_plant()
SETTINGS = MonitorSettings(snapshot_every_s=0.02, tick_s=0.05, interval_s=0.001, rollup_interval_s=0.001)


def admitted(rows, number) -> Admitted:
    unique = {(signal, time): (signal, time, value, quality) for signal, time, value, quality in rows}
    plain: SampleBatch = batch([unique[key] for key in sorted(unique)], number=number)
    return Admitted(batch=plain, gaps=(), rejections=())


async def publish_nothing(to, payload):
    await asyncio.sleep(0)


@asynccontextmanager
async def monitored(store, ids, publish=publish_nothing):
    """A running monitor that is killed at the end."""
    monitor = Monitor(PLANT, ids, store, publish, settings=SETTINGS)
    task = asyncio.create_task(monitor.run())
    try:
        yield monitor, task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition, what):
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)
    assert condition(), what


async def test_a_monitor_killed_again_and_again_equals_one_that_never_was(store):
    ids = await store.plants.register(PLANT)
    chance = random.Random(5)
    rows = random_rows(5, 6000, busy=0.004)
    steady, expected, seq = Engine(PLANT, ids), {}, 0
    live = []
    for number, at in enumerate(range(0, len(rows), 200), start=1):
        (committed,) = await store.samples.commit([admitted(rows[at : at + 200], number)])
        for finding in steady.push(committed.batch, committed.seq).findings:
            expected[finding.id] = finding
        seq = committed.seq
        live.append(committed)
        if chance.random() < 0.4:
            async with monitored(store, ids) as (monitor, task):
                if chance.random() < 0.7:
                    await until(monitor.ready.is_set, "replay")
                    await monitor.judge(live)
                    live = []
                await asyncio.wait([task], timeout=chance.random() * 0.05)
    async with monitored(store, ids) as (monitor, _):
        await until(lambda: monitor.engine.state.seq == seq, "the end of the replay")
        await until(monitor.ready.is_set, "replay")
        assert monitor.engine.snapshot() == steady.snapshot()
        await monitor.save()
    assert await store.findings.watermark("monitor") == seq
    everything = await store.findings.between(0, 4_000_000_000 * 10**9)
    assert {finding.id: finding.until_ns for finding in everything} == {
        finding.id: finding.until_ns for finding in expected.values()
    }
    assert expected
    saw = "factory/hall/saw"
    assert (await store.findings.transitions(saw, 0, 4_000_000_000 * 10**9))[-1] == steady.state.machines[saw]


async def test_the_watermark_is_never_ahead_of_what_is_kept(store):
    ids = await store.plants.register(PLANT)
    (committed,) = await store.samples.commit([admitted(random_rows(1, 500), 1)])
    async with monitored(store, ids) as (monitor, _):
        await until(monitor.ready.is_set, "replay")
        await monitor.save()
    saved = await store.states.load_snapshot("monitor")
    assert saved is not None
    assert saved[0] == await store.findings.watermark("monitor") == committed.seq
    assert Engine.restore(PLANT, ids, saved[1]).snapshot() == saved[1]


async def test_a_snapshot_that_cannot_be_read_is_replaced_by_a_replay_of_everything(store):
    ids = await store.plants.register(PLANT)
    (committed,) = await store.samples.commit([admitted(random_rows(1, 500), 1)])
    await store.states.save_snapshots(committed.seq, {"monitor": b"of a version that nobody remembers"})
    expected = Engine(PLANT, ids)
    expected.push(committed.batch, committed.seq)
    async with monitored(store, ids) as (monitor, _):
        await until(monitor.ready.is_set, "replay")
        assert monitor.engine.snapshot() == expected.snapshot()


async def test_a_live_batch_reaches_the_feed_and_a_gateway_is_passed_on(store):
    ids = await store.plants.register(PLANT)
    seen = {}

    async def publish(to, payload):
        seen[to] = payload
        await asyncio.sleep(0)

    async with monitored(store, ids, publish) as (monitor, _):
        await until(monitor.ready.is_set, "replay")
        (committed,) = await store.samples.commit([admitted(random_rows(2, 50), 1)])
        await monitor.judge([committed])
        state = topic.state("factory/hall/saw")
        await until(lambda: b'"seq":%d' % committed.seq in seen.get(state, b""), "the state")
        await monitor.hear("edge-1", {"status": "offline", "at": "2026-11-18T11:00:00Z"})
        await until(lambda: topic.gateway("edge-1") in seen, "the gateway")
        assert b'"problems":["gateway edge-1 is offline"]' in seen[topic.gateway("edge-1")]
        await until(lambda: b"gateway-offline" in seen[state], "the reason")
