"""All subscriptions of a source: its items shared out over as many of them as the server's limits ask for.

In: a channel and the server's limits. Out: subscriptions that live, found by their number; one acknowledgement list,
one set of counters. Where the server takes no more subscriptions the items of the rest are refused, not the source.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from edge.sources.opcua_channel import Channel, Refused
from edge.sources.opcua_decode import Decoder
from edge.sources.opcua_items import ItemTable
from edge.sources.opcua_library import ua
from edge.sources.opcua_limits import Limits
from edge.sources.opcua_settings import OpcUaSettings
from edge.sources.opcua_subscription import Counters, Receiver, Subscription

log = logging.getLogger(__name__)

_OUTCOMES = ("resumed", "transferred", "created")  # from good to bad
_NO_MORE = frozenset((ua.StatusCodes.BadTooManySubscriptions, ua.StatusCodes.BadTooManyMonitoredItems))


class Subscriptions:
    """Lives as long as the source."""

    def __init__(self, settings: OpcUaSettings, table: ItemTable, decoder: Decoder, clock: Callable[[], int]) -> None:
        self._settings: OpcUaSettings = settings
        self._table: ItemTable = table
        self._decoder: Decoder = decoder
        self._clock: Callable[[], int] = clock
        self._all: list[Subscription] = []
        self.acknowledgements: list[tuple[int, int]] = []
        self.counters: Counters = Counters()

    def __len__(self) -> int:
        return len(self._living)

    @property
    def _living(self) -> Sequence[Subscription]:
        return [one for one in self._all if one.id]

    @property
    def keep_alive_s(self) -> float:
        """The longest."""
        return max((one.keep_alive_s for one in self._living), default=0.0)

    @property
    def publishing_ms(self) -> float:
        """The longest."""
        return max((one.publishing_ms for one in self._living), default=0.0)

    @property
    def lifetime_s(self) -> float:
        """The shortest."""
        return min((one.lifetime_s for one in self._living), default=0.0)

    def find(self, number: int) -> Subscription | None:
        """The one with that number on the server."""
        return next((one for one in self._living if one.id == number), None)

    async def establish(self, channel: Channel, receiver: Receiver, limits: Limits, *, restarted: bool) -> str:
        """Bring all of them to life on this channel.

        Returns:
            how the worst of them went: "resumed", "transferred" or "created".

        Raises:
            Retryable: not even one.
        """
        await self._share_out(channel, limits.items_per_subscription or len(self._table.items))
        outcomes: list[str] = []
        for one in self._all:
            try:
                outcomes.append(await one.establish(channel, receiver, restarted=restarted))
            except Refused as error:
                if error.code not in _NO_MORE or not self._living:
                    raise
                self._table.refuse(one.items, error.name)
        return max(outcomes, key=_OUTCOMES.index)

    async def refresh_conditions(self, channel: Channel) -> None:
        """Alarms that are active now were raised before we listened; a server without conditions says no."""
        for one in self._living:
            if any(item.created and item.settings.events for item in one.items):
                try:
                    await channel.refresh_conditions(one.id)
                except Refused as error:
                    log.debug("source %s: %s", self._settings.name, error)

    async def create_missing(self, channel: Channel, receiver: Receiver) -> int:
        """Try refused items, and subscriptions that the server did not take, once more; how many came into being."""
        created = 0
        for one in self._all:
            try:
                if not one.id:
                    await one.establish(channel, receiver, restarted=False)
                    created += sum(item.created for item in one.items)
                elif any(not item.created for item in one.items):
                    created += await self._table.create_missing(channel, one.id, one.items)
            except Refused as error:
                if error.code not in _NO_MORE:
                    raise
        return created

    def taken_since(self, since_s: float) -> bool:
        """Whether each of them has brought a message since then, be it a keep-alive."""
        return all(one.taken_s > since_s for one in self._living)

    def silence_s(self, missed: int, slack_s: float) -> float:
        """How long from now until one of them has missed so many keep-alives."""
        now_s = asyncio.get_running_loop().time()
        return min(one.heard_s + missed * one.keep_alive_s + slack_s - now_s for one in self._living)

    def give_up_silent(self, missed: int, slack_s: float) -> None:
        """Those that have said nothing on this connection are not taken up again."""
        now_s = asyncio.get_running_loop().time()
        for one in self._living:
            if not one.heard and one.heard_s + missed * one.keep_alive_s + slack_s <= now_s:
                one.usable = False

    def give_up(self) -> None:
        """The server knows none of them any more."""
        for one in self._all:
            one.usable = False

    async def _share_out(self, channel: Channel, most: int) -> None:
        if self._all and all(len(one.items) <= most for one in self._all):
            return
        for one in self._living:  # the server takes fewer items than before
            await one.abandon(channel)
        items = self._table.items
        self._all = [
            Subscription(
                self._settings, self._table, items[at : at + most], self._decoder, self._clock,
                self.acknowledgements, self.counters,
            )
            for at in range(0, len(items), most)
        ]  # fmt: skip
        if len(self._all) > 1:
            log.info("source %s: %d subscriptions of up to %d nodes", self._settings.name, len(self._all), most)
