"""What was done to an asset, as people or other systems tell it.

In: rows with the columns asset, at, until_at, kind, component, comment. Out: events, or every problem with its line.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID, uuid5

from twin.errors import ConfigError
from twin.plant.tree import Plant

_NAMESPACE = UUID("0f8f2c55-7d0e-5c1c-9f4f-0d5b6f1d7a11")
_COLUMNS = ("asset", "at", "until_at", "kind", "component", "comment")
_NEEDED = ("asset", "at", "kind")
_MOST_PROBLEMS = 50
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MaintenanceKind(StrEnum):
    """What happened."""

    FAILURE = "failure"  # a fault began; where the machine itself says so, this is not needed
    REPAIR = "repair"  # after a fault; use is counted anew from its end on
    PREVENTIVE = "preventive"  # planned; use is counted anew, and a fault may have been prevented
    INSPECTION = "inspection"  # nothing was changed


@dataclass(frozen=True, slots=True)
class MaintenanceEvent:
    """One event of one asset."""

    asset: str  # path
    at_ns: int
    until_ns: int | None
    kind: MaintenanceKind
    component: str = ""
    comment: str = ""
    source: str = ""

    @property
    def id(self) -> UUID:
        """The same event always has the same id, however often it is told."""
        return uuid5(_NAMESPACE, f"{self.asset}|{self.at_ns}|{self.kind}|{self.component}")


def read_events(name: str, lines: Iterable[str], plant: Plant) -> list[MaintenanceEvent]:
    """The events of a CSV file; `name` stands in the messages and as the source.

    Raises:
        ConfigError: with every line that cannot be used; then nothing of the file should be.
    """
    reader = csv.DictReader(lines)
    header = [one.strip() for one in reader.fieldnames or ()]
    reader.fieldnames = header
    if problems := list(_header_problems(header)):
        raise ConfigError(f"{name}:1: {problem}" for problem in problems)
    events: list[MaintenanceEvent] = []
    problems: list[str] = []
    for row in reader:
        try:
            events.append(event_of(row, plant, source=name))
        except ValueError as error:
            problems.append(f"{name}:{reader.line_num}: {error}")
    if problems:
        rest = len(problems) - _MOST_PROBLEMS
        raise ConfigError([*problems[:_MOST_PROBLEMS], *([f"{name}: and {rest} more"] if rest > 0 else [])])
    return events


def event_of(row: dict[str, str | None], plant: Plant, *, source: str) -> MaintenanceEvent:
    """One event from its texts.

    Raises:
        ValueError: what is wrong with it and what to do.
    """
    cells = {column: (row.get(column) or "").strip() for column in _COLUMNS}
    if not plant.has_asset(cells["asset"]):
        raise ValueError(f"asset: {cells['asset']!r} is not in the plant; take a path of plant.yaml")
    kinds = ", ".join(kind.value for kind in MaintenanceKind)
    if cells["kind"] not in {kind.value for kind in MaintenanceKind}:
        raise ValueError(f"kind: {cells['kind']!r} is none of {kinds}")
    at_ns = _instant("at", cells["at"])
    until_ns = _instant("until_at", cells["until_at"]) if cells["until_at"] else None
    if until_ns is not None and until_ns < at_ns:
        raise ValueError("until_at: lies before at; swap them or leave it empty")
    kind = MaintenanceKind(cells["kind"])
    return MaintenanceEvent(cells["asset"], at_ns, until_ns, kind, cells["component"], cells["comment"], source)


def _header_problems(header: Sequence[str]) -> Iterable[str]:
    for column in _NEEDED:
        if column not in header:
            yield f"column {column} is missing; the columns are {', '.join(_COLUMNS)}"
    for column in header:
        if column not in _COLUMNS:
            yield f"column {column!r} is unknown; the columns are {', '.join(_COLUMNS)}"


def _instant(column: str, text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{column}: {text!r} is no time; write 2026-03-02T10:15:00+01:00") from None
    if at.tzinfo is None:
        raise ValueError(f"{column}: {text!r} has no time zone; add Z or an offset such as +01:00")
    delta = at - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000_000 + delta.microseconds * 1_000
