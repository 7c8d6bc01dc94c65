"""What the server granted, against what was asked: how long an outage each item survives. Pure.

In: items as created, the subscription's lifetime. Out: figures for the status, and warnings in words.
"""

from collections.abc import Iterable, Sequence

from edge.sources.opcua_items import MonitoredItem

_MOST_LISTED = 20
_SLOWER = 1.01  # a sampling interval is granted as asked when it is no longer than this factor


def tolerated_s(item: MonitoredItem, lifetime_s: float) -> float | None:
    """How long the server keeps every value of an item: its queue, but not beyond the subscription's life.

    None where the server reports by exception and tells no interval.
    """
    interval_ms = item.revised_sampling_ms or item.sampling_ms
    return min(item.revised_queue * interval_ms / 1000, lifetime_s) if interval_ms > 0 else None


def outages(items: Iterable[MonitoredItem], lifetime_s: float) -> dict[str, float]:
    """Signal → tolerated outage in seconds, shortest first, no more than can be shown."""
    known = sorted((outage_s, item.settings.signal) for outage_s, item in _known(items, lifetime_s))
    return {signal: outage_s for outage_s, signal in known[:_MOST_LISTED]}


def differences(
    items: Sequence[MonitoredItem], keep_alive_s: float, asked_keep_alive_s: float
) -> list[dict[str, object]]:
    """Where the server gave less than was asked: what, for how many items, and the values that lie furthest apart."""
    found: list[dict[str, object]] = []
    slower = [item for item in items if item.revised_sampling_ms > item.sampling_ms * _SLOWER]
    if slower:
        worst = max(slower, key=lambda item: item.revised_sampling_ms - item.sampling_ms)
        found.append(_difference("sampling_ms", len(slower), worst.sampling_ms, worst.revised_sampling_ms))
    shorter = [item for item in items if 0 < item.revised_queue < item.queue]
    if shorter:
        worst = min(shorter, key=lambda item: item.revised_queue - item.queue)
        found.append(_difference("queue", len(shorter), worst.queue, worst.revised_queue))
    if keep_alive_s > asked_keep_alive_s * _SLOWER:
        found.append(_difference("keep_alive_s", len(items), asked_keep_alive_s, keep_alive_s))
    return found


def warning(items: Sequence[MonitoredItem], lifetime_s: float, wanted_s: float) -> str:
    """One sentence when items survive less than is wanted, else nothing."""
    short = [(outage_s, item) for outage_s, item in _known(items, lifetime_s) if outage_s < wanted_s]
    if not short:
        return ""
    outage_s, item = min(short, key=lambda entry: entry[0])
    return (
        f"{len(short)} nodes lose values in an outage of less than {wanted_s:g} s; {item.settings.signal} after"
        f" {outage_s:g} s: the server granted a queue of {item.revised_queue} (asked {item.queue}) and a subscription"
        f" that outlives us for {lifetime_s:g} s"
    )


def _known(items: Iterable[MonitoredItem], lifetime_s: float) -> list[tuple[float, MonitoredItem]]:
    return [(outage_s, item) for item in items if (outage_s := tolerated_s(item, lifetime_s)) is not None]


def _difference(what: str, items: int, asked: float, granted: float) -> dict[str, object]:
    return {"what": what, "items": items, "asked": asked, "granted": granted}
