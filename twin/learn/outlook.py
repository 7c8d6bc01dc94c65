"""Fault risks and failure history → what a forecast has to take off for faults to come. Pure.

In: the newest statement of each unit, its failures of the last weeks. Out: hazards and repair times. A unit of
which no number is said has no excess hazard: its forecast stays as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from twin.forecast.adjust import FaultOutlook, hazard_of
from twin.risk.statement import BELIEVED, Statement

REPAIR_H = 2.0  # of a unit that has never failed


@dataclass(frozen=True, slots=True)
class Failures:
    """What came of a unit in some time."""

    count: float
    down_h: float
    run_h: float


def outlook_of(
    units: Sequence[str], statements: Mapping[str, Statement], failures: Mapping[str, Failures]
) -> FaultOutlook:
    """[units] in their order."""
    hazard, usual, repair = np.zeros(len(units)), np.zeros(len(units)), np.full(len(units), REPAIR_H)
    for place, unit in enumerate(units):
        known = failures.get(unit)
        if known is not None and known.run_h > 0:
            usual[place] = known.count / known.run_h
            if known.count > 0:
                repair[place] = max(known.down_h / known.count, 1 / 60)
        hazard[place] = _hazard(statements[unit]) if unit in statements else 0.0
    return FaultOutlook(np.maximum(hazard, 0.0), usual, repair)


def _hazard(statement: Statement) -> float:
    """1/h, from the shortest horizon of which a number is believed; 0 without one."""
    for risk in statement.risks:
        if risk.p is not None and risk.basis in BELIEVED:
            return float(hazard_of(np.array([risk.p]), risk.horizon_h)[0])
    return 0.0
