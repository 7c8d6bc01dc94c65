"""How a unit works, for those who simulate it: cycle, failures, scrap, rework, setup, duty in a port. Pure nouns.

Every key is optional; what history shows stands above it. A unit gives what differs from its type.
"""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from twin.settings import Settings

Share = Annotated[float, Field(ge=0, lt=1)]


class Cycle(Settings):
    """Seconds per part or move."""

    distribution: Literal["deterministic", "exponential", "lognormal", "empirical"] = "lognormal"
    mean_s: PositiveFloat | None = None
    cv: NonNegativeFloat = 0.1  # standard deviation ÷ mean, lognormal only
    least_s: NonNegativeFloat = 0.0
    observed_s: tuple[PositiveFloat, ...] = ()  # empirical only

    @model_validator(mode="after")
    def _complete(self) -> "Cycle":
        if self.distribution == "empirical":
            if not self.observed_s:
                raise ValueError("an empirical cycle needs observed_s: [seconds, …]; add it")
        elif self.mean_s is None:
            raise ValueError("a cycle needs mean_s: <seconds>; add it")
        return self


class Failures(Settings):
    """How it breaks down."""

    mtbf_s: PositiveFloat
    mttr_s: PositiveFloat
    repair_cv: NonNegativeFloat = 1.0  # 1 = exponential, else lognormal
    depends: Literal["operation", "time"] = "operation"  # on the work done, or on the time that passes
    crew: str | None = None  # a name under `crews`

    @model_validator(mode="after")
    def _possible(self) -> "Failures":
        if self.crew is not None and self.depends == "time":
            raise ValueError("only failures that depend on operation can wait for a crew; remove crew or depends: time")
        return self


class Rework(Settings):
    """A share that goes back."""

    share: Share
    to: str  # a buffer's path


class Work(Settings):
    """One unit, as its type and the unit itself describe it."""

    duty: Literal["machine", "quay-crane", "carrier", "yard-crane", "gate-in", "gate-out"] = "machine"
    cycle: Cycle | None = None
    failures: Failures | None = None
    servers: PositiveInt = 1
    scrap: Share = 0.0
    rework: Rework | None = None
    lot: PositiveInt | None = None  # after so many parts it is set up
    setup_s: NonNegativeFloat = 0.0
    moves_per_call: PositiveFloat | None = None  # quay crane: boxes to discharge, and as many to load
    turnaround_s: NonNegativeFloat = 0.0  # quay crane: between two vessels
    trucks_per_h: PositiveFloat | None = None  # gate in: trucks that bring a box, and as many that fetch one
