"""What surrounds a scenario: the live state, the past, the risk of faults, all from the store; and the back-test.

In: a scenario. Out: the `Setting` to simulate from and how far to trust it. Any process with a store gives the same.
"""

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from twin.plant.tree import Category, Plant, Signal
from twin.risk.statement import BELIEVED, Statement
from twin.store.connect import Store
from twin.whatif.back_test import BackTest, Trust, back_test, verdict
from twin.whatif.build import Chance, Learnt, Now, Setting
from twin.whatif.calibrate import History, learn
from twin.whatif.outcome import site_of
from twin.whatif.scenario import ScenarioText

LEARN_FROM = timedelta(days=14)  # states
CYCLES_FROM = timedelta(days=1)  # every value of them
TEST_SPAN = timedelta(hours=8)
LEVEL_HOLDS_S = 3_600.0  # an older buffer level says nothing of now
RISK_HOLDS_NS = 6 * 3_600_000_000_000  # statements come every hour
_SECOND_NS = 1_000_000_000


Clock = Callable[[], datetime]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Surroundings:
    """Asks the store."""

    def __init__(self, plant: Plant, store: Store, clock: Clock = _utc_now) -> None:
        self._plant: Plant = plant
        self._store: Store = store
        self._clock: Clock = clock

    async def __call__(self, text: ScenarioText) -> tuple[Setting, Trust]:
        """The setting of a scenario and what the back-test says."""
        now = self._clock()
        start_at = text.start_at or now
        if text.start == "plan":
            return Setting(start_at, text.horizon_s), Trust("not asked: the scenario starts from the plant model")
        setting = replace(await self.live(text.horizon_s, now), start_at=start_at)
        tests = await self._back_test(await self._store.plants.signal_ids(), text, setting.learnt, now)
        at = now.isoformat(timespec="minutes").replace("+00:00", "Z")
        return setting, Trust(verdict(tests, at), tuple(tests))

    async def live(self, horizon_s: float, now: datetime | None = None) -> Setting:
        """The plant as it is and as it was, from now on."""
        now = now or self._clock()
        ids = await self._store.plants.signal_ids()
        chances = chances_of(await self._store.risks.latest(), _ns(now), horizon_s)
        return Setting(now, horizon_s, await self._learn(ids, now), await self._now(ids, now), chances)

    async def _now(self, ids: Mapping[str, int], now: datetime) -> dict[str, Now]:
        """Who is down since when, how full each buffer is: the newest that is stored."""
        found: dict[str, Now] = {}
        for path, (since_s, category) in (await self._states(now)).items():
            if category == Category.OUT_OF_SERVICE:
                found[path] = Now(down_since_s=max(now.timestamp() - since_s, 0.0))
        levels = {
            ids[signal.path]: signal.asset
            for signal in self._plant.signals
            if signal.role == "buffer-level" and signal.path in ids
        }
        for number, last in (await self._store.samples.last(list(levels))).items():
            if now.timestamp() - last.time_ns / _SECOND_NS < LEVEL_HOLDS_S:
                path = levels[number]
                found[path] = replace(found.get(path, Now()), level=round(last.value))
        return found

    async def _states(self, now: datetime) -> dict[str, tuple[float, str]]:
        """Per unit since when (seconds since 1970) it is in which category."""
        changes = await self._store.risks.transitions(_ns(now - LEARN_FROM), _ns(now))
        return {path: (float(at_h[-1]) * 3600, category[-1]) for path, (at_h, category) in changes.items()}

    async def _learn(self, ids: Mapping[str, int], now: datetime) -> dict[str, Learnt]:
        found: dict[str, Learnt] = {}
        start_ns, end_ns = _ns(now - LEARN_FROM), _ns(now)
        for path in self._plant.work:
            cycles = np.zeros(0)
            signal = _with_role(self._plant, path, "cycle-time")
            if signal is not None and signal.path in ids:
                columns = await self._store.samples.series(ids[signal.path], _ns(now - CYCLES_FROM), end_ns)
                cycles = np.asarray(columns.value, np.float64)
            changes = await self._store.findings.transitions(path, start_ns, end_ns)
            states = [(one.at_ns / _SECOND_NS, one.category) for one in changes]
            found[path] = learn(self._plant, path, History(cycles, states, end_ns / _SECOND_NS))
        return found

    async def _back_test(
        self, ids: Mapping[str, int], text: ScenarioText, learnt: Mapping[str, Learnt], now: datetime
    ) -> list[BackTest]:
        tests: list[BackTest] = []
        sites = [text.under] if text.under else list(dict.fromkeys(site_of(path) for path in self._plant.work))
        for site in sites:
            ends = await self._counted(ids, site, now)
            if ends is None:
                continue
            began_at, real = ends
            span_s = (now - began_at).total_seconds()
            setting = Setting(began_at, span_s, learnt)
            tests.append(await asyncio.to_thread(back_test, self._plant, site, setting, real))
        return tests

    async def _counted(self, ids: Mapping[str, int], under: str, now: datetime) -> tuple[datetime, float] | None:
        """(since when, things) that the outputs' own counters have counted in the last hours; None: nothing."""
        first_ns, total, seen = _ns(now), 0.0, False
        for path in self._outputs(under):
            signal = _with_role(self._plant, path, "good-count") or _with_role(self._plant, path, "move-count")
            if signal is None or signal.path not in ids:
                continue
            columns = await self._store.samples.series(ids[signal.path], _ns(now - TEST_SPAN), _ns(now))
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


def chances_of(statements: Iterable[Statement], now_ns: int, horizon_s: float) -> dict[str, Chance]:
    """By unit the believed probability whose horizon is nearest to the scenario's; old statements say nothing."""
    found: dict[str, Chance] = {}
    for one in statements:
        believed = [risk for risk in one.risks if risk.p is not None and risk.basis in BELIEVED]
        if believed and now_ns - one.at_ns <= RISK_HOLDS_NS:
            nearest = min(believed, key=lambda risk: abs(math.log(risk.horizon_h * 3600 / horizon_s)))
            found[one.asset] = Chance(nearest.p or 0.0, nearest.horizon_h * 3600)
    return found
