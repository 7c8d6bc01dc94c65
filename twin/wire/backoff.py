"""How everybody waits before trying again: longer each time, never all at the same moment.

In: nothing but the wish to wait. Out: delays in seconds that double up to a limit, with jitter.
"""

import asyncio
import random
from collections.abc import Callable


class Backoff:
    """Delays between half and the whole of a doubling span; `reset` after a success."""

    def __init__(
        self, first_s: float = 0.2, most_s: float = 30.0, *, chance: Callable[[], float] = random.random
    ) -> None:
        self._first_s: float = first_s
        self._most_s: float = most_s
        self._span_s: float = first_s
        self._fresh: bool = True
        self._chance: Callable[[], float] = chance

    def reset(self) -> None:
        """Begin again with the shortest delay."""
        self._span_s = self._first_s
        self._fresh = True

    @property
    def fresh(self) -> bool:
        """True when nobody has waited since the beginning or the last `reset`."""
        return self._fresh

    def next_s(self) -> float:
        """The next delay."""
        span_s, self._fresh = self._span_s, False
        self._span_s = min(self._most_s, 2 * span_s)
        return span_s * (0.5 + 0.5 * self._chance())

    async def wait(self) -> None:
        """Sleep for the next delay."""
        await asyncio.sleep(self.next_s())
