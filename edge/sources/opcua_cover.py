"""What one server of a redundant set has brought without a hole, so that another one's hole is none. Pure.

In: the gaps of this server, noted as they are found. Out: of another server's gap, the parts that this one has missed,
too. What is not known counts as missed.
"""

from collections import deque
from collections.abc import Iterable, Sequence

from edge.sources.opcua_gaps import GapLedger
from twin.wire.reading import Gap

_MOST_GAPS = 1_000


class Cover:
    """Of one server."""

    def __init__(self, ledger: GapLedger) -> None:
        self._ledger: GapLedger = ledger
        self._gaps: deque[Gap] = deque(maxlen=_MOST_GAPS)
        self._known_since_ns: int = 0  # before that, gaps were forgotten

    def note(self, gaps: Iterable[Gap]) -> None:
        """This server has missed something."""
        for gap in gaps:
            if len(self._gaps) == _MOST_GAPS:
                self._known_since_ns = max(self._known_since_ns, self._gaps[0].to_ns)
            self._gaps.append(gap)

    def missed_too(self, gaps: Sequence[Gap], *, sound: bool) -> list[Gap]:
        """Of another server's gaps what this one has not brought either; `sound`: it has been heard since."""
        return [part for gap in gaps for part in self._missed(gap, sound=sound)]

    def _missed(self, gap: Gap, *, sound: bool) -> list[Gap]:
        ends = self._ends(gap, sound=sound)
        found = [
            gap._replace(handles=common, from_ns=max(gap.from_ns, own.from_ns), to_ns=min(gap.to_ns, own.to_ns))
            for own in self._gaps
            if own.from_ns < gap.to_ns and gap.from_ns < own.to_ns and (common := _common(gap, own, ends))
        ]
        by_start: dict[int, list[int]] = {}
        for handle, end_ns in ends.items():
            by_start.setdefault(max(gap.from_ns, end_ns), []).append(handle)
        open_ones = [
            gap._replace(handles=tuple(handles), from_ns=start_ns)
            for start_ns, handles in by_start.items()
            if start_ns < gap.to_ns
        ]
        return [*found, *open_ones]

    def _ends(self, gap: Gap, *, sound: bool) -> dict[int, int]:
        """Handle → until when this server has brought all of it, apart from what is in its own gaps."""
        ends: dict[int, int] = {}
        for handle in gap.handles:
            last_ns = self._ledger.last_ns.get(handle)
            if last_ns is None or gap.from_ns < self._known_since_ns:
                ends[handle] = gap.from_ns
                continue
            lost_ns = self._ledger.lost_since_ns(handle)
            ends[handle] = gap.to_ns if lost_ns is None and sound else last_ns if lost_ns is None else lost_ns
        return ends


def _common(gap: Gap, own: Gap, ends: dict[int, int]) -> tuple[int, ...]:
    return tuple(handle for handle in own.handles if ends.get(handle, gap.from_ns) > gap.from_ns)
