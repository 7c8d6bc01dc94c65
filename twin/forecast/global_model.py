"""One gradient-boosting model for all series and all horizons: what is it that a slot differs by from its cycles?

In: rates of a panel. Out: rates ahead. Every feature and the target are relative to the series' own level and to
the base, the mean of the last cycles' values of the same slot, so that one model serves machines of any speed
(global direct multi-horizon forecasting: Montero-Manso & Hyndman 2021, doi:10.1016/j.ijforecast.2021.03.004).
"""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from twin.forecast.panel import Array, mean_of
from twin.forecast.profiles import CYCLES, level_times_slot, slot_median

ROWS = 100_000  # of the training table, at the most: a bound on time, and enough
ORIGINS = 60
LEAST_ROWS = 500  # fewer teach nothing that a profile does not know


@dataclass(frozen=True)
class Scaling:
    """Of each series, [S]: what is subtracted and what is divided by."""

    centre: Array
    spread: Array


def scaling(rates: Array, seasons: tuple[int, ...]) -> Scaling:
    """Level of the last longest cycle, mean absolute difference between shortest cycles."""
    short, long = seasons[0], seasons[-1]
    centre = mean_of(rates[:, -long:])
    centre = np.where(np.isnan(centre), np.nan_to_num(mean_of(rates)), centre)
    spread = mean_of(np.abs(rates[:, short:] - rates[:, :-short]))
    floor = 1e-3 * np.abs(centre) + 1e-9
    return Scaling(centre, np.maximum(np.nan_to_num(spread), floor))


def needed(seasons: tuple[int, ...]) -> int:
    """How many slots before an origin the features look at."""
    return seasons[-1] + seasons[0] + 1


def table(z: Array, origin: int, horizon: int, seasons: tuple[int, ...]) -> tuple[Array, Array]:
    """Features [S, h, F] and base [S, h] for the slots origin, origin+1, … seen from before `origin`.

    z: [S, n ≥ origin] scaled rates; nothing at or after `origin` is looked at.
    """
    series, short, long = len(z), seasons[0], seasons[-1]
    step = np.arange(horizon)

    def at(slots: NDArray[np.int64]) -> Array:
        found = z[:, np.clip(slots, 0, origin - 1)]
        return np.where((slots >= 0) & (slots < origin), found, np.nan)

    def mean(first: int, last: int) -> Array:
        if last <= 0:
            return np.full((series, horizon), np.nan)
        return np.repeat(mean_of(z[:, max(0, first) : last])[:, None], horizon, axis=1)

    def same(season: int, back: int) -> NDArray[np.int64]:
        return origin + step - season * (step // season + back)

    seen = z[:, max(0, origin - CYCLES * long) : origin]
    lags = [at(same(season, back)) for season in seasons for back in (1, 2)]
    base = mean_of(np.stack([at(same(season, 1)) for season in seasons]), axis=0)
    now, before = mean(origin - short, origin), mean(origin - 2 * short, origin - short)
    cycle, cycle_before = mean(origin - long, origin), mean(origin - long - short, origin - long)
    last = np.repeat(at(np.array([origin - 1])), horizon, axis=1)
    last2 = np.repeat(at(np.array([origin - 2])), horizon, axis=1)
    then = np.repeat(at(np.array([origin - 1 - long])), horizon, axis=1)
    relative = [
        *lags,
        at(same(long, 1) - 1),
        at(np.minimum(same(long, 1) + 1, origin - 1)),
        last,
        last2,
        now,
        before,
        cycle,
        cycle_before,
        then,
        lags[-2] + (last - then),
        lags[0] + (now - before),
        slot_median(seen, long, horizon),
        level_times_slot(seen, seasons, horizon),
    ]
    spread = np.repeat(
        np.nanstd(np.where(np.isnan(z), 0.0, z)[:, max(0, origin - long) : origin], axis=1)[:, None], horizon, axis=1
    )
    absolute = [
        np.broadcast_to(step.astype(float), (series, horizon)),
        np.broadcast_to(step % short + 0.0, (series, horizon)),
        spread,
    ]
    level = np.where(np.isnan(base), cycle, base)
    level = np.nan_to_num(level)
    return np.stack([*absolute, *(one - level for one in relative)], axis=-1).astype(np.float64), level


def one_thread() -> threadpool_limits:
    """The hot path runs beside us: threads that spin for each other would take the cores that it needs."""
    return threadpool_limits(limits=1, user_api="openmp")


def _trees() -> HistGradientBoostingRegressor:
    """Absolute error, because a few broken days must not bend the forecast of all others."""
    return HistGradientBoostingRegressor(
        loss="absolute_error",
        max_iter=125,
        learning_rate=0.12,
        max_leaf_nodes=63,
        min_samples_leaf=100,
        early_stopping=cast("Any", False),  # the same rows give the same trees
        random_state=0,
    )


class GlobalModel:
    """Fitted on the past of all series of a panel; immutable afterwards."""

    def __init__(self, seasons: tuple[int, ...], horizon: int) -> None:
        self._seasons = seasons
        self._horizon = horizon
        self._trees: Any = None

    @property
    def useful(self) -> bool:
        """Whether there was enough to learn from."""
        return self._trees is not None

    def fit(self, rates: Array) -> "GlobalModel":
        """Learn from origins all over the later past; [S, n] rates with NaN where unknown."""
        scale = scaling(rates, self._seasons)
        z = (rates - scale.centre[:, None]) / scale.spread[:, None]
        origins = self._origins(rates.shape)
        features: list[NDArray[np.float32]] = []
        targets: list[Array] = []
        for origin in origins:
            x, base = table(z, origin, self._horizon, self._seasons)
            ahead = np.full(base.shape, np.nan)
            known = z[:, origin : origin + self._horizon]
            ahead[:, : known.shape[1]] = known
            kept = ~np.isnan(ahead) & ~np.isnan(x[..., 3])
            features.append(x[kept].astype(np.float32))
            targets.append((ahead - base)[kept])
        y = np.concatenate(targets) if targets else np.zeros(0)
        if len(y) >= LEAST_ROWS:
            with one_thread():
                self._trees = cast("Any", _trees()).fit(np.concatenate(features), y)
        return self

    def _origins(self, shape: tuple[int, int]) -> list[int]:
        series, slots = shape
        wanted = max(4, min(ORIGINS, ROWS // max(1, series * self._horizon)))
        first, last = needed(self._seasons), slots - 1
        if last <= first:
            return []
        stride = max(1, min(self._seasons[0], (last - first) // wanted))
        # strides that share no factor with the cycle see every phase of it
        while stride > 1 and np.gcd(stride, self._seasons[0]) not in (1, stride):
            stride -= 1
        return list(range(last, first, -stride))[:wanted]

    def predict(self, rates: Array) -> Array:
        """[S, h] rates of the slots after the last one; only when `useful`."""
        scale = scaling(rates, self._seasons)
        z = (rates - scale.centre[:, None]) / scale.spread[:, None]
        x, base = table(z, rates.shape[1], self._horizon, self._seasons)
        with one_thread():
            difference: Array = self._trees.predict(x.reshape(-1, x.shape[-1]).astype(np.float32))
        ahead = difference.reshape(base.shape) + base
        return ahead * scale.spread[:, None] + scale.centre[:, None]
