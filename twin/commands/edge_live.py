"""`twin edge check --live`: the report of a dry run. In: the settings of an agent. Out: lines for people, or JSON."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import NamedTuple

from edge.config import AgentSettings
from edge.live_check import Report, check_live

_MOST_LISTED = 20
_SHOWN = (
    ("server", "server"),
    ("protocol", "protocol"),
    ("profile", "profile"),
    ("limits", "limits"),
    ("clock_offset_s", "clock offset, s"),
    ("nodes_readable", "nodes that can be read"),
    ("nodes_with_history", "nodes with history"),
    ("monitored", "nodes monitored"),
    ("subscriptions_now", "subscriptions"),
    ("publishing_ms", "published every, ms"),
    ("granted_less", "granted less than asked"),
    ("tolerated_outage_s", "shortest tolerated outage, s"),
    ("messages", "messages"),
    ("rejected", "messages not understood"),
    ("signals", "signals"),
    ("signals_heard", "signals heard meanwhile"),
    ("values_per_s", "values per second"),
    ("bytes_per_value", "bytes per value"),
)

_ALWAYS = ("monitored", "signals_heard", "values_per_s")


class Checked(NamedTuple):
    """What to print, and whether it would run as it is."""

    lines: list[str]
    sound: bool


def try_live(settings: AgentSettings, watch_s: float, *, as_json: bool) -> Checked:
    """Try a configuration against its equipment."""
    reports = asyncio.run(check_live(settings, watch_s))
    sound = not any(report.errors for report in reports)
    if as_json:
        return Checked([json.dumps([asdict(report) for report in reports], ensure_ascii=False, indent=1)], sound)
    return Checked([line for report in reports for line in _lines(report)], sound)


def _lines(report: Report) -> Iterator[str]:
    mark = "not as it should be" if report.errors else "ok, with warnings" if report.warnings else "ok"
    yield f"{report.kind} {report.name} ({report.address}): {mark}"
    for key, title in _SHOWN:
        value = report.facts.get(key)
        if value or key in _ALWAYS:
            yield f"  {title}: {_told(value)}"
    for severity, found in (("error", report.errors), ("warning", report.warnings)):
        for one in found[:_MOST_LISTED]:
            yield f"  {severity}: {one}"
        if len(found) > _MOST_LISTED:
            yield f"  {severity}: … and {len(found) - _MOST_LISTED} more (all of them with --json)"


def _told(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {one:,}" for name, one in value.items())  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return "; ".join(map(_told, value))  # pyright: ignore[reportUnknownArgumentType]
    return f"{value:,}" if isinstance(value, int | float) else str(value)
