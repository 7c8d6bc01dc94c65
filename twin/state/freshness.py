"""Why is this value as old as it is? One reason and one sentence, for an asset or a single signal.

In: the newest time of the asset, what its gateways say of themselves, the present instant. Out: `Freshness`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from twin.state.document import rfc3339
from twin.state.model import Freshness, FreshnessReason


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """What a gateway says of one of its sources."""

    name: str
    status: str  # connected | connecting | down
    detail: str
    since: str


@dataclass(frozen=True, slots=True)
class GatewayStatus:
    """What a gateway says of itself."""

    node: str
    online: bool
    at: str
    backlog_batches: int = 0
    sources: tuple[SourceStatus, ...] = field(default_factory=tuple)


Gateways = Mapping[str, GatewayStatus]


def gateway_status(node: str, health: Mapping[str, Any]) -> GatewayStatus:
    """The parts of a gateway's health message that explain an old value; what is missing or odd is left out."""
    backlog = health.get("backlog")
    batches = cast("Mapping[str, Any]", backlog).get("batches") if isinstance(backlog, Mapping) else 0
    listed = health.get("sources")
    rows = cast("list[Any]", listed) if isinstance(listed, list) else []
    sources = [cast("Mapping[str, Any]", row) for row in rows if isinstance(row, Mapping)]
    return GatewayStatus(
        node=node,
        online=health.get("status") == "online",
        at=str(health.get("at") or ""),
        backlog_batches=batches if isinstance(batches, int) else 0,
        sources=tuple(
            SourceStatus(*(str(source.get(key) or "") for key in ("name", "status", "detail", "since")))
            for source in sources
        ),
    )


def freshness(
    newest_ns: int | None, allowed_s: float, now_ns: int, nodes: Sequence[str], gateways: Gateways
) -> Freshness:
    """How old, and why.

    newest_ns: the newest source time of the asset; allowed_s: silence that is normal; nodes: the gateways it came by.
    """
    if newest_ns is None:
        return Freshness(None, None, FreshnessReason.NEVER, "No value has ever come from this asset.")
    age_s = max(0.0, (now_ns - newest_ns) / 1e9)
    if age_s <= allowed_s:
        return Freshness(newest_ns, age_s, FreshnessReason.LIVE, "Values arrive as expected.")
    reason, why = _why(nodes, gateways)
    since = clock_time(newest_ns)
    return Freshness(newest_ns, age_s, reason, f"Silent since {since}: {why}.")


def _why(nodes: Sequence[str], gateways: Gateways) -> tuple[FreshnessReason, str]:
    known = [gateways[node] for node in nodes if node in gateways]
    offline = [gateway for gateway in known if not gateway.online]
    if known and len(offline) == len(known):
        names = ", ".join(gateway.node for gateway in offline)
        return FreshnessReason.GATEWAY_OFFLINE, f"gateway {names} is offline{_since(offline[0].at)}"
    online = [gateway for gateway in known if gateway.online]
    for gateway in online:
        for source in gateway.sources:
            if source.status != "connected":
                detail = f" ({source.detail})" if source.detail else ""
                word = "down" if source.status == "down" else source.status
                return (
                    FreshnessReason.STALE,
                    f"source {source.name} of gateway {gateway.node} is {word}{_since(source.since)}{detail}",
                )
    for gateway in online:
        if gateway.backlog_batches > 1:
            waiting = f"gateway {gateway.node} still holds {gateway.backlog_batches} batches that are on their way"
            return FreshnessReason.LATE, waiting
    if online:
        names = ", ".join(gateway.node for gateway in online)
        return FreshnessReason.STALE, f"the device sends nothing although gateway {names} is online"
    return FreshnessReason.STALE, "nothing is known of its gateway"


def clock_time(time_ns: int) -> str:
    """E.g. ``2026-11-23 22:41:07 UTC``."""
    return rfc3339(time_ns)[:19].replace("T", " ") + " UTC"


def _since(at: str) -> str:
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return ""
    offset = moment.utcoffset() or timedelta()
    return f" since {(moment - offset).replace(tzinfo=None).isoformat(sep=' ', timespec='seconds')} UTC"
