"""Hop *send*: which batch of the spool goes next: what must go again, then live, then history at its bounded rate.

In: `Spool.take`, the window. Out: each batch to `launch`, which knows the wire. Both wires share it: our own messages
(`edge.uplink`) and Sparkplug's (`edge.sparkplug`).
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable

from edge.spool import Outgoing, Spool
from edge.uplink_settings import UplinkSettings
from edge.uplink_window import Drain, Pace, Window
from twin.errors import Retryable
from twin.wire.reading import Lane
from twin.wire.receipt import Receipt

logger = logging.getLogger(__name__)

_AT_ONCE = 8  # batches read from the spool in one go; history looks for live ones after as many
_OVERHEAD_BYTES = 512  # what a message costs beside its payload, for the pace of history
_ATTEMPTS = 3  # before a missing receipt is told in the log


class Traffic:
    """The sends of one connection.

    Args:
        settings: window, resending and pace.
        spool: what to send.
        drain: counts what the history lane sends.
        launch: send one batch, for the first time or again.
        advice: what to look at when no receipt comes.
    """

    def __init__(
        self,
        settings: UplinkSettings,
        spool: Spool,
        drain: Drain,
        launch: Callable[[Outgoing], Awaitable[None]],
        *,
        advice: str,
    ) -> None:
        self.window: Window = Window(
            max_batches=settings.window_batches,
            max_bytes=settings.window_bytes,
            resend_s=settings.resend_s,
            resend_max_s=settings.resend_max_s,
            jitter=lambda: random.uniform(0.8, 1.2),  # noqa: S311
        )
        self._spool = spool
        self._pace = Pace(settings.history_bytes_per_s)
        self._drain = drain
        self._live_age_s = settings.live_age_s
        self._launch = launch
        self._advice = advice
        self._unheard = False

    async def step(self) -> bool:
        """Send what is due, a few batches at most; False when nothing more may go now."""
        await self._demote_if_late()
        await self._resend()
        return await self._send_lane(Lane.LIVE) > 0 or await self._send_history()

    def rest_s(self, most_s: float) -> float:
        """How long nothing can become due, unless the spool changes or a receipt comes."""
        now_s = time.monotonic()
        limits = [most_s, self.window.next_due_in_s(now_s), self._pace.wait_s(now_s) or None]
        return min(limit for limit in limits if limit is not None)

    def heard(self) -> bool:
        """A receipt came; True when that is news."""
        was_unheard, self._unheard = self._unheard, False
        return was_unheard

    async def _send_history(self) -> bool:
        if self._pace.wait_s(time.monotonic()) > 0:
            return False
        sent = await self._send_lane(Lane.HISTORY)
        self._pace.spend(sent)
        self._drain.sent_bytes += sent
        return sent > 0

    async def _send_lane(self, lane: Lane) -> int:
        """Send what the window takes, a few at most; returns what it cost in bytes."""
        cost, room = 0, min(self.window.room(lane), _AT_ONCE)
        if room == 0:
            return 0
        for outgoing in await self._spool.take(lane, room, self.window.numbers):
            if self.window.room(lane) == 0:
                break
            await self._launch(outgoing)
            cost += len(outgoing.payload) + _OVERHEAD_BYTES
        return cost

    async def _resend(self) -> None:
        for number in self.window.due(time.monotonic()):
            if (attempt := self.window.attempt(number)) >= _ATTEMPTS and not self._unheard:
                self._unheard = True
                logger.warning("batch %d was sent %d times without a receipt: %s", number, attempt, self._advice)
            outgoing = await self._spool.fetch(number)
            if outgoing is None:
                self.window.forget(number)
            else:
                await self._launch(outgoing)

    async def _demote_if_late(self) -> None:
        oldest_ns = self._spool.backlog().oldest_live_ns
        if oldest_ns is not None and self._spool.age_s(oldest_ns) > self._live_age_s:
            await self._spool.demote_backlog_to_history()


class Receipts:
    """What the twin has told of its commits, on the way to the spool."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._told: list[Receipt] = []  # that the spool has not heard of; the last one covers the others
        self._came = asyncio.Event()

    def put(self, receipt: Receipt) -> None:
        """One more; of a former life of the store (a broker keeps them) it says nothing."""
        newest = max([self._spool.incarnation(), *(one.incarnation for one in self._told)])
        if 0 < receipt.incarnation < newest:
            return
        self._told.append(receipt)
        self._came.set()

    async def settled(self, epoch: str) -> Receipt:
        """Wait for news; what they cover leaves the spool. The window comes after it: a batch that had left only the
        window would go out again.

        Args:
            epoch: of the numbers that are being sent.

        Raises:
            Retryable: the spool has begun a new epoch.
        """
        await self._came.wait()
        self._came.clear()
        newest, self._told = self._told[-1], []
        await self._spool.settle(newest)
        if self._spool.epoch != epoch:
            raise Retryable("the spool has begun a new epoch")
        return newest
