"""Hop *commit*, the way back: what the store has of a node. Published after COMMIT, cumulative, retained.

In: the committed numbers of one epoch. Out: JSON; and back, or `Rejected`. A store that was set back (restored from a
backup, or a standby that took over) is another incarnation: its receipts replace those of the former, and may say less.
"""

import json
import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

from twin.errors import Rejected

FORMAT = 1
MOST_BYTES = 4 << 20
MOST_NUMBER = (1 << 63) - 1
_EPOCH = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Receipt:
    """Batches 1 … `high_water` and the ranges above it are in the store."""

    epoch: str  # 32 hex digits
    high_water: int  # 0 = none
    above: tuple[tuple[int, int], ...] = ()  # inclusive, ascending, not touching
    incarnation: int = 0  # of the store, ever greater; 0: a twin that does not tell

    def covers(self, number: int) -> bool:
        """True when that batch is in the store."""
        if number <= self.high_water:
            return number > 0
        at = bisect_right(self.above, (number, MOST_NUMBER))
        return at > 0 and number <= self.above[at - 1][1]

    def to_json(self) -> bytes:
        """The message."""
        above = [list(pair) for pair in self.above]
        document = {
            "format": FORMAT,
            "epoch": self.epoch,
            "high_water": self.high_water,
            "above": above,
            "incarnation": self.incarnation,
        }
        return json.dumps(document, separators=(",", ":")).encode("ascii")

    @classmethod
    def from_json(cls, data: bytes) -> "Receipt":
        """Read a receipt.

        Raises:
            Rejected: 'malformed'.
        """
        if len(data) > MOST_BYTES:
            raise Rejected("malformed", f"a receipt of {len(data)} bytes is not allowed")
        try:
            document: Any = json.loads(data)
            above = tuple(_pair(*pair) for pair in document["above"])
            receipt = cls(document["epoch"], document["high_water"], above, document.get("incarnation", 0))
            if document["format"] != FORMAT or not _EPOCH.fullmatch(receipt.epoch) or not _ascending(receipt):
                raise ValueError("another format, a bad epoch, or ranges that do not ascend")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise Rejected("malformed", f"not a receipt: {error!r}") from error
        return receipt


def _pair(first: int, last: int) -> tuple[int, int]:
    return first, last


def _ascending(receipt: Receipt) -> bool:
    """Every range begins at least two above the end of the one before and is not empty."""
    bounds = [0, receipt.incarnation, receipt.high_water, *(bound for pair in receipt.above for bound in pair)]
    if not all(type(bound) is int and 0 <= bound <= MOST_NUMBER for bound in bounds):
        return False
    ends = [receipt.high_water, *(last for _, last in receipt.above)]
    return all(end + 1 < first <= last for end, (first, last) in zip(ends, receipt.above, strict=False))
