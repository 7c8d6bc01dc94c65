"""A forecast as it is issued: centre and quantiles per slot and per longer period, how sure, and made of what.

In: a panel, the cohort of each series, the kind of each slot. Out: `Issued`. This is the whole way: candidates at
earlier origins → weights → centre → sums that agree → intervals from honest errors → quantities, exactly zero
where nothing is planned.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from twin.forecast.backtest import WINDOWS, Backtest, backtest
from twin.forecast.combine import combine, honest_errors, weights
from twin.forecast.conformal import horizon_buckets, quantiles, scores
from twin.forecast.global_model import scaling
from twin.forecast.issued import LEVELS
from twin.forecast.panel import Array, Panel, mean_of, median_of
from twin.forecast.profiles import cycles_of
from twin.forecast.reconcile import reconcile

PRIOR_SLOTS = 8  # what the cohort knows weighs as much as so many slots of the series' own


class Maturity(StrEnum):
    """How much a forecast rests on."""

    PRIOR = "prior"  # nothing of its own yet: what assets of its type do
    YOUNG = "young"  # some slots of its own, too few to try the candidates at earlier origins
    LEARNING = "learning"  # tried at fewer earlier origins than a whole backtest has
    MATURE = "mature"


@dataclass(frozen=True)
class Structure:
    """What a panel does not say itself; defaults: every series by itself, all of one cohort, all slots of one kind.

    cohort: [S] series that are alike (asset type); kind: [S, n + h] of slots that err alike (shift type);
    stretch: [S] as `conformal.quantiles`; summing: [S, B] as `reconcile.sums_of`; periods: by name the period [h]
    into which each slot ahead falls, -1 into none.
    """

    cohort: NDArray[np.int64] | None = None
    kind: NDArray[np.int64] | None = None
    summing: Array | None = None
    stretch: Array | None = None
    periods: dict[str, NDArray[np.int64]] | None = None


@dataclass(frozen=True)
class Sums:
    """Of each period of a group."""

    centre: Array  # [S, P]
    quantiles: Array  # [Q, S, P]
    naive_error: Array  # [S] mean absolute error of the seasonal naive at the earlier origins; NaN without any


@dataclass(frozen=True)
class Issued:
    """Quantities; quantiles [Q, S, h] at LEVELS; by name what the periods of each group add up to."""

    centre: Array
    quantiles: Array
    naive_error: Array  # [S] of a slot, as in Sums
    periods: dict[str, Sums]
    maturity: tuple[Maturity, ...]
    names: tuple[str, ...]  # of the candidates
    weights: Array  # [C, S]
    origins: int


def issue(panel: Panel, structure: Structure | None = None) -> Issued:
    """Forecast all series of a panel; the same input gives the same forecast."""
    structure = structure or Structure()
    tried = backtest(panel)
    share = weights(tried.errors)
    apart = _apart(panel)
    errors = honest_errors(tried.errors, apart)
    maturity = _maturity(panel, errors)
    rates = _with_cohort(panel, combine(share, tried.ahead), structure.cohort, maturity)
    if structure.summing is not None:
        ahead = panel.planned[:, panel.values.shape[1] :]
        whole = reconcile(rates * ahead, _variance(errors), structure.summing)
        rates = np.where(ahead > 0, whole / np.where(ahead > 0, ahead, 1.0), rates)
    shown = errors if len(errors) else _spread_of_levels(panel)
    unit = scaling(panel.rates, panel.seasons or (1,)).spread
    past, future = _buckets(panel, tried, structure.kind, shown.shape)
    known = scores(shown, unit, past, future, apart)
    found = panel.quantities(quantiles(rates, known, LEVELS, structure.stretch))
    centre = panel.quantities(rates)
    return Issued(
        centre,
        found,
        _naive_error(tried.errors[0] * panel.planned[:, panel.values.shape[1] :]),
        _periods(panel, structure, (centre, found), errors, tried.errors[0]),
        maturity,
        tuple(tried.candidates),
        share,
        len(tried.origins),
    )


def _maturity(panel: Panel, errors: Array) -> tuple[Maturity, ...]:
    known = (~np.isnan(panel.rates)).sum(axis=1)
    tried = (~np.isnan(errors)).any(axis=2).sum(axis=0) if len(errors) else np.zeros(len(known), np.int64)

    def of(series: int) -> Maturity:
        if known[series] == 0:
            return Maturity.PRIOR
        if tried[series] == 0:
            return Maturity.YOUNG
        return Maturity.LEARNING if tried[series] < WINDOWS else Maturity.MATURE

    return tuple(of(series) for series in range(len(known)))


def _with_cohort(panel: Panel, rates: Array, cohort: NDArray[np.int64] | None, maturity: tuple[Maturity, ...]) -> Array:
    """Series that know little of themselves lean on their cohort's median rate."""
    own = np.nan_to_num(mean_of(panel.rates))
    count = (~np.isnan(panel.rates)).sum(axis=1)
    groups = np.zeros(len(own), np.int64) if cohort is None else cohort
    found = rates.copy()
    for series, how in enumerate(maturity):
        if how in (Maturity.PRIOR, Maturity.YOUNG):
            alike = (groups == groups[series]) & (count > 0)
            alike[series] = False
            prior = float(median_of(own[alike])) if alike.any() else own[series]
            trust = count[series] / (count[series] + PRIOR_SLOTS)
            found[series] = trust * rates[series] + (1 - trust) * prior
    return found


def _variance(errors: Array) -> Array:
    """[S] mean squared error at the earlier origins; where there is none, the panel's greatest, so that it moves
    most.
    """
    series = errors.transpose(1, 0, 2).reshape(errors.shape[1], -1)
    found = mean_of(series**2)
    return np.where(np.isnan(found), np.nanmax(found) if (~np.isnan(found)).any() else 1.0, found)


def _spread_of_levels(panel: Panel) -> Array:
    """[K, S, h] how far known slots lie from their series' mean: the only spread that a young panel can show."""
    distance = panel.rates - mean_of(panel.rates)[:, None]
    return cycles_of(distance, panel.horizon, -(-distance.shape[1] // panel.horizon)).transpose(1, 0, 2)


def _buckets(
    panel: Panel, tried: Backtest, kind: NDArray[np.int64] | None, shape: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Buckets of the errors [K, S, h] and of the slots ahead [S, h]."""
    series, slots, horizon = len(panel.values), panel.values.shape[1], panel.horizon
    if not tried.origins:
        return np.zeros(shape, np.int64), np.zeros((series, horizon), np.int64)
    by_horizon = horizon_buckets(horizon, panel.seasons[0] if panel.seasons else horizon)
    kinds = np.zeros((series, slots + horizon), np.int64) if kind is None else kind
    count = int(by_horizon.max()) + 1
    past = np.stack([kinds[:, origin : origin + horizon] * count + by_horizon for origin in tried.origins])
    return past, kinds[:, slots:] * count + by_horizon


def _periods(
    panel: Panel, structure: Structure, slots: tuple[Array, Array], errors: Array, guard: Array
) -> dict[str, Sums]:
    """Sums over the slots of each period; their quantiles come from the same sums of the errors, not from sums of
    quantiles.

    slots: centre [S, h] and quantiles [Q, S, h] in quantities; errors and the guard's [K, S, h]. Without earlier
    origins the quantiles are added: too wide, never too narrow.
    """
    ahead = panel.planned[:, panel.values.shape[1] :]
    unit = scaling(panel.rates, panel.seasons or (1,)).spread
    found: dict[str, Sums] = {}
    for name, of in (structure.periods or {}).items():
        member = (of[:, None] == np.arange(int(of.max(initial=-1)) + 1)).astype(float)  # [h, P]
        centre, planned = slots[0] @ member, ahead @ member
        naive = _naive_error((guard * ahead) @ member)
        if len(errors) == 0:
            found[name] = Sums(centre, slots[1] @ member, naive)
            continue
        summed = (np.nan_to_num(errors) * ahead) @ member
        same = np.zeros(summed.shape, np.int64)
        known = scores(summed, unit, same, same[0], _apart(panel))
        around = quantiles(centre, known, LEVELS, structure.stretch)
        most = np.where(planned > 0, panel.capacity[:, None] * np.where(planned > 0, planned, 1.0), 0.0)
        found[name] = Sums(centre, np.clip(around, panel.least, most), naive)
    return found


def _naive_error(errors: Array) -> Array:
    """[S] mean absolute error, from [K, S, P]; NaN without an origin."""
    by_slot: Array = mean_of(np.abs(errors), axis=0)  # NaN everywhere without an origin
    return mean_of(by_slot)


def _apart(panel: Panel) -> int:
    """Origins that are no further apart than this share slots; never so many that one has no others to be judged by."""
    shared = -(-panel.horizon // panel.seasons[0]) if panel.seasons else panel.horizon
    return min(shared, WINDOWS // 3)
