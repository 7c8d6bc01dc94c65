"""The monitor of one process: restore, replay, then judge live batches, keep findings, publish states.

In: committed batches (`judge`) and gateways' health (`hear`). Out: findings and transitions with their watermark in one
transaction, a snapshot every ten seconds, state documents on the live feed. A kill at any moment loses nothing: the
next start restores the last snapshot, replays what was committed since, and writes the same findings with the same ids.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from twin.errors import Rejected
from twin.monitor.alarm_desk import AlarmDesk, Learning
from twin.monitor.engine import Engine, Judged
from twin.monitor.feed import Feed
from twin.monitor.frame_judges import FrameJudges
from twin.monitor.new_models import NewModels
from twin.monitor.patience import patiently
from twin.monitor.ports import CommittedBatch, MonitorStore, Publish
from twin.plant.tree import Plant
from twin.samples import SampleBatch
from twin.state.alarm_model import Action, RiskLevel
from twin.state.alarm_policy import AlarmPolicy
from twin.state.freshness import GatewayStatus, gateway_status
from twin.state.gateway import gateway_problems
from twin.state.model import AssetState, Finding, Health, Transition
from twin.state.view import view
from twin.traces import span
from twin.wire import topic

_log = logging.getLogger(__name__)

_INLINE = 20_000  # samples; below this a batch takes less time than a thread hop plus its wait is worth
_REPLAY_BATCHES = 500
_HORIZONS = {"24h": 1, "7d": 2}  # behind the shift
_REPLAY_ROWS = 200_000


@dataclass(frozen=True, slots=True)
class MonitorSettings:
    """Rhythm of the monitor."""

    key: str = "monitor"  # of snapshot and watermark
    queue_batches: int = 1_000
    snapshot_every_s: float = 10.0
    tick_s: float = 1.0
    interval_s: float = 0.05  # between two publications of one machine
    rollup_interval_s: float = 0.5
    models_every_s: float = 30.0  # how soon a newly fitted bank is in use


class _Done(NamedTuple):
    """A judged batch, as the alarms need it."""

    seq: int
    batch: SampleBatch
    newest_before: NDArray[np.int64]
    findings: tuple[Finding, ...]


class Monitor:
    """One plant's hot loop. `judge` and `hear` may be called from the start; `ready` is set after the replay."""

    def __init__(
        self,
        plant: Plant,
        signal_ids: Mapping[str, int],
        store: MonitorStore,
        publish: Publish,
        *,
        settings: MonitorSettings | None = None,
        policy: AlarmPolicy | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._plant, self._signal_ids, self._store = plant, signal_ids, store
        self._settings = settings or MonitorSettings()
        self._clock = clock
        self._queue: asyncio.Queue[CommittedBatch] = asyncio.Queue(self._settings.queue_batches)
        self._gateways: dict[str, GatewayStatus] = {}
        self._busy = asyncio.Lock()  # the kernel may be writing the blocks in a thread
        self._unsettled = asyncio.Lock()  # batches are judged whose findings are not kept yet
        self._saving = asyncio.Lock()  # an older snapshot is never written over a newer one
        self._saved_seq = -1
        self._risks: dict[str, tuple[RiskLevel, ...]] = {}  # by asset
        self._models = NewModels(store.models)
        self.engine: Engine = Engine(plant, signal_ids)
        self.judges: FrameJudges = FrameJudges(plant, signal_ids, self.engine.state.alarming)
        self.ready: asyncio.Event = asyncio.Event()
        self.feed: Feed = Feed(
            plant,
            self.look,
            publish,
            interval_s=self._settings.interval_s,
            rollup_interval_s=self._settings.rollup_interval_s,
        )
        self.alarms: AlarmDesk = AlarmDesk(plant, signal_ids, policy or AlarmPolicy(), store.alarms, self.feed.send)

    async def judge(self, committed: Sequence[CommittedBatch]) -> None:
        """Hand over committed batches in the order of their `seq`; waits while the queue is full."""
        for one in committed:
            await self._queue.put(one)

    async def hear(self, node: str, health: Mapping[str, Any]) -> None:
        """A gateway has reported: pass it on to the live feed; ages are explained with it from the next tick on."""
        self._gateways[node] = gateway_status(node, health)
        told = {**health, "format": 1, "node": node, "problems": gateway_problems(node, health)}
        await self.feed.send(topic.gateway(node), orjson.dumps(told))
        await self.alarms.hear(node, health, self._clock())

    async def look(self, path: str) -> AssetState:
        """The state of one asset now."""
        async with self._busy:
            state = view(self.engine.state, path, self._clock(), self._gateways)
            found = self.judges.open(path)
        health = Health.WARNING if found and state.health is Health.GOOD else state.health
        risks = self._risks.get(path, ())
        return replace(state, findings=(*state.findings, *found), health=health, risks=risks)

    async def assess(self, levels: list[RiskLevel]) -> None:
        """The risk models have spoken: in the state of their assets from now on, and perhaps an alarm."""
        for level in levels:
            others = [one for one in self._risks.get(level.asset, ()) if one.horizon != level.horizon]
            self._risks[level.asset] = tuple(sorted([*others, level], key=lambda one: _HORIZONS.get(one.horizon, 0)))
        self.feed.changed(self._risks.keys() & {level.asset for level in levels if self._plant.has_asset(level.asset)})
        await self.alarms.assess(levels)

    async def run(self) -> None:
        """Restore, replay, then run until cancelled."""
        _log.info(
            "the models' machine code is loaded, or compiled once per release (a minute; `twin prepare` does it ahead)"
        )
        await asyncio.to_thread(self.engine.warm_up)
        await self._take_models()
        await self._restore()
        await self.alarms.restore()
        await self._replay()
        await self.alarms.begin(self.engine.state, self.judges.all_open(), self._clock())
        self.ready.set()
        self.alarms.show_all()
        self.feed.changed(asset.path for asset in self._plant.assets)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._judge_live(), name="monitor: judge")
            tasks.create_task(self._snapshots(), name="monitor: snapshots")
            tasks.create_task(self._ticks(), name="monitor: ticks")
            tasks.create_task(self._new_models(), name="monitor: models")
            tasks.create_task(self.feed.run(), name="monitor: feed")
            tasks.create_task(
                self.alarms.follow(self._store.actions, Learning(self._new_normal, self._called_false)),
                name="monitor: actions",
            )
            tasks.create_task(self.alarms.publish(self._clock), name="monitor: alarms")

    async def _new_models(self) -> None:
        while True:
            await asyncio.sleep(self._settings.models_every_s)
            await self._take_models()

    async def _take_models(self) -> None:
        banks, lines = await self._models.banks(), await self._models.stretches()
        if not banks and not lines:
            return
        async with self._unsettled:
            async with self._busy:
                refused_assets = self.judges.banks.swap(banks)
                ended = self.judges.stretches.swap(lines)
            if ended:
                await self._keep(self.engine.state.seq, ended, ())
        for asset in refused_assets:
            _log.info("the bank of %s was fitted to other signals than the plant has; twin learn fits it anew", asset)

    async def _restore(self) -> None:
        """The engine and the judges of frames as they were after the same batch."""
        saved = await patiently(lambda: self._store.states.load_snapshot(self._settings.key))
        if saved is None:
            return
        seq, packed = saved
        try:
            await asyncio.to_thread(self.engine.load, packed)
        except Rejected as refused:
            _log.warning("snapshot at batch %d not used (%s); replaying all that is stored", seq, refused)
            return
        self._saved_seq = seq
        frames = await patiently(lambda: self._store.states.load_snapshot(self._frames_key))
        if frames is not None:
            try:
                self.judges.restore(frames[1])
            except Rejected as refused:
                _log.warning("banks and stretches begin anew: %s", refused)
        self.judges.rejoin()
        _log.info("restored the state at batch %d", seq)

    @property
    def _frames_key(self) -> str:
        return f"{self._settings.key}-frames"

    async def _replay(self) -> None:
        start, began_s = self.engine.state.seq, time.monotonic()
        await patiently(self._replay_rest)
        took_s = time.monotonic() - began_s
        _log.info("replayed batches %d to %d in %.2f s", start + 1, self.engine.state.seq, took_s)

    async def _replay_rest(self) -> None:
        """From the engine's own place on, so that it may be begun again after an interruption."""
        saved_s, rows = time.monotonic(), 0
        several: list[tuple[int, SampleBatch]] = []
        async for seq, batch in self._store.samples.since(self.engine.state.seq, _REPLAY_BATCHES):
            several.append((seq, batch))
            rows += len(batch)
            if rows >= _REPLAY_ROWS or len(several) >= _REPLAY_BATCHES:
                await self._settle(several)
                several, rows = [], 0
            if time.monotonic() - saved_s > self._settings.snapshot_every_s:
                await self.save()
                saved_s = time.monotonic()
        await self._settle(several)

    async def _judge_live(self) -> None:
        while True:
            waiting = [await self._queue.get()]
            while not self._queue.empty():
                waiting.append(self._queue.get_nowait())
            await self._settle([(one.seq, one.batch) for one in waiting])

    async def _settle(self, batches: Sequence[tuple[int, SampleBatch]]) -> None:
        """Judge batches and keep what they brought; no snapshot is taken in between."""
        with span("monitor fold", {"batches": len(batches)}) as tell:
            found, changed = await self._judge_all(batches)
            tell("monitor fold", {"findings": found, "transitions": changed})

    async def _judge_all(self, batches: Sequence[tuple[int, SampleBatch]]) -> tuple[int, int]:
        async with self._unsettled:
            findings: list[Finding] = []
            transitions: list[Transition] = []
            done: list[_Done] = []
            for seq, batch in batches:
                if seq > self.engine.state.seq:  # else the replay has seen it
                    newest = self.alarms.newest(self.engine.state, batch)
                    judged = await self._push(seq, batch)
                    findings += judged.findings
                    transitions += judged.transitions
                    compared = await self._compare(seq, batch)
                    findings += compared
                    done.append(_Done(seq, batch, newest, (*judged.findings, *compared)))
            if findings or transitions:
                await self._keep(self.engine.state.seq, findings, transitions)
            for one in done:
                await self.alarms.settle(*one)
            return len(findings), len(transitions)

    async def _push(self, seq: int, batch: SampleBatch) -> Judged:
        async with self._busy:
            if len(batch) < _INLINE:
                judged = self.engine.push(batch, seq)
            else:
                judged = await asyncio.to_thread(self.engine.push, batch, seq)
        if self.ready.is_set():
            self.feed.changed(judged.changed)
        return judged

    async def _compare(self, seq: int, batch: SampleBatch) -> list[Finding]:
        """Judge whole assets."""
        async with self._busy:
            if len(batch) < _INLINE:
                found = self.judges.push(batch, seq)
            else:
                found = await asyncio.to_thread(self.judges.push, batch, seq)
        if self.ready.is_set():
            self.feed.changed({finding.asset for finding in found})
        return found

    async def _keep(self, seq: int, findings: Sequence[Finding], transitions: Sequence[Transition]) -> None:
        await patiently(lambda: self._store.findings.write(seq, findings, transitions, self._settings.key))

    async def _snapshots(self) -> None:
        while True:
            await asyncio.sleep(self._settings.snapshot_every_s)
            await self.save()

    async def save(self) -> None:
        """Write watermark and snapshot now, unless nothing has come since the last one."""
        async with self._saving:
            await self._save()

    async def _save(self) -> None:
        async with self._unsettled:
            seq = self.engine.state.seq
            if seq == self._saved_seq:
                return
            self._saved_seq = seq  # what changes from here on, also without a batch, asks for another one
            states = {self._settings.key: self.engine.snapshot(), self._frames_key: self.judges.snapshot()}
        await self._keep(seq, (), ())
        await patiently(lambda: self._store.states.save_snapshots(seq, states))  # both: they share the budgets

    async def _new_normal(self, action: Action) -> None:
        """The detectors learn anew; the snapshot that knows of it is kept before the action counts as done."""
        path = action.target
        if not (self._plant.has_signal(path) or self._plant.has_asset(path)):
            _log.warning("new normal of %s passed over: the plant has it no longer", path)
            return
        async with self._unsettled, self._busy:
            self.engine.new_normal(path, action.at_ns)
            self._saved_seq = -1
        await self.save()
        _log.info("%s calls what %s does now normal", action.operator, path)

    async def _called_false(self, signal: str, detector: str) -> None:
        """The score of a false alarm is normal from now on; kept before the verdict counts as done."""
        async with self._unsettled, self._busy:
            learnt = self.engine.called_false(signal, detector) or self.judges.called_false(signal, detector)
            self._saved_seq = -1
        if learnt:
            await self.save()
            _log.info("%s: the last finding of %s was called false, its score is normal from now on", signal, detector)

    async def _ticks(self) -> None:
        while True:
            await asyncio.sleep(self._settings.tick_s)
            await self.alarms.tick(self.engine.state, self._clock())
            await self.feed.look_again()


async def run_monitor(
    plant: Plant,
    signal_ids: Mapping[str, int],
    store: MonitorStore,
    publish: Publish,
    started: Callable[[Monitor], None],
    *,
    settings: MonitorSettings | None = None,
    policy: AlarmPolicy | None = None,
) -> None:
    """Run a `Monitor` until cancelled; `started` gets it at once, to connect `judge` and `hear` with the ingest."""
    monitor = Monitor(plant, signal_ids, store, publish, settings=settings, policy=policy)
    started(monitor)
    await monitor.run()
