"""The show hop's inlet: the twin's retained live documents, from the broker onto the board.

In: `fabriquay/1/_twin/state/#`, `gateway/+` and `alarms/#`. Out: the board, and the feed's own status. When the broker
is away or `run` says nothing, the board is aged: a value never looks fresher than it is.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from api.board import Board, Noun
from api.metrics import Metrics
from api.settings import LiveLimits
from twin.errors import Rejected, Retryable
from twin.wire import topic
from twin.wire.backoff import Backoff
from twin.wire.mqtt import BrokerSettings, Client, Message, connect

log = logging.getLogger(__name__)

WATCH_EVERY_S = 0.5
LONGEST_PAUSE_S = 5.0  # between attempts to connect; people look at the page while the broker restarts
LAST_KNOWN = "What is shown is the last known state."
_STATES = f"{topic.LIVE}/state/"
_GATEWAYS = f"{topic.LIVE}/gateway/"
_ALARMS = f"{topic.LIVE}/alarms/"


class FeedStatus(StrEnum):
    """How far the live documents can be trusted."""

    STARTING = "starting"  # connected a moment ago, nothing heard yet
    LIVE = "live"
    SILENT = "silent"  # connected, but nobody publishes
    DISCONNECTED = "disconnected"  # from the broker


class LiveFeed:
    """Follows the topics for ever; `clock` is nanoseconds UTC."""

    def __init__(
        self,
        board: Board,
        broker: BrokerSettings,
        limits: LiveLimits,
        metrics: Metrics,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._board: Board = board
        self._broker: BrokerSettings = broker
        self._limits: LiveLimits = limits
        self._metrics: Metrics = metrics
        self._clock: Callable[[], int] = clock
        self._connected: bool = False
        self._connected_ns: int = clock()  # or when we began to try
        self._heard_ns: int = 0  # 0 = never
        self._aged: bool = False
        self._reported: set[str] = set()
        self._trouble: str = "not connected to the broker yet"

    @property
    def connected(self) -> bool:
        """Whether the subscription stands."""
        return self._connected

    @property
    def trouble(self) -> str:
        """Why it does not."""
        return self._trouble

    def status(self) -> FeedStatus:
        """How far the live documents can be trusted now."""
        if not self._connected:
            return FeedStatus.DISCONNECTED
        if self._recent(self._heard_ns):
            return FeedStatus.LIVE
        return FeedStatus.STARTING if self._recent(self._connected_ns) else FeedStatus.SILENT

    def describe(self) -> dict[str, Any]:
        """The status as the clients read it."""
        return {
            "at": _rfc3339(self._clock()),
            "status": self.status().value,
            "heard_at": _rfc3339(self._heard_ns) if self._heard_ns else None,
            "explanation": self._explanation(),
        }

    async def run(self) -> None:
        """Follow and watch until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(), name="live feed")
            tasks.create_task(self._watch(), name="live feed watch")

    async def _follow(self) -> None:
        backoff = Backoff(most_s=LONGEST_PAUSE_S)
        while True:
            try:
                async with connect(self._broker, client_id=f"fabriquay-api-{secrets.token_hex(5)}") as client:
                    client.subscribe_nowait(
                        [(one, 1) for one in (topic.ALL_STATES, topic.ALL_GATEWAYS, topic.ALL_ALARMS)]
                    )
                    self._up()
                    backoff.reset()
                    await self._read(client)
            except Retryable as error:
                self._down(str(error))
            await backoff.wait()

    async def _read(self, client: Client) -> None:
        async for message in client.messages():
            self.take(message)

    def take(self, message: Message) -> None:
        """Put one message on the board; what cannot be used is counted, and logged once per topic."""
        noun, key = _about(message.topic)
        try:
            if len(message.payload) > self._limits.max_document_bytes:
                raise Rejected("too-large", f"{message.topic}: {len(message.payload)} bytes")
            made_at = self._board.put(noun, key, message.payload)
        except Rejected as error:
            self._metrics.rejected.labels(error.reason).inc()
            if message.topic not in self._reported:
                self._reported.add(message.topic)
                log.warning("live document rejected: %s", error)
            return
        self._metrics.documents.inc()
        self._hear(made_at, retained=message.retain)

    def _hear(self, made_at: datetime | None, *, retained: bool) -> None:
        """A retained document is as old as it says; a fresh one is a sign of life now."""
        now_ns = self._clock()
        heard_ns = now_ns if not retained else int(made_at.timestamp() * 1e9) if made_at else 0
        self._heard_ns = max(self._heard_ns, min(heard_ns, now_ns))
        self._metrics.feed_heard.set(self._heard_ns / 1e9)
        if not retained:
            self._aged = False

    async def _watch(self) -> None:
        while True:
            self._age_when_silent()
            await asyncio.sleep(WATCH_EVERY_S)

    def _age_when_silent(self) -> None:
        """Nothing new comes: from here on nothing may look live. Also when the api starts on old retained documents."""
        if self._recent(self._heard_ns) or self._recent(self._connected_ns) or self._aged:
            return
        self._aged = True
        self._board.age(datetime.fromtimestamp(self._clock() / 1e9, UTC), self._explanation())
        log.warning("the live feed is silent: %s", self._explanation())

    def _explanation(self) -> str:
        since = f"since {_rfc3339(self._heard_ns)}" if self._heard_ns else "yet"
        match self.status():
            case FeedStatus.LIVE:
                return "The twin publishes."
            case FeedStatus.STARTING:
                return "Connected a moment ago; waiting for the twin to publish."
            case FeedStatus.SILENT:
                return f"The twin has published nothing {since}: look at `twin run`. {LAST_KNOWN}"
            case FeedStatus.DISCONNECTED:
                return f"No connection to the broker ({self._trouble}); nothing heard {since}. {LAST_KNOWN}"

    def _recent(self, at_ns: int) -> bool:
        return self._clock() - at_ns <= self._limits.silent_after_s * 1e9

    def _up(self) -> None:
        self._connected, self._connected_ns = True, self._clock()
        self._metrics.feed_up.set(1)
        log.info("live feed connected to %s:%d", self._broker.host, self._broker.port)

    def _down(self, why: str) -> None:
        first = self._connected or why != self._trouble
        self._connected, self._trouble = False, why
        self._metrics.feed_up.set(0)
        if first:
            log.warning("live feed disconnected: %s", why)


def _about(name: str) -> tuple[Noun, str]:
    if name.startswith(_GATEWAYS):
        return Noun.GATEWAY, name.removeprefix(_GATEWAYS)
    if name.startswith(_ALARMS):
        return Noun.ALARMS, name.removeprefix(_ALARMS)
    return Noun.ASSET, name.removeprefix(_STATES)


def _rfc3339(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
