"""What is kept of an issued forecast: a stretch of time of one asset as it was forecast at its origin.

In: the slow loop. Out: nouns for the store and the API, which pay for nothing else by importing them.
"""

from dataclasses import dataclass

LEVELS = (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975)
"""The quantiles of every forecast."""

CORRECTED = 0.2
"""The miscoverage of the interval whose realised coverage corrects the next issue: the 80 % interval."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """One stretch of one asset as it was forecast at `origin_ns`; instants in ns UTC, quantities in `unit`."""

    asset: str
    by: str  # hour | shift | day | week
    origin_ns: int
    start_ns: int
    end_ns: int
    name: str
    unit: str
    centre: float
    quantiles: tuple[float, ...]  # at LEVELS
    adjusted_mean: float  # with the fault risk
    adjusted: tuple[float, ...]
    naive_error: float | None  # what the seasonal naive was wrong by, on average
    maturity: str
    actual: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether the truth of one stored forecast lay within the interval that is corrected."""

    asset: str
    by: str
    missed: bool
