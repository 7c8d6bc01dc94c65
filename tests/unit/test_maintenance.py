"""Maintenance from CSV: every mistake with its line, and nothing of a file that has one."""

import io

import pytest

from tests.servers import CHECKOUT
from twin.errors import ConfigError
from twin.plant.load import load_plant
from twin.plant.maintenance import MaintenanceKind, read_events

PLANT = load_plant(CHECKOUT / "configs" / "plant.yaml")
MILL = "factory/machining/mill-1"


def read(text: str) -> list:
    return read_events("log.csv", io.StringIO(text), PLANT)


def test_rows_become_events_with_any_order_of_columns_and_optional_ones_left_out() -> None:
    first, second = read(
        f"kind,asset,at,until_at,comment\nrepair,{MILL},2026-03-02T10:15:00+01:00,2026-03-02T11:00:00+01:00,new bearing\n"
        f"failure, {MILL} ,2026-03-02T09:00:00Z,,\n"
    )
    assert (first.kind, first.comment, first.source) == (MaintenanceKind.REPAIR, "new bearing", "log.csv")
    assert first.at_ns == 1_772_442_900 * 10**9
    assert first.until_ns == first.at_ns + 45 * 60 * 10**9
    assert (second.asset, second.until_ns) == (MILL, None)
    assert first.id != second.id


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("factory/mill-9,2026-03-02T10:15:00Z,repair,", "log.csv:3: asset: 'factory/mill-9' is not in the plant"),
        (f"{MILL},yesterday,repair,", "log.csv:3: at: 'yesterday' is no time"),
        (f"{MILL},2026-03-02T10:15:00,repair,", "log.csv:3: at: '2026-03-02T10:15:00' has no time zone"),
        (f"{MILL},2026-03-02T10:15:00Z,oiling,", "log.csv:3: kind: 'oiling' is none of failure, repair"),
        (f"{MILL},2026-03-02T10:15:00Z,repair,2026-03-01T10:15:00Z", "log.csv:3: until_at: lies before at"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_and_nothing_is_taken(row: str, problem: str) -> None:
    good = f"{MILL},2026-03-02T10:15:00Z,repair,"
    with pytest.raises(ConfigError) as raised:
        read(f"asset,at,kind,until_at\n{good}\n{row}\n{good}\n")
    assert len(raised.value.problems) == 1
    assert raised.value.problems[0].startswith(problem)


def test_columns_that_are_missing_or_unknown_are_named() -> None:
    with pytest.raises(ConfigError) as raised:
        read("asset,when,kind\n")
    assert [one.split(";")[0] for one in raised.value.problems] == [
        "log.csv:1: column at is missing",
        "log.csv:1: column 'when' is unknown",
    ]


def test_of_very_many_mistakes_the_first_are_told_and_the_others_counted() -> None:
    with pytest.raises(ConfigError) as raised:
        read("asset,at,kind\n" + "x,y,z\n" * 60)
    assert len(raised.value.problems) == 51
    assert raised.value.problems[-1] == "log.csv: and 10 more"
