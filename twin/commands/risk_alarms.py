"""Statements of risk → alarms: what `twin learn` says of each asset is handed to the alarm desk of `twin run`.

In: the newest statements in the store, looked up now and then. Out: risk levels, each statement once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from twin.errors import Retryable
from twin.risk.statement import Basis, Statement
from twin.state.alarm_model import RiskLevel

_log = logging.getLogger(__name__)
PERIOD_S = 60.0  # `twin learn` assesses every hour
_NAMES = {24.0: "24h", 168.0: "7d"}  # every other horizon is the shift


async def watch_risks(
    latest: Callable[[], Awaitable[Sequence[Statement]]],
    assess: Callable[[list[RiskLevel]], Awaitable[None]],
    *,
    period_s: float = PERIOD_S,
) -> None:
    """Look until cancelled; while the store is away the alarms stay as they are."""
    seen: dict[str, int] = {}
    away = False
    while True:
        try:
            fresh = [one for one in await latest() if seen.get(one.asset, -1) < one.at_ns]
            away = False
        except Retryable as error:
            if not away:
                _log.warning("risks cannot be read: %s", error)
            fresh, away = [], True
        if fresh:
            await assess([level for statement in fresh for level in levels_of(statement)])
            seen |= {one.asset: one.at_ns for one in fresh}
        await asyncio.sleep(period_s)


def levels_of(statement: Statement) -> list[RiskLevel]:
    """One per horizon of which there is a number; without one there is nothing to raise or to clear."""
    return [
        RiskLevel(
            asset=statement.asset,
            horizon=_NAMES.get(risk.horizon_h, "shift"),
            p=risk.p,
            calibrated=risk.basis is Basis.CALIBRATED,
            at_ns=statement.at_ns,
            detail={
                "low": risk.low,
                "high": risk.high,
                "failures": risk.failures,
                "reasons": [reason.feature for reason in risk.reasons],
            },
        )
        for risk in statement.risks
        if risk.p is not None
    ]
