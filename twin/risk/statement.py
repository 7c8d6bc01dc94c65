"""What is said of an asset: a probability with its basis, or no number at all. The nouns of store, job and api."""

from dataclasses import dataclass
from enum import StrEnum


class Basis(StrEnum):
    """What a probability rests on."""

    CALIBRATED = "calibrated"
    PRIOR = "uncalibrated prior"
    INSUFFICIENT = "insufficient data"  # no number
    DOWN = "out of service"  # no number: the fault has begun


BELIEVED = (Basis.CALIBRATED,)  # an uncalibrated prior changes no plan


@dataclass(frozen=True, slots=True)
class Reason:
    """A feature that raises the risk, by how much in log-odds (occlusion against the class's median)."""

    feature: str
    value: float | None  # None: not known
    log_odds: float


@dataclass(frozen=True, slots=True)
class Assessment:
    """P(a fault begins within `horizon_h`) of one asset; where the basis gives none, there is no number."""

    horizon_h: float
    p: float | None
    low: float | None  # of the 90 % band
    high: float | None
    basis: Basis
    failures: int  # of the class, that the number rests on
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class RemainingLife:
    """Hours to the next fault with their 90 % band; an estimate at the cap means: at least that."""

    hours: float
    low: float
    high: float
    cap: float
    failures: int
    model: int


@dataclass(frozen=True, slots=True)
class Statement:
    """What is said of one asset at one instant."""

    asset: str
    at_ns: int
    risks: tuple[Assessment, ...]  # by horizon, ascending
    model: int | None  # version of its class's model
    life: RemainingLife | None = None
