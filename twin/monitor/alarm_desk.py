"""The alarms of one process: judged batches, gateways' health, risks, operators' actions and time → transitions.

In: what the monitor has judged, in the order of `seq`. Out: transitions and states in one transaction with the batch up
to which they are complete, and one live document per scope. A kill at any moment loses nothing and doubles nothing:
what was written is taken up again, and batches behind it change the same alarms the same way.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray

from twin.errors import Retryable
from twin.monitor.alarm_sources import SourceWatch
from twin.monitor.patience import patiently
from twin.monitor.ports import AlarmStore, OperatorActions
from twin.plant.tree import Level, Plant
from twin.samples import SampleBatch
from twin.state.alarm_book import AlarmBook
from twin.state.alarm_document import scope_document
from twin.state.alarm_memory import rest, restored
from twin.state.alarm_model import Action, ActionKind, AlarmKind, AlarmTransition, RiskLevel, Verdict
from twin.state.alarm_policy import AlarmPolicy
from twin.state.alarm_rules import GATEWAYS, Rules
from twin.state.alarm_watch import LimitWatch
from twin.state.model import Finding
from twin.state.twin import TwinState
from twin.wire import topic
from twin.wire.backoff import Backoff

_log = logging.getLogger(__name__)

GRACE_S = 3.0  # a sample may be so long on its way: time passes for alarms only so far behind the clock
PUBLISH_EVERY_S = 0.2
_TRY_AGAIN_S = 1.0

Send = Callable[[str, bytes], Awaitable[bool]]


class Learning(NamedTuple):
    """What operators teach the detectors."""

    new_normal: Callable[[Action], Awaitable[None]]
    called_false: Callable[[str, str], Awaitable[None]]  # signal path, detector: of its newest finding


class AlarmDesk:
    """One plant's alarms. `restore` first, then `settle` per batch and `tick` per second."""

    def __init__(
        self, plant: Plant, signal_ids: Mapping[str, int], policy: AlarmPolicy, store: AlarmStore, send: Send
    ) -> None:
        self._rules = Rules(plant, policy)
        self._signal_ids, self._store, self._send = signal_ids, store, send
        self._lock = asyncio.Lock()  # one writer, one step at a time
        self._scopes = [asset.path for asset in plant.assets if asset.level in {Level.SITE, Level.AREA}] + [GATEWAYS]
        self._unshown: set[str] = set(self._scopes)
        self._wake = asyncio.Event()
        self._told: list[AlarmTransition] = []
        self._heard: dict[str, Mapping[str, Any]] | None = {}  # health by node until the book is there
        self.seq: int = 0  # the last batch that is in the book
        self._take_book(AlarmBook(self._rules))

    async def restore(self) -> None:
        """Go on from what was written last."""
        kept = await patiently(self._store.load)
        self._take_book(restored(self._rules, kept.states, kept.rest))
        self.seq = kept.seq

    async def begin(self, state: TwinState, findings: Iterable[Finding], now_ns: int) -> None:
        """After the replay: end what has no rule any more; agree with what is open in the state and with `findings`."""
        async with self._lock:
            self._told += self.book.retire(now_ns)
            self._told += self._sources.reconcile([*state.findings.values(), *findings], now_ns)
            self._sources.start(now_ns)
            for node, health in (self._heard or {}).items():
                self._told += self._sources.gateway(node, health, now_ns)
            self._heard = None
            await self._keep()

    def newest(self, state: TwinState, batch: SampleBatch) -> NDArray[np.int64]:
        """[len(batch)] the newest time of each row's signal; to be asked before the batch is judged."""
        times = state.blocks.exact["time"]
        return times[np.clip(batch.signal, 0, len(times) - 1)] if len(times) else np.zeros(len(batch), np.int64)

    async def settle(
        self, seq: int, batch: SampleBatch, newest_before: NDArray[np.int64], findings: tuple[Finding, ...]
    ) -> None:
        """One judged batch; one that is in the book already changes nothing."""
        if seq <= self.seq:
            return
        async with self._lock:
            for rule, samples in self._watch.concerned(batch, newest_before):
                self._told += self.book.judge(rule, samples)
            for finding in findings:
                self._told += self._sources.finding(finding)
            self.seq = seq
            await self._keep()

    async def hear(self, node: str, health: Mapping[str, Any], now_ns: int) -> None:
        """A gateway has reported; written at the next tick, for the broker keeps the report."""
        if self._heard is not None:
            self._heard[node] = health
            return
        async with self._lock:
            self._told += self._sources.gateway(node, health, now_ns)

    async def assess(self, levels: list[RiskLevel]) -> None:
        """The risk models have spoken."""
        async with self._lock:
            for level in levels:
                self._told += self._sources.risk(level)
            await self._keep()

    async def tick(self, state: TwinState, now_ns: int) -> None:
        """Time has passed."""
        async with self._lock:
            self._told += self.book.advance(now_ns - round(GRACE_S * 1e9))
            self._told += self._sources.silence(state, now_ns)
            await self._keep()

    async def follow(self, actions: OperatorActions, learning: Learning) -> None:
        """Do what operators ask for, each as soon as it is kept; never returns."""
        backoff = Backoff(most_s=5.0)
        while True:
            try:
                async with aclosing(actions.follow(self.book.action)) as following:
                    async for action in following:
                        backoff.reset()
                        await self._act(action, learning)
            except Retryable as away:
                if backoff.fresh:
                    _log.warning("operators' actions wait: %s", away)
            await backoff.wait()

    async def publish(self, clock: Callable[[], int]) -> None:
        """Show what has changed, each scope at most every `PUBLISH_EVERY_S`; never returns."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            failed = [scope for scope in sorted(self._unshown) if not await self._show(scope, clock())]
            self._unshown = {*failed, *self._unshown} if failed else self._unshown
            await asyncio.sleep(_TRY_AGAIN_S if failed else PUBLISH_EVERY_S)
            if self._unshown:
                self._wake.set()

    def show_all(self) -> None:
        """Every scope is to be shown, also those without an alarm."""
        self._unshown.update(self._scopes)
        self._wake.set()

    async def _act(self, action: Action, learning: Learning) -> None:
        if action.id > self.book.action:
            if action.kind is ActionKind.NEW_NORMAL:
                await learning.new_normal(action)
            elif (false := called_false(self.book, action)) is not None:
                await learning.called_false(*false)
        async with self._lock:
            self._told += self.book.act(action)
            await self._keep(always=True)

    async def _keep(self, *, always: bool = False) -> None:
        """Write what has changed since the last write; nothing has, mostly."""
        if not (self.book.changed or self._told or always):
            return
        changed = self.book.take_changed()
        alarms = [(rule, state) for state in changed if (rule := self._rules.known(state.key))]
        told, self._told = self._told, []
        kept, seq = rest(self.book), self.seq
        await patiently(lambda: self._store.write(seq, alarms, told, kept))
        for rule, state in alarms:
            self._watch.note(state)
            self._unshown.add(rule.scope)
        if always:
            self._unshown.update(self._scopes)
        self._wake.set()

    async def _show(self, scope: str, now_ns: int) -> bool:
        self._unshown.discard(scope)
        found = [(self._rules.known(state.key), state) for state in self.book.alarms.values()]
        here = [(rule, state) for rule, state in found if rule.scope == scope]
        document = scope_document(scope, here, self.book.action, now_ns)
        return await self._send(topic.alarms(scope), orjson.dumps(document))

    def _take_book(self, book: AlarmBook) -> None:
        self.book: AlarmBook = book
        self._watch = LimitWatch(self._rules, self._signal_ids)
        self._sources = SourceWatch(book, self._signal_ids)
        for state in book.alarms.values():
            self._watch.note(state)


def called_false(book: AlarmBook, action: Action) -> tuple[str, str] | None:
    """The signal and detector whose newest finding this action calls false; None when it says anything else."""
    try:
        state = book.alarms.get(UUID(action.target))
    except ValueError:
        return None
    if action.kind is not ActionKind.VERDICT or action.detail.get("verdict") != Verdict.FALSE or state is None:
        return None
    kind, source, name = state.key.split("|")
    newest = int(action.detail.get("occurrence") or state.occurrence) == state.occurrence > 0
    return (source, name) if kind == AlarmKind.ANOMALY and newest else None
