"""The desk that takes scenarios: questions and answers are in the store, one simulation at a time in a thread.

In: scenario documents. Out: rows with progress, then answers. Any number of api processes share one queue: whoever is
idle takes the oldest, holds it while it works, and a process that was killed loses it to the next. What runs is bounded
beforehand by an estimate of its events.
"""

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from pydantic import ValidationError

from api.errors import ProblemError
from api.history import Surroundings
from api.store_link import StoreLink
from twin.access.grants import By
from twin.errors import ConfigError, Retryable
from twin.plant.tree import Plant
from twin.store.connect import Store
from twin.store.scenarios import Claim, Scenario
from twin.whatif.analytic import most_events
from twin.whatif.answer import answer, changed_case, replications_of
from twin.whatif.back_test import Trust
from twin.whatif.build import Setting
from twin.whatif.scenario import ScenarioText
from twin.whatif.simulate import is_compiled
from twin.whatif.statement import Answer

log = logging.getLogger(__name__)

MOST_WAITING = 8
MOST_EVENTS = 2_000_000_000  # about five minutes on one core
MOST_ATTEMPTS = 3
HOLD_S = 30.0
TOLD_EVERY_S = 1.0
LOOKED_EVERY_S = 2.0  # for what other processes have taken

HISTORY = "reading the plant's history and testing the simulator on it"
COMPILING = "compiling the simulator, once"
SIMULATING = "simulating"


@dataclass(slots=True)
class _Job:
    """What this process works at; the simulation's thread counts in it."""

    claim: Claim
    started_s: float
    total: int = 0
    done: int = 0
    base_ns: int | None = None
    lost: bool = False  # another process has it, or this one ends

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started_s

    @property
    def phase(self) -> str:
        if not is_compiled():
            return COMPILING
        return SIMULATING if self.base_ns is not None else HISTORY


class _LostError(Exception):
    """Nobody waits for the rest any more."""


class Desk:
    """Takes questions; `run` answers them."""

    def __init__(self, plant: Plant, link: StoreLink) -> None:
        self._plant: Plant = plant
        self._link: StoreLink = link
        self._asked: asyncio.Event = asyncio.Event()

    async def take(self, store: Store, text: ScenarioText, by: By | None = None) -> Scenario:
        """Take a scenario that was checked; a problem when too many wait."""
        question = text.model_dump(mode="json", by_alias=True)
        taken = await store.scenarios.add(uuid4(), question, replications_of(text), MOST_WAITING, by)
        if taken is None:
            raise ProblemError(
                503,
                "too-many-scenarios",
                f"{MOST_WAITING} scenarios wait already",
                do="try again when one of them is done; GET /v1/scenarios lists them",
                headers={"Retry-After": "10"},
            )
        return taken

    def wake(self) -> None:
        """Say that a scenario was taken."""
        self._asked.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._link.opened()
            try:
                claim = await self._link.store.scenarios.claim(HOLD_S)
                if claim is not None:
                    await self._work(self._link.store, claim)
                    continue
            except (Retryable, ProblemError) as error:
                log.warning("scenarios wait for the store: %s", error)
            self._asked.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), LOOKED_EVERY_S)

    async def _work(self, store: Store, claim: Claim) -> None:
        job = _Job(claim, time.monotonic())
        if claim.attempt > MOST_ATTEMPTS:
            reason = f"{MOST_ATTEMPTS} processes ended while they simulated it; ask for less, and look into their logs"
            await store.scenarios.failed(claim, reason, 0.0)
            return
        telling = asyncio.create_task(self._tell(store, job), name=f"scenario {claim.id}")
        try:
            found = await self._answer(store, job)
        except (ConfigError, ValidationError) as error:
            await store.scenarios.failed(claim, str(error), job.seconds)
        except _LostError:
            log.warning("scenario %s was taken over by another process", claim.id)
        else:
            await store.scenarios.answered(claim, found.document(), job.base_ns or 0, job.seconds)
        finally:
            job.lost = True
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    async def _answer(self, store: Store, job: _Job) -> Answer:
        text = ScenarioText.model_validate(job.claim.question)
        job.total = replications_of(text)
        setting, trust = await Surroundings(self._plant, store)(text)
        job.base_ns = int(setting.start_at.timestamp()) * 1_000_000_000
        return await asyncio.to_thread(self._simulate, job, text, setting, trust)

    def _simulate(self, job: _Job, text: ScenarioText, setting: Setting, trust: Trust) -> Answer:
        def told(done: int, total: int) -> None:
            job.done, job.total = done, total
            if job.lost:
                raise _LostError

        return answer(self._plant, text, setting, trust=trust, progress=told)

    async def _tell(self, store: Store, job: _Job) -> None:
        """Say how far it is, and thereby hold it; a store that is away for longer than `HOLD_S` may give it away."""
        while not job.lost:
            with contextlib.suppress(Retryable):
                held = await store.scenarios.progress(
                    job.claim, job.done, max(job.total, 1), phase=job.phase, base_ns=job.base_ns, hold_s=HOLD_S
                )
                job.lost = not held
            await asyncio.sleep(TOLD_EVERY_S)

    def check(self, text: ScenarioText) -> None:
        """A problem when it cannot be simulated, or is too much work."""
        setting = Setting(text.start_at or datetime.now(UTC), text.horizon_s)
        try:
            flow = changed_case(self._plant, text, setting)
        except ConfigError as error:
            raise ProblemError(422, "unknown-in-scenario", str(error), do="correct the scenario") from error
        events = replications_of(text) * most_events(flow, text.horizon_s)
        if events > MOST_EVENTS:
            fewer = max(int(text.replications * MOST_EVENTS / events), 10)
            raise ProblemError(
                422,
                "too-much-work",
                f"the scenario needs about {events:.2g} events, at most {MOST_EVENTS:.2g} are allowed",
                do=f"ask for about {fewer} replications or a shorter horizon, or run it with `twin whatif`",
            )
