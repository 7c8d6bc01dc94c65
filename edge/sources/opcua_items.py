"""The nodes of one source and how far each has come on the server.

In: settings, a channel. Out: monitored items, created in batches that the server can take; a bad node is set aside with
its reason and tried again later, and never holds up the others.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from edge.sources.opcua_channel import Channel, Refused
from edge.sources.opcua_events import event_filter
from edge.sources.opcua_library import TOO_MANY, Opaque, ua
from edge.sources.opcua_settings import OpcUaItem, OpcUaSettings, split_node

log = logging.getLogger(__name__)

MOST_PER_CALL = 1_000
_NO_FILTER = frozenset(
    ua.StatusCodes.__dict__[name]
    for name in (
        "BadMonitoredItemFilterUnsupported",
        "BadMonitoredItemFilterInvalid",
        "BadFilterNotAllowed",
        "BadDeadbandFilterInvalid",
        "BadEventFilterInvalid",
    )
)


@dataclass(slots=True)
class MonitoredItem:
    """One node; `handle` is the signal's place in the node's schema and our client handle in one."""

    settings: OpcUaItem
    handle: int
    sampling_ms: float
    queue: int
    created: bool = False
    plain: bool = False  # the server takes no filter for it
    refusal: str = "not asked for yet"
    revised_sampling_ms: float = 0.0
    revised_queue: int = 0


@dataclass(slots=True)
class ItemTable:
    """All items of one source. It outlives connections and subscriptions: no failure can lose an item."""

    settings: OpcUaSettings
    items: Sequence[MonitoredItem]
    namespaces: Sequence[str] = ()
    most_per_call: int = MOST_PER_CALL
    _logged: set[int] = field(default_factory=set[int])

    @property
    def monitored(self) -> list[MonitoredItem]:
        """Those that the server reports."""
        return [item for item in self.items if item.created]

    @property
    def refused(self) -> list[MonitoredItem]:
        """Those that it does not."""
        return [item for item in self.items if not item.created]

    def refuse(self, items: Iterable[MonitoredItem], reason: str) -> None:
        """The server does not monitor these."""
        for item in items:
            item.created = False
            self._refuse(item, reason)

    async def create_missing(self, channel: Channel, subscription_id: int, items: Iterable[MonitoredItem]) -> int:
        """Create every one of these items that is not there yet; returns how many came into being.

        Raises:
            Retryable: the connection failed, or the subscription is gone; what was created until then stays noted.
        """
        todo = [(item, node) for item in items if not item.created and (node := self.resolve(item)) is not None]
        created = 0
        while todo:
            batch = todo[: self.most_per_call]
            try:
                results = await channel.create_monitored_items(self._request(subscription_id, batch))
            except Refused as error:
                if error.code not in TOO_MANY or self.most_per_call == 1:
                    raise
                self.most_per_call = max(1, min(self.most_per_call, len(batch)) // 2)
                continue
            again = [entry for entry, result in zip(batch, results, strict=False) if self._note(entry[0], result)]
            created += sum(item.created for item, _ in batch)
            todo = again + todo[len(batch) :]
        return created

    def resolve(self, item: MonitoredItem) -> Opaque | None:
        """Its node id on this server; None (and refused) when the server lacks the namespace."""
        uri, index, identifier = split_node(item.settings.node)
        if uri is not None:
            if uri not in self.namespaces:
                self._refuse(item, f"the server has no namespace {uri}")
                return None
            index = list(self.namespaces).index(uri)
        return ua.NodeId.from_string(f"ns={index};{identifier}")

    def _request(self, subscription_id: int, batch: Sequence[tuple[MonitoredItem, Opaque]]) -> Opaque:
        parameters = ua.CreateMonitoredItemsParameters()
        parameters.SubscriptionId = subscription_id
        parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        for item, node in batch:
            request = ua.MonitoredItemCreateRequest()
            request.ItemToMonitor.NodeId = node
            events = item.settings.events
            request.ItemToMonitor.AttributeId = ua.AttributeIds.EventNotifier if events else ua.AttributeIds.Value
            request.MonitoringMode = ua.MonitoringMode.Reporting
            request.RequestedParameters.ClientHandle = item.handle
            request.RequestedParameters.SamplingInterval = item.sampling_ms
            request.RequestedParameters.QueueSize = item.queue
            request.RequestedParameters.DiscardOldest = True
            if events:
                request.RequestedParameters.Filter = event_filter(plain=item.plain)
            elif not item.plain:
                request.RequestedParameters.Filter = self._filter(item)
            parameters.ItemsToCreate.append(request)
        return parameters

    def _filter(self, item: MonitoredItem) -> Opaque | None:
        if self.settings.trigger == "value" and item.settings.deadband is None:
            return None  # what a server does without a filter
        chosen = ua.DataChangeFilter()
        chosen.Trigger = ua.DataChangeTrigger.StatusValueTimestamp
        if self.settings.trigger == "value" or item.settings.deadband is not None:
            chosen.Trigger = ua.DataChangeTrigger.StatusValue
        if item.settings.deadband is not None:
            chosen.DeadbandType = ua.DeadbandType.Absolute
            chosen.DeadbandValue = item.settings.deadband
        return chosen

    def _note(self, item: MonitoredItem, result: Opaque) -> bool:
        """Take down what the server says of an item; True when it is to be asked for once more, without its filter."""
        if result.StatusCode.value in _NO_FILTER and not item.plain:
            item.plain = True
            return True
        if not result.StatusCode.is_good():
            self._refuse(item, result.StatusCode.name)
            return False
        item.created, item.refusal = True, ""
        item.revised_sampling_ms, item.revised_queue = result.RevisedSamplingInterval, result.RevisedQueueSize
        return False

    def _refuse(self, item: MonitoredItem, reason: str) -> None:
        item.refusal = reason
        if item.handle not in self._logged:
            self._logged.add(item.handle)
            log.warning("source %s: node %s is not monitored: %s", self.settings.name, item.settings.node, reason)


def _sampling_ms(settings: OpcUaSettings, item: OpcUaItem) -> float:
    if item.events:
        return 0.0
    return settings.sampling_interval_ms if item.sampling_ms is None else item.sampling_ms


def item_table(settings: OpcUaSettings, handles: Mapping[str, int]) -> ItemTable:
    """The table of a source; `handles` gives every signal path its place in the node's schema."""
    return ItemTable(
        settings,
        [
            MonitoredItem(
                item,
                handles[item.signal],
                _sampling_ms(settings, item),
                item.queue or settings.queue_size,
            )
            for item in settings.items
        ],
    )
