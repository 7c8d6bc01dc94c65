"""Numbers over all replications: quantiles, and to which site something belongs. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Of all replications."""

    mean: float
    q05: float
    q25: float
    q50: float
    q75: float
    q95: float


def quantiles_of(values: NDArray[np.float64]) -> Quantiles:
    """[N] → mean and LEVELS."""
    return Quantiles(float(values.mean()), *(float(one) for one in np.quantile(values, LEVELS)))


def site_of(name: str) -> str:
    """The site of an operation or resource."""
    return name.partition("/")[0]
