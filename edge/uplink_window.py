"""Hop *send*, the pure part: which batches are on their way, which may follow, and which must go again.

In: sends, PUBACKs, receipts and the time. Out: decisions. Only a receipt ends a flight; a PUBACK merely permits to send
the same batch again on the same connection.
"""

from collections.abc import Callable
from dataclasses import dataclass

from twin.wire.reading import Lane
from twin.wire.receipt import Receipt

_LIVE_SHARE = 4  # a quarter of the window is never used by history


@dataclass(slots=True)
class Flight:
    """One batch between its sending and its receipt."""

    number: int
    lane: Lane
    size: int
    sent_at_s: float
    attempt: int = 1
    acknowledged: bool = False  # by the broker, for this attempt


class Window:
    """The unreceipted batches of one connection."""

    def __init__(
        self,
        *,
        max_batches: int,
        max_bytes: int,
        resend_s: float,
        resend_max_s: float,
        jitter: Callable[[], float],
    ) -> None:
        self._max_batches = max_batches
        self._max_bytes = max_bytes
        self._resend_s = resend_s
        self._resend_max_s = resend_max_s
        self._jitter = jitter
        self._flights: dict[int, Flight] = {}
        self._bytes = 0
        self._timeout_s = resend_s
        self._progress = True  # since the last resending
        self._quiet_until_s = 0.0  # no further probe before

    @property
    def numbers(self) -> frozenset[int]:
        """What is on its way."""
        return frozenset(self._flights)

    def attempt(self, number: int) -> int:
        """How often the batch went out; 0 when it is not on its way."""
        flight = self._flights.get(number)
        return flight.attempt if flight else 0

    def room(self, lane: Lane) -> int:
        """How many more batches of a lane may go; history leaves a part of the window to the live lane."""
        batches, size = self._max_batches, self._max_bytes
        if lane is Lane.HISTORY:
            batches, size = batches - batches // _LIVE_SHARE, size - size // _LIVE_SHARE
        return max(batches - len(self._flights), 0) if self._bytes < size else 0

    def sent(self, number: int, lane: Lane, size: int, now_s: float) -> Flight:
        """A batch goes out, for the first time or again; the flight is told when the broker has it."""
        before = self._flights.get(number)
        flight = Flight(number, lane, size, now_s, before.attempt + 1 if before else 1)
        self._bytes += size - (before.size if before else 0)
        self._flights[number] = flight
        return flight

    def settle(self, receipt: Receipt) -> int:
        """End the flights that the receipt covers; returns how many."""
        done = [number for number in self._flights if receipt.covers(number)]
        for number in done:
            self.forget(number)
        if done:
            self._progress = True
            self._timeout_s = self._resend_s
            self._quiet_until_s = 0.0
        return len(done)

    def forget(self, number: int) -> None:
        """The batch is settled."""
        flight = self._flights.pop(number, None)
        if flight is not None:
            self._bytes -= flight.size

    def due(self, now_s: float) -> list[int]:
        """What is to be sent again now.

        After a receipt: all that is overdue. While none comes: only the oldest, as a probe and less and less often, so
        that a broker whose subscriber is away is not filled with copies.
        """
        overdue = [flight for flight in self._flights.values() if self._is_overdue(flight, now_s)]
        if not overdue:
            return []
        if self._progress:
            self._progress = False
            return sorted(flight.number for flight in overdue)
        if now_s < self._quiet_until_s:
            return []
        self._timeout_s = min(self._timeout_s * 2 * self._jitter(), self._resend_max_s)
        self._quiet_until_s = now_s + self._timeout_s
        return [min(overdue, key=_sent_at).number]

    def next_due_in_s(self, now_s: float) -> float | None:
        """Seconds until `due` may have something; None when no flight waits for its receipt."""
        times = [flight.sent_at_s for flight in self._flights.values() if flight.acknowledged]
        if not times:
            return None
        due_at_s = min(times) + self._timeout_s
        return max((due_at_s if self._progress else max(due_at_s, self._quiet_until_s)) - now_s, 0.0)

    def silent_s(self, now_s: float) -> float:
        """How long the broker has owed its PUBACK for the oldest send."""
        times = [flight.sent_at_s for flight in self._flights.values() if not flight.acknowledged]
        return now_s - min(times) if times else 0.0

    def _is_overdue(self, flight: Flight, now_s: float) -> bool:
        return flight.acknowledged and now_s - flight.sent_at_s >= self._timeout_s


def _sent_at(flight: Flight) -> float:
    return flight.sent_at_s


@dataclass(slots=True)
class Drain:
    """How fast history may go, and what it has sent since the start; for the health report."""

    allowed_bytes_per_s: float
    sent_bytes: int = 0


class Pace:
    """A budget that fills at `rate` per second up to one second's worth."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._budget = rate
        self._at_s: float | None = None

    def wait_s(self, now_s: float) -> float:
        """Seconds until something may be spent; 0 when it may now."""
        if self._at_s is not None:
            self._budget = min(self._budget + (now_s - self._at_s) * self._rate, self._rate)
        self._at_s = now_s
        return 0.0 if self._budget > 0 else -self._budget / self._rate + 0.001

    def spend(self, cost: float) -> None:
        """The budget may go below zero: the next one waits the longer."""
        self._budget -= cost
