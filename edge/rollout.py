"""An agent whose configuration may come signed over the command topic: checked, tried out, kept or rolled back.

In: bundles (`edge.bundle`) from the uplink or the inbox, and what the sources count. Out: which configuration is in
force, and what became of the newest one in the health report.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from edge.agent import run_agent
from edge.bundle import Bundle, opened
from edge.config import AgentSettings
from edge.desired_settings import DesiredSettings
from edge.desired_store import DesiredStore, folder_of
from edge.probation import Look, before, complaint, look
from edge.sources.source import SourceStatus
from twin.errors import ConfigError, Rejected

logger = logging.getLogger(__name__)

_LOOK_S = 0.5


async def run_managed(
    config: Path, settings: AgentSettings, *, before_reading: Callable[[], object] = lambda: None
) -> None:
    """Run the agent under whatever configuration is in force, until cancelled.

    Args:
        config: the administrator's file.
        settings: what it says; must have `desired`.
        before_reading: see `run_agent`.

    Raises:
        ConfigError: the configuration in force cannot be used.
    """
    store = DesiredStore(config, folder_of(config, settings))
    while True:
        in_force = store.begin()
        if in_force.desired is None:
            raise ConfigError(f"{store.path()}: desired is missing; add it, or remove {store.folder}")
        rollout = Rollout(store, in_force, in_force.desired)
        try:
            await _run(in_force, rollout, before_reading)
        except* ConfigError as errors:
            if store.state.status != "probation":
                raise
            store.roll_back(_first(errors))


async def _run(settings: AgentSettings, rollout: "Rollout", before_reading: Callable[[], object]) -> None:
    """Until another configuration is in force."""
    turned = asyncio.create_task(rollout.turned.wait(), name="rollout turned")
    agent = asyncio.create_task(run_agent(settings, before_reading=before_reading, rollout=rollout), name="agent")
    try:
        await asyncio.wait([agent, turned], return_when=asyncio.FIRST_COMPLETED)
    finally:
        turned.cancel()
        agent.cancel()
        await asyncio.wait([agent, turned])
    if not agent.cancelled():
        agent.result()


class Rollout:
    """What goes on beside one run of the agent.

    Args:
        store: the configurations on disk.
        settings: what the agent runs under now.
        desired: its `desired` section.
        clock_s: monotonic seconds.
    """

    def __init__(
        self,
        store: DesiredStore,
        settings: AgentSettings,
        desired: DesiredSettings,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._settings = settings
        self._desired = desired
        self._clock_s = clock_s
        self._begun_s = clock_s()
        self._looks: deque[Look] = deque()
        self._offered: bytes | None = None
        self._refused: Rejected | None = None
        self.turned: asyncio.Event = asyncio.Event()  # another configuration is in force

    def offer(self, payload: bytes) -> None:
        """A bundle has come; it is looked at when there is time, the newest only."""
        self._offered = payload

    def told(self) -> dict[str, object]:
        """For the health report."""
        state = self._store.state
        return {
            "serial": state.serial,
            "status": state.status,
            "detail": state.detail,
            "refused": str(self._refused or ""),
        }

    def warnings(self) -> list[str]:
        """What of it needs a person."""
        state = self._store.state
        found: list[str] = []
        if self._refused is not None and self._refused.reason != "old-serial":  # the broker may hold one for ever
            found.append(f"a configuration was refused: {self._refused}")
        if state.status in ("rolled-back", "refused"):
            found.append(f"configuration {state.serial} was {state.status.replace('-', ' ')}: {state.detail}")
        return found

    async def watch(self, statuses: Callable[[], Iterable[SourceStatus]]) -> None:
        """Judge the probation, else look at what was offered; for ever."""
        while True:
            now_s = self._clock_s()
            self._looks.append(look(statuses(), now_s))
            while len(self._looks) > 2 and now_s - self._looks[1].at_s >= self._desired.probation_s / 2:
                self._looks.popleft()
            if self._store.state.status == "probation":
                self._judge(now_s)
            elif now_s - self._begun_s >= self._desired.probation_s / 2 and (payload := self._next()) is not None:
                await self._consider(payload)  # not sooner: it has to be known what the present one brings
            await asyncio.sleep(_LOOK_S)

    def _next(self) -> bytes | None:
        payload, self._offered = self._offered, None
        if payload is None and self._store.inbox.exists():
            payload = self._store.inbox.read_bytes()
            self._store.inbox.unlink()
        return payload

    def _judge(self, now_s: float) -> None:
        if now_s - self._begun_s < self._desired.probation_s:
            return
        worse = complaint(self._store.state.before, self._looks)
        if not worse:
            self._store.accept()
            return
        self._store.roll_back(worse)
        self.turned.set()

    async def _consider(self, payload: bytes) -> None:
        try:
            bundle = opened(payload, self._desired.public_key)
            if not is_news(bundle, self._store, self._settings.node):
                return
        except Rejected as error:
            self._refused = error
            logger.error("a configuration is refused: %s", error)
            return
        self._refused = None
        try:
            staged = await asyncio.to_thread(self._store.stage, bundle)
            if problem := unfit(staged, self._settings):
                raise ConfigError(problem)
        except (ConfigError, OSError) as error:
            logger.error("configuration %d is refused: %s", bundle.serial, error)
            self._store.conclude(bundle, "refused", str(error))
            return
        if staged.revision == self._settings.revision:
            logger.info("configuration %d is the one in force", bundle.serial)
            self._store.conclude(bundle, "unchanged", "it is the one that was in force")
            return
        logger.info("configuration %d is tried out for %g s", bundle.serial, self._desired.probation_s)
        self._store.try_out(bundle, before(self._looks, bundle.least_share))
        self.turned.set()


def is_news(bundle: Bundle, store: DesiredStore, node: str) -> bool:
    """Whether a bundle is still to be decided on; False when it was already.

    Raises:
        Rejected: it is for another node, or older than what was decided on.
    """
    state = store.state
    if bundle.node != node:
        raise Rejected("other-node", f"configuration {bundle.serial} is for node {bundle.node}, this is {node}")
    if bundle.fingerprint == state.fingerprint:
        return False
    if bundle.serial <= state.serial:
        raise Rejected("old-serial", f"configuration {bundle.serial} is not newer than {state.serial}")
    return True


def unfit(wanted: AgentSettings, present: AgentSettings) -> str:
    """Why a sound configuration cannot be this node's; empty when it can."""
    if wanted.node != present.node:
        return f"node: the configuration is for {wanted.node}, this is {present.node}; sign the right file"
    if wanted.desired is None:
        return "desired: is missing, so that no other configuration could ever follow; add it with the public key"
    if wanted.spool.path != present.spool.path:
        return f"spool.path: what waits in {present.spool.path} would stay there; leave it as it is"
    return ""


def _first(errors: BaseExceptionGroup[ConfigError]) -> str:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)
