"""One subscription and its sequence of messages, across connections.

In: publications. Out: the same without holes, or word of what is missing. After every connect `establish` decides: the
session was resumed → republish; it is a new one → transfer, republish; anything else → create all anew, and every item
may have missed values.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from edge.sources.opcua_channel import Channel, Refused
from edge.sources.opcua_decode import Decoder, Publication
from edge.sources.opcua_items import MOST_PER_CALL, ItemTable
from edge.sources.opcua_library import ua
from edge.sources.opcua_settings import OpcUaSettings
from twin.wire.reading import GapCause

log = logging.getLogger(__name__)

_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_WRAP = 2**32 - 1  # sequence numbers run from 1 to this and begin again at 1
MOST_PER_PUBLISH = 10_000  # values in one message: bounds its memory here; the server sends the rest at once
_MOST_REPUBLISHED = 10_000  # in one go; no server keeps as many
_LOST = frozenset(
    ua.StatusCodes.__dict__[name]
    for name in ("BadSubscriptionIdInvalid", "BadNoSubscription", "BadUserAccessDenied", "BadInvalidArgument")
)
_CAPABILITIES = (
    ua.NodeId(ua.ObjectIds.Server_NamespaceArray),
    ua.NodeId(ua.ObjectIds.Server_ServerStatus_StartTime),
    ua.NodeId(ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall),
)


def after(number: int) -> int:
    """The sequence number that follows."""
    return 1 if number >= _WRAP else number + 1


def ahead(number: int, expected: int) -> int:
    """How many messages lie between the expected one and this; negative when this one is older."""
    distance = (number - expected) % _WRAP
    return distance if distance < _WRAP // 2 else distance - _WRAP


def _nanoseconds(at: object) -> int:
    if not isinstance(at, datetime) or at.year < 1971:
        return 0
    return round((at.replace(tzinfo=at.tzinfo or UTC) - _EPOCH) / _MICROSECOND) * 1000


class Receiver(Protocol):
    """Who gets what the subscription brings, in sequence."""

    async def take(self, publication: Publication) -> None:
        """The next message; may wait, which holds up the server's queues and nothing else."""
        ...

    def lose(self, cause: GapCause, detail: str) -> None:
        """Here, before the next message, something is missing for good."""
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
    decoder: Decoder
    clock: Callable[[], int]
    id: int = 0
    expected: int = 1  # the next sequence number
    publishing_ms: float = 0.0
    keep_alive_s: float = 0.0
    lifetime_s: float = 0.0
    usable: bool = False  # False: do not take it up again
    server_started: object = None
    started_ns: int = 0  # the same as a time, 0 when the server does not say
    acknowledgements: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    counters: Counters = field(default_factory=Counters)

    async def establish(self, channel: Channel, receiver: Receiver) -> str:
        """Bring the subscription to life on this channel. Returns how it went.

        Returns:
            "resumed", "transferred" or "created"; in the last case every item may have missed values.
        """
        namespaces, started, limit = await channel.read(list(_CAPABILITIES), "the server's capabilities")
        self.table.namespaces = tuple(namespaces.Value.Value or ()) if namespaces.Value else ()
        most = int(limit.Value.Value or 0) if limit.Value and limit.StatusCode.is_good() else 0
        self.table.most_per_call = min(most or MOST_PER_CALL, MOST_PER_CALL)
        started_at = started.Value.Value if started.Value else None
        outcome = await self._take_up(channel, receiver, restarted=started_at != self.server_started)
        self.server_started = started_at
        self.started_ns = _nanoseconds(started_at)
        await self.table.create_missing(channel, self.id)
        return outcome

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
        receiver.lose(GapCause.SUBSCRIPTION_LOST, "the server was restarted" if restarted else "subscribed anew")
        await self._create(channel)
        return "created"

    async def _delete(self, channel: Channel) -> None:
        try:
            await channel.delete_subscription(self.id)
        except Refused:
            log.debug("source %s: subscription %s was gone already", self.settings.name, self.id)

    async def _create(self, channel: Channel) -> None:
        self.id, self.usable = 0, False
        self.table.forget()
        parameters = ua.CreateSubscriptionParameters()
        parameters.RequestedPublishingInterval = self.settings.publishing_interval_ms
        parameters.RequestedMaxKeepAliveCount = self.settings.keep_alive_count
        parameters.RequestedLifetimeCount = self.settings.lifetime_count
        parameters.MaxNotificationsPerPublish = MOST_PER_PUBLISH
        parameters.PublishingEnabled = True
        result = await channel.create_subscription(parameters)
        self.id, self.expected, self.usable = result.SubscriptionId, 1, True
        self.acknowledgements.clear()
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
            self.expected = after(publication.sequence_number)
            await receiver.take(publication)

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
        """Get what is missing before this message, or tell the receiver that it is lost; expect the one after it."""
        number = self.expected
        for _ in range(min(ahead(publication.sequence_number, number), _MOST_REPUBLISHED)):
            missing = None
            if not publication.available or number in publication.available:
                missing = await self._republish(channel, number)
            if missing is None:
                self.counters.missing += 1
                receiver.lose(GapCause.SEQUENCE_JUMP, f"message {number} of the subscription is missing")
            else:
                await receiver.take(missing)
            number = after(number)
        if number != publication.sequence_number:
            receiver.lose(GapCause.SEQUENCE_JUMP, f"messages from {number} on are missing")
        self.expected = after(publication.sequence_number) if publication.carries_data else publication.sequence_number
