"""What was missed, per item. In: readings in the order of their arrival, and the losses that were noticed.
Out: `Gap`s, each from the last reading before a loss to the first one after it. Pure.
"""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from twin.wire.reading import Gap, GapCause, Reading

_handle_and_time = itemgetter(0, 1)


class _Loss(NamedTuple):
    from_ns: int
    cause: GapCause
    detail: str


class GapLedger:
    """Remembers the last source time of every item, and the losses that wait for the next reading of their item.

    An item that shows the very same source time again has missed nothing: its loss is forgotten.
    """

    def __init__(self) -> None:
        self._last: dict[int, int] = {}
        self._waiting: dict[int, _Loss] = {}

    @property
    def last_ns(self) -> Mapping[int, int]:
        """Handle → the source time of its last reading."""
        return self._last

    @property
    def lost(self) -> Container[int]:
        """Items whose next reading may be an old one shown again; a mere step of the clock shows none."""
        return {handle for handle, loss in self._waiting.items() if loss.cause is not GapCause.CLOCK_STEP}

    @property
    def waiting(self) -> int:
        """How many these are."""
        return len(self._waiting)

    def begin(self, handles: Iterable[int], since_ns: int) -> None:
        """Items that are read for the first time have missed what came since then."""
        self._last.update((handle, since_ns) for handle in handles if handle not in self._last)

    def lose(self, handles: Iterable[int], cause: GapCause, detail: str) -> None:
        """From its last reading on, each of these may have missed values; an earlier loss that still waits stays."""
        for handle in handles:
            if handle in self._last and handle not in self._waiting:
                self._waiting[handle] = _Loss(self._last[handle], cause, detail)

    def lost_since_ns(self, handle: int) -> int | None:
        """From when on an item may be missing something that has not come yet."""
        loss = self._waiting.get(handle)
        return None if loss is None else loss.from_ns

    def observe(self, readings: Sequence[Reading], overflowed: Sequence[int] = ()) -> list[Gap]:
        """Close the losses that these readings end.

        Args:
            readings: of one message, in its order.
            overflowed: places in `readings` before which the server says it dropped values of the same item.
        """
        if not self._waiting and not overflowed:
            self._last.update(map(_handle_and_time, readings))
            return []
        spans: dict[tuple[int, int, GapCause, str], list[int]] = {}
        dropped = set(overflowed)
        for place, (handle, at_ns, *_) in enumerate(readings):
            loss = self._waiting.pop(handle, None)
            if place in dropped and loss is None and handle in self._last:
                loss = _Loss(self._last[handle], GapCause.QUEUE_OVERFLOW, "the server's queue was full")
            if loss is not None and at_ns > loss.from_ns:
                spans.setdefault((loss.from_ns, at_ns, loss.cause, loss.detail), []).append(handle)
            self._last[handle] = at_ns
        return [Gap(tuple(handles), *span) for span, handles in spans.items()]


class Arrival:
    """The first message after an outage, part by part.

    An item that brings its whole queue may have lost older values, even where the server does not set the overflow bit.

    Args:
        ledger: before the message.
        sizes: handle → revised queue size.
    """

    def __init__(self, ledger: GapLedger, sizes: Mapping[int, int]) -> None:
        self._sizes: Mapping[int, int] = sizes
        self._before = {handle: ledger.last_ns[handle] for handle in sizes.keys() & ledger.last_ns.keys()}
        self._counts: Counter[int] = Counter()
        self._first: dict[int, int] = {}

    def note(self, readings: Iterable[Reading], gaps: Iterable[Gap]) -> None:
        """One part of it, and the gaps that it has ended already."""
        for handle, at_ns, *_ in readings:
            self._counts[handle] += 1
            self._first.setdefault(handle, at_ns)
        for gap in gaps:
            for handle in gap.handles:
                self._before.pop(handle, None)

    def gaps(self) -> list[Gap]:
        """What the full queues have lost, once all parts are noted."""
        spans: dict[tuple[int, int], list[int]] = {}
        for handle, before_ns in self._before.items():
            if self._counts[handle] >= self._sizes[handle] and self._first[handle] > before_ns:
                spans.setdefault((before_ns, self._first[handle]), []).append(handle)
        detail = "the server's queue was full after an outage"
        return [Gap(tuple(handles), *span, GapCause.QUEUE_OVERFLOW, detail) for span, handles in spans.items()]
