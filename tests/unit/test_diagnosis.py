"""What `twin doctor` makes of what it sees: conditions, words, the sentence at the end."""

from dataclasses import replace
from pathlib import Path

import pytest

from edge.spool_view import Waiting
from twin.commands.diagnosis import Condition, days_left, document, is_well, lines, ok, problem, warning
from twin.commands.doctor_files import _of_status
from twin.commands.doctor_store import _clock
from twin.commands.spool_status import Status
from twin.store.checkup import Look

LOOK = Look(
    name="localhost:5432/fabriquay",
    server="18.1",
    database_bytes=1,
    answered_in_s=0.004,
    ahead_s=0.0,
    has_timescale=False,
    may_take_role=True,
    applied=13,
    known=13,
)
STATUS = Status(
    node="gate-7",
    at_ns=10**18,
    agent_runs=True,
    path=Path("spool.db"),
    max_bytes=1_000_000,
    disk_free_bytes=10**12,
    live=Waiting(),
    history=Waiting(),
    growth_bytes_per_s=0.0,
    dropped_batches=0,
    dropped_readings=0,
    dropping=False,
    sources=(),
)


def test_problems_warnings_and_what_to_do_stand_in_the_table_and_are_counted() -> None:
    checks = [ok("database", "answers"), warning("clock", "2 s ahead", "use NTP"), problem("api", "away", "start it")]
    shown = list(lines(checks))
    assert shown[0].split() == ["ok", "database", "answers"]
    assert shown[2].strip() == "→ use NTP"
    assert shown[3].startswith("  PROBLEM")
    assert shown[-1] == "1 problem, 1 warning in 3 checks"
    assert list(lines(checks[:1]))[-1] == "no problem in 1 checks"
    assert not is_well(checks)
    assert is_well(checks[:2])
    assert document(checks)["checks"][2] == {
        "part": "api",
        "condition": "problem",
        "found": "away",
        "do": "start it",
    }


@pytest.mark.parametrize(
    ("ahead_s", "answered_in_s", "condition"),
    [
        (0.2, 0.004, Condition.OK),
        (-1.5, 0.004, Condition.WARNING),
        (1.5, 3.0, Condition.OK),  # within what the round trip leaves open
        (-7.0, 0.004, Condition.PROBLEM),
    ],
)
def test_clocks_that_differ_are_judged_beyond_what_the_round_trip_leaves_open(
    ahead_s: float, answered_in_s: float, condition: Condition
) -> None:
    found = _clock(replace(LOOK, ahead_s=ahead_s, answered_in_s=answered_in_s))
    assert found.condition is condition
    assert ("ahead" if ahead_s > 0 else "behind") in found.found


@pytest.mark.parametrize(("days", "condition"), [(-0.5, Condition.PROBLEM), (3, Condition.WARNING), (90, Condition.OK)])
def test_a_certificate_is_told_of_before_it_ends(days: float, condition: Condition) -> None:
    assert days_left("certificate of the api", days).condition is condition


@pytest.mark.parametrize(
    ("change", "condition", "word"),
    [
        ({}, Condition.OK, "0 % full"),
        ({"dropping": True}, Condition.PROBLEM, "being lost"),
        ({"agent_runs": False}, Condition.PROBLEM, "does not run"),
        ({"max_bytes": 1, "disk_free_bytes": 1}, Condition.WARNING, "free on the disk"),
    ],
)
def test_a_spool_that_loses_or_that_nobody_empties_is_told_of(change: dict, condition: Condition, word: str) -> None:
    found = _of_status("spool edge-7", replace(STATUS, **change))
    assert found.condition is condition
    assert word in found.found
