"""The plain candidates: what the same slot brought before. In: rates [S, n]. Out: rates [S, h] of the slots that
follow.

All of them look past slots in which nothing was planned or known. `seasonal_naive` is the guard against which the
combination has to prove itself.
"""

import numpy as np

from twin.forecast.panel import Array, mean_of, median_of

CYCLES = 4  # how many cycles back a profile looks
DAMPING = 0.9  # per horizon of one shortest cycle: how much of the present level's surprise is believed to last


def cycles_of(rates: Array, season: int, cycles: int) -> Array:
    """[S, cycles, season] the last cycles, oldest first; NaN before a series began."""
    series, slots = rates.shape
    wanted = cycles * season
    last = rates[:, max(0, slots - wanted) :]
    padded = np.full((series, wanted), np.nan)
    padded[:, wanted - last.shape[1] :] = last
    return padded.reshape(series, cycles, season)


def repeated(profile: Array, horizon: int) -> Array:
    """[S, season] → [S, horizon]."""
    return np.tile(profile, (1, -(-horizon // profile.shape[1])))[:, :horizon]


def level(rates: Array, slots: int) -> Array:
    """[S] mean rate of the last slots; where nothing of them is known, of all that is; 0 where there is nothing."""
    recent = mean_of(rates[:, -slots:])
    recent = np.where(np.isnan(recent), mean_of(rates), recent)
    return np.nan_to_num(recent, nan=0.0)


def filled(rates: Array, otherwise: Array) -> Array:
    """`rates` [S, h], and `otherwise` [S] where they are NaN."""
    return np.where(np.isnan(rates), otherwise[:, None], rates)


def seasonal_naive(rates: Array, season: int, horizon: int) -> Array:
    """The last known rate of the same slot of the cycle."""
    back = cycles_of(rates, season, CYCLES)
    newest = back[:, -1]
    for cycle in range(CYCLES - 2, -1, -1):
        newest = np.where(np.isnan(newest), back[:, cycle], newest)
    return filled(repeated(newest, horizon), level(rates, season))


def slot_median(rates: Array, season: int, horizon: int) -> Array:
    """The median of the same slot over the last cycles."""
    return filled(repeated(median_of(cycles_of(rates, season, CYCLES), axis=1), horizon), level(rates, season))


def level_times_slot(rates: Array, seasons: tuple[int, ...], horizon: int) -> Array:
    """The mean profile of the longest cycle, shifted by how much the last shortest cycle differs from it, damped."""
    short, long = seasons[0], seasons[-1]
    profile = mean_of(cycles_of(rates, long, CYCLES), axis=1)
    surprise = np.nan_to_num(mean_of(cycles_of(rates, short, 1)[:, 0] - profile[:, -short:]), nan=0.0)
    fade = DAMPING ** (np.arange(1, horizon + 1) / short)
    shape = filled(repeated(profile, horizon), level(rates, long))
    return shape + surprise[:, None] * fade


def naive(rates: Array, horizon: int) -> Array:
    """The last known rate, for series in which nothing recurs."""
    known = ~np.isnan(rates)
    last = np.where(known.any(axis=1), rates.shape[1] - 1 - known[:, ::-1].argmax(axis=1), -1)
    value = np.where(last >= 0, rates[np.arange(len(rates)), np.maximum(last, 0)], 0.0)
    return np.repeat(np.nan_to_num(value, nan=0.0)[:, None], horizon, axis=1)
