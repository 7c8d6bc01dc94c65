"""What is known of one OPC UA server: who it is, what it takes, how its clock goes, what was missed of its items.

In: a channel to it. Out: `ItemTable`, `Subscriptions`, `ServerClock` and `GapLedger` of that server; the figures and
warnings of its status.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict

from edge.sources.opcua_channel import Channel
from edge.sources.opcua_clock import ServerClock
from edge.sources.opcua_decode import Decoder
from edge.sources.opcua_events import Events
from edge.sources.opcua_gaps import GapLedger
from edge.sources.opcua_granted import differences, outages, warning
from edge.sources.opcua_items import MOST_PER_CALL, ItemTable, item_table
from edge.sources.opcua_library import ua
from edge.sources.opcua_limits import Build, Limits, read_limits
from edge.sources.opcua_settings import OpcUaSettings
from edge.sources.opcua_subscriptions import Subscriptions
from edge.sources.opcua_value import instant_ns
from twin.errors import Retryable
from twin.wire.reading import GapCause, Reading

log = logging.getLogger(__name__)

_MOST_LISTED = 20  # refused nodes in the status
_SUSPECT_EVERY_S = 1.0
_CURRENT_TIME = ua.NodeId(ua.ObjectIds.Server_ServerStatus_CurrentTime)
_WHO = (
    ua.NodeId(ua.ObjectIds.Server_NamespaceArray),
    ua.NodeId(ua.ObjectIds.Server_ServerStatus_StartTime),
    ua.NodeId(ua.ObjectIds.Server_ServiceLevel),
)
_NO_SERVICE = (0, 1)  # Part 4, ServiceLevel: maintenance, no data


class Server:
    """It outlives connections.

    Args:
        settings: of the source.
        handles: every signal path of its items → the signal's place in the node's schema.
        unread_since_ns: from then on its signals are unread; 0: from their first reading on.
        clock: ours, nanoseconds UTC.
    """

    def __init__(
        self, settings: OpcUaSettings, handles: Mapping[str, int], unread_since_ns: int, clock: Callable[[], int]
    ) -> None:
        self._settings: OpcUaSettings = settings
        self._now_ns: Callable[[], int] = clock
        self.table: ItemTable = item_table(settings, handles)
        self.handles: tuple[int, ...] = tuple(item.handle for item in self.table.items)
        events = {item.handle: item.settings.least_severity for item in self.table.items if item.settings.events}
        texts = {item.handle: item.settings.kind == "text" for item in self.table.items}
        self.decoder: Decoder = Decoder(texts, Events(events) if events else None)
        self.subscriptions: Subscriptions = Subscriptions(settings, self.table, self.decoder, clock)
        self.limits: Limits = Limits()
        self.ledger: GapLedger = GapLedger()
        if unread_since_ns:
            self.ledger.begin(self.handles, unread_since_ns)
            self.ledger.lose(self.handles, GapCause.DEVICE_UNREACHABLE, "not read since the start")
        self.clock: ServerClock = ServerClock(settings.clock_tolerance_s, correct=settings.clock == "correct")
        self._build: Build = Build()
        self._started: object = None
        self._measured_s: float = 0.0

    async def meet(self, channel: Channel, *, one_of_several: bool) -> tuple[int, bool]:
        """Learn who it is and what it takes. Returns when it was started, and whether that is news.

        Raises:
            Retryable: it has no data now, and another one of its set has.
        """
        namespaces, started, level = await channel.read(list(_WHO), "the server's status")
        if one_of_several and level.Value and level.Value.Value in _NO_SERVICE:
            raise Retryable(f"the server's service level is {level.Value.Value}: another one of its set has the data")
        self.table.namespaces = tuple(namespaces.Value.Value or ()) if namespaces.Value else ()
        self.limits, self._build = await read_limits(channel, self._settings.profile)
        self.table.most_per_call = self.limits.items_per_call or MOST_PER_CALL
        started_at = started.Value.Value if started.Value else None
        restarted = started_at != self._started
        if restarted:
            self.subscriptions.give_up()  # the same numbers may be somebody else's now
        self._started = started_at
        return instant_ns(started_at), restarted

    def replaced(self) -> None:
        """From now on it is another one, which knows nothing of our subscriptions and has a clock of its own."""
        self._started = None
        self.subscriptions.give_up()
        self.clock.forget()

    async def measure(self, channel: Channel) -> None:
        """Look at its clock; a step is a gap of every item, because times before and after do not agree."""
        self._measured_s = asyncio.get_running_loop().time()
        sent_ns = self._now_ns()
        (now,) = await channel.read([_CURRENT_TIME], "the server's clock")
        server_ns = instant_ns(now.Value.Value) if now.Value else 0
        if not server_ns:
            return
        stepped = self.clock.measure(sent_ns, server_ns, self._now_ns())
        if stepped:
            log.warning("source %s: %s", self._settings.name, stepped)
            self.lose(self.handles, GapCause.CLOCK_STEP, stepped)

    async def suspect(self, channel: Channel, readings: Sequence[Reading]) -> None:
        """Times that cannot be right: look at the server's clock before they are judged, but not all the time."""
        due = asyncio.get_running_loop().time() - self._measured_s >= _SUSPECT_EVERY_S
        if due and self.clock.suspects(readings, self.ledger.last_ns):
            await self.measure(channel)

    def lose(self, handles: Iterable[int], cause: GapCause, detail: str) -> None:
        """These items may have missed values since their last readings."""
        self.ledger.lose(handles, cause, detail)

    def warnings(self) -> list[str]:
        """What of it is not as it should be although it is connected."""
        refused = len(self.table.refused)
        short = warning(self.table.monitored, self.subscriptions.lifetime_s, self._settings.tolerated_outage_s)
        found = [one for one in (short, self.clock.warning()) if one]
        return [f"{refused} of {len(self.handles)} nodes are not monitored", *found] if refused else found

    def facts(self) -> dict[str, object]:
        """Its figures for the health report."""
        monitored, living = self.table.monitored, self.subscriptions
        shortest = outages(monitored, living.lifetime_s)
        asked_keep_alive_s = self._settings.keep_alive_count * self._settings.publishing_interval_ms / 1000
        return {
            "items": len(self.handles),
            "monitored": len(monitored),
            "refused_items": [
                {"node": item.settings.node, "signal": item.settings.signal, "reason": item.refusal}
                for item in self.table.refused[:_MOST_LISTED]
            ],
            "server": str(self._build),
            "profile": self.limits.profile,
            "limits": self.limits.known(),
            "subscriptions_now": len(living),
            "publishing_ms": living.publishing_ms,
            "keep_alive_s": living.keep_alive_s,
            "lifetime_s": living.lifetime_s,
            "granted_less": differences(monitored, living.keep_alive_s, asked_keep_alive_s),
            "tolerated_outage_s": min(shortest.values(), default=None),
            "tolerated_outages_s": shortest,
            "open_gaps": self.ledger.waiting,
            **asdict(living.counters),
            **self.clock.facts(),
        }
