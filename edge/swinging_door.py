"""Hop *thin* (pure): the points of a line through a signal's values, error bounded. In and out: `Reading`s.

Swinging door, in the strict form: the newest reading left out is always a possible end of the line from the last kept
one, so at no reading that came is the line between kept ones wrong by more than the error. (The usual form only asks
that some line fits, and errs by up to twice as much.) Every kept reading is one that came, with its own time.
"""

import math
import struct
from bisect import insort
from dataclasses import dataclass, field, replace
from operator import attrgetter

from twin.wire.reading import Reading

MOST_LEFT_OUT = 128  # readings of one line: they stay in memory until it ends, for a late one that bends it
_STATE = struct.Struct("<??qdqdBqq")
_source_ns = attrgetter("source_ns")


@dataclass(frozen=True, slots=True)
class SwingingDoor:
    """How far the line may be from one signal's values, and how long it may be."""

    error: float  # absolute, in the signal's unit
    max_interval_s: float  # of source time between two kept values while the device delivers


@dataclass(slots=True)
class _Line:
    """From a kept reading on."""

    start: Reading
    left_out: list[Reading] = field(default_factory=list[Reading])  # in order of time
    low: float = -math.inf  # slopes, per ns, that are near enough to all that was left out
    high: float = math.inf

    @property
    def newest(self) -> Reading:
        """What may end it."""
        return self.left_out[-1] if self.left_out else self.start

    @property
    def is_closed(self) -> bool:
        """Whether no slope is left."""
        return self.low > self.high

    def narrowed(self, reading: Reading, error: float) -> tuple[float, float]:
        """The slopes that are near enough to this reading, too."""
        span_ns = reading.source_ns - self.start.source_ns
        rise = _number(reading) - _number(self.start)
        return max(self.low, (rise - error) / span_ns), min(self.high, (rise + error) / span_ns)

    def slope_to(self, reading: Reading) -> float:
        """Of the line that ends there, per ns."""
        return (_number(reading) - _number(self.start)) / (reading.source_ns - self.start.source_ns)

    def can_end_at(self, reading: Reading) -> bool:
        """Whether a line to there is near enough to all that was left out."""
        return self.low <= self.slope_to(reading) <= self.high

    def add(self, reading: Reading, error: float) -> None:
        """Leave out the newest reading."""
        if not _is_number(reading):
            self.left_out = [reading]  # the same non-number again
            return
        self.low, self.high = self.narrowed(reading, error)
        self.left_out.append(reading)

    def absorbs(self, late: Reading, error: float) -> bool:
        """Whether a late reading fits the line as it is; then it is left out like the others."""
        if self.is_closed or not (self.start.source_ns <= late.source_ns <= self.newest.source_ns):
            return False
        if not _is_alike(late, self.start):
            return False
        if not _is_number(late):
            return True
        if late.source_ns == self.start.source_ns:
            return _number(late) == _number(self.start)
        if late.source_ns == self.newest.source_ns and abs(_number(late) - _number(self.newest)) > error:
            return False  # exactly, where slopes would round
        low, high = self.narrowed(late, error)
        if not low <= self.slope_to(self.newest) <= high:
            return False
        self.low, self.high = low, high
        insort(self.left_out, late, hi=len(self.left_out) - 1, key=_source_ns)
        return True


class Door:
    """The line of one signal."""

    def __init__(self, settings: SwingingDoor) -> None:
        self._error = settings.error
        self._max_ns = settings.max_interval_s * 1e9
        self._line: _Line | None = None
        self._before: _Line | None = None  # the one that ended where this begins; its end is not in `left_out`
        self._passed_ns = 0  # when one was passed on last, by receive time
        self._resumed_ns = 0  # what lies before it an earlier run has left out and forgotten
        self.late: int = 0  # passed on as they came, behind all that is remembered: beside them nothing is promised

    def offer(self, reading: Reading) -> list[Reading]:
        """What is to be kept now that this came."""
        line = self._line
        if line is None:
            return self._begin([reading])
        if reading.source_ns <= line.newest.source_ns:
            return self._take_late(line, reading)
        if not _is_alike(reading, line.start):
            before = self._ended(line) if line.left_out else self._before
            return self._begin([*line.left_out[-1:], reading], before)
        if self._goes_on(line, reading):
            line.add(reading, self._error)
            return []
        if not line.left_out:
            return self._begin([reading])
        end = line.newest
        self._before = self._ended(line)
        self._passed_ns = reading.received_ns
        self._line = _Line(end)
        self._line.add(reading, self._error)
        return [end]

    def due(self, now_ns: int) -> list[Reading]:
        """The newest reading, with its own time, when nothing was passed on for `max_interval_s`."""
        line = self._line
        if line is None or not line.left_out or now_ns - self._passed_ns < self._max_ns:
            return []
        end = line.newest
        self._before = self._ended(line)
        self._passed_ns = now_ns
        self._line = _Line(end)
        return [end]

    def pack(self) -> bytes:
        """What must survive a kill: the newest line as it could end now, and whether its end is kept already."""
        line = self._line
        if line is None:
            return b""
        end, start = line.newest, line.start
        if not line.left_out and self._before is not None and self._before.newest is end:
            start = self._before.start
        return _STATE.pack(
            not line.left_out, line.is_closed, start.source_ns, _number(start), end.source_ns, _number(end),
            end.quality, end.server_ns, end.received_ns,
        )  # fmt: skip

    def unpack(self, told: bytes, handle: int, now_ns: int) -> list[Reading]:
        """Go on behind an earlier run: its newest reading ends its line, and is to be kept if it is not yet."""
        if len(told) != _STATE.size:
            return []
        is_kept, is_closed, start_ns, start, end_ns, value, quality, server_ns, received_ns = _STATE.unpack(told)
        end = Reading(handle, end_ns, value, quality, server_ns, received_ns)
        if start_ns < end_ns:
            self._before = self._ended(_Line(end._replace(source_ns=start_ns, value=start), [end]))
        self._line = _closed(end) if is_closed else _Line(end)
        self._passed_ns = now_ns
        self._resumed_ns = end_ns
        return [] if is_kept else [end]

    def _goes_on(self, line: _Line, reading: Reading) -> bool:
        if line.left_out and (
            reading.source_ns - line.start.source_ns >= self._max_ns or len(line.left_out) >= MOST_LEFT_OUT
        ):
            return False
        return not _is_number(reading) or line.can_end_at(reading)

    def _begin(self, kept: list[Reading], before: _Line | None = None) -> list[Reading]:
        self._line, self._before = _Line(kept[-1]), before
        self._passed_ns = kept[-1].received_ns
        return kept

    @staticmethod
    def _ended(line: _Line) -> _Line | None:
        """The line up to its newest reading, which is kept; None when it has no slope."""
        if not _is_number(line.newest):
            return None
        slope = line.slope_to(line.newest)
        return replace(line, low=slope, high=slope)

    def _take_late(self, line: _Line, late: Reading) -> list[Reading]:
        """Leave it out where it fits; else keep it with all that the bend would falsify."""
        before = self._before
        if line.absorbs(late, self._error) or (before is not None and self._fits_before(before, late)):
            return []
        oldest = line.start if before is None else before.start
        if late.source_ns < oldest.source_ns:
            self.late += 1
            return [late]
        if late.source_ns <= self._resumed_ns or (before is not None and late.source_ns == oldest.source_ns):
            self.late += 1
        kept = [*(before.left_out[:-1] if before else ()), *line.left_out, late]
        self._line, self._before = _closed(line.newest), None
        self._passed_ns = late.received_ns
        return kept

    def _fits_before(self, before: _Line, late: Reading) -> bool:
        """Whether it fits the line that has ended; its slope cannot give way any more."""
        if not before.start.source_ns < late.source_ns <= before.newest.source_ns or not _is_alike(late, before.start):
            return False
        there = _number(before.newest)
        if late.source_ns < before.newest.source_ns:
            there = _number(before.start) + before.low * (late.source_ns - before.start.source_ns)
        if abs(_number(late) - there) > self._error:
            return False
        insort(before.left_out, late, hi=len(before.left_out) - 1, key=_source_ns)
        return True


def _closed(start: Reading) -> _Line:
    """A line that takes nothing: the next reading is kept, too, because another may be stored at the same time."""
    return _Line(start, low=math.inf, high=-math.inf)


def _number(reading: Reading) -> float:
    assert not isinstance(reading.value, str)  # noqa: S101 - the configuration refuses a line through texts
    return reading.value


def _is_number(reading: Reading) -> bool:
    return math.isfinite(_number(reading))


def _is_alike(one: Reading, other: Reading) -> bool:
    """Whether a line between the two means anything."""
    if one.quality != other.quality:
        return False
    if _is_number(one) and _is_number(other):
        return True
    return repr(one.value) == repr(other.value)
