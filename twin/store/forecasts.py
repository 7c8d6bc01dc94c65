"""Issued forecasts: every one is kept with its origin; when its time has passed the truth is put beside it.

In: issued stretches. Out: rows, and how right they were.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from twin.forecast.issued import CORRECTED, LEVELS, Forecast, Outcome
from twin.store.database import Database
from twin.store.queries import load_queries
from twin.store.times import to_datetime, to_ns

_QUERIES = load_queries("forecasts")
_MOST_DUE = 50_000
_DAY_NS = 86_400_000_000_000
_OLDEST_NS = 30 * _DAY_NS  # a truth that is not known after so long never comes
_HOURS_KEPT_NS = 90 * _DAY_NS
_LOW, _HIGH = LEVELS.index(CORRECTED / 2) + 1, LEVELS.index(1 - CORRECTED / 2) + 1  # SQL counts from 1


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How right the forecasts of one asset, kind of period and lead were; shares between 0 and 1."""

    asset: str
    by: str
    days_ahead: int
    count: int
    inside_50: float
    inside_80: float
    inside_95: float
    mean_error: float  # in the forecast's unit
    mase: float | None  # over the error of the seasonal naive; below 1 is better than it
    pinball: float


class Forecasts:
    """The forecasts of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def save(self, issued: Sequence[Forecast]) -> None:
        """One transaction; hours that are long past are forgotten on the way."""
        if not issued:
            return
        before_ns = max(one.origin_ns for one in issued) - _HOURS_KEPT_NS
        async with self._database.transaction() as connection, connection.cursor() as cursor:
            await cursor.executemany(_QUERIES["save"], [_values(one) for one in issued])
            await cursor.execute(_QUERIES["trim"], {"before": to_datetime(before_ns)})

    async def due(self, before_ns: int) -> list[Forecast]:
        """Those that have ended before this instant and have no truth yet, oldest first."""
        values = {
            "before": to_datetime(before_ns),
            "oldest": to_datetime(before_ns - _OLDEST_NS),
            "limit": _MOST_DUE,
        }
        return await self._read("due", values)

    async def settle(self, happened: Sequence[Forecast]) -> None:
        """Write the truth beside each."""
        if not happened:
            return
        async with self._database.transaction() as connection, connection.cursor() as cursor:
            await cursor.executemany(_QUERIES["settle"], [_values(one) for one in happened])

    async def outcomes(self, since_ns: int) -> list[Outcome]:
        """Whether the truths of shifts, days and weeks missed the 80 % interval, in the order of their ends."""
        values = {"since": to_datetime(since_ns), "low": _LOW, "high": _HIGH}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["outcomes"], values)).fetchall()
        return [Outcome(*row) for row in rows]

    async def latest(self, assets: Sequence[str], by: str, origin_ns: int) -> list[Forecast]:
        """Of each asset the newest issue at or before `origin_ns`."""
        return await self._read("latest", {"assets": list(assets), "by": by, "origin": to_datetime(origin_ns)})

    async def accuracy(self, assets: Sequence[str], since_ns: int) -> list[Accuracy]:
        """How right the forecasts were whose time ended since then."""
        values = {"assets": list(assets), "since": to_datetime(since_ns), "levels": list(LEVELS)}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["accuracy"], values)).fetchall()
        return [_accuracy(*row) for row in rows]

    async def _read(self, query: str, values: Mapping[str, Any]) -> list[Forecast]:
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES[query], values)).fetchall()
        return [_forecast(*row) for row in rows]


def _values(one: Forecast) -> dict[str, Any]:
    return {
        "asset": one.asset,
        "by": one.by,
        "origin_at": to_datetime(one.origin_ns),
        "start_at": to_datetime(one.start_ns),
        "end_at": to_datetime(one.end_ns),
        "name": one.name,
        "unit": one.unit,
        "centre": one.centre,
        "quantiles": list(one.quantiles),
        "adjusted_mean": one.adjusted_mean,
        "adjusted": list(one.adjusted),
        "naive_error": one.naive_error,
        "maturity": one.maturity,
        "actual": one.actual,
    }


def _forecast(asset: str, by: str, origin_at: datetime, start_at: datetime, end_at: datetime, *rest: Any) -> Forecast:  # noqa: ANN401 – the columns of the row
    name, unit, centre, quantiles, mean, mixed, naive_error, maturity, actual = rest
    return Forecast(
        asset,
        by,
        to_ns(origin_at),
        to_ns(start_at),
        to_ns(end_at),
        name,
        unit,
        centre,
        tuple(quantiles),
        mean,
        tuple(mixed),
        naive_error,
        maturity,
        actual,
    )


def _accuracy(asset: str, by: str, days_ahead: int, count: int, *shares: Any) -> Accuracy:  # noqa: ANN401
    inside_50, inside_80, inside_95, mean_error, scaled, loss = shares
    return Accuracy(
        asset,
        by,
        days_ahead,
        count,
        float(inside_50),
        float(inside_80),
        float(inside_95),
        mean_error,
        scaled,
        loss,
    )
