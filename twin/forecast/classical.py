"""The classical candidate: the dynamic optimised theta method, from statsforecast, this package's one door to it.

In: rates [S, n]. Out: rates [S, h]. For slots of a shift, a day or more, of which a series has hundreds at the
most; it sees trends that profiles miss (Fiorucci et al. 2016, doi:10.1016/j.ijforecast.2016.02.005). Imported on
first use: it takes seconds.
"""

from typing import Any, cast

import numpy as np

from twin.forecast.panel import Array
from twin.forecast.profiles import level

CYCLES = 8  # longer memories cost time and bring nothing
LEAST = 8  # slots


def theta(rates: Array, season: int, horizon: int) -> Array:
    """Dynamic optimised theta; unknown slots are filled from the known ones beside them, an almost empty series is
    its level.
    """
    from statsforecast.models import DynamicOptimizedTheta

    method = cast("Any", DynamicOptimizedTheta)(season_length=season)
    found = np.repeat(level(rates, season)[:, None], horizon, axis=1)
    for row, series in zip(found, rates[:, -max(CYCLES * season, 60) :], strict=True):
        known = np.flatnonzero(~np.isnan(series))
        if len(known) < LEAST or np.ptp(series[known]) == 0:
            continue
        slots = np.arange(int(known[0]), len(series))
        row[:] = method.forecast(y=np.interp(slots, known, series[known]), h=horizon)["mean"]
    return found
