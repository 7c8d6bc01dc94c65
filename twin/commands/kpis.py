"""`twin kpis`: key figures as a table for people, or as CSV for everything else."""

import time
from collections.abc import Sequence
from datetime import UTC
from enum import StrEnum
from typing import TypeVar

from api.window import window
from twin.commands.settings import TwinSettings
from twin.errors import ConfigError, Rejected
from twin.plant.load import load_plant
from twin.plant.tree import Level
from twin.store.connect import open_store
from twin.store.times import to_datetime
from twin.throughput.asked import Period, Row, question
from twin.throughput.kpis import NAMES, Kpis, kpis
from twin.throughput.unit import units_of

Word = TypeVar("Word", bound=StrEnum)
_MOST_ROWS = 10_000
_HEAD = (
    "asset",
    "period",
    "output",
    "per h",
    "availability",
    "effectiveness",
    "quality",
    "OEE",
    "MTBF",
    "MTTR",
    "known",
)
_CRANES = ("moves/h gross", "moves/h net", "moves/berth h")


async def figures(
    settings: TwinSettings, under: str | None, what: tuple[str, str | None], when: tuple[str, str]
) -> list[Row]:
    """The rows from the store; what: period and level, when: start and end, as words.

    Raises:
        ConfigError: a word is wrong, or there is no such asset.
    """
    plant = load_plant(settings.plant)
    if under is not None and not plant.has_asset(under):
        raise ConfigError(f"there is no asset {under!r} in {settings.plant}; without one every site is shown")
    by, level = _word(Period, what[0]), None if what[1] is None else _word(Level, what[1])
    try:
        span = window(*when, time.time_ns())
    except Rejected as error:
        raise ConfigError(f"{error}; give times such as -8h, now or 2026-03-02T10:00:00Z") from error
    places = [asset.path for asset in plant.assets if asset.level is Level.SITE] if under is None else [under]
    async with open_store(settings.database) as store:
        ideal = await store.kpis.best_cycles(list(units_of(plant)))
        rows: list[Row] = []
        for place in places:
            asked = question(plant, place, level, ideal)
            rows += await store.kpis.sums(asked, by, span.start_ns, span.end_ns, _MOST_ROWS)
    return rows


def _word(words: type[Word], given: str) -> Word:
    try:
        return words(given)
    except ValueError as error:
        raise ConfigError(f"{given!r} is none of {', '.join(one.value for one in words)}") from error


def table_lines(rows: Sequence[Row]) -> list[str]:
    """The rows as aligned columns; crane rates only where there are cranes."""
    found = [(row, kpis(row.sums)) for row in rows]
    cranes = any(one.gross_crane_rate_per_h is not None for _, one in found)
    lines = [(*_HEAD, *(_CRANES if cranes else ())), *(_cells(row, one, cranes=cranes) for row, one in found)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    shown = ["  ".join(_aligned(cell, widths[at], at) for at, cell in enumerate(line)) for line in lines]
    remarks = {f"{row.asset}: {remark}" for row, one in found for remark in one.remarks}
    return [*(line.rstrip() for line in shown), *sorted(remarks)]


def csv_lines(rows: Sequence[Row]) -> list[str]:
    """Every figure; empty where it is not defined."""
    lines = [",".join(("asset", "start", "end", "label", *NAMES))]
    for row in rows:
        one = kpis(row.sums)
        figures = ("" if getattr(one, name) is None else repr(getattr(one, name)) for name in NAMES)
        lines.append(",".join((row.asset, _iso(row.start_ns), _iso(row.end_ns), f'"{row.label}"', *figures)))
    return lines


def _cells(row: Row, one: Kpis, *, cranes: bool) -> tuple[str, ...]:
    produced = row.sums.output.get("good", 0.0) + row.sums.output.get("moves", 0.0)
    period = f"{to_datetime(row.start_ns):%Y-%m-%d %H:%M} {row.label}".strip()
    cells = (
        row.asset,
        period,
        f"{produced:.0f}",
        _number(one.throughput_per_h),
        _share(one.availability),
        _share(one.effectiveness),
        _share(one.quality_ratio),
        _share(one.oee),
        _minutes(one.mtbf_s),
        _minutes(one.mttr_s),
        _share(one.coverage),
    )
    if not cranes:
        return cells
    rates = (one.gross_crane_rate_per_h, one.net_crane_rate_per_h, one.moves_per_berth_h)
    return (*cells, *map(_number, rates))


def _aligned(cell: str, width: int, at: int) -> str:
    return cell.ljust(width) if at < 2 else cell.rjust(width)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _minutes(value: float | None) -> str:
    return "–" if value is None else f"{value / 60:.1f} min"


def _iso(time_ns: int) -> str:
    return to_datetime(time_ns).astimezone(UTC).isoformat().replace("+00:00", "Z")
