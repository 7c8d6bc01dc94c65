"""The counter rules as a plain loop with Python's whole numbers, written from the description, not the kernel."""

from dataclasses import dataclass, field
from math import floor

MODULI = sorted([1_000, 10_000, 100_000, 1_000_000, 2**15, 2**16, 2**31, 2**32])


@dataclass
class Counter:
    """One counter and what was made of it."""

    gap_ns: int
    last: int | None = None
    last_ns: int = 0
    modulus: int | None = None
    highest: int = 0
    rate: float = 10.0
    total: int = 0
    estimated: int = 0
    rollovers: int = 0
    resets: int = 0
    glitches: int = 0
    unsure: int = 0
    held: list[tuple[int, int]] = field(default_factory=list)  # (value, ns) that do not follow from `last`
    increments: list[int] = field(default_factory=list)  # times, since the last gap

    def possible(self, elapsed_ns: int) -> float:
        return max(10.0, 1.5 * self.rate * (elapsed_ns * 1e-9))

    def see(self, now_ns: int, reading: float) -> None:
        if reading < 0 or reading > 2.0**53:
            self.glitches += 1
            return
        value = floor(reading + 0.5)
        if self.last is None:
            self._believe(value, now_ns)
        elif 0 <= value - self.last <= self.possible(now_ns - self.last_ns):
            self.glitches += bool(self.held)
            self._credit(value - self.last, now_ns)
            self._believe(value, now_ns)
        elif not self.held or value < self.held[-1][0]:
            self.glitches += bool(self.held)
            self.held = [(value, now_ns)]
        else:
            witness, witness_ns = self.held[-1]
            follows = value - witness <= self.possible(now_ns - witness_ns)
            if follows or len(self.held) >= 3:
                first, first_ns = self.held[0]
                self._credit(self._jump(first, first_ns, follows) + value - first, now_ns)
                self._believe(value, now_ns)
            else:
                self.held.append((value, now_ns))

    def _jump(self, target: int, target_ns: int, follows: bool) -> int:
        possible = self.possible(target_ns - self.last_ns)
        if target >= self.last:
            if not follows:
                return target - self.last
            self.unsure = min(self.unsure + floor(possible), 2_000_000_000)
            self.resets += 1
            return 0
        candidates = [self.modulus] if self.modulus else [m for m in MODULI if m > self.highest]
        for modulus in candidates:
            if target + modulus - self.last <= possible:
                self.modulus = modulus
                self.rollovers += 1
                return target + modulus - self.last
        self.resets += 1
        seen = target if target <= possible else 0
        self.unsure = min(self.unsure + floor(possible) - seen, 2_000_000_000)
        return seen

    def _credit(self, parts: int, now_ns: int) -> None:
        if parts <= 0:
            return
        self.total += parts
        if self.increments:
            elapsed_s = max((now_ns - self.increments[-1]) * 1e-9, 1.0)
            self.rate = max(parts / elapsed_s, 0.99 * self.rate)
        if parts > 1 and now_ns - self.last_ns > self.gap_ns:
            self.estimated += parts
            self.increments = []
        self.increments.append(now_ns)

    def _believe(self, value: int, now_ns: int) -> None:
        if self.modulus is not None and value >= self.modulus:
            self.modulus = None
        self.last, self.last_ns, self.held = value, now_ns, []
        self.highest = max(self.highest, value)
