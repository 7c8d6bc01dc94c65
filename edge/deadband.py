"""Hop *thin* (pure): `Reading` → the readings that are worth keeping, error bounded. In and out: `Reading`s.

A deadband or a swinging door (`edge.swinging_door`) per signal. Of a deadband, whoever holds the last kept value until
the next one is never wrong by more than its width at any source time; and the last value before a jump is passed on
too, so that a line between kept values starts where the jump started.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.sources.source import Memory, Sink
from edge.swinging_door import Door, SwingingDoor
from twin.wire.reading import Lane, Quality, Reading


def thin_keys(source: str, handles: Mapping[str, int]) -> dict[int, str]:
    """Handle → the key of its state in a source's `Memory`."""
    return {handle: f"thin/{source}/{path}" for path, handle in handles.items()}


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
    """The bands of one source; signals without one pass untouched.

    Args:
        bands: by handle.
        keys: handle → under which key its state is remembered, for those whose band must survive a kill.
    """

    def __init__(self, bands: Mapping[int, Deadband | SwingingDoor], keys: Mapping[int, str] | None = None) -> None:
        self._bands = {handle: band for handle, band in bands.items() if isinstance(band, Deadband)}
        self._doors = {handle: Door(band) for handle, band in bands.items() if isinstance(band, SwingingDoor)}
        self._keys = {handle: key for handle, key in (keys or {}).items() if handle in self._doors}
        self._memory: dict[int, _Memory] = {}
        self._told: dict[str, bytes] = {}  # states as they were given out last
        self._touched: set[int] = set()
        self.withheld: int = 0  # readings left out since the start

    @property
    def late(self) -> int:
        """Readings that came behind all that a swinging door remembers."""
        return sum(door.late for door in self._doors.values())

    def thin(self, readings: Sequence[Reading]) -> list[Reading]:
        """What is left, in order."""
        if not self._bands and not self._doors:
            return list(readings)
        kept: list[Reading] = []
        for reading in readings:
            band = self._bands.get(reading.handle)
            if band is not None:
                kept += self._offer(reading, band)
            elif reading.handle in self._doors:
                self._touched.add(reading.handle)
                passed = self._doors[reading.handle].offer(reading)
                self.withheld += 1 - len(passed)
                kept += passed
            else:
                kept.append(reading)
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
        for handle, door in self._doors.items():
            ends = door.due(now_ns)
            if ends:
                self._touched.add(handle)
                beats += ends
        self.withheld -= len(beats)
        return beats

    def unsaved(self) -> dict[str, bytes]:
        """Key → state, of every swinging door that changed; it must be on disk before a device may forget.

        A deadband needs none: holding the last kept value is right without it.
        """
        states = {self._keys[handle]: self._doors[handle].pack() for handle in self._touched & self._keys.keys()}
        self._touched.clear()
        changed = {key: state for key, state in states.items() if self._told.get(key, b"") != state}
        self._told.update(changed)
        return changed

    async def resume(self, memory: Memory | None, sink: Sink, now_ns: int) -> None:
        """Go on behind an earlier run: what it had left out last is kept, as history."""
        ends: list[Reading] = []
        for handle, key in self._keys.items():
            told = await memory.recall(key) if memory is not None else None
            if told:
                self._told[key] = told
                self._touched.add(handle)
                ends += self._doors[handle].unpack(told, handle, now_ns)
        if ends:
            await sink.keep(ends, lane=Lane.HISTORY, remembered=self.unsaved())

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
