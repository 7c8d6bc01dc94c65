"""What every candidate would have forecast at earlier origins, and by how much it would have been wrong.

In: a panel. Out: errors [C, K, S, h] of C candidates at K origins; the global model learns only from what came
before all of these origins, so that its errors are as honest as the others'.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from twin.forecast.classical import theta
from twin.forecast.global_model import GlobalModel
from twin.forecast.panel import Array, Panel
from twin.forecast.profiles import level_times_slot, naive, seasonal_naive, slot_median

WINDOWS = 14  # origins, one shortest cycle apart: for hours and shifts each weekday twice
GUARD = "seasonal-naive"
LONGEST_CLASSICAL = 60  # slots of a cycle, up to which the classical candidate is asked

Candidate = Callable[[Array, int], Array]
"""rates [S, n], horizon → rates [S, h]."""


@dataclass(frozen=True)
class Backtest:
    """Errors are truth minus forecast, in rates; NaN where the truth is not known or the series had just begun."""

    candidates: Mapping[str, Candidate]
    errors: Array  # [C, K, S, h], candidates in the order of the mapping
    ahead: Array  # [C, S, h] rates of the slots that nobody knows yet
    origins: tuple[int, ...]  # [K] slots


def candidates_of(panel: Panel, learnt: GlobalModel | None) -> dict[str, Candidate]:
    """By name; the guard comes first."""
    if not panel.seasons:
        return {GUARD: naive, "theta": lambda rates, h: theta(rates, 1, h)}
    seasons = panel.seasons
    short, long = seasons[0], seasons[-1]
    found: dict[str, Candidate] = {GUARD: lambda rates, h: seasonal_naive(rates, short, h)}
    if long != short:
        found["seasonal-naive-long"] = lambda rates, h: seasonal_naive(rates, long, h)
    found["slot-median"] = lambda rates, h: slot_median(rates, long, h)
    found["level-times-slot"] = lambda rates, h: level_times_slot(rates, seasons, h)
    if short == long and short <= LONGEST_CLASSICAL:
        found["theta"] = lambda rates, h: theta(rates, short, h)
    if learnt is not None and learnt.useful:
        found["gradient-boosting"] = lambda rates, _: learnt.predict(rates)
    return found


def origins_of(panel: Panel, windows: int = WINDOWS) -> tuple[int, ...]:
    """The newest origins from which a whole horizon is known; fewer for a short panel, none for a very short one."""
    slots, stride = panel.values.shape[1], panel.seasons[0] if panel.seasons else 1
    newest = slots - panel.horizon
    least = 2 * stride
    return tuple(origin for origin in range(newest, newest - windows * stride, -stride) if origin >= least)


def backtest(panel: Panel, windows: int = WINDOWS) -> Backtest:
    """Try all candidates at every origin, the global model as fitted on what came before the oldest one; ahead, it is
    fitted on everything.
    """
    rates, horizon = panel.rates, panel.horizon
    origins = origins_of(panel, windows)
    learnt = None
    if panel.seasons:
        learnt = GlobalModel(panel.seasons, horizon).fit(rates[:, : min(origins, default=0)])
    candidates = candidates_of(panel, learnt)
    errors = np.full((len(candidates), len(origins), len(rates), horizon), np.nan)
    for k, origin in enumerate(origins):
        seen = (~np.isnan(rates[:, :origin])).sum(axis=1) >= (panel.seasons or (1,))[0]
        truth = np.where(seen[:, None], rates[:, origin : origin + horizon], np.nan)
        for c, forecast in enumerate(candidates.values()):
            errors[c, k] = truth - forecast(rates[:, :origin], horizon)
    if learnt is not None and learnt.useful:
        candidates = candidates_of(panel, GlobalModel(panel.seasons, horizon).fit(rates))
    ahead = np.stack([forecast(rates, horizon) for forecast in candidates.values()])
    return Backtest(candidates, errors, ahead, origins)
