"""Several servers that bring the same values: each (signal, source time) passes once. Pure.

In: readings of any of them. Out: those that are new. The memory is bounded: what is repeated later than that passes
again, and is one row in the store, whose key it is.
"""

from collections.abc import Sequence

from twin.wire.reading import Quality, Reading

_MOST = 50_000  # readings until the older half is forgotten


class Seen:
    """The newest readings, in two generations; one that is repeated with a better quality is new."""

    def __init__(self, most: int = _MOST) -> None:
        self._most: int = most
        self._young: dict[tuple[int, int], int] = {}  # signal and source time → severity
        self._old: dict[tuple[int, int], int] = {}
        self.repeated: int = 0

    def fresh(self, readings: Sequence[Reading]) -> list[Reading]:
        """Those that are new, in order; from now on they are not."""
        kept: list[Reading] = []
        for reading in readings:
            key, severity = reading[:2], reading.quality & Quality.SEVERITY
            known = self._young.get(key, self._old.get(key))
            if known is not None and known <= severity:
                self.repeated += 1
                continue
            self._young[key] = severity
            kept.append(reading)
            if len(self._young) >= self._most:
                self._old, self._young = self._young, {}
        return kept
