"""The clock of one server against ours: offset, drift, steps; and the source times that follow from it. Pure.

In: readings of the server's clock, and messages with their source times. Out: the same messages with times that are
right as far as that can be known, each changed one flagged, and word of every step.

Two kinds of fault are told apart. The server's own clock is measured (`CurrentTime` of its status): when it is off, and
the source times follow it, all of them are shifted by the measured offset. Behind a server there may be devices with
clocks of their own: a source time that lies in the future, or before the one that its item had already, is replaced by
the receive time, item by item. Values that are merely old stay as old as they are; so does the first value of an item
after a loss, because a server may show again what it had long before.
"""

from collections import deque
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter, lt

from twin.wire.reading import Quality, Reading

_S = 1_000_000_000
_LEAST_STEP_NS = 1_000
_KEPT = 64  # measurements
_CLOCKS_ARE_SET_NS = 1_262_304_000 * _S  # 2010: a clock before it was never set
_DRIFT_OVER_NS = 600 * _S  # less says nothing about a drift

_handle = itemgetter(0)
_source_ns = itemgetter(1)


@dataclass(frozen=True, slots=True)
class Measured:
    """The server's clock, once."""

    at_ns: int  # our time
    offset_ns: int  # the server's minus ours
    error_ns: int  # at most: half of the round trip


class ServerClock:
    """What is known of one server's clock.

    Args:
        tolerance_s: how far clocks may differ without a word.
        correct: whether times are changed; False: everything is only told.
    """

    def __init__(self, tolerance_s: float, *, correct: bool = True) -> None:
        self._tolerance_ns: int = round(tolerance_s * _S)
        self._correct: bool = correct
        self._measured: deque[Measured] = deque(maxlen=_KEPT)
        self._followed: bool = True  # the source times are the server's
        self.steps: int = 0
        self.replaced: int = 0  # source times
        self.correction_ns: int = 0  # is added to every source time

    @property
    def offset_ns(self) -> int:
        """The server's clock minus ours, by the last measurement; 0 before the first."""
        return self._measured[-1].offset_ns if self._measured else 0

    @property
    def drift_ppm(self) -> float | None:
        """How much faster the server's clock runs; None until enough time has gone by since the last step."""
        if len(self._measured) < 2:
            return None
        first, last = self._measured[0], self._measured[-1]
        over_ns = last.at_ns - first.at_ns
        return (last.offset_ns - first.offset_ns) / over_ns * 1e6 if over_ns >= _DRIFT_OVER_NS else None

    def forget(self) -> None:
        """Another server takes over, with another clock."""
        self._measured.clear()
        self._followed, self.correction_ns = True, 0

    def facts(self) -> dict[str, object]:
        """For the health report."""
        drift = self.drift_ppm
        return {
            "clock_offset_s": round(self.offset_ns / _S, 3) if self._measured else None,
            "clock_drift_ppm": None if drift is None else round(drift, 1),
            "clock_correction_s": round(self.correction_ns / _S, 3),
            "clock_steps": self.steps,
            "times_replaced": self.replaced,
        }

    def warning(self) -> str:
        """One sentence when the clock is off, else nothing."""
        if abs(self.offset_ns) <= self._tolerance_ns:
            return ""
        done = "its times are corrected" if self.correction_ns else "its times are taken as they are"
        return f"the server's clock is {self.offset_ns / _S:+,.1f} s off, {done}; set it"

    def measure(self, sent_ns: int, server_ns: int, received_ns: int) -> str:
        """Take down one reading of the server's clock.

        Returns:
            what to record when it has been stepped since the last one, else nothing.
        """
        found = Measured(received_ns, server_ns - (sent_ns + received_ns) // 2, (received_ns - sent_ns) // 2)
        before = self._measured[-1] if self._measured else None
        stepped = before is not None and abs(found.offset_ns - before.offset_ns) > self._tolerance_ns + found.error_ns
        if stepped:
            self._measured.clear()
            self.steps += 1
        self._measured.append(found)
        off = abs(found.offset_ns) > self._tolerance_ns
        self.correction_ns = -found.offset_ns if off and self._correct and self._followed else 0
        if before is None or not stepped:
            return ""
        return f"the server's clock was stepped by {(found.offset_ns - before.offset_ns) / _S:+,.3f} s"

    def suspects(self, readings: Sequence[Reading], last_ns: Mapping[int, int]) -> bool:
        """Whether a message has source times that the clock as it was known cannot have given.

        Args:
            readings: of one message, as received.
            last_ns: handle → its newest source time so far, corrected.
        """
        if not readings:
            return False
        return self._impossible(self._shifted(readings) if self.correction_ns else readings, last_ns)

    def adjust(
        self, readings: list[Reading], last_ns: Mapping[int, int], lost: Container[int] = frozenset()
    ) -> list[Reading]:
        """The readings with the times that they are to be kept with; `lost`: items whose next reading is the first."""
        if not readings or not self._correct:
            return readings
        self._learn(readings)
        if self.correction_ns:
            readings = self._shifted(readings)
        if self._impossible(readings, last_ns):
            return self._replaced(readings, last_ns, lost)
        return readings

    def _learn(self, readings: Sequence[Reading]) -> None:
        """Do the source times follow the server's clock? The newest of a live message tells, when it is off."""
        offset_ns = self.offset_ns
        if abs(offset_ns) <= self._tolerance_ns:
            return
        lag_ns = readings[-1].received_ns - max(map(_source_ns, readings))
        close_ns = abs(offset_ns) // 2
        if abs(lag_ns + offset_ns) < close_ns:
            self._followed = True
        elif abs(lag_ns) < close_ns:
            self._followed = False
        self.correction_ns = -offset_ns if self._followed else 0

    def _shifted(self, readings: Sequence[Reading]) -> list[Reading]:
        by_ns, flag = self.correction_ns, Quality.TIME_ADJUSTED
        return [one._replace(source_ns=max(one.source_ns + by_ns, 1), quality=one.quality | flag) for one in readings]

    def _impossible(self, readings: Sequence[Reading], last_ns: Mapping[int, int]) -> bool:
        """Whether one is ahead of us, older than what its item had before, or of a clock that was never set."""
        sources = tuple(map(_source_ns, readings))
        if max(sources) > readings[-1].received_ns + self._tolerance_ns or min(sources) < _CLOCKS_ARE_SET_NS:
            return True
        return any(map(lt, sources, map(last_ns.get, map(_handle, readings), sources)))

    def _replaced(self, readings: Sequence[Reading], last_ns: Mapping[int, int], lost: Container[int]) -> list[Reading]:
        """Item by item: what cannot be right gets the receive time, and never one that its item had already."""
        newest: dict[int, int] = {}
        found: list[Reading] = []
        for one in readings:
            known_ns = 0 if one.handle in lost else last_ns.get(one.handle, 0)
            before_ns = newest.get(one.handle, known_ns)
            ahead = one.source_ns > one.received_ns + self._tolerance_ns
            unset = before_ns > 0 and one.source_ns < _CLOCKS_ARE_SET_NS
            if ahead or unset or one.source_ns < before_ns - self._tolerance_ns:
                self.replaced += 1
                at_ns = max(one.received_ns, before_ns + _LEAST_STEP_NS)
                one = one._replace(source_ns=at_ns, quality=one.quality | Quality.TIME_ADJUSTED)
            newest[one.handle] = max(before_ns, one.source_ns)
            found.append(one)
        return found
