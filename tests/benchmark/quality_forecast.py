"""(Q7) Forecasts on published series: M4 hourly and weekly, M3 industry, NN5, Singapore's port, a lathe's utilisation; and the
simulated factory per shift.

One configuration for all of them, as `twin learn` issues it; test values are looked at by the scores only. Seasonal naive and
AutoETS (statsforecast) forecast the same series in the same run, of M4 and M3 a sample, as AutoETS takes half a second or more for
each.
Definitions of sMAPE, MASE, OWA and MSIS are those of the M4 competition (Makridakis, Spiliotis & Assimakopoulos 2020,
doi:10.1016/j.ijforecast.2019.04.014).
"""

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsforecast.models import AutoETS, HoltWinters

from tests.benchmark.forecast_scores import coverage, mase, msis, seasonal_scale
from tests.benchmark.record import Result
from twin.forecast.issue import Issued, issue
from twin.forecast.issued import LEVELS
from twin.forecast.panel import Panel, ragged
from twin.plant.load import load_plant
from twin.plant.tree import Plant
from twin.whatif.build import Setting, build
from twin.whatif.simulate import Plan, simulate

SUITE = "forecast"
Series = list[NDArray[np.float64]]
LOW, HIGH = LEVELS.index(0.025), LEVELS.index(0.975)
ORIGINS = 36  # of the port
PEERS = 30  # series of a competition that AutoETS forecasts, drawn once


@dataclass(frozen=True)
class Case:
    """Series with the values that followed them."""

    name: str
    train: Series
    truth: NDArray[np.float64]  # [S, h]
    seasons: tuple[int, ...]
    peers: int | None = None  # AutoETS forecasts so many of them, drawn once; None: all

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


def auto_ets(case: Case) -> tuple[NDArray[np.int64], NDArray[np.float64], float]:
    """Which series, their forecasts, and the processor time per series."""
    every = np.arange(len(case.train))
    drawn = every if case.peers is None else np.sort(np.random.default_rng(1).choice(every, case.peers, replace=False))
    started = time.thread_time()
    found = np.stack([ets(case.train[one], case.seasons[0], case.horizon) for one in drawn])
    return drawn, found, (time.thread_time() - started) / len(drawn)


def ets(train: NDArray[np.float64], season: int, horizon: int) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return AutoETS(season_length=season).forecast(y=_without_gaps(train), h=horizon)["mean"]


def ours(case: Case) -> tuple[Issued, float]:
    started = time.thread_time()
    issued = issue(ragged(case.train, case.horizon, case.seasons))
    return issued, time.thread_time() - started


def _without_gaps(values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.flatnonzero(~np.isnan(values))
    return np.interp(np.arange(len(values)), known, values[known])


def _mase(case: Case, centre: NDArray[np.float64], of: NDArray[np.int64] | slice = slice(None)) -> float:
    return float(np.nanmean(mase(case.truth[of], centre, case.scale[of])))


def _compare(case: Case, ident: str, goal: float | None) -> tuple[Issued, list[Result]]:
    """MASE and time beside AutoETS and the seasonal naive."""
    issued, took_s = ours(case)
    drawn, theirs_ahead, ets_s = auto_ets(case)
    plain = _mase(case, each(case, lambda one: seasonal(_without_gaps(one), case.seasons[0], case.horizon)))
    value, same, theirs = (
        _mase(case, issued.centre),
        _mase(case, issued.centre[drawn], drawn),
        _mase(case, theirs_ahead, drawn),
    )
    truth_in = coverage(case.truth, issued.quantiles[LOW], issued.quantiles[HIGH])
    bound = theirs if goal is None else goal
    own_s = took_s / len(case.train)
    sample = "" if case.peers is None else f" on {case.peers} of them, where ours has {same:.3f}"
    words = (
        f"{case.name}: {len(case.train)} series, {case.horizon} ahead; seasonal naive {plain:.3f}, AutoETS {theirs:.3f}{sample}; "
        f"{own_s:.2f} s a series against {ets_s:.2f} s"
    )
    met = same <= theirs if goal is None else value <= goal
    return issued, [
        Result(f"{ident}-mase", f"MASE, {words}", value, "", f"≤ {bound:.3g}", met, "AutoETS", same / theirs),
        Result(
            f"{ident}-coverage",
            f"share of truths inside the 95 % interval, {case.name}",
            100 * truth_in,
            "%",
            "94 to 96",
            abs(truth_in - 0.95) <= 0.01,
        ),
    ]


def _competition(path: Path, name: str, seasons: tuple[int, ...], peers: int | None = None) -> Case:
    table = pd.read_csv(path)
    parts = {
        split: [group.value.to_numpy(float) for _, group in table[table.split == split].groupby("id", sort=True)]
        for split in ("train", "test")
    }
    return Case(name, parts["train"], np.stack(parts["test"]), seasons, peers)


def _hourly(data: Path) -> list[Result]:
    case = _competition(data / "open/m4/m4_hourly.csv.gz", "M4 hourly, every second series", (24, 168), PEERS)
    issued, results = _compare(case, "Q7-m4-hourly", None)
    base = each(case, lambda one: naive2(one, 24, case.horizon))
    owa = 0.5 * (
        smape(case.truth, issued.centre) / smape(case.truth, base) + _mase(case, issued.centre) / _mase(case, base)
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
    ways = {"ours": [], "Holt-Winters": [], "AutoETS": [], "seasonal naive": []}
    took, inside = dict.fromkeys(ways, 0.0), []
    for back in range(ORIGINS):
        end = len(series) - 12 - back
        past, truth = series[:end], series[end : end + 12]
        issued, took_s = ours(Case("port", [past], truth[None], (12,)))
        took["ours"] += took_s
        ahead = {"ours": issued.centre[0], "seasonal naive": seasonal(past, 12, 12)}
        for name, method in (("Holt-Winters", _holt_winters), ("AutoETS", ets)):
            started = time.thread_time()
            ahead[name] = method(past, 12, 12)
            took[name] += time.thread_time() - started
        scale = seasonal_scale(past[None], 12)[0]
        for name, centre in ahead.items():
            ways[name].append(np.abs(truth - centre) / scale)
        inside.append((truth >= issued.quantiles[LOW, 0]) & (truth <= issued.quantiles[HIGH, 0]))
    by_step = {name: np.mean(misses, axis=0) for name, misses in ways.items()}
    return [
        *(_port_step(by_step, took, step, word) for step, word in ((1, "one month"), (12, "twelve months"))),
        _inside("Q7-port-coverage", f"Singapore container throughput, {ORIGINS} origins", inside),
    ]


def _port_step(by_step: dict[str, NDArray[np.float64]], took: dict[str, float], step: int, word: str) -> Result:
    at = {name: float(misses[step - 1]) for name, misses in by_step.items()}
    what = (
        f"MASE {word} ahead, Singapore container throughput, {ORIGINS} rolling origins; AutoETS {at['AutoETS']:.2f}, "
        f"seasonal naive {at['seasonal naive']:.2f}; {took['ours'] / ORIGINS:.2f} s an origin, Holt-Winters "
        f"{took['Holt-Winters'] / ORIGINS:.2f} s, AutoETS {took['AutoETS'] / ORIGINS:.2f} s"
    )
    peer = at["Holt-Winters"]
    met = at["ours"] <= peer
    return Result(f"Q7-port-{step}", what, at["ours"], "", f"≤ {peer:.2f}", met, "Holt-Winters", at["ours"] / peer)


def _holt_winters(past: NDArray[np.float64], season: int, horizon: int) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return HoltWinters(season_length=season, error_type="M").forecast(y=past, h=horizon)["mean"]


def _inside(ident: str, what: str, inside: list[NDArray[np.bool_]]) -> Result:
    covered = 100 * float(np.mean(inside))
    return Result(ident, f"share of truths inside the 95 % interval, {what}", covered, "%", "≥ 90", covered >= 90)


def _lathe(data: Path) -> list[Result]:
    """Active seconds per powered hour of a lathe: the next eight hours, of the last 480 hours, one origin per eight hours."""
    table = pd.read_csv(data / "open/nist_sms/nist_Mazak03_hourly.csv.gz")
    active = table["sec_active"].to_numpy(float)
    origins = range(len(active) - 480, len(active) - 8, 8)
    panels = [Panel(active[None, :end], np.ones((1, end + 8)), (8,), np.array([3600.0])) for end in origins]
    truths = [active[None, end : end + 8] for end in origins]
    return _rolling("Q7-lathe", "active seconds of a powered hour, NIST Mazak03, eight ahead", panels, truths)


def _rolling(ident: str, what: str, panels: list[Panel], truths: list[NDArray[np.float64]]) -> list[Result]:
    """Mean absolute error over origins; panels are [S, n] with h ahead, truths [S, h]."""
    errors = {"ours": [], "AutoETS": [], "seasonal naive": []}
    took, inside = [0.0, 0.0], []
    for panel, truth in zip(panels, truths, strict=True):
        season, horizon = panel.seasons[0], panel.horizon
        started = time.thread_time()
        issued = issue(panel)
        took[0] += time.thread_time() - started
        started = time.thread_time()
        theirs = np.stack([ets(one[-60 * season :], season, horizon) for one in panel.values])
        took[1] += time.thread_time() - started
        errors["ours"].append(np.abs(truth - issued.centre))
        errors["AutoETS"].append(np.abs(truth - theirs))
        plain = np.stack([seasonal(one, panel.seasons[-1], horizon) for one in panel.values])
        errors["seasonal naive"].append(np.abs(truth - plain))
        inside.append((truth >= issued.quantiles[LOW]) & (truth <= issued.quantiles[HIGH]))
    mean = {name: float(np.mean(each)) for name, each in errors.items()}
    said = (
        f"mean absolute error, {what}, {len(panels)} origins × {len(truths[0])} series; AutoETS {mean['AutoETS']:.4g}; "
        f"{took[0] / len(panels):.2f} s an origin against {took[1] / len(panels):.2f} s"
    )
    plain = mean["seasonal naive"]
    met = mean["ours"] <= min(plain, mean["AutoETS"])
    goal = f"≤ seasonal naive {plain:.4g} and AutoETS"
    return [
        Result(f"{ident}-error", said, mean["ours"], "", goal, met, "seasonal naive", mean["ours"] / plain),
        _inside(f"{ident}-coverage", what, inside),
    ]


def _factory() -> list[Result]:
    """Good parts per shift of every machine of the demo factory, simulated for twelve weeks; the next three shifts, 14 origins."""
    plant = load_plant(Path(__file__).parents[2] / "configs" / "plant.yaml")
    start, weeks = datetime(2026, 8, 31, 4, tzinfo=UTC), 12  # a Monday, 06:00 local: the early shift begins
    horizon = timedelta(weeks=weeks)
    flow = build(plant, "factory", Setting(start, horizon.total_seconds()))
    runs = simulate(flow, Plan(horizon.total_seconds(), 1, seed=7, buckets=weeks * 21))
    made = np.diff(runs.total, axis=1, prepend=0.0)  # [machines, shifts]
    names = [one.name for one in runs.flow.operations]
    planned = np.array(
        [[_planned(plant, name, start + timedelta(hours=8 * at)) for at in range(made.shape[1])] for name in names]
    )
    origins = range(made.shape[1] - 3 * 14, made.shape[1], 3)
    endless = np.full(len(names), np.inf)
    panels = [Panel(made[:, :end], planned[:, : end + 3], (3, 21), endless) for end in origins]
    truths = [made[:, end : end + 3] for end in origins]
    return _rolling(
        "Q7-shift", "parts per shift of the simulated factory's machines, three shifts ahead", panels, truths
    )


def _planned(plant: Plant, path: str, at: datetime) -> float:
    """The planned share of eight hours."""
    calendar, until = plant.calendar_of(path), at + timedelta(hours=8)
    spans = [
        (max(one.started_at, at), min(one.ends_at, until)) for one in calendar.shifts_between(at, until) if one.planned
    ]
    stops = [(max(begun, at), min(ended, until)) for begun, ended in calendar.stops_between(at, until)]
    return (
        sum((b - a).total_seconds() for a, b in spans) / 28_800
        - sum((b - a).total_seconds() for a, b in stops) / 28_800
    )


def measure(data: Path) -> Iterator[Result]:
    """Case by case."""
    weekly = _competition(data / "open/m4/m4_weekly.csv.gz", "M4 weekly, every second series", (52,), PEERS)
    industry = _competition(
        data / "open/m3/m3_monthly_industry.csv.gz", "M3 monthly industry, every second series", (12,), PEERS
    )
    cases: dict[str, Callable[[], list[Result]]] = {
        "M4 hourly": lambda: _hourly(data),
        "NN5": lambda: _nn5(data),
        "simulated factory": _factory,
        "port": lambda: _port(data),
        "lathe": lambda: _lathe(data),
        "M4 weekly": lambda: _compare(weekly, "Q7-m4-weekly", None)[1],
        "M3 industry": lambda: _compare(industry, "Q7-m3-industry", 0.95)[1],
    }
    for name, case in cases.items():
        began = time.process_time()
        yield from case()
        print(f"\n  {name}: {time.process_time() - began:.0f} s of processor time", end=" ", flush=True)
