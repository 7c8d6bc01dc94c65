"""Jobs `forecast` and `forecast-score`: issue throughput forecasts every hour, and hold them against what happened.

In: hourly production of the units, the calendars, fault risks. Out: stored forecasts per hour, shift, day and week
of every producing unit, line, area and site, with origin and interval; later the truth beside each, from which
coverage is known and corrected.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from twin.forecast.adjust import FaultOutlook, adjusted, adjusted_mean, down_share
from twin.forecast.conformal import Adaptive
from twin.forecast.hours import HOUR, Period, hours_of, periods_ahead
from twin.forecast.issue import Issued, Structure, issue
from twin.forecast.issued import CORRECTED, LEVELS, Forecast, Outcome
from twin.forecast.panel import Array, Panel
from twin.forecast.reconcile import sums_of
from twin.forecast.series import Series, places, series_of
from twin.learn.job import Job
from twin.plant.tree import Plant
from twin.throughput.shifts import from_ns, to_ns

HISTORY_H = 8 * 7 * 24  # hours of history: enough for weekly profiles and the global model
AHEAD_H = 8 * 24
SHOWN_H = 48  # hours that are stored one by one; behind them shifts, days and the week
SEASONS = (24, 168)
PRODUCED = {"good-count": "parts", "move-count": "moves"}
ROOM = 1.25  # a slot never brings more than this times the best hour that was ever seen


class Production(Protocol):
    """What was produced."""

    async def hourly(self, units: Mapping[str, str], start_ns: int, end_ns: int) -> Mapping[str, NDArray[np.float64]]:
        """Per unit (path → parts or moves) the quantity of each hour of [start, end), NaN where it is unknown."""
        ...


Outlook = Callable[[Sequence[str], int], Awaitable[FaultOutlook]]
"""Units and the present instant, ns UTC → their hazards, in their order; 0 where nothing is known."""


class Forecasts(Protocol):
    """Where forecasts are kept."""

    async def save(self, issued: Sequence[Forecast]) -> None: ...  # noqa: D102
    async def due(self, before_ns: int) -> Sequence[Forecast]:
        """Those that have ended before this instant and have no truth yet."""
        ...

    async def settle(self, happened: Sequence[Forecast]) -> None:
        """Write the truth beside them."""
        ...

    async def outcomes(self, since_ns: int) -> Sequence[Outcome]:
        """Of those that have a truth, in the order of their ends."""
        ...


def forecast_jobs(
    plant: Plant, production: Production, outlook: Outlook, forecasts: Forecasts, *, period_s: float = 3_600.0
) -> list[Job]:
    """Score first, so that the next issue knows how right the last ones were."""
    series = series_of(plant, producing(plant))

    async def score(now_ns: int) -> str:
        due = await forecasts.due(now_ns)
        happened = await _truths(production, series, due)
        await forecasts.settle(happened)
        return f"{len(happened)} forecasts have their truth"

    async def run(now_ns: int) -> str:
        rows = await issue_all(plant, series, (production, outlook, forecasts), now_ns)
        await forecasts.save(rows)
        return f"issued {len(rows)} forecasts of {len(series)} assets"

    return [Job("forecast-score", period_s, score), Job("forecast", period_s, run)]


def producing(plant: Plant) -> dict[str, str]:
    """Units that count what they produce, and what that is."""
    return {signal.asset: PRODUCED[signal.role] for signal in plant.signals if signal.role in PRODUCED}


async def issue_all(
    plant: Plant, series: Sequence[Series], peers: tuple[Production, Outlook, Forecasts], now_ns: int
) -> list[Forecast]:
    """Everything that is forecast at the top of the present hour."""
    production, outlook, forecasts = peers
    origin = from_ns(now_ns).replace(minute=0, second=0, microsecond=0)
    start = origin - HISTORY_H * HOUR
    units = [one.asset for one in series if one.parts == (one.asset,)]
    made = await production.hourly(_counted(series, units), to_ns(start), to_ns(origin))
    outcomes = await forecasts.outcomes(to_ns(origin - timedelta(days=28)))
    faults = await outlook(units, to_ns(origin))
    found: list[Forecast] = []
    for calendar in dict.fromkeys(plant.asset(one.asset).calendar for one in series):
        group = [one for one in series if plant.asset(one.asset).calendar == calendar]
        stretch = stretches(group, outcomes)
        work = _Work(plant, calendar, group, origin, {unit: made[unit] for unit in units}, stretch)
        found += await asyncio.to_thread(work.forecasts, units, faults)
    return found


def stretches(series: Sequence[Series], outcomes: Iterable[Outcome]) -> Array:
    """[S] how much wider or narrower the tails are asked for, after what came of the last forecasts of each
    series.
    """
    levels = {one.asset: Adaptive(CORRECTED, CORRECTED) for one in series}
    for outcome in outcomes:
        if outcome.by == "shift" and outcome.asset in levels:
            levels[outcome.asset] = levels[outcome.asset].after(outcome.missed)
    return np.array([levels[one.asset].stretch for one in series])


@dataclass(frozen=True)
class _Work:
    """The forecasts of all series of one calendar; runs in a thread."""

    plant: Plant
    calendar: str
    series: Sequence[Series]
    origin: datetime
    made: Mapping[str, NDArray[np.float64]]
    stretch: Array

    def forecasts(self, units: Sequence[str], outlook: FaultOutlook) -> list[Forecast]:
        calendar = self.plant.calendars[self.calendar]
        hours = hours_of(calendar, self.origin - HISTORY_H * HOUR, HISTORY_H + AHEAD_H)
        values = np.stack([self._made(one) for one in self.series])
        planned = np.broadcast_to(hours.planned, (len(values), HISTORY_H + AHEAD_H)).copy()
        best = np.nan_to_num(np.max(np.nan_to_num(values, nan=0.0), axis=1))
        panel = Panel(values, planned, SEASONS, np.where(best > 0, ROOM * best, np.inf))
        periods = periods_ahead(calendar, self.origin, AHEAD_H)
        cohorts = {name: number for number, name in enumerate(dict.fromkeys(one.cohort for one in self.series))}
        issued = issue(
            panel,
            Structure(
                cohort=np.array([cohorts[one.cohort] for one in self.series]),
                kind=np.broadcast_to(hours.kind, planned.shape),
                summing=self._summing(),
                stretch=self.stretch,
                periods=_groups(periods),
            ),
        )
        rows = self._rows(issued, periods, self._down(units, outlook))
        heard = {one.cohort for one, row in zip(self.series, values, strict=True) if not np.isnan(row).all()}
        silent = {one.asset for one in self.series if one.cohort not in heard}  # nothing to say, not even by likeness
        return [row for row in rows if row.asset not in silent]

    def _made(self, one: Series) -> NDArray[np.float64]:
        return np.sum([self.made[part] for part in one.parts], axis=0)

    def _summing(self) -> Array | None:
        """None when a part of a sum works by another calendar: then each series stands by itself."""
        inside = {one.asset for one in self.series}
        if any(part not in inside for one in self.series for part in one.parts):
            return None
        return sums_of(places(self.series))

    def _down(self, units: Sequence[str], outlook: FaultOutlook) -> Array:
        """[S, h] share of each hour that is lost to faults; of a sum, the mean of its parts."""
        share = dict(zip(units, down_share(outlook, np.arange(0.5, AHEAD_H)), strict=True))
        return np.stack([np.mean([share[part] for part in one.parts], axis=0) for one in self.series])

    def _rows(self, issued: Issued, periods: Sequence[tuple[Period, NDArray[np.int64]]], down: Array) -> list[Forecast]:
        rows: list[Forecast] = []
        for number in range(SHOWN_H):
            at = self.origin + number * HOUR
            hour = Period("hour", "", at, at + HOUR, whole=True)
            rows += self._stretch_rows(
                issued, hour, issued.centre[:, number], issued.quantiles[:, :, number], down[:, number]
            )
        placed: dict[str, int] = {}
        for period, inside in periods:
            place = placed.get(period.by, 0)
            placed[period.by] = place + 1
            sums = issued.periods[period.by]
            lost = down[:, inside].mean(axis=1)
            rows += self._stretch_rows(issued, period, sums.centre[:, place], sums.quantiles[:, :, place], lost)
        return rows

    def _stretch_rows(
        self, issued: Issued, period: Period, centre: Array, quantiles: Array, down: Array
    ) -> list[Forecast]:
        """One period of every series; centre [S], quantiles [Q, S], down [S]."""
        mixed = adjusted(quantiles[:, :, None], LEVELS, down[:, None])[:, :, 0]
        mean = adjusted_mean(centre, down)
        group = issued.periods.get(period.by)
        return [
            Forecast(
                asset=one.asset,
                by=period.by,
                origin_ns=to_ns(self.origin),
                start_ns=to_ns(period.start),
                end_ns=to_ns(period.end),
                name=period.name,
                unit=one.unit,
                centre=float(centre[number]),
                quantiles=tuple(quantiles[:, number].tolist()),
                adjusted_mean=float(mean[number]),
                adjusted=tuple(mixed[:, number].tolist()),
                naive_error=_known(issued.naive_error[number] if group is None else group.naive_error[number]),
                maturity=issued.maturity[number].value,
            )
            for number, one in enumerate(self.series)
        ]


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _groups(periods: Sequence[tuple[Period, NDArray[np.int64]]]) -> dict[str, NDArray[np.int64]]:
    """By kind of period: into which one each hour ahead falls, -1 into none."""
    found: dict[str, NDArray[np.int64]] = {}
    for period, inside in periods:
        of = found.setdefault(period.by, np.full(AHEAD_H, -1, np.int64))
        of[inside] = int(of.max()) + 1
    return found


def _counted(series: Sequence[Series], units: Sequence[str]) -> dict[str, str]:
    return {one.asset: one.unit for one in series if one.asset in set(units)}


async def _truths(production: Production, series: Sequence[Series], due: Sequence[Forecast]) -> list[Forecast]:
    """The due forecasts with what really came; those of which an hour is unknown wait."""
    parts = {one.asset: one.parts for one in series}
    due = [one for one in due if one.asset in parts]
    if not due:
        return []
    start_ns, end_ns = min(one.start_ns for one in due), max(one.end_ns for one in due)
    units = sorted({part for one in due for part in parts[one.asset]})
    made = await production.hourly(_counted(series, units), start_ns, end_ns)
    hour_ns = 3_600_000_000_000
    found: list[Forecast] = []
    for one in due:
        span = slice((one.start_ns - start_ns) // hour_ns, (one.end_ns - start_ns) // hour_ns)
        total = float(np.sum([made[part][span].sum() for part in parts[one.asset]]))
        if not np.isnan(total):
            found.append(replace(one, actual=total))
    return found
