"""The hub: one board, many live clients, each gets the latest of what it asked for at its own pace.

In: the board and the feed's status. Out: text frames. A client has a cursor and never a queue: when it is slow, its
next frame holds the newest document of everything that changed meanwhile. Frames leave on a common grid of ticks, so
clients with equal filters share one serialised frame. A frame says how many publications of the board it merges.
"""

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from api.board import Board, Noun
from api.metrics import Metrics
from api.settings import LiveLimits
from api.view import View

log = logging.getLogger(__name__)

REMEMBERED = 4096  # publications whose number is known: seven minutes of ticks with changes
SHARED_FRAMES = 64  # kept per tick; clients that lag at more than so many different cursors build their own
DEFAULT_INTERVAL_MS = 100
NOTHING_SENT = -1

SendText = Callable[[str], Awaitable[None]]


class FeedReport(Protocol):
    """What the hub asks of the live feed."""

    def status(self) -> str:
        """One word, asked for at every tick."""
        ...

    def describe(self) -> dict[str, Any]:
        """The whole report for the heartbeat."""
        ...


class NoPlaceError(Exception):
    """No place for another client."""


@dataclass(slots=True, eq=False)
class Pace:
    """The clients of one interval; they wake together."""

    ticks: int
    clients: "set[Client]" = field(default_factory=lambda: set())
    due: int = 0  # the next tick to wake at
    seen: int = NOTHING_SENT  # what was published at the last waking

    def due_at(self, tick: int, published: int) -> bool:
        """Whether the clients are to wake at this tick; keeps the grid when ticks were missed."""
        if tick < self.due or published == self.seen:
            return False
        self.due = tick - tick % self.ticks + self.ticks
        self.seen = published
        return True


class Client:
    """One connection: its view, its pace, and how far it has been served."""

    def __init__(self, hub: "Hub", send: SendText) -> None:
        self.view: View = View()
        self.interval_ms: int = DEFAULT_INTERVAL_MS
        self.wake: asyncio.Event = asyncio.Event()
        self.sending_since_s: float | None = None
        self.dropped: bool = False
        self._hub: Hub = hub
        self._send: SendText = send
        self._cursor: int = NOTHING_SENT
        self._beat: int = hub.beat

    @property
    def id(self) -> str:
        """How far it has been served, to go on from there."""
        return self._hub.frame_id(self._cursor)

    def subscribe(self, view: View, interval_ms: int, after: str | None = None) -> None:
        """Change what is seen and how often; the next frame is a full one, unless it can go on behind frame `after`."""
        self._hub.repace(self, interval_ms)
        self.view, self._cursor = view, self._hub.cursor_of(after)
        self.wake.set()

    async def run(self) -> None:
        """Serve until the connection goes or this task is cancelled."""
        await self._deliver(self._hub.hello)
        self.wake.set()
        while True:
            await self.wake.wait()
            self.wake.clear()
            if self._beat != self._hub.beat:
                self._beat = self._hub.beat
                await self._deliver(self._hub.heartbeat)
            await self._catch_up()

    async def _catch_up(self) -> None:
        reached = self._hub.published
        if self._cursor == reached:
            return
        frame = self._hub.frame(self.view, self._cursor)
        self._cursor = reached
        if frame is not None:
            await self._deliver(frame)

    async def _deliver(self, frame: str) -> None:
        self.sending_since_s = self._hub.now_s
        await self._send(frame)
        self.sending_since_s = None
        self._hub.count(frame)


class Hub:
    """The clients, the ticker that wakes them, and the frames that they share."""

    def __init__(self, board: Board, feed: FeedReport, limits: LiveLimits, metrics: Metrics, revision: str) -> None:
        self.published: int = board.cursor  # the board's cursor at the last tick
        self.beat: int = 0
        self.heartbeat: str = ""
        self.now_s: float = 0.0
        self.metrics: Metrics = metrics
        self.origin: str = secrets.token_hex(4)  # cursors count the changes of this process
        self.hello: str = _text({"type": "hello", "format": 1, "revision": revision, "tick_ms": limits.tick_ms})
        self._board: Board = board
        self._feed: FeedReport = feed
        self._limits: LiveLimits = limits
        self._clients: dict[Client, asyncio.Task[Any] | None] = {}
        self._paces: dict[int, Pace] = {}
        self._frames: dict[tuple[View, int], str | None] = {}
        self._numbers: OrderedDict[int, int] = OrderedDict({self.published: 0})  # of the latest publications, by cursor
        self._status: str = ""
        self._next_beat_s: float = 0.0
        self._sent: int = 0  # frames since the last tick: a step of a Prometheus counter is dear
        self._sent_characters: int = 0

    @contextmanager
    def join(self, send: SendText) -> Generator[Client]:
        """A place among the clients.

        Raises:
            NoPlaceError: when all places are taken.
        """
        if len(self._clients) >= self._limits.max_clients:
            raise NoPlaceError(f"all {self._limits.max_clients} live places are taken; try again later")
        client = Client(self, send)
        self._clients[client] = None
        self._pace(client.interval_ms).clients.add(client)
        self.metrics.clients.set(len(self._clients))
        try:
            yield client
        finally:
            del self._clients[client]
            self._leave(client)
            self.metrics.clients.set(len(self._clients))

    async def serve(self, client: Client) -> None:
        """Send to a client until it goes or stops reading; returns in the latter case."""
        task = asyncio.ensure_future(client.run())
        self._clients[client] = task
        try:
            await task
        except asyncio.CancelledError:
            if not client.dropped:
                raise
        finally:
            task.cancel()

    def repace(self, client: Client, interval_ms: int) -> None:
        """Move a client to another interval."""
        self._leave(client)
        client.interval_ms = interval_ms
        self._pace(interval_ms).clients.add(client)

    async def run(self) -> None:
        """Wake the clients on the grid of ticks, for ever."""
        loop = asyncio.get_running_loop()
        tick_s = self._limits.tick_ms / 1_000
        tick = 0
        while True:
            tick = max(tick + 1, int(loop.time() / tick_s))  # timers may ring a little early: never the same tick twice
            await asyncio.sleep(tick * tick_s - loop.time())
            self.now_s = loop.time()
            self._tick(tick)

    def frame(self, view: View, after: int) -> str | None:
        """What changed in a view after a cursor, as text; None when nothing did."""
        key = (view, after)
        if key in self._frames:
            return self._frames[key]
        frame = self._build(view, after)
        if len(self._frames) < SHARED_FRAMES:
            self._frames[key] = frame
        return frame

    def frame_id(self, cursor: int) -> str:
        """The name of a cursor outside this process."""
        return f"{self.origin}.{cursor}"

    def cursor_of(self, frame_id: str | None) -> int:
        """The cursor of that name; of a name that this process has not given, none: the next frame is a full one."""
        origin, _, cursor = (frame_id or "").partition(".")
        known = origin == self.origin and cursor.isdecimal() and int(cursor) <= self.published
        return int(cursor) if known else NOTHING_SENT

    def count(self, frame: str) -> None:
        """Note one frame as sent."""
        self._sent += 1
        self._sent_characters += len(frame)

    def _tick(self, tick: int) -> None:
        if self._sent:
            self.metrics.frames.inc(self._sent)
            self.metrics.frame_characters.inc(self._sent_characters)
            self._sent = self._sent_characters = 0
        if self.published != self._board.cursor:
            number = self._numbers[self.published] + 1
            self.published = self._board.cursor
            self._numbers[self.published] = number
            if len(self._numbers) > REMEMBERED:
                self._numbers.popitem(last=False)
            self._frames.clear()
        self._beat_when_due()
        for pace in self._paces.values():
            if pace.due_at(tick, self.published):
                for client in pace.clients:
                    client.wake.set()

    def _beat_when_due(self) -> None:
        status = self._feed.status()
        if self.now_s < self._next_beat_s and status == self._status:
            return
        self._status = status
        self._next_beat_s = self.now_s + self._limits.heartbeat_s
        self.heartbeat = _text({"type": "heartbeat", **self._feed.describe()})
        self.beat += 1
        for client in self._clients:
            client.wake.set()
            self._drop_when_stuck(client)

    def _drop_when_stuck(self, client: Client) -> None:
        since = client.sending_since_s
        task = self._clients[client]
        if since is None or task is None or client.dropped or self.now_s - since < self._limits.send_timeout_s:
            return
        client.dropped = True
        task.cancel()
        self.metrics.dropped.inc()
        log.warning("dropped a live client that read nothing for %.0f s", self.now_s - since)

    def _build(self, view: View, after: int) -> str | None:
        full = after == NOTHING_SENT
        states: list[bytes] = []
        gateways: list[bytes] = []
        alarms: list[bytes] = []
        removed: list[str] = []
        for entry in self._board.changed_after(0 if full else after):
            if not view.wants(entry):
                continue
            if entry.payload is None:
                removed.append(f"{entry.noun}/{entry.key}")
            else:
                found = {Noun.ASSET: states, Noun.GATEWAY: gateways, Noun.ALARMS: alarms}[entry.noun]
                found.append(view.rendered(entry))
        if not full and not (states or gateways or alarms or removed):
            return None
        self.metrics.built.inc()
        gone = b"" if full else orjson.dumps(removed)[1:-1]
        head = {
            "type": "states",
            "id": self.frame_id(self.published),
            "full": full,
            "merged": self._numbers[self.published] - self._numbers[after] if after in self._numbers else None,
        }
        return b"".join(
            (
                orjson.dumps(head)[:-1],
                b',"states":[',
                b",".join(states),
                b'],"gateways":[',
                b",".join(gateways),
                b'],"alarms":[',
                b",".join(alarms),
                b'],"removed":[',
                gone,
                b"]}",
            )
        ).decode()

    def _pace(self, interval_ms: int) -> Pace:
        ticks = max(1, -(-interval_ms // self._limits.tick_ms))
        return self._paces.setdefault(ticks, Pace(ticks))

    def _leave(self, client: Client) -> None:
        pace = self._pace(client.interval_ms)
        pace.clients.discard(client)
        if not pace.clients:
            del self._paces[pace.ticks]


def _text(document: dict[str, Any]) -> str:
    return orjson.dumps(document).decode()
