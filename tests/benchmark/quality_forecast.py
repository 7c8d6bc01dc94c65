"""(Q7) Forecasts on published series: M4 hourly and weekly, M3 industry, NN5, Singapore's port, a lathe's utilisation.

One configuration for all of them, as `twin learn` issues it; test values are looked at by the scores only. Seasonal naive and
AutoETS (statsforecast) forecast the same series in the same run. Definitions of sMAPE, MASE, OWA and MSIS are those of the M4
competition (Makridakis, Spiliotis & Assimakopoulos 2020, doi:10.1016/j.ijforecast.2019.04.014).
"""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsforecast.models import AutoETS

from tests.benchmark.forecast_scores import coverage, mase, msis, seasonal_scale
from tests.benchmark.record import Result
from twin.forecast.issue import Issued, issue
from twin.forecast.issued import LEVELS
from twin.forecast.panel import Panel, ragged

Series = list[NDArray[np.float64]]
LOW, HIGH = LEVELS.index(0.025), LEVELS.index(0.975)


@dataclass(frozen=True)
class Case:
    """Series with the values that followed them."""

    name: str
    train: Series
    truth: NDArray[np.float64]  # [S, h]
    seasons: tuple[int, ...]

    @property
    def horizon(self) -> int:
        return self.truth.shape[1]

    @property
    def scale(self) -> NDArray[np.float64]:
        return np.array([seasonal_scale(one[None], self.seasons[0])[0] for one in self.train])


def smape(truth: NDArray[np.float64], centre: NDArray[np.float64]) -> float:
    return float(np.nanmean(200 * np.abs(truth - centre) / (np.abs(truth) + np.abs(centre))))


def seasonal(train: NDArray[np.float64], season: int, horizon: int) -> NDArray[np.float64]:
    return np.tile(train[-season:], horizon // season + 1)[:horizon]


def naive2(train: NDArray[np.float64], season: int, horizon: int) -> NDArray[np.float64]:
    """The M4 benchmark: naive on multiplicatively deseasonalised values where the lag-m autocorrelation is significant."""
    n, centred = len(train), train - train.mean()
    lags = np.array([np.sum(centred[k:] * centred[: n - k]) for k in range(1, season + 1)]) / np.sum(centred**2)
    if n < 3 * season or abs(lags[-1]) <= 1.645 * np.sqrt((1 + 2 * np.sum(lags[:-1] ** 2)) / n):
        return np.full(horizon, train[-1])
    kernel = np.r_[0.5, np.ones(season - 1), 0.5] / season
    trend = np.full(n, np.nan)
    half = len(kernel) // 2
    trend[half : n - half] = np.convolve(train, kernel, "valid")
    ratio = train / trend
    index = np.array([np.nanmean(ratio[phase::season]) for phase in range(season)])
    index /= index.mean()
    return train[-1] / index[(n - 1) % season] * index[(n + np.arange(horizon)) % season]


def each(case: Case, forecast: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.stack([forecast(one) for one in case.train])


def auto_ets(case: Case) -> tuple[NDArray[np.float64], float]:
    started = time.thread_time()
    method = AutoETS(season_length=case.seasons[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = each(case, lambda one: method.forecast(y=_without_gaps(one), h=case.horizon)["mean"])
    return found, time.thread_time() - started


def ours(case: Case) -> tuple[Issued, float]:
    started = time.thread_time()
    issued = issue(ragged(case.train, case.horizon, case.seasons))
    return issued, time.thread_time() - started


def _without_gaps(values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.flatnonzero(~np.isnan(values))
    return np.interp(np.arange(len(values)), known, values[known])


def _mean_mase(case: Case, centre: NDArray[np.float64]) -> float:
    return float(np.nanmean(mase(case.truth, centre, case.scale)))


def _compare(case: Case, ident: str, goal: float | None) -> tuple[Issued, list[Result]]:
    """MASE and time beside AutoETS and the seasonal naive."""
    issued, took_s = ours(case)
    ets, ets_s = auto_ets(case)
    plain = _mean_mase(case, each(case, lambda one: seasonal(_without_gaps(one), case.seasons[0], case.horizon)))
    value, theirs = _mean_mase(case, issued.centre), _mean_mase(case, ets)
    truth_in = coverage(case.truth, issued.quantiles[LOW], issued.quantiles[HIGH])
    bound = theirs if goal is None else goal
    words = f"{case.name}: {len(case.train)} series, {case.horizon} ahead; seasonal naive {plain:.3f}; {took_s:.1f} s against {ets_s:.1f} s"
    return issued, [
        Result(
            f"{ident}-mase", f"MASE, {words}", value, "", f"≤ {bound:.3g}", value <= bound, "AutoETS", value / theirs
        ),
        Result(
            f"{ident}-coverage",
            f"share of truths inside the 95 % interval, {case.name}",
            100 * truth_in,
            "%",
            "94 to 96",
            abs(truth_in - 0.95) <= 0.01,
        ),
    ]


def _competition(path: Path, name: str, seasons: tuple[int, ...]) -> Case:
    table = pd.read_csv(path)
    parts = {
        split: [group.value.to_numpy(float) for _, group in table[table.split == split].groupby("id", sort=True)]
        for split in ("train", "test")
    }
    return Case(name, parts["train"], np.stack(parts["test"]), seasons)


def _hourly(data: Path) -> list[Result]:
    case = _competition(data / "open/m4/m4_hourly.csv.gz", "M4 hourly, every second series", (24, 168))
    issued, results = _compare(case, "Q7-m4-hourly", None)
    base = each(case, lambda one: naive2(one, 24, case.horizon))
    owa = 0.5 * (
        smape(case.truth, issued.centre) / smape(case.truth, base)
        + _mean_mase(case, issued.centre) / _mean_mase(case, base)
    )
    interval = float(np.mean(msis(case.truth, issued.quantiles[LOW], issued.quantiles[HIGH], case.scale, 0.95)))
    said = "M4 hourly; best of the competition, on all 414 series:"
    return [
        Result(
            "Q7-m4-hourly-owa", f"OWA, {said} 0.410", owa, "", "≤ 0.42", owa <= 0.42, "winner, published", owa / 0.410
        ),
        Result(
            "Q7-m4-hourly-msis",
            f"MSIS, {said} 6.14",
            interval,
            "",
            "≤ 6.1",
            interval <= 6.1,
            "winner, published",
            interval / 6.139,
        ),
        *results,
    ]


def _nn5(data: Path) -> list[Result]:
    table = pd.read_csv(data / "open/nn5/nn5_daily.csv.gz").drop(columns="date").to_numpy(float)
    case = Case("NN5 daily", list(table[:-56].T), table[-56:].T, (7,))
    return _compare(case, "Q7-nn5", None)[1]


def _port(data: Path) -> list[Result]:
    """Singapore, thousand TEU a month: 36 rolling origins, up to 12 months ahead."""
    series = pd.read_csv(data / "open/port/singapore_container_monthly.csv.gz")["kteu"].to_numpy(float)
    misses = []
    inside = []
    for back in range(36):
        end = len(series) - 12 - back
        issued = issue(ragged([series[:end]], 12, (12,)))
        scale = seasonal_scale(series[None, :end], 12)[0]
        truth = series[end : end + 12]
        misses.append(np.abs(truth - issued.centre[0]) / scale)
        inside.append((truth >= issued.quantiles[LOW, 0]) & (truth <= issued.quantiles[HIGH, 0]))
    by_step = np.mean(misses, axis=0)
    covered = 100 * float(np.mean(inside))
    said = "Singapore container throughput, 36 rolling origins; Holt-Winters, published:"
    return [
        Result(
            "Q7-port-1",
            f"MASE one month ahead, {said} 0.51",
            by_step[0],
            "",
            "≤ 0.51",
            by_step[0] <= 0.51,
            "Holt-Winters, published",
            by_step[0] / 0.51,
        ),
        Result(
            "Q7-port-12",
            f"MASE twelve months ahead, {said} 1.36",
            by_step[11],
            "",
            "≤ 1.36",
            by_step[11] <= 1.36,
            "Holt-Winters, published",
            by_step[11] / 1.36,
        ),
        Result(
            "Q7-port-coverage",
            "share of truths inside the 95 % interval, the same origins",
            covered,
            "%",
            "≥ 90",
            covered >= 90,
        ),
    ]


def _lathe(data: Path) -> list[Result]:
    """Active seconds per powered hour of a lathe: the next eight hours, from the last year on, one origin per eight hours."""
    table = pd.read_csv(data / "open/nist_sms/nist_Mazak03_hourly.csv.gz")
    active = table["sec_active"].to_numpy(float)
    truths, centres, plains, inside = [], [], [], []
    for end in range(len(active) - 480, len(active) - 8, 8):
        panel = Panel(active[None, :end], np.ones((1, end + 8)), (8,), np.array([3600.0]))
        issued = issue(panel)
        truths.append(active[end : end + 8])
        centres.append(issued.centre[0])
        plains.append(seasonal(active[:end], 8, 8))
        inside.append((truths[-1] >= issued.quantiles[LOW, 0]) & (truths[-1] <= issued.quantiles[HIGH, 0]))
    ours_s = float(np.mean(np.abs(np.array(truths) - centres)))
    plain_s = float(np.mean(np.abs(np.array(truths) - plains)))
    covered = 100 * float(np.mean(inside))
    return [
        Result(
            "Q7-lathe-error",
            f"mean absolute error of active time per powered hour, Mazak03, {len(truths)} origins",
            ours_s,
            "s",
            "≤ seasonal naive",
            ours_s <= plain_s,
            "seasonal naive",
            ours_s / plain_s,
        ),
        Result(
            "Q7-lathe-coverage",
            "share of truths inside the 95 % interval, the same origins",
            covered,
            "%",
            "≥ 90",
            covered >= 90,
        ),
    ]


def measure(data: Path) -> Sequence[Result]:
    weekly = _competition(data / "open/m4/m4_weekly.csv.gz", "M4 weekly, every second series", (52,))
    industry = _competition(
        data / "open/m3/m3_monthly_industry.csv.gz", "M3 monthly industry, every second series", (12,)
    )
    return [
        *_hourly(data),
        *_compare(weekly, "Q7-m4-weekly", None)[1],
        *_compare(industry, "Q7-m3-industry", 0.95)[1],
        *_nn5(data),
        *_port(data),
        *_lathe(data),
    ]
