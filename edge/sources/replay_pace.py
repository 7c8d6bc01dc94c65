"""Hop *sense*, replay (pure): recorded times → now. In: times of rows. Out: when each is played.

The first row is now; every other stands at its own distance from it, divided by the speed.
"""


class Pace:
    """The times of one recording that is played."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._recorded_ns: int | None = None  # the row that is the origin
        self._played_ns = 0
        self._newest_ns = 0  # played
        self._step_ns = 1_000  # between the two newest rows; the key in the store has microseconds

    def played_ns(self, recorded_ns: int, now_ns: int) -> int:
        """When a row of that time is played; an earlier one than the first lies in the past."""
        if self._recorded_ns is None:
            self._recorded_ns = recorded_ns
            self._played_ns = max(now_ns, self._newest_ns + self._step_ns) if self._newest_ns else now_ns
        played_ns = self._played_ns + round((recorded_ns - self._recorded_ns) / self._speed)
        if played_ns > self._newest_ns:
            if self._newest_ns >= self._played_ns:
                self._step_ns = max(1_000, played_ns - self._newest_ns)
            self._newest_ns = played_ns
        return played_ns

    def again(self) -> None:
        """The recording begins once more, one step behind its last row."""
        self._recorded_ns = None
