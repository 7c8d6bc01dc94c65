"""Notification as a task of its own: it reads what is kept of alarms and never holds up the hot path.

In: wake-ups of the store and time. Out: messages, and a row for each that was sent, given up or withheld. A target that
fails is tried again with growing pauses until its message is an hour old; a kill in between may send one twice.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Protocol

from twin.errors import Retryable
from twin.notify.plan import OLDEST_NS, Notice, ShiftAt, Waiting, body_of, due, next_due_ns, title_of
from twin.notify.settings import NotifySettings
from twin.plant.tree import Plant
from twin.throughput.shifts import from_ns
from twin.wire.backoff import Backoff

_log = logging.getLogger(__name__)

_HOUR_NS = 3600 * 10**9
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 300.0
SENT = "sent"


class Notices(Protocol):
    """What is kept of alarms and of messages."""

    def wake_ups(self) -> AsyncGenerator[None]:
        """At the start, and whenever an alarm has changed or some time has passed; raises Retryable."""
        ...

    async def waiting(self, since_ns: int) -> Sequence[Waiting]:
        """The announced, unacknowledged, active alarms that were raised since."""
        ...

    async def note(self, notice: Notice, at_ns: int, outcome: str) -> None:
        """Keep what became of a message."""
        ...

    async def sent(self, target: str, since_ns: int) -> int:
        """How many messages a target has got since."""
        ...


class Sender(Protocol):
    """What delivers."""

    async def send(self, name: str, title: str, body: str) -> None: ...  # noqa: D102


class Notifier:
    """Sends what is due; remembers only when a failing target is tried again."""

    def __init__(
        self, settings: NotifySettings, notices: Notices, sender: Sender, shift_at: ShiftAt, clock: Callable[[], int]
    ) -> None:
        self._settings, self._notices, self._sender = settings, notices, sender
        self._shift_at, self._clock = shift_at, clock
        self._pauses: dict[str, tuple[int, float]] = {}  # target → (not before, pause) while it fails

    async def look(self) -> int | None:
        """Send everything that is due now; returns the instant at which to look again, None: when something changes."""
        now_ns = self._clock()
        longest_ns = max((round(route.after_min * 60e9) for route in self._settings.routes), default=0)
        waiting = await self._notices.waiting(now_ns - longest_ns - OLDEST_NS)
        by_target: dict[str, list[Notice]] = {}
        for notice in due(waiting, self._settings, now_ns, self._shift_at):
            by_target.setdefault(notice.target, []).append(notice)
        await asyncio.gather(*(self._to_target(target, found) for target, found in by_target.items()))
        retries = [not_before_ns for not_before_ns, _ in self._pauses.values()]
        upcoming = next_due_ns(waiting, self._settings, now_ns)
        return min([*retries, *([] if upcoming is None else [upcoming])], default=None)

    async def _to_target(self, target: str, notices: list[Notice]) -> None:
        not_before_ns, _ = self._pauses.get(target, (0, 0.0))
        if self._clock() < not_before_ns:
            return
        for notice in notices:
            now_ns = self._clock()
            if await self._notices.sent(target, now_ns - _HOUR_NS) >= self._settings.most_per_hour:
                outcome = f"withheld: more than {self._settings.most_per_hour} an hour"
            else:
                outcome = await self._deliver(notice, now_ns)
            if not outcome:
                return
            await self._notices.note(notice, now_ns, outcome)

    async def _deliver(self, notice: Notice, now_ns: int) -> str:
        """What became of it; empty when it is to be tried again."""
        target = notice.target
        try:
            await self._sender.send(target, title_of(notice), body_of(notice, self._settings.page, now_ns))
        except Retryable as error:
            pause_s = min(2 * self._pauses.get(target, (0, _FIRST_PAUSE_S / 2))[1], _LONGEST_PAUSE_S)
            if target not in self._pauses:
                _log.warning("%s", error)
            self._pauses[target] = self._clock() + round(pause_s * 1e9), pause_s
            if now_ns + round(pause_s * 1e9) >= notice.due_ns + OLDEST_NS:
                return f"given up: {error}"
            return ""
        if self._pauses.pop(target, None):
            _log.info("notification to %s works again", target)
        return SENT


async def run_notify(
    plant: Plant, settings: NotifySettings, notices: Notices, sender: Sender, *, clock: Callable[[], int] = time.time_ns
) -> None:
    """Notify until cancelled."""
    notifier = Notifier(settings, notices, sender, shift_of(plant), clock)
    backoff = Backoff(most_s=30.0)
    while True:
        try:
            async with aclosing(notices.wake_ups()) as wakes:
                await _follow(notifier, wakes, clock, backoff)
        except Retryable as away:
            if backoff.fresh:
                _log.warning("notification waits: %s", away)
        await backoff.wait()


async def _follow(notifier: Notifier, wakes: AsyncGenerator[None], clock: Callable[[], int], backoff: Backoff) -> None:
    """Look at every wake-up, and between them when an escalation or a retry is due."""
    waking = asyncio.ensure_future(anext(wakes))
    try:
        while True:
            await waking
            waking = asyncio.ensure_future(anext(wakes))
            while not waking.done():
                again_ns = await notifier.look()
                backoff.reset()
                left_s = None if again_ns is None else max(0.05, (again_ns - clock()) / 1e9)
                await asyncio.wait([waking], timeout=left_s)
    finally:
        waking.cancel()
        await asyncio.gather(waking, return_exceptions=True)


def shift_of(plant: Plant) -> ShiftAt:
    """The running shift by the calendar of an asset; what is no asset has no shifts."""

    def shift_at(place: str, now_ns: int) -> str | None:
        if not plant.has_asset(place):
            return None
        shift = plant.calendar_of(place).shift_at(from_ns(now_ns))
        return shift.name if shift else None

    return shift_at
