"""What the risk models say becomes levels for the alarm desk: each statement once, numbers only."""

import asyncio

import pytest

from twin.commands.risk_alarms import levels_of, watch_risks
from twin.errors import Retryable
from twin.risk.statement import Assessment, Basis, Statement

MILL = "factory/machining/mill-1"


def statement(at_ns: int, *risks: Assessment) -> Statement:
    return Statement(MILL, at_ns, risks, 1)


def test_only_horizons_with_a_number_are_levels():
    said = statement(
        5,
        Assessment(8.0, 0.7, 0.6, 0.8, Basis.CALIBRATED, 40),
        Assessment(24.0, 0.9, 0.8, 0.95, Basis.PRIOR, 3),
        Assessment(168.0, None, None, None, Basis.INSUFFICIENT, 0),
    )
    levels = levels_of(said)
    assert [(one.horizon, one.p, one.calibrated, one.at_ns) for one in levels] == [
        ("shift", 0.7, True, 5),
        ("24h", 0.9, False, 5),
    ]
    assert levels[0].detail["failures"] == 40


async def test_each_statement_is_handed_over_once_and_an_absent_store_changes_nothing():
    risk = Assessment(8.0, 0.7, 0.6, 0.8, Basis.CALIBRATED, 40)
    answers = [[statement(1, risk)], [statement(1, risk)], Retryable("away"), [statement(2, risk)]]
    told = []
    ended = asyncio.Event()

    async def latest():
        if not answers:
            ended.set()
            await asyncio.Event().wait()
        answer = answers.pop(0)
        if isinstance(answer, Retryable):
            raise answer
        return answer

    async def assess(levels):
        told.extend(level.at_ns for level in levels)

    watching = asyncio.create_task(watch_risks(latest, assess, period_s=0))
    await asyncio.wait_for(ended.wait(), 10)
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
    assert told == [1, 2]
