"""What the risk of a fault is made from, and what was said of it.

In: an interval. Out: the events of every asset as columns of hours; the newest statement of each.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg.types.json import Jsonb

from twin.risk.features import Episodes
from twin.risk.statement import Assessment, Basis, Reason, RemainingLife, Statement
from twin.store.database import Database
from twin.store.queries import load_queries
from twin.store.times import EPOCH, to_datetime, to_ns

_QUERIES = load_queries("risk")
Hours = NDArray[np.float64]
_NO_END = 9999
ALARMS = "alarm"  # the alarms' name among the detectors


class Risks:
    """The statements of one database and the events behind them."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def transitions(self, start_ns: int, end_ns: int) -> dict[str, tuple[Hours, list[str]]]:
        """When each asset changed its state, and the category of the new one."""
        rows = await self._read("transitions", _span(start_ns, end_ns))
        return {asset: (_hours(at), category) for asset, at, category in rows}

    async def episodes(self, start_ns: int, end_ns: int) -> dict[str, dict[str, Episodes]]:
        """Findings by asset and detector, and alarms; the height of a finding is -log10 p, 1 where it has none."""
        found: dict[str, dict[str, Episodes]] = {}
        for asset, detector, since, until, height in await self._read("findings", _span(start_ns, end_ns)):
            episodes = Episodes(_hours(since), _hours(until), np.array(height, np.float64))
            found.setdefault(asset, {})[detector] = episodes
        for asset, raised, cleared in await self._read("alarms", _span(start_ns, end_ns)):
            since, until = _hours(raised), np.full(len(raised), np.inf)
            ended = _hours(cleared)[: len(since)]
            until[: len(ended)] = ended
            found.setdefault(asset, {})[ALARMS] = Episodes(since, until, np.ones(len(since)))
        return found

    async def unseen(self, signals: Sequence[int], start_ns: int, end_ns: int) -> dict[int, Hours]:
        """Per signal the intervals [k, 2] of an hour and more of which its samples are missing."""
        rows = await self._read("unseen", {"signals": list(signals), **_span(start_ns, end_ns)})
        return {signal: np.stack([_hours(begin), _hours(end)], axis=1) for signal, begin, end in rows}

    async def newest(self, signals: Sequence[int]) -> dict[int, float]:
        """When each signal had its last sample."""
        rows = await self._read("newest", {"signals": list(signals)})
        return {signal: float(_hours([at])[0]) for signal, at in rows}

    async def write(self, statements: Iterable[Statement]) -> None:
        """All of them in one transaction; the same again changes nothing."""
        async with self._database.transaction() as connection, connection.cursor() as cursor:
            for one in statements:
                key = {"asset": one.asset, "at": to_datetime(one.at_ns)}
                await cursor.executemany(_QUERIES["add_risk"], [key | _values(one, risk) for risk in one.risks])
                if one.life is not None:
                    await cursor.execute(_QUERIES["add_life"], key | _life_values(one.life))

    async def latest(self, asset: str | None = None, by_ns: int | None = None) -> list[Statement]:
        """The newest statement of every asset, or of one; with `by_ns` the newest one by that instant."""
        asked = {"asset": asset, "at": None if by_ns is None else to_datetime(by_ns)}
        lives = {row[0]: RemainingLife(*row[1:]) for row in await self._read("latest_life", asked)}
        found: dict[str, Statement] = {}
        for path, at, *columns, model in await self._read("latest", asked):
            before = found.get(path)
            risks = (*(before.risks if before else ()), _assessment(*columns))
            found[path] = Statement(path, to_ns(at), risks, model, lives.get(path))
        return list(found.values())

    async def forget(self, before_ns: int) -> None:
        """Statements older than an instant."""
        async with self._database.transaction() as connection:
            for query in ("forget_risk", "forget_life"):
                await connection.execute(_QUERIES[query], {"before": to_datetime(before_ns)})

    async def _read(self, query: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        async with self._database.connection() as connection:
            return await (await connection.execute(_QUERIES[query], values)).fetchall()


def _span(start_ns: int, end_ns: int) -> dict[str, datetime]:
    return {"start": to_datetime(start_ns), "end": to_datetime(end_ns)}


def _hours(instants: Sequence[datetime]) -> Hours:
    """Hours since 1970; what has no end yet is infinite."""
    return np.array([np.inf if at.year == _NO_END else (at - EPOCH).total_seconds() / 3600 for at in instants])


def _values(statement: Statement, risk: Assessment) -> dict[str, Any]:
    reasons = [{"feature": one.feature, "value": one.value, "log_odds": one.log_odds} for one in risk.reasons]
    return {
        "horizon_h": risk.horizon_h,
        "p": risk.p,
        "low": risk.low,
        "high": risk.high,
        "basis": risk.basis.value,
        "failures": risk.failures,
        "reasons": Jsonb(reasons),
        "model": statement.model,
    }


def _life_values(life: RemainingLife) -> dict[str, Any]:
    return {
        "hours": life.hours,
        "low": life.low,
        "high": life.high,
        "cap": life.cap,
        "failures": life.failures,
        "model": life.model,
    }


def _assessment(
    horizon_h: float,
    p: float | None,
    low: float | None,
    high: float | None,
    basis: str,
    failures: int,
    reasons: Sequence[Mapping[str, Any]],
) -> Assessment:
    said = tuple(Reason(str(one["feature"]), one["value"], float(one["log_odds"])) for one in reasons)
    return Assessment(horizon_h, p, low, high, Basis(basis), failures, said)
