"""How notifications with scalar values lie in memory: one precompiled struct for every DataValue mask and Variant type.

Out: `WHOLE` (mask and type → layout of a MonitoredItemNotification) and `AFTER` (mask → what follows the value).
"""

from struct import Struct

from edge.sources.opcua_value import EPOCH_TICKS, LAST_TICKS

_FORMATS = {1: "?", 2: "b", 3: "B", 4: "h", 5: "H", 6: "i", 7: "I", 8: "q", 9: "Q", 10: "f", 11: "d"}
_PARTS = ((2, "I"), (4, "q"), (16, "H"), (8, "q"), (32, "H"))  # mask bit and format, in the order of the encoding
_BLOCK = 512  # items that are cut into columns at once


class Layout:
    """How a MonitoredItemNotification (with `kind`), or what follows the value in its DataValue, lies in memory.

    `status`, `source`, `source_pico` and `server` are places among its fields, -1 for those it has not.
    """

    __slots__ = ("_block", "is_float", "server", "size", "source", "source_pico", "status", "struct", "width")

    def __init__(self, mask: int, kind: int | None) -> None:
        head = "" if kind is None else f"IBB{_FORMATS[kind]}"
        parts = [(bit, code) for bit, code in _PARTS if mask & bit]
        at = {bit: place for place, (bit, _) in enumerate(parts, start=len(head))}
        self.struct: Struct = Struct(f"<{head}{''.join(code for _, code in parts)}")
        self.size: int = self.struct.size
        self.width: int = len(head) + len(parts)  # fields
        self._block: Struct | None = None
        self.is_float: bool = kind in (10, 11)
        self.status: int = at.get(2, -1)
        self.source: int = at.get(4, -1)
        self.source_pico: int = at.get(16, -1)
        self.server: int = at.get(8, -1)

    def block(self) -> Struct:
        """Many of them on end."""
        if self._block is None:
            self._block = Struct("<" + self.struct.format[1:] * _BLOCK)
        return self._block


WHOLE = {bytes((mask, kind)): Layout(mask, kind) for mask in range(64) if mask & 1 for kind in _FORMATS}
AFTER = [Layout(mask, None) for mask in range(64)]


def times(ticks: tuple[int, ...]) -> list[int] | None:
    """A column of DateTimes in ns, or None when one of them is out of range."""
    first = ticks[0]
    if ticks[-1] == first and ticks.count(first) == len(ticks):  # a server that reads all of its items at once
        return [(first - EPOCH_TICKS) * 100] * len(ticks) if EPOCH_TICKS < first <= LAST_TICKS else None
    if min(ticks) <= EPOCH_TICKS or max(ticks) > LAST_TICKS:
        return None
    return [(tick - EPOCH_TICKS) * 100 for tick in ticks]
