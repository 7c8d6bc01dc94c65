"""Alarm states as JSON and back, for the store: from what is kept the book goes on bit for bit.

In: frozen states. Out: dictionaries of plain values. Rows of the alarms that changed, and one document of the rest.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from twin.state.alarm_book import AlarmBook, Window
from twin.state.alarm_flood import Flood
from twin.state.alarm_model import ActionKind, AlarmState, Phase, Shelf
from twin.state.alarm_rules import Rules

FORMAT = 1


def written(state: AlarmState) -> dict[str, Any]:
    """One alarm."""
    return {**asdict(state), "id": str(state.id), "phase": state.phase.value, "suppressed": list(state.suppressed)}


def read(document: Mapping[str, Any]) -> AlarmState:
    """The alarm that was written."""
    shelf: Mapping[str, Any] | None = document["shelf"]
    values: dict[str, Any] = {
        **document,
        "id": UUID(document["id"]),
        "phase": Phase(document["phase"]),
        "suppressed": tuple(document["suppressed"]),
        "shelf": Shelf(**shelf) if shelf else None,
    }
    return AlarmState(**values)


def rest(book: AlarmBook) -> dict[str, Any]:
    """What is remembered beside the alarms: floods, windows, how far the actions are done."""
    return {
        "format": FORMAT,
        "action": book.action,
        "floods": {scope: asdict(flood) for scope, flood in sorted(book.floods.items())},
        "windows": [{**asdict(one), "kind": one.kind.value} for _, one in sorted(book.windows.items())],
    }


def restored(rules: Rules, states: Iterable[AlarmState], kept: Mapping[str, Any] | None) -> AlarmBook:
    """The book as it was when these were written."""
    book = AlarmBook(rules, {state.id: state for state in states})
    if kept is not None:
        book.action = kept["action"]
        book.floods = {scope: Flood(**flood) for scope, flood in kept["floods"].items()}
        book.windows = {one["id"]: _window(one) for one in kept["windows"]}
    return book


def _window(document: Mapping[str, Any]) -> Window:
    values: dict[str, Any] = {**document, "kind": ActionKind(document["kind"])}
    return Window(**values)
