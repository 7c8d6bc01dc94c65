"""Hop *send* over Sparkplug: numbered batches of the spool → an edge node's messages, until the twin's receipts.

In: `Spool.take`; what the twin writes to ``Twin/Committed``. Out: the parts of each batch, to `edge.sparkplug`, which
publishes them. QoS 0 promises nothing: what has no receipt goes again, after a while or behind the next birth.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from edge.sparkplug_batch import BatchMetrics, Part
from edge.spool import Outgoing, Spool
from edge.uplink_settings import UplinkSettings
from edge.uplink_traffic import Receipts, Traffic
from edge.uplink_window import Drain
from twin.wire.sparkplug import Metric
from twin.wire.sparkplug_receipt import receipt_of

_LOOK_S = 1.0
_ADVICE = (
    "see that `twin run` works, that its section sparkplug hears this group, and that primary_host is its host id;"
    " another host does not write Twin/Committed, and the spool would only grow"
)


class SpoolFeed:
    """The spool behind one edge node.

    Args:
        settings: window, resending and pace.
        spool: what is to be sent.
        metrics: what its handles mean.
        drain: counts what the history lane sends.
        clock: nanoseconds UTC.
    """

    def __init__(
        self,
        settings: UplinkSettings,
        spool: Spool,
        metrics: BatchMetrics,
        drain: Drain,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._settings = settings
        self._spool = spool
        self._metrics = metrics
        self._drain = drain
        self._clock = clock
        self._publish: Callable[[Part], Awaitable[None]] = _nowhere
        self._traffic = self._begun()
        self._epoch = spool.epoch
        self._begin_at_s = 0.0
        self._receipts = Receipts(spool)
        self._mark = 0  # committed, as the twin has told it
        self._told_mark = 0  # … and as our metric says

    async def birth(self, now_ms: int, publish: Callable[[Part], Awaitable[None]]) -> tuple[Metric, ...]:
        """All that has no receipt goes again behind this birth; what the birth says of it."""
        await self._spool.demote_backlog_to_history()
        self._metrics.learn(await self._spool.schemas())
        self._publish, self._traffic, self._epoch = publish, self._begun(), self._spool.epoch
        self._begin_at_s = time.monotonic() + self._settings.resend_s  # the twin answers with its receipt at once
        self._mark = self._told_mark = 0
        return self._metrics.birth(self._epoch, now_ms)

    async def step(self) -> bool:
        """Publish a few batches; False when nothing more may go now."""
        return time.monotonic() >= self._begin_at_s and await self._traffic.step()

    def rest_s(self) -> float:
        """How long `step` need not be called, unless the spool changes or a receipt comes."""
        wait_s = self._begin_at_s - time.monotonic()
        return min(wait_s, _LOOK_S) if wait_s > 0 else self._traffic.rest_s(_LOOK_S)

    def waiting(self) -> int:
        """Readings without a receipt."""
        return self._spool.backlog().readings

    def hear(self, metric: Metric) -> None:
        """The twin has written ``Twin/Committed``.

        Raises:
            Rejected: what it wrote is no receipt.
        """
        receipt = receipt_of(metric)
        if receipt.epoch == self._epoch:
            self._mark, self._begin_at_s = receipt.high_water, 0.0
            self._receipts.put(receipt)

    async def settle(self, wake: asyncio.Event) -> None:
        """Forget what receipts cover, for ever.

        Raises:
            Retryable: the numbers begin anew, and so must the node.
        """
        while True:
            receipt = await self._receipts.settled(self._epoch)
            self._traffic.window.settle(receipt)
            self._traffic.heard()
            wake.set()

    async def watch(self, wake: asyncio.Event) -> None:
        """Tell of everything new in the spool, for ever."""
        while True:
            await self._spool.changed()
            wake.set()

    def _begun(self) -> Traffic:
        return Traffic(self._settings, self._spool, self._drain, self._launch, advice=_ADVICE)

    async def _launch(self, outgoing: Outgoing) -> None:
        flight = self._traffic.window.sent(outgoing.number, outgoing.lane, len(outgoing.payload), time.monotonic())
        news = None if self._mark == self._told_mark else self._mark
        self._told_mark = self._mark
        for part in self._metrics.parts(outgoing, news, self._clock() // 1_000_000):
            await self._publish(part)
        flight.acknowledged = True  # nobody acknowledges QoS 0


async def _nowhere(_part: Part) -> None:
    """Before the first birth."""
