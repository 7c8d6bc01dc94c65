"""The desk that takes scenarios: a bounded queue, one simulation at a time in a thread, answers kept by id.

In: scenario documents. Out: jobs with progress, then answers. What runs is bounded beforehand by an estimate of its
events; answers are kept in memory, the newest `KEPT`.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from api.errors import ProblemError
from twin.errors import ConfigError, Retryable
from twin.plant.tree import Plant
from twin.whatif.analytic import most_events
from twin.whatif.answer import Answer, answer, changed_case
from twin.whatif.build import Setting
from twin.whatif.scenario import ScenarioText

log = logging.getLogger(__name__)

KEPT = 64
MOST_WAITING = 8
MOST_EVENTS = 2_000_000_000  # about five minutes on one core

Surroundings = Callable[[ScenarioText], Awaitable[tuple[Setting, str]]]


@dataclass(slots=True)
class Job:
    """One scenario on its way."""

    id: str
    text: ScenarioText
    asked_at: datetime
    state: str = "waiting"  # waiting, running, done, failed
    done: int = 0  # replications, of base case and scenario
    total: int = 0
    seconds: float = 0.0
    detail: str = ""
    answer: Answer | None = field(default=None, repr=False)


class _StoppedError(Exception):
    """The api ends; nobody waits for the rest."""


class Desk:
    """All jobs of this process."""

    def __init__(self, plant: Plant, surroundings: Surroundings) -> None:
        self._plant: Plant = plant
        self._surroundings: Surroundings = surroundings
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._queue: asyncio.Queue[Job] = asyncio.Queue(MOST_WAITING)
        self._stopping: bool = False

    def jobs(self) -> list[Job]:
        """Every job that is kept, newest first."""
        return list(reversed(self._jobs.values()))

    def job(self, identity: str) -> Job | None:
        """The job with this id."""
        return self._jobs.get(identity)

    def submit(self, text: ScenarioText) -> Job:
        """Take a scenario; a problem when it cannot be simulated, is too much work, or too many wait."""
        self._check(text)
        job = Job(uuid4().hex, text, datetime.now(UTC), total=2 * text.replications)
        try:
            self._queue.put_nowait(job)
        except asyncio.QueueFull:
            raise ProblemError(
                503,
                "too-many-scenarios",
                f"{MOST_WAITING} scenarios wait already",
                do="try again when one of them is done; GET /v1/scenarios lists them",
                headers={"Retry-After": "10"},
            ) from None
        self._jobs[job.id] = job
        while len(self._jobs) > KEPT:
            self._jobs.popitem(last=False)
        return job

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                await self._one(await self._queue.get())
        finally:
            self._stopping = True

    async def _one(self, job: Job) -> None:
        job.state = "running"
        started_s = time.monotonic()
        try:
            setting, trust = await self._surroundings(job.text)
            job.answer = await asyncio.to_thread(self._simulate, job, setting, trust)
            job.state = "done"
        except (ConfigError, Retryable) as error:
            job.state, job.detail = "failed", str(error)
        job.seconds = time.monotonic() - started_s

    def _simulate(self, job: Job, setting: Setting, trust: str) -> Answer:
        def told(done: int, total: int) -> None:
            job.done, job.total = done, total
            if self._stopping:
                raise _StoppedError

        return answer(self._plant, job.text, setting, trust=trust, progress=told)

    def _check(self, text: ScenarioText) -> None:
        setting = Setting(text.start_at or datetime.now(UTC), text.horizon_s)
        try:
            flow = changed_case(self._plant, text, setting)
        except ConfigError as error:
            raise ProblemError(422, "unknown-in-scenario", str(error), do="correct the scenario") from error
        events = 2 * text.replications * most_events(flow, text.horizon_s)
        if events > MOST_EVENTS:
            fewer = max(int(text.replications * MOST_EVENTS / events), 10)
            raise ProblemError(
                422,
                "too-much-work",
                f"the scenario needs about {events:.2g} events, at most {MOST_EVENTS:.2g} are allowed",
                do=f"ask for about {fewer} replications or a shorter horizon, or run it with `twin whatif`",
            )
