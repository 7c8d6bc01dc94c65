"""Roll-ups of one signal as a plain loop over its samples, written from the description, not from the SQL.

A value is in force from its sample to the next one, at most `hold_us`; a bad sample, or one without a finite number,
ends the value before it and is none itself. Each row is made from the samples, none from finer rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite

MINUTE_US = 60_000_000
WIDTHS_US = {"minute": MINUTE_US, "hour": 60 * MINUTE_US, "day": 1440 * MINUTE_US}


@dataclass
class Row:
    """What is known of one signal in one interval."""

    samples: int = 0
    good: int = 0
    values: list[float] = field(default_factory=list)  # usable ones, in the order of time
    held: list[tuple[float, int]] = field(default_factory=list)  # value, µs

    @property
    def covered_us(self) -> int:
        return sum(us for _, us in self.held)

    @property
    def mean(self) -> float | None:
        covered_us = self.covered_us
        return sum(value * (us / covered_us) for value, us in self.held) if covered_us else None


def rollups(samples: Sequence[tuple[int, float, int]], hold_us: int, width_us: int) -> dict[int, Row]:
    """Samples (time in µs, value, quality) without doubles → rows by their beginning in µs."""
    ordered, rows = sorted(samples), dict[int, Row]()
    for place, (at, value, quality) in enumerate(ordered):
        row = rows.setdefault(at // width_us * width_us, Row())
        usable = quality % 4 < 2 and isfinite(value)
        row.samples += 1
        row.good += quality % 4 == 0
        if not usable:
            continue
        row.values.append(value)
        end = at + hold_us
        if place + 1 < len(ordered):
            end = min(end, ordered[place + 1][0])
        while at < end:
            start = at // width_us * width_us
            upto = min(end, start + width_us)
            rows.setdefault(start, Row()).held.append((value, upto - at))
            at = upto
    return rows
