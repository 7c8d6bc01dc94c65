"""What surrounds a scenario: the live state from the board, the past from the store, and the back-test's verdict.

In: a scenario. Out: the `Setting` to simulate from and one sentence on how far to trust it. Without a store the plant
model's own figures serve, and the sentence says so.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import orjson

from api.board import Board, Noun, instant
from api.errors import ProblemError
from api.store_link import StoreLink
from twin.errors import Retryable
from twin.plant.tree import Plant, Signal
from twin.store.connect import Store
from twin.whatif.answer import site_of
from twin.whatif.build import Chance, FaultRisk, Learnt, Now, Setting
from twin.whatif.calibrate import BackTest, History, back_test, learn, now_of, verdict
from twin.whatif.scenario import ScenarioText

LEARN_FROM = timedelta(days=14)  # states
CYCLES_FROM = timedelta(days=1)  # every value of them
TEST_SPAN = timedelta(hours=8)
_SECOND_NS = 1_000_000_000


Clock = Callable[[], datetime]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Surroundings:
    """Asks board and store."""

    def __init__(
        self, plant: Plant, board: Board, link: StoreLink, clock: Clock = _utc_now, risk: FaultRisk | None = None
    ) -> None:
        self._risk: FaultRisk | None = risk
        self._clock: Clock = clock
        self._plant: Plant = plant
        self._board: Board = board
        self._link: StoreLink = link

    async def __call__(self, text: ScenarioText) -> tuple[Setting, str]:
        """The setting of a scenario and what the back-test says."""
        now = self._clock()
        start_at = text.start_at or now
        if text.start == "plan":
            return Setting(start_at, text.horizon_s), "not asked: the scenario starts from the plant model"
        try:
            learnt = await self._learn(self._link.store, now)
            tests = await self._back_test(self._link.store, text, learnt, now)
        except (ProblemError, Retryable) as error:
            return Setting(start_at, text.horizon_s, now=self._now(now)), f"not yet: the store is away ({error})"
        at = now.isoformat(timespec="minutes").replace("+00:00", "Z")
        return Setting(start_at, text.horizon_s, learnt, self._now(now), self._chances()), verdict(tests, at)

    def _chances(self) -> dict[str, Chance]:
        found = {path: self._risk.chance(path) for path in self._plant.work} if self._risk else {}
        return {path: chance for path, chance in found.items() if chance is not None}

    def _now(self, now: datetime) -> dict[str, Now]:
        states: dict[str, Mapping[str, Any]] = {}
        ages: dict[str, float] = {}
        for entry in self._board.all(Noun.ASSET):
            if self._plant.has_asset(entry.key):
                document = orjson.loads(entry.rendered(signals=True))
                states[entry.key] = document
                machine: dict[str, Any] | None = document.get("machine_state")
                since = instant(machine.get("since")) if machine else None
                if since is not None:
                    ages[entry.key] = (now - since).total_seconds()
        return now_of(self._plant, states, ages)

    async def _learn(self, store: Store, now: datetime) -> dict[str, Learnt]:
        found: dict[str, Learnt] = {}
        start_ns, end_ns = _ns(now - LEARN_FROM), _ns(now)
        for path in self._plant.work:
            cycles = np.zeros(0)
            signal = _with_role(self._plant, path, "cycle-time")
            if signal is not None:
                number = await self._link.signal_id(signal.path)
                columns = await store.samples.series(number, _ns(now - CYCLES_FROM), end_ns)
                cycles = np.asarray(columns.value, np.float64)
            changes = await store.findings.transitions(path, start_ns, end_ns)
            states = [(one.at_ns / _SECOND_NS, one.category) for one in changes]
            found[path] = learn(self._plant, path, History(cycles, states, end_ns / _SECOND_NS))
        return found

    async def _back_test(
        self, store: Store, text: ScenarioText, learnt: Mapping[str, Learnt], now: datetime
    ) -> list[BackTest]:
        tests: list[BackTest] = []
        sites = [text.under] if text.under else list(dict.fromkeys(site_of(path) for path in self._plant.work))
        for site in sites:
            ends = await self._counted(store, site, now)
            if ends is None:
                continue
            began_at, real = ends
            span_s = (now - began_at).total_seconds()
            setting = Setting(began_at, span_s, learnt)
            tests.append(await asyncio.to_thread(back_test, self._plant, site, setting, real))
        return tests

    async def _counted(self, store: Store, under: str, now: datetime) -> tuple[datetime, float] | None:
        """(since when, things) that the outputs' own counters have counted in the last hours; None: nothing."""
        first_ns, total, seen = _ns(now), 0.0, False
        for path in self._outputs(under):
            signal = _with_role(self._plant, path, "good-count") or _with_role(self._plant, path, "move-count")
            if signal is None:
                continue
            number = await self._link.signal_id(signal.path)
            columns = await store.samples.series(number, _ns(now - TEST_SPAN), _ns(now))
            if len(columns) > 1:
                seen = True
                first_ns = min(first_ns, int(columns.time[0]))
                total += float(np.clip(np.diff(columns.value), 0, 1_000).sum())
        return (datetime.fromtimestamp(first_ns / _SECOND_NS, UTC), total) if seen else None

    def _outputs(self, under: str) -> list[str]:
        """The units whose counts are the throughput: quay cranes, and machines that feed nobody."""
        mine = [path for path in self._plant.work if f"{path}/".startswith(f"{under}/")]
        feeding = {link.source for link in self._plant.flow if link.target in mine}
        duties = {path: self._plant.work[path].duty for path in mine}
        return [p for p in mine if duties[p] == "quay-crane" or (duties[p] == "machine" and p not in feeding)]


def _with_role(plant: Plant, path: str, role: str) -> Signal | None:
    return next((one for one in map(plant.signal, plant.asset(path).signals) if one.role == role), None)


def _ns(at: datetime) -> int:
    return int(at.timestamp() * 1e6) * 1_000
