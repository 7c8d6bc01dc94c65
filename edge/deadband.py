"""Hop *thin* (pure): `Reading` → the readings that are worth keeping, error bounded. In and out: `Reading`s.

Whoever holds the last kept value until the next one is never wrong by more than the deadband at any source time; and
the last value before a jump is passed on too, so that a line between kept values starts where the jump started.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from twin.wire.reading import Quality, Reading


@dataclass(frozen=True, slots=True)
class Deadband:
    """How far one signal may move unreported, and for how long."""

    width: float  # absolute, in the signal's unit; 0 leaves out repetitions only
    max_interval_s: float  # of source time between two kept values while the device delivers


@dataclass(slots=True)
class _Memory:
    kept: Reading  # the last one passed on
    passed_ns: int  # … and when, by receive time
    withheld: Reading | None = None  # the newest one left out since


class Thinner:
    """The deadbands of one source; signals without one pass untouched."""

    def __init__(self, bands: Mapping[int, Deadband]) -> None:
        self._bands = dict(bands)
        self._memory: dict[int, _Memory] = {}
        self.withheld: int = 0  # readings left out since the start

    def thin(self, readings: Sequence[Reading]) -> list[Reading]:
        """What is left, in order."""
        if not self._bands:
            return list(readings)
        kept: list[Reading] = []
        for reading in readings:
            band = self._bands.get(reading.handle)
            if band is None:
                kept.append(reading)
            else:
                kept += self._offer(reading, band)
        return kept

    def due(self, now_ns: int) -> list[Reading]:
        """Heartbeats: for signals silent since `max_interval_s`, the newest value left out, with its own (old) time.

        A device that sends nothing gets no heartbeat: its silence must stay visible.
        """
        beats: list[Reading] = []
        for handle, memory in self._memory.items():
            reading = memory.withheld
            if reading is not None and now_ns - memory.passed_ns >= self._bands[handle].max_interval_s * 1e9:
                beats.append(reading._replace(quality=reading.quality | Quality.HELD))
                self._memory[handle] = _Memory(reading, now_ns)
        self.withheld -= len(beats)
        return beats

    def _offer(self, reading: Reading, band: Deadband) -> list[Reading]:
        memory = self._memory.get(reading.handle)
        if memory is not None and reading.source_ns <= _newest_ns(memory):
            return [reading]  # late or backfilled: not for us to judge
        if memory is not None and not _differs(reading, memory.kept, band):
            memory.withheld = reading
            self.withheld += 1
            return []
        self._memory[reading.handle] = _Memory(reading, reading.received_ns)
        if memory is None or memory.withheld is None:
            return [reading]
        self.withheld -= 1
        return [memory.withheld, reading]


def _newest_ns(memory: _Memory) -> int:
    return memory.kept.source_ns if memory.withheld is None else memory.withheld.source_ns


def _differs(reading: Reading, kept: Reading, band: Deadband) -> bool:
    if reading.quality != kept.quality:
        return True
    if reading.source_ns - kept.source_ns >= band.max_interval_s * 1e9:
        return True
    if isinstance(reading.value, str) or isinstance(kept.value, str):
        return reading.value != kept.value
    if math.isnan(reading.value) or math.isnan(kept.value):
        return math.isnan(reading.value) != math.isnan(kept.value)
    return abs(reading.value - kept.value) > band.width
