"""One subscription and its sequence of messages, across connections.

In: publications. Out: the same without holes, or word of what is missing. After every connect `establish` decides: the
session was resumed → republish; it is a new one → transfer, republish; anything else → create all anew, and every item
may have missed values.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from edge.sources.opcua_channel import Channel, Refused
from edge.sources.opcua_decode import Decoder
from edge.sources.opcua_items import ItemTable, MonitoredItem
from edge.sources.opcua_library import ua
from edge.sources.opcua_message import Publication
from edge.sources.opcua_settings import OpcUaSettings
from twin.wire.reading import GapCause

log = logging.getLogger(__name__)

_WRAP = 2**32 - 1  # sequence numbers run from 1 to this and begin again at 1
MOST_PER_PUBLISH = 10_000  # values in one message, with servers that honour it; they send the rest at once
_MOST_REPUBLISHED = 10_000  # in one go; no server keeps as many
_LOST = frozenset(
    ua.StatusCodes.__dict__[name]
    for name in ("BadSubscriptionIdInvalid", "BadNoSubscription", "BadUserAccessDenied", "BadInvalidArgument")
)


def after(number: int) -> int:
    """The sequence number that follows."""
    return 1 if number >= _WRAP else number + 1


def ahead(number: int, expected: int) -> int:
    """How many messages lie between the expected one and this; negative when this one is older."""
    distance = (number - expected) % _WRAP
    return distance if distance < _WRAP // 2 else distance - _WRAP


class Receiver(Protocol):
    """Who gets what the subscription brings, in sequence."""

    async def take(self, publication: Publication) -> None:
        """The next message; may wait, which holds up the server's queues and nothing else."""
        ...

    def lose(self, handles: Iterable[int], cause: GapCause, detail: str) -> None:
        """Here, before the next message, these items may have missed something for good."""
        ...


@dataclass(slots=True)
class Counters:
    """What the status tells of a source's life."""

    subscriptions: int = 0  # created
    republished: int = 0
    missing: int = 0  # messages that even Republish did not bring
    duplicates: int = 0
    malformed: int = 0
    rejected: int = 0
    overflows: int = 0


@dataclass(slots=True)
class Subscription:
    """What is known of the subscription on the server; `id` 0 means that there is none."""

    settings: OpcUaSettings
    table: ItemTable
    items: Sequence[MonitoredItem]  # its share of the table
    decoder: Decoder
    clock: Callable[[], int]
    acknowledgements: list[tuple[int, int]]  # of all subscriptions of the source
    counters: Counters  # of the source
    id: int = 0
    expected: int = 1  # the next sequence number
    publishing_ms: float = 0.0
    keep_alive_s: float = 0.0
    lifetime_s: float = 0.0
    usable: bool = False  # False: do not take it up again
    heard: bool = False  # on this connection
    heard_s: float = 0.0  # loop time of its last message, or of its establishment
    taken_s: float = 0.0  # … and of the last one that was taken
    after_outage: bool = False  # its next data is the first after an outage: full queues have overflowed

    async def establish(self, channel: Channel, receiver: Receiver, *, restarted: bool) -> str:
        """Bring the subscription to life on this channel. Returns how it went.

        Returns:
            "resumed", "transferred" or "created"; in the last case every item may have missed values.
        """
        self.after_outage, self.heard, self.heard_s = False, False, asyncio.get_running_loop().time()
        outcome = await self._take_up(channel, receiver, restarted=restarted)
        await self.table.create_missing(channel, self.id, self.items)
        self.after_outage = outcome != "created"
        return outcome

    def queues(self) -> dict[int, int]:
        """Handle → revised queue size, where the server told one."""
        return {item.handle: item.revised_queue for item in self.items if item.created and item.revised_queue > 0}

    async def abandon(self, channel: Channel) -> None:
        """It is not wanted any more."""
        if self.id and channel.resumed:
            await self._delete(channel)
        self.id, self.usable = 0, False

    async def _take_up(self, channel: Channel, receiver: Receiver, *, restarted: bool) -> str:
        if self.usable and not restarted:  # after a restart the same number may be somebody else's subscription
            try:
                if not channel.resumed:
                    await channel.transfer(self.id)
                await self._republish_all(channel, receiver)
            except Refused as error:
                log.debug("source %s: %s", self.settings.name, error)
            else:
                return "resumed" if channel.resumed else "transferred"
        if self.id and channel.resumed:
            await self._delete(channel)
        self._lose(receiver, GapCause.SUBSCRIPTION_LOST, "the server was restarted" if restarted else "subscribed anew")
        await self._create(channel)
        return "created"

    def _lose(self, receiver: Receiver, cause: GapCause, detail: str) -> None:
        receiver.lose([item.handle for item in self.items], cause, detail)

    async def _delete(self, channel: Channel) -> None:
        try:
            await channel.delete_subscription(self.id)
        except Refused:
            log.debug("source %s: subscription %s was gone already", self.settings.name, self.id)

    async def _create(self, channel: Channel) -> None:
        self.acknowledgements[:] = [one for one in self.acknowledgements if one[0] != self.id]
        self.id, self.usable = 0, False
        for item in self.items:
            item.created = False
        parameters = ua.CreateSubscriptionParameters()
        parameters.RequestedPublishingInterval = self.settings.publishing_interval_ms
        parameters.RequestedMaxKeepAliveCount = self.settings.keep_alive_count
        parameters.RequestedLifetimeCount = self.settings.lifetime_count
        parameters.MaxNotificationsPerPublish = MOST_PER_PUBLISH
        parameters.PublishingEnabled = True
        result = await channel.create_subscription(parameters)
        self.id, self.expected, self.usable = result.SubscriptionId, 1, True
        self.publishing_ms = result.RevisedPublishingInterval or self.settings.publishing_interval_ms
        self.keep_alive_s = self.publishing_ms * max(1, result.RevisedMaxKeepAliveCount) / 1000
        self.lifetime_s = self.publishing_ms * max(1, result.RevisedLifetimeCount) / 1000
        self.counters.subscriptions += 1

    async def _republish_all(self, channel: Channel, receiver: Receiver) -> None:
        """From the next expected message on, until the server has no more."""
        for _ in range(_MOST_REPUBLISHED):
            publication = await self._republish(channel, self.expected)
            if publication is None:
                return
            await receiver.take(publication)
            self.expected = after(publication.sequence_number)

    async def _republish(self, channel: Channel, number: int) -> Publication | None:
        """The message with this number, or None when the server does not have it (any more, or yet).

        Raises:
            Refused: the subscription itself is gone.
        """
        try:
            body = await channel.republish(self.id, number)
        except Refused as error:
            if error.code in _LOST:
                raise
            return None
        publication = self.decoder.republish_response(self.id, body, self.clock())
        if publication.sequence_number != number or not publication.carries_data:
            return None  # some servers send an empty message in place of BadMessageNotAvailable
        self.counters.republished += 1
        return publication

    def repeats(self, publication: Publication) -> bool:
        """Whether this message has been taken already (or is a keep-alive that was overtaken)."""
        if ahead(publication.sequence_number, self.expected) >= 0:
            return False
        if publication.carries_data:
            self.counters.duplicates += 1
            self.acknowledgements.append((self.id, publication.sequence_number))
        return True

    async def fill(self, channel: Channel, publication: Publication, receiver: Receiver) -> None:
        """Get what is missing before this message, or tell the receiver that it is lost."""
        number = self.expected
        for _ in range(min(ahead(publication.sequence_number, number), _MOST_REPUBLISHED)):
            missing = None
            if not publication.available or number in publication.available:
                missing = await self._republish(channel, number)
            if missing is None:
                self.counters.missing += 1
                self._lose(receiver, GapCause.SEQUENCE_JUMP, f"message {number} of the subscription is missing")
            else:
                await receiver.take(missing)
            number = after(number)
        if number != publication.sequence_number:
            self._lose(receiver, GapCause.SEQUENCE_JUMP, f"messages from {number} on are missing")

    def taken(self, publication: Publication) -> None:
        """The receiver has all of this message: expect the one after it."""
        self.taken_s = asyncio.get_running_loop().time()
        self.expected = after(publication.sequence_number) if publication.carries_data else publication.sequence_number
