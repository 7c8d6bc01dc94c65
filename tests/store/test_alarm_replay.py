"""Alarms through the real store: killed at any moment they are the same alarms, written once; operators reach them."""

import asyncio
import random
import uuid
from contextlib import asynccontextmanager, suppress

import numpy as np
import orjson
import pytest

from tests.store.test_monitor_replay import SETTINGS, admitted, until
from tests.unit.monitor_history import random_rows
from tests.unit.monitor_plant import SECOND as S
from tests.unit.monitor_plant import START_NS as T0
from tests.unit.monitor_plant import make_ids
from tests.unit.test_alarm_book import POLICY, SAW, key, plant
from twin.monitor.alarm_desk import GRACE_S, AlarmDesk
from twin.monitor.engine import Engine
from twin.monitor.run import Monitor
from twin.state.alarm_memory import rest
from twin.state.alarm_model import ActionKind, Phase, What, alarm_id
from twin.store.actions import Order
from twin.wire import topic

PLANT = plant()
NEVER = T0 - 10**6 * S  # a clock that brings nothing about
HI = alarm_id(key("hi-hi"))


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Compiling is not what is waited for."""
    Engine(PLANT, make_ids(PLANT)).warm_up()


class Nowhere:
    """Keeps what a steady desk writes, in memory."""

    def __init__(self):
        self.told = []

    async def write(self, seq, alarms, transitions, rest):
        self.told += transitions


@asynccontextmanager
async def monitored(store, ids, *, clock=lambda: NEVER, publish=None):
    async def nothing(to, payload):
        await asyncio.sleep(0)

    monitor = Monitor(PLANT, ids, store, publish or nothing, settings=SETTINGS, policy=POLICY, clock=clock)
    task = asyncio.create_task(monitor.run())
    try:
        yield monitor, task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def steady(ids, batches):
    """What an uninterrupted process tells."""
    engine, kept = Engine(PLANT, ids), Nowhere()
    desk = AlarmDesk(PLANT, ids, POLICY, kept, None)
    for seq, batch in batches:
        newest = desk.newest(engine.state, batch)
        judged = engine.push(batch, seq)
        await desk.settle(seq, batch, newest, judged.findings)
    return desk.book, kept.told


async def history(store):
    everything = await store.alarms.between(0, 4_000_000_000 * S)
    return {(kept.transition.alarm, kept.transition.step): kept.transition for kept in everything}


async def kept(store, alarm, what):
    """The history of an alarm as soon as this is written in it."""
    async with asyncio.timeout(30):
        while True:
            found = [one.transition for one in await store.alarms.history(alarm)]
            if any(step.what is what for step in found):
                return found
            await asyncio.sleep(0.01)


async def test_alarms_of_a_monitor_killed_again_and_again_equal_those_of_one_that_never_was(store):
    ids = await store.plants.register(PLANT)
    chance, rows, live, all_batches = random.Random(3), random_rows(3, 5000, busy=0.004), [], []
    for number, at in enumerate(range(0, len(rows), 250), start=1):
        (committed,) = await store.samples.commit([admitted(rows[at : at + 250], number)])
        all_batches.append((committed.seq, committed.batch))
        live.append(committed)
        if chance.random() < 0.5:
            async with monitored(store, ids) as (monitor, task):
                if chance.random() < 0.7:
                    await until(monitor.ready.is_set, "replay")
                    await monitor.judge(live)
                    live = []
                await asyncio.wait([task], timeout=chance.random() * 0.05)
    async with monitored(store, ids) as (monitor, _):
        await until(monitor.ready.is_set, "replay")
        book, told = await steady(ids, all_batches)
        assert monitor.alarms.book.alarms == book.alarms
        assert rest(monitor.alarms.book) == rest(book)
    assert await history(store) == {(step.alarm, step.step): step for step in told}
    kinds = {state.key.partition("|")[0] for state in book.alarms.values()}
    assert {"limit", "anomaly"} <= kinds
    assert sum(step.what is What.RAISED for step in told) > 20


async def test_an_operator_reaches_a_running_monitor_and_the_live_feed_says_so(store):
    ids = await store.plants.register(PLANT)
    shown = {}

    async def publish(to, payload):
        shown[to] = orjson.loads(payload)
        await asyncio.sleep(0)

    def alarm():
        document = shown.get(topic.alarms("factory/hall"), {"alarms": []})
        return next((one for one in document["alarms"] if one["id"] == str(HI)), {})

    async with monitored(store, ids, publish=publish) as (monitor, _):
        await until(monitor.ready.is_set, "replay")
        rows = [(ids[f"{SAW}/current"], T0, 30.0, 0)]
        (committed,) = await store.samples.commit([admitted(rows, 1)])
        await monitor.judge([committed])
        await until(lambda: alarm().get("phase") == "unacknowledged", "the alarm")
        assert alarm()["message"] == "Current is 30 A, above 20 A"
        assert "acknowledge" in alarm()["actions"]
        order = Order(uuid.uuid4(), ActionKind.ACKNOWLEDGE, str(HI), T0 + 5 * S, "Kim", "on my way", {})
        action, _ = await store.actions.add(order)
        await until(lambda: alarm().get("phase") == "acknowledged", "the acknowledgement")
    assert shown[topic.alarms("factory/hall")]["action"] == action.id
    assert {topic.alarms("factory"), topic.alarms("gateways")} <= set(shown)
    last = (await kept(store, HI, What.ACKNOWLEDGED))[-1]
    assert (last.what, last.operator, last.comment, last.at_ns) == (What.ACKNOWLEDGED, "Kim", "on my way", T0 + 5 * S)


async def test_what_operators_did_while_no_monitor_ran_takes_effect_at_its_start_and_once(store):
    ids = await store.plants.register(PLANT)
    (committed,) = await store.samples.commit([admitted([(ids[f"{SAW}/current"], T0, 30.0, 0)], 1)])
    async with monitored(store, ids) as (monitor, _):
        await until(monitor.ready.is_set, "replay")
    assert committed.seq
    order = Order(uuid.uuid4(), ActionKind.ACKNOWLEDGE, str(HI), T0 + S, "Kim", "", {})
    await store.actions.add(order)
    await store.actions.add(order)
    for _ in range(2):
        async with monitored(store, ids) as (monitor, _task):
            await until(lambda m=monitor: m.alarms.book.action == 1, "the action")
            assert [one.what for one in await kept(store, HI, What.ACKNOWLEDGED)] == [What.RAISED, What.ACKNOWLEDGED]


async def test_time_alone_ends_a_shelving_and_a_gateway_raises_its_own_alarm(store):
    ids = await store.plants.register(PLANT)
    now = [T0]
    async with monitored(store, ids, clock=lambda: now[0]) as (monitor, _):
        await until(monitor.ready.is_set, "replay")
        (committed,) = await store.samples.commit([admitted([(ids[f"{SAW}/current"], T0, 30.0, 0)], 1)])
        await monitor.judge([committed])
        until_ns = T0 + 60 * S
        await until(lambda: HI in monitor.alarms.book.alarms, "the alarm")
        order = Order(uuid.uuid4(), ActionKind.SHELVE, str(HI), T0 + S, "Kim", "test run", {"until_ns": until_ns})
        await store.actions.add(order)
        await until(lambda: monitor.alarms.book.alarms[HI].shelf, "the shelving")
        await monitor.hear("edge-1", {"status": "offline", "at": "2026-11-18T11:00:00Z"})
        now[0] = until_ns + round((GRACE_S + 1) * S)
        await until(lambda: not monitor.alarms.book.alarms[HI].shelf, "the end of it")
        offline = alarm_id("gateway|gateways/edge-1|offline")
        (gateway,) = await kept(store, offline, What.RAISED)
        assert (await kept(store, HI, What.UNSHELVED))[-1].at_ns == until_ns
    assert (gateway.phase, gateway.message) == (Phase.UNACKNOWLEDGED, "gateway edge-1 is offline")


async def test_a_new_normal_reaches_the_detectors_and_the_snapshot_knows_of_it(store):
    ids = await store.plants.register(PLANT)
    async with monitored(store, ids) as (monitor, _):
        await until(monitor.ready.is_set, "replay")
        (committed,) = await store.samples.commit([admitted(random_rows(2, 400), 1)])
        await monitor.judge([committed])
        await until(lambda: monitor.engine.state.seq == committed.seq, "the batch")
        before = monitor.engine.snapshot()
        order = Order(uuid.uuid4(), ActionKind.NEW_NORMAL, f"{SAW}/current", T0 + 500 * S, "Kim", "new tool", {})
        await store.actions.add(order)
        await until(lambda: monitor.alarms.book.action == 1, "the action")
        after = monitor.engine.snapshot()
        kept_snapshot = await store.states.load_snapshot("monitor")
    assert after != before
    assert kept_snapshot == (committed.seq, after)


async def test_a_false_alarm_becomes_a_normal_score_and_the_snapshot_knows_of_it(store):
    ids = await store.plants.register(PLANT)
    path = f"{SAW}/current"
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(20.0, 1.0, 720), np.full(12, 60.0) + rng.normal(0.0, 1.0, 12)])
    rows = [(ids[path], T0 + n * S, float(value), 0) for n, value in enumerate(values)]
    async with monitored(store, ids, clock=lambda: T0 + 900 * S) as (monitor, _):
        await until(monitor.ready.is_set, "replay")
        (committed,) = await store.samples.commit([admitted(rows, 1)])
        await monitor.judge([committed])
        spike = alarm_id(f"anomaly|{path}|spike")
        known = monitor.alarms.book.alarms
        await until(lambda: spike in known and known[spike].occurrence == 1, "the alarm")
        tails = monitor.engine.state.blocks.tails
        before = tails["blocks"].sum()
        said = {"verdict": "false", "occurrence": None}
        await store.actions.add(Order(uuid.uuid4(), ActionKind.VERDICT, str(spike), T0 + 800 * S, "Kim", "test", said))
        await until(lambda: monitor.alarms.book.action == 1, "the verdict")
        assert tails["blocks"].sum() == before + 1
        assert await store.states.load_snapshot("monitor") == (committed.seq, monitor.engine.snapshot())
        async with asyncio.timeout(30):
            while not (normal := await store.alarms.called_false(T0, T0 + 10_000 * S)):
                await asyncio.sleep(0.005)
    finding = next(one for one in await store.findings.between(T0, T0 + 900 * S) if one.detector == "spike")
    assert normal == {finding.id}
